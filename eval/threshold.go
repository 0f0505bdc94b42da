package eval

import (
	"cmp"
	"slices"
)

// maxPoints is how many points of the precision-recall curve are kept.
const maxPoints = 400

// vote is a prediction that counts, at IoU ≥ 0.5.
type vote struct {
	score float64
	tp    bool
}

// votes returns the predictions of some columns that count, best first.
func votes(columns []column) []vote {
	n := 0
	for k := range columns {
		n += len(columns[k].score)
	}
	list := make([]vote, 0, n)
	for k := range columns {
		c := &columns[k]
		for i, s := range c.score {
			if c.ig[0][i]&1 == 0 {
				list = append(list, vote{s, c.tp[0][i]&1 != 0})
			}
		}
	}
	if len(columns) > 1 { // one column is in order already
		slices.SortFunc(list, func(a, b vote) int { return cmp.Compare(b.score, a.score) })
	}
	return list
}

// tally counts outcomes.
type tally struct{ tp, fp, fn int }

// precision returns TP/(TP+FP): 0 without predictions, −1 without ground truth as well.
func (t tally) precision() float64 {
	switch {
	case t.tp+t.fp > 0:
		return float64(t.tp) / float64(t.tp+t.fp)
	case t.tp+t.fn > 0:
		return 0
	}
	return -1
}

// recall returns TP/(TP+FN), −1 without ground truth.
func (t tally) recall() float64 {
	if t.tp+t.fn == 0 {
		return -1
	}
	return float64(t.tp) / float64(t.tp+t.fn)
}

// f1 returns 2TP/(2TP+FP+FN), −1 without ground truth.
func (t tally) f1() float64 {
	if t.tp+t.fn == 0 {
		return -1
	}
	return 2 * float64(t.tp) / float64(2*t.tp+t.fp+t.fn)
}

// curve returns a point for every confidence that occurs, by falling threshold.
func curve(votes []vote, positives int) []Point {
	points := []Point{}
	t := tally{fn: positives}
	for i, v := range votes {
		if v.tp {
			t.tp++
			t.fn--
		} else {
			t.fp++
		}
		if i+1 < len(votes) && votes[i+1].score == v.score {
			continue
		}
		points = append(points, Point{v.score, t.precision(), t.recall(), t.f1()})
	}
	return points
}

// bestThreshold returns the highest threshold with the best F1. Where nothing
// was predicted or is to be found, all are alike and it is 0.5.
func bestThreshold(points []Point) float64 {
	best := Point{Threshold: 0.5, F1: -1}
	for _, p := range points {
		if p.F1 > best.F1 {
			best = p
		}
	}
	return best.Threshold
}

// thin leaves at most maxPoints of a curve: both ends, the threshold's point
// and others evenly along the way.
func thin(points []Point, threshold float64) []Point {
	if len(points) <= maxPoints {
		return points
	}
	at, _ := slices.BinarySearchFunc(points, threshold, func(p Point, t float64) int { return cmp.Compare(t, p.Threshold) })
	places := []int{min(at, len(points)-1)}
	for i := range maxPoints - 1 {
		places = append(places, i*(len(points)-1)/(maxPoints-2))
	}
	slices.Sort(places)
	var kept []Point
	for _, i := range slices.Compact(places) {
		kept = append(kept, points[i])
	}
	return kept
}

// perImage counts outcomes at a threshold on every image, for the columns given.
func (t *tables) perImage(threshold float64) []tally {
	images := make([]tally, len(t.images))
	for k := range t.columns {
		c := &t.columns[k]
		for _, image := range c.positives[0] {
			images[image].fn++
		}
		for i, s := range c.score {
			if s < threshold {
				break
			}
			at := &images[c.image[i]]
			switch {
			case c.tp[0][i]&1 != 0:
				at.tp++
				at.fn--
			case c.ig[0][i]&1 == 0:
				at.fp++
			}
		}
	}
	return images
}

// at counts a column's outcomes at a threshold.
func (c *column) at(threshold float64) tally {
	t := tally{fn: len(c.positives[0])}
	for i, s := range c.score {
		if s < threshold {
			break
		}
		switch {
		case c.tp[0][i]&1 != 0:
			t.tp++
			t.fn--
		case c.ig[0][i]&1 == 0:
			t.fp++
		}
	}
	return t
}

// weighed adds up the images' tallies by weight.
func weighed(images []tally, weight []twin) (sum [both]tally) {
	var tp, fp, fn twin
	for i, t := range images {
		w := weight[i]
		tp += w * twin(t.tp)
		fp += w * twin(t.fp)
		fn += w * twin(t.fn)
	}
	for side := range sum {
		sum[side] = tally{int(tp.of(side)), int(fp.of(side)), int(fn.of(side))}
	}
	return sum
}
