package tensor_test

import (
	"fmt"
	"math"
	"testing"

	"remuda/tensor"
)

// convolve is the definition of a convolution, in float64.
func convolve(x, w, b []float32, n, c, h, wd, o, k, stride, pad, groups int) ([]float32, int, int) {
	oh, ow := (h+2*pad-k)/stride+1, (wd+2*pad-k)/stride+1
	out := make([]float32, 0, n*o*oh*ow)
	cg := c / groups
	for in := range n {
		for io := range o {
			for y := range oh {
				for z := range ow {
					sum := float64(b[io])
					for ic := range cg {
						for ky := range k {
							for kx := range k {
								iy, ix := y*stride+ky-pad, z*stride+kx-pad
								if iy < 0 || iy >= h || ix < 0 || ix >= wd {
									continue
								}
								sum += float64(x[((in*c+io/(o/groups)*cg+ic)*h+iy)*wd+ix]) * float64(w[((io*cg+ic)*k+ky)*k+kx])
							}
						}
					}
					out = append(out, float32(sum))
				}
			}
		}
	}
	return out, oh, ow
}

func activation(a tensor.Activation, v float64) float64 {
	hard := math.Min(math.Max(v+3, 0), 6) / 6
	switch a {
	case tensor.ReLU:
		return math.Max(v, 0)
	case tensor.HardSwish:
		return v * hard
	case tensor.HardSigmoid:
		return hard
	case tensor.Sigmoid:
		return 1 / (1 + math.Exp(-v))
	}
	return v
}

func TestConvolutionIsItsDefinitionInEveryTypeAndMode(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		for _, test := range []struct{ n, c, h, w, o, k, stride, pad, groups int }{
			{2, 3, 9, 7, 8, 3, 1, 1, 1}, {1, 16, 6, 6, 4, 1, 1, 0, 1}, {2, 8, 9, 9, 8, 3, 2, 1, 8}, {1, 3, 12, 11, 4, 7, 2, 3, 1}, {1, 32, 5, 5, 48, 1, 2, 0, 1},
		} {
			x, w, b := ramp(test.n*test.c*test.h*test.w, 1), ramp(test.o*test.c/test.groups*test.k*test.k, 2), ramp(test.o, 3)
			want, oh, ow := convolve(x, w, b, test.n, test.c, test.h, test.w, test.o, test.k, test.stride, test.pad, test.groups)
			residual := ramp(len(want), 4)
			for _, act := range []tensor.Activation{tensor.None, tensor.ReLU, tensor.HardSwish, tensor.HardSigmoid, tensor.Sigmoid} {
				expected := make([]float32, len(want))
				for i := range want {
					expected[i] = float32(activation(act, float64(want[i]+residual[i])))
				}
				for _, dtype := range []tensor.DType{tensor.Float32, tensor.BFloat16} {
					for _, grad := range []bool{false, true} {
						tx := e.FromFloat32(x, test.n, test.c, test.h, test.w).To(dtype).ChannelsLast()
						tw := e.FromFloat32(w, test.o, test.c/test.groups, test.k, test.k).RequiresGrad(grad)
						y := tx.Conv2D(tw, e.FromFloat32(b, test.o), tensor.Conv{Stride: test.stride, Pad: test.pad, Groups: test.groups, Act: act,
							Residual: e.FromFloat32(residual, test.n, test.o, oh, ow).To(dtype).ChannelsLast()})
						tolerance := 1e-5
						if dtype == tensor.BFloat16 {
							tolerance = 0.05 // 8 bits, and sums of up to 147 products
						}
						if y.DType() != dtype || y.NeedsGrad() != grad {
							t.Fatalf("%+v: output is %v, recorded %v", test, y.DType(), y.NeedsGrad())
						}
						near(t, fmt.Sprint(test, act, dtype, grad), y.Float32s(), expected, tolerance)
					}
				}
			}
		}
	})
}

func TestOperationsLeaveTheirInputsAlone(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		data := ramp(16, 7)
		x, r := e.FromFloat32(data, 1, 4, 2, 2), e.FromFloat32(data, 1, 4, 2, 2)
		w := e.FromFloat32(ramp(16, 8), 4, 4, 1, 1)
		e.NoGrad(func() {
			x.ReLU()
			x.HardSwish()
			x.HardSigmoid()
			x.Sigmoid()
			x.Conv2D(w, nil, tensor.Conv{Act: tensor.ReLU, Residual: r})
			x.Reshape(4, 4).Linear(e.FromFloat32(ramp(16, 8), 4, 4), nil, true)
		})
		near(t, "input", x.Float32s(), data, 0)
		near(t, "residual", r.Float32s(), data, 0)
	})
}

