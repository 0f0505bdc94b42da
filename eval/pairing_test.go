package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"remuda"
	"remuda/geom"

	"pgregory.net/rapid"
)

func tenBy10(x float64) geom.Box { return geom.FromXYWH(x, 0, 10, 10) }

func truthAt(x float64, label string) Labeled { return Labeled{Label: label, Box: tenBy10(x)} }

func predictedAt(x float64, label string, confidence float64) Labeled {
	return Labeled{Label: label, Box: tenBy10(x), Confidence: confidence}
}

func paired(t interface{ Fatal(...any) }, b Boxes, rule LabelRule, iou float64) []Row {
	rows, err := Pair(b, rule, iou)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// labeled brings a generated case into the form of this file.
func labeled(truth remuda.Dataset, predictions []remuda.Annotation) Boxes {
	item := map[int64]int{}
	for i, x := range truth.Items {
		item[x.ID] = i
	}
	turn := func(list []remuda.Annotation) (out []Labeled) {
		for _, a := range list {
			out = append(out, Labeled{
				Item: item[a.ItemID], Label: fmt.Sprintf("k%02d", a.CategoryID), Box: a.Box,
				Area: a.Area, Crowd: a.Crowd, Confidence: a.Confidence,
			})
		}
		return out
	}
	return Boxes{Items: len(truth.Items), Truth: turn(truth.Annotations), Predictions: turn(predictions)}
}

func TestRowsSayWhatBecameOfEachBox(t *testing.T) {
	type short struct {
		Type       MatchType
		Prediction int
		Truth      int
		Confused   bool
		Error      ErrorType
	}
	horses := []Labeled{truthAt(0, "horse")}
	for _, c := range []struct {
		name        string
		truth       []Labeled
		predictions []Labeled
		rule        LabelRule
		want        []short
	}{
		{"found", horses, []Labeled{predictedAt(1, "horse", 0.9)}, LabelRule{}, []short{{TruePositive, 0, 0, false, ""}}},
		{"missed", horses, nil, LabelRule{}, []short{{FalseNegative, -1, 0, false, MissedTruth}}},
		{"drawn on nothing", nil, []Labeled{predictedAt(1, "horse", 0.9)}, LabelRule{}, []short{{FalsePositive, 0, -1, false, OnBackground}}},
		{"the surer one of two has it", horses, []Labeled{predictedAt(0, "horse", 0.3), predictedAt(1, "horse", 0.9)}, LabelRule{},
			[]short{{TruePositive, 1, 0, false, ""}, {FalsePositive, 0, 0, false, Duplicate}}},
		{"another category is a pair of its own", horses, []Labeled{predictedAt(0, "cow", 0.9)}, LabelRule{},
			[]short{{FalsePositive, 0, 0, true, Classification}, {FalseNegative, -1, 0, true, ""}}},
		{"a found one is confused with nothing", horses, []Labeled{predictedAt(0, "cow", 0.9), predictedAt(1, "horse", 0.2)}, LabelRule{},
			[]short{{FalsePositive, 0, 0, false, Classification}, {TruePositive, 1, 0, false, ""}}},
		{"too loose", horses, []Labeled{predictedAt(5, "horse", 0.9)}, LabelRule{},
			[]short{{FalsePositive, 0, 0, false, Localization}, {FalseNegative, -1, 0, false, ""}}},
		{"too loose and of another category", horses, []Labeled{predictedAt(5, "cow", 0.9)}, LabelRule{},
			[]short{{FalsePositive, 0, 0, false, BothWrong}, {FalseNegative, -1, 0, false, MissedTruth}}},
		{"a brush is background", horses, []Labeled{predictedAt(9, "horse", 0.9)}, LabelRule{},
			[]short{{FalsePositive, 0, 0, false, OnBackground}, {FalseNegative, -1, 0, false, MissedTruth}}},
		{"a crowd takes any number", []Labeled{{Label: "horse", Box: geom.FromXYWH(0, 0, 100, 10), Crowd: true}},
			[]Labeled{predictedAt(0, "horse", 0.9), predictedAt(40, "horse", 0.8)}, LabelRule{},
			[]short{{IgnoredMatch, 0, 0, false, ""}, {IgnoredMatch, 1, 0, false, ""}}},
		{"class-agnostic", horses, []Labeled{predictedAt(0, "cow", 0.9)}, LabelRule{Agnostic: true}, []short{{TruePositive, 0, 0, false, ""}}},
		{"an allowed pair", horses, []Labeled{predictedAt(0, "pony", 0.9)}, LabelRule{Allowed: []AllowedPair{{"horse", "pony"}}}, []short{{TruePositive, 0, 0, false, ""}}},
		{"an allowed pair has a direction", horses, []Labeled{predictedAt(0, "pony", 0.9)}, LabelRule{Allowed: []AllowedPair{{"pony", "horse"}}},
			[]short{{FalsePositive, 0, 0, true, Classification}, {FalseNegative, -1, 0, true, ""}}},
		{"a group", horses, []Labeled{predictedAt(0, "pony", 0.9)}, LabelRule{Groups: []LabelGroup{{"animal", []string{"horse", "pony"}}}}, []short{{TruePositive, 0, 0, false, ""}}},
	} {
		var got []short
		for _, r := range paired(t, Boxes{Items: 1, Truth: c.truth, Predictions: c.predictions}, c.rule, 0.5) {
			got = append(got, short{r.Type, r.Prediction, r.Truth, r.Confused, r.Error})
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: rows %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestRowCarriesLabelsIoUAndArea(t *testing.T) {
	b := Boxes{Items: 3, Truth: []Labeled{{Item: 2, Label: "mare", Box: tenBy10(0), Area: 60}}, Predictions: []Labeled{{Item: 2, Label: "foal", Box: tenBy10(2), Confidence: 0.7}}}
	rows := paired(t, b, LabelRule{Groups: []LabelGroup{{"horse", []string{"mare", "foal"}}}}, 0.5)
	want := Row{
		Item: 2, Type: TruePositive, PredictionLabel: "foal", PredictionCategory: "horse",
		TruthLabel: "mare", TruthCategory: "horse", IoU: 80.0 / 120, Confidence: 0.7, Area: 60,
	}
	if len(rows) != 1 || rows[0] != want {
		t.Errorf("rows %+v, want %+v", rows, want)
	}
}

// The two programs share AP and nothing of this: Evaluate's matcher goes by category first.
func TestRowsCountLikeEvaluate(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		if len(predictions) > MaxDetections {
			continue
		}
		least := math.Inf(-1)
		e := evaluated(t, truth, predictions, Options{Threshold: &least, Bootstrap: -1})
		rows := paired(t, labeled(truth, predictions), LabelRule{}, 0.5)
		c := CountRows(rows, least)
		if c.TP != e.TP || c.FP != e.FP || c.FN != e.FN {
			t.Fatalf("case %d: %+v, Evaluate has %d, %d, %d", n, c, e.TP, e.FP, e.FN)
		}
		half := 0.5
		e = evaluated(t, truth, predictions, Options{Threshold: &half, Bootstrap: -1})
		if c := CountRows(rows, half); c.TP != e.TP || c.FP != e.FP || c.FN != e.FN {
			t.Fatalf("case %d at 0.5: %+v, Evaluate has %d, %d, %d", n, c, e.TP, e.FP, e.FN)
		}
	}
}

func anyBoxes(t *rapid.T) Boxes {
	b := Boxes{Items: rapid.IntRange(1, 4).Draw(t, "items")}
	one := func(t *rapid.T) Labeled {
		return Labeled{
			Item: rapid.IntRange(0, b.Items-1).Draw(t, "item"), Label: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "label"),
			Box: geom.FromXYWH(float64(rapid.IntRange(0, 12).Draw(t, "x")), float64(rapid.IntRange(0, 4).Draw(t, "y")),
				float64(rapid.IntRange(1, 12).Draw(t, "w")), float64(rapid.IntRange(1, 8).Draw(t, "h"))),
			Confidence: rapid.Float64Range(0, 1).Draw(t, "confidence"),
		}
	}
	b.Truth = rapid.SliceOfN(rapid.Custom(one), 0, 12).Draw(t, "truth")
	b.Predictions = rapid.SliceOfN(rapid.Custom(one), 0, 20).Draw(t, "predictions")
	return b
}

func anyRule(t *rapid.T) LabelRule {
	return rapid.SampledFrom([]LabelRule{
		{},
		{Agnostic: true},
		{Allowed: []AllowedPair{{"a", "b"}, {"c", "b"}, {"x", "y"}}},
		{Groups: []LabelGroup{{"ab", []string{"a", "b"}}}},
	}).Draw(t, "rule")
}

func TestEveryBoxHasOneRowAndOneCell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, rule, iou := anyBoxes(t), anyRule(t), rapid.Float64Range(0, 1).Draw(t, "iou")
		rows := paired(t, b, rule, iou)
		seen, found := make([]int, len(b.Predictions)), make([]int, len(b.Truth))
		confused := 0
		for _, r := range rows {
			if r.Prediction >= 0 {
				seen[r.Prediction]++
			}
			if r.Type != FalsePositive {
				found[r.Truth]++
			}
			if r.Type == TruePositive && (r.IoU < iou || b.Truth[r.Truth].Item != b.Predictions[r.Prediction].Item) {
				t.Fatalf("%+v is no match at %v", r, iou)
			}
			if r.Confused {
				confused += map[MatchType]int{FalsePositive: 1, FalseNegative: -1}[r.Type]
			}
		}
		if slices.ContainsFunc(seen, func(n int) bool { return n != 1 }) || slices.ContainsFunc(found, func(n int) bool { return n != 1 }) {
			t.Fatalf("rows a prediction %v, a ground truth %v", seen, found)
		}
		c := charted(t, b, rows, rule, iou)
		given, wanted := 0, 0
		for _, cell := range c.Confusion {
			if cell.Predicted != Background {
				given += cell.Count
			}
			if cell.Truth != Background {
				wanted += cell.Count
			}
		}
		if confused != 0 || given != len(b.Predictions) || wanted != len(b.Truth) {
			t.Fatalf("the confusion holds %d of %d predictions and %d of %d ground truths", given, len(b.Predictions), wanted, len(b.Truth))
		}
		e := c.TIDE
		if e.Localization+e.Classification+e.Both+e.Duplicate+e.Background != c.Counts.FP || e.TruePositive != c.Counts.TP || e.Missed > c.Counts.FN {
			t.Fatalf("causes %+v of %+v", e, c.Counts)
		}
	})
}

