package eval

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"remuda"
	"remuda/geom"
)

const manyCases = 300 // of the generated ones, per property

func evaluated(t *testing.T, truth remuda.Dataset, predictions []remuda.Annotation, o Options) *Evaluation {
	t.Helper()
	e, err := Evaluate(truth, predictions, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// distinct gives every prediction a confidence of its own, so that no order is left to chance.
func distinct(predictions []remuda.Annotation) []remuda.Annotation {
	list := slices.Clone(predictions)
	for i := range list {
		list[i].ID = int64(i + 1)
		list[i].Confidence = float64((i*7919)%10007+1) / 10008
	}
	return list
}

// apart gives the ground truth of an image no two boxes that a prediction overlaps alike.
func apart(truth remuda.Dataset) remuda.Dataset {
	truth.Annotations = slices.Clone(truth.Annotations)
	for i := range truth.Annotations {
		shift := float64(i) * 0.000123
		b := &truth.Annotations[i].Box
		b.X0, b.X1 = b.X0+shift, b.X1+shift
	}
	return truth
}

func sameNumbers(a, b *Evaluation) bool {
	x, y := a.Metrics.list(), b.Metrics.list()
	for k := range x {
		if math.Abs(x[k]-y[k]) > 1e-12 {
			return false
		}
	}
	return a.TP == b.TP && a.FP == b.FP && a.FN == b.FN && a.Threshold == b.Threshold
}

func TestOrderOfTheInputDoesNotMatter(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		truth, predictions = apart(truth), distinct(predictions)
		want := evaluated(t, truth, predictions, Options{Bootstrap: 5, Seed: 3})
		r := rand.New(rand.NewPCG(uint64(n), 1))
		mixed := remuda.Dataset{Items: slices.Clone(truth.Items), Categories: slices.Clone(truth.Categories), Annotations: slices.Clone(truth.Annotations)}
		r.Shuffle(len(mixed.Items), func(i, j int) { mixed.Items[i], mixed.Items[j] = mixed.Items[j], mixed.Items[i] })
		r.Shuffle(len(mixed.Categories), func(i, j int) {
			mixed.Categories[i], mixed.Categories[j] = mixed.Categories[j], mixed.Categories[i]
		})
		r.Shuffle(len(mixed.Annotations), func(i, j int) {
			mixed.Annotations[i], mixed.Annotations[j] = mixed.Annotations[j], mixed.Annotations[i]
		})
		r.Shuffle(len(predictions), func(i, j int) { predictions[i], predictions[j] = predictions[j], predictions[i] })
		got := evaluated(t, mixed, predictions, Options{Bootstrap: 5, Seed: 3})
		if !sameNumbers(got, want) || got.Intervals != want.Intervals {
			t.Fatalf("case %d: %+v, want %+v", n, got.Metrics, want.Metrics)
		}
	}
}

func TestWrongPredictionNeverHelps(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		before := evaluated(t, truth, predictions, Options{Bootstrap: -1})
		far := geom.FromXYWH(1e4, 1e4, 50, 50)
		worse := append(slices.Clone(predictions), remuda.Annotation{
			ItemID: truth.Items[n%len(truth.Items)].ID, CategoryID: truth.Categories[n%len(truth.Categories)].ID,
			Box: far, Confidence: float64(n%10) / 10,
		})
		after := evaluated(t, truth, worse, Options{Bootstrap: -1})
		if after.AP > before.AP+1e-12 || after.AP50 > before.AP50+1e-12 || after.F1 > before.F1+1e-12 {
			t.Fatalf("case %d: AP rose from %v to %v or F1 from %v to %v", n, before.AP, after.AP, before.F1, after.F1)
		}
	}
}

func TestGroundTruthAsPredictionsIsPerfect(t *testing.T) {
	for n := range manyCases {
		truth, _ := generated(n)
		var predictions []remuda.Annotation
		perImage := map[[2]int64]int{}
		for _, a := range truth.Annotations {
			if !a.Crowd && perImage[[2]int64{a.ItemID, a.CategoryID}] < MaxDetections {
				perImage[[2]int64{a.ItemID, a.CategoryID}]++
				a.Confidence = 0.5
				predictions = append(predictions, a)
			}
		}
		if len(predictions) == 0 {
			continue
		}
		e := evaluated(t, truth, predictions, Options{Bootstrap: 20})
		if e.F1 != 1 || math.Abs(e.AP50-1) > 1e-12 || e.FP+e.FN != 0 || e.Intervals.F1 != (Interval{1, 1}) {
			t.Fatalf("case %d: F1 %v, AP50 %v, interval %v", n, e.F1, e.AP50, e.Intervals.F1)
		}
	}
}

func TestWeighingAnImageEqualsRepeatingIt(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		predictions = distinct(predictions)
		e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
		r := rand.New(rand.NewPCG(uint64(n), 2))
		weight := make([]twin, len(truth.Items))
		draw(r, weight, 0)
		draw(r, weight, 1)
		v := averager{weight: weight}
		for side, got := range v.coco(e.tables) {
			repeated, again := repeat(truth, predictions, weight, side)
			want := evaluated(t, repeated, again, Options{Bootstrap: -1})
			x, y := got.list(), want.Metrics.list()
			for k := 3; k < 15; k++ { // COCO's twelve
				if math.Abs(x[k]-y[k]) > 1e-12 {
					t.Fatalf("case %d, side %d of weights %x: %s %v, repeated %v", n, side, weight, metricNames[k], x[k], y[k])
				}
			}
		}
	}
}

