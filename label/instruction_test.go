package label

import (
	"testing"

	"remuda"
	"remuda/geom"
)

func TestInstructionsAreRevised(t *testing.T) {
	good := Example{Image: "item", Boxes: []Box{{ID: "1", Category: "cow", Box: geom.FromXYWH(1, 1, 9, 9)}}, Good: true, Why: "touches the hide on all sides"}
	first, err := Instruction{}.Revise(0, "Draw tight boxes.", []Example{good}, farm(), "fay", monday)
	if err != nil || first.Version != 1 || first.By != "fay" {
		t.Fatalf("%+v, %v", first, err)
	}
	second, err := first.Revise(1, "Draw very tight boxes.", nil, farm(), "gus", monday)
	if err != nil || second.Version != 2 || first.Text != "Draw tight boxes." {
		t.Fatalf("%+v, %v", second, err)
	}
	for _, c := range []struct {
		name     string
		base     int
		text     string
		examples []Example
		code     remuda.Code
	}{
		{"based on an old one", 1, "Draw.", nil, remuda.Conflict},
		{"wordless", 2, " ", nil, remuda.Invalid},
		{"an example without a reason", 2, "Draw.", []Example{{Image: "item", Good: true}}, remuda.Invalid},
		{"an example without an image", 2, "Draw.", []Example{{Why: "tight"}}, remuda.Invalid},
		{"an example outside the taxonomy", 2, "Draw.", []Example{{Image: "item", Why: "tight", Boxes: []Box{{Category: "mule", Box: geom.FromXYWH(1, 1, 9, 9)}}}}, remuda.Invalid},
	} {
		next, err := second.Revise(c.base, c.text, c.examples, farm(), "gus", monday)
		if remuda.CodeOf(err) != c.code || remuda.HintOf(err) == "" || next.Version != 2 {
			t.Errorf("%s: version %d, %v", c.name, next.Version, err)
		}
	}
}
