package eval

import (
	"math"
	"slices"
	"testing"

	"remuda"

	"pgregory.net/rapid"
)

func charted(t interface{ Fatal(...any) }, b Boxes, rows []Row, rule LabelRule, iou float64) Charts {
	c, err := NewCharts(b, rows, rule, iou)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func orNone(v *float64) float64 {
	if v == nil {
		return -1
	}
	return *v
}

func (a APs) list() []float64 {
	var out []float64
	for _, v := range []*float64{a.MAP5095, a.MAP50, a.MAP75, a.Small, a.Medium, a.Large} {
		out = append(out, orNone(v))
	}
	return out
}

func closeTo(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Abs(x-y) < 1e-12 })
}

func TestChartsHaveCOCOsAP(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		predictions = distinct(predictions)
		e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
		b := labeled(truth, predictions)
		c := charted(t, b, paired(t, b, LabelRule{}, 0.5), LabelRule{}, 0.5)
		coco := []float64{e.AP, e.AP50, e.AP75, e.APSmall, e.APMedium, e.APLarge}
		if got := c.APs.list(); !closeTo(got, coco) {
			t.Fatalf("case %d: %v, want %v", n, got, coco)
		}
		var got, want []float64
		for _, k := range c.PerClass {
			got = append(got, k.AP)
		}
		for _, k := range e.Categories {
			if k.AP50 >= 0 {
				want = append(want, k.AP50)
			}
		}
		if !closeTo(got, want) {
			t.Fatalf("case %d: per category %v, want %v", n, got, want)
		}
	}
}

func TestGroupsAreCategories(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		predictions = distinct(predictions)
		b := labeled(truth, predictions)
		rule := LabelRule{Groups: []LabelGroup{{"even", []string{"k01", "k07"}}, {"odd", []string{"k04", "k10"}}}}
		even := func(label string) bool { return label == "k01" || label == "k07" }
		by := Boxes{Items: b.Items, Truth: slices.Clone(b.Truth), Predictions: slices.Clone(b.Predictions)}
		for _, list := range [][]Labeled{by.Truth, by.Predictions} {
			for i := range list {
				list[i].Label = map[bool]string{true: "even", false: "odd"}[even(list[i].Label)]
			}
		}
		got := charted(t, b, paired(t, b, rule, 0.5), rule, 0.5)
		want := charted(t, by, paired(t, by, LabelRule{}, 0.5), LabelRule{}, 0.5)
		if !closeTo(got.APs.list(), want.APs.list()) || !slices.Equal(got.Confusion, want.Confusion) || got.Counts != want.Counts || got.TIDE != want.TIDE {
			t.Fatalf("case %d: %+v, relabeled %+v", n, got, want)
		}
	}
}

func TestCurveAveragesToAP(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, rule := anyBoxes(t), anyRule(t)
		iou := rapid.SampledFrom([]float64{0, 0.3, 0.5, 0.62, 0.75, 0.95, 1}).Draw(t, "iou")
		c := charted(t, b, paired(t, b, rule, iou), rule, iou)
		if len(c.Curve) != 101*len(c.PerClass) || (len(b.Truth) > 0) != (c.MAP50 != nil) {
			t.Fatalf("%d points for %d categories", len(c.Curve), len(c.PerClass))
		}
		for i, k := range c.PerClass {
			points, sum, last := c.Curve[101*i:][:101], 0.0, 1.0
			for r, p := range points {
				if p.Category != k.Category || math.Abs(p.Recall-float64(r)/100) > 1e-9 || p.Precision > last+1e-12 {
					t.Fatalf("point %d of %s is %+v after a precision of %v", r, k.Category, p, last)
				}
				sum, last = sum+p.Precision, p.Precision
			}
			if math.Abs(sum/101-k.AP) > 1e-9 {
				t.Fatalf("%s: AP %v, the curve's mean %v", k.Category, k.AP, sum/101)
			}
		}
		if !slices.IsSorted(c.IoUs) || !slices.ContainsFunc(c.IoUs, func(v float64) bool { return math.Abs(v-iou) < 1e-9 }) {
			t.Fatalf("computed at %v, asked for %v", c.IoUs, iou)
		}
		n := 0
		for _, h := range c.Histogram {
			n += h.Count
		}
		if n != c.Counts.Predictions || n != c.Counts.TP+c.Counts.FP {
			t.Fatalf("%d in the histogram of %+v", n, c.Counts)
		}
	})
}

