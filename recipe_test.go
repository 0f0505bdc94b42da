package remuda

import (
	"math"
	"testing"
)

func fullRecipe(t *testing.T, name string) Recipe {
	t.Helper()
	r, err := NamedRecipe(name, DefaultArch, DefaultWeights, false)
	if err != nil {
		t.Fatal(err)
	}
	r.Precision, r.Threads, r.Device = "float32", 2, "cpu"
	return r
}

func TestEveryPresetIsValid(t *testing.T) {
	for _, name := range RecipeNames() {
		if err := fullRecipe(t, name).Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NamedRecipe("worst", DefaultArch, DefaultWeights, false); CodeOf(err) != Invalid || HintOf(err) == "" {
		t.Errorf("an unknown recipe gave %v", err)
	}
}

func TestPresetsTakeLargerStepsWhereTheHeadsBeginAtRandom(t *testing.T) {
	for name, want := range map[string][2]float64{"story": {0.005, 0.005}, "quick": {0.005, 0.02}, "best": {0.005, 0.02}} {
		for i, headless := range []bool{false, true} {
			if r, err := NamedRecipe(name, MobileNetV3Large320, "starter", headless); err != nil || r.LR != want[i] {
				t.Errorf("%s, headless %v: learning rate %v, %v, want %v", name, headless, r.LR, err, want[i])
			}
		}
	}
}

func TestValidateNamesTheSetting(t *testing.T) {
	for name, change := range map[string]func(*Recipe){
		"arch":             func(r *Recipe) { r.Arch = "yolo" },
		"epochs":           func(r *Recipe) { r.Epochs = 0 },
		"batch":            func(r *Recipe) { r.Batch = -1 },
		"lr":               func(r *Recipe) { r.LR = math.NaN() },
		"lr infinite":      func(r *Recipe) { r.LR = math.Inf(1) },
		"momentum":         func(r *Recipe) { r.Momentum = 2 },
		"schedule":         func(r *Recipe) { r.Schedule = "sometimes" },
		"trainable layers": func(r *Recipe) { r.TrainableLayers = 6 },
		"precision":        func(r *Recipe) { r.Precision = "auto" },
		"threads":          func(r *Recipe) { r.Threads = 0 },
	} {
		r := fullRecipe(t, "story")
		change(&r)
		if err := r.Validate(); CodeOf(err) != Invalid || HintOf(err) == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLRAtFollowsTheStory(t *testing.T) {
	r := fullRecipe(t, "story") // 10 epochs, × 0.1 every 3
	for _, c := range []struct {
		step int
		want float64
	}{
		{0, 0.005 * 0.001},
		{49, 0.005 * (0.001 + 0.999*49.0/98)}, // half of the warm-up, which is 99 − 1 steps long
		{98, 0.005},
		{2 * 99, 0.005},
		{3*99 - 1, 0.005},
		{3 * 99, 0.0005},
		{9 * 99, 0.000005},
	} {
		if got := r.LRAt(c.step, 99); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("step %d: %g, want %g", c.step, got, c.want)
		}
	}
}

func TestCosineEndsNearZero(t *testing.T) {
	r := fullRecipe(t, "story")
	r.Schedule, r.WarmupEpochs = "cosine", 0
	last := r.LRAt(10*50-1, 50)
	if r.LRAt(0, 50) != r.LR || last > r.LR/1000 || last <= 0 {
		t.Errorf("from %g to %g", r.LRAt(0, 50), last)
	}
	if half := r.LRAt(250, 50); math.Abs(half-r.LR/2) > 1e-12 {
		t.Errorf("halfway it is %g", half)
	}
}
