package eval

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"remuda"
)

// curveOf makes points of a known curve, with noise.
func curveOf(sizes []int, f func(n float64) float64, noise float64, seed uint64) []Size {
	r := rand.New(rand.NewPCG(seed, 1))
	var points []Size
	for _, n := range sizes {
		v := min(f(float64(n))+noise*r.NormFloat64(), 0.999)
		points = append(points, Size{Images: n, F1: v, Interval: Interval{v - 0.02, v + 0.02}})
	}
	return points
}

var storySizes = []int{97, 147, 197, 247, 301}

func power(n float64) float64 { return 1 - 2*math.Pow(n, -0.4) }

func TestLearnFindsTheCurve(t *testing.T) {
	c, err := Learn(curveOf(storySizes, power, 0, 1))
	if err != nil || c.Fit == nil {
		t.Fatal(err, c)
	}
	if c.Fit.Kind != PowerLaw || math.Abs(c.Fit.A-2) > 1e-9 || math.Abs(c.Fit.B-0.4) > 1e-9 {
		t.Errorf("power law came back as %+v", c.Fit)
	}
	if ahead := c.Fit.Ahead[1]; ahead.Images != 602 || math.Abs(ahead.F1-power(602)) > 1e-9 {
		t.Errorf("at twice the size: %+v, want %v", ahead, power(602))
	}
	log := func(n float64) float64 { return 0.1 + 0.09*math.Log(n) }
	c, err = Learn(curveOf(storySizes, log, 0, 1))
	if err != nil || c.Fit == nil || c.Fit.Kind != LogLinear || math.Abs(c.Fit.B-0.09) > 1e-9 {
		t.Errorf("log-linear came back as %+v (%v)", c.Fit, err)
	}
}

// TestPredictionsComeTrue forecasts twice the size from noisy curves and
// counts how often what is then measured lies in the interval.
func TestPredictionsComeTrue(t *testing.T) {
	hits, answered := 0, 0
	for seed := range uint64(300) {
		c, err := Learn(curveOf(storySizes, power, 0.01, seed))
		if err != nil {
			t.Fatal(err)
		}
		if c.Fit == nil {
			continue
		}
		answered++
		measured := power(602) + 0.01*rand.New(rand.NewPCG(seed, 9)).NormFloat64()
		if in := c.Fit.Ahead[1].Interval; in[0] <= measured && measured <= in[1] {
			hits++
		}
	}
	if answered < 250 || float64(hits) < 0.93*float64(answered) {
		t.Errorf("%d of %d forecasts came true, of 300 curves", hits, answered)
	}
}

func TestLearnRefusesWhatIsUseless(t *testing.T) {
	falling := func(n float64) float64 { return 0.9 - n/1000 }
	for want, points := range map[string][]Size{
		"has 2":     curveOf([]int{100, 200}, power, 0, 1),
		"not risen": curveOf(storySizes, falling, 0, 1),
		"could be":  {{Images: 100, F1: 0.3}, {Images: 200, F1: 0.7}, {Images: 300, F1: 0.5}, {Images: 400, F1: 0.8}},
		"has 1":     {{Images: 100, F1: 0.3}, {Images: 100, F1: 0.7}, {Images: 100, F1: 0.5}},
	} {
		c, err := Learn(points)
		if err != nil {
			t.Fatal(err)
		}
		if c.Fit != nil || !strings.Contains(c.Refused, want) {
			t.Errorf("%v gives %+v, %q; want a refusal with %q", points, c.Fit, c.Refused, want)
		}
	}
}

func TestLearnNamesBadPoints(t *testing.T) {
	for _, s := range []Size{{Images: 0, F1: 0.5}, {Images: 10, F1: -1}, {Images: 10, F1: math.NaN()}} {
		if _, err := Learn([]Size{s}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%+v gives %v", s, err)
		}
	}
}

func TestMoreTestImagesNarrowTheForecast(t *testing.T) {
	points := curveOf(storySizes, power, 0.005, 3)
	wide := curveOf(storySizes, power, 0.005, 3)
	for i := range wide {
		wide[i].Interval = Interval{wide[i].F1 - 0.08, wide[i].F1 + 0.08}
	}
	a, _ := Learn(points)
	b, _ := Learn(wide)
	if a.Fit == nil || b.Fit == nil {
		t.Fatalf("refused: %q, %q", a.Refused, b.Refused)
	}
	width := func(s Size) float64 { return s.Interval[1] - s.Interval[0] }
	if width(a.Fit.Ahead[0]) >= width(b.Fit.Ahead[0]) {
		t.Errorf("widths %v and %v", width(a.Fit.Ahead[0]), width(b.Fit.Ahead[0]))
	}
}
