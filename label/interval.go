package label

import "remuda/internal/stat"

// Interval is the lower and the upper end of a 95 % interval.
type Interval = stat.Interval

// Rate is the share of counted things that are something, such as of the true
// boxes that were missed. Its interval is Clopper and Pearson's for the
// effective number of things, since the boxes of one image resemble each
// other (stat.Share); it holds the true rate at least as often as it says.
type Rate struct {
	Count    int      `json:"count"`
	Of       int      `json:"of"`
	Value    float64  `json:"value"`    // Count / Of, 0 to 1; 0 where there was nothing to count
	Interval Interval `json:"interval"` // 0 to 1 where there was nothing to count
}

// Mean is a mean, or another ratio of two sums, over images. Its interval
// is a bootstrap over images (stat.Ratios).
type Mean struct {
	Value    float64   `json:"value"`              // 0 where nothing was measured
	Images   int       `json:"images"`             // that measured something
	Interval *Interval `json:"interval,omitempty"` // nil below two images
}

// Options are the thresholds of everything measured here. The zero value of a
// field stands for its default.
type Options struct {
	IoU   float64 // overlap from which two boxes stand for one object, above 0 to 1; 0.5
	Tight float64 // pixels within which all four edges of a tight box lie; 3
	Bar   float64 // score below which a report warns, above 0 to 1; 0.8
	Draws int     // bootstrap samples behind an interval; 1000
	Seed  uint64  // of the bootstrap
}

// WithDefaults returns the options with every unset or senseless field at its
// default.
func (o Options) WithDefaults() Options {
	unit := func(v, otherwise float64) float64 {
		if v > 0 && v <= 1 {
			return v
		}
		return otherwise
	}
	o.IoU, o.Bar = unit(o.IoU, 0.5), unit(o.Bar, 0.8)
	if !(o.Tight > 0) {
		o.Tight = 3
	}
	if o.Draws <= 0 {
		o.Draws = 1000
	}
	return o
}

// NewRate returns the rate over counts of several images.
func NewRate(images []stat.Count) Rate {
	var r Rate
	var hits, of float64
	for _, c := range images {
		hits += c.Hits
		of += c.Of
	}
	r.Count, r.Of = int(hits), int(of)
	r.Value, r.Interval = stat.Share(images)
	return r
}

// means turns what images add to several ratios into estimates.
func means(rows [][]stat.Ratio, o Options) []Mean {
	var list []Mean
	for _, e := range stat.Ratios(rows, o.Draws, o.Seed) {
		one := Mean{Value: e.Value, Images: e.Clusters}
		if e.Clusters > 1 {
			one.Interval = &e.Interval
		}
		list = append(list, one)
	}
	return list
}
