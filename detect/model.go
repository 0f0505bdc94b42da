package detect

import (
	"remuda/geom"
	"remuda/imageio"
	"remuda/tensor"
)

// Model is a Faster R-CNN on an engine. Its methods are called inside that
// engine's Do, except Config and DetectImage.
type Model struct {
	engine *tensor.Engine
	config Config
	arch   architecture
	store  *store

	body    backbone
	pyramid *pyramid
	rpn     *rpn
	heads   *roiHeads
}

// backbone turns images into feature maps of growing stride, one for each
// level of the pyramid but the pooled one.
type backbone interface {
	forward(x *tensor.Tensor) []*tensor.Tensor
}

// newBody declares an architecture's backbone and returns the channels of its
// feature maps.
func newBody(s *store, arch architecture, trainable int) (backbone, []int) {
	if arch.mobile {
		return newMobileNet(s, trainable)
	}
	return newResNet(s, trainable)
}

// New makes a model with random weights, drawn as torchvision initializes
// them, from a generator that gives the same numbers everywhere. Frozen batch
// norm starts as the identity. The error is coded remuda.Invalid.
func New(e *tensor.Engine, c Config, seed uint64) (*Model, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	arch, _ := architectureOf(c.Arch)
	s := newStore(e, c.Precision, seed)
	m := &Model{engine: e, config: c, arch: arch, store: s}
	body, channels := newBody(s, arch, c.TrainableLayers)
	m.body = body
	m.pyramid = newPyramid(s, channels)
	m.rpn = newRPN(s, 3*len(arch.anchorSizes[0]))
	m.heads = newRoIHeads(s, c.Categories+1)
	return m, nil
}

// Config returns what the model was made from.
func (m *Model) Config() Config { return m.config }

// Free frees the model's tensors. The model is of no use afterwards.
func (m *Model) Free() { m.store.free() }

// Target is what an image shows.
type Target struct {
	Boxes  []geom.Box // in pixels of the original image, each with a positive area; none is a background image
	Labels []int      // of each box: 1 to Config.Categories
}

// Losses are a step's four losses and their sum, float32 scalars with their
// gradient's history.
type Losses struct {
	Classifier *tensor.Tensor // cross-entropy of the sampled RoIs' categories, mean
	BoxReg     *tensor.Tensor // smooth L1 of the positive RoIs' offsets, over all sampled RoIs
	Objectness *tensor.Tensor // binary cross-entropy of the sampled anchors, mean
	RPNBoxReg  *tensor.Tensor // smooth L1 of the positive anchors' offsets, over all sampled anchors
	Total      *tensor.Tensor
}

// Losses runs the network over a batch and compares with the targets, one for
// each image. Backward of Total leaves gradients at Trainable's tensors.
func (m *Model) Losses(b Batch, targets []Target, sample Sampler) Losses {
	var l Losses
	m.engine.Scope(func() {
		m.store.training()
		levels := m.features(b)
		anchors := m.grids(levels, b)
		proposals := m.propose(levels, anchors, b, m.arch.before.training, m.arch.after.training)
		l = m.lossesAt(levels, anchors, proposals, b, targets, sample)
		for _, t := range []*tensor.Tensor{l.Classifier, l.BoxReg, l.Objectness, l.RPNBoxReg, l.Total} {
			t.Lift()
		}
	})
	return l
}

