package tensor

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// builtShim returns the compiled shim; package enginetest does the same for other packages.
func builtShim(t testing.TB) string {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_ENGINE") == "1" {
		t.Skip("REMUDA_SKIP_ENGINE=1")
	}
	cache, err := os.UserCacheDir()
	must(t, err)
	torch, err := Discover(os.Getenv("REMUDA_TORCH"))
	must(t, err)
	shim, err := Build(context.Background(), torch, filepath.Join(cache, "remuda", "engine"))
	must(t, err)
	return shim
}

func open(t testing.TB) *Engine {
	t.Helper()
	e, err := Open(builtShim(t), Options{Threads: 2})
	must(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func noise(n int, seed uint32) []float32 {
	out := make([]float32, n)
	state := seed*2654435761 + 12345
	for i := range out {
		state = state*1664525 + 1013904223
		out[i] = float32(state>>8)/(1<<23) - 1
	}
	return out
}

// pyramid is a case: two levels of C channels, RoIs that hang over borders, are
// tiny, huge and outside, and patches in corners.
const channels = 70 // one block of the kernels and a rest

func pyramid(e *Engine, dt DType) ([]*Tensor, Samples) {
	levels := []*Tensor{e.FromFloat32(noise(2*channels*9*11, 1), 2, channels, 9, 11), e.FromFloat32(noise(2*channels*5*6, 2), 2, channels, 5, 6)}
	for i := range levels {
		levels[i] = levels[i].To(dt).ChannelsLast()
	}
	return levels, Samples{
		Scales: []float64{0.25, 0.125},
		RoIs: []float32{3, 2, 30, 33, 0, 0, 44, 36, -20, -15, 12, 9, 10, 10, 10.2, 10.2, 30, 20, 90, 80, 200, 200, 300, 300, 1, 1, 47, 39,
			5, 5, 20, 38},
		RoIImage: []int32{0, 1, 0, 1, 1, 0, 0, 1}, RoILevel: []int32{0, 0, 0, 0, 1, 0, 1, 1}, Size: 7, Ratio: 2,
		Patches: []int32{0, 0, 0, 0, 0, 1, 8, 10, 0, 0, 4, 5, 1, 1, 4, 0, 1, 0, 2, 3, 1, 0, 2, 3},
	}
}

// align is RoIAlign by its definition: four neighbours of each sampling point, torchvision's rules at borders.
func align(f []float32, h, w int, roi []float32, scale float64, size, ratio int, c, py, px int) float64 {
	at := func(y, x int) float64 { return float64(f[(c*h+y)*w+x]) }
	x0, y0 := float64(roi[0])*scale, float64(roi[1])*scale
	bw, bh := math.Max(float64(roi[2])*scale-x0, 1)/float64(size), math.Max(float64(roi[3])*scale-y0, 1)/float64(size)
	sum := 0.
	for iy := range ratio {
		for ix := range ratio {
			y, x := y0+float64(py)*bh+(float64(iy)+.5)*bh/float64(ratio), x0+float64(px)*bw+(float64(ix)+.5)*bw/float64(ratio)
			if y < -1 || y > float64(h) || x < -1 || x > float64(w) {
				continue
			}
			y, x = math.Min(math.Max(y, 0), float64(h-1)), math.Min(math.Max(x, 0), float64(w-1))
			yl, xl := int(y), int(x)
			yh, xh := min(yl+1, h-1), min(xl+1, w-1)
			ly, lx := y-float64(yl), x-float64(xl)
			sum += (1-ly)*(1-lx)*at(yl, xl) + (1-ly)*lx*at(yl, xh) + ly*(1-lx)*at(yh, xl) + ly*lx*at(yh, xh)
		}
	}
	return sum / float64(ratio*ratio)
}

func definition(levels []*Tensor, s Samples) (pooled, patches []float32) {
	for k := range s.RoIImage {
		l := levels[s.RoILevel[k]]
		h, w := l.Dim(2), l.Dim(3)
		f := l.Float32s()[int(s.RoIImage[k])*channels*h*w:]
		for c := range channels {
			for b := range s.Size * s.Size {
				pooled = append(pooled, float32(align(f, h, w, s.RoIs[4*k:], s.Scales[s.RoILevel[k]], s.Size, s.Ratio, c, b/s.Size, b%s.Size)))
			}
		}
	}
	for p := 0; p < len(s.Patches); p += 4 {
		l := levels[s.Patches[p]]
		h, w := l.Dim(2), l.Dim(3)
		f := l.Float32s()[int(s.Patches[p+1])*channels*h*w:]
		for c := range channels {
			for k := range 9 {
				y, x := int(s.Patches[p+2])+k/3-1, int(s.Patches[p+3])+k%3-1
				v := float32(0)
				if y >= 0 && y < h && x >= 0 && x < w {
					v = f[(c*h+y)*w+x]
				}
				patches = append(patches, v)
			}
		}
	}
	return pooled, patches
}

func closeTo(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(float64(got[i]-want[i])) <= tolerance) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSamplesAreTheirDefinition(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		for _, test := range []struct {
			dt        DType
			composite bool
			tolerance float64
		}{{Float32, false, 2e-6}, {BFloat16, false, 4e-3}, {Float32, true, 2e-6}, {BFloat16, true, 4e-3}} {
			levels, s := pyramid(e, test.dt)
			s.composite = test.composite
			wantPooled, wantPatches := definition(levels, s)
			pooled, patches := e.Sample(levels, s)
			closeTo(t, "pooled", pooled.Float32s(), wantPooled, test.tolerance)
			closeTo(t, "patches", patches.Float32s(), wantPatches, 0)
			only, none := e.Sample(levels, Samples{Scales: s.Scales, Patches: s.Patches, composite: test.composite})
			if only != nil {
				t.Error("pooled without RoIs")
			}
			closeTo(t, "patches alone", none.Float32s(), wantPatches, 0)
		}
		return nil
	}))
}

