package eval

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"remuda/internal/stat"
)

// draw adds to one side of the weights how often each image comes up when as
// many are drawn as there are, with replacement.
func draw(r *rand.Rand, weight []twin, side int) {
	n := uint64(len(weight))
	for range weight {
		weight[r.Uint64N(n)] += 1 << (32 * side)
	}
}

// eachDraw makes draws on all processors, two at a time. Every goroutine has a
// worker of its own, which gets the first draw's number and the weights of both. A draw
// depends on the seed and its number only; an even one may be the last.
func eachDraw(images, draws int, seed uint64, newWorker func() func(number int, weight []twin)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), draws) {
		group.Go(func() {
			work, weight := newWorker(), make([]twin, images)
			for number := next.Add(both) - both; number < int64(draws); number = next.Add(both) - both {
				clear(weight)
				for side := range both {
					draw(rand.New(rand.NewPCG(seed, uint64(number)+uint64(side))), weight, side)
				}
				work(int(number), weight)
			}
		})
	}
	group.Wait()
}

// set stores both sides' values for a pair of draws, a missing one (−1) as NaN.
func set(draws []float64, number int, values [both]float64) {
	for side, v := range values {
		if number+side < len(draws) {
			draws[number+side] = valueOrNaN(v)
		}
	}
}

// interval returns the 2.5 and 97.5 percentiles of the draws, moved so that
// their median is the number itself and held between lowest and highest: AP takes maxima, so with
// few boxes of a category its draws lie too high. Draws without a value are NaN and left
// out; where none is left, both ends are −1.
func interval(draws []float64, number, lowest, highest float64) Interval {
	draws = slices.DeleteFunc(draws, math.IsNaN)
	if len(draws) == 0 {
		return Interval{-1, -1}
	}
	slices.Sort(draws)
	shift := number - stat.Percentile(draws, 0.5)
	end := func(q float64) float64 { return min(max(stat.Percentile(draws, q)+shift, lowest), highest) }
	return Interval{end(0.025), end(0.975)}
}

// bootstrap sets the intervals of F1 and AP. Draws that hold nothing to find
// are left out.
func (e *Evaluation) bootstrap(draws int) {
	images := e.tables.perImage(e.Threshold)
	f1, ap := make([]float64, draws), make([]float64, draws)
	eachDraw(len(images), draws, e.Seed, func() func(int, []twin) {
		v := new(averager)
		return func(number int, weight []twin) {
			v.weight = weight
			sums := weighed(images, weight)
			set(f1, number, [both]float64{sums[0].f1(), sums[1].f1()})
			set(ap, number, v.ap(e.tables))
		}
	})
	e.Draws = draws
	e.Intervals = Intervals{F1: interval(f1, e.F1, 0, 1), AP: interval(ap, e.AP, 0, 1)}
}

// valueOrNaN marks a number that a draw cannot give, −1, as missing.
func valueOrNaN(v float64) float64 {
	if v < 0 {
		return math.NaN()
	}
	return v
}
