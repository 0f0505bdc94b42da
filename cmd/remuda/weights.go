package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"remuda"
	"remuda/detect"
	"remuda/weights"
)

// weightsCmd groups the verbs of pre-trained weights.
type weightsCmd struct {
	Ls   weightsLsCmd   `cmd:"" help:"List pre-trained weights and which of them are here."`
	Pull weightsPullCmd `cmd:"" help:"Download weights once, or import a file."`
}

type weightsLsCmd struct {
	JSON bool `name:"json" help:"Print a JSON list."`
}

// Run lists the catalogue.
func (c weightsLsCmd) Run(m *Main) error {
	cache, err := m.weightsCache()
	if err != nil {
		return err
	}
	entries := append(cache.List(), weights.StarterEntries()...)
	if c.JSON {
		return m.printJSON(entries)
	}
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tARCHITECTURE\tTRAINED ON\tFILE\tHERE")
	for _, e := range entries {
		here := "no"
		switch {
		case e.Name == weights.Starter:
			here = "in the program"
		case e.Cached:
			here = byteCount(e.Size)
		case e.Size > 0:
			here = byteCount(e.Size) + " so far"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Arch, e.Origin, e.File, here)
	}
	return table.Flush()
}

type weightsPullCmd struct {
	Name string `arg:"" help:"coco, imagenet, or a file's name as ls shows it."`
	Arch string `help:"Architecture that coco or imagenet is for (default fasterrcnn_resnet50_fpn)." placeholder:"NAME"`
	From string `help:"Import this local file instead of downloading." placeholder:"FILE"`
}

// Run downloads or imports a file.
func (c weightsPullCmd) Run(m *Main) error {
	cache, err := m.weightsCache()
	if err != nil {
		return err
	}
	if c.Name == weights.Starter {
		fmt.Fprintln(m.Stdout, "the starter weights are part of this program")
		return nil
	}
	source, err := weights.Find(c.Name, orDefault(c.Arch, remuda.DefaultArch))
	if err != nil {
		return err
	}
	var path string
	if c.From != "" {
		path, err = cache.Import(m.ctx, source, c.From)
	} else {
		path, err = m.pull(cache, source)
	}
	if err == nil {
		fmt.Fprintln(m.Stdout, path)
	}
	return err
}

// pull downloads a file with a progress bar.
func (m *Main) pull(cache weights.Cache, source weights.Source) (string, error) {
	bar := m.newBar()
	defer bar.clear()
	return cache.Pull(m.ctx, source, func(done, total int64) {
		if total > 0 {
			bar.update(float64(done)/float64(total), source.File, byteCount(done)+" of "+byteCount(total))
		} else {
			bar.update(0, source.File, byteCount(done))
		}
	})
}

// initial is what a training starts from.
type initial struct {
	name string // for the recipe: a name of the catalogue, or the SHA-256 of a file
	path string // "" for random numbers
}

// initialWeights finds the weights that a training starts from, downloading
// them where they are not here yet. Other weights than asked are never taken.
func (m *Main) initialWeights(name, arch string) (initial, error) {
	cache, err := m.weightsCache()
	if err != nil {
		return initial{}, err
	}
	switch name {
	case weights.None:
		return initial{name: name}, nil
	case weights.Starter:
		if err := weights.StarterFor(arch); err != nil {
			return initial{}, err
		}
		path, err := cache.WriteStarter()
		return initial{name, path}, err
	case weights.COCO, weights.ImageNet:
		source, err := weights.Find(name, arch)
		if err != nil {
			return initial{}, err
		}
		path, err := m.pull(cache, source)
		if err != nil && m.ctx.Err() == nil {
			return initial{}, elsewhere(err, source)
		}
		return initial{name, path}, err
	}
	sum, err := weights.SHA256(name)
	if err != nil {
		return initial{}, err
	}
	return initial{nameOfFile(sum, arch), name}, fits(name, arch)
}

// nameOfFile returns what a recipe calls a file of weights: a file that is one
// of the catalogue goes by its name there, wherever it lies.
func nameOfFile(sum, arch string) string {
	if s, ok := weights.Known(sum, arch); ok {
		return s.Name
	}
	return sum
}

// elsewhere names the two ways on for somebody who can't download.
func elsewhere(err error, s weights.Source) error {
	pull := "remuda weights pull " + s.Name
	if s.Arch != remuda.DefaultArch {
		pull += " --arch " + s.Arch
	}
	return remuda.Errorf(remuda.CodeOf(err), "get the %s weights of %s: %w", s.Name, s.Arch, err).WithHint(
		"get %s/%s on another machine and run `%s --from FILE` here; or train a small model from the weights in this program: --arch %s --weights %s",
		weights.DefaultURL, s.File, pull, remuda.MobileNetV3Large320, weights.Starter)
}

// fits fails when a file's arrays are not those of an architecture or of its
// backbone's classifier.
func fits(path, arch string) error {
	f, err := weights.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if is, _, ok := detect.ArchOf(f.Shapes()); ok {
		if !sameArrays(is, arch) {
			return remuda.Errorf(remuda.Invalid, "%s holds weights of %s, not of %s", path, is, arch).WithHint("add --arch %s, or give other weights", is)
		}
		return nil
	}
	mobile := f.Has("features.0.0.weight")
	if !mobile && !f.Has("conv1.weight") {
		return remuda.Errorf(remuda.Invalid, "%s holds neither a detector nor a backbone that remuda knows", path).
			WithHint("give weights of %s, or of its backbone as torchvision names its arrays", strings.Join(remuda.Architectures[:], ", "))
	}
	if mobile == (arch == remuda.ResNet50FPN) {
		return remuda.Errorf(remuda.Invalid, "%s holds the weights of another backbone than that of %s", path, arch).WithHint("choose --arch or --weights that fit each other")
	}
	return nil
}

// sameArrays says whether two architectures differ in nothing but the sizes of
// images that they look at.
func sameArrays(a, b string) bool {
	return a == b || a != remuda.ResNet50FPN && b != remuda.ResNet50FPN
}