// gradients runs Sample and returns the gradients of both levels for fixed gradients of the outputs.
func gradients(e *Engine, dt DType, composite, usePooled, usePatches bool) [][]float32 {
	levels, s := pyramid(e, dt)
	s.composite = composite
	for _, l := range levels {
		l.RequiresGrad(true)
	}
	pooled, patches := e.Sample(levels, s)
	loss := e.Zeros(Float32)
	if usePooled {
		loss = loss.Add(pooled.To(Float32).Mul(e.FromFloat32(noise(pooled.Len(), 7), pooled.Shape()...)).Sum())
	}
	if usePatches {
		loss = loss.Add(patches.To(Float32).Mul(e.FromFloat32(noise(patches.Len(), 8), patches.Shape()...)).Sum())
	}
	loss.Backward()
	return [][]float32{levels[0].Grad().Float32s(), levels[1].Grad().Float32s()}
}

// The outputs are linear in the levels, so that the gradient in any direction is the
// output's change, with no rounding from small steps.
func TestSampleGradientsAreTheAdjointOfTheDefinition(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		grads := gradients(e, Float32, false, true, true)
		levels, s := pyramid(e, Float32)
		pooled, patches := definition(levels, s)
		var got, want float64
		for i, l := range levels {
			for j, v := range l.Float32s() {
				got += float64(v) * float64(grads[i][j])
			}
		}
		for i, g := range noise(len(pooled), 7) {
			want += float64(g) * float64(pooled[i])
		}
		for i, g := range noise(len(patches), 8) {
			want += float64(g) * float64(patches[i])
		}
		if math.Abs(got-want) > 1e-3 {
			t.Errorf("⟨gradient, levels⟩ = %v, ⟨output's gradient, output⟩ = %v", got, want)
		}
		// single locations
		for _, at := range []int{0, 5, 500, 98*3 + 17, 2*channels*99 - 1} {
			base := levels[0].Float32s()
			one := make([]float32, len(base))
			one[at] = 1
			pooled, patches := definition([]*Tensor{e.FromFloat32(one, levels[0].Shape()...), e.Zeros(Float32, levels[1].Shape()...)}, s)
			want := 0.
			for i, g := range noise(len(pooled), 7) {
				want += float64(g) * float64(pooled[i])
			}
			for i, g := range noise(len(patches), 8) {
				want += float64(g) * float64(patches[i])
			}
			if math.Abs(float64(grads[0][at])-want) > 1e-5 {
				t.Errorf("location %d: gradient %v, want %v", at, grads[0][at], want)
			}
		}
		return nil
	}))
}

func TestCompositeSamplingEqualsTheKernels(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		for _, use := range [][2]bool{{true, true}, {true, false}, {false, true}} {
			for _, dt := range []DType{Float32, BFloat16} {
				tolerance := 1e-5
				if dt == BFloat16 {
					tolerance = 0.02 // both round float32 sums once, of up to 4 in size
				}
				ours, theirs := gradients(e, dt, false, use[0], use[1]), gradients(e, dt, true, use[0], use[1])
				for l := range ours {
					closeTo(t, "gradient", ours[l], theirs[l], tolerance)
				}
			}
		}
		return nil
	}))
}

func TestSampleGradientsAreTheSameEachTime(t *testing.T) {
	e := open(t)
	must(t, e.Do(func() error {
		first := gradients(e, Float32, false, true, true)
		for range 20 {
			again := gradients(e, Float32, false, true, true)
			for l := range first {
				closeTo(t, "gradient", again[l], first[l], 0)
			}
		}
		return nil
	}))
}