// repeat writes every image out as often as it weighs.
func repeat(truth remuda.Dataset, predictions []remuda.Annotation, weight []twin, side int) (remuda.Dataset, []remuda.Annotation) {
	out := remuda.Dataset{Categories: truth.Categories}
	var again []remuda.Annotation
	for i, item := range truth.Items {
		for range weight[i].of(side) {
			id := int64(len(out.Items) + 1)
			out.Items = append(out.Items, remuda.Item{ID: id})
			for _, a := range remuda.ByItem(truth.Annotations)[item.ID] {
				a.ItemID, a.ID = id, int64(len(out.Annotations)+1)
				out.Annotations = append(out.Annotations, a)
			}
			for _, p := range remuda.ByItem(predictions)[item.ID] {
				p.ItemID, p.ID = id, int64(len(again)+1)
				again = append(again, p)
			}
		}
	}
	return out, again
}

func TestCountsAddUp(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
		outcomes := map[Outcome]int{}
		for _, m := range e.Matches() {
			if m.Prediction {
				outcomes[m.Outcome]++
			} else if m.Outcome == Missed {
				outcomes[Missed]++
			}
		}
		var sum CategoryScore
		for _, c := range e.Categories {
			sum.TP, sum.FP, sum.FN, sum.GroundTruths = sum.TP+c.TP, sum.FP+c.FP, sum.FN+c.FN, sum.GroundTruths+c.GroundTruths
		}
		cells := 0
		for _, c := range e.Confusion {
			if c.Truth == c.Predicted {
				cells += c.Count
			}
		}
		if e.TP+e.FN != e.GroundTruths || outcomes[Found] != e.TP || outcomes[Wrong] != e.FP || outcomes[Missed] != e.FN ||
			sum.TP != e.TP || sum.FP != e.FP || sum.FN != e.FN || sum.GroundTruths != e.GroundTruths || cells != e.TP {
			t.Fatalf("case %d: tp %d fp %d fn %d of %d, outcomes %v, categories %+v, diagonal %d", n, e.TP, e.FP, e.FN, e.GroundTruths, outcomes, sum, cells)
		}
	}
}

func TestBestThresholdIsTheBest(t *testing.T) {
	for n := range manyCases {
		truth, predictions := generated(n)
		own := evaluated(t, truth, predictions, Options{Bootstrap: -1})
		if !own.Optimistic || own.ThresholdFrom != OwnThreshold {
			t.Fatalf("case %d: a threshold chosen here must be called optimistic", n)
		}
		for _, p := range predictions {
			given := evaluated(t, truth, predictions, Options{Bootstrap: -1, Threshold: &p.Confidence, ThresholdFrom: "validation"})
			if given.F1 > own.F1+1e-12 {
				t.Fatalf("case %d: F1 %v at %v beats %v at the best threshold %v", n, given.F1, p.Confidence, own.F1, own.Threshold)
			}
			if given.Optimistic || given.ThresholdFrom != "validation" {
				t.Fatalf("case %d: a given threshold keeps its origin", n)
			}
		}
		if n == 20 {
			break
		}
	}
}

func TestCurveIsThinnedAroundTheThreshold(t *testing.T) {
	truth, _ := generated(11)
	r := rand.New(rand.NewPCG(1, 1))
	var predictions []remuda.Annotation
	for range 3000 {
		a := truth.Annotations[r.IntN(len(truth.Annotations))]
		predictions = append(predictions, remuda.Annotation{
			ItemID: truth.Items[r.IntN(len(truth.Items))].ID, CategoryID: a.CategoryID, Box: a.Box, Confidence: r.Float64(),
		})
	}
	e := evaluated(t, truth, predictions, Options{Bootstrap: -1})
	all := curve(votes(e.tables.columns), e.GroundTruths)
	if n := len(e.Curve); n > maxPoints || n < maxPoints/2 || len(all) < 2*maxPoints {
		t.Fatalf("%d of %d points are kept", n, len(all))
	}
	if e.Curve[0] != all[0] || e.Curve[len(e.Curve)-1] != all[len(all)-1] {
		t.Error("an end is lost")
	}
	chosen := slices.IndexFunc(e.Curve, func(p Point) bool { return p.Threshold == e.Threshold })
	if chosen < 0 || e.Curve[chosen].F1 != e.F1 || e.Curve[chosen].Precision != e.Precision {
		t.Errorf("the threshold's own point is lost or says otherwise: %v", chosen)
	}
	for i := 1; i < len(e.Curve); i++ {
		if e.Curve[i].Threshold >= e.Curve[i-1].Threshold || e.Curve[i].Recall < e.Curve[i-1].Recall {
			t.Fatalf("point %d is out of order", i)
		}
	}
}

