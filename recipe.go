package remuda

import (
	"fmt"
	"math"
	"slices"
)

// The architectures, by torchvision's names.
const (
	ResNet50FPN          = "fasterrcnn_resnet50_fpn"
	MobileNetV3LargeFPN  = "fasterrcnn_mobilenet_v3_large_fpn"
	MobileNetV3Large320  = "fasterrcnn_mobilenet_v3_large_320_fpn"
	DefaultArch          = ResNet50FPN
	DefaultWeights       = "coco"
	DefaultRecipe        = "story"
	maxTrainableResNet   = 5
	maxTrainableMobile   = 6
	defaultTrainablePart = 3
)

// Architectures lists what Remuda trains.
var Architectures = [...]string{ResNet50FPN, MobileNetV3LargeFPN, MobileNetV3Large320}

// MaxTrainableLayers returns how many groups of an architecture's backbone can
// be trained, counted from the end as torchvision counts them.
func MaxTrainableLayers(arch string) int {
	if arch == ResNet50FPN {
		return maxTrainableResNet
	}
	return maxTrainableMobile
}

// DefaultTrainableLayers returns torchvision's 3 for a backbone that has
// learned from much data and all layers for one that has not.
func DefaultTrainableLayers(arch, weights string) int {
	if weights == "starter" || weights == "none" {
		return MaxTrainableLayers(arch)
	}
	return defaultTrainablePart
}

// Recipe is all settings of a training that decide its result.
type Recipe struct {
	Name            string  `json:"name"`             // the preset it was made from
	Epochs          int     `json:"epochs"`           // passes over the training items, ≥ 1
	Batch           int     `json:"batch"`            // images a step, ≥ 1
	LR              float64 `json:"lr"`               // highest learning rate
	Momentum        float64 `json:"momentum"`         // of SGD, 0 to 1
	WeightDecay     float64 `json:"weight_decay"`     // L2, on every trainable tensor
	ClipNorm        float64 `json:"clip_norm"`        // longest gradient, over all tensors together; 0 is off
	Schedule        string  `json:"schedule"`         // "step" or "cosine"
	StepEpochs      int     `json:"step_epochs"`      // "step": epochs between drops
	Gamma           float64 `json:"gamma"`            // "step": factor of each drop
	WarmupEpochs    float64 `json:"warmup_epochs"`    // linear from 1/1000 of LR, at most 1000 steps
	Flip            float64 `json:"flip"`             // chance that an image is mirrored left to right
	ScaleJitter     float64 `json:"scale_jitter"`     // images are resized by a factor in [1/(1+j), 1+j], log-uniform; 0 is off
	ColorJitter     float64 `json:"color_jitter"`     // brightness, contrast and saturation by a factor in [1−c, 1+c]; 0 is off
	EMA             float64 `json:"ema"`              // decay of the weights' moving average a step, which is then the model; 0 is off
	Seed            uint64  `json:"seed"`             // of initial head, order, flips and samples
	Arch            string  `json:"arch"`             // one of Architectures
	Weights         string  `json:"weights"`          // coco, imagenet, starter, none, or the SHA-256 of a file
	TrainableLayers int     `json:"trainable_layers"` // 0 to MaxTrainableLayers(Arch)
	Precision       string  `json:"precision"`        // "float32" or "bfloat16", after "auto" has been decided
	Threads         int     `json:"threads"`          // of the engine, ≥ 1
	Device          string  `json:"device"`           // "cpu" or "cuda:N"
}

// presets are the recipes that have a name, in one table. The story's is that
// of torchvision's fine-tuning tutorial with a warm-up. All clip gradients well
// beyond the 1 to 4 that ordinary steps have, since one stray batch can
// otherwise end a run from a weak backbone in NaN. The others take larger steps
// where pyramid and heads begin at random. docs/training.md says what was
// measured.
var presets = []struct {
	Recipe
	headlessLR float64 // instead of LR where the weights have no pyramid and heads
}{
	{Recipe{Name: "story", Epochs: 10, Batch: 2, LR: 0.005, Momentum: 0.9, ClipNorm: 10, WeightDecay: 0.0005, Schedule: "step", StepEpochs: 3, Gamma: 0.1, WarmupEpochs: 1, Flip: 0.5}, 0.005},
	{Recipe{Name: "quick", Epochs: 4, Batch: 2, LR: 0.005, Momentum: 0.9, ClipNorm: 5, WeightDecay: 0.0005, Schedule: "cosine", WarmupEpochs: 0.5, Flip: 0.5}, 0.02},
	{Recipe{Name: "best", Epochs: 20, Batch: 2, LR: 0.005, Momentum: 0.9, ClipNorm: 5, WeightDecay: 0.0005, Schedule: "cosine", WarmupEpochs: 1, Flip: 0.5, ScaleJitter: 0.3, EMA: 0.998}, 0.02},
}

