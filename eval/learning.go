package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"remuda"
)

// Size is one point of a learning curve: a model trained on that many images.
type Size struct {
	Images     int      `json:"images"`
	F1         float64  `json:"f1"`
	Interval   Interval `json:"interval"`             // of F1, 95 %
	Optimistic bool     `json:"optimistic,omitempty"` // measured at the threshold that is best on the very test data
}

// LearningCurve is F1 by the number of training images, with a fit where one
// is of use.
type LearningCurve struct {
	Sizes   []Size `json:"sizes"` // ascending
	Fit     *Fit   `json:"fit,omitempty"`
	Refused string `json:"refused,omitempty"` // why there is no fit, a sentence without its full stop
}

// The shapes of a fit: of F1 = 1 − A·n^−B and of F1 = A + B·ln n.
const (
	PowerLaw  = "power law"
	LogLinear = "log-linear"
)

// Fit is the curve through the sizes that leaves the smaller error in F1.
type Fit struct {
	Kind  string  `json:"kind"` // PowerLaw or LogLinear
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Error float64 `json:"error"` // root mean square of what it leaves, in F1
	Ahead []Size  `json:"ahead"` // expected at 1.5, 2 and 3 times the largest size
	Band  []Size  `json:"band"`  // the curve for drawing, from the smallest size to 3 times the largest
}

// A fit is refused below so many different sizes, and where the interval at
// twice the largest size is wider than maxWidth: it would promise nothing.
const (
	minSizes = 3
	maxWidth = 0.4
)

// Learn fits a learning curve. Several points of one size (seeds) are welcome.
//
// Both shapes are straight lines in ln n and fitted by least squares. The
// interval of a prediction joins three errors: the line's, with Student's
// quantile for so few points; that of measuring F1 on so few test images,
// from the points' own intervals; and how far the other shape lies away. Sizes below 1 and F1 outside 0 to 1 are
// refused with an error coded invalid.
func Learn(sizes []Size) (*LearningCurve, error) {
	c := &LearningCurve{Sizes: slices.Clone(sizes)}
	slices.SortStableFunc(c.Sizes, func(a, b Size) int { return cmp.Compare(a.Images, b.Images) })
	different := 0
	for i, s := range c.Sizes {
		if s.Images < 1 || !(s.F1 >= 0 && s.F1 <= 1) {
			return nil, remuda.Errorf(remuda.Invalid, "fit the learning curve: F1 %v at %d images", s.F1, s.Images).WithHint("give sizes from 1 and test data with boxes")
		}
		if i == 0 || s.Images != c.Sizes[i-1].Images {
			different++
		}
	}
	if different < minSizes {
		c.Refused = fmt.Sprintf("it takes %d different sizes to see ahead; this curve has %d", minSizes, different)
		return c, nil
	}
	c.fit()
	return c, nil
}

func (c *LearningCurve) fit() {
	lines := []line{fitLine(c.Sizes, LogLinear)}
	if !slices.ContainsFunc(c.Sizes, func(s Size) bool { return s.F1 == 1 }) {
		lines = append(lines, fitLine(c.Sizes, PowerLaw))
	}
	best := slices.MinFunc(lines, func(a, b line) int { return cmp.Compare(a.error, b.error) })
	first, last := c.Sizes[0].Images, c.Sizes[len(c.Sizes)-1].Images
	at := func(images int) Size { return widened(best, lines, images) }
	twice := at(2 * last)
	switch width := twice.Interval[1] - twice.Interval[0]; {
	case !best.rises():
		c.Refused = "F1 has not risen with more images, so the curve shows no way ahead"
		return
	case width > maxWidth:
		c.Refused = fmt.Sprintf("at %d images F1 could be anything from %.2f to %.2f; more sizes, more seeds or more test images would tell", twice.Images, twice.Interval[0], twice.Interval[1])
		return
	}
	c.Fit = &Fit{Kind: best.kind, A: best.a, B: best.b, Error: best.error}
	if best.kind == PowerLaw {
		c.Fit.A, c.Fit.B = math.Exp(best.a), -best.b
	}
	for _, ahead := range []float64{1.5, 2, 3} {
		c.Fit.Ahead = append(c.Fit.Ahead, at(int(math.Round(ahead*float64(last)))))
	}
	const points = 32
	for i := range points {
		n := float64(first) * math.Pow(3*float64(last)/float64(first), float64(i)/(points-1))
		c.Fit.Band = append(c.Fit.Band, at(int(math.Round(n))))
	}
}

