package flow_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/label"
	"remuda/store"
)

// Whatever boxes are called, an answer is taken and the dataset has them all.
func TestBoxesThatShareANameAreAllKept(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		dataset, ids := labeled(t, o.Flow, o.manager, store.Item{ReferenceID: "a.jpg", Blob: "ab", Format: "jpeg", Width: 200, Height: 150})
		box := geom.Box{X0: 1, Y0: 1, X1: 50, Y1: 50}
		var cow string
		err := o.DB.Write(t.Context(), o.manager, func(tx *store.Tx) error {
			_, _, err := tx.PutAnnotations(ids[0], "", []store.Annotation{
				{Type: store.TypeBox, Category: "tree", Key: "1", Box: &box, Source: store.SourceHuman},
				{Type: store.TypeBox, Category: "cow", Key: "2", Box: &box, Source: store.SourceHuman},
			}, false)
			if err != nil {
				return err
			}
			there, err := tx.AnnotationByKey(ids[0], "", "2")
			cow = there.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Item: ids[0], Params: json.RawMessage(`{"geometries":{"box":{"objects_to_annotate":["cow"]}}}`)})
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		w := o.next(t, "ada")
		answer := &label.Answer{}
		for i, name := range []string{"1", "2", cow, ""} { // a tree's, the cow's by key, the cow's by id
			x := float64(10 + 40*i)
			answer.Boxes = append(answer.Boxes, label.Box{ID: name, Category: "cow", Box: geom.Box{X0: x, Y0: 20, X1: x + 30, Y1: 90}})
		}
		if _, err := o.SubmitTask(t.Context(), o.people["ada"], made.ID, label.Submission{Lease: w.Task.Lease.Number, Answer: answer}, nil); err != nil {
			t.Fatal(err)
		}
		var categories []string
		err = o.DB.Read(t.Context(), o.manager, func(tx *store.Tx) error {
			categories = nil
			found, err := tx.AnnotationsOf(ids, "")
			for _, a := range found[ids[0]] {
				categories = append(categories, a.Category)
			}
			return err
		})
		slices.Sort(categories)
		if err != nil || !slices.Equal(categories, []string{"cow", "cow", "cow", "cow", "tree"}) {
			t.Errorf("dataset %s has %v: %v", dataset, categories, err)
		}
	})
}

func TestWarningOfABoxWithoutAnIDCanBeOverridden(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	o.batch(t, "first", label.Plan{}, 1)
	w := o.next(t, "ada")
	submit := func(overrides []label.Override) error {
		boxes := []label.Box{{Category: "cow", Box: geom.Box{X0: 1, Y0: 1, X1: 199, Y1: 149}}}
		_, err := o.SubmitTask(t.Context(), o.people["ada"], w.Task.ID, label.Submission{Lease: w.Task.Lease.Number, Answer: &label.Answer{Boxes: boxes}, Overrides: overrides}, nil)
		return err
	}
	err := submit(nil)
	refusal, ok := errors.AsType[*label.Refusal](err)
	if !ok || len(refusal.Findings) != 1 || refusal.Findings[0].Box == "" {
		t.Fatalf("a box over all: %v", err)
	}
	found := refusal.Findings[0]
	if err := submit([]label.Override{{Code: found.Code, Box: found.Box, Reason: "it is a big cow"}}); err != nil {
		t.Error(err)
	}
}