// RecipeNames lists the presets.
func RecipeNames() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.Name)
	}
	return names
}

// NamedRecipe returns a preset for training an architecture from weights: coco,
// imagenet, starter, none, or a file. They are headless when they are a
// backbone's alone, or none. Precision, threads, device and seed are the run's own.
func NamedRecipe(name, arch, weights string, headless bool) (Recipe, error) {
	for _, p := range presets {
		if p.Name != name {
			continue
		}
		r := p.Recipe
		if headless {
			r.LR = p.headlessLR
		}
		r.Arch, r.Weights, r.TrainableLayers = arch, weights, DefaultTrainableLayers(arch, weights)
		return r, nil
	}
	return Recipe{}, Errorf(Invalid, "no recipe is called %q", name).WithHint("choose one of %v", RecipeNames())
}

// Validate returns the first setting out of its range.
func (r Recipe) Validate() error {
	bad := func(name string, value any, want string) error {
		return Errorf(Invalid, "%s is %v", name, value).WithHint("give %s", want)
	}
	unit := func(v float64) bool { return v >= 0 && v <= 1 } // false for NaN
	switch {
	case !slices.Contains(Architectures[:], r.Arch):
		return bad("arch", fmt.Sprintf("%q", r.Arch), fmt.Sprintf("one of %v", Architectures))
	case r.Epochs < 1 || r.Epochs > 10000:
		return bad("epochs", r.Epochs, "1 to 10000")
	case r.Batch < 1 || r.Batch > 1024:
		return bad("batch", r.Batch, "1 to 1024")
	case !(r.LR > 0) || math.IsInf(r.LR, 0):
		return bad("lr", r.LR, "a number above 0")
	case !unit(r.Momentum):
		return bad("momentum", r.Momentum, "0 to 1")
	case !unit(r.WeightDecay):
		return bad("weight decay", r.WeightDecay, "0 to 1")
	case !(r.ClipNorm >= 0) || math.IsInf(r.ClipNorm, 0):
		return bad("clip norm", r.ClipNorm, "0 or more")
	case r.Schedule != "step" && r.Schedule != "cosine":
		return bad("schedule", r.Schedule, "step or cosine")
	case r.Schedule == "step" && r.StepEpochs < 1:
		return bad("step epochs", r.StepEpochs, "1 or more")
	case !unit(r.Flip):
		return bad("flip", r.Flip, "0 to 1")
	case !unit(r.ScaleJitter) || !unit(r.ColorJitter):
		return bad("jitter", max(r.ScaleJitter, r.ColorJitter), "0 to 1")
	case !(r.EMA >= 0 && r.EMA < 1):
		return bad("ema", r.EMA, "0, or below 1")
	case r.TrainableLayers < 0 || r.TrainableLayers > MaxTrainableLayers(r.Arch):
		return bad("trainable layers", r.TrainableLayers, fmt.Sprintf("0 to %d for %s", MaxTrainableLayers(r.Arch), r.Arch))
	case r.Precision != "float32" && r.Precision != "bfloat16":
		return bad("precision", r.Precision, "float32 or bfloat16")
	case r.Threads < 1 || r.Threads > 1024:
		return bad("threads", r.Threads, "1 to 1024")
	}
	return nil
}

// LRAt returns the learning rate of a step, counted from 0 over the whole run,
// as torchvision's reference training has it: a linear warm-up from 1/1000, over the first WarmupEpochs and at most 1000 steps, times
// the schedule's factor.
func (r Recipe) LRAt(step, stepsPerEpoch int) float64 {
	epoch := step / stepsPerEpoch
	lr := r.LR
	if r.Schedule == "cosine" {
		lr *= 0.5 * (1 + math.Cos(math.Pi*float64(step)/float64(r.Epochs*stepsPerEpoch)))
	} else {
		lr *= math.Pow(r.Gamma, float64(epoch/r.StepEpochs))
	}
	warmup := min(1000, int(r.WarmupEpochs*float64(stepsPerEpoch))-1)
	if step < warmup {
		const start = 0.001
		lr *= start + (1-start)*float64(step)/float64(warmup)
	}
	return lr
}
