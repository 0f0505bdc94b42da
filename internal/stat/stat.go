// Package stat has the intervals that counted and measured things need: for
// shares, for means, and for what a sample says of the rest.
package stat

import "math"

// Level is the confidence of every interval in this package.
const Level = 0.95

// tail is what an interval leaves out on each side.
const tail = (1 - Level) / 2

// Interval is the lower and the upper end of a 95 % interval.
type Interval [2]float64

// Percentile returns the quantile q, 0 to 1, of values in ascending order,
// linear between two neighbours. There must be at least one value.
func Percentile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	f := at - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}

// Student returns the 97.5 % quantile of Student's distribution with some
// degrees of freedom, more than 0; +Inf for 0 or fewer.
func Student(degrees float64) float64 {
	if !(degrees > 0) {
		return math.Inf(1)
	}
	// T²/(df + T²) has a beta distribution with 1/2 and df/2.
	y := BetaQuantile(Level, 0.5, degrees/2)
	return math.Sqrt(degrees * y / (1 - y))
}

// normalCDF is the share of a normal distribution below z.
func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
