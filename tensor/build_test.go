package tensor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeTorch lays out a folder that looks like a libtorch.
func fakeTorch(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

const versionMacros = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 15\n#define TORCH_VERSION_PATCH 1\n"

func TestLibtorchIsFoundInEveryLayout(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string // version, or part of the error
	}{
		"archive":          {map[string]string{"include/torch/csrc/api/include/torch/version.h": versionMacros, "lib/libtorch_cpu.so": ""}, "2.15.1"},
		"newer headers":    {map[string]string{"include/torch/headeronly/version.h": versionMacros, "lib/libtorch_cpu.so": ""}, "2.15.1"},
		"multiarch folder": {map[string]string{"include/torch/csrc/api/include/torch/version.h": versionMacros, "lib/x86_64-linux-gnu/libtorch_cpu.so": ""}, "2.15.1"},
		"no headers":       {map[string]string{"lib/libtorch_cpu.so": ""}, "no libtorch headers"},
		"no library":       {map[string]string{"include/torch/csrc/api/include/torch/version.h": versionMacros}, "no libtorch_cpu.so"},
	} {
		torch, err := Discover(fakeTorch(t, test.files))
		got := torch.Version
		if err != nil {
			got = err.Error()
			var missing *MissingError
			if !errors.As(err, &missing) || missing.Hint == "" {
				t.Errorf("%s: %v is no *MissingError with a hint", name, err)
			}
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestBuildFailsClearlyAndLeavesNothing(t *testing.T) {
	torch, err := Discover(fakeTorch(t, map[string]string{"include/torch/csrc/api/include/torch/version.h": versionMacros, "lib/libtorch_cpu.so": ""}))
	must(t, err)
	cache := t.TempDir()
	if _, err := Find(torch, cache); err == nil || !strings.Contains(err.Error(), "not built yet") {
		t.Errorf("find before build: %v", err)
	}
	t.Setenv("CXX", "no-such-compiler")
	_, err = Build(context.Background(), torch, cache)
	if missing := (*MissingError)(nil); !errors.As(err, &missing) || !strings.Contains(missing.Hint, "g++") {
		t.Errorf("without a compiler: %v", err)
	}
	t.Setenv("CXX", "false")
	if _, err = Build(context.Background(), torch, cache); err == nil || !strings.Contains(err.Error(), "libtorch 2.15.1") {
		t.Errorf("with a failing compiler: %v", err)
	}
	left, err := os.ReadDir(cache)
	if err != nil || len(left) != 0 {
		t.Errorf("the cache holds %v after failed builds; %v", left, err)
	}
}

// A compiler that writes what it is told makes two builds at once cheap to watch.
func TestTwoBuildsAtOnceGiveOneWholeShim(t *testing.T) {
	torch, err := Discover(fakeTorch(t, map[string]string{"include/torch/csrc/api/include/torch/version.h": versionMacros, "lib/libtorch_cpu.so": ""}))
	must(t, err)
	compiler := filepath.Join(t.TempDir(), "cxx")
	must(t, os.WriteFile(compiler, []byte("#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\necho half > \"$2\"\necho whole >> \"$2\"\n"), 0o755))
	t.Setenv("CXX", compiler)
	cache := t.TempDir()
	paths, errs := make([]string, 8), make([]error, 8)
	done := make(chan struct{})
	for i := range paths {
		go func() {
			paths[i], errs[i] = Build(context.Background(), torch, cache)
			done <- struct{}{}
		}()
	}
	for range paths {
		<-done
	}
	for i, path := range paths {
		if errs[i] != nil || path != paths[0] {
			t.Fatalf("build %d: %s, %v", i, path, errs[i])
		}
	}
	if text, err := os.ReadFile(paths[0]); err != nil || string(text) != "half\nwhole\n" {
		t.Errorf("shim is %q, %v", text, err)
	}
	if found, err := Find(torch, cache); err != nil || found != paths[0] {
		t.Errorf("found %s, %v", found, err)
	}
}

func TestOpeningWhatIsNoEngineSaysWhatToDo(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "missing.so"), Options{})
	if missing := (*MissingError)(nil); !errors.As(err, &missing) || !strings.Contains(missing.Hint, "remuda engine build") {
		t.Errorf("a missing shim: %v", err)
	}
}

func TestUnknownAndAbsentDevicesAreErrors(t *testing.T) {
	shim := builtShim(t)
	for device, want := range map[string]string{"tpu": `no device is called "tpu"`, "cuda:x": `"cuda:x"`, "cuda:99": "CUDA"} {
		if e, err := Open(shim, Options{Device: device}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("device %s: %v", device, err)
			if e != nil {
				e.Close()
			}
		}
	}
}
