package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"remuda"
	"remuda/tensor"
)

// engineCmd groups the verbs of the engine.
type engineCmd struct {
	Build engineBuildCmd `cmd:"" help:"Compile the engine for the libtorch of this machine."`
}

type engineBuildCmd struct{}

// Run compiles the engine, once for each libtorch.
func (engineBuildCmd) Run(m *Main) error {
	torch, err := tensor.Discover(m.cli.Torch)
	if err != nil {
		return coded(err)
	}
	dir, err := m.cacheDir("engine")
	if err != nil {
		return err
	}
	if shim, err := tensor.Find(torch, dir); err == nil {
		fmt.Fprintf(m.Stdout, "the engine for libtorch %s is built already: %s\n", torch.Version, shim)
		return nil
	}
	fmt.Fprintf(m.Stderr, "building the engine for libtorch %s in %s, which takes a minute\n", torch.Version, torch.Dir)
	shim, err := tensor.Build(m.ctx, torch, dir)
	if err != nil {
		return m.interruptedOr(coded(err))
	}
	fmt.Fprintf(m.Stdout, "built the engine for libtorch %s: %s\n", torch.Version, shim)
	return nil
}

// coded gives the errors of package tensor, which knows no codes, theirs.
func coded(err error) error {
	if missing, ok := errors.AsType[*tensor.MissingError](err); ok {
		return remuda.Errorf(remuda.Unavailable, "%w", err).WithHint("%s", missing.Hint)
	}
	return err
}

// interruptedOr prefers the reason why the context ended.
func (m *Main) interruptedOr(err error) error {
	if m.ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// engineFlags choose where and how the engine computes.
type engineFlags struct {
	Precision string `help:"auto, float32 or bfloat16 (default auto: bfloat16 where the CPU has it in hardware; a model is asked in the precision it was trained in)." enum:"auto,float32,bfloat16," default:"" placeholder:"auto"`
	Device    string `help:"auto, cpu or cuda:N (default auto)." placeholder:"auto"`
	Threads   *int   `help:"CPU threads (default: as many as there are cores)." placeholder:"N"`
}

// auto says whether the precision is left to Remuda.
func (f engineFlags) auto() bool { return f.Precision == "" || f.Precision == "auto" }

// forModel has a model asked in the precision that it was trained in, which its
// threshold belongs to; bare weights are asked as torchvision asks them.
func (f engineFlags) forModel(known model) engineFlags {
	if f.auto() && known.precision != "bfloat16" {
		f.Precision = "float32"
	}
	return f
}

// asked returns what the flags say, without looking at the machine: what is
// auto is float32 and the CPU for now.
func (f engineFlags) asked() (remuda.EngineSpec, error) {
	spec := remuda.EngineSpec{Device: f.Device, Threads: runtime.NumCPU(), Precision: f.Precision}
	set(&spec.Threads, f.Threads)
	if spec.Threads < 1 || spec.Threads > 1024 {
		return spec, remuda.Errorf(remuda.Invalid, "threads is %d", spec.Threads).WithHint("give --threads 1 to 1024")
	}
	if !validDevice(f.Device) {
		return spec, remuda.Errorf(remuda.Invalid, "no device is called %q", f.Device).WithHint("give --device auto, cpu or cuda:0")
	}
	if spec.Device == "" || spec.Device == "auto" {
		spec.Device = "cpu"
	}
	if f.auto() {
		spec.Precision = "float32"
	}
	return spec, nil
}

// spec finds the engine and decides what is auto. It fails with code
// unavailable where there is no engine, before anything has started.
func (f engineFlags) spec(m *Main) (remuda.EngineSpec, error) {
	spec, err := f.asked()
	if err != nil {
		return spec, err
	}
	torch, err := tensor.Discover(m.cli.Torch)
	if err != nil {
		return spec, coded(err)
	}
	if f.Device == "" || f.Device == "auto" {
		spec.Device = defaultDevice(torch)
	}
	if f.auto() && spec.Device == "cpu" && tensor.CPUHasBFloat16() {
		spec.Precision = "bfloat16" // its F1 lies within the spread of float32's over seeds: docs/training.md
	}
	if strings.HasPrefix(spec.Device, "cuda") && !torch.CUDA {
		return spec, remuda.Errorf(remuda.Unavailable, "the libtorch in %s has no CUDA, so %s can't be used", torch.Dir, spec.Device).
			WithHint("give --device cpu, or --torch with the folder of one that has it")
	}
	dir, err := m.cacheDir("engine")
	if err != nil {
		return spec, err
	}
	spec.Shim, err = tensor.Find(torch, dir)
	return spec, coded(err)
}

func validDevice(name string) bool {
	number, cuda := strings.CutPrefix(name, "cuda:")
	if cuda {
		return number != "" && len(number) <= 3 && strings.Trim(number, "0123456789") == ""
	}
	return name == "" || name == "auto" || name == "cpu"
}

// defaultDevice is the first GPU where both the machine and libtorch have one.
func defaultDevice(torch tensor.Torch) string {
	if _, err := os.Stat("/dev/nvidia0"); err == nil && torch.CUDA {
		return "cuda:0"
	}
	return "cpu"
}
