package detect

import "math"

// What a matched index can be instead of a ground truth's.
const (
	unmatched = -1 // overlaps no ground truth enough: background
	ignored   = -2 // overlaps too much for background and too little for a match
)

// matches is, for every anchor or proposal, the ground truth that it overlaps
// most and how much.
type matches struct {
	best []int32   // index of the ground truth, 0 where nothing overlaps
	iou  []float32 //
}

// settle turns best overlaps into matches: at least high is a match, below low
// is background, and between is ignored.
func (m matches) settle(low, high float32) []int32 {
	out := make([]int32, len(m.best))
	for i, v := range m.iou {
		switch {
		case v < low:
			out[i] = unmatched
		case v < high:
			out[i] = ignored
		default:
			out[i] = m.best[i]
		}
	}
	return out
}

func newMatches(n int) matches { return matches{make([]int32, n), make([]float32, n)} }

// matchProposals matches proposals to ground truths at IoU 0.5.
func matchProposals(truths, proposals []box) []int32 {
	const threshold = 0.5
	m := newMatches(len(proposals))
	for g, t := range truths {
		area := t.area()
		for i, p := range proposals {
			if v := t.iou(area, p, p.area()); v > m.iou[i] {
				m.iou[i], m.best[i] = v, int32(g)
			}
		}
	}
	return m.settle(threshold, threshold)
}

// matchAnchors matches the anchors of all levels to ground truths: IoU ≥ 0.7
// matches, < 0.3 is background. Every ground truth keeps the anchors that
// overlap it most, ties included, however little that is; such an anchor is
// matched to the ground truth that it overlaps most itself.
func matchAnchors(truths []box, gs []grid) []int32 {
	const low, high = 0.3, 0.7
	last := &gs[len(gs)-1]
	m := newMatches(last.first + last.len())
	highest := make([]float32, len(truths))
	for g, t := range truths {
		overlapping(gs, t, func(anchor int, iou float32) {
			if iou > m.iou[anchor] {
				m.iou[anchor], m.best[anchor] = iou, int32(g)
			}
			highest[g] = max(highest[g], iou)
		})
	}
	out := m.settle(low, high)
	for g, t := range truths {
		overlapping(gs, t, func(anchor int, iou float32) {
			if iou == highest[g] {
				out[anchor] = m.best[anchor]
			}
		})
	}
	return out
}

// overlapping visits the anchors that overlap t. Few of a level's anchors do,
// and which ones follows from the grid.
func overlapping(gs []grid, t box, visit func(anchor int, iou float32)) {
	area := t.area()
	for l := range gs {
		g := &gs[l]
		for c, cell := range g.cells {
			cellArea := cell.area()
			x0, x1 := span(t.x0-cell.x1, t.x1-cell.x0, g.strideX, g.w)
			y0, y1 := span(t.y0-cell.y1, t.y1-cell.y0, g.strideY, g.h)
			for y := y0; y < y1; y++ {
				for x := x0; x < x1; x++ {
					if v := t.iou(area, g.shifted(c, y, x), cellArea); v > 0 {
						visit(g.first+(y*g.w+x)*len(g.cells)+c, v)
					}
				}
			}
		}
	}
}

// span returns the range of grid positions whose shift lies between low and
// high pixels, clipped to n positions.
func span(low, high float32, stride, n int) (from, to int) {
	s := float64(stride)
	from = max(0, int(math.Floor(float64(low)/s)))
	to = min(n, int(math.Ceil(float64(high)/s))+1)
	return from, to
}
