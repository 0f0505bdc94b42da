package detect

import (
	"math/rand/v2"
	"testing"

	"remuda"
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
