package tensor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

//go:embed shim
var shimSource embed.FS

// sourceHash is the SHA-256 of the shim's embedded source, in hex.
var sourceHash = sync.OnceValue(func() string {
	sum := sha256.New()
	_ = fs.WalkDir(shimSource, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := shimSource.ReadFile(path) // cannot fail: the file is embedded
		fmt.Fprintf(sum, "%s %d\n", path, len(text))
		sum.Write(text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))
})

// Build compiles the shim for a libtorch into cacheDir with g++, and returns
// its path. A shim that is there already is returned at once; two builds at
// once are safe, and a killed one leaves nothing that looks whole. It returns a
// *MissingError where there is no compiler.
func Build(ctx context.Context, t Torch, cacheDir string) (string, error) {
	if shim, err := Find(t, cacheDir); err == nil {
		return shim, nil
	}
	compiler, err := exec.LookPath(compilerName())
	if err != nil {
		return "", &MissingError{Err: fmt.Errorf("build the engine: %w", err), Hint: "install a C++ compiler: apt-get install g++"}
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", fmt.Errorf("build the engine: %w", err)
	}
	work, err := os.MkdirTemp(cacheDir, "build-") // in the cache itself, so that the rename stays on one file system
	if err != nil {
		return "", fmt.Errorf("build the engine: %w", err)
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(work, shimSource); err != nil {
		return "", fmt.Errorf("build the engine: %w", err)
	}
	made := filepath.Join(work, "shim.so")
	args := append(t.flags(), "-DREMUDA_SOURCE_HASH=\""+sourceHash()+"\"", filepath.Join(work, "shim", "all.cc"), "-o", made)
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, compiler, append(args, t.linkFlags()...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("build the engine: %w", ctx.Err())
		}
		return "", fmt.Errorf("build the engine for libtorch %s in %s: %w\n%s", t.Version, t.Dir, err, firstErrors(said.String()))
	}
	shim := t.shimPath(cacheDir)
	if err := os.Rename(made, shim); err != nil {
		return "", fmt.Errorf("build the engine: %w", err)
	}
	return shim, nil
}

// Find returns the shim for a libtorch that an earlier Build left in cacheDir,
// or a *MissingError.
func Find(t Torch, cacheDir string) (string, error) {
	shim := t.shimPath(cacheDir)
	if _, err := os.Stat(shim); err != nil {
		return "", &MissingError{Err: fmt.Errorf("the engine is not built yet for libtorch %s in %s", t.Version, t.Dir), Hint: "run remuda engine build"}
	}
	return shim, nil
}

func compilerName() string {
	if cxx := os.Getenv("CXX"); cxx != "" {
		return cxx
	}
	return "g++"
}

// flags are the compiler's. libtorch is compiled with NDEBUG, which some of its
// classes differ by. -fopenmp makes at::parallel_for parallel; C++20 is
// what libtorch 2.14 asks for and 1.13 bears.
func (t Torch) flags() []string {
	flags := []string{"-std=c++20", "-O3", "-DNDEBUG", "-fPIC", "-fopenmp", "-fvisibility=hidden", "-w"}
	for _, dir := range t.Include {
		flags = append(flags, "-I"+dir) // -isystem would put /usr/include before the compiler's own
	}
	if t.oldABI {
		flags = append(flags, "-D_GLIBCXX_USE_CXX11_ABI=0")
	}
	return flags
}

// linkFlags are the linker's. libtorch must be named explicitly with CUDA, or the
// linker drops libtorch_cuda, which nothing refers to, and CUDA reads as unavailable.
func (t Torch) linkFlags() []string {
	flags := []string{"-shared", "-L" + t.Lib}
	for _, dir := range t.runtime {
		flags = append(flags, "-Wl,-rpath,"+dir, "-Wl,-rpath-link,"+dir)
	}
	// A Python package brings its own OpenMP: with a second one, each would have its own threads.
	flags = append(flags, t.openMP...)
	if t.CUDA {
		return append(flags, "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10", "-ldl")
	}
	return append(flags, "-ltorch_cpu", "-lc10", "-ldl")
}

// shimPath names a shim by everything that it depends on.
func (t Torch) shimPath(cacheDir string) string {
	sum := sha256.Sum256([]byte(strings.Join(append(t.flags(), t.linkFlags()...), "\n") + sourceHash() + t.Version))
	return filepath.Join(cacheDir, fmt.Sprintf("shim-%s-%s-%s.so", t.Version, runtime.GOARCH, hex.EncodeToString(sum[:8])))
}

// firstErrors keeps the lines of a compiler's output that say what is wrong, at most ten.
func firstErrors(said string) string {
	var lines []string
	for line := range strings.Lines(said) {
		if strings.Contains(line, "error") || strings.Contains(line, "undefined") || strings.Contains(line, "cannot find") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	if len(lines) == 0 {
		return strings.TrimSpace(said[max(0, len(said)-2000):])
	}
	return strings.Join(lines[:min(10, len(lines))], "\n")
}
