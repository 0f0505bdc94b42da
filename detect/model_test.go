package detect

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/imageio"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

// small is a configuration that computes quickly.
func small(arch string, categories, trainable int) Config {
	return Config{Arch: arch, Categories: categories, TrainableLayers: trainable, MinSize: 64, MaxSize: 96}
}

// inEngine runs fn with a new model.
func inEngine(t *testing.T, e *tensor.Engine, c Config, seed uint64, fn func(m *Model) error) {
	t.Helper()
	err := e.Do(func() error {
		m, err := New(e, c, seed)
		if err != nil {
			return err
		}
		defer m.Free()
		return fn(m)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func seeded() Sampler { return RandomSampler(rand.New(rand.NewPCG(1, 2))) }

func TestSameSeedGivesTheSameGradientsBitForBit(t *testing.T) {
	e := enginetest.Open(t)
	for _, precision := range []tensor.DType{tensor.Float32, tensor.BFloat16} {
		t.Run(precision.String(), func(t *testing.T) {
			var runs [2]map[string][]float32
			for i := range runs {
				runs[i] = map[string][]float32{}
				onReferenceModel(t, e, remuda.MobileNetV3Large320, precision, 6, func(m *Model) {
					m.Losses(Transform(m.config, referenceImages()), referenceTargets(), seeded()).Total.Backward()
					for _, p := range m.Trainable() {
						runs[i][p.Name] = p.Value.Grad().Float32s()
					}
				})
			}
			for name, first := range runs[0] {
				if !slices.Equal(first, runs[1][name]) {
					t.Errorf("the gradient of %s differs between two runs", name)
				}
				if !slices.ContainsFunc(first, func(v float32) bool { return v != 0 }) {
					t.Errorf("the gradient of %s is zero", name)
				}
			}
		})
	}
}

func TestBFloat16LossesAreCloseToFloat32(t *testing.T) {
	e := enginetest.Open(t)
	forEachArch(t, func(t *testing.T, arch string, r *reference) {
		onReferenceModel(t, e, arch, tensor.BFloat16, remuda.MaxTrainableLayers(arch), func(m *Model) {
			b := Transform(m.config, referenceImages())
			drawn := r.Values.Chosen[0]
			levels := m.features(b)
			l := m.lossesAt(levels, m.grids(levels, b), drawn.proposals(), b, referenceTargets(), drawn.replay(t))
			checkLosses(t, "bfloat16", l, r.Values.Losses[0], 0.03)
		})
	})
}

func TestOnlyTheChosenLayersLearn(t *testing.T) {
	e := enginetest.Open(t)
	tests := []struct {
		arch      string
		trainable int
		frozen    []string // prefixes, of all that does not learn
	}{
		{remuda.ResNet50FPN, 0, []string{"backbone.body."}},
		{remuda.ResNet50FPN, 3, []string{"backbone.body.conv1.", "backbone.body.layer1."}},
		{remuda.ResNet50FPN, 5, nil},
		{remuda.MobileNetV3Large320, 0, []string{"backbone.body."}},
		{remuda.MobileNetV3Large320, 3, []string{"backbone.body.0.", "backbone.body.1.", "backbone.body.2.", "backbone.body.3.", "backbone.body.4.", "backbone.body.5.", "backbone.body.6."}},
		{remuda.MobileNetV3Large320, 6, nil},
	}
	for _, test := range tests {
		inEngine(t, e, small(test.arch, 2, test.trainable), 1, func(m *Model) error {
			learns := map[string]bool{}
			for _, p := range m.Trainable() {
				learns[p.Name] = true
			}
			for name, a := range arraysOf(m) {
				isNorm := len(a.Shape) == 1 && strings.HasPrefix(name, "backbone.body.") && !strings.Contains(name, ".fc")
				want := !isNorm && !slices.ContainsFunc(test.frozen, func(p string) bool { return strings.HasPrefix(name, p) })
				if learns[name] != want {
					t.Errorf("%s with %d layers: %s learns is %v, want %v", test.arch, test.trainable, name, learns[name], want)
				}
			}
			return nil
		})
	}
}

// targetsOf returns the reference's targets with labels up to a number of categories.
func targetsOf(categories int) []Target {
	targets := referenceTargets()
	for i := range targets {
		for k := range targets[i].Labels {
			targets[i].Labels[k] = min(targets[i].Labels[k], categories)
		}
	}
	return targets
}

func TestBackgroundImagesAloneTrain(t *testing.T) {
	e := enginetest.Open(t)
	inEngine(t, e, small(remuda.MobileNetV3Large320, 2, 6), 1, func(m *Model) error {
		l := m.Losses(Transform(m.config, referenceImages()), make([]Target, 2), seeded())
		l.Total.Backward()
		if l.BoxReg.Item() != 0 || l.RPNBoxReg.Item() != 0 {
			t.Errorf("box losses are %v and %v, want 0", l.BoxReg.Item(), l.RPNBoxReg.Item())
		}
		if v := l.Total.Item(); !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("total loss is %v", v)
		}
		for _, p := range m.Trainable() {
			if p.Value.Grad() == nil { // SGD would skip it, and with it its weight decay
				t.Errorf("%s has no gradient", p.Name)
			}
		}
		return nil
	})
}

func TestDetectSeesWeightsThatTrainingChanged(t *testing.T) {
	e := enginetest.Open(t)
	for _, precision := range []tensor.DType{tensor.Float32, tensor.BFloat16} {
		onReferenceModel(t, e, remuda.MobileNetV3Large320, precision, 6, func(m *Model) {
			b := Transform(m.config, referenceImages())
			before := m.Detect(b)
			m.Losses(b, referenceTargets(), seeded())
			for _, p := range m.Trainable() { // what an optimizer does
				p.Value.Set(p.Value.Scale(0.9).Detach())
			}
			changed := m.Detect(b)
			if slices.Equal(before[0], changed[0]) {
				t.Error("Detect answers from old weights after a step")
			}
			for _, p := range m.Trainable() {
				p.Value.Set(p.Value.Scale(1 / 0.9).Detach())
			}
			m.Changed()
			if again := m.Detect(b); math.Abs(again[0][0].Score-before[0][0].Score) > 1e-2 {
				t.Errorf("with the old weights the best score is %v, want %v", again[0][0].Score, before[0][0].Score)
			}
		})
	}
}

// silence puts every objectness far below the least that makes a proposal.
func silence(m *Model) {
	for _, p := range m.Trainable() {
		if p.Name == "rpn.head.cls_logits.bias" {
			p.Value.SetFloat32s(slices.Repeat([]float32{-10}, p.Value.Len()))
		}
	}
}

func TestImageWithoutProposalsHasNoDetections(t *testing.T) {
	e := enginetest.Open(t)
	inEngine(t, e, small(remuda.MobileNetV3Large320, 2, 6), 1, func(m *Model) error {
		silence(m)
		out := m.Detect(Transform(m.config, []*imageio.RGB{referenceImage("a", 60, 80), referenceImage("b", 60, 80)}))
		if len(out) != 2 || len(out[0]) != 0 || len(out[1]) != 0 {
			t.Errorf("%d images, the first with %d detections", len(out), len(out[0]))
		}
		return nil
	})
}

func TestBackgroundImagesWithoutProposalsTrain(t *testing.T) {
	e := enginetest.Open(t)
	inEngine(t, e, small(remuda.MobileNetV3Large320, 2, 6), 1, func(m *Model) error {
		silence(m)
		l := m.Losses(Transform(m.config, referenceImages()), make([]Target, 2), seeded())
		l.Total.Backward()
		if v := l.Total.Item(); !(v > 0 && v < 1e-3) || l.Classifier.Item() != 0 || l.BoxReg.Item() != 0 {
			t.Errorf("losses are %v in all, %v and %v of RoIs", v, l.Classifier.Item(), l.BoxReg.Item())
		}
		return nil
	})
}

func TestStepsLeaveNoTensorsBehind(t *testing.T) {
	e := enginetest.Open(t)
	c := small(remuda.MobileNetV3Large320, 2, 3)
	before := e.Live()
	var m *Model
	step := func() int {
		if err := e.Do(func() error {
			b := Transform(c, referenceImages())
			m.Losses(b, targetsOf(2), seeded()).Total.Backward()
			for _, p := range m.Trainable() {
				p.Value.ZeroGrad()
			}
			m.Detect(b)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return e.Live()
	}
	if err := e.Do(func() (err error) { m, err = New(e, c, 1); return err }); err != nil {
		t.Fatal(err)
	}
	first := step()
	for range 5 {
		if n := step(); n != first {
			t.Fatalf("%d tensors live after a step, %d after the first", n, first)
		}
	}
	if err := e.Do(func() error { m.Free(); return nil }); err != nil {
		t.Fatal(err)
	}
	if n := e.Live(); n != before {
		t.Errorf("%d tensors live after Free, %d before New", n, before)
	}
}

func TestConfigurationsThatMakeNoModelAreRefused(t *testing.T) {
	e := enginetest.Open(t)
	for name, c := range map[string]Config{
		"architecture": {Arch: "yolo", Categories: 1},
		"categories":   {Arch: remuda.ResNet50FPN},
		"layers":       {Arch: remuda.ResNet50FPN, Categories: 1, TrainableLayers: 6},
		"precision":    {Arch: remuda.ResNet50FPN, Categories: 1, Precision: tensor.Int64},
	} {
		err := e.Do(func() error { _, err := New(e, c, 0); return err })
		if remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
