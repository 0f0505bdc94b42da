package slice_test

import (
	"errors"
	"fmt"
	"strings"

	"remuda"
	"remuda/geom"
	"remuda/slice"
)

func ExampleParse() {
	f, err := slice.Parse(`metadata.weather = rain and any annotation (category = horse and width >= 0.5 * item.width)`, slice.Items)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f)
	fmt.Println(f.Item(&slice.Item{
		Width: 640, Height: 480,
		Metadata: map[string]any{"weather": "rain"},
		Boxes:    []slice.Box{{Category: "horse", Box: geom.FromXYWH(10, 20, 400, 300)}},
	}))
	// Output:
	// metadata.weather = "rain" and any annotation (category = "horse" and width >= 0.5 * item.width)
	// true
}

func ExampleParse_error() {
	text := `tag = night and widht > 600`
	_, err := slice.Parse(text, slice.Items)
	var syntax *slice.SyntaxError
	if errors.As(err, &syntax) {
		fmt.Println(text)
		fmt.Println(strings.Repeat(" ", syntax.Column-1) + "^ " + syntax.Message)
		fmt.Println(remuda.HintOf(err))
	}
	// Output:
	// tag = night and widht > 600
	//                 ^ items have no field widht
	// did you mean width
}

func ExampleParseQuery() {
	f, err := slice.ParseQuery(`metadata.animal = "dog" AND annotations.dog >= 2 AND annotations.count > 6`)
	fmt.Println(f, err)
	// Output: metadata.animal = "dog" and count("dog") >= 2 and count(annotations) > 6 <nil>
}
