package detect

import (
	"remuda"
	"remuda/tensor"
)

// Config chooses a model. The zero values of MinSize and MaxSize are the
// architecture's own.
type Config struct {
	Arch            string       // one of remuda.Architectures
	Categories      int          // without the background, ≥ 1
	TrainableLayers int          // groups of the backbone that learn, counted from its end; 0 to remuda.MaxTrainableLayers(Arch)
	Precision       tensor.DType // of activations, convolutions and linear layers: Float32 or BFloat16
	MinSize         int          // images are resized so that their short side has this many pixels …
	MaxSize         int          // … unless the long side would exceed this many
}

// PrecisionOf returns the type of activations for a recipe's precision:
// "bfloat16", or "float32" for all else.
func PrecisionOf(name string) tensor.DType {
	if name == "bfloat16" {
		return tensor.BFloat16
	}
	return tensor.Float32
}

// architecture is what tells one of the networks from another.
type architecture struct {
	mobile           bool        // MobileNetV3-Large instead of ResNet-50
	minSize, maxSize int         // of the resized image
	strides          []int       // of the pyramid's levels, without the pooled one
	anchorSizes      [][]float32 // of each level, the pooled one included
	before, after    topN        // proposals kept a level before, and an image after, non-maximum suppression
	proposalScore    float32     // least objectness of a proposal
}

// topN is a limit that differs between training and inference.
type topN struct{ training, inference int }

// architectureOf returns torchvision's numbers.
func architectureOf(name string) (architecture, bool) {
	everySize := []float32{32, 64, 128, 256, 512}
	mobile := architecture{
		mobile:  true,
		minSize: 800, maxSize: 1333,
		// The last two stages have the same stride, so every RoI is pooled from the first of them.
		strides:     []int{32, 32},
		anchorSizes: [][]float32{everySize, everySize, everySize},
		before:      topN{2000, 1000}, after: topN{2000, 1000},
		proposalScore: 0.05,
	}
	switch name {
	case remuda.ResNet50FPN:
		return architecture{
			minSize: 800, maxSize: 1333,
			strides:     []int{4, 8, 16, 32},
			anchorSizes: [][]float32{{32}, {64}, {128}, {256}, {512}},
			before:      topN{2000, 1000}, after: topN{2000, 1000},
		}, true
	case remuda.MobileNetV3LargeFPN:
		return mobile, true
	case remuda.MobileNetV3Large320:
		mobile.minSize, mobile.maxSize = 320, 640
		mobile.before.inference, mobile.after.inference = 150, 150
		return mobile, true
	}
	return architecture{}, false
}

// sizes returns the limits of a resized image's short and long side.
func (c Config) sizes() (minSize, maxSize int) {
	a, _ := architectureOf(c.Arch)
	minSize, maxSize = a.minSize, a.maxSize
	if c.MinSize > 0 {
		minSize = c.MinSize
	}
	if c.MaxSize > 0 {
		maxSize = c.MaxSize
	}
	return minSize, maxSize
}

// validate returns what is wrong with a configuration.
func (c Config) validate() error {
	_, known := architectureOf(c.Arch)
	switch most := remuda.MaxTrainableLayers(c.Arch); {
	case !known:
		return remuda.Errorf(remuda.Invalid, "no architecture is called %q", c.Arch).WithHint("choose one of %v", remuda.Architectures)
	case c.Categories < 1:
		return remuda.Errorf(remuda.Invalid, "a detector needs at least one category").WithHint("label at least one box")
	case c.TrainableLayers < 0 || c.TrainableLayers > most:
		return remuda.Errorf(remuda.Invalid, "trainable layers is %d", c.TrainableLayers).WithHint("give 0 to %d for %s", most, c.Arch)
	case c.Precision != tensor.Float32 && c.Precision != tensor.BFloat16:
		return remuda.Errorf(remuda.Invalid, "a model cannot compute in %v", c.Precision).WithHint("choose float32 or bfloat16")
	}
	return nil
}
