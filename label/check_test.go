package label

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"remuda"
	"remuda/geom"
)

// farm is a taxonomy with everything in it.
func farm() Taxonomy {
	return Taxonomy{
		Version:    3,
		Categories: []Category{{Name: "animal", Children: []Category{{Name: "horse"}, {Name: "cow"}}}, {Name: "cart"}},
		MinWidth:   2, MinHeight: 3,
		Attributes: []Attribute{
			{ID: "truncated", Type: ChoiceAttribute, Choices: []string{"yes", "no"}},
			{ID: "color", Type: ChoiceAttribute, Choices: []string{"bay", "grey"}, Multiple: true, Required: true, Conditions: []Condition{{Categories: []string{"horse"}}}},
			{ID: "age", Type: NumberAttribute},
			{ID: "name", Type: TextAttribute, Required: true, Conditions: []Condition{{Categories: []string{"horse"}, Attributes: map[string][]string{"color": {"grey"}}}}},
			{ID: "weather", Type: ChoiceAttribute, Choices: []string{"dry", "wet"}, Image: true, Required: true},
		},
	}
}

func bay() map[string]any { return map[string]any{"color": []any{"bay"}} }

func TestChecks(t *testing.T) {
	box := func(category string, b geom.Box, attributes map[string]any) Box {
		return Box{ID: "1", Category: category, Box: b, Attributes: attributes}
	}
	inside := geom.FromXYWH(100, 100, 50, 50)
	for _, c := range []struct {
		name  string
		boxes []Box
		want  []CheckCode
	}{
		{"all well", []Box{box("horse", inside, bay())}, nil},
		{"nothing", nil, []CheckCode{EmptyAnswer}},
		{"tiny", []Box{box("cow", geom.FromXYWH(9, 9, 50, 3.9), nil)}, []CheckCode{TinyBox}},
		{"below the minimum", []Box{box("cow", geom.FromXYWH(9, 9, 50, 2.9), nil)}, []CheckCode{BoxTooSmall, TinyBox}},
		{"huge", []Box{box("cart", geom.FromXYWH(1, 1, 637, 477), nil)}, []CheckCode{HugeBox}},
		{"outside", []Box{box("cart", geom.FromXYWH(-3, 100, 60, 60), nil)}, []CheckCode{OutsideBox}},
		{"touching", []Box{box("cart", geom.FromXYWH(580, 100, 60, 60), nil)}, []CheckCode{TouchingEdge}},
		{"touching by a hair", []Box{box("cart", geom.FromXYWH(580, 100, 60.4, 60), nil)}, []CheckCode{TouchingEdge}},
		{"touching, marked", []Box{box("cart", geom.FromXYWH(580, 100, 60, 60), map[string]any{"truncated": "yes"})}, nil},
		{"touching, denied", []Box{box("cart", geom.FromXYWH(580, 100, 60, 60), map[string]any{"truncated": "no"})}, []CheckCode{TouchingEdge}},
		{"twins", []Box{box("cart", inside, nil), {ID: "2", Category: "cart", Box: geom.FromXYWH(101, 100, 50, 50)}}, []CheckCode{TwinBox}},
		{"no twins", []Box{box("cart", inside, nil), {ID: "2", Category: "cow", Box: inside}}, nil},
		{"one id twice", []Box{box("cart", inside, nil), box("cow", geom.FromXYWH(300, 300, 50, 50), nil)}, []CheckCode{RepeatedID}},
		{"a group's name", []Box{box("animal", inside, nil)}, []CheckCode{UnknownCategory}},
		{"inside out", []Box{box("cart", geom.Box{X0: 50, Y0: 50, X1: 40, Y1: 60}, nil)}, []CheckCode{BadBox}},
		{"not a number", []Box{box("cart", geom.Box{X0: math.NaN(), Y0: 50, X1: 140, Y1: 160}, nil)}, []CheckCode{BadBox}},
		{"endless", []Box{box("cart", geom.Box{X0: 0, Y0: 0, X1: math.Inf(1), Y1: 160}, nil)}, []CheckCode{BadBox}},
		{"no color", []Box{box("horse", inside, nil)}, []CheckCode{MissingAttribute}},
		{"empty color", []Box{box("horse", inside, map[string]any{"color": []any{}})}, []CheckCode{MissingAttribute}},
		{"no such color", []Box{box("horse", inside, map[string]any{"color": []any{"blue"}})}, []CheckCode{BadAttribute}},
		{"one color where several may be", []Box{box("horse", inside, map[string]any{"color": "bay"})}, []CheckCode{BadAttribute}},
		{"several where one may be", []Box{box("cart", inside, map[string]any{"truncated": []any{"yes"}})}, []CheckCode{BadAttribute}},
		{"a grey without a name", []Box{box("horse", inside, map[string]any{"color": []string{"grey"}})}, []CheckCode{MissingAttribute}},
		{"a grey with one", []Box{box("horse", inside, map[string]any{"color": []string{"grey"}, "name": "Moon"})}, nil},
		{"age in words", []Box{box("cow", inside, map[string]any{"age": "two"})}, []CheckCode{BadAttribute}},
		{"age", []Box{box("cow", inside, map[string]any{"age": 2.0})}, nil},
		{"unknown attribute", []Box{box("cow", inside, map[string]any{"mood": "good"})}, []CheckCode{UnknownAttribute}},
	} {
		answer := Answer{Boxes: c.boxes, Attributes: map[string]any{"weather": "dry"}}
		var got []CheckCode
		for _, f := range Check(answer, Question{Taxonomy: farm(), Width: 640, Height: 480}) {
			got = append(got, f.Code)
			if f.Message == "" {
				t.Errorf("%s: %s says nothing", c.name, f.Code)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := Check(Answer{Boxes: []Box{box("horse", inside, bay())}}, Question{Taxonomy: farm()}); len(got) != 1 || got[0].Code != MissingAttribute {
		t.Errorf("no weather: %v", got)
	}
}

func TestWarningsPassWithAReasonAndErrorsDoNot(t *testing.T) {
	x := must(t)(fresh(Plan{}).Take(ann, modelBatch, monday))
	empty := &Answer{Boxes: []Box{}}
	for _, c := range []struct {
		name      string
		answer    *Answer
		overrides []Override
		open      int
	}{
		{"a warning", empty, nil, 1},
		{"without a reason", empty, []Override{{Code: EmptyAnswer, Reason: " "}}, 1},
		{"for another finding", empty, []Override{{Code: TinyBox, Reason: "it is"}}, 1},
		{"with a reason", empty, []Override{{Code: EmptyAnswer, Reason: "an empty field"}}, 0},
		{"for another box", horse(-5), []Override{{Code: OutsideBox, Box: "2", Reason: "it is"}}, 1},
		{"for the box", horse(-5), []Override{{Code: OutsideBox, Box: "1", Reason: "it is"}}, 0},
		{"an error", &Answer{Boxes: []Box{{ID: "1", Category: "mule", Box: geom.FromXYWH(9, 9, 9, 9)}}}, []Override{{Code: UnknownCategory, Box: "1", Reason: "it is"}}, 1},
	} {
		next, _, err := x.Submit("ann", Submission{Lease: 1, Answer: c.answer, Overrides: c.overrides}, modelQuestion, monday)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case c.open == 0 && (err != nil || len(next.Work[0].Overrides) != 1):
			t.Errorf("%s: %v", c.name, err)
		case c.open > 0 && (!refused || len(refusal.Findings) != c.open || remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == ""):
			t.Errorf("%s: %v", c.name, err)
		case c.open > 0 && next.Revision != x.Revision:
			t.Errorf("%s: refused, yet changed", c.name)
		}
	}
}
