package eval

import (
	"math/bits"
	"slices"
)

// average is COCO's average precision and recall of a category in one range of
// sizes, at each IoU limit; ok is false where there is nothing to find.
type average struct {
	ok        bool
	precision [steps]float64 // mean over 101 recalls
	recall    [steps]float64 // with 100 predictions an image
}

// averager computes averages with every image weighed: a weight of 2 counts
// an image twice, as if it and its predictions stood there two times. Weights of 1
// give COCO's numbers.
type averager struct {
	weight []int32                 // of every image
	best   [recalls][steps]float64 // the best precision at which a recall is the highest reached
	known  [][]uint8               // the reach of small numbers of positives, since draws ask for the same again
	large  []uint8
}

// oneMore is numpy.spacing(1), which COCO adds to avoid a division by zero.
const oneMore = 0x1p-52

// of returns a column's averages in range r.
func (v *averager) of(c *column, r int) average {
	positives := int32(0)
	for _, image := range c.positives[r] {
		positives += v.weight[image]
	}
	if positives == 0 {
		return average{}
	}
	found := v.sweep(&c.lines[r], v.reach(positives))
	a := average{ok: true}
	a.precision = v.interpolated()
	for step := range steps {
		a.recall[step] = float64(found[step]) / float64(positives)
	}
	return a
}

// sweep goes through the predictions by falling confidence, notes the best
// precision by recall at each limit, and counts the true positives.
func (v *averager) sweep(l *lineup, reach []uint8) (found [steps]int32) {
	var ignored [steps]int32
	clear(v.best[:])
	seen, at := int32(0), int32(0)
	for i := range l.events {
		e := &l.events[i]
		for _, image := range l.wrong[at:e.wrong] {
			seen += v.weight[image]
		}
		at = e.wrong
		w := v.weight[e.image] // of 0 too, since it may end a row
		seen += w
		for ig := e.ig; ig != 0; ig &= ig - 1 {
			ignored[bits.TrailingZeros16(ig)] += w
		}
		for tp := e.tp; tp != 0; tp &= tp - 1 {
			step := bits.TrailingZeros16(tp)
			found[step] += w
			if e.last>>step&1 == 0 {
				continue
			}
			precision := float64(found[step]) / (float64(seen-ignored[step]) + oneMore)
			best := &v.best[reach[found[step]]-1][step] // recall 0 is always reached
			*best = max(*best, precision)
		}
	}
	return found
}

// recallWithin returns the recall at each limit with so many predictions of a
// category on an image.
func (v *averager) recallWithin(c *column, predictions uint8) (recall [steps]float64) {
	positives := 0.0
	for _, image := range c.positives[0] {
		positives += float64(v.weight[image])
	}
	for _, e := range c.lines[0].events {
		if e.rank >= predictions {
			continue
		}
		for tp := e.tp; tp != 0; tp &= tp - 1 {
			recall[bits.TrailingZeros16(tp)] += float64(v.weight[e.image])
		}
	}
	for step := range recall {
		recall[step] /= positives
	}
	return recall
}

// reach returns how many of the 101 recalls, 0 among them, are reached with
// each number of true positives.
func (v *averager) reach(positives int32) []uint8 {
	const small = 4096
	n := int(positives) + 1
	if n > small {
		v.large = slices.Grow(v.large[:0], n)[:n]
		fillReach(v.large)
		return v.large
	}
	for len(v.known) <= n {
		v.known = append(v.known, nil)
	}
	if v.known[n] == nil {
		v.known[n] = make([]uint8, n)
		fillReach(v.known[n])
	}
	return v.known[n]
}

// fillReach compares doubles exactly as numpy's searchsorted does: 0.35 is a
// little less than 35 times 0.01 there.
func fillReach(reach []uint8) {
	positives := float64(len(reach) - 1)
	r := 0
	for n := range reach {
		for r < recalls && float64(n)/positives >= recallLevel(r) {
			r++
		}
		reach[n] = uint8(r)
	}
}

// recallLevel returns one of the 101 recalls as numpy's linspace gives it.
func recallLevel(r int) float64 {
	if r == recalls-1 {
		return 1
	}
	return float64(r) * 0.01
}

// interpolated returns, at each limit, the mean over the 101 recalls of the
// best precision at that recall or a higher one.
func (v *averager) interpolated() (mean [steps]float64) {
	var most [steps]float64
	for r := recalls - 1; r >= 0; r-- {
		for step, best := range &v.best[r] {
			most[step] = max(most[step], best)
			mean[step] += most[step]
		}
	}
	for step := range mean {
		mean[step] /= recalls
	}
	return mean
}

// total gathers COCO's means over categories, and over IoU limits from one to another.
type total struct {
	sum float64
	n   int
}

func (t *total) add(values ...float64) {
	for _, v := range values {
		t.sum += v
	}
	t.n += len(values)
}

// mean returns −1 for nothing.
func (t total) mean() float64 {
	if t.n == 0 {
		return -1
	}
	return t.sum / float64(t.n)
}

// coco returns the twelve numbers with the images weighed.
func (v *averager) coco(t *tables) Metrics {
	var ap, ar [areas]total
	var ap50, ap75, ar1, ar10 total
	for k := range t.columns {
		for r := range areas {
			a := v.of(&t.columns[k], r)
			if !a.ok {
				continue
			}
			ap[r].add(a.precision[:]...)
			ar[r].add(a.recall[:]...)
			if r == 0 {
				ap50.add(a.precision[0])
				ap75.add(a.precision[5])
				one, ten := v.recallWithin(&t.columns[k], 1), v.recallWithin(&t.columns[k], 10)
				ar1.add(one[:]...)
				ar10.add(ten[:]...)
			}
		}
	}
	return Metrics{
		AP: ap[0].mean(), AP50: ap50.mean(), AP75: ap75.mean(), APSmall: ap[1].mean(), APMedium: ap[2].mean(), APLarge: ap[3].mean(),
		AR1: ar1.mean(), AR10: ar10.mean(), AR100: ar[0].mean(), ARSmall: ar[1].mean(), ARMedium: ar[2].mean(), ARLarge: ar[3].mean(),
	}
}

// ap returns AP alone, and −1 where there is none.
func (v *averager) ap(t *tables) float64 {
	var ap total
	for k := range t.columns {
		if a := v.of(&t.columns[k], 0); a.ok {
			ap.add(a.precision[:]...)
		}
	}
	return ap.mean()
}

// harmonic returns 2ab/(a+b), 0 for two zeros and −1 where one is missing.
func harmonic(a, b float64) float64 {
	switch {
	case a < 0 || b < 0:
		return -1
	case a+b == 0:
		return 0
	}
	return 2 * a * b / (a + b)
}

// ones returns n weights of 1.
func ones(n int) []int32 {
	w := make([]int32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}
