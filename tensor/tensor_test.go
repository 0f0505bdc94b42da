package tensor_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"remuda/internal/enginetest"
	"remuda/tensor"
)

// within runs fn on an engine of its own and fails on an error.
func within(t *testing.T, fn func(e *tensor.Engine)) {
	t.Helper()
	e := enginetest.Open(t)
	if err := e.Do(func() error { fn(e); return nil }); err != nil {
		t.Fatal(err)
	}
}

func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance*(1+math.Abs(float64(want[i])))) {
			t.Fatalf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// ramp returns n values in [-1, 1) that repeat only after 2³² steps.
func ramp(n int, seed uint32) []float32 {
	out := make([]float32, n)
	state := seed*2654435761 + 12345
	for i := range out {
		state = state*1664525 + 1013904223
		out[i] = float32(state>>8)/(1<<23) - 1
	}
	return out
}

func TestHostDataComesBackInEveryTypeAndLayout(t *testing.T) {
	within(t, func(e *tensor.Engine) {
		data := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
		x := e.FromFloat32(data, 1, 2, 2, 3)
		near(t, "row-major", x.Float32s(), data, 0)
		near(t, "channels-last", x.ChannelsLast().Float32s(), data, 0)
		near(t, "bfloat16", x.To(tensor.BFloat16).Float32s(), data, 0)
		near(t, "N, H, W, C", x.Float32sChannelsLast(), []float32{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}, 0)
		near(t, "from N, H, W, C", e.FromFloat32ChannelsLast(x.Float32sChannelsLast(), 1, 2, 2, 3).Float32s(), data, 0)
		if got := e.FromInt64([]int64{1 << 40, -1}, 2).Int64s(); got[0] != 1<<40 || got[1] != -1 {
			t.Errorf("int64: %v", got)
		}
		x.SetFloat32s(make([]float32, 12))
		near(t, "overwritten", x.Float32s(), make([]float32, 12), 0)
		if x.DType() != tensor.Float32 || len(x.Shape()) != 4 || x.Dim(-1) != 3 {
			t.Errorf("a tensor of %v %v", x.DType(), x.Shape())
		}
		if v := e.FromFloat32([]float32{2.5}).Item(); v != 2.5 {
			t.Errorf("scalar: %v", v)
		}
	})
}

func TestFailuresAreErrorsWithTheEnginesOwnText(t *testing.T) {
	e := enginetest.Open(t)
	for name, test := range map[string]struct {
		fn   func() error
		want string
	}{
		"shapes that do not fit": {func() error {
			e.Zeros(tensor.Float32, 1, 3, 8, 8).Conv2D(e.Zeros(tensor.Float32, 4, 2, 3, 3), nil, tensor.Conv{})
			return nil
		}, "to have 2 channels"},
		"use after free": {func() error {
			x := e.Zeros(tensor.Float32, 2)
			x.Free()
			x.ReLU()
			return nil
		}, "was freed"},
		"use after its scope": {func() error {
			var x *tensor.Tensor
			e.Scope(func() { x = e.Zeros(tensor.Float32, 2) })
			x.ReLU()
			return nil
		}, "was freed"},
		"values that do not fill the shape": {func() error { e.FromFloat32([]float32{1}, 2); return nil }, "1 values for shape [2]"},
		"a RoI of a level that is not there": {func() error {
			e.Sample([]*tensor.Tensor{e.Zeros(tensor.Float32, 1, 2, 4, 4)}, tensor.Samples{Scales: []float64{1}, RoIs: make([]float32, 4),
				RoIImage: []int32{0}, RoILevel: []int32{1}, Size: 2, Ratio: 2})
			return nil
		}, "no level 1"},
		"an error of the caller": {func() error { return errors.New("mine") }, "mine"},
	} {
		if err := e.Do(test.fn); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := e.Live(); n != 0 {
		t.Errorf("%d tensors live after failures", n)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Do(func() error { return nil }); err == nil {
		t.Error("a closed engine works")
	}
}

func TestTensorsLiveAsLongAsTheirScope(t *testing.T) {
	e := enginetest.Open(t)
	var kept *tensor.Tensor
	err := e.Do(func() error {
		base := e.Live()
		var lifted *tensor.Tensor
		e.Scope(func() {
			e.Zeros(tensor.Float32, 2)
			kept = e.Zeros(tensor.Float32, 2).Keep()
			lifted = e.Zeros(tensor.Float32, 2).Lift()
		})
		if n := e.Live() - base; n != 2 {
			t.Errorf("%d live after the inner scope, want 2", n)
		}
		lifted.ReLU()
		return nil
	})
	if err != nil || e.Live() != 1 {
		t.Fatalf("%d live after Do, want the kept one; %v", e.Live(), err)
	}
	if err := e.Do(func() error { kept.Free(); kept.Free(); return nil }); err != nil || e.Live() != 0 {
		t.Fatalf("%d live after Free; %v", e.Live(), err)
	}
}

func TestGradModeEndsWithItsFunction(t *testing.T) {
	e := enginetest.Open(t)
	for range 3 {
		_ = e.Do(func() error {
			e.NoGrad(func() {
				e.Zeros(tensor.Float32, 2).Add(e.Zeros(tensor.Float32, 3)) // fails with grad off
			})
			return nil
		})
		err := e.Do(func() error {
			x := e.FromFloat32([]float32{1}).RequiresGrad(true)
			e.NoGrad(func() {
				if x.Scale(2).NeedsGrad() {
					t.Error("recorded without grad")
				}
			})
			if !x.Scale(2).NeedsGrad() {
				t.Error("not recorded after NoGrad")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestOtherPanicsGoOnInTheCallerWithTheirOrigin(t *testing.T) {
	e := enginetest.Open(t)
	defer func() {
		text, _ := recover().(string)
		if !strings.HasPrefix(text, "mine") || !strings.Contains(text, "tensor_test.go") {
			t.Errorf("recovered %q", text)
		}
		if err := e.Do(func() error { return nil }); err != nil || e.Live() != 0 {
			t.Errorf("afterwards %v, %d live", err, e.Live())
		}
	}()
	_ = e.Do(func() error { e.Zeros(tensor.Float32, 2); panic("mine") })
}