func TestIntervalsHoldTheNumberAndFollowTheSeed(t *testing.T) {
	truth, predictions := generated(11)
	a := evaluated(t, truth, predictions, Options{Seed: 1})
	b := evaluated(t, truth, predictions, Options{Seed: 1})
	c := evaluated(t, truth, predictions, Options{Seed: 2})
	if a.Intervals != b.Intervals || a.Draws != DefaultDraws {
		t.Errorf("the same seed gives %v and %v from %d draws", a.Intervals, b.Intervals, a.Draws)
	}
	if a.Intervals == c.Intervals {
		t.Error("two seeds give the same intervals")
	}
	for n := range 50 {
		truth, predictions := generated(n)
		e := evaluated(t, truth, predictions, Options{Bootstrap: 100})
		for _, x := range []struct {
			number float64
			in     Interval
		}{{e.F1, e.Intervals.F1}, {e.AP, e.Intervals.AP}} {
			if x.number >= 0 && (x.in[0] > x.number+1e-12 || x.in[1] < x.number-1e-12 || x.in[0] < 0 || x.in[1] > 1) {
				t.Errorf("case %d: %v is not in %v", n, x.number, x.in)
			}
		}
	}
}

// TestIntervalCoversTheTruth draws many small test sets from one model whose
// F1 is known and counts how often the interval holds it.
func TestIntervalCoversTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	const sets, images, hit = 200, 60, 0.8
	covered := 0
	half := 0.5
	for range sets {
		truth := remuda.Dataset{Categories: []remuda.Category{{ID: 1, Name: "horse"}}}
		var predictions []remuda.Annotation
		for i := range images {
			id := int64(i + 1)
			truth.Items = append(truth.Items, remuda.Item{ID: id})
			for j := range 1 + r.IntN(4) {
				a := remuda.Annotation{ItemID: id, CategoryID: 1, Box: geom.FromXYWH(float64(100*j), 0, 50, 50), Confidence: 0.9}
				truth.Annotations = append(truth.Annotations, a)
				if r.Float64() > hit {
					a.Box = geom.FromXYWH(float64(100*j), 500, 50, 50)
				}
				predictions = append(predictions, a)
			}
		}
		e := evaluated(t, truth, predictions, Options{Threshold: &half, Bootstrap: 300})
		if e.Intervals.F1[0] <= hit && hit <= e.Intervals.F1[1] {
			covered++
		}
	}
	if share := float64(covered) / sets; share < 0.90 || share > 0.99 {
		t.Errorf("the 95 %% interval holds the true F1 in %.1f %% of %d test sets", 100*share, sets)
	}
}

func TestEmptyInputs(t *testing.T) {
	e := evaluated(t, remuda.Dataset{}, nil, Options{})
	if e.AP != -1 || e.F1 != -1 || e.Precision != -1 || e.Intervals.F1 != (Interval{-1, -1}) {
		t.Errorf("nothing at all gives %+v", e.Metrics)
	}
	if _, err := json.Marshal(e); err != nil {
		t.Error(err)
	}
	truth, _ := generated(11)
	if e := evaluated(t, truth, nil, Options{}); e.AP != 0 || e.AR100 != 0 || e.F1 != 0 || e.APARF1 != 0 {
		t.Errorf("no predictions give %+v", e.Metrics)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	truth, predictions := generated(11)
	with := func(change func(d *remuda.Dataset, p []remuda.Annotation)) error {
		d := remuda.Dataset{Items: slices.Clone(truth.Items), Categories: slices.Clone(truth.Categories), Annotations: slices.Clone(truth.Annotations)}
		p := slices.Clone(predictions)
		change(&d, p)
		_, err := Evaluate(d, p, Options{Bootstrap: -1})
		return err
	}
	for name, change := range map[string]func(d *remuda.Dataset, p []remuda.Annotation){
		"prediction 0 (id 0) is on image 999, which the ground truth does not list":                 func(_ *remuda.Dataset, p []remuda.Annotation) { p[0].ItemID = 999 },
		"prediction 1 (id 0) has category 999, which the ground truth does not list":                func(_ *remuda.Dataset, p []remuda.Annotation) { p[1].CategoryID = 999 },
		"prediction 0 (id 0) on image 7 holds a number that is not finite or out of all proportion": func(_ *remuda.Dataset, p []remuda.Annotation) { p[0].ItemID, p[0].Confidence = 7, math.NaN() },
		"ground truth box 0 (id 1) is on image 999, which the ground truth does not list":           func(d *remuda.Dataset, _ []remuda.Annotation) { d.Annotations[0].ItemID = 999 },
		"image id 7 occurs twice":    func(d *remuda.Dataset, _ []remuda.Annotation) { d.Items = append(d.Items, d.Items[0]) },
		"category id 1 occurs twice": func(d *remuda.Dataset, _ []remuda.Annotation) { d.Categories = append(d.Categories, d.Categories[0]) },
	} {
		err := with(change)
		if remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" || err.Error() != "evaluate: "+name {
			t.Errorf("got %v (%s), want evaluate: %s", err, remuda.CodeOf(err), name)
		}
	}
}
