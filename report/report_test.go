package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"remuda"
	"remuda/eval"
	"remuda/geom"
	"remuda/imageio"
)

const (
	hostileCategory = `<script>alert("category")</script>`
	hostileFile     = `"><img src=x onerror=alert(1)>/</style></script>.jpg`
)

// herd is a dataset of n images, and predictions that find some boxes, miss
// some and draw some wrong.
func herd(n int, seed uint64) (remuda.Dataset, []remuda.Annotation) {
	r := rand.New(rand.NewPCG(seed, 1))
	d := remuda.Dataset{Categories: []remuda.Category{{ID: 1, Name: hostileCategory}, {ID: 2, Name: "foal & mare"}}}
	var predictions []remuda.Annotation
	for i := range n {
		item := remuda.Item{ID: int64(i + 1), File: fmt.Sprintf("%d%s", i, hostileFile), Width: 320, Height: 240}
		d.Items = append(d.Items, item)
		for j := range 3 {
			a := remuda.Annotation{
				ID: int64(3*i + j + 1), ItemID: item.ID, CategoryID: int64(1 + r.IntN(2)),
				Box: geom.FromXYWH(float64(100*j), float64(r.IntN(100)), 90, 90),
			}
			d.Annotations = append(d.Annotations, a)
			p := a
			p.Confidence = r.Float64()
			if r.IntN(4) == 0 {
				p.Box = geom.FromXYWH(float64(r.IntN(300)), 150, 60, 80)
			}
			predictions = append(predictions, p)
		}
	}
	return d, predictions
}

