package detect

import (
	"math"

	"remuda/tensor"
)

// batchNormEpsilon is that of torchvision's FrozenBatchNorm2d.
const batchNormEpsilon = 1e-5

// frozenNorm is batch norm whose statistics, scale and shift never change:
// y = scale·x + shift, channel by channel, which a convolution can take in.
type frozenNorm struct {
	weight, bias, mean, variance *tensor.Tensor // [C]
	scale, shift                 *tensor.Tensor // [C]: weight/√(variance + ε), bias − mean·scale
}

func newFrozenNorm(s *store, name string, channels int) *frozenNorm {
	n := &frozenNorm{
		weight:   s.add(name+".weight", constant(1), false, channels),
		bias:     s.add(name+".bias", constant(0), false, channels),
		mean:     s.add(name+".running_mean", constant(0), false, channels),
		variance: s.add(name+".running_var", constant(1), false, channels),
		scale:    s.engine.Zeros(tensor.Float32, channels).Keep(),
		shift:    s.engine.Zeros(tensor.Float32, channels).Keep(),
	}
	s.norms = append(s.norms, n)
	return n
}

// update computes scale and shift.
func (n *frozenNorm) update() {
	scale, shift := n.weight.Float32s(), n.bias.Float32s()
	mean, variance := n.mean.Float32s(), n.variance.Float32s()
	for c := range scale {
		scale[c] *= 1 / float32(math.Sqrt(float64(variance[c]+batchNormEpsilon)))
		shift[c] -= float32(mean[c] * scale[c])
	}
	n.scale.SetFloat32s(scale)
	n.shift.SetFloat32s(shift)
}

// absorbEpsilon corrects weights that were made for an epsilon of 0.
func (n *frozenNorm) absorbEpsilon() {
	weight := n.weight.Float32s()
	for c, v := range n.variance.Float32s() {
		if v > 0 {
			weight[c] *= float32(math.Sqrt((float64(v) + batchNormEpsilon) / float64(v)))
		}
	}
	n.weight.SetFloat32s(weight)
}

func (n *frozenNorm) free() {
	n.scale.Free()
	n.shift.Free()
}

// convLayer describes a convolution, padded so that a stride of 1 keeps the size.
type convLayer struct {
	name       string // its tensors are name.weight and, without a norm, name.bias
	norm       string // of the frozen batch norm behind it, "" for none
	in, out    int    // channels
	kernel     int    // pixels a side
	stride     int
	groups     int // 0 means 1
	activation tensor.Activation
	fill       filler // of the weight; a bias starts at 0
	trainable  bool
}

// conv is a convolution with its bias or frozen batch norm, its activation and,
// where it closes a residual block, the addition before that.
type conv struct {
	store        *store
	weight, bias *tensor.Tensor
	norm         *frozenNorm
	settings     tensor.Conv
	trainable    bool

	ready, readyBias *tensor.Tensor // folded, cast and kept; nil while they have to be made each time
}

func (s *store) conv(l convLayer) *conv {
	groups := max(l.groups, 1)
	c := &conv{store: s, trainable: l.trainable, settings: tensor.Conv{
		Stride: l.stride, Pad: (l.kernel - 1) / 2, Groups: groups, Act: l.activation,
	}}
	c.weight = s.add(l.name+".weight", l.fill, l.trainable, l.out, l.in/groups, l.kernel, l.kernel)
	if l.norm != "" {
		c.norm = newFrozenNorm(s, l.norm, l.out)
	} else {
		c.bias = s.add(l.name+".bias", constant(0), l.trainable, l.out)
	}
	s.convs = append(s.convs, c)
	return c
}

// forward returns activation(norm(x ∗ weight) + residual); residual may be nil.
func (c *conv) forward(x, residual *tensor.Tensor) *tensor.Tensor {
	if !c.trainable {
		c.cache()
	}
	w, b := c.ready, c.readyBias
	if w == nil {
		w, b = c.folded()
	}
	o := c.settings
	o.Residual = residual
	return x.Conv2D(w, b, o)
}

// folded returns the weight with the norm's scale in it, and the bias, in the
// precision of activations. The weight's gradient flows through.
func (c *conv) folded() (w, b *tensor.Tensor) {
	if c.norm == nil {
		return c.weight.Fold(nil, c.store.precision), c.bias.To(c.store.precision)
	}
	return c.weight.Fold(c.norm.scale, c.store.precision), c.norm.shift.To(c.store.precision)
}

// cache makes the folded weight once, without history.
func (c *conv) cache() {
	if c.ready != nil {
		return
	}
	c.store.engine.NoGrad(func() {
		w, b := c.folded()
		c.ready, c.readyBias = own(w), own(b)
	})
}

func (c *conv) forget() {
	if c.ready != nil {
		c.ready.Free()
		c.readyBias.Free()
		c.ready, c.readyBias = nil, nil
	}
}

// linear is a fully connected layer.
type linear struct {
	store        *store
	weight, bias *tensor.Tensor
	precision    tensor.DType

	ready *tensor.Tensor // the weight in the layer's precision, kept
}

// linear declares a layer that starts as torch starts it: uniform within 1/√in.
func (s *store) linear(name string, in, out int, precision tensor.DType) *linear {
	fill := uniformWithin(1 / math.Sqrt(float64(in)))
	l := &linear{
		store:     s,
		weight:    s.add(name+".weight", fill, true, out, in),
		bias:      s.add(name+".bias", fill, true, out),
		precision: precision,
	}
	s.linears = append(s.linears, l)
	return l
}

// forward returns x·weightᵀ + bias, and its ReLU where asked.
func (l *linear) forward(x *tensor.Tensor, relu bool) *tensor.Tensor {
	w := l.ready
	if w == nil {
		w = l.weight
	}
	return x.To(l.precision).Linear(w, l.bias, relu)
}

func (l *linear) cache() {
	if l.ready == nil && l.precision != tensor.Float32 {
		l.store.engine.NoGrad(func() { l.ready = own(l.weight.To(l.precision)) })
	}
}

func (l *linear) forget() {
	if l.ready != nil {
		l.ready.Free()
		l.ready = nil
	}
}

// within runs part of a forward pass in a scope of its own, and returns its
// result. Handles to what happened inside would keep its memory after autograd
// has done with it, or where autograd never needed it.
func within(e *tensor.Engine, part func() *tensor.Tensor) *tensor.Tensor {
	var out *tensor.Tensor
	e.Scope(func() { out = part().Lift() })
	return out
}

// own detaches and keeps a tensor for later steps.
func own(t *tensor.Tensor) *tensor.Tensor { return t.Detach().Keep() }
