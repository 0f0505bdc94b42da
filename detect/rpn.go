package detect

import (
	"sync"

	"remuda/tensor"
)

// Numbers of the region proposal network, torchvision's.
const (
	anchorsPerImage     = 256 // sampled for the loss
	anchorFraction      = 0.5 // of positives among them, at most
	proposalOverlap     = 0.7 // IoU above which the better of two proposals suppresses the other
	proposalLeastSide   = 1e-3
	smoothL1Beta        = 1.0 / 9
	rpnOutputsPerAnchor = 5 // objectness and four offsets
)

// rpn is the region proposal network's head, shared by all levels.
type rpn struct {
	conv          *conv // 3×3 with ReLU
	score, offset *conv // 1×1: objectness and four offsets of each anchor of a location
	anchors       int   // of a location
}

func newRPN(s *store, anchors int) *rpn {
	declare := func(name string, out, kernel int, act tensor.Activation) *conv {
		return s.conv(convLayer{
			name: "rpn.head." + name, in: pyramidChannels, out: out, kernel: kernel, stride: 1,
			activation: act, fill: normalOf(0.01), trainable: true,
		})
	}
	return &rpn{
		conv:    declare("conv.0.0", pyramidChannels, 3, tensor.ReLU),
		score:   declare("cls_logits", anchors, 1, tensor.None),
		offset:  declare("bbox_pred", 4*anchors, 1, tensor.None),
		anchors: anchors,
	}
}

// joint returns the two output layers as one: outputs 0 to anchors−1 are
// objectness, then come four offsets an anchor.
func (r *rpn) joint() (w, b *tensor.Tensor) {
	return tensor.Cat(0, r.score.weight, r.offset.weight), tensor.Cat(0, r.score.bias, r.offset.bias)
}

// dense runs the head at every location without gradient and returns its
// outputs for each level and image, in y, x, output order. It takes one image
// at a time: the hidden features are as large as the level.
func (r *rpn) dense(levels []*tensor.Tensor) [][][]float32 {
	out := make([][][]float32, len(levels))
	e := levels[0].Engine()
	e.NoGrad(func() {
		w, b := r.joint()
		for i, l := range levels {
			for image := range l.Dim(0) {
				e.Scope(func() {
					hidden := r.conv.forward(l.Detach().Narrow(0, image, 1), nil)
					outputs := hidden.Conv2D(w.Fold(nil, l.DType()), b.To(l.DType()), tensor.Conv{})
					out[i] = append(out[i], outputs.Float32sChannelsLast())
				})
			}
		}
	})
	return out
}

// propose returns each image's proposals, best first: the before best of each
// level, clipped, without small and improbable ones, after non-maximum
// suppression within their level, and of those the after best.
func (m *Model) propose(levels []*tensor.Tensor, gs []grid, b Batch, before, after int) [][]box {
	outputs := m.rpn.dense(levels)
	proposals := make([][]box, len(b.Sizes))
	var wg sync.WaitGroup
	for image := range proposals {
		wg.Go(func() {
			c := candidates{size: b.Sizes[image], least: m.arch.proposalScore}
			for l := range gs {
				c.add(int32(l), &gs[l], outputs[l][image], before)
			}
			for _, i := range suppress(c.boxes, c.scores, c.levels, proposalOverlap, after) {
				proposals[image] = append(proposals[image], c.boxes[i])
			}
		})
	}
	wg.Wait()
	return proposals
}

// candidates are an image's proposals before suppression.
type candidates struct {
	size   Size    // of the image, without padding
	least  float32 // score
	boxes  []box
	scores []float32
	levels []int32
}

// add takes the k best anchors of a level, given the head's outputs there.
func (c *candidates) add(level int32, g *grid, outputs []float32, k int) {
	a := len(g.cells)
	logits := make([]float32, 0, g.len())
	for at := 0; at < len(outputs); at += rpnOutputsPerAnchor * a {
		logits = append(logits, outputs[at:at+a]...)
	}
	coder := proposalCoder()
	for _, i := range topK(logits, k) {
		location, cell := int(i)/a, int(i)%a
		offset := outputs[location*rpnOutputsPerAnchor*a+a+4*cell:]
		b := coder.decode(offset[:4], g.at(int(i))).clip(c.size)
		score := sigmoid32(logits[i])
		if b.width() >= proposalLeastSide && b.height() >= proposalLeastSide && score >= c.least {
			c.boxes = append(c.boxes, b)
			c.scores = append(c.scores, score)
			c.levels = append(c.levels, level)
		}
	}
}

