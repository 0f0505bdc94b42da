package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/geom"
)

// field is a dataset of n images with two boxes each, and predictions that
// find each box with its share (by a fixed pattern) and add wrong ones.
func field(n int, finds func(box int) bool, wrong func(image int) bool) (remuda.Dataset, []remuda.Annotation) {
	truth := remuda.Dataset{Categories: []remuda.Category{{ID: 1, Name: "horse"}}}
	var predictions []remuda.Annotation
	for i := range n {
		item := int64(i + 1)
		truth.Items = append(truth.Items, remuda.Item{ID: item, File: "a.jpg", Width: 500, Height: 500})
		for j := range 2 {
			a := remuda.Annotation{ID: int64(2*i + j + 1), ItemID: item, CategoryID: 1, Box: geom.FromXYWH(float64(200*j), 10, 100, 50)}
			truth.Annotations = append(truth.Annotations, a)
			if finds(2*i + j) {
				a.Confidence = 0.9
				predictions = append(predictions, a)
			}
		}
		if wrong(i) {
			predictions = append(predictions, remuda.Annotation{ItemID: item, CategoryID: 1, Box: geom.FromXYWH(0, 300, 50, 50), Confidence: 0.8})
		}
	}
	for i := range predictions {
		predictions[i].ID = int64(i + 1)
	}
	return truth, predictions
}

func never(int) bool  { return false }
func always(int) bool { return true }

func compared(t *testing.T, n int, a, b func(int) bool) *Comparison {
	t.Helper()
	half := 0.5
	truth, pa := field(n, a, never)
	_, pb := field(n, b, never)
	ea := evaluated(t, truth, pa, Options{Threshold: &half, Bootstrap: 300})
	eb := evaluated(t, truth, pb, Options{Threshold: &half, Bootstrap: 300})
	c, err := Compare(ea, eb)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func difference(t *testing.T, c *Comparison, metric string) Difference {
	t.Helper()
	i := slices.IndexFunc(c.Differences, func(d Difference) bool { return d.Metric == metric })
	if i < 0 {
		t.Fatalf("no difference of %s", metric)
	}
	return c.Differences[i]
}

func TestCompareCountsFixedAndBroken(t *testing.T) {
	c := compared(t, 10, func(box int) bool { return box != 0 && box != 4 }, func(box int) bool { return box != 4 && box != 7 && box != 9 })
	if want := (ChangeCounts{Fixed: 1, Broken: 2, Unchanged: 17}); c.BoxCounts != want {
		t.Errorf("boxes %+v, want %+v", c.BoxCounts, want)
	}
	if want := (ChangeCounts{Fixed: 1, Broken: 2, Unchanged: 7}); c.ImageCounts != want {
		t.Errorf("images %+v, want %+v", c.ImageCounts, want)
	}
	if got := c.Boxes[0]; got.Change != Fixed || !got.Found {
		t.Errorf("box 1 is %+v", got)
	}
	if got := c.Boxes[4]; got.Change != Unchanged || got.Found {
		t.Errorf("box 5, missed by both, is %+v", got)
	}
	if got := c.Images[4]; got.Change != Broken || got.FNA != 0 || got.FNB != 1 {
		t.Errorf("image 5 is %+v", got)
	}
	if d := difference(t, c, "recall"); math.Abs(d.Value+0.05) > 1e-12 {
		t.Errorf("recall differs by %v, want -0.05", d.Value)
	}
}

func TestCompareTellsClearFromNoise(t *testing.T) {
	clear := difference(t, compared(t, 60, func(box int) bool { return box%2 == 0 }, always), "f1")
	if !clear.Clear || clear.Interval[0] <= 0 {
		t.Errorf("half the boxes more is no clear difference: %+v", clear)
	}
	noise := difference(t, compared(t, 60, func(box int) bool { return box != 1 }, func(box int) bool { return box != 5 && box != 9 }), "f1")
	if noise.Clear || noise.Interval[0] > noise.Value || noise.Interval[1] < noise.Value {
		t.Errorf("one box of 120 is a clear difference: %+v", noise)
	}
}

func TestComparingWithItselfFindsNothing(t *testing.T) {
	truth, predictions := generated(11)
	e := evaluated(t, truth, predictions, Options{Bootstrap: 50})
	c, err := Compare(e, e)
	if err != nil {
		t.Fatal(err)
	}
	if c.BoxCounts.Fixed+c.BoxCounts.Broken+c.ImageCounts.Fixed+c.ImageCounts.Broken != 0 {
		t.Errorf("boxes %+v, images %+v", c.BoxCounts, c.ImageCounts)
	}
	for _, d := range c.Differences {
		if d.Value != 0 || d.Clear || d.Interval != (Interval{}) {
			t.Errorf("%+v", d)
		}
	}
}

func TestCompareRefusesAnotherQuestion(t *testing.T) {
	truth, predictions := field(6, always, never)
	e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
	other := func(change func(*remuda.Dataset)) *Evaluation {
		d := remuda.Dataset{Items: slices.Clone(truth.Items), Categories: slices.Clone(truth.Categories), Annotations: slices.Clone(truth.Annotations)}
		change(&d)
		return evaluated(t, d, nil, Options{Bootstrap: -1})
	}
	for want, change := range map[string]func(*remuda.Dataset){
		`compare: only the second evaluation has "b.jpg" (id 70)`: func(d *remuda.Dataset) {
			d.Items = append(d.Items, remuda.Item{ID: 70, File: "b.jpg"})
		},
		`compare: only the first evaluation has "a.jpg" (id 1), "a.jpg" (id 2), "a.jpg" (id 3), 1 more`: func(d *remuda.Dataset) {
			d.Items, d.Annotations = d.Items[4:], d.Annotations[8:]
		},
		"compare: the ground truth differs: only the first evaluation has this very box 1 on image 1": func(d *remuda.Dataset) {
			d.Annotations[0].Box.X1 += 3
		},
		"compare: the categories of the two evaluations differ": func(d *remuda.Dataset) {
			d.Categories[0].Name = "zebra"
		},
	} {
		_, err := Compare(e, other(change))
		if remuda.CodeOf(err) != remuda.Conflict || err.Error() != want {
			t.Errorf("got %v (%s), want %s", err, remuda.CodeOf(err), want)
		}
	}
}

func TestOrderOfBoxesDoesNotMatterToCompare(t *testing.T) {
	truth, predictions := field(6, func(box int) bool { return box%3 > 0 }, always)
	a := evaluated(t, truth, predictions, Options{Bootstrap: -1})
	turned := truth
	turned.Annotations = slices.Clone(truth.Annotations)
	slices.Reverse(turned.Annotations)
	c, err := Compare(a, evaluated(t, turned, predictions, Options{Bootstrap: -1}))
	if err != nil {
		t.Fatal(err)
	}
	if c.BoxCounts.Unchanged != 12 {
		t.Errorf("boxes %+v", c.BoxCounts)
	}
}

func TestConflictNamesTheImages(t *testing.T) {
	truth, predictions := field(2, always, never)
	a := evaluated(t, truth, predictions, Options{Bootstrap: -1})
	truth.Items = slices.Clone(truth.Items)
	truth.Items[0].File = "other.jpg"
	_, err := Compare(a, evaluated(t, truth, predictions, Options{Bootstrap: -1}))
	if err == nil || !strings.Contains(err.Error(), `"a.jpg" (id 1)`) {
		t.Errorf("got %v", err)
	}
}
