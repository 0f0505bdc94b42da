package label

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReportByHand(t *testing.T) {
	half, little := 0.9, 0.2
	reports := Calibrate([]Checked{
		{Task: "1", Person: "ann", Confidence: &half, Answer: answer(box("cat", 0, 0, 10, 10), box("dog", 20, 0, 30, 10)), Truth: answer(box("cat", 0, 0, 10, 10), box("cat", 20, 0, 30, 10))},
		{Task: "2", Person: "ann", Confidence: &little, Feedback: "what of shadows?", Answer: answer(box("cat", 0, 0, 10, 20)), Truth: answer(box("cat", 0, 0, 10, 10), box("dog", 50, 50, 60, 60))},
		{Task: "2", Person: "bob", Answer: answer(box("cat", 90, 90, 95, 95)), Truth: answer()},
	}, Options{Tight: 5})
	if len(reports.People) != 2 || reports.People[0].Person != "ann" || reports.All.Answers != 3 || reports.All.Images != 2 {
		t.Fatalf("got %+v", reports)
	}
	ann, bob := reports.People[0], reports.People[1]
	for name, c := range map[string]struct {
		got       Rate
		count, of int
	}{
		"missed": {ann.Missed, 1, 4}, "extra": {ann.Extra, 0, 3}, "confused": {ann.Confused, 1, 3}, "tight": {ann.Tight, 2, 3},
		"bob's missed": {bob.Missed, 0, 0}, "bob's extra": {bob.Extra, 1, 1},
		"all missed": {reports.All.Missed, 1, 4}, "all extra": {reports.All.Extra, 1, 4},
	} {
		if c.got.Count != c.count || c.got.Of != c.of || c.got.Interval[0] > c.got.Value || c.got.Interval[1] < c.got.Value {
			t.Errorf("%s: got %+v, want %d of %d", name, c.got, c.count, c.of)
		}
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"score": {ann.Score.Value, 4.0 / 7}, "strict": {ann.Strict.Value, 2.0 / 7},
		"IoU": {ann.IoU.Value, 2.5 / 3}, "bottom": {ann.Bias.Bottom.Value, 10.0 / 3}, "top": {ann.Bias.Top.Value, 0},
		"size":       {ann.Size.Value, math.Cbrt(2)},
		"confidence": {ann.Voices.Confidence.Value, 0.55}, "sure": {ann.Voices.Sure.Value, 0.5}, "unsure": {ann.Voices.Unsure.Value, 2.0 / 3},
		"bob's score": {bob.Score.Value, 0}, "all": {reports.All.Score.Value, 0.5},
	} {
		if !near(c.got, c.want) {
			t.Errorf("%s is %g, want %g", name, c.got, c.want)
		}
	}
	if !reflect.DeepEqual(ann.Confusions, []Confusion{{"cat", "dog", 1}}) {
		t.Errorf("confusions %v", ann.Confusions)
	}
	if !reflect.DeepEqual(ann.Voices.Feedback, []Voice{{"2", "ann", "what of shadows?"}}) {
		t.Errorf("feedback %v", ann.Voices.Feedback)
	}
	if bob.IoU != (Mean{}) || bob.Score.Interval != nil {
		t.Errorf("one image has no interval, none located no IoU: %+v", bob)
	}
}

