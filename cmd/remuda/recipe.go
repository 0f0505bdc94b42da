package main

import (
	"remuda"
	"remuda/detect"
	"remuda/weights"
)

// recipeFlags are the settings of a training that decide its result. What is
// not given comes from the recipe.
type recipeFlags struct {
	Arch            string   `help:"Architecture: fasterrcnn_resnet50_fpn, fasterrcnn_mobilenet_v3_large_fpn or fasterrcnn_mobilenet_v3_large_320_fpn (default the first)." placeholder:"NAME"`
	Weights         string   `help:"Weights to start from: coco, imagenet, starter, none or a file (default coco)." placeholder:"NAME|FILE"`
	TrainableLayers *int     `help:"Layers of the backbone to train, counted from its end (default 3; all for starter and none)." placeholder:"N"`
	Recipe          string   `help:"story, quick or best (default story)." placeholder:"NAME"`
	Epochs          *int     `help:"Passes over the images (default the recipe's)." placeholder:"N"`
	LR              *float64 `name:"lr" help:"Learning rate (default the recipe's: 0.005; quick and best take 0.02 from a backbone's weights)." placeholder:"X"`
	Batch           *int     `help:"Images a step (default the recipe's)." placeholder:"N"`
	Seed            *uint64  `help:"Seed of everything random (default 0)." placeholder:"N"`
}

func (f recipeFlags) arch() string    { return orDefault(f.Arch, remuda.DefaultArch) }
func (f recipeFlags) weights() string { return orDefault(f.Weights, remuda.DefaultWeights) }

// headless says whether the weights are a backbone's alone, or none. A file that
// can't be read is said when it is loaded.
func (f recipeFlags) headless() bool {
	switch name := f.weights(); name {
	case weights.COCO:
		return false
	case weights.ImageNet, weights.Starter, weights.None:
		return true
	default:
		file, err := weights.Open(name)
		if err != nil {
			return false
		}
		defer file.Close()
		_, _, whole := detect.ArchOf(file.Shapes())
		return !whole
	}
}

func orDefault(value, standard string) string {
	if value == "" {
		return standard
	}
	return value
}

// recipe returns the preset with the flags' own settings, on an engine.
func (f recipeFlags) recipe(engine remuda.EngineSpec) (remuda.Recipe, error) {
	r, err := remuda.NamedRecipe(orDefault(f.Recipe, remuda.DefaultRecipe), f.arch(), f.weights(), f.headless())
	if err != nil {
		return r, err
	}
	set(&r.Epochs, f.Epochs)
	set(&r.LR, f.LR)
	set(&r.Batch, f.Batch)
	set(&r.Seed, f.Seed)
	set(&r.TrainableLayers, f.TrainableLayers)
	r.Precision, r.Threads, r.Device = engine.Precision, engine.Threads, engine.Device
	return r, r.Validate()
}

func set[T any](setting *T, flag *T) {
	if flag != nil {
		*setting = *flag
	}
}

// agreement collects flags that contradict what a run was started with.
type agreement struct{ err error }

func agree[T comparable](a *agreement, flag string, given *T, was T) {
	if given != nil && *given != was && a.err == nil {
		a.err = remuda.Errorf(remuda.Conflict, "the run was started with %s %v, not %v", flag, was, *given).
			WithHint("leave %s out, or start another run with another --out", flag)
	}
}

func agreeText(a *agreement, flag, given, was string) {
	if given != "" {
		agree(a, flag, &given, was)
	}
}
