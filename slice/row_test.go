package slice

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestMetadataNumbersComeInManyTypes(t *testing.T) {
	for _, c := range []struct {
		value any
		is5   bool
	}{
		{5.0, true}, {5, true}, {int64(5), true}, {json.Number("5"), true}, {json.Number("5.0"), true},
		{5.5, false}, {"5", false}, {true, false}, {nil, false}, {[]any{5.0}, false},
		{math.NaN(), false}, {json.Number("1e999"), false}, {json.Number("five"), false},
	} {
		equal, err := Parse("metadata.n = 5", Items)
		if err != nil {
			t.Fatal(err)
		}
		if got := equal.Item(&Item{Metadata: map[string]any{"n": c.value}}); got != c.is5 {
			t.Errorf("%T %v = 5 is %t", c.value, c.value, got)
		}
	}
	whole, err := Parse("metadata.n < 5 or metadata.n >= 5", Items)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{math.NaN(), math.Inf(1), json.Number("1e999")} {
		if whole.Item(&Item{Metadata: map[string]any{"n": value}}) {
			t.Errorf("%v is no number that JSON has", value)
		}
	}
}

func TestTimesAreCutToMilliseconds(t *testing.T) {
	f, err := Parse("created = 2026-01-31T10:00:00.1239Z", Items)
	if err != nil {
		t.Fatal(err)
	}
	var item Item
	if err := json.Unmarshal([]byte(`{"Created":"2026-01-31T10:00:00.123456Z"}`), &item); err != nil {
		t.Fatal(err)
	}
	if !f.Item(&item) || f.String() != "created = 2026-01-31T10:00:00.123Z" {
		t.Errorf("%s does not choose %s", f, item.Created)
	}
}

// A tree that the parser would not build is false or missing, not a panic.
func TestATreeMadeByHandIsSafe(t *testing.T) {
	for _, where := range []Cond{
		nil,
		Compare{Op: EQ, Type: Text, Left: Field{Of: Boxes, Name: "category"}, Right: Value{Type: Text, Text: "x"}},
		Compare{Op: GT, Type: Number, Left: Field{Of: Boxes, Name: "confidence"}, Right: Value{Type: Number}},
		Compare{Op: "~", Type: Number, Left: Value{Type: Number}, Right: Value{Type: Number}},
		Compare{Op: EQ, Type: Number},
		Compare{Op: EQ, Type: Dynamic},
		Exists{Field: Field{Of: Items, Name: "colour"}},
		Exists{Field: Field{Of: Items, Name: "text"}},
		Quantified{Quantifier: "most", Of: AllBoxes, Where: And{}},
	} {
		if f := (Filter{Items, where}); f.Item(&Item{ID: "x", Boxes: []Box{{}}}) {
			t.Errorf("%#v chooses an item", where)
		}
	}
}

// Names that the language has must be reachable by the suggestion for a slip.
func TestEveryFieldIsSuggestedForASlip(t *testing.T) {
	for _, level := range []Level{Items, Boxes} {
		for _, name := range FieldNames(level) {
			if len(name) < 4 {
				continue
			}
			for _, slip := range []string{name[:2] + name[3:], name + "s", strings.ToUpper(name), name[:1] + name[2:3] + name[1:2] + name[3:]} {
				if got := nearest(slip, FieldNames(level)); got != name {
					t.Errorf("%s for %s, want %s", got, slip, name)
				}
			}
		}
	}
	if got := nearest(strings.Repeat("width", 20), FieldNames(Items)); got != "" {
		t.Errorf("%s is not near", got)
	}
}
