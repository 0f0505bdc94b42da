package detect

import (
	"math"
	"slices"

	"remuda/tensor"
)

// Numbers of the RoI heads, torchvision's.
const (
	roiSize            = 7 // bins a side
	roiRatio           = 2 // sampling points a side of a bin
	roiFeatures        = 1024
	roisPerImage       = 512  // sampled for the loss
	roiFraction        = 0.25 // of positives among them, at most
	detectionScore     = 0.05 // a detection has more
	detectionLeastSide = 1e-2
	detectionOverlap   = 0.5 // IoU above which the better of two detections of a category suppresses the other
	detectionsPerImage = 100
)

// roiHeads says what a proposal shows and where exactly.
type roiHeads struct {
	fc6, fc7      *linear
	score, offset *linear // of each category, the background being 0
	classes       int     // categories and the background
}

func newRoIHeads(s *store, classes int) *roiHeads {
	h := &roiHeads{
		fc6:     s.linear("roi_heads.box_head.fc6", pyramidChannels*roiSize*roiSize, roiFeatures, s.precision),
		fc7:     s.linear("roi_heads.box_head.fc7", roiFeatures, roiFeatures, s.precision),
		classes: classes,
	}
	// The predictor is small, and its outputs are what is scored: it stays in float32.
	h.score = s.linear(predictor+"cls_score", roiFeatures, classes, tensor.Float32)
	h.offset = s.linear(predictor+"bbox_pred", roiFeatures, 4*classes, tensor.Float32)
	return h
}

// forward takes pooled features [K, 256·7·7] and returns logits [K, classes]
// and offsets [K, 4·classes], in float32.
func (h *roiHeads) forward(pooled *tensor.Tensor) (logits, offsets *tensor.Tensor) {
	x := h.fc7.forward(h.fc6.forward(pooled, true), true).To(tensor.Float32)
	return h.score.forward(x, false), h.offset.forward(x, false)
}

// roiLevel returns the index of the level that a box is pooled from: larger
// boxes from coarser levels, a box of 224 × 224 from the one of stride 16
// (feature pyramid paper, equation 1).
func roiLevel(b box, strides []int) int32 {
	side := float32(math.Sqrt(float64(b.area())))
	k := math.Floor(float64(4 + float32(math.Log2(float64(side/224))) + 1e-6))
	lowest, highest := math.Log2(float64(strides[0])), math.Log2(float64(strides[len(strides)-1]))
	return int32(min(max(k, lowest), highest) - lowest)
}

// roiSample is the RoIs that a step's losses are about.
type roiSample struct {
	boxes   [][]box   // of each image
	labels  []int64   // of all, image by image; 0 is background
	offsets []float32 // four of each positive RoI, in order
}

// sampleRoIs matches proposals, and the ground truths themselves, to each
// image's ground truths and draws some.
func sampleRoIs(proposals, truths [][]box, labels [][]int32, sample Sampler) *roiSample {
	s := &roiSample{}
	coder := detectionCoder()
	for image, boxes := range truths {
		all := slices.Concat(proposals[image], boxes)
		classes := make([]int32, len(all))
		var matched []int32
		if len(boxes) > 0 {
			matched = matchProposals(boxes, all)
			for i, g := range matched {
				if g >= 0 {
					classes[i] = labels[image][g]
				}
			}
		}
		positives, negatives := balanced(classes, roisPerImage, roiFraction, sample)
		drawn := append(positives, negatives...)
		slices.Sort(drawn)
		rois := make([]box, len(drawn))
		for k, i := range drawn {
			rois[k] = all[i]
			s.labels = append(s.labels, int64(classes[i]))
			if classes[i] > 0 {
				offset := coder.encode(boxes[matched[i]], all[i])
				s.offsets = append(s.offsets, offset[:]...)
			}
		}
		s.boxes = append(s.boxes, rois)
	}
	return s
}

// losses compares the heads' outputs for sampled RoIs with what they are.
func (h *roiHeads) losses(pooled *tensor.Tensor, s *roiSample) (classifier, boxReg *tensor.Tensor) {
	logits, offsets := h.forward(pooled)
	var rows []int64
	for i, label := range s.labels {
		if label > 0 {
			rows = append(rows, int64(i*h.classes)+label)
		}
	}
	e := pooled.Engine()
	targets := e.FromFloat32(s.offsets, len(rows), 4)
	classifier = logits.CrossEntropy(s.labels)
	boxReg = offsets.Reshape(-1, 4).Index(0, rows).SmoothL1(targets, smoothL1Beta).Scale(1 / float64(len(s.labels)))
	return classifier, boxReg
}

// detect turns the heads' outputs for all proposals into detections.
func (h *roiHeads) detect(pooled *tensor.Tensor, proposals [][]box, b Batch) [][]Detection {
	logits, offsets := h.forward(pooled)
	scores, regression := logits.Softmax(1).Float32s(), offsets.Float32s()
	out := make([][]Detection, len(proposals))
	for image, boxes := range proposals {
		n := len(boxes) * h.classes
		out[image] = h.decode(boxes, scores[:n], regression[:4*n], b.Sizes[image], b.Originals[image])
		scores, regression = scores[n:], regression[4*n:]
	}
	return out
}

// decode returns one image's detections.
func (h *roiHeads) decode(proposals []box, scores, offsets []float32, size, original Size) []Detection {
	var boxes []box
	var confidences []float32
	var labels []int32
	coder := detectionCoder()
	for i, p := range proposals {
		for label := 1; label < h.classes; label++ {
			at := i*h.classes + label
			if !(scores[at] > detectionScore) {
				continue
			}
			b := coder.decode(offsets[4*at:4*at+4], p).clip(size)
			if b.width() >= detectionLeastSide && b.height() >= detectionLeastSide {
				boxes = append(boxes, b)
				confidences = append(confidences, scores[at])
				labels = append(labels, int32(label))
			}
		}
	}
	var out []Detection
	for _, i := range suppress(boxes, confidences, labels, detectionOverlap, detectionsPerImage) {
		out = append(out, Detection{
			Label: int(labels[i]),
			Score: float64(confidences[i]),
			Box:   boxes[i].resized(size, original).geom(),
		})
	}
	return out
}
