package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"text/tabwriter"

	"remuda/imageio"
	"remuda/tensor"
)

type doctorCmd struct{}

// Run shows what training needs and what of it is there. It fails when
// something is missing.
func (doctorCmd) Run(m *Main) error {
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "remuda\t%s, %s, %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(table, "processors\t%d\n", runtime.NumCPU())
	fmt.Fprintf(table, "JPEG decoder\t%s\n", imageio.JPEGDecoder())
	err := m.doctorEngine(table)
	m.doctorWeights(table)
	if flushed := table.Flush(); flushed != nil {
		return fmt.Errorf("print what was found: %w", flushed)
	}
	return err
}

func (m *Main) doctorEngine(table *tabwriter.Writer) error {
	if path, err := exec.LookPath("g++"); err == nil {
		fmt.Fprintf(table, "C++ compiler\t%s\n", path)
	} else {
		fmt.Fprintf(table, "C++ compiler\tnone: apt-get install g++\n")
	}
	torch, err := tensor.Discover(m.cli.Torch)
	if err != nil {
		fmt.Fprintf(table, "libtorch\tnone\n")
		return coded(err)
	}
	cuda := "without CUDA"
	if torch.CUDA {
		cuda = "with CUDA"
	}
	fmt.Fprintf(table, "libtorch\t%s in %s, %s\n", torch.Version, torch.Dir, cuda)
	dir, err := m.cacheDir("engine")
	if err != nil {
		return err
	}
	shim, err := tensor.Find(torch, dir)
	if err != nil {
		fmt.Fprintf(table, "engine\tnot built\n")
		return coded(err)
	}
	engine, err := tensor.Open(shim, tensor.Options{Threads: 1, Device: "cpu"})
	if err != nil {
		fmt.Fprintf(table, "engine\t%s does not open\n", shim)
		return coded(err)
	}
	defer engine.Close()
	fmt.Fprintf(table, "engine\t%s, %s\n", engine.Version(), shim)
	fmt.Fprintf(table, "bfloat16 in hardware\t%v\n", tensor.CPUHasBFloat16())
	return nil
}

func (m *Main) doctorWeights(table *tabwriter.Writer) {
	cache, err := m.weightsCache()
	if err != nil {
		return
	}
	here := 0
	entries := cache.List()
	for _, e := range entries {
		if e.Cached {
			here++
		}
	}
	fmt.Fprintf(table, "weights\t%d of %d files in %s\n", here, len(entries), cache.Dir)
	if _, err := os.Stat(cache.Dir); err != nil {
		fmt.Fprintf(table, "\tthe folder is made with the first download\n")
	}
}