func TestAWarningBelowTheBarOnly(t *testing.T) {
	right := Checked{Task: "1", Person: "ann", Answer: answer(box("cat", 0, 0, 10, 10)), Truth: answer(box("cat", 0, 0, 10, 10))}
	empty := Checked{Task: "2", Person: "ann"}
	wrong := Checked{Task: "3", Person: "ann", Answer: answer(box("cat", 0, 0, 10, 10))}
	for _, c := range []struct {
		name    string
		checked []Checked
		bar     float64
		warns   bool
	}{
		{"nobody", nil, 0, false},
		{"nothing to find and nothing drawn", []Checked{empty}, 0, false},
		{"all right", []Checked{right, empty}, 0, false},
		{"all wrong", []Checked{wrong}, 0, true},
		{"two thirds", []Checked{right, wrong}, 0, true},
		{"a lower bar", []Checked{right, wrong}, 0.6, false},
	} {
		r := Calibrate(c.checked, Options{Bar: c.bar}).All
		if (r.Warning != "") != c.warns {
			t.Errorf("%s: score %v, warning %q", c.name, r.Score, r.Warning)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestBiasInWords(t *testing.T) {
	sure := func(v float64) Mean { return Mean{v, 9, &Interval{v - 0.5, v + 0.5}} }
	b := Bias{Left: sure(3.04), Top: sure(-2), Right: Mean{9, 1, nil}, Bottom: Mean{2, 9, &Interval{-1, 5}}}
	want := []string{"3.0 px loose at the left (2.5 to 3.5)", "2.0 px inside at the top (1.5 to 2.5)"}
	if got := b.Clear(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
	if got := (Bias{Left: sure(0.9)}).Clear(); got != nil {
		t.Errorf("less than a pixel is nothing to say: %q", got)
	}
}

// Ensure reports find what was planted: each interval holds the truth about as
// often as it says, over many labelers with 40 images each.
func TestReportsRecoverWhatWasPlanted(t *testing.T) {
	const rounds, images = 300, 40
	p := person{miss: 0.12, extra: 0.1, confuse: 0.07, bias: [4]float64{3, -1.5, -2, 1}, noise: 2}
	r := rand.New(rand.NewPCG(9, 10))
	covered := make(map[string]int)
	sum := make(map[string]float64)
	hold := func(name string, value float64, i Interval, truth float64) {
		sum[name] += value
		if i[0] <= truth && truth <= i[1] {
			covered[name]++
		}
	}
	extra, score := p.expected()
	for round := range rounds {
		var checked []Checked
		for i := range images {
			truth := scene(r, 6)
			checked = append(checked, Checked{Task: fmt.Sprint(i), Person: "ann", Answer: p.draw(r, truth), Truth: truth})
		}
		got := Calibrate(checked, Options{Draws: 300, Seed: uint64(round)}).All
		hold("missed", got.Missed.Value, got.Missed.Interval, p.miss)
		hold("confused", got.Confused.Value, got.Confused.Interval, p.confuse)
		hold("extra", got.Extra.Value, got.Extra.Interval, extra)
		hold("left", got.Bias.Left.Value, *got.Bias.Left.Interval, p.bias[0])
		hold("top", got.Bias.Top.Value, *got.Bias.Top.Interval, p.bias[1])
		hold("right", got.Bias.Right.Value, *got.Bias.Right.Interval, p.bias[2])
		hold("bottom", got.Bias.Bottom.Value, *got.Bias.Bottom.Interval, p.bias[3])
		hold("score", got.Score.Value, *got.Score.Interval, score)
	}
	for name, truth := range map[string]float64{
		"missed": p.miss, "confused": p.confuse, "extra": extra, "score": score,
		"left": p.bias[0], "top": p.bias[1], "right": p.bias[2], "bottom": p.bias[3],
	} {
		// 300 rounds of 0.95 stay above 0.91 but for one time in a thousand;
		// Clopper and Pearson's intervals hold more often than they promise.
		if rate := float64(covered[name]) / rounds; rate < 0.91 {
			t.Errorf("%s: %.3f of the intervals hold the truth", name, rate)
		}
		if mean := sum[name] / rounds; math.Abs(mean-truth) > 0.02*max(1, math.Abs(truth)) {
			t.Errorf("%s: %.3f on average, planted was %.3f", name, mean, truth)
		}
	}
	for _, name := range []string{"left", "top", "right", "bottom"} {
		if rate := float64(covered[name]) / rounds; rate > 0.985 {
			t.Errorf("%s: %.3f of the intervals hold the truth, so they are too wide", name, rate)
		}
	}
}

func TestAccuracyOverTime(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2025, 3, n, 12, 0, 0, 0, time.UTC) }
	var scored []Scored
	for n := 20; n > 0; n-- { // out of order, worse from the 11th day on
		s := Scored{At: day(n), Correct: 10, Of: 10}
		if n > 10 {
			s.Correct = 5
		}
		scored = append(scored, s)
	}
	scored = append(scored, Scored{At: day(21)}, Scored{At: day(22), Correct: 3, Of: 2})
	track := Accuracy(scored, 5)
	if len(track) != 20 || track[0].Tasks != 1 || track[19].Tasks != 5 || !track[9].At.Equal(day(10)) {
		t.Fatalf("got %+v", track)
	}
	if track[9].Accuracy.Value != 1 || track[9].Below(0.8) {
		t.Errorf("before: %+v", track[9])
	}
	if track[19].Accuracy.Value != 0.5 || !track[19].Below(0.8) || track[19].Below(0.5) {
		t.Errorf("after: %+v", track[19])
	}
	if all := Accuracy(scored, 0); all[19].Accuracy.Count != 150 || all[19].Tasks != 20 {
		t.Errorf("without a window: %+v", all[19])
	}
	if one := Accuracy(scored[:1], 5); one[0].Below(0.6) {
		t.Errorf("half of ten boxes is too little to be sure: %+v", one[0])
	}
	if Accuracy(nil, 5) != nil {
		t.Error("nobody has no accuracy")
	}
}

func FuzzCalibrate(f *testing.F) {
	f.Add(0.0, 0.0, 10.0, 10.0, 0.5)
	f.Add(math.NaN(), 0.0, math.Inf(1), 10.0, math.NaN())
	f.Add(-1e9, -1e9, 1e9, 1e9, -1.0)
	f.Add(1e-160, 0.0, 3e-160, 1e-150, 2.0)
	f.Fuzz(func(t *testing.T, x0, y0, x1, y1, confidence float64) {
		drawn, real := box("cat", x0, y0, x1, y1), box("cat", 0, 0, x1, y1)
		checked := []Checked{
			{Task: "1", Answer: answer(drawn), Truth: answer(real), Confidence: &confidence},
			{Task: "2", Answer: answer(drawn, real), Truth: answer(drawn)},
		}
		if _, err := json.Marshal(Calibrate(checked, Options{Draws: 20})); err != nil {
			t.Error(err)
		}
		ceiling := NoiseCeiling([]Doubled{{Answers: []Answer{checked[0].Answer, checked[1].Answer}}}, Options{Draws: 20})
		if _, err := json.Marshal(ceiling); err != nil {
			t.Error(err)
		}
	})
}

func TestAuditedAttemptsAreChecked(t *testing.T) {
	drawn, fix := answer(box("cat", 0, 0, 10, 10)), answer(box("dog", 0, 0, 10, 10))
	attempt := func(by string) Work {
		return Work{Stage: Attempting, By: by, Round: 1, Submission: Submission{Answer: &drawn, Feedback: "hm"}}
	}
	task := Task{ID: "t", Batch: "b", Status: Completed, Round: 1, Result: &fix, Work: []Work{attempt("ann"), attempt("bob")}}
	if task.Checked() != nil {
		t.Error("nobody has audited it")
	}
	audit := func(v Verdict) Task {
		audited := task
		audited.Work = append(audited.Work[:2:2], Work{Stage: Auditing, By: "eve", Round: 1, Submission: Submission{Verdict: v}})
		return audited
	}
	if audit(Rejected).Checked() != nil {
		t.Error("a rejected result is no truth")
	}
	checked := audit(Fixed).Checked()
	if len(checked) != 2 || checked[1].Person != "bob" || checked[1].Feedback != "hm" || checked[1].Truth.Boxes[0].Category != "dog" {
		t.Errorf("got %+v", checked)
	}
	efforts, yield := audit(Fixed).Efforts()
	if len(efforts) != 3 || efforts[0].Accepted != 0 || efforts[0].Drawn != 1 || yield == nil || yield.Boxes != 1 {
		t.Errorf("got %+v, %+v", efforts, yield)
	}
	if len(task.Doubled().Answers) != 2 || !strings.Contains(task.Doubled().Task, "t") {
		t.Errorf("got %+v", task.Doubled())
	}
}

// expected returns the extra rate and the F1 that a person's habits lead to,
// over scenes of 1 to 6 objects.
func (p person) expected() (extra, f1 float64) {
	const objects = 3.5
	drawn := objects*(1-p.miss) + 2*p.extra
	found := objects * (1 - p.miss) * (1 - p.confuse)
	return 2 * p.extra / drawn, 2 * found / (objects + drawn)
}
