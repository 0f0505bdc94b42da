package eval

import (
	"math/rand/v2"
	"slices"
)

// draw fills the weights with how often each image comes up when as many are
// drawn as there are, with replacement.
func draw(r *rand.Rand, weight []int32) {
	clear(weight)
	n := uint64(len(weight))
	for range weight {
		weight[r.Uint64N(n)]++
	}
}

// source returns the generator of a bootstrap's draws.
func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)) }

// interval returns the 2.5 and 97.5 percentiles of the draws, moved so that
// their median is the number itself and held between lowest and highest: AP takes maxima, so with
// few boxes of a category its draws lie too high. It sorts the draws; without
// any both ends are −1.
func interval(draws []float64, number, lowest, highest float64) Interval {
	if len(draws) == 0 {
		return Interval{-1, -1}
	}
	slices.Sort(draws)
	shift := number - percentile(draws, 0.5)
	end := func(q float64) float64 { return min(max(percentile(draws, q)+shift, lowest), highest) }
	return Interval{end(0.025), end(0.975)}
}

// percentile returns the quantile of sorted values, linear between two.
func percentile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	f := at - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}

// bootstrap sets the intervals of F1 and AP. Draws that hold nothing to find
// are left out.
func (e *Evaluation) bootstrap(draws int) {
	images := e.tables.perImage(e.Threshold)
	v := averager{weight: make([]int32, len(images))}
	r := source(e.Seed)
	var f1, ap []float64
	for range draws {
		draw(r, v.weight)
		if s := weighed(images, v.weight); s.tp+s.fn > 0 {
			f1 = append(f1, s.f1())
			ap = append(ap, v.ap(e.tables))
		}
	}
	e.Draws = draws
	e.Intervals = Intervals{F1: interval(f1, e.F1, 0, 1), AP: interval(ap, e.AP, 0, 1)}
}
