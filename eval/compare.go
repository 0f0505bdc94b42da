package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"remuda"
)

// Comparison is two evaluations of the same images, a before b.
type Comparison struct {
	A           Metrics        `json:"a"`
	B           Metrics        `json:"b"`
	Differences []Difference   `json:"differences"` // F1, precision and recall, then COCO's twelve, then their F1
	Images      []ImageChange  `json:"images"`      // in the dataset's order
	Boxes       []BoxChange    `json:"boxes"`       // ground truth in the dataset's order, crowds left out
	ImageCounts ChangeCounts   `json:"image_counts"`
	BoxCounts   ChangeCounts   `json:"box_counts"`
	Draws       int            `json:"draws"`
	Truth       remuda.Dataset `json:"-"`
}

// Change says how b differs from a.
type Change string

// The changes. A box is fixed when a missed it and b finds it, broken the
// other way round. An image is fixed when b makes fewer errors on it (wrong and
// missed boxes) than a, broken when it makes more.
const (
	Fixed     Change = "fixed"
	Broken    Change = "broken"
	Unchanged Change = "unchanged"
)

// Difference is b's number minus a's with a 95 % interval from drawing the
// same images for both.
type Difference struct {
	Metric   string   `json:"metric"` // its name in the JSON of Metrics
	A        float64  `json:"a"`
	B        float64  `json:"b"`
	Value    float64  `json:"difference"` // 0 where one of them is −1
	Interval Interval `json:"interval"`   // both 0 where there is none
	Clear    bool     `json:"clear"`      // the interval leaves out 0
}

// ImageChange is what happened to one image.
type ImageChange struct {
	ItemID int64  `json:"item_id"`
	Change Change `json:"change"`
	FPA    int    `json:"fp_a"`
	FPB    int    `json:"fp_b"`
	FNA    int    `json:"fn_a"`
	FNB    int    `json:"fn_b"`
}

// BoxChange is what happened to one ground truth.
type BoxChange struct {
	ItemID       int64  `json:"item_id"`
	AnnotationID int64  `json:"annotation_id"`
	Change       Change `json:"change"`
	Found        bool   `json:"found"` // by b
}

// ChangeCounts counts changes.
type ChangeCounts struct {
	Fixed     int `json:"fixed"`
	Broken    int `json:"broken"`
	Unchanged int `json:"unchanged"`
}

// Compare sets two evaluations of the same images and ground truth side by
// side. Others are refused with an error coded conflict that names them.
func Compare(a, b *Evaluation) (*Comparison, error) {
	if err := sameQuestion(a.Truth, b.Truth); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	c := &Comparison{A: a.Metrics, B: b.Metrics, Truth: a.Truth, Draws: max(a.Draws, b.Draws)}
	c.compareBoxes(a, b)
	c.compareImages(a, b)
	c.compareMetrics(a, b)
	return c, nil
}

// sameQuestion returns how two datasets differ in images or ground truth.
func sameQuestion(a, b remuda.Dataset) error {
	const hint = "evaluate both models on one label file"
	itemID := func(i remuda.Item) string { return fmt.Sprintf("%q (id %d)", i.File, i.ID) }
	if only := missing(a.Items, b.Items, itemID); only != "" {
		return remuda.Errorf(remuda.Conflict, "only the first evaluation has %s", only).WithHint(hint)
	}
	if only := missing(b.Items, a.Items, itemID); only != "" {
		return remuda.Errorf(remuda.Conflict, "only the second evaluation has %s", only).WithHint(hint)
	}
	boxID := func(x boxKey) string { return fmt.Sprintf("box %d on image %d", x.id, x.item) }
	inA, inB := boxKeys(a), boxKeys(b)
	if only := missing(inA, inB, boxID); only != "" {
		return remuda.Errorf(remuda.Conflict, "the ground truth differs: only the first evaluation has this very %s", only).WithHint(hint)
	}
	if only := missing(inB, inA, boxID); only != "" {
		return remuda.Errorf(remuda.Conflict, "the ground truth differs: only the second evaluation has this very %s", only).WithHint(hint)
	}
	if !slices.Equal(sortedCategories(a), sortedCategories(b)) {
		return remuda.Errorf(remuda.Conflict, "the categories of the two evaluations differ").WithHint(hint)
	}
	return nil
}

// boxKey tells ground truth apart, to a millionth of a pixel.
type boxKey struct {
	id, item, category int64
	crowd              bool
	sides              [4]float64
}

func boxKeys(d remuda.Dataset) []boxKey {
	keys := make([]boxKey, len(d.Annotations))
	for i, a := range d.Annotations {
		keys[i] = boxKey{a.ID, a.ItemID, a.CategoryID, a.Crowd, [4]float64{a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1}}
		for k, v := range keys[i].sides {
			keys[i].sides[k] = math.Round(v*1e6) / 1e6
		}
	}
	return keys
}