// anchorSample is the anchors that a step's RPN loss is about.
type anchorSample struct {
	patches []int32   // level, image, y, x of each location that has one
	rows    []int     // of each anchor, its location's index in patches
	cells   []int     // of each anchor, which of its location's
	labels  []float32 // of each anchor: 1 for objects
	offsets []float32 // four of each positive anchor, in order
}

// sampleAnchors matches anchors to each image's ground truths and draws some.
func sampleAnchors(truths [][]box, gs []grid, sample Sampler) *anchorSample {
	s := &anchorSample{}
	last := &gs[len(gs)-1]
	labels := make([]int32, last.first+last.len())
	for image, boxes := range truths {
		var matched []int32
		clear(labels) // without boxes everything is background
		if len(boxes) > 0 {
			matched = matchAnchors(boxes, gs)
			for i, g := range matched {
				switch {
				case g >= 0:
					labels[i] = 1
				case g == ignored:
					labels[i] = -1
				}
			}
		}
		s.draw(image, boxes, gs, labels, matched, sample)
	}
	return s
}

// draw samples one image's anchors.
func (s *anchorSample) draw(image int, truths []box, gs []grid, labels, matched []int32, sample Sampler) {
	positives, negatives := balanced(labels, anchorsPerImage, anchorFraction, sample)
	rowOf := make(map[int]int) // by first anchor of the location
	coder := proposalCoder()
	for k, list := range [...][]int32{positives, negatives} {
		for _, anchor := range list {
			level, i := locate(gs, int(anchor))
			g := &gs[level]
			location, cell := i/len(g.cells), i%len(g.cells)
			row, ok := rowOf[int(anchor)-cell]
			if !ok {
				row = len(s.patches) / 4
				rowOf[int(anchor)-cell] = row
				s.patches = append(s.patches, int32(level), int32(image), int32(location/g.w), int32(location%g.w))
			}
			s.rows = append(s.rows, row)
			s.cells = append(s.cells, cell)
			if k == 0 {
				s.labels = append(s.labels, 1)
				offset := coder.encode(truths[matched[anchor]], g.at(i))
				s.offsets = append(s.offsets, offset[:]...)
			} else {
				s.labels = append(s.labels, 0)
			}
		}
	}
}

// losses runs the head once more, with gradient, at the sampled locations
// alone: the loss touches no other, so these are its gradient's only sources.
// patches is [P, 256·9] as tensor.Engine.Sample returns it.
func (r *rpn) losses(patches *tensor.Tensor, s *anchorSample) (objectness, boxReg *tensor.Tensor) {
	e := patches.Engine()
	hidden := patches.Linear(r.conv.weight.Reshape(pyramidChannels, -1), r.conv.bias, true)
	w, b := r.joint()
	outputs := rpnOutputsPerAnchor * r.anchors
	out := hidden.To(tensor.Float32).Linear(w.Reshape(outputs, -1), b, false).Reshape(-1)

	logits := make([]int64, len(s.rows))
	var offsets []int64
	for i, row := range s.rows {
		first := row * outputs
		logits[i] = int64(first + s.cells[i])
		if s.labels[i] == 1 {
			for c := range 4 {
				offsets = append(offsets, int64(first+r.anchors+4*s.cells[i]+c))
			}
		}
	}
	objectness = out.Index(0, logits).BCEWithLogits(e.FromFloat32(s.labels, len(s.labels)))
	boxReg = out.Index(0, offsets).SmoothL1(e.FromFloat32(s.offsets, len(s.offsets)), smoothL1Beta).Scale(1 / float64(len(s.rows)))
	return objectness, boxReg
}
