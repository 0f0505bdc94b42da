package eval

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"remuda"
	"remuda/geom"

	"pgregory.net/rapid"
)

func validated(t interface{ Fatal(...any) }, f BoxFunction, b Boxes, a BoxArguments) Validation {
	v, err := Validate(f, b, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// clientCase is one of testdata/make_validate.py's.
type clientCase struct {
	Items              int
	IoU, Confidence    float64
	Enforce            bool
	Truth, Predictions []row7
	Want               map[BoxFunction][][2]float64
	Total              map[BoxFunction]float64
}

// row7 is an item, a label, a box and a prediction's confidence.
type row7 Labeled

func (r *row7) UnmarshalJSON(data []byte) error {
	var confidence float64
	fields := []any{&r.Item, &r.Label, &r.Box.X0, &r.Box.Y0, &r.Box.X1, &r.Box.Y1, &confidence}
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	r.Confidence = confidence
	return nil
}

func (c clientCase) boxes() Boxes {
	turn := func(list []row7) (out []Labeled) {
		for _, r := range list {
			out = append(out, Labeled(r))
		}
		return out
	}
	return Boxes{Items: c.Items, Truth: turn(c.Truth), Predictions: turn(c.Predictions)}
}

func clientCases(t *testing.T) (cases []clientCase) {
	t.Helper()
	readJSON(t, "testdata/validate.json", &cases)
	if len(cases) < 100 {
		t.Fatalf("%d cases", len(cases))
	}
	return cases
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}

func TestErrorCountsEqualTIDEs(t *testing.T) {
	var want [][7]int
	readJSON(t, "testdata/tide.json", &want)
	for n, c := range clientCases(t) {
		e := errorCounts(paired(t, c.boxes(), LabelRule{}, 0.5))
		got := [7]int{e.TruePositive, e.Localization, e.Classification, e.Both, e.Duplicate, e.Background, e.Missed}
		if got != want[n] {
			t.Fatalf("case %d: %v, want %v", n, got, want[n])
		}
	}
}

func TestValidateEqualsTheClientsOwnMetrics(t *testing.T) {
	const tolerance = 1e-9 // the client adds epsilons to its denominators, and its areas come from polygons
	for n, c := range clientCases(t) {
		for _, f := range []BoxFunction{BoxIoU, BoxPrecision, BoxRecall} {
			v := validated(t, f, c.boxes(), BoxArguments{EnforceLabels: c.Enforce, IoU: c.IoU, Confidence: c.Confidence})
			for item, want := range c.Want[f] {
				if got := v.Items[item]; math.Abs(got.Value-want[0]) > tolerance || math.Abs(got.Weight-want[1]) > tolerance {
					t.Fatalf("case %d: %s of item %d is %+v, want %v", n, f, item, got, want)
				}
			}
			if math.Abs(v.Total.Value-c.Total[f]) > tolerance {
				t.Fatalf("case %d: %s is %v, want %v", n, f, v.Total.Value, c.Total[f])
			}
		}
	}
}

func TestBoxMAPIsTheChartsAP(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		b := labeled(truth, distinct(predictions))
		c := charted(t, b, paired(t, b, LabelRule{}, 0.6), LabelRule{}, 0.6)
		var sum total
		for _, k := range c.PerClass {
			sum.add(k.AP)
		}
		v := validated(t, BoxMAP, b, BoxArguments{IoU: 0.6})
		if want := max(0, sum.mean()); math.Abs(v.Total.Value-want) > 1e-12 || (v.Total.Weight > 0) != (sum.n > 0) {
			t.Fatalf("case %d: %+v, want %v", n, v.Total, want)
		}
		for item, got := range v.Items {
			of := func(list []Labeled) []Labeled {
				return slices.DeleteFunc(slices.Clone(list), func(x Labeled) bool { return x.Item != item })
			}
			alone := validated(t, BoxMAP, Boxes{Items: b.Items, Truth: of(b.Truth), Predictions: of(b.Predictions)}, BoxArguments{IoU: 0.6})
			if alone.Total != got {
				t.Fatalf("case %d: item %d has %+v among others, %+v alone", n, item, got, alone.Total)
			}
		}
	}
}

func TestFitOfKnownBoxes(t *testing.T) {
	// Going by confidence, the surer prediction would take the ground truth that is the other's only one.
	rivals := Boxes{
		Items:       1,
		Truth:       []Labeled{truthAt(0, "a"), truthAt(4, "a")},
		Predictions: []Labeled{predictedAt(1, "a", 0.9), predictedAt(-3, "b", 0.1)},
	}
	for _, c := range []struct {
		name string
		f    BoxFunction
		b    Boxes
		a    BoxArguments
		want ItemScore
	}{
		{"both are paired", BoxRecall, rivals, BoxArguments{IoU: 0.5}, ItemScore{1, 2}},
		{"labels count", BoxRecall, rivals, BoxArguments{IoU: 0.5, EnforceLabels: true}, ItemScore{0.5, 2}},
		{"the unsure one is out", BoxPrecision, rivals, BoxArguments{IoU: 0.5, Confidence: 0.5}, ItemScore{1, 1}},
		{"sum over the larger side", BoxIoU, rivals, BoxArguments{Confidence: 0.5}, ItemScore{9.0 / 11 / 2, 2}},
		{"no overlap is no pair at threshold 0", BoxRecall, Boxes{Items: 1, Truth: []Labeled{truthAt(0, "a")}, Predictions: []Labeled{predictedAt(50, "a", 1)}}, BoxArguments{}, ItemScore{0, 1}},
		{"nothing to measure", BoxIoU, Boxes{Items: 1}, BoxArguments{}, ItemScore{}},
		{"a crowd is not there", BoxRecall, Boxes{Items: 1, Truth: []Labeled{{Label: "a", Box: geom.Box{X1: 9, Y1: 9}, Crowd: true}}}, BoxArguments{}, ItemScore{}},
	} {
		v := validated(t, c.f, c.b, c.a)
		if math.Abs(v.Total.Value-c.want.Value) > 1e-12 || v.Total.Weight != c.want.Weight || len(v.Items) != 1 || v.Items[0] != v.Total {
			t.Errorf("%s: %+v, want %+v", c.name, v, c.want)
		}
	}
}

func TestValidateStaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := anyBoxes(t)
		f := rapid.SampledFrom([]BoxFunction{BoxIoU, BoxPrecision, BoxRecall, BoxMAP}).Draw(t, "function")
		a := BoxArguments{rapid.Bool().Draw(t, "enforce"), rapid.Float64Range(0, 1).Draw(t, "iou"), rapid.Float64Range(0, 1).Draw(t, "confidence")}
		v := validated(t, f, b, a)
		for _, s := range append(v.Items, v.Total) {
			if !(s.Value >= 0 && s.Value <= 1+1e-12 && s.Weight >= 0) || s.Weight == 0 && s.Value != 0 {
				t.Fatalf("%s gives %+v", f, s)
			}
		}
		perfect := Boxes{Items: b.Items, Truth: b.Truth, Predictions: slices.Clone(b.Truth)}
		if s := validated(t, f, perfect, BoxArguments{IoU: a.IoU, EnforceLabels: a.EnforceLabels}).Total; s.Weight > 0 && math.Abs(s.Value-1) > 1e-9 {
			t.Fatalf("%s of the ground truth itself is %v", f, s.Value)
		}
	})
}

func TestValidateRefusesWhatItCannotRead(t *testing.T) {
	for _, c := range []struct {
		f BoxFunction
		b Boxes
		a BoxArguments
	}{
		{"poly_iou", Boxes{}, BoxArguments{}},
		{BoxIoU, Boxes{}, BoxArguments{IoU: 2}},
		{BoxIoU, Boxes{}, BoxArguments{Confidence: -1}},
		{BoxMAP, Boxes{Truth: []Labeled{{}}}, BoxArguments{}},
	} {
		if _, err := Validate(c.f, c.b, c.a); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s, %+v, %+v: %v", c.f, c.b, c.a, err)
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	boxes := manyBoxes()
	for _, f := range []BoxFunction{BoxIoU, BoxMAP} {
		b.Run(string(f), func(b *testing.B) {
			for b.Loop() {
				validated(b, f, boxes, BoxArguments{IoU: 0.5})
			}
		})
	}
}
