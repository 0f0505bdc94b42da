package label

import (
	"slices"
	"testing"

	"remuda/geom"
)

func TestWhatBecameOfStartingBoxes(t *testing.T) {
	start := Answer{Boxes: []Box{
		{ID: "kept", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
		{ID: "moved", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
		{ID: "gone", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
		{ID: "renamed", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
	}}
	answer := Answer{Boxes: []Box{
		{ID: "renamed", Category: "horse", Box: geom.FromXYWH(0, 0, 10, 10)},
		{ID: "new", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
		{ID: "moved", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 5)},
		{ID: "kept", Category: "cow", Box: geom.FromXYWH(0, 0, 10, 10)},
	}}
	want := []Change{
		{Box: "kept", Kind: Same, IoU: 1}, {Box: "moved", Kind: Changed, IoU: 0.5}, {Box: "gone", Kind: Removed},
		{Box: "renamed", Kind: Changed, IoU: 1, Category: true}, {Box: "new", Kind: Drawn},
	}
	if got := Changes(start, answer); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	a := Answer{Boxes: []Box{{ID: "1", Attributes: map[string]any{"age": 2.0}}}, Attributes: map[string]any{"weather": "dry"}}
	b := a.Clone()
	b.Boxes[0].ID, b.Boxes[0].Attributes["age"], b.Attributes["weather"] = "2", 3.0, "wet"
	if a.Boxes[0].ID != "1" || a.Boxes[0].Attributes["age"] != 2.0 || a.Attributes["weather"] != "dry" {
		t.Errorf("%+v", a)
	}
}