// lossesAt computes the losses given the pyramid and the proposals on it.
func (m *Model) lossesAt(levels []*tensor.Tensor, anchors []grid, proposals [][]box, b Batch, targets []Target, sample Sampler) Losses {
	truths := make([][]box, len(targets))
	labels := make([][]int32, len(targets))
	for i, t := range targets {
		for k, g := range t.Boxes {
			truths[i] = append(truths[i], boxOf(g).resized(b.Originals[i], b.Sizes[i]))
			labels[i] = append(labels[i], int32(t.Labels[k]))
		}
	}
	drawnAnchors := sampleAnchors(truths, anchors, sample)
	drawnRoIs := sampleRoIs(proposals, truths, labels, sample)
	pooled, patches := m.engine.Sample(levels, m.samples(drawnRoIs.boxes, drawnAnchors.patches))

	l := Losses{}
	if pooled != nil {
		l.Classifier, l.BoxReg = m.heads.losses(pooled, drawnRoIs)
	} else { // background images without a proposal; torchvision's mean over nothing would be NaN
		zero := m.engine.Zeros(tensor.Float32)
		l.Classifier, l.BoxReg = zero, zero.Detach()
	}
	l.Objectness, l.RPNBoxReg = m.rpn.losses(patches, drawnAnchors)
	l.Total = l.Classifier.Add(l.BoxReg).Add(l.Objectness).Add(l.RPNBoxReg)
	return l
}

// DetectImage is Detect of one image, transformed for the model. Unlike the
// other methods it is called outside of the engine's Do.
func (m *Model) DetectImage(image *imageio.RGB) ([]Detection, error) {
	input := Transform(m.config, []*imageio.RGB{image})
	var found []Detection
	err := m.engine.Do(func() error {
		found = m.Detect(input)[0]
		return nil
	})
	return found, err
}

// Detection is one object found.
type Detection struct {
	Label int      // 1 to Config.Categories
	Score float64  // 0.05 to 1
	Box   geom.Box // in pixels of the original image
}

// Detect returns what each image of the batch shows, best first and at most
// 100 an image.
func (m *Model) Detect(b Batch) [][]Detection {
	out := make([][]Detection, len(b.Sizes))
	m.engine.NoGrad(func() {
		m.store.inference()
		levels := m.features(b)
		anchors := m.grids(levels, b)
		proposals := m.propose(levels, anchors, b, m.arch.before.inference, m.arch.after.inference)
		pooled, _ := m.engine.Sample(levels, m.samples(proposals, nil))
		if pooled == nil { // no proposal in any image
			return
		}
		out = m.heads.detect(pooled, proposals, b)
	})
	return out
}

// features returns the pyramid over a batch, finest level first, the pooled level last.
func (m *Model) features(b Batch) []*tensor.Tensor {
	var levels []*tensor.Tensor
	m.engine.Scope(func() {
		x := m.engine.FromFloat32ChannelsLast(b.Pixels, len(b.Sizes), 3, b.Padded.Height, b.Padded.Width)
		levels = m.pyramid.forward(m.body.forward(x.To(m.config.Precision)))
		for _, l := range levels {
			l.Lift()
		}
	})
	return levels
}

// grids returns the anchors of each level.
func (m *Model) grids(levels []*tensor.Tensor, b Batch) []grid {
	sizes := make([]Size, len(levels))
	for i, l := range levels {
		sizes[i] = Size{Height: l.Dim(2), Width: l.Dim(3)}
	}
	return grids(m.arch.anchorSizes, sizes, b.Padded)
}

// samples says where to read the pyramid: RoIAlign at proposals and the
// neighbourhoods of anchors.
func (m *Model) samples(proposals [][]box, patches []int32) tensor.Samples {
	s := tensor.Samples{Size: roiSize, Ratio: roiRatio, Patches: patches}
	for _, stride := range m.arch.strides {
		s.Scales = append(s.Scales, 1/float64(stride))
	}
	// RoIs are never pooled from the last level; torch asks for a scale all the same.
	s.Scales = append(s.Scales, s.Scales[len(s.Scales)-1]/2)
	for image, boxes := range proposals {
		for _, p := range boxes {
			s.RoIs = append(s.RoIs, p.x0, p.y0, p.x1, p.y1)
			s.RoIImage = append(s.RoIImage, int32(image))
			s.RoILevel = append(s.RoILevel, roiLevel(p, m.arch.strides))
		}
	}
	return s
}

// Array is a named tensor outside the engine, in row-major order.
type Array struct {
	Shape []int
	Data  []float32
}

// LoadReport says what Load did not find usable.
type LoadReport struct {
	Fresh []string // tensors of the box predictor that were left as they are, since the file has them for other categories
}
