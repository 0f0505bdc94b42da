package label

import (
	"slices"
	"strings"
	"testing"
	"time"

	"remuda"
	"remuda/geom"
)

func TestTaxonomiesThatNobodyCanDrawBy(t *testing.T) {
	if err := farm().Validate(); err != nil {
		t.Errorf("farm: %v", err)
	}
	for name, change := range map[string]func(*Taxonomy){
		"no categories":      func(x *Taxonomy) { x.Categories = nil },
		"one twice":          func(x *Taxonomy) { x.Categories = append(x.Categories, Category{Name: "cow"}) },
		"one without a name": func(x *Taxonomy) { x.Categories = append(x.Categories, Category{}) },
		"attribute twice":    func(x *Taxonomy) { x.Attributes = append(x.Attributes, x.Attributes[0]) },
		"attribute, no id":   func(x *Taxonomy) { x.Attributes[0].ID = "" },
		"attribute, no type": func(x *Taxonomy) { x.Attributes[0].Type = "" },
		"no choices":         func(x *Taxonomy) { x.Attributes[0].Choices = nil },
		"choice twice":       func(x *Taxonomy) { x.Attributes[0].Choices = []string{"yes", "yes"} },
		"several ages":       func(x *Taxonomy) { x.Attributes[2].Multiple = true },
		"unknown category":   func(x *Taxonomy) { x.Attributes[1].Conditions[0].Categories = []string{"animal"} },
		"depends on unknown": func(x *Taxonomy) { x.Attributes[3].Conditions[0].Attributes = map[string][]string{"mood": {"good"}} },
		"depends on itself":  func(x *Taxonomy) { x.Attributes[3].Conditions[0].Attributes = map[string][]string{"name": {"Moon"}} },
		"minimum below zero": func(x *Taxonomy) { x.MinWidth = -1 },
	} {
		x := farm()
		change(&x)
		if err := x.Validate(); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatATaxonomyOutdates(t *testing.T) {
	horseBox := Box{ID: "1", Category: "horse", Box: geom.FromXYWH(10, 10, 20, 20), Attributes: bay()}
	cowBox := Box{ID: "2", Category: "cow", Box: geom.FromXYWH(50, 50, 20, 20)}
	dry := map[string]any{"weather": "dry"}
	horseOnly, both := Answer{Boxes: []Box{horseBox}, Attributes: dry}, Answer{Boxes: []Box{horseBox, cowBox}, Attributes: dry}
	for _, c := range []struct {
		name      string
		change    func(*Taxonomy)
		horseOnly string // a word of the reason, "" for none
		both      string
	}{
		{"nothing", func(*Taxonomy) {}, "", ""},
		{"only the words", func(x *Taxonomy) {
			x.Categories[0].Children[0].Display = "Horse"
			x.Attributes[0].Description = "cut off"
		}, "", ""},
		{"a category less", func(x *Taxonomy) { x.Categories[0].Children = x.Categories[0].Children[:1] }, "", "cow"},
		{"a category more", func(x *Taxonomy) { x.Categories = append(x.Categories, Category{Name: "dog"}) }, "dog", "dog"},
		{"larger boxes only", func(x *Taxonomy) { x.MinWidth = 30 }, "30", "30"},
		{"a choice less", func(x *Taxonomy) { x.Attributes[1].Choices = []string{"grey"} }, "color", "color"},
		{"a choice more", func(x *Taxonomy) { x.Attributes[1].Choices = append(x.Attributes[1].Choices, "dun") }, "color", "color"},
		{"an attribute of cows", func(x *Taxonomy) {
			x.Attributes = append(x.Attributes, Attribute{ID: "milk", Type: NumberAttribute, Conditions: []Condition{{Categories: []string{"cow"}}}})
		}, "", "milk"},
		{"an attribute less", func(x *Taxonomy) {
			x.Attributes = slices.Delete(x.Attributes, 1, 2)
			x.Attributes[2].Conditions = nil
			x.Attributes[2].Required = false
		}, "color", "color"},
		{"a required one", func(x *Taxonomy) { x.Attributes[2].Required = true }, "lacks age", "lacks age"},
		{"of the image", func(x *Taxonomy) {
			x.Attributes = append(x.Attributes, Attribute{ID: "dusk", Type: TextAttribute, Image: true})
		}, "dusk", "dusk"},
	} {
		newer := farm()
		c.change(&newer)
		for _, a := range []struct {
			answer Answer
			word   string
		}{{horseOnly, c.horseOnly}, {both, c.both}} {
			why := strings.Join(Outdated(a.answer, farm(), newer), "; ")
			if (why != "") != (a.word != "") || !strings.Contains(why, a.word) {
				t.Errorf("%s, %d boxes: %q, want %q", c.name, len(a.answer.Boxes), why, a.word)
			}
		}
	}
}

func TestWhichTasksATaxonomyOutdates(t *testing.T) {
	old := modelQuestion.Taxonomy
	newer := Taxonomy{Version: 2, Categories: []Category{{Name: "horse"}, {Name: "cow"}}}
	under := func(id string, version int) Task {
		x := must(t)(fresh(Plan{}).Take(ann, modelBatch, monday))
		x = must(t)(x.Submit("ann", Submission{Lease: 1, Answer: horse(10), Taxonomy: version}, modelQuestion, monday.Add(time.Minute)))
		x.ID = id
		return x
	}
	fixed := must(t)(under("fixed under the new one", 1).AuditNow(fay, modelBatch, Submission{Verdict: Fixed, Answer: horse(20), Taxonomy: 2}, modelQuestion, monday))
	evaluation := under("evaluation", 1)
	evaluation.Kind = Evaluation
	got := OutdatedTasks([]Task{under("old", 1), under("new", 2), under("unknown", 7), fixed, evaluation, fresh(Plan{})},
		map[int]Taxonomy{1: old, 2: newer}, newer)
	if len(got) != 1 || len(got["old"]) != 1 {
		t.Errorf("outdated: %v", got)
	}
}
