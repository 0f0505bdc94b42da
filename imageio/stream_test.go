package imageio

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// manyFiles writes n images, each as wide as its index and one, and returns their paths.
func manyFiles(t *testing.T, n int) []string {
	t.Helper()
	folder := t.TempDir()
	paths := make([]string, n)
	for i := range paths {
		b, err := EncodeJPEG(NewRGB(i+1, 4), 50)
		if err != nil {
			t.Fatal(err)
		}
		paths[i] = filepath.Join(folder, fmt.Sprintf("%d.jpg", i))
		if err := os.WriteFile(paths[i], b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}

// Ensure results come in order whatever the number of workers, and a broken
// file doesn't stop the others.
func TestStreamKeepsOrder(t *testing.T) {
	paths := manyFiles(t, 40)
	if err := os.WriteFile(paths[7], []byte("broken"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]int{{1, 0}, {1, 5}, {4, 1}, {8, 16}, {100, 100}, {0, -1}} {
		next := 0
		for i, r := range Stream(t.Context(), paths, c[0], c[1]) {
			if i != next {
				t.Fatalf("workers %d, ahead %d: index %d came, want %d", c[0], c[1], i, next)
			}
			next++
			switch {
			case i == 7:
				if r.Err == nil || !strings.Contains(r.Err.Error(), paths[7]) {
					t.Errorf("the broken file gives %v", r.Err)
				}
			case r.Err != nil || r.Image.Width != i+1:
				t.Errorf("image %d: %+v", i, r)
			}
		}
		if next != len(paths) {
			t.Errorf("workers %d, ahead %d: %d results, want %d", c[0], c[1], next, len(paths))
		}
	}
}

// Ensure no goroutine outlives the loop, however it ends.
func TestStreamLeavesNoGoroutine(t *testing.T) {
	paths := manyFiles(t, 30)
	before := runtime.NumGoroutine()
	for range Stream(t.Context(), paths, 4, 8) {
	}
	for i := range Stream(t.Context(), paths, 4, 8) {
		if i == 3 {
			break
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range Stream(ctx, paths, 4, 8) {
		cancel()
	}
	func() {
		defer func() { recover() }()
		for range Stream(t.Context(), paths, 4, 8) {
			panic("in the loop's body")
		}
	}()
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// Ensure an ended context is the last result.
func TestStreamEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last Result
	n := 0
	for i, r := range Stream(ctx, manyFiles(t, 30), 2, 2) {
		if i == 4 {
			cancel()
		}
		last = r
		n++
	}
	if n != 6 || !errors.Is(last.Err, context.Canceled) {
		t.Errorf("%d results, the last %v", n, last.Err)
	}
}

// Ensure a slow loop keeps the decoders from running far ahead.
func TestStreamLooksAheadNoFurther(t *testing.T) {
	paths := manyFiles(t, 60)
	synctest.Test(t, func(t *testing.T) {
		const workers, ahead = 3, 5
		var opened atomic.Int64
		open := func(path string, err error) Result {
			opened.Add(1)
			return Result{Err: err}
		}
		for i := range ordered(t.Context(), paths, workers, ahead, open) {
			synctest.Wait() // until every other goroutine is blocked
			if n := int(opened.Load()); n > i+1+ahead+workers {
				t.Fatalf("%d files were opened when image %d was looked at", n, i)
			}
		}
	})
}
