package detect

import (
	"math/rand/v2"
	"testing"
	"time"

	"remuda"
	"remuda/imageio"
	"remuda/internal/enginetest"
	"remuda/tensor"
)

// benchLevels returns a batch's anchors and plausible outputs of the head.
func benchLevels(arch string, padded Size) ([]grid, [][]float32) {
	a, _ := architectureOf(arch)
	var sizes []Size
	for _, stride := range a.strides {
		sizes = append(sizes, Size{padded.Height / stride, padded.Width / stride})
	}
	last := sizes[len(sizes)-1]
	sizes = append(sizes, Size{(last.Height + 1) / 2, (last.Width + 1) / 2})
	gs := grids(a.anchorSizes, sizes, padded)
	rng := rand.New(rand.NewPCG(1, 2))
	outputs := make([][]float32, len(gs))
	for l := range gs {
		outputs[l] = make([]float32, rpnOutputsPerAnchor*gs[l].len())
		for i := range outputs[l] {
			outputs[l][i] = float32(0.3 * rng.NormFloat64())
		}
	}
	return gs, outputs
}

// BenchmarkGoPartsOfAStep measures what a training step computes outside the
// engine for one image.
func BenchmarkGoPartsOfAStep(b *testing.B) {
	for arch, padded := range map[string]Size{remuda.ResNet50FPN: {800, 1088}, remuda.MobileNetV3Large320: {320, 448}} {
		a, _ := architectureOf(arch)
		gs, outputs := benchLevels(arch, padded)
		truths := [][]box{{{100, 100, 300, 250}, {20, 30, 90, 80}, {150, 10, 200, 200}, {10, 200, 60, 310}, {220, 120, 310, 300}}}
		labels := [][]int32{{1, 2, 1, 2, 1}}
		proposals := proposalsIn(outputs, gs, padded, a)
		b.Run(arch+"/propose", func(b *testing.B) {
			for b.Loop() {
				proposalsIn(outputs, gs, padded, a)
			}
		})
		b.Run(arch+"/anchors", func(b *testing.B) {
			for b.Loop() {
				sampleAnchors(truths, gs, seeded())
			}
		})
		b.Run(arch+"/rois", func(b *testing.B) {
			for b.Loop() {
				sampleRoIs([][]box{proposals}, truths, labels, seeded())
			}
		})
	}
}

func proposalsIn(outputs [][]float32, gs []grid, size Size, a architecture) []box {
	c := candidates{size: size, least: a.proposalScore}
	for l := range gs {
		c.add(int32(l), &gs[l], outputs[l], a.before.training)
	}
	var out []box
	for _, i := range suppress(c.boxes, c.scores, c.levels, proposalOverlap, a.after.training) {
		out = append(out, c.boxes[i])
	}
	return out
}

// BenchmarkStep measures a training step of two images of 600 × 800 pixels and
// one image's detections, with torchvision's three trainable layers. The
// metrics are the step's parts in milliseconds.
func BenchmarkStep(b *testing.B) {
	e := enginetest.Open(b)
	for _, arch := range []string{remuda.ResNet50FPN, remuda.MobileNetV3Large320} {
		for _, precision := range []tensor.DType{tensor.Float32, tensor.BFloat16} {
			c := Config{Arch: arch, Categories: 3, TrainableLayers: 3, Precision: precision}
			images := []*imageio.RGB{referenceImage("a", 600, 800), referenceImage("b", 600, 800)}
			err := e.Do(func() error {
				m, err := New(e, c, 1)
				if err != nil {
					return err
				}
				defer m.Free()
				b.Run(arch+"/"+precision.String()+"/train", func(b *testing.B) {
					batch := Transform(c, images)
					var parts [4]time.Duration
					for b.Loop() {
						e.Scope(func() { timeStep(m, batch, &parts) })
					}
					for i, name := range [...]string{"features", "proposals", "losses", "backward"} {
						b.ReportMetric(parts[i].Seconds()*1e3/float64(b.N), name+"-ms/op")
					}
				})
				b.Run(arch+"/"+precision.String()+"/detect", func(b *testing.B) {
					batch := Transform(c, images[:1])
					for b.Loop() {
						e.Scope(func() { m.Detect(batch) })
					}
				})
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func timeStep(m *Model, batch Batch, parts *[4]time.Duration) {
	start := time.Now()
	lap := func(i int) { parts[i] += time.Since(start); start = time.Now() }
	m.store.training()
	levels := m.features(batch)
	gs := m.grids(levels, batch)
	lap(0)
	proposals := m.propose(levels, gs, batch, m.arch.before.training, m.arch.after.training)
	lap(1)
	total := m.lossesAt(levels, gs, proposals, batch, referenceTargets(), seeded()).Total
	lap(2)
	total.Backward()
	for _, p := range m.Trainable() {
		p.Value.ZeroGrad()
	}
	lap(3)
}
