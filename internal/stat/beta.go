package stat

import "math"

// Beta returns the share of a beta distribution with the shapes a and b, both
// above 0, that lies below x: the regularized incomplete beta function, by the
// continued fraction 8.17.22 of the NIST Digital Library of Mathematical
// Functions.
func Beta(x, a, b float64) float64 {
	switch {
	case !(x > 0):
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the other side's fraction converges faster
		return 1 - Beta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	return front / a / betaFraction(x, a, b)
}

// betaFraction is 1 + d1/(1 + d2/(1 + …)), evaluated forwards by Lentz's method
// in Thompson and Barnett's form.
func betaFraction(x, a, b float64) float64 {
	const (
		terms   = 10000 // it takes about √max(a, b)
		epsilon = 1e-15
		tiny    = 1e-300 // stands for a zero that would be divided by
	)
	value, up, down := 1.0, 1.0, 0.0
	for k := 1; k <= terms; k++ {
		m := float64(k / 2)
		d := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		if k%2 == 1 {
			d = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if down = 1 + d*down; down == 0 {
			down = tiny
		}
		down = 1 / down
		if up = 1 + d/up; up == 0 {
			up = tiny
		}
		value *= up * down
		if math.Abs(up*down-1) < epsilon {
			break
		}
	}
	return value
}

// BetaQuantile returns the x, 0 to 1, below which the share p of a beta
// distribution with the shapes a and b lies.
func BetaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 64 {
		middle := (low + high) / 2
		if Beta(middle, a, b) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}
