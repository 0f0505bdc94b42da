package flow_test

import (
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/lint"
	"remuda/store"
)

func TestFindingsAreMendedByNewRevisions(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, ids := labeled(t, f, caller, sized("a.jpg", 100, 50, 1), sized("b.jpg", 100, 50, 1), store.Item{ReferenceID: "c.jpg"})
	put := func(item string, list ...store.Annotation) {
		t.Helper()
		err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
			_, _, err := tx.PutAnnotations(item, "", list, false)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	box := func(key, category string, x0, y0, x1, y1 float64) store.Annotation {
		return store.Annotation{Type: store.TypeBox, Key: key, Category: category, Box: &geom.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}, Body: []byte(`{"geometry":{"x":1}}`), Source: store.SourceAPI}
	}
	put(ids[0], box("out", "horse", -5, 0, 20, 30), box("flat", "horse", 30, 10, 30, 20), box("twin", "cow", 40, 0, 60, 20), box("twin2", "cow", 40, 0, 60, 20),
		box("near", "pig", 70, 0, 90, 20), box("near2", "pig", 70, 0, 90, 20.5), store.Annotation{Type: store.TypeCategory, Category: "day"})
	put(ids[2], box("any", "horse", 1, 2, 3, 4))
	report, err := f.Lint(t.Context(), caller, flow.Source{Dataset: dataset})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[lint.Kind]flow.Finding)
	for _, finding := range report.Findings {
		found[finding.Kind] = finding
		if finding.Message == "" || (finding.ID == "") != (finding.Fix == "") {
			t.Errorf("%+v", finding)
		}
	}
	want := map[lint.Kind]int{lint.Outside: 1, lint.ZeroArea: 1, lint.Duplicate: 1, lint.Overlapping: 1, lint.Empty: 1, lint.ThinCategory: 3, lint.MissingSize: 1}
	for kind, n := range want {
		if report.Counts[kind] != n {
			t.Errorf("%d findings of %s, want %d: %+v", report.Counts[kind], kind, n, report.Findings)
		}
	}
	if len(report.Counts) != len(want) || found[lint.Empty].Count != 1 {
		t.Errorf("%+v", report.Counts)
	}
	reviewer := caller
	reviewer.Role = remuda.Reviewer
	if err := f.Fix(t.Context(), reviewer, dataset, found[lint.Outside].ID); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a reviewer mends a finding: %v", err)
	}
	for _, kind := range []lint.Kind{lint.Outside, lint.ZeroArea, lint.Duplicate, lint.Overlapping} {
		if err := f.Fix(t.Context(), caller, dataset, found[kind].ID); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := f.Fix(t.Context(), caller, dataset, found[kind].ID); remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("%s is mended twice: %v", kind, err)
		}
	}
	stored, err := f.Annotations(t.Context(), caller, ids)
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]store.Annotation)
	for _, a := range stored[ids[0]] {
		left[a.Key] = a
	}
	clipped := left["out"]
	if len(left) != 4 || *clipped.Box != (geom.Box{X0: 0, Y0: 0, X1: 20, Y1: 30}) || clipped.Revision != 2 || clipped.Source != store.SourceLint || string(clipped.Body) != "{}" {
		t.Errorf("%+v", stored[ids[0]])
	}
	if twin := left["twin"]; twin.Revision != 1 || twin.Source != store.SourceAPI {
		t.Errorf("what stays was revised: %+v", twin)
	}
	again, err := f.Lint(t.Context(), caller, flow.Source{Dataset: dataset})
	if err != nil || again.Counts[lint.Outside]+again.Counts[lint.ZeroArea]+again.Counts[lint.Duplicate]+again.Counts[lint.Overlapping] != 0 {
		t.Errorf("%+v, %v", again.Findings, err)
	}
	for _, id := range []string{"", "outside", "outside.di_none", "leak." + ids[0] + ".slc_none"} {
		if err := f.Fix(t.Context(), caller, dataset, id); err == nil {
			t.Errorf("the finding %q is mended", id)
		}
	}
}

func TestLeaksAreFoundAndTakenOut(t *testing.T) {
	f, caller := flowtest.New(t)
	hash := func(bits uint64) *uint64 { return &bits }
	const picture = 0x0f0f_3355_a5a5_c3c3
	dataset, ids := labeled(t, f, caller,
		store.Item{ReferenceID: "train", PHash: hash(picture)}, store.Item{ReferenceID: "near", PHash: hash(picture ^ 5)},
		store.Item{ReferenceID: "other", PHash: hash(^uint64(picture))}, store.Item{ReferenceID: "both", PHash: hash(0x3355_0f0f_c3c3_a5a5)})
	slice := func(members ...string) string {
		t.Helper()
		var id string
		err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
			s, err := tx.CreateSlice(store.Slice{Dataset: dataset, Name: "s" + members[0], Type: store.SliceOfItems})
			if err != nil {
				return err
			}
			list := make([]store.SliceMember, len(members))
			for i, m := range members {
				list[i].Item = m
			}
			_, err = tx.AddMembers(s.ID, list)
			id = s.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	train, other := flow.Source{Slice: slice(ids[0], ids[3])}, flow.Source{Slice: slice(ids[1], ids[2], ids[3])}
	report, err := f.LintLeaks(t.Context(), caller, train, other)
	if err != nil || len(report.Findings) != 2 {
		t.Fatalf("%+v, %v", report, err)
	}
	of := map[string]string{ids[1]: ids[0], ids[3]: ids[3]}
	for _, leak := range report.Findings {
		if of[leak.Item] != leak.Other {
			t.Errorf("%+v", leak)
		}
		if err := f.Fix(t.Context(), caller, dataset, leak.ID); err != nil {
			t.Error(err)
		}
	}
	if again, err := f.LintLeaks(t.Context(), caller, train, other); err != nil || len(again.Findings) != 0 {
		t.Errorf("%+v, %v", again, err)
	}
}
