package eval

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"remuda"
	"remuda/geom"
)

// TestCases runs testdata/f1.eval, which explains its own language.
func TestCases(t *testing.T) {
	text, err := os.ReadFile("testdata/f1.eval")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split("\n"+string(text), "\ncase ")[1:] {
		name, body, _ := strings.Cut(block, "\n")
		t.Run(name, func(t *testing.T) { runCase(t, body) })
	}
}

var caseCategories = []string{"cat", "dog"}

func runCase(t *testing.T, body string) {
	truth := remuda.Dataset{Items: []remuda.Item{{ID: 1, File: "1"}, {ID: 2, File: "2"}}}
	for i, c := range caseCategories {
		truth.Categories = append(truth.Categories, remuda.Category{ID: int64(i + 1), Name: c})
	}
	var guesses []remuda.Annotation
	o := Options{Bootstrap: -1}
	var expect [][]string
	for line := range strings.Lines(body) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		switch f[0] {
		case "truth":
			truth.Annotations = append(truth.Annotations, remuda.Annotation{
				ID: int64(decimal(t, f[1])), ItemID: int64(decimal(t, f[2])), CategoryID: caseCategory(f[3]), Box: caseBox(t, f[4]), Crowd: len(f) > 5,
			})
		case "guess":
			guesses = append(guesses, remuda.Annotation{
				Confidence: decimal(t, f[1]), ItemID: int64(decimal(t, f[2])), CategoryID: caseCategory(f[3]), Box: caseBox(t, f[4]), ID: int64(len(guesses) + 1),
			})
		case "at":
			threshold := decimal(t, f[1])
			o.Threshold = &threshold
		default:
			expect = append(expect, f)
		}
	}
	e, err := Evaluate(truth, guesses, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(expect) == 0 {
		t.Fatal("the case expects nothing")
	}
	for _, f := range expect {
		if got, want := caseAnswer(t, e, f), strings.Join(f[1:], " "); got != want {
			t.Errorf("%s %s, want %s", f[0], got, want)
		}
	}
}

// caseAnswer says what came out, worded as the expectation should be.
func caseAnswer(t *testing.T, e *Evaluation, expect []string) string {
	number := func(got float64) string {
		if math.Abs(got-decimal(t, expect[1])) < 1e-9 {
			return expect[1]
		}
		return fmt.Sprint(got)
	}
	var words []string
	switch expect[0] {
	case "counts":
		return fmt.Sprintf("tp %d fp %d fn %d", e.TP, e.FP, e.FN)
	case "threshold":
		return number(e.Threshold)
	case "f1":
		return number(e.F1)
	case "truths", "guesses":
		for _, m := range e.Matches() {
			if m.Prediction == (expect[0] == "guesses") {
				words = append(words, fmt.Sprintf("%d=%s", m.AnnotationID, m.Outcome))
			}
		}
	case "confusion":
		name := func(i int) string {
			if i == background {
				return "-"
			}
			return e.Categories[i].Name
		}
		var last []string
		for _, c := range e.Confusion {
			word := fmt.Sprintf("%s>%s=%d", name(c.Truth), name(c.Predicted), c.Count)
			if c.Truth == background {
				last = append(last, word)
			} else {
				words = append(words, word)
			}
		}
		words = append(words, last...)
	default:
		t.Fatalf("no such expectation: %s", expect[0])
	}
	return strings.Join(words, " ")
}

func decimal(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func caseCategory(name string) int64 {
	for i, c := range caseCategories {
		if c == name {
			return int64(i + 1)
		}
	}
	return 0
}

func caseBox(t *testing.T, s string) geom.Box {
	f := strings.Split(s, ",")
	return geom.Box{X0: decimal(t, f[0]), Y0: decimal(t, f[1]), X1: decimal(t, f[2]), Y1: decimal(t, f[3])}
}