// line is a least squares line of a shape's y over x = ln n.
type line struct {
	kind     string
	a, b     float64 // y = a + b·x
	n        float64 // points
	mean     float64 // of x
	spread   float64 // Σ (x − mean)²
	residual float64 // standard deviation of y around the line
	measured float64 // mean standard deviation of the F1s themselves
	error    float64 // root mean square error in F1
}

func fitLine(sizes []Size, kind string) line {
	l := line{kind: kind, n: float64(len(sizes))}
	var meanY, cross, left float64
	for _, s := range sizes {
		l.mean += math.Log(float64(s.Images)) / l.n
		meanY += l.shape(s.F1) / l.n
		if s.Interval[1] > s.Interval[0] {
			l.measured += (s.Interval[1] - s.Interval[0]) / (2 * normalQuantile) / l.n
		}
	}
	for _, s := range sizes {
		x := math.Log(float64(s.Images)) - l.mean
		l.spread += x * x
		cross += x * (l.shape(s.F1) - meanY)
	}
	l.b = cross / l.spread
	l.a = meanY - l.b*l.mean
	for _, s := range sizes {
		y := l.a + l.b*math.Log(float64(s.Images))
		left += square(l.shape(s.F1) - y)
		l.error += square(s.F1-l.unshape(y)) / l.n
	}
	l.residual = math.Sqrt(left / (l.n - 2))
	l.error = math.Sqrt(l.error)
	return l
}

func (l line) shape(f1 float64) float64 {
	if l.kind == PowerLaw {
		return math.Log(1 - f1)
	}
	return f1
}

func (l line) unshape(y float64) float64 {
	if l.kind == PowerLaw {
		return 1 - math.Exp(y)
	}
	return y
}

func (l line) rises() bool { return (l.b > 0) == (l.kind == LogLinear) && l.b != 0 }

// at predicts F1 for a number of images, held within 0 and 1.
func (l line) at(images int) Size {
	x := math.Log(float64(images))
	y := l.a + l.b*x
	reach := studentQuantile(int(l.n)-2) * l.residual * math.Sqrt(1+1/l.n+square(x-l.mean)/l.spread)
	unit := func(v float64) float64 { return min(max(v, 0), 1) }
	s := Size{Images: images, F1: l.unshape(y)}
	lo, hi := l.unshape(y-reach), l.unshape(y+reach)
	lo, hi = min(lo, hi), max(lo, hi)
	measure := normalQuantile * l.measured
	s.Interval = Interval{unit(s.F1 - math.Hypot(s.F1-lo, measure)), unit(s.F1 + math.Hypot(hi-s.F1, measure))}
	s.F1 = unit(s.F1)
	return s
}

// widened is the best line's prediction with its interval reaching out to
// where the others lie, since a few points hardly tell the shapes apart.
func widened(best line, lines []line, images int) Size {
	s := best.at(images)
	for _, other := range lines {
		gap := other.at(images).F1 - s.F1
		if gap < 0 {
			s.Interval[0] = max(0, s.F1-math.Hypot(s.F1-s.Interval[0], gap))
		} else {
			s.Interval[1] = min(1, s.F1+math.Hypot(s.Interval[1]-s.F1, gap))
		}
	}
	return s
}

func square(v float64) float64 { return v * v }

const normalQuantile = 1.959964 // 97.5 % of a normal distribution

// studentQuantile returns Student's 97.5 % quantile for some degrees of freedom, from the usual table.
func studentQuantile(degrees int) float64 {
	table := [...]float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228}
	if degrees <= len(table) {
		return table[degrees-1]
	}
	d := float64(degrees)
	return normalQuantile + 2.372/d + 2.822/(d*d) // Cornish and Fisher's first terms
}
