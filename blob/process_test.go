package blob_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"remuda"
	"remuda/blob"
)

// putterEnv makes this test binary put into the folder that it names, what
// putterSeeds counts, and say each seed once it is acknowledged.
const (
	putterEnv   = "REMUDA_TEST_BLOB_FOLDER"
	putterSeeds = "REMUDA_TEST_BLOB_SEEDS" // FIRST-LAST
	putterSize  = 40_000
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(putterEnv); folder != "" {
		if err := putAll(folder, os.Getenv(putterSeeds)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// putAll puts from four goroutines.
func putAll(folder, seeds string) error {
	var next, last uint64
	if _, err := fmt.Sscanf(seeds, "%d-%d", &next, &last); err != nil {
		return err
	}
	ctx := context.Background()
	store, err := blob.OpenURL(ctx, folder)
	if err != nil {
		return err
	}
	errs := make([]error, 4)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for seed := atomic.AddUint64(&next, 1) - 1; seed <= last && errs[i] == nil; seed = atomic.AddUint64(&next, 1) - 1 {
				if _, _, errs[i] = store.Put(ctx, bytes.NewReader(noise(seed, putterSize)), 0); errs[i] == nil {
					_, errs[i] = fmt.Println(seed)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// putter is a process of its own.
type putter struct {
	cmd    *exec.Cmd
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func startPutter(t *testing.T, folder string, first, last uint64) *putter {
	t.Helper()
	p := &putter{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), putterEnv+"="+folder, fmt.Sprintf("%s=%d-%d", putterSeeds, first, last))
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// acked returns the next acknowledged seed, false at the end.
func (p *putter) acked(t *testing.T) (uint64, bool) {
	t.Helper()
	if !p.out.Scan() {
		return 0, false
	}
	seed, err := strconv.ParseUint(p.out.Text(), 10, 64)
	if err != nil {
		t.Fatalf("it said %q", p.out.Text())
	}
	return seed, true
}

// Ensure a process killed at any moment takes nothing with it that it has
// acknowledged, and leaves nothing that is not whole (-count=40 for 200 rounds).
func TestAcknowledgedSurvivesKill(t *testing.T) {
	folder := t.TempDir()
	acked := make(map[blob.Ref]bool)
	for round := range uint64(5) {
		p := startPutter(t, folder, round*1_000_000, 1e18)
		for range 1 + rand.IntN(60) {
			seed, ok := p.acked(t)
			if !ok {
				t.Fatalf("it ended by itself: %s", p.stderr.String())
			}
			acked[blob.RefOf(noise(seed, putterSize))] = true
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for seed, ok := p.acked(t); ok; seed, ok = p.acked(t) {
			acked[blob.RefOf(noise(seed, putterSize))] = true
		}
		if err := p.cmd.Wait(); err == nil {
			t.Fatal("it was not killed")
		}
	}
	store := mustOpen(t, folder)
	for ref := range acked {
		if data, err := read(t.Context(), store, ref); err != nil || len(data) != putterSize {
			t.Errorf("acknowledged %s: %d bytes, %v", ref, len(data), err)
		}
	}
	for _, ref := range listed(t, store) {
		if data, err := read(t.Context(), store, ref); err != nil || len(data) != putterSize {
			t.Errorf("listed %s: %d bytes, %v", ref, len(data), err)
		}
	}
	swept, err := store.Sweep(t.Context(), func(r blob.Ref) (bool, error) { return acked[r], nil }, soon())
	if err != nil || swept.Kept != len(acked) {
		t.Errorf("sweep: %+v, %v; %d were acknowledged", swept, err, len(acked))
	}
	mustBeTidy(t, folder)
}

// mustBeTidy looks for leftovers of puts.
func mustBeTidy(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(filepath.Join(folder, "temp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left in temp: %v, %v", left, err)
	}
}

func TestTwoProcessesPutTheSame(t *testing.T) {
	folder := t.TempDir()
	const last = 49
	one, two := startPutter(t, folder, 0, last), startPutter(t, folder, 0, last)
	for _, p := range []*putter{one, two} {
		seen := 0
		for _, ok := p.acked(t); ok; _, ok = p.acked(t) {
			seen++
		}
		if err := p.cmd.Wait(); err != nil || seen != last+1 {
			t.Errorf("%d acknowledged, %v: %s", seen, err, p.stderr.String())
		}
	}
	store := mustOpen(t, folder)
	if got := listed(t, store); len(got) != last+1 {
		t.Errorf("%d blobs, want %d", len(got), last+1)
	}
	for seed := range uint64(last + 1) {
		mustHave(t, store, noise(seed, putterSize))
	}
	mustBeTidy(t, folder)
}

// Ensure whatever happens at once, a blob is whole or absent.
func TestConcurrentUse(t *testing.T) {
	everywhere(t, func(t *testing.T, w world) {
		ctx := t.Context()
		var wg sync.WaitGroup
		for worker := range uint64(6) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(worker, 0))
				for range 40 {
					data := noise(r.Uint64N(5), 20_000)
					ref := blob.RefOf(data)
					var err error
					switch r.IntN(12) {
					case 0, 1:
						err = w.store.Delete(ctx, ref)
					case 2:
						if worker > 0 {
							break // one sweeps
						}
						_, err = w.store.Sweep(ctx, func(ref blob.Ref) (bool, error) { return true, nil }, time.Now().Add(-time.Minute))
					case 3, 4:
						err = w.store.PutDerived(ctx, ref, "thumb", data[:100])
					case 5, 6, 7, 8:
						_, _, err = w.store.Put(ctx, bytes.NewReader(data), 0)
					}
					if err != nil {
						t.Errorf("worker %d: %v", worker, err)
					}
					if got, err := read(ctx, w.store, ref); remuda.CodeOf(err) != remuda.NotFound && (err != nil || !bytes.Equal(got, data)) {
						t.Errorf("read: %d bytes, %v", len(got), err)
					}
					if got, err := w.store.Derived(ctx, ref, "thumb"); remuda.CodeOf(err) != remuda.NotFound && (err != nil || !bytes.Equal(got, data[:100])) {
						t.Errorf("derived: %d bytes, %v", len(got), err)
					}
				}
			})
		}
		wg.Wait()
	})
}

// claims are what a database would say of who refers to which blob.
type claims struct {
	pending sync.RWMutex // held shared from a put or touch to the row that refers to the blob
	mu      sync.Mutex
	rows    map[blob.Ref]int
}

func (c *claims) add(ref blob.Ref, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[ref] += n
}

func (c *claims) keep(ref blob.Ref) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows[ref] > 0, nil
}

// settled returns a time before which nothing was put or touched whose row is
// not yet there. File systems may date a change some milliseconds back.
func (c *claims) settled() time.Time {
	c.pending.Lock()
	defer c.pending.Unlock()
	return time.Now().Add(-20 * time.Millisecond)
}

// Ensure two servers may take uploads while both sweep: what one refers to
// stays, whether it was sent or only touched.
func TestSweepLeavesWhatIsClaimedMeanwhile(t *testing.T) {
	folder := t.TempDir()
	stores := []*blob.Store{mustOpen(t, folder), mustOpen(t, folder)}
	c := &claims{rows: make(map[blob.Ref]int)}
	ctx := t.Context()
	var workers, sweepers sync.WaitGroup
	done := make(chan struct{})
	for i, s := range stores {
		for worker := range 2 {
			workers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), uint64(worker)))
				for range 150 {
					data := noise(r.Uint64N(8), 1000)
					ref := blob.RefOf(data)
					c.pending.RLock()
					err := s.Touch(ctx, ref)
					if remuda.CodeOf(err) == remuda.NotFound {
						_, _, err = s.Put(ctx, bytes.NewReader(data), 0)
					}
					c.add(ref, 1)
					c.pending.RUnlock()
					if err != nil {
						t.Errorf("claim: %v", err)
					}
					for range 3 {
						if _, err := read(ctx, s, ref); err != nil {
							t.Errorf("claimed and lost: %v", err)
						}
					}
					c.add(ref, -1)
				}
			})
		}
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := s.Sweep(ctx, c.keep, c.settled()); err != nil {
					t.Errorf("sweep: %v", err)
				}
			}
		})
	}
	workers.Wait()
	close(done)
	sweepers.Wait()
	if _, err := stores[0].Sweep(ctx, c.keep, soon()); err != nil || len(listed(t, stores[1])) > 0 {
		t.Errorf("nothing is claimed, but there is %v, %v", listed(t, stores[1]), err)
	}
	mustBeTidy(t, folder)
}