// missing names up to three of a that b lacks, and counts the rest.
func missing[T comparable](a, b []T, name func(T) string) string {
	have := make(map[T]bool, len(b))
	for _, x := range b {
		have[x] = true
	}
	var names []string
	n := 0
	for _, x := range a {
		if have[x] {
			continue
		}
		if n++; n <= 3 {
			names = append(names, name(x))
		}
	}
	if n > 3 {
		names = append(names, fmt.Sprintf("%d more", n-3))
	}
	return strings.Join(names, ", ")
}

func (n *ChangeCounts) add(c Change) {
	switch c {
	case Fixed:
		n.Fixed++
	case Broken:
		n.Broken++
	default:
		n.Unchanged++
	}
}

// change compares two counts of errors.
func change(a, b int) Change {
	switch {
	case b < a:
		return Fixed
	case b > a:
		return Broken
	}
	return Unchanged
}

func (c *Comparison) compareBoxes(a, b *Evaluation) {
	inB := make(map[int64]fate, len(b.tables.truths)) // the order of boxes may differ
	for i, f := range b.tables.truths {
		inB[b.Truth.Annotations[i].ID] = f
	}
	misses := func(found bool) int {
		if found {
			return 0
		}
		return 1
	}
	for i, f := range a.tables.truths {
		if f.out {
			continue
		}
		box := a.Truth.Annotations[i]
		found := b.finds(inB[box.ID])
		row := BoxChange{ItemID: box.ItemID, AnnotationID: box.ID, Change: change(misses(a.finds(f)), misses(found)), Found: found}
		c.Boxes = append(c.Boxes, row)
		c.BoxCounts.add(row.Change)
	}
}

func (c *Comparison) compareImages(a, b *Evaluation) {
	inA, inB := a.tables.perImage(a.Threshold), b.tables.perImage(b.Threshold) // both by ascending id
	place := newIndex(a.tables.images)
	for _, item := range a.Truth.Items {
		ta, tb := inA[place.of(item.ID)], inB[place.of(item.ID)]
		row := ImageChange{
			ItemID: item.ID, Change: change(ta.fp+ta.fn, tb.fp+tb.fn),
			FPA: ta.fp, FPB: tb.fp, FNA: ta.fn, FNB: tb.fn,
		}
		c.Images = append(c.Images, row)
		c.ImageCounts.add(row.Change)
	}
}

// compareMetrics draws the same images for both evaluations.
func (c *Comparison) compareMetrics(a, b *Evaluation) {
	inA, inB := a.tables.perImage(a.Threshold), b.tables.perImage(b.Threshold)
	var draws [len(metricNames)][]float64
	for k := range draws {
		draws[k] = make([]float64, c.Draws)
	}
	eachDraw(len(inA), c.Draws, a.Seed, func() func(int, []twin) {
		v := new(averager)
		return func(number int, weight []twin) {
			v.weight = weight
			ma, mb := v.all(a.tables, inA), v.all(b.tables, inB)
			for side := range min(both, c.Draws-number) {
				la, lb := ma[side].list(), mb[side].list()
				for k := range la {
					draws[k][number+side] = valueOrNaN(lb[k]) - valueOrNaN(la[k])
				}
			}
		}
	})
	la, lb := c.A.list(), c.B.list()
	for k, name := range metricNames {
		d := Difference{Metric: name, A: la[k], B: lb[k]}
		if d.A >= 0 && d.B >= 0 {
			d.Value = d.B - d.A
			if c.Draws > 0 {
				d.Interval = interval(draws[k], d.Value, -1, 1)
				d.Clear = d.Interval[0] > 0 || d.Interval[1] < 0
			}
		}
		c.Differences = append(c.Differences, d)
	}
}

// all returns every metric with the images weighed.
func (v *averager) all(t *tables, images []tally) [both]Metrics {
	metrics := v.coco(t)
	for side, s := range weighed(images, v.weight) {
		m := &metrics[side]
		m.F1, m.Precision, m.Recall = s.f1(), s.precision(), s.recall()
		m.APARF1 = harmonic(m.AP, m.AR100)
	}
	return metrics
}

// metricNames are the JSON names of Metrics, in the order of list.
var metricNames = [...]string{
	"f1", "precision", "recall", "ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
	"ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large", "ap_ar_f1",
}

func (m Metrics) list() [len(metricNames)]float64 {
	return [...]float64{
		m.F1, m.Precision, m.Recall, m.AP, m.AP50, m.AP75, m.APSmall, m.APMedium, m.APLarge,
		m.AR1, m.AR10, m.AR100, m.ARSmall, m.ARMedium, m.ARLarge, m.APARF1,
	}
}
