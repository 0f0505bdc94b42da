package tensor

// Activation is applied to the output of a convolution or linear layer.
type Activation int

// The activations; the shim knows them by these numbers.
const (
	None Activation = iota
	ReLU
	HardSwish
	HardSigmoid
	Sigmoid
)

// Conv are the settings of a convolution.
type Conv struct {
	Stride, Pad int // of both axes; a Stride of 0 means 1
	Groups      int // 0 means 1
	Act         Activation
	Residual    *Tensor // added before the activation; of the output's shape, or nil
}

// Conv2D is Act(conv(t, w) + b + Residual) as one autograd node, for t
// [N, C, H, W] and w [O, C/Groups, kh, kw]; b is [O] or nil. The output has
// t's type, is channels-last, and sides floor((H + 2·Pad − kh)/Stride) + 1.
// w and b must be of t's type, or float32 (then they are converted).
func (t *Tensor) Conv2D(w, b *Tensor, o Conv) *Tensor {
	return t.e.call("conv2d", 1, args{in: []*Tensor{t, w, b, o.Residual},
		ints: []int64{int64(max(o.Stride, 1)), int64(o.Pad), int64(max(o.Groups, 1)), int64(o.Act)}})[0]
}

// Linear is t·wᵀ + b, then ReLU when relu is set, for t [K, I], w [O, I] and b
// [O] or nil, as one autograd node. w and b must be of t's type, or float32
// (then they are converted).
func (t *Tensor) Linear(w, b *Tensor, relu bool) *Tensor {
	return t.e.call("linear", 1, args{in: []*Tensor{t, w, b}, ints: []int64{flag(relu)}})[0]
}

// Fold returns t, a float32 weight [O, …], with row o times scale[o], converted
// to dt and laid out channels-last when it has four dimensions: frozen batch
// norm and precision folded into a convolution's weight in one pass. scale may
// be nil. The gradient of t is float32.
func (t *Tensor) Fold(scale *Tensor, dt DType) *Tensor {
	return t.e.call("fold", 1, args{in: []*Tensor{t, scale}, ints: []int64{int64(dt)}})[0]
}

// MaxPool2D takes the maximum over k×k windows at stride s, with padding p.
func (t *Tensor) MaxPool2D(k, s, p int) *Tensor { return t.op("max_pool2d", ints(k, s, p)) }

// UpsampleNearest resizes [N, C, H, W] to h×w by nearest neighbour.
func (t *Tensor) UpsampleNearest(h, w int) *Tensor { return t.op("upsample_nearest", ints(h, w)) }

// MeanHW averages over the last two dimensions of [N, C, H, W]: [N, C, 1, 1].
func (t *Tensor) MeanHW() *Tensor { return t.op("mean_hw", args{}) }

// ReLU is max(x, 0).
func (t *Tensor) ReLU() *Tensor { return t.op("activate", ints(int(ReLU))) }

// HardSwish is x·min(max(x+3, 0), 6)/6, as MobileNetV3 has it.
func (t *Tensor) HardSwish() *Tensor { return t.op("activate", ints(int(HardSwish))) }

// HardSigmoid is min(max(x+3, 0), 6)/6.
func (t *Tensor) HardSigmoid() *Tensor { return t.op("activate", ints(int(HardSigmoid))) }

// Sigmoid is 1/(1+e⁻ˣ).
func (t *Tensor) Sigmoid() *Tensor { return t.op("activate", ints(int(Sigmoid))) }

// Add is t + o, broadcast.
func (t *Tensor) Add(o *Tensor) *Tensor { return t.e.call("add", 1, args{in: []*Tensor{t, o}})[0] }

// Sub is t − o, broadcast.
func (t *Tensor) Sub(o *Tensor) *Tensor { return t.e.call("sub", 1, args{in: []*Tensor{t, o}})[0] }

// Mul is t·o element by element, broadcast.
func (t *Tensor) Mul(o *Tensor) *Tensor { return t.e.call("mul", 1, args{in: []*Tensor{t, o}})[0] }

// Scale is t·f.
func (t *Tensor) Scale(f float64) *Tensor { return t.op("scale", args{floats: []float64{f}}) }

// AddScalar is t + f.
func (t *Tensor) AddScalar(f float64) *Tensor { return t.op("add_scalar", args{floats: []float64{f}}) }

// Reshape gives the elements, in row-major order, another shape; one size may be −1.
func (t *Tensor) Reshape(shape ...int) *Tensor { return t.op("reshape", ints(shape...)) }

// Permute reorders the dimensions without moving data.
func (t *Tensor) Permute(dims ...int) *Tensor { return t.op("permute", ints(dims...)) }

// Narrow is the part of t from start, n long, along a dimension, without moving data.
func (t *Tensor) Narrow(dim, start, n int) *Tensor { return t.op("narrow", ints(dim, start, n)) }

// Index picks entries idx along a dimension, in that order, repeats allowed.
func (t *Tensor) Index(dim int, idx []int64) *Tensor {
	return t.op("index_select", args{ints: append([]int64{int64(dim)}, idx...)})
}

// Cat joins tensors along a dimension.
func Cat(dim int, ts ...*Tensor) *Tensor {
	if len(ts) == 0 {
		panic(&Error{Op: "cat", Text: "nothing to join"})
	}
	return ts[0].e.call("cat", 1, args{in: ts, ints: []int64{int64(dim)}})[0]
}

// Softmax normalizes exponentials along a dimension.
func (t *Tensor) Softmax(dim int) *Tensor { return t.op("softmax", ints(dim)) }

// Sum adds up all elements.
func (t *Tensor) Sum() *Tensor { return t.op("sum", args{}) }

// Mean averages all elements.
func (t *Tensor) Mean() *Tensor { return t.op("mean", args{}) }

// BCEWithLogits is the mean binary cross-entropy of logits t against targets
// 0 to 1 of the same shape, in float32.
func (t *Tensor) BCEWithLogits(target *Tensor) *Tensor {
	return t.e.call("bce_with_logits", 1, args{in: []*Tensor{t, target}})[0]
}

// CrossEntropy is the mean cross-entropy of logits t [K, classes] against K labels, in float32.
func (t *Tensor) CrossEntropy(labels []int64) *Tensor {
	return t.op("cross_entropy", args{ints: labels})
}

// SmoothL1 is the sum over elements of d²/(2·beta) where |d| < beta, else
// |d| − beta/2, for d = t − target, in float32 (Girshick, Fast R-CNN, 2015).
func (t *Tensor) SmoothL1(target *Tensor, beta float64) *Tensor {
	return t.e.call("smooth_l1", 1, args{in: []*Tensor{t, target}, floats: []float64{beta}})[0]
}

func (t *Tensor) op(name string, a args) *Tensor {
	a.in = []*Tensor{t}
	return t.e.call(name, 1, a)[0]
}

func ints(list ...int) args {
	out := make([]int64, len(list))
	for i, v := range list {
		out[i] = int64(v)
	}
	return args{ints: out}
}
