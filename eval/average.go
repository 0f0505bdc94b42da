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
	recall    [steps]float64 // with 100 predictions of it on an image
}

// twin holds two counts side by side, so that two draws cost little more than
// one: adding twins adds both. Counts stay below 2³².
type twin uint64

const both = 2

func (t twin) of(side int) uint32 { return uint32(t >> (32 * side)) }

// averager computes averages with every image weighed, for two sets of weights
// at once. A weight of 2 counts an image twice, as if it and its predictions stood
// there two times; weights of 1 give COCO's numbers.
type averager struct {
	weight []twin                        // of every image
	seen   []twin                        // weight of the predictions up to each event
	wrong  []twin                        // and of the plain false positives
	found  []twin                        // and of the true positives at a limit
	best   [both][recalls][steps]float64 // the best precision at which a recall is the highest reached
	known  [][]uint8                     // the reach of small numbers of positives, since draws ask for the same again
	large  [both][]uint8
}

// oneMore is numpy.spacing(1), which COCO adds to avoid a division by zero.
const oneMore = 0x1p-52

// of returns a column's averages in range r.
func (v *averager) of(c *column, r int) (a [both]average) {
	var positives twin
	for _, image := range c.positives[r] {
		positives += v.weight[image]
	}
	if positives == 0 {
		return a
	}
	l := &c.lines[r]
	v.see(l)
	clear(v.best[:])
	reach := [both][]uint8{v.reach(0, positives.of(0)), v.reach(1, positives.of(1))}
	for step := range l.steps {
		found := v.sweep(step, &l.steps[step], reach)
		for side := range a {
			a[side].recall[step] = float64(found.of(side)) / float64(positives.of(side))
		}
	}
	for side := range a {
		a[side].ok = positives.of(side) > 0
		a[side].precision = interpolated(&v.best[side])
	}
	return a
}

// see adds up the predictions by falling confidence.
func (v *averager) see(l *lineup) {
	v.wrong = v.sums(v.wrong, l.wrong)
	v.seen = slices.Grow(v.seen[:0], len(l.events))[:len(l.events)]
	seen := twin(0)
	for i := range l.events {
		e := &l.events[i]
		seen += v.weight[e.image]
		v.seen[i] = seen + v.wrong[e.wrong]
	}
}

// sums returns the weight of the first n images at n, in the given space.
func (v *averager) sums(space []twin, images []int32) []twin {
	space = slices.Grow(space[:0], len(images)+1)[:len(images)+1]
	sum, weight := twin(0), v.weight
	for i, image := range images {
		space[i] = sum
		sum += weight[image]
	}
	space[len(images)] = sum
	return space
}

// sweep notes the precision at the end of every row, and returns the true positives.
func (v *averager) sweep(step int, s *stepLine, reach [both][]uint8) (found twin) {
	v.found = v.sums(v.found, s.hits)
	ignored, marks := twin(0), s.ignored
	for _, row := range s.rows {
		for len(marks) > 0 && marks[0].event < row.event {
			ignored += v.weight[marks[0].image]
			marks = marks[1:]
		}
		found, counted := v.found[row.hits], v.seen[row.event]-ignored
		for side := range both {
			n := found.of(side)
			precision := float64(n) / (float64(counted.of(side)) + oneMore)
			best := &v.best[side][reach[side][n]-1][step]
			*best = max(*best, precision)
		}
	}
	return v.found[len(s.hits)]
}

// recallWithin returns the recall at each limit with so many predictions of a
// category on an image.
func (v *averager) recallWithin(c *column, predictions uint8) (recall [both][steps]float64) {
	var positives twin
	for _, image := range c.positives[0] {
		positives += v.weight[image]
	}
	var found [steps]twin
	for _, e := range c.lines[0].events {
		if e.rank >= predictions {
			continue
		}
		for tp := e.tp; tp != 0; tp &= tp - 1 {
			found[bits.TrailingZeros16(tp)] += v.weight[e.image]
		}
	}
	for side := range both {
		for step := range steps {
			recall[side][step] = float64(found[step].of(side)) / float64(positives.of(side))
		}
	}
	return recall
}

// reach returns how many of the 101 recalls, 0 among them, are reached with
// each number of true positives.
func (v *averager) reach(side int, positives uint32) []uint8 {
	const small = 4096
	n := int(positives) + 1
	if n > small {
		v.large[side] = slices.Grow(v.large[side][:0], n)[:n]
		fillReach(v.large[side])
		return v.large[side]
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
		reach[n] = uint8(max(r, 1)) // recall 0 always is, also where nothing is to be found
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
func interpolated(best *[recalls][steps]float64) (mean [steps]float64) {
	var most [steps]float64
	for r := recalls - 1; r >= 0; r-- {
		for step, p := range &best[r] {
			most[step] = max(most[step], p)
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

// gathered are the totals behind COCO's twelve numbers.
type gathered struct {
	ap, ar                [areas]total
	ap50, ap75, ar1, ar10 total
}

func (g *gathered) add(r int, a average) {
	g.ap[r].add(a.precision[:]...)
	g.ar[r].add(a.recall[:]...)
	if r == 0 {
		g.ap50.add(a.precision[0])
		g.ap75.add(a.precision[5])
	}
}

// coco returns the twelve numbers with the images weighed.
func (v *averager) coco(t *tables) (m [both]Metrics) {
	var g [both]gathered
	for k := range t.columns {
		c := &t.columns[k]
		one, ten := v.recallWithin(c, 1), v.recallWithin(c, 10)
		for r := range areas {
			for side, a := range v.of(c, r) {
				if !a.ok {
					continue
				}
				g[side].add(r, a)
				if r == 0 {
					g[side].ar1.add(one[side][:]...)
					g[side].ar10.add(ten[side][:]...)
				}
			}
		}
	}
	for side := range m {
		g := &g[side]
		m[side] = Metrics{
			AP: g.ap[0].mean(), AP50: g.ap50.mean(), AP75: g.ap75.mean(), APSmall: g.ap[1].mean(), APMedium: g.ap[2].mean(), APLarge: g.ap[3].mean(),
			AR1: g.ar1.mean(), AR10: g.ar10.mean(), AR100: g.ar[0].mean(), ARSmall: g.ar[1].mean(), ARMedium: g.ar[2].mean(), ARLarge: g.ar[3].mean(),
		}
	}
	return m
}

// ap returns AP alone, and −1 where there is none.
func (v *averager) ap(t *tables) [both]float64 {
	var sum [both]total
	for k := range t.columns {
		for side, a := range v.of(&t.columns[k], 0) {
			if a.ok {
				sum[side].add(a.precision[:]...)
			}
		}
	}
	return [both]float64{sum[0].mean(), sum[1].mean()}
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

// ones returns n weights of 1, of which the other side is 0.
func ones(n int) []twin {
	w := make([]twin, n)
	for i := range w {
		w[i] = 1
	}
	return w
}
