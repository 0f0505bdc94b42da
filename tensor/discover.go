package tensor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/cpu"
)

// Torch is a libtorch found on this machine.
type Torch struct {
	Version string   // of the headers: "1.13.0"
	Dir     string   // where it was found: /usr, or the torch folder of a Python package or archive
	Include []string // folders of headers
	Lib     string   // folder of libtorch_cpu
	CUDA    bool     // is for CUDA, on a machine that has a GPU

	runtime []string // folders where the loader shall look for libraries
	openMP  []string // how to link OpenMP
	oldABI  bool     // compiled with the C++ ABI of before 2011
}

// getTorch is what a machine without libtorch is told.
const getTorch = "apt-get install libtorch-dev libopenblas0-pthread g++ (or pip install torch), then run remuda engine build"

// Discover finds a libtorch: in torchDir when it is given, else inside python3's
// torch package, else the system's in /usr. Without one it returns a
// *MissingError.
func Discover(torchDir string) (Torch, error) {
	if torchDir != "" {
		t, err := inspect(torchDir)
		if err != nil {
			return Torch{}, &MissingError{Err: fmt.Errorf("look for libtorch in %s: %w", torchDir, err),
				Hint: "give the folder that has include and lib in it: torch inside a Python package, an unpacked archive, or /usr"}
		}
		return t, nil
	}
	if dir := pythonTorch(); dir != "" {
		if t, err := inspect(dir); err == nil {
			return t, nil
		}
	}
	t, err := inspect("/usr")
	if err != nil {
		return Torch{}, &MissingError{Err: errors.New("there is no libtorch on this machine, the library that trains and predicts"), Hint: getTorch}
	}
	return t, nil
}

// pythonTorch returns the folder of python3's torch package, or "".
func pythonTorch() string {
	// find_spec does not import the package, which takes seconds.
	out, err := exec.Command("python3", "-c", "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0])").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// inspect reads what kind of libtorch lies in a folder with include and lib.
func inspect(dir string) (Torch, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Torch{}, err
	}
	include := filepath.Join(dir, "include")
	api := filepath.Join(include, "torch", "csrc", "api", "include")
	version, err := headerVersion(filepath.Join(api, "torch", "version.h"), filepath.Join(include, "torch", "headeronly", "version.h"))
	if err != nil {
		return Torch{}, err
	}
	libs, _ := filepath.Glob(filepath.Join(dir, "lib", "*-linux-gnu"))
	for _, lib := range append([]string{filepath.Join(dir, "lib"), filepath.Join(dir, "lib64")}, libs...) {
		if !exists(filepath.Join(lib, "libtorch_cpu.so")) {
			continue
		}
		t := Torch{Version: version, Dir: dir, Include: []string{include, api}, Lib: lib,
			CUDA: exists(filepath.Join(lib, "libtorch_cuda.so")) && hasGPU(), openMP: []string{"-lgomp"}}
		if dir != "/usr" {
			t.bundled()
		}
		return t, nil
	}
	return Torch{}, fmt.Errorf("no libtorch_cpu.so in %s", filepath.Join(dir, "lib"))
}

// bundled fills in what a Python package or archive brings along beside libtorch.
func (t *Torch) bundled() {
	t.runtime = []string{t.Lib}
	nvidia, _ := filepath.Glob(filepath.Join(filepath.Dir(t.Dir), "nvidia", "*", "lib"))
	t.runtime = append(t.runtime, nvidia...)
	for _, pattern := range []string{filepath.Join(t.Lib, "libgomp*.so*"), filepath.Join(filepath.Dir(t.Dir), "torch.libs", "libgomp*.so*")} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			t.openMP = []string{found[0]}
			break
		}
	}
	t.oldABI = oldABI(t.Dir)
}

// oldABI asks the CMake files of a Python package or archive, which record how it was compiled.
func oldABI(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "share", "cmake", "Torch", "TorchConfig.cmake"))
	return err == nil && strings.Contains(string(text), "_GLIBCXX_USE_CXX11_ABI=0")
}

var versionPart = regexp.MustCompile(`#define TORCH_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)`)

// headerVersion reads "1.13.0" from libtorch's headers. In newer ones the macros
// have moved from the first file to the second.
func headerVersion(paths ...string) (string, error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if parts := versionPart.FindAllStringSubmatch(string(text), 3); len(parts) == 3 {
			return parts[0][1] + "." + parts[1][1] + "." + parts[2][1], nil
		}
	}
	return "", fmt.Errorf("no libtorch headers: %s is missing or names no version", paths[0])
}

// hasGPU looks for NVIDIA's driver. Without one the CUDA half of a libtorch is left
// alone: it is slow to load, and often its own libraries are not installed.
func hasGPU() bool { return exists("/dev/nvidiactl") || exists("/dev/dxg") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// CPUHasBFloat16 reports whether the CPU multiplies bfloat16 in hardware. Where
// it does not, libtorch computes with it all the same, slower than with float32.
func CPUHasBFloat16() bool { return cpu.X86.HasAVX512BF16 }
