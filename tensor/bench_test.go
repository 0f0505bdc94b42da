package tensor

import (
	"fmt"
	"syscall"
	"testing"
)

// The shapes of ResNet-50-FPN at 800×1067, batch 2: what a step spends its time on.
var convCases = []struct{ c, o, k, stride, h, w int }{
	{256, 256, 3, 1, 200, 268},
	{64, 64, 3, 1, 200, 268},
	{64, 256, 1, 1, 200, 268},
	{128, 128, 3, 1, 100, 134},
	{128, 512, 1, 1, 100, 134},
	{1024, 256, 1, 1, 50, 67},
	{512, 512, 3, 1, 25, 34},
}

// processorSeconds is what this process has used of all cores: other load on
// the machine does not count.
func processorSeconds() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func BenchmarkConv(b *testing.B) {
	e := open(b)
	for _, s := range convCases {
		for _, dt := range []DType{Float32, BFloat16} {
			for _, pass := range []string{"forward", "step"} {
				b.Run(fmt.Sprintf("%dx%d/%dto%d/%dx%d/%v/%s", s.k, s.k, s.c, s.o, s.h, s.w, dt, pass), func(b *testing.B) {
					const n = 2
					var flops float64
					must(b, e.Do(func() error {
						x := e.FromFloat32(noise(n*s.c*s.h*s.w, 1), n, s.c, s.h, s.w).To(dt).ChannelsLast()
						w := e.FromFloat32(noise(s.o*s.c*s.k*s.k, 2), s.o, s.c, s.k, s.k).To(dt).ChannelsLast()
						bias := e.FromFloat32(noise(s.o, 3), s.o).To(dt)
						y := x.Conv2D(w, bias, Conv{Stride: s.stride, Pad: s.k / 2, Act: ReLU})
						flops = 2 * float64(y.Len()) * float64(s.c*s.k*s.k)
						if pass == "step" {
							flops *= 3
							x.RequiresGrad(true)
							w.RequiresGrad(true)
						}
						b.ResetTimer()
						start := processorSeconds()
						for range b.N {
							e.Scope(func() {
								y := x.Conv2D(w, bias, Conv{Stride: s.stride, Pad: s.k / 2, Act: ReLU})
								if pass == "step" {
									y.Sum().Backward()
									x.ZeroGrad()
									w.ZeroGrad()
								}
							})
						}
						b.ReportMetric(flops*float64(b.N)/(processorSeconds()-start)/1e9, "GFLOP/cpu-s")
						return nil
					}))
				})
			}
		}
	}
}

// BenchmarkPyramid is the backward of the finest level's 3×3 convolution, with gradient in
// blocks over part of the map.
func BenchmarkPyramid(b *testing.B) {
	e := open(b)
	const n, c, h, w = 2, 256, 200, 272
	for _, dt := range []DType{Float32, BFloat16} {
		for _, percent := range []int{10, 40, 100} {
			b.Run(fmt.Sprintf("%v/%d%%", dt, percent), func(b *testing.B) {
				must(b, e.Do(func() error {
					x := e.FromFloat32(noise(n*c*h*w, 1), n, c, h, w).To(dt).ChannelsLast().RequiresGrad(true)
					wt := e.FromFloat32(noise(c*c*9, 2), c, c, 3, 3).To(dt).ChannelsLast().RequiresGrad(true)
					mask := make([]float32, n*h*w)
					for i := range mask {
						if (i/w%h/20*7+i%w/17*5)%20 < percent/5 {
							mask[i] = 1
						}
					}
					g := e.FromFloat32(noise(n*c*h*w, 3), n, c, h, w).To(dt).ChannelsLast().Mul(e.FromFloat32(mask, n, 1, h, w).To(dt))
					seconds := 0.
					b.ResetTimer()
					for range b.N {
						e.Scope(func() {
							y := x.Conv2D(wt, nil, Conv{Pad: 1}).Mul(g).Sum()
							start := processorSeconds()
							y.Backward()
							seconds += processorSeconds() - start
							x.ZeroGrad()
							wt.ZeroGrad()
						})
					}
					b.ReportMetric(seconds*1000/2/float64(b.N), "cpu-ms/2")
					return nil
				}))
			})
		}
	}
}
