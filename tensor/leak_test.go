package tensor

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// residentMB reads how much memory the process has in use.
func residentMB(t *testing.T) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	pages, err := strconv.ParseFloat(strings.Fields(string(status))[1], 64)
	must(t, err)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// A small detector's step: convolutions of both kinds of backward, sampling, linear
// layers, losses, optimizer, over maps of changing size.
func TestFiveHundredStepsLeaveNothingBehind(t *testing.T) {
	e := open(t)
	before := e.Live()
	var params, momenta []*Tensor
	must(t, e.Do(func() error {
		for i, shape := range [][]int{{16, 3, 3, 3}, {16, 16, 3, 3}, {8, 16 * 9}, {4, 16 * 9}} {
			n := product(shape)
			p := e.FromFloat32(noise(n, uint32(i)), shape...).Scale(0.1).Detach().RequiresGrad(true).Keep()
			params = append(params, p)
			momenta = append(momenta, e.Zeros(Float32, shape...).Keep())
		}
		return nil
	}))
	step := func(i int) {
		must(t, e.Do(func() error {
			h, w := 160+8*(i%3), 200+8*(i%5) // large enough for the arena
			var loss *Tensor
			e.Scope(func() {
				x := e.FromFloat32ChannelsLast(noise(3*h*w, uint32(i)), 1, 3, h, w).To(BFloat16)
				x = x.Conv2D(params[0].Fold(nil, BFloat16), nil, Conv{Stride: 2, Pad: 1, Act: ReLU})
				x = x.Conv2D(params[1].Fold(nil, BFloat16), nil, Conv{Pad: 1, Residual: x})
				pooled, patches := e.Sample([]*Tensor{x}, Samples{Scales: []float64{0.5}, Size: 3, Ratio: 2,
					RoIs: []float32{8, 8, 60, 80, 30, 20, 90, 70}, RoIImage: []int32{0, 0}, RoILevel: []int32{0, 0}, Patches: []int32{0, 0, 5, 6}})
				a := pooled.Linear(params[2], nil, true).To(Float32).CrossEntropy([]int64{1, 3})
				b := patches.Linear(params[3], nil, false).BCEWithLogits(e.Zeros(Float32, 1, 4))
				loss = a.Add(b).Lift()
			})
			loss.Backward()
			e.SGD(params, momenta, 0.01, 0.9, 0.0005)
			for _, p := range params {
				p.ZeroGrad()
			}
			return nil
		}))
	}
	for i := range 50 { // oneDNN compiles its kernels for each size, and caches fill
		step(i)
	}
	live, resident := e.Live(), residentMB(t)
	for i := range 500 {
		step(i)
	}
	if e.Live() != live {
		t.Errorf("%d tensors live after 500 steps, %d before", e.Live(), live)
	}
	if grown := residentMB(t) - resident; grown > 16 {
		t.Errorf("resident memory grew by %.0f MB in 500 steps", grown)
	}
	must(t, e.Do(func() error {
		for i := range params {
			params[i].Free()
			momenta[i].Free()
		}
		return nil
	}))
	if e.Live() != before {
		t.Errorf("%d tensors live at the end, %d at the start", e.Live(), before)
	}
}
