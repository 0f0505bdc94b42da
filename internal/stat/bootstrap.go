package stat

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Ratio is what one cluster, such as an image, adds to a ratio of two sums: a
// mean (sum and number of the values in it) or an F1 (twice the matches, and
// the boxes of both sides).
type Ratio struct{ Over, Under float64 }

// Estimate is a ratio of sums over all clusters.
type Estimate struct {
	Value    float64  // 0 where nothing was measured
	Clusters int      // those that measured something
	Interval Interval // of no meaning below two clusters
}

// Ratios estimates several ratios at once: rows[i][j] is what cluster i adds
// to ratio j, and all rows are equally long. The intervals are bootstraps over
// clusters: as many are drawn as there are, with replacement (Efron and
// Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Plain
// percentiles are too narrow for few clusters; these are taken further out, by
// Student's quantile and √(n/(n−1)), as Hesterberg has it (The American
// Statistician 2015, 69:4, "expanded percentile"). A draw that measures
// nothing is left out. The same seed gives the same intervals.
func Ratios(rows [][]Ratio, draws int, seed uint64) []Estimate {
	if len(rows) == 0 {
		return nil
	}
	estimates := make([]Estimate, len(rows[0]))
	samples := make([][]float64, len(rows[0]))
	sums := make([]Ratio, len(rows[0]))
	for _, row := range rows {
		add(sums, row)
		for j, r := range row {
			if r.Under != 0 {
				estimates[j].Clusters++
			}
		}
	}
	for j, s := range sums {
		if s.Under != 0 {
			estimates[j].Value = s.Over / s.Under
		}
	}
	for number := range draws {
		r := rand.New(rand.NewPCG(seed, uint64(number)))
		clear(sums)
		for range rows {
			add(sums, rows[r.IntN(len(rows))])
		}
		for j, s := range sums {
			if s.Under != 0 {
				samples[j] = append(samples[j], s.Over/s.Under)
			}
		}
	}
	for j := range estimates {
		estimates[j].Interval = expanded(samples[j], estimates[j])
	}
	return estimates
}

func add(sums, row []Ratio) {
	for j, r := range row {
		sums[j].Over += r.Over
		sums[j].Under += r.Under
	}
}

// expanded returns the expanded percentile interval of bootstrap samples.
func expanded(samples []float64, e Estimate) Interval {
	if e.Clusters < 2 || len(samples) == 0 {
		return Interval{e.Value, e.Value}
	}
	slices.Sort(samples)
	n := float64(e.Clusters)
	q := normalCDF(-math.Sqrt(n/(n-1)) * Student(n-1))
	return Interval{Percentile(samples, q), Percentile(samples, 1-q)}
}
