package detect

import (
	"math"

	"remuda"
	"remuda/imageio"
	"remuda/tensor"
)

// Backbone is the part of a detector that sees, without the parts that find
// boxes. It turns an image into a vector: the mean over its last feature map.
type Backbone struct {
	model Model // of which there is the body alone
}

// NewBackbone makes the backbone of an architecture, whose weights are still
// to be loaded. It is called inside the engine's Do. The error is coded
// remuda.Invalid.
func NewBackbone(e *tensor.Engine, arch string) (*Backbone, error) {
	c := Config{Arch: arch, Categories: 1, Precision: tensor.Float32}
	if err := c.validate(); err != nil {
		return nil, err
	}
	b := &Backbone{Model{engine: e, config: c, store: newStore(e, c.Precision, 0)}}
	b.model.arch, _ = architectureOf(arch)
	b.model.body, _ = newBody(b.model.store, b.model.arch, 0)
	return b, nil
}

// EmbeddingDimension returns how many numbers the vectors of an
// architecture's backbone have.
func EmbeddingDimension(arch string) int {
	if arch == remuda.ResNet50FPN {
		return 2048
	}
	return 960
}

// Load sets the weights from get, which returns a tensor by the name that it
// has in a detector's file or, for a classifier's, in that; see Model.Load and
// Model.LoadBackbone. It is called inside the engine's Do.
func (b *Backbone) Load(get func(name string) (Array, bool), classifier bool, o LoadOptions) error {
	if classifier {
		return b.model.LoadBackbone(get)
	}
	_, err := b.model.Load(get, o)
	return err
}

// Embed returns the vector of an image, of length 1. The image is squeezed to
// a square of side pixels, about what the weights were trained at; a large one
// is first made smaller by means over areas, which keeps fine patterns from
// becoming noise. The engine looks at one image at a time: with several, a
// vector's last bits would depend on how many there are. Unlike the other
// methods it is called outside of the engine's Do.
func (b *Backbone) Embed(m *imageio.RGB, side int) ([]float32, error) {
	m = imageio.Thumbnail(m, 2*side)
	pixels := make([]float32, 3*side*side)
	resize(pixels, 3*side, m, Size{side, side})
	var vector []float32
	err := b.model.engine.Do(func() error {
		b.model.engine.NoGrad(func() {
			b.model.store.inference()
			maps := b.model.body.forward(b.model.engine.FromFloat32ChannelsLast(pixels, 1, 3, side, side))
			vector = maps[len(maps)-1].MeanHW().Float32s()
		})
		return nil
	})
	scaleToUnit(vector)
	return vector, err
}

// scaleToUnit gives a vector the length 1; one of zeros stays as it is.
func scaleToUnit(v []float32) {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		return
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
}