func TestPredictionsOfAnAllowedPairCountForWhatTheyFind(t *testing.T) {
	b := Boxes{
		Items: 1, Truth: []Labeled{truthAt(0, "car"), truthAt(100, "truck")},
		Predictions: []Labeled{predictedAt(0, "vehicle", 0.9), predictedAt(100, "vehicle", 0.8)},
	}
	rule := LabelRule{Allowed: []AllowedPair{{"car", "vehicle"}, {"truck", "vehicle"}}}
	c := charted(t, b, paired(t, b, rule, 0.5), rule, 0.5)
	if orNone(c.MAP5095) < 1-1e-9 || len(c.PerClass) != 2 {
		t.Errorf("AP %v of %v, want 1 for car and truck", orNone(c.MAP5095), c.PerClass)
	}
	want := []ConfusionCount{{"car", "vehicle", 1}, {"truck", "vehicle", 1}}
	if !slices.Equal(c.Confusion, want) {
		t.Errorf("confusion %v, want %v", c.Confusion, want)
	}
}

func TestChartsOfFilteredRowsAreThoseOfTheirBoxes(t *testing.T) {
	b := Boxes{
		Items: 1, Truth: []Labeled{truthAt(0, "horse"), truthAt(50, "cow")},
		Predictions: []Labeled{predictedAt(0, "horse", 0.9), predictedAt(100, "horse", 0.95), predictedAt(200, "cow", 0.5)},
	}
	rows := paired(t, b, LabelRule{}, 0.5)
	onlyHorses := slices.DeleteFunc(slices.Clone(rows), func(r Row) bool { return r.PredictionCategory == "cow" || r.TruthCategory == "cow" })
	c := charted(t, b, onlyHorses, LabelRule{}, 0.5)
	if c.Counts != (Counts{TP: 1, FP: 1, Predictions: 2}) || len(c.PerClass) != 1 || math.Abs(c.PerClass[0].AP-0.5) > 1e-9 {
		t.Errorf("%+v and %v, want one of two right and AP 0.5", c.Counts, c.PerClass)
	}
	none := charted(t, b, nil, LabelRule{}, 0.5)
	if none.MAP50 != nil || none.Small != nil || none.Counts != (Counts{}) || len(none.Histogram) != HistogramBuckets {
		t.Errorf("charts of no rows: %+v", none)
	}
}

func TestConfidenceFallsIntoItsBucket(t *testing.T) {
	rows := []Row{{Type: TruePositive, Confidence: 1}, {Type: FalsePositive, Confidence: 0.049}}
	for i := range HistogramBuckets {
		rows = append(rows, Row{Type: FalsePositive, Confidence: float64(i) / HistogramBuckets})
	}
	for i, h := range histogram(rows) {
		want := 1
		if i == 0 || i == HistogramBuckets-1 {
			want = 2
		}
		if h.Count != want {
			t.Errorf("%d in the bucket from %v to %v, want %d", h.Count, h.Min, h.Max, want)
		}
	}
}

func TestRankKnowsItsMetrics(t *testing.T) {
	half, c := 0.5, Counts{TP: 3, FP: 1, FN: 3}
	aps := APs{MAP50: &half}
	for metric, want := range map[RankingMetric]float64{
		RankMAP50: 0.5, RankMAP5095: -1, RankAPSmall: -1, RankPrecision: 0.75, RankRecall: 0.5, RankF1: 0.6,
	} {
		if got, err := Rank(metric, aps, c); err != nil || math.Abs(orNone(got)-want) > 1e-12 {
			t.Errorf("%s is %v, %v; want %v", metric, orNone(got), err, want)
		}
	}
	if got, err := Rank(RankRecall, aps, Counts{}); got != nil || err != nil {
		t.Errorf("recall of nothing: %v, %v", got, err)
	}
	if _, err := Rank("SPEED", aps, c); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("an unknown metric: %v", err)
	}
}

func TestChartsRefuseForeignRows(t *testing.T) {
	b := Boxes{Items: 1, Truth: []Labeled{truthAt(0, "a")}}
	for _, r := range []Row{
		{Type: FalsePositive, Prediction: 4, Truth: -1},
		{Type: FalseNegative, Prediction: -1, Truth: 9},
		{Type: FalseNegative, Prediction: -1, Truth: -1},
		{Type: TruePositive, Prediction: -1, Truth: 0},
		{Prediction: -1, Truth: 0},
	} {
		if _, err := NewCharts(b, []Row{r}, LabelRule{}, 0.5); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func BenchmarkCharts(b *testing.B) {
	boxes := manyBoxes()
	rows := paired(b, boxes, LabelRule{}, 0.5)
	for _, c := range []struct {
		name string
		iou  float64
	}{{"at-0.5", 0.5}, {"at-0.42", 0.42}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				charted(b, boxes, rows, LabelRule{}, c.iou)
			}
		})
	}
}