func TestPairRefusesWhatItCannotRead(t *testing.T) {
	one := []Labeled{truthAt(0, "a")}
	for _, c := range []struct {
		name string
		b    Boxes
		rule LabelRule
		iou  float64
	}{
		{"a threshold above 1", Boxes{Items: 1, Truth: one}, LabelRule{}, 1.5},
		{"a threshold that is no number", Boxes{Items: 1, Truth: one}, LabelRule{}, math.NaN()},
		{"an item that is not there", Boxes{Items: 0, Truth: one}, LabelRule{}, 0.5},
		{"a box without end", Boxes{Items: 1, Predictions: []Labeled{{Box: geom.Box{X1: math.Inf(1), Y1: 1}}}}, LabelRule{}, 0.5},
		{"two rules", Boxes{Items: 1, Truth: one}, LabelRule{Agnostic: true, Allowed: []AllowedPair{{"a", "b"}}}, 0.5},
		{"a label in two groups", Boxes{Items: 1, Truth: one}, LabelRule{Groups: []LabelGroup{{"x", []string{"a"}}, {"y", []string{"a"}}}}, 0.5},
	} {
		if _, err := Pair(c.b, c.rule, c.iou); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// manyBoxes are about what a test set of 5,000 images and a detector that tells all give.
func manyBoxes() Boxes {
	const items, labels = 5000, 80
	r := rand.New(rand.NewPCG(3, 4))
	b := Boxes{Items: items}
	for range 36_000 {
		b.Truth = append(b.Truth, Labeled{
			Item: r.IntN(items), Label: strconv.Itoa(r.IntN(labels)),
			Box: geom.FromXYWH(r.Float64()*500, r.Float64()*400, 5+r.Float64()*200, 5+r.Float64()*200),
		})
	}
	for range 250_000 {
		p := b.Truth[r.IntN(len(b.Truth))]
		p.Box = geom.FromXYWH(p.Box.X0+r.NormFloat64()*8, p.Box.Y0+r.NormFloat64()*8, p.Box.Width()*(0.7+0.6*r.Float64()), p.Box.Height())
		p.Confidence = r.Float64()
		if r.IntN(4) == 0 {
			p.Label = strconv.Itoa(r.IntN(labels))
		}
		b.Predictions = append(b.Predictions, p)
	}
	return b
}

func BenchmarkPair(b *testing.B) {
	boxes := manyBoxes()
	for b.Loop() {
		paired(b, boxes, LabelRule{}, 0.5)
	}
}
