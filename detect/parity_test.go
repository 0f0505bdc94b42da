package detect

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"remuda"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

// Tolerances in float32; those of tensors are relative to their norm.
const (
	featureTolerance = 1e-5
	lossTolerance    = 1e-5
	boxTolerance     = 0.01 // pixels
	scoreTolerance   = 1e-5
	// A rounding that puts one activation on the other side of a ReLU's or a
	// hard swish's kink changes one path's derivative altogether: about 10⁻³ of
	// the gradients below it. 5·10⁻³ is a cosine of 0.99999.
	gradientTolerance = 5e-3
	// Further steps start from weights that differ by such gradients.
	laterLossTolerance = 2e-3
	changeTolerance    = 1e-2
)

// onReferenceModel runs check inside the engine with a model that has the
// reference's weights and learns in every layer.
func onReferenceModel(t *testing.T, e *tensor.Engine, arch string, precision tensor.DType, trainable int, check func(m *Model)) {
	t.Helper()
	c := Config{Arch: arch, Categories: referenceCategories, TrainableLayers: trainable, Precision: precision, MinSize: referenceMinSize, MaxSize: referenceMaxSize}
	err := e.Do(func() error {
		m, err := New(e, c, 0)
		if err != nil {
			return err
		}
		defer m.Free()
		shapes := map[string][]int{}
		for _, p := range m.Weights() {
			shapes[p.Name] = p.Value.Shape()
		}
		if _, err := m.Load(func(name string) (Array, bool) {
			return Array{shapes[name], referenceWeight(name, shapes[name])}, true
		}, LoadOptions{}); err != nil {
			return err
		}
		check(m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// forEachArch runs a test for each architecture with its reference.
func forEachArch(t *testing.T, test func(t *testing.T, arch string, r *reference)) {
	for _, arch := range remuda.Architectures {
		t.Run(arch, func(t *testing.T) { test(t, arch, readReference(t, arch)) })
	}
}

func TestInferenceAgreesWithTorchvision(t *testing.T) {
	e := enginetest.Open(t)
	forEachArch(t, func(t *testing.T, arch string, r *reference) {
		onReferenceModel(t, e, arch, tensor.Float32, remuda.MaxTrainableLayers(arch), func(m *Model) {
			e.NoGrad(func() { checkStages(t, m, r) })
			checkDetections(t, m, r)
		})
	})
}

// checkStages compares what each stage hands to the next.
func checkStages(t *testing.T, m *Model, r *reference) {
	t.Helper()
	b := Transform(m.config, referenceImages())
	for i, s := range r.Values.Sizes {
		if (b.Sizes[i] != Size{s[0], s[1]}) {
			t.Errorf("image %d is resized to %v, want %v", i, b.Sizes[i], s)
		}
	}
	x := m.engine.FromFloat32ChannelsLast(b.Pixels, len(b.Sizes), 3, b.Padded.Height, b.Padded.Width)
	r.check(t, "input", x.Float32s(), featureTolerance)

	levels := m.features(b)
	gs := m.grids(levels, b)
	outputs := m.rpn.dense(levels)
	for i, l := range levels {
		objectness, offsets := planes(outputs[i], m.rpn.anchors)
		r.check(t, fmt.Sprintf("level/%d", i), l.Float32s(), featureTolerance)
		r.check(t, fmt.Sprintf("objectness/%d", i), objectness, featureTolerance)
		r.check(t, fmt.Sprintf("offsets/%d", i), offsets, featureTolerance)
	}
	var anchors []float32
	for i := range gs {
		for k := range gs[i].len() {
			a := gs[i].at(k)
			anchors = append(anchors, a.x0, a.y0, a.x1, a.y1)
		}
	}
	r.check(t, "anchors", anchors, 0)

	recorded := make([][]box, len(b.Sizes))
	for i, got := range m.propose(levels, gs, b, m.arch.before.inference, m.arch.after.inference) {
		recorded[i] = boxesOf(r.Lists[fmt.Sprintf("proposals/%d", i)])
		checkBoxes(t, fmt.Sprintf("proposals of image %d", i), got, recorded[i])
	}
	pooled, _ := m.engine.Sample(levels, m.samples(recorded, nil))
	logits, offsets := m.heads.forward(pooled)
	r.check(t, "pooled", pooled.Float32s(), featureTolerance)
	r.check(t, "logits", logits.Float32s(), featureTolerance)
	r.check(t, "regression", offsets.Float32s(), featureTolerance)
}

// checkDetections fails unless each recorded detection is found, at its rank or
// among those whose score is the same but for rounding.
func checkDetections(t *testing.T, m *Model, r *reference) {
	t.Helper()
	for i, got := range m.Detect(Transform(m.config, referenceImages())) {
		scores, labels := r.Lists[fmt.Sprintf("scores/%d", i)], r.Lists[fmt.Sprintf("labels/%d", i)]
		boxes := boxesOf(r.Lists[fmt.Sprintf("boxes/%d", i)])
		if len(got) != len(boxes) || len(boxes) < 50 {
			t.Errorf("image %d: %d detections, want %d, at least 50", i, len(got), len(boxes))
			continue
		}
		for k, w := range boxes {
			same := func(d Detection) bool {
				return d.Label == int(labels[k]) && math.Abs(d.Score-float64(scores[k])) <= scoreTolerance && off(boxOf(d.Box), w) <= boxTolerance
			}
			if !slices.ContainsFunc(got[max(k-3, 0):min(k+4, len(got))], same) {
				t.Errorf("image %d, detection %d: %v, want category %v with score %v at %v", i, k, got[k], labels[k], scores[k], w)
			}
		}
	}
}

func TestTrainingAgreesWithTorchvision(t *testing.T) {
	e := enginetest.Open(t)
	forEachArch(t, func(t *testing.T, arch string, r *reference) {
		onReferenceModel(t, e, arch, tensor.Float32, remuda.MaxTrainableLayers(arch), func(m *Model) {
			checkTraining(t, m, r)
		})
	})
}

// checkTraining takes the recorded steps: losses of each, gradients of the
// first, and where the weights are after the last.
func checkTraining(t *testing.T, m *Model, r *reference) {
	b := Transform(m.config, referenceImages())
	var params, momenta []*tensor.Tensor
	var first [][]float32
	for _, p := range m.Trainable() {
		params = append(params, p.Value)
		momenta = append(momenta, m.engine.Zeros(tensor.Float32, p.Value.Shape()...))
		first = append(first, p.Value.Float32s())
	}
	for step, want := range r.Values.Losses {
		m.engine.Scope(func() {
			m.store.training()
			levels := m.features(b)
			gs := m.grids(levels, b)
			if step == 0 {
				for i, got := range m.propose(levels, gs, b, m.arch.before.training, m.arch.after.training) {
					checkBoxes(t, fmt.Sprintf("proposals of image %d in training", i), got, boxesOf(r.Lists[fmt.Sprintf("training_proposals/%d", i)]))
				}
			}
			drawn := r.Values.Chosen[step]
			l := m.lossesAt(levels, gs, drawn.proposals(), b, referenceTargets(), drawn.replay(t))
			tolerance := laterLossTolerance
			if step == 0 {
				tolerance = lossTolerance
			}
			checkLosses(t, fmt.Sprintf("step %d", step), l, want, tolerance)
			l.Total.Backward()
			if step == 0 {
				for _, p := range m.Trainable() {
					r.check(t, "gradient/"+p.Name, p.Value.Grad().Float32s(), gradientTolerance)
				}
			}
			m.engine.SGD(params, momenta, r.Values.Rate, 0.9, 0.0005)
			for _, p := range params {
				p.ZeroGrad()
			}
		})
	}
	for i, p := range m.Trainable() {
		change := p.Value.Float32s()
		for k := range change {
			change[k] -= first[i][k]
		}
		r.check(t, "change/"+p.Name, change, changeTolerance)
	}
}

func TestFrozenLayersLeaveTheOthersGradientsAsInTorchvision(t *testing.T) {
	e := enginetest.Open(t)
	forEachArch(t, func(t *testing.T, arch string, r *reference) {
		for _, trainable := range []int{0, 3} {
			onReferenceModel(t, e, arch, tensor.Float32, trainable, func(m *Model) {
				b := Transform(m.config, referenceImages())
				levels := m.features(b)
				drawn := r.Values.Chosen[0]
				m.lossesAt(levels, m.grids(levels, b), drawn.proposals(), b, referenceTargets(), drawn.replay(t)).Total.Backward()
				for _, p := range m.Trainable() {
					r.check(t, "gradient/"+p.Name, p.Value.Grad().Float32s(), gradientTolerance)
				}
			})
		}
	})
}

func TestBackgroundImagesTrainAsInTorchvision(t *testing.T) {
	e := enginetest.Open(t)
	forEachArch(t, func(t *testing.T, arch string, r *reference) {
		onReferenceModel(t, e, arch, tensor.Float32, 0, func(m *Model) {
			targets := referenceTargets()
			targets[1] = Target{}
			want := r.Values.Background
			b := Transform(m.config, referenceImages())
			levels := m.features(b)
			l := m.lossesAt(levels, m.grids(levels, b), want.Chosen.proposals(), b, targets, want.Chosen.replay(t))
			checkLosses(t, "background", l, want.Losses, lossTolerance)
		})
	})
}

func checkLosses(t *testing.T, what string, l Losses, want [4]float64, tolerance float64) {
	t.Helper()
	var sum float64
	for i, got := range [...]*tensor.Tensor{l.Classifier, l.BoxReg, l.Objectness, l.RPNBoxReg} {
		if v := got.Item(); !(math.Abs(v-want[i]) <= tolerance*want[i]) {
			t.Errorf("%s: loss %d is %v, want %v, off by %.2g of it", what, i, v, want[i], math.Abs(v-want[i])/want[i])
		}
		sum += want[i]
	}
	if v := l.Total.Item(); !(math.Abs(v-sum) <= tolerance*sum) {
		t.Errorf("%s: total loss is %v, want %v", what, v, sum)
	}
}

// checkBoxes fails unless each wanted box is there, at its rank or, since
// scores can be equal but for rounding, next to it.
func checkBoxes(t *testing.T, what string, got, want []box) {
	t.Helper()
	if len(got) != len(want) || len(want) < 50 {
		t.Errorf("%s: %d, want %d, at least 50", what, len(got), len(want))
		return
	}
	for i, w := range want {
		near := got[max(i-1, 0):min(i+2, len(got))]
		if !slices.ContainsFunc(near, func(g box) bool { return off(g, w) <= boxTolerance }) {
			t.Errorf("%s: box %d is %v, want %v", what, i, got[i], w)
			return
		}
	}
}

// off returns the largest difference of two boxes' coordinates.
func off(a, b box) float32 {
	return max(abs32(a.x0-b.x0), abs32(a.y0-b.y0), abs32(a.x1-b.x1), abs32(a.y1-b.y1))
}

// planes takes the head's outputs apart as torchvision has them: objectness
// [N, A, H·W] and offsets [N, 4A, H·W], from rows of 5A for each location.
func planes(images [][]float32, anchors int) (objectness, offsets []float32) {
	width := rpnOutputsPerAnchor * anchors
	for _, outputs := range images {
		for k := range width {
			for at := k; at < len(outputs); at += width {
				if k < anchors {
					objectness = append(objectness, outputs[at])
				} else {
					offsets = append(offsets, outputs[at])
				}
			}
		}
	}
	return objectness, offsets
}

func boxesOf(flat []float32) []box {
	var out []box
	for i := 0; i+3 < len(flat); i += 4 {
		out = append(out, box{flat[i], flat[i+1], flat[i+2], flat[i+3]})
	}
	return out
}

func abs32(v float32) float32 { return max(v, -v) }
