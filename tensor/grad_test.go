package tensor_test

import (
	"math"
	"testing"

	"remuda/tensor"
)

// checkGradients compares the gradients that autograd finds for each input of
// fn with central differences. The scalar is fn's output times fixed numbers.
func checkGradients(t *testing.T, e *tensor.Engine, name string, inputs []*tensor.Tensor, fn func([]*tensor.Tensor) *tensor.Tensor) {
	t.Helper()
	scalar := func() *tensor.Tensor {
		y := fn(inputs)
		return y.Mul(e.FromFloat32(ramp(y.Len(), 99), y.Shape()...)).Sum()
	}
	for _, in := range inputs {
		in.RequiresGrad(true).ZeroGrad()
	}
	scalar().Backward()
	const step = 1e-2
	for i, in := range inputs {
		if in.Grad() == nil {
			t.Errorf("%s: no gradient for input %d", name, i)
			continue
		}
		got, data := in.Grad().Float32s(), in.Float32s()
		for j := range data {
			at := func(v float32) (y float64) {
				moved := append([]float32(nil), data...)
				moved[j] = v
				e.NoGrad(func() {
					e.Scope(func() { in.SetFloat32s(moved); y = scalar().Item() })
				})
				return y
			}
			want := (at(data[j]+step) - at(data[j]-step)) / (2 * step)
			if math.Abs(float64(got[j])-want) > 2e-3*(1+math.Abs(want)) {
				t.Errorf("%s: input %d, value %d: gradient %v, central difference %v", name, i, j, got[j], want)
				break
			}
		}
		in.SetFloat32s(data)
	}
}

// apart returns n values with no two closer than 4/n, none near 0 or ±3, shuffled: safe for
// central differences through kinks.
func apart(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = (float32(i*37%n)+0.5)*4/float32(n) - 2
	}
	return out
}

func TestGradientsOfEveryOperation(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		f := func(shape ...int) *tensor.Tensor {
			n := 1
			for _, d := range shape {
				n *= d
			}
			return e.FromFloat32(apart(n), shape...)
		}
		list := func(ts ...*tensor.Tensor) []*tensor.Tensor { return ts }
		for _, test := range []struct {
			name   string
			inputs []*tensor.Tensor
			fn     func(in []*tensor.Tensor) *tensor.Tensor
		}{
			{"conv2d", list(f(2, 3, 5, 4), f(4, 3, 3, 3), f(4)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Conv2D(in[1], in[2], tensor.Conv{Stride: 2, Pad: 1})
			}},
			{"conv2d, relu and residual", list(f(1, 3, 4, 4), f(5, 3, 1, 1), f(5), f(1, 5, 4, 4)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Conv2D(in[1], in[2], tensor.Conv{Act: tensor.ReLU, Residual: in[3].Scale(3)})
			}},
			{"conv2d, depthwise, hardswish", list(f(2, 3, 5, 5), f(3, 1, 3, 3), f(3)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Conv2D(in[1].Scale(.02), in[2], tensor.Conv{Stride: 1, Pad: 1, Groups: 3, Act: tensor.HardSwish})
			}},
			{"conv2d, hardsigmoid", list(f(1, 2, 3, 3), f(2, 2, 1, 1)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Conv2D(in[1], nil, tensor.Conv{Act: tensor.HardSigmoid})
			}},
			{"conv2d, sigmoid", list(f(1, 2, 3, 3), f(2, 2, 1, 1)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Conv2D(in[1], nil, tensor.Conv{Act: tensor.Sigmoid})
			}},
			{"linear", list(f(4, 3), f(5, 3), f(5)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].Linear(in[1], in[2], false) }},
			{"linear, relu", list(f(4, 3), f(5, 3), f(5)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].Linear(in[1], in[2], true) }},
			{"fold", list(f(4, 3, 3, 3)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Fold(e.FromFloat32(ramp(4, 5), 4), tensor.Float32)
			}},
			{"max pool", list(f(1, 2, 5, 5)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].MaxPool2D(3, 2, 1) }},
			{"max pool, every second", list(f(1, 2, 5, 5)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].MaxPool2D(1, 2, 0) }},
			{"upsample", list(f(1, 2, 2, 3)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].UpsampleNearest(5, 6) }},
			{"mean over space", list(f(2, 3, 4, 2)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].MeanHW() }},
			{"activations", list(f(20)), func(in []*tensor.Tensor) *tensor.Tensor {
				return tensor.Cat(0, in[0].ReLU(), in[0].HardSwish(), in[0].HardSigmoid(), in[0].Sigmoid())
			}},
			{"arithmetic", list(f(3, 4), f(4), f(3, 1)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Add(in[1]).Mul(in[2]).Sub(in[0]).Scale(1.5).AddScalar(2)
			}},
			{"shapes", list(f(2, 3, 4)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].Permute(2, 0, 1).Reshape(4, -1).Narrow(1, 1, 4).Index(0, []int64{2, 0, 2})
			}},
			{"softmax", list(f(3, 4)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].Softmax(1) }},
			{"sum and mean", list(f(3, 4)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].Sum().Add(in[0].Mean()) }},
			{"binary cross-entropy", list(f(6)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].BCEWithLogits(e.FromFloat32([]float32{0, 1, 1, 0, .5, 1}, 6))
			}},
			{"cross-entropy", list(f(3, 4)), func(in []*tensor.Tensor) *tensor.Tensor { return in[0].CrossEntropy([]int64{3, 0, 1}) }},
			{"smooth L1", list(f(9)), func(in []*tensor.Tensor) *tensor.Tensor {
				return in[0].SmoothL1(e.FromFloat32(ramp(9, 3), 9), 1./9)
			}},
		} {
			e.Scope(func() { checkGradients(t, e, test.name, test.inputs, test.fn) })
		}
	})
}

func TestGradientsAddUpUntilTheyAreDropped(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		x := e.FromFloat32([]float32{1, 2}, 2).RequiresGrad(true)
		if x.Grad() != nil {
			t.Error("a gradient before backward")
		}
		x.Scale(3).Sum().Backward()
		x.Scale(3).Sum().Backward()
		near(t, "two passes", x.Grad().Float32s(), []float32{6, 6}, 0)
		x.ZeroGrad()
		if x.Grad() != nil {
			t.Error("a gradient after ZeroGrad")
		}
		x.Detach().Scale(2).Sum()
		if x.Detach().NeedsGrad() {
			t.Error("a detached tensor is recorded")
		}
	})
}
