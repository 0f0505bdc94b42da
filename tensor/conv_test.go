package tensor

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// A gradient that is zero at most locations takes another way through the
// backward; it must give what libtorch's own dense backward gives.
func TestGradientsOfSparseAndDenseConvolutionsAgree(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		const n, c, o, h, w = 2, 70, 66, 13, 17
		for _, dt := range []DType{Float32, BFloat16} {
			for _, share := range []int{1, 5, 2} { // one location in …
				run := func(mask []float32) (grads [3][]float32) {
					x := e.FromFloat32(noise(n*c*h*w, 1), n, c, h, w).To(dt).ChannelsLast().RequiresGrad(true)
					wt := e.FromFloat32(noise(o*c*9, 2), o, c, 3, 3).To(dt).ChannelsLast().RequiresGrad(true)
					b := e.FromFloat32(noise(o, 3), o).To(dt).RequiresGrad(true)
					y := x.Conv2D(wt, b, Conv{Pad: 1})
					g := e.FromFloat32(noise(n*o*h*w, 4), n, o, h, w).To(dt).Mul(e.FromFloat32(mask, n, 1, h, w).To(dt))
					y.Mul(g).Sum().Backward()
					return [3][]float32{x.Grad().Float32s(), wt.Grad().Float32s(), b.Grad().Float32s()}
				}
				whole, one, other := make([]float32, n*h*w), make([]float32, n*h*w), make([]float32, n*h*w)
				for i := range whole {
					whole[i] = 1
					if i*7%(n*h*w)%share == 0 {
						one[i] = 1
					} else {
						other[i] = 1
					}
				}
				// Convolution's gradients are linear: the parts add up to the whole.
				want, a, b := run(whole), run(one), run(other)
				for k, name := range []string{"input", "weight", "bias"} {
					var worst, size float64
					for i := range want[k] {
						worst = math.Max(worst, math.Abs(float64(a[k][i]+b[k][i]-want[k][i])))
						size = math.Max(size, math.Abs(float64(want[k][i])))
					}
					if limit := map[DType]float64{Float32: 1e-5, BFloat16: 0.02}[dt]; worst > limit*size {
						t.Errorf("%s", fmt.Sprintf("%v, one in %d: gradient of the %s differs by %.3g of %.3g", dt, share, name, worst, size))
					}
				}
			}
		}
		return nil
	}))
}

// Resumed training must end with the same bits, so each backward must give them for the same threads.
func TestGradientsOfLayersHaveTheSameBitsEachTime(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		for _, dt := range []DType{Float32, BFloat16} {
			run := func() (all []float32) {
				x := e.FromFloat32(noise(2*64*40*40, 1), 2, 64, 40, 40).To(dt).ChannelsLast().RequiresGrad(true)
				leaf := func(shape ...int) *Tensor {
					return e.FromFloat32(noise(product(shape), uint32(len(shape))), shape...).RequiresGrad(true)
				}
				params := []*Tensor{leaf(64, 64, 3, 3), leaf(96, 64, 1, 1), leaf(96, 96, 3, 3), leaf(96, 1, 5, 5), leaf(30, 96), leaf(30)}
				y := x.Conv2D(params[0].Fold(nil, dt), nil, Conv{Pad: 1, Act: ReLU, Residual: x})
				y = y.Conv2D(params[1].Fold(nil, dt), nil, Conv{})
				y = y.Conv2D(params[2].Fold(nil, dt), nil, Conv{Pad: 1, Stride: 2, Act: HardSwish})
				y = y.Conv2D(params[3].Fold(nil, dt), nil, Conv{Pad: 2, Groups: 96})
				y.Permute(0, 2, 3, 1).Reshape(-1, 96).Linear(params[4], params[5], true).To(Float32).Mean().Backward()
				for _, p := range append(params, x) {
					all = append(all, p.Grad().Float32s()...)
				}
				return all
			}
			first := run()
			for range 5 {
				if again := run(); !slices.Equal(again, first) { // NaN would differ, too
					t.Fatalf("%v: gradients differ between runs", dt)
				}
			}
		}
		return nil
	}))
}
