package format

import (
	"reflect"
	"testing"

	"remuda"
)

// Ensure categories are matched by name whatever their ids, and one that is
// used but unknown is named once.
func TestAlign(t *testing.T) {
	d := remuda.Dataset{
		Categories:  []remuda.Category{{ID: 1, Name: "foal"}, {ID: 2, Name: "horse"}, {ID: 3, Name: "mule"}},
		Annotations: []remuda.Annotation{{ID: 1, CategoryID: 2}, {ID: 2, CategoryID: 1}},
	}
	to := []remuda.Category{{ID: 5, Name: "horse"}, {ID: 9, Name: "foal"}}
	got, err := Align("val.json", d, to)
	want := remuda.Dataset{Categories: to, Annotations: []remuda.Annotation{{ID: 1, CategoryID: 5}, {ID: 2, CategoryID: 9}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if d.Annotations[0].CategoryID != 2 {
		t.Error("the dataset itself was changed")
	}
	d.Annotations = append(d.Annotations, remuda.Annotation{ID: 3, CategoryID: 3}, remuda.Annotation{ID: 4, CategoryID: 3})
	_, err = Align("val.json", d, to)
	mustSay(t, err, "read labels val.json: its category", `its category "mule" is none of ["horse" "foal"]`)
}
