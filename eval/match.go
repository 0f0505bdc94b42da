package eval

import (
	"cmp"
	"slices"

	"remuda"
	"remuda/geom"
)

// matcher does the matching of one image and category after the other, and
// keeps its scratch space between them.
type matcher struct {
	tables *tables
	truth  []target
	pairs  []pair
	taken  []uint16 // of every target, a bit for each IoU limit
	limit  limits
}

// target is a ground truth of the group at hand.
type target struct {
	box   geom.Box
	area  float64 // of the box
	size  float64 // that COCO's ranges go by
	index int32
	crowd bool
}

// pair is a target that overlaps the prediction at hand by at least the lowest limit.
type pair struct {
	target int32
	iou    float64
}

// group matches the predictions of one category on one image to its ground
// truth and appends the outcome to the column.
func (m *matcher) group(c *column, image int32, truth []remuda.Annotation, gs []int32, predictions []remuda.Annotation, ps []int32) {
	m.start(c, image, truth, gs)
	slices.SortStableFunc(ps, func(a, b int32) int {
		return cmp.Compare(predictions[b].Confidence, predictions[a].Confidence)
	})
	for rank, p := range ps {
		if rank == MaxDetections {
			for _, past := range ps[rank:] {
				m.tables.answers[past].out = true
			}
			break
		}
		m.answer(c, image, p, &predictions[p], uint8(rank))
	}
}

// start makes the group's targets ready and notes them as to be found.
func (m *matcher) start(c *column, image int32, truth []remuda.Annotation, gs []int32) {
	m.truth = m.truth[:0]
	for _, g := range gs {
		a := &truth[g]
		t := target{box: a.Box, area: boxArea(a.Box), size: a.Area, index: g, crowd: a.Crowd}
		m.truth = append(m.truth, t)
		m.tables.truths[g].out = a.Crowd || !within(t.size, 0)
		for r := range areas {
			if !a.Crowd && within(t.size, r) {
				c.positives[r] = append(c.positives[r], image)
			}
		}
	}
	m.taken = append(m.taken[:0], make([]uint16, areas*len(gs))...)
}

func within(size float64, r int) bool { return size >= areaRange[r][0] && size <= areaRange[r][1] }

// answer matches one prediction in every range and at every limit. The
// predictions of a group come best first.
func (m *matcher) answer(c *column, image, at int32, p *remuda.Annotation, rank uint8) {
	size := boxArea(p.Box)
	m.pairUp(at, p.Box, size)
	c.answer = append(c.answer, at)
	c.image = append(c.image, image)
	c.score = append(c.score, p.Confidence)
	c.rank = append(c.rank, rank)
	for r := range areas {
		tp, ig := m.choose(r, at)
		if !within(size, r) {
			ig |= every &^ tp // unmatched and of another size
		}
		c.tp[r] = append(c.tp[r], tp)
		c.ig[r] = append(c.ig[r], ig)
	}
	m.tables.answers[at].out = c.ig[0][len(c.ig[0])-1]&1 != 0
}

// overlap returns the IoU of a prediction and a ground truth, with their areas
// given; of a crowd region, the share of the prediction that lies in it.
func overlap(p geom.Box, area float64, truth geom.Box, truthArea float64, crowd bool) float64 {
	w := min(p.X1, truth.X1) - max(p.X0, truth.X0)
	h := min(p.Y1, truth.Y1) - max(p.Y0, truth.Y0)
	if !(w > 0 && h > 0) {
		return 0
	}
	shared := w * h
	if crowd {
		return shared / area
	}
	return shared / (area + truthArea - shared)
}

// pairUp lists the targets that a prediction can match. Both fates learn of
// the largest overlap.
func (m *matcher) pairUp(at int32, b geom.Box, area float64) {
	m.pairs = m.pairs[:0]
	answer := &m.tables.answers[at]
	for i := range m.truth {
		t := &m.truth[i]
		iou := overlap(b, area, t.box, t.area, t.crowd)
		if iou == 0 {
			continue
		}
		if !t.crowd {
			answer.iou = max(answer.iou, iou)
		}
		if truth := &m.tables.truths[t.index]; truth.match < 0 {
			truth.iou = max(truth.iou, iou)
		}
		if iou >= m.limit[0] {
			m.pairs = append(m.pairs, pair{int32(i), iou})
		}
	}
}

// choose matches the prediction at hand in one range of sizes: at each limit
// it takes the free target that it overlaps most, the later one of equals; one that is
// ignored (a crowd, or of another size) only where no other will do. It returns the
// limits at which that is a true positive, and those at which it is ignored.
func (m *matcher) choose(r int, at int32) (tp, ig uint16) {
	if len(m.pairs) == 0 {
		return 0, 0
	}
	taken := m.taken[r*len(m.truth):]
	for step := range steps {
		best := m.best(r, step, taken, false)
		ignored := best < 0
		if ignored {
			best = m.best(r, step, taken, true)
		}
		if best < 0 {
			continue
		}
		t := m.pairs[best].target
		taken[t] |= 1 << step
		if ignored {
			ig |= 1 << step
		} else {
			tp |= 1 << step
		}
		if r == 0 && step == 0 {
			m.settle(at, m.pairs[best])
		}
	}
	return tp, ig
}

// best returns the pair to take at a limit, or −1.
func (m *matcher) best(r, step int, taken []uint16, ignored bool) int {
	best, most := -1, m.limit[step]
	for i, p := range m.pairs {
		t := &m.truth[p.target]
		if (t.crowd || !within(t.size, r)) != ignored {
			continue
		}
		if p.iou < most || (!t.crowd && taken[p.target]>>step&1 != 0) {
			continue
		}
		best, most = i, p.iou
	}
	return best
}

// settle writes down a match at IoU ≥ 0.5 for both boxes.
func (m *matcher) settle(answer int32, p pair) {
	t := &m.truth[p.target]
	a := &m.tables.answers[answer]
	a.match, a.iou = t.index, p.iou
	if !t.crowd {
		g := &m.tables.truths[t.index]
		g.match, g.iou = answer, p.iou
	}
}
