// Package enginetest opens the native engine for tests.
package enginetest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"remuda/tensor"
)

// Open returns an engine on the CPU with two threads, closed when the test
// ends. The shim is compiled once into the user's cache folder. A machine
// without libtorch fails the test, unless REMUDA_SKIP_ENGINE=1 is set.
func Open(t testing.TB) *tensor.Engine {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_ENGINE") == "1" {
		t.Skip("REMUDA_SKIP_ENGINE=1")
	}
	e, err := tensor.Open(Shim(t), tensor.Options{Threads: 2, Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// Shim returns the path of the compiled shim, for tests that start a process.
func Shim(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	torch, err := tensor.Discover(os.Getenv("REMUDA_TORCH"))
	if err != nil {
		t.Fatal(err)
	}
	shim, err := tensor.Build(context.Background(), torch, filepath.Join(cache, "remuda", "engine"))
	if err != nil {
		t.Fatal(err)
	}
	return shim
}