func TestSmallOperationsByHand(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		x := e.FromFloat32([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9}, 1, 1, 3, 3)
		for _, test := range []struct {
			name string
			got  *tensor.Tensor
			want []float32
		}{
			{"max pool", x.MaxPool2D(3, 2, 1), []float32{5, 6, 8, 9}},
			{"max pool of one", x.MaxPool2D(1, 2, 0), []float32{1, 3, 7, 9}},
			{"upsample", x.UpsampleNearest(4, 4), []float32{1, 1, 2, 3, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9}},
			{"mean", x.MeanHW(), []float32{5}},
			{"linear", e.FromFloat32([]float32{1, 2}, 1, 2).Linear(e.FromFloat32([]float32{3, 4, 5, 6}, 2, 2), e.FromFloat32([]float32{1, -20}, 2), true), []float32{12, 0}},
			{"softmax", e.FromFloat32([]float32{0, float32(math.Log(3))}, 1, 2).Softmax(1), []float32{.25, .75}},
			{"bce", e.FromFloat32([]float32{0, 100}, 2).BCEWithLogits(e.FromFloat32([]float32{1, 1}, 2)), []float32{float32(math.Ln2 / 2)}},
			{"cross-entropy", e.FromFloat32([]float32{0, float32(math.Log(3))}, 1, 2).CrossEntropy([]int64{1}), []float32{float32(math.Log(4. / 3))}},
			{"smooth L1", e.FromFloat32([]float32{0.1, 2}, 2).SmoothL1(e.FromFloat32([]float32{0, 0}, 2), 0.5), []float32{0.01 + 1.75}},
			{"index", e.FromFloat32([]float32{1, 2, 3, 4}, 2, 2).Index(1, []int64{1, 1, 0}), []float32{2, 2, 1, 4, 4, 3}},
			{"cat", tensor.Cat(1, e.FromFloat32([]float32{1, 2}, 2, 1), e.FromFloat32([]float32{3, 4}, 2, 1)), []float32{1, 3, 2, 4}},
			{"fold", e.FromFloat32([]float32{1, 2, 3, 4}, 2, 2, 1, 1).Fold(e.FromFloat32([]float32{2, .5}, 2), tensor.BFloat16), []float32{2, 4, 1.5, 2}},
		} {
			near(t, test.name, test.got.Float32s(), test.want, 1e-6)
		}
	})
}

func TestClipGradientsShortensTheWholeGradient(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		a, b := e.FromFloat32([]float32{1, 1}, 2).RequiresGrad(true), e.FromFloat32([]float32{1}, 1).RequiresGrad(true)
		idle := e.FromFloat32([]float32{1}, 1).RequiresGrad(true)
		params := []*tensor.Tensor{a, idle, b}
		a.Mul(e.FromFloat32([]float32{1, 2}, 2)).Sum().Add(b.Scale(2).Sum()).Backward() // gradients 1, 2 and 2: norm 3
		if norm := e.ClipGradients(params, 10); norm != 3 {
			t.Errorf("the norm is %v, want 3", norm)
		}
		near(t, "a gradient within the limit", a.Grad().Float32s(), []float32{1, 2}, 0)
		e.ClipGradients(params, 1.5)
		near(t, "a gradient beyond it", a.Grad().Float32s(), []float32{.5, 1}, 1e-5)
		near(t, "its other part", b.Grad().Float32s(), []float32{1}, 1e-5)
	})
}

func TestSGDAndAverageFollowTheirFormulas(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		const n, lr, momentum, decay = 70000, 0.1, 0.9, 0.01
		p, m := e.FromFloat32(ramp(n, 1), n).RequiresGrad(true), e.Zeros(tensor.Float32, n)
		idle := e.FromFloat32([]float32{1}, 1).RequiresGrad(true)
		w := e.FromFloat32(ramp(n, 2), n)
		wantP, wantM, g := ramp(n, 1), make([]float32, n), ramp(n, 2)
		for range 3 {
			p.ZeroGrad()
			p.Mul(w).Sum().Backward()
			e.SGD([]*tensor.Tensor{p, idle}, []*tensor.Tensor{m, e.Zeros(tensor.Float32, 1)}, lr, momentum, decay)
			for i := range wantP {
				wantM[i] = momentum*wantM[i] + g[i] + decay*wantP[i]
				wantP[i] -= lr * wantM[i]
			}
		}
		near(t, "parameters", p.Float32s(), wantP, 1e-6)
		near(t, "momenta", m.Float32s(), wantM, 1e-6)
		near(t, "a parameter without gradient", idle.Float32s(), []float32{1}, 0)
		average := e.Zeros(tensor.Float32, n)
		e.Lerp([]*tensor.Tensor{average}, []*tensor.Tensor{p}, 0.25)
		for i := range wantP {
			wantP[i] *= 0.25
		}
		near(t, "average", average.Float32s(), wantP, 1e-6)
	})
}