func evaluated(t *testing.T, n int, seed uint64) *eval.Evaluation {
	t.Helper()
	d, _ := herd(n, 1)
	_, predictions := herd(n, seed)
	if seed != 1 { // same ground truth, other answers
		r := rand.New(rand.NewPCG(seed, 2))
		_, predictions = herd(n, 1)
		for i := range predictions {
			predictions[i].Confidence = r.Float64()
		}
	}
	e, err := eval.Evaluate(d, predictions, eval.Options{Bootstrap: 50})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// noise is an image that JPEG can't make small.
func noise(w, h int) Opener {
	m := imageio.NewRGB(w, h)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range m.Pix {
		m.Pix[i] = byte(r.Uint32())
	}
	return func(remuda.Item) (*imageio.RGB, error) { return m, nil }
}

func written(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func sampleRun(t *testing.T) RunReport {
	recipe, err := remuda.NamedRecipe("story", remuda.MobileNetV3Large320, "none", true)
	if err != nil {
		t.Fatal(err)
	}
	run := RunReport{Card: remuda.Card{Arch: remuda.MobileNetV3Large320, Recipe: recipe, Epoch: 2, Engine: "<b>engine</b>"}, Evaluation: evaluated(t, 8, 1), Images: noise(32, 24)}
	run.Card.Categories = run.Evaluation.Truth.Categories
	run.Card.Data.Train.File = hostileFile
	for s := range 20 {
		run.Steps = append(run.Steps, remuda.StepEvent{Step: s + 1, Epoch: s / 10, LR: 0.01, Losses: remuda.Losses{Total: 1 / float64(s+1)}, Images: 2, Seconds: 0.5})
	}
	for e := range 2 {
		run.Epochs = append(run.Epochs, remuda.EpochEvent{Epoch: e + 1, Losses: remuda.Losses{Total: 0.5}, Val: &remuda.Scores{F1: 0.5}, Best: e == 1})
	}
	return run
}

// samples are reports of every kind with hostile names in them.
func samples(t *testing.T) map[string]string {
	t.Helper()
	a, b := evaluated(t, 12, 1), evaluated(t, 12, 2)
	c, err := eval.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	points := []eval.Size{{Images: 100, F1: 0.5, Interval: eval.Interval{0.45, 0.55}}, {Images: 200, F1: 0.58, Interval: eval.Interval{0.53, 0.63}}, {Images: 300, F1: 0.62, Interval: eval.Interval{0.57, 0.67}}, {Images: 400, F1: 0.65, Interval: eval.Interval{0.6, 0.7}}}
	curve, err := eval.Learn(points)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"run": written(t, func(w io.Writer) error { return Run(w, sampleRun(t)) }),
		"evaluation": written(t, func(w io.Writer) error {
			return Evaluation(w, EvaluationReport{Evaluation: a, Model: hostileFile, Data: hostileFile, Images: noise(32, 24)})
		}),
		"comparison": written(t, func(w io.Writer) error {
			return Comparison(w, ComparisonReport{Comparison: c, A: a, B: b, NameA: hostileFile, NameB: hostileCategory, Images: noise(32, 24)})
		}),
		"curve": written(t, func(w io.Writer) error { return Curve(w, CurveReport{Curve: curve, Test: hostileFile}) }),
	}
}

func TestReportsLoadNothing(t *testing.T) {
	reference := regexp.MustCompile(`(?i)(href|src|srcset|action|data|xlink:href)\s*=\s*"([^"]*)"`)
	for name, page := range samples(t) {
		for _, m := range reference.FindAllStringSubmatch(page, -1) {
			if !strings.HasPrefix(m[2], "#") && !strings.HasPrefix(m[2], "data:image/jpeg;base64,") {
				t.Errorf("%s refers to %.60q", name, m[0])
			}
		}
		for _, word := range []string{"http:", "https:", "@import", "url(", "fetch(", "XMLHttpRequest", "<link", "<iframe", "ZgotmplZ"} {
			if strings.Contains(page, word) {
				t.Errorf("%s contains %q", name, word)
			}
		}
		if !strings.Contains(page, "default-src 'none'") {
			t.Errorf("%s lets a browser load things", name)
		}
	}
}

func TestHostileNamesAreShownAsTheyAre(t *testing.T) {
	for name, page := range samples(t) {
		for _, raw := range []string{hostileCategory, hostileFile, "<img", "onerror=alert(1)>", "</style></script>", "<b>engine</b>"} {
			if strings.Contains(page, raw) {
				t.Errorf("%s contains %q as markup", name, raw)
			}
		}
		if name != "curve" && name != "comparison" && !strings.Contains(page, "&lt;script&gt;alert(&#34;category&#34;)") {
			t.Errorf("%s does not show the category's name", name)
		}
		if !strings.Contains(page, "&lt;img src=x onerror=alert(1)&gt;") {
			t.Errorf("%s does not show the file's name", name)
		}
	}
}

func TestReportsAreWellFormed(t *testing.T) {
	for name, page := range samples(t) {
		if !strings.HasPrefix(page, "<!DOCTYPE html>\n<html lang=\"en\">") {
			t.Errorf("%s begins with %.40q", name, page)
		}
		if err := balanced(page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(page, "NaN") || strings.Contains(page, "%!") {
			t.Errorf("%s contains a number that is none", name)
		}
		seen := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if seen[m[1]] {
				t.Errorf("%s has id %s twice", name, m[1])
			}
			seen[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`<use href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if !seen[m[1]] {
				t.Errorf("%s uses picture %s, which it does not hold", name, m[1])
			}
		}
	}
}

// balanced checks that every element is closed in its turn.
func balanced(page string) error {
	void := map[string]bool{"meta": true, "br": true, "input": true}
	raw := regexp.MustCompile(`(?s)<(script|style)([^>]*)>.*?</(script|style)>`)
	page = raw.ReplaceAllString(page, "<$1></$1>")
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)([a-zA-Z0-9]+)(?:[^>"]|"[^"]*")*?(/?)>`).FindAllStringSubmatch(page, -1) {
		switch name := m[2]; {
		case m[3] == "/" || void[name]:
		case m[1] == "":
			open = append(open, name)
		case len(open) == 0 || open[len(open)-1] != name:
			return fmt.Errorf("</%s> closes nothing; open are %v", name, open)
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("never closed: %v", open)
	}
	return nil
}

func TestSizeIsLimitedAndSaysSo(t *testing.T) {
	e := evaluated(t, 300, 1)
	page := written(t, func(w io.Writer) error {
		return Evaluation(w, EvaluationReport{Evaluation: e, Images: noise(640, 480)})
	})
	if mib := float64(len(page)) / (1 << 20); mib > 8 {
		t.Errorf("%.1f MiB", mib)
	}
	if !regexp.MustCompile(`[0-9]+ more images with errors are not shown`).MatchString(page) {
		t.Error("it does not say how many images are left out")
	}
	if strings.Count(page, "<image ") < 20 {
		t.Errorf("it holds only %d images", strings.Count(page, "<image "))
	}
}

func TestUnreadableImagesAreDrawnEmptyAndNamed(t *testing.T) {
	e := evaluated(t, 5, 1)
	page := written(t, func(w io.Writer) error {
		return Evaluation(w, EvaluationReport{Evaluation: e, Images: func(remuda.Item) (*imageio.RGB, error) { return nil, errors.New("gone") }})
	})
	if !strings.Contains(page, "images could not be read and are drawn empty") || strings.Contains(page, "<image ") {
		t.Error("a missing image is not named")
	}
	if !strings.Contains(page, `class="box missed"`) {
		t.Error("the boxes are not drawn")
	}
}

func TestExplorerStartsAtTheEvaluation(t *testing.T) {
	e := evaluated(t, 40, 1)
	page := written(t, func(w io.Writer) error { return Evaluation(w, EvaluationReport{Evaluation: e}) })
	m := regexp.MustCompile(`(?s)<script type="application/json" id="explorer-data">(.*?)</script>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("no explorer")
	}
	var x explorer
	if err := json.Unmarshal([]byte(m[1]), &x); err != nil {
		t.Fatal(err)
	}
	tp, fp := 0.0, 0.0
	for i, p := range x.Points {
		if i > 0 && p[0] >= x.Points[i-1][0] {
			t.Fatalf("thresholds don't fall: %v after %v", p, x.Points[i-1])
		}
		if p[0] >= x.Threshold {
			tp, fp = p[1], p[2]
		}
	}
	if int(tp) != e.TP || int(fp) != e.FP || x.Positives != e.GroundTruths {
		t.Errorf("at %v it counts %v found and %v wrong, the evaluation %d and %d", x.Threshold, tp, fp, e.TP, e.FP)
	}
}

func TestReportsOfLittle(t *testing.T) {
	empty, err := eval.Evaluate(remuda.Dataset{}, nil, eval.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := eval.Compare(empty, empty)
	if err != nil {
		t.Fatal(err)
	}
	refused, err := eval.Learn([]eval.Size{{Images: 10, F1: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	one := []remuda.StepEvent{{Step: 1, Epoch: 0}}
	for name, test := range map[string]struct {
		want  string
		write func(io.Writer) error
	}{
		"nothing evaluated": {"F1 at IoU ≥ 0.5", func(w io.Writer) error { return Evaluation(w, EvaluationReport{Evaluation: empty}) }},
		"nothing compared":  {"There is nothing to compare", func(w io.Writer) error { return Comparison(w, ComparisonReport{Comparison: c, A: empty, B: empty}) }},
		"nothing trained":   {"No validation data", func(w io.Writer) error { return Run(w, RunReport{}) }},
		"one step trained": {"1 step of", func(w io.Writer) error {
			return Run(w, RunReport{Steps: []remuda.StepEvent{{Step: 1, Seconds: 1, Images: 2}}})
		}},
		"a step of no time": {"Loss", func(w io.Writer) error { return Run(w, RunReport{Steps: one}) }},
		"a refused curve":   {"No forecast: it takes 3 different sizes", func(w io.Writer) error { return Curve(w, CurveReport{Curve: refused}) }},
		"an optimistic curve": {"F1 is optimistic", func(w io.Writer) error {
			return Curve(w, CurveReport{Curve: &eval.LearningCurve{Sizes: []eval.Size{{Images: 10, F1: 0.5, Optimistic: true}}}})
		}},
		"a curve of nothing": {"No forecast", func(w io.Writer) error { return Curve(w, CurveReport{Curve: &eval.LearningCurve{}}) }},
	} {
		page := written(t, test.write)
		if !strings.Contains(page, test.want) {
			t.Errorf("%s: the page does not say %q", name, test.want)
		}
		if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
			t.Errorf("%s: a number is none", name)
		}
		if err := balanced(page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatAPageSays(t *testing.T) {
	pages := samples(t)
	for name, words := range map[string][]string{
		"run":        {"On validation data", "these validation data", "Learning rate", "× 0.1 every 3 epochs", "kept"},
		"evaluation": {"optimistic", "match:", "95 %, 50 bootstrap draws of images", "Wrong, the surest first", "Missed, the largest first", "What was taken for what", "COCO&#39;s twelve"},
		"comparison": {"paired bootstrap draws", "Every number's difference"},
		"curve":      {"With 800 images expect F1 of about"},
	} {
		for _, w := range words {
			if !strings.Contains(pages[name], w) && !strings.Contains(pages[name], strings.ReplaceAll(w, "&#39;", "'")) {
				t.Errorf("%s does not say %q", name, w)
			}
		}
	}
}
