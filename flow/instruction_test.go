package flow_test

import (
	"path/filepath"
	"testing"

	"remuda/label"
)

func TestSayingTheSameAgainMakesNoVersion(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	x := label.Taxonomy{Categories: []label.Category{{Name: "cow"}}}
	for n, instruction := range []string{"Draw.", "Draw.", "Draw tight."} {
		guides, err := o.Guides(t.Context(), o.manager, "cows")
		if err != nil {
			t.Fatal(err)
		}
		words, drawn := 0, 0
		if len(guides) > 0 {
			last := guides[len(guides)-1]
			words, drawn = last.Instruction.Version, last.Taxonomy.Version
		}
		if _, err := o.ReviseInstruction(t.Context(), o.manager, "cows", words, instruction, nil); err != nil {
			t.Fatal(err)
		}
		if drawn == 0 {
			drawn = 1 // the instruction's version has none
		}
		if _, _, err := o.ReviseTaxonomy(t.Context(), o.manager, "cows", drawn, x); err != nil {
			t.Fatal(err)
		}
		guides, err = o.Guides(t.Context(), o.manager, "cows")
		if want := []int{2, 2, 3}[n]; err != nil || len(guides) != want {
			t.Errorf("after %d: %d versions, want %d (%v)", n+1, len(guides), want, err)
		}
	}
}