func TestLeftoversAreSweptOnceOld(t *testing.T) {
	folder := t.TempDir()
	store := mustOpen(t, folder)
	left := filepath.Join(folder, "temp", "left")
	foreign := filepath.Join(folder, "blobs", "00", "notes.txt")
	if err := errors.Join(os.Mkdir(filepath.Dir(foreign), 0o700), os.WriteFile(left, []byte("half an ima"), 0o600), os.WriteFile(foreign, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	swept, err := store.Sweep(t.Context(), keepNone, time.Now().Add(-time.Hour))
	if err != nil || swept != (blob.Swept{}) {
		t.Errorf("a young one: got %+v, %v", swept, err)
	}
	swept, err = store.Sweep(t.Context(), keepNone, soon())
	if err != nil || swept != (blob.Swept{Temp: 1}) {
		t.Errorf("an old one: got %+v, %v", swept, err)
	}
	mustBeTidy(t, folder)
	if _, err := os.Stat(foreign); err != nil || len(listed(t, store)) > 0 {
		t.Errorf("a file that is not ours: %v, listed %v", err, listed(t, store))
	}
}

// Ensure a disk that was unmounted is no reason to say that images don't exist,
// and none to fill the disk below.
func TestGoneFolderIsUnavailable(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "deep", "er")
	store := mustOpen(t, folder)
	ref := mustPut(t, store, []byte("x"))
	if err := os.Rename(folder, folder+" away"); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, openErr := store.Open(ctx, ref)
	_, statErr := store.Stat(ctx, ref)
	_, _, putErr := store.Put(ctx, strings.NewReader("y"), 0)
	_, sweepErr := store.Sweep(ctx, keepNone, soon())
	var listErr error
	for _, err := range store.List(ctx) {
		listErr = err
	}
	for name, err := range map[string]error{
		"open": openErr, "stat": statErr, "put": putErr, "sweep": sweepErr, "list": listErr,
		"touch": store.Touch(ctx, ref), "delete": store.Delete(ctx, ref),
	} {
		if remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(remuda.HintOf(err), "put it back") || !strings.Contains(err.Error(), folder) {
			t.Errorf("%s: got %v, hint %q", name, err, remuda.HintOf(err))
		}
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made anew: %v", err)
	}
	if err := os.Rename(folder+" away", folder); err != nil {
		t.Fatal(err)
	}
	mustHave(t, store, []byte("x"))
	mustPut(t, store, []byte("y"))
}

func TestStoredFilesAreTheirOwnersAlone(t *testing.T) {
	folder := t.TempDir()
	ref := mustPut(t, mustOpen(t, folder), []byte("x"))
	info, err := os.Stat(filepath.Join(folder, "blobs", ref.String()[:2], ref.String()))
	if err != nil || info.Mode() != 0o400 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func BenchmarkPut(b *testing.B) {
	store := mustOpen(b, b.TempDir())
	var seed atomic.Uint64
	for _, parallel := range []int{1, 4} {
		b.Run(fmt.Sprintf("%d at once", parallel), func(b *testing.B) {
			b.SetBytes(30_000)
			var wg sync.WaitGroup
			for range parallel {
				wg.Go(func() {
					for range b.N / parallel {
						if _, _, err := store.Put(b.Context(), bytes.NewReader(noise(seed.Add(1), 30_000)), 0); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

func BenchmarkOpenAndRead(b *testing.B) {
	store := mustOpen(b, b.TempDir())
	ref, size, err := store.Put(b.Context(), bytes.NewReader(noise(1, 30_000)), 0)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		r, err := store.Open(b.Context(), ref)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n != size || err != nil {
			b.Fatal(n, err)
		}
		r.Close()
	}
}
