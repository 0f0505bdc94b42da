package eval

import "math/bits"

// average is COCO's average precision and recall of a category in one range of
// sizes, at each IoU limit; ok is false where there is nothing to find.
type average struct {
	ok        bool
	precision [steps]float64 // mean over 101 recalls
	recall    [steps]float64 // with 100 predictions an image
	first     [steps]float64 // with one
	ten       [steps]float64
}

// hit is a true positive in the order of confidence.
type hit struct {
	found     int32   // true positives so far
	precision float64 // so far
}

// averager computes averages with every image weighed: a weight of 2 counts
// an image twice, as if it and its predictions stood there two times. Weights of 1
// give COCO's numbers.
type averager struct {
	weight []int32 // of every image
	hits   [steps][]hit
	need   [recalls]int32
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
	a := v.sweep(c, r)
	v.needs(positives)
	for step := range steps {
		a.precision[step] = v.interpolated(v.hits[step])
		if n := len(v.hits[step]); n > 0 {
			a.recall[step] = float64(v.hits[step][n-1].found)
		}
		a.recall[step] /= float64(positives)
		a.first[step] /= float64(positives)
		a.ten[step] /= float64(positives)
	}
	a.ok = true
	return a
}

// sweep goes through the predictions by falling confidence and notes the hits
// at each limit. In the result it counts those with one and ten predictions an image.
func (v *averager) sweep(c *column, r int) (a average) {
	var found, ignored [steps]int32
	for step := range v.hits {
		v.hits[step] = v.hits[step][:0]
	}
	seen := int32(0)
	tps, igs := c.tp[r], c.ig[r]
	for i, image := range c.image {
		w := v.weight[image]
		tp, ig := tps[i], igs[i]
		if w == 0 || ig == every {
			continue
		}
		seen += w
		for ; ig != 0; ig &= ig - 1 {
			ignored[bits.TrailingZeros16(ig)] += w
		}
		for ; tp != 0; tp &= tp - 1 {
			step := bits.TrailingZeros16(tp)
			found[step] += w
			counted := float64(seen - ignored[step])
			v.hits[step] = append(v.hits[step], hit{found[step], float64(found[step]) / (counted + oneMore)})
			if c.rank[i] == 0 {
				a.first[step] += float64(w)
			}
			if c.rank[i] < 10 {
				a.ten[step] += float64(w)
			}
		}
	}
	return a
}

// needs sets how many true positives reach each of the 101 recalls.
func (v *averager) needs(positives int32) {
	p := float64(positives)
	for r := range v.need {
		recall := float64(r) * 0.01
		if r == recalls-1 {
			recall = 1
		}
		n := int32(recall * p)
		for float64(n)/p < recall {
			n++
		}
		for n > 0 && float64(n-1)/p >= recall {
			n--
		}
		v.need[r] = n
	}
}

// interpolated returns the mean over the 101 recalls of the best precision at
// that recall or a higher one.
func (v *averager) interpolated(hits []hit) float64 {
	best, sum, r := 0.0, 0.0, recalls-1
	if n := len(hits); n > 0 {
		for v.need[r] > hits[n-1].found {
			r--
		}
	}
	for k := len(hits) - 1; k >= 0; k-- {
		best = max(best, hits[k].precision)
		before := int32(0)
		if k > 0 {
			before = hits[k-1].found
		}
		for v.need[r] > before {
			sum += best
			r--
		}
	}
	return (sum + best) / recalls // best now stands at recall 0
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
				ar1.add(a.first[:]...)
				ar10.add(a.ten[:]...)
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
