package flow_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/label"
	"remuda/store"
)

// sliced makes a dataset of n images, a slice of them and a project that asks
// for horses, and whether one is seen from the side.
func sliced(t *testing.T, f *flow.Flow, manager remuda.Caller, n int) (ids []string, slice string) {
	t.Helper()
	items := make([]store.Item, n)
	for i := range items {
		items[i] = store.Item{ReferenceID: fmt.Sprint(i), Blob: fmt.Sprintf("%064x", i+1), Format: "jpeg", Width: 640, Height: 480}
	}
	dataset, ids := labeled(t, f, manager, items...)
	s, err := f.CreateSlice(t.Context(), manager, dataset, flow.NewSlice{Name: "all", Choice: flow.SliceChoice{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	x := label.Taxonomy{Categories: []label.Category{{Name: "horse"}}, Attributes: []label.Attribute{{ID: "side", Type: label.ChoiceAttribute, Choices: []string{"left", "right"}}}}
	params, err := flow.GuideParams("", &x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CreateProject(t.Context(), manager, flow.NewProject{Name: "horses", Params: params}); err != nil {
		t.Fatal(err)
	}
	return ids, s.ID
}

func horse(id string, x1 float64) label.Box {
	return label.Box{ID: id, Category: "horse", Box: geom.Box{X0: 10, Y0: 10, X1: x1, Y1: 90}}
}

// drawNext hands in boxes for the caller's next task.
func drawNext(t *testing.T, f *flow.Flow, caller remuda.Caller, boxes ...label.Box) store.Task {
	t.Helper()
	w, found, err := f.NextTask(t.Context(), caller, "")
	if err != nil || !found {
		t.Fatalf("no task: %v", err)
	}
	done, err := f.SubmitTask(t.Context(), caller, w.Task.ID, label.Submission{Lease: w.Task.Lease.Number, Answer: &label.Answer{Boxes: boxes}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// boxesOf are the current boxes of an item: category, right edge and revision.
func boxesOf(t *testing.T, f *flow.Flow, caller remuda.Caller, item string) (boxes []string) {
	t.Helper()
	found, err := f.Annotations(t.Context(), caller, []string{item})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range found[item] {
		boxes = append(boxes, fmt.Sprint(a.Category, " ", a.Box.X1, " r", a.Revision))
	}
	slices.Sort(boxes)
	return boxes
}

func TestTheDatasetFollowsTheVerdicts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, manager remuda.Caller) {
		ids, slice := sliced(t, f, manager, 1)
		item := ids[0]
		before, err := f.SaveAnnotations(t.Context(), manager, item, 0, []store.Annotation{
			{Type: store.TypeBox, Category: "fence", Box: &geom.Box{X1: 50, Y1: 50}}, {Type: store.TypeBox, Category: "horse", Box: &geom.Box{X1: 70, Y1: 70}},
		})
		if err != nil || before != 1 {
			t.Fatalf("revision %d: %v", before, err)
		}
		if _, err := f.BatchFromSlice(t.Context(), manager, flow.SliceBatch{NewBatch: flow.NewBatch{Project: "horses", Name: "b"}, Slice: slice, Finalize: true}); err != nil {
			t.Fatal(err)
		}
		ada := remuda.Caller{User: "usr_ada", Role: remuda.Manager, World: remuda.Live}
		box := horse("a", 100)
		box.Attributes = map[string]any{"side": "left"}
		task := drawNext(t, f, ada, box)
		if got := boxesOf(t, f, manager, item); !slices.Equal(got, []string{"fence 50 r1", "horse 100 r1"}) {
			t.Errorf("after the result: %v", got)
		}
		now, err := f.Annotations(t.Context(), manager, ids)
		if err != nil {
			t.Fatal(err)
		}
		drawn := now[item][slices.IndexFunc(now[item], func(a store.Annotation) bool { return a.Category == "horse" })]
		var metadata map[string]string
		if err := json.Unmarshal(drawn.Metadata, &metadata); err != nil || metadata["side"] != "left" || metadata["task"] != task.ID || drawn.CreatedBy != "usr_ada" || drawn.Source != store.SourceHuman {
			t.Errorf("the annotation: %+v: %v", drawn, err)
		}
		audit := func(s label.Submission) {
			t.Helper()
			if _, err := f.AuditTask(t.Context(), manager, task.ID, s); err != nil {
				t.Fatal(err)
			}
		}
		audit(label.Submission{Verdict: label.Accepted})
		audit(label.Submission{Verdict: label.Fixed, Answer: &label.Answer{Boxes: []label.Box{horse("a", 110), horse("b", 40)}}})
		if got := boxesOf(t, f, manager, item); !slices.Equal(got, []string{"fence 50 r1", "horse 110 r2", "horse 40 r1"}) {
			t.Errorf("after a fix: %v", got)
		}
		audit(label.Submission{Verdict: label.Rejected, Reason: "these are cows"})
		if got := boxesOf(t, f, manager, item); !slices.Equal(got, []string{"fence 50 r1"}) {
			t.Errorf("after the rejection: %v", got)
		}
		if _, err := f.RelabelTask(t.Context(), manager, task.ID, "look again"); err != nil {
			t.Fatal(err)
		}
		drawNext(t, f, ada, horse("c", 90))
		if got := boxesOf(t, f, manager, item); !slices.Equal(got, []string{"fence 50 r1", "horse 90 r1"}) {
			t.Errorf("drawn again: %v", got)
		}
	})
}

func TestATaskOutlivesItsItem(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, manager remuda.Caller) {
		ids, slice := sliced(t, f, manager, 1)
		if _, err := f.BatchFromSlice(t.Context(), manager, flow.SliceBatch{NewBatch: flow.NewBatch{Project: "horses", Name: "b"}, Slice: slice, Finalize: true}); err != nil {
			t.Fatal(err)
		}
		if err := f.DeleteItem(t.Context(), manager, "", flow.ItemChoice{ID: ids[0]}); err != nil {
			t.Fatal(err)
		}
		if done := drawNext(t, f, manager, horse("a", 100)); done.Status != label.Completed || done.Result == nil {
			t.Errorf("the task: %+v", done)
		}
	})
}

func TestPredictionsAreWhatPeopleBeginFrom(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, manager remuda.Caller) {
		ids, slice := sliced(t, f, manager, 1)
		run, at := "", func(c float64) *float64 { return &c }
		err := f.DB.Write(t.Context(), manager, func(tx *store.Tx) error {
			m, err := tx.CreateModel(store.Model{Name: "m", ReferenceID: "m"})
			if err != nil {
				return err
			}
			r, err := tx.CreateRun(store.Run{Model: m.ID, Name: "r", ReferenceID: "r"})
			if err != nil {
				return err
			}
			run = r.ID
			_, _, err = tx.PutAnnotations(ids[0], run, []store.Annotation{
				{Type: store.TypeBox, Category: "horse", Box: &geom.Box{X0: -5, Y0: 10, X1: 100, Y1: 90}, Confidence: at(0.9), Metadata: json.RawMessage(`{"side":"left"}`)},
				{Type: store.TypeBox, Category: "horse", Box: &geom.Box{X0: 200, Y0: 10, X1: 300, Y1: 90}, Confidence: at(0.8)},
				{Type: store.TypeBox, Category: "horse", Box: &geom.Box{X0: 400, Y0: 10, X1: 500, Y1: 90}, Confidence: at(0.2)},
				{Type: store.TypeBox, Category: "cow", Box: &geom.Box{X0: 400, Y0: 10, X1: 500, Y1: 90}, Confidence: at(0.9)},
			}, false)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n := flow.SliceBatch{NewBatch: flow.NewBatch{Project: "horses", Name: "b"}, Slice: slice, Run: run, MinConfidence: 0.5, Finalize: true}
		if _, err := f.BatchFromSlice(t.Context(), manager, n); err != nil {
			t.Fatal(err)
		}
		w, found, err := f.NextTask(t.Context(), manager, "")
		if err != nil || !found || w.Begin == nil || len(w.Begin.Boxes) != 2 {
			t.Fatalf("begin from %+v: %v", w.Begin, err)
		}
		first := w.Begin.Boxes[0]
		if first.Box.X0 != 0 || first.Attributes["side"] != "left" {
			t.Errorf("the first box: %+v", first)
		}
		first.Box.X1 = 120 // the second is removed, another one drawn
		drawNext(t, f, manager, first, horse("new", 60))
		changes, err := f.StartChanges(t.Context(), manager, "b")
		if err != nil || len(changes) != 3 || changes[0].Change != label.Changed || changes[1].Change != label.Drawn || changes[2].Change != label.Removed {
			t.Errorf("changes: %+v, %v", changes, err)
		}
		if got := boxesOf(t, f, manager, ids[0]); len(got) != 2 {
			t.Errorf("the dataset: %v", got)
		}
	})
}

func TestASliceBatchGoesOnWhereItWasCutOff(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, manager remuda.Caller) {
		const images = 600 // more than one transaction makes
		_, slice := sliced(t, f, manager, images)
		n := flow.SliceBatch{NewBatch: flow.NewBatch{Project: "horses", Name: "b"}, Slice: slice}
		made, err := f.BatchFromSlice(t.Context(), manager, n)
		if err != nil || made.Added != images || made.Batch.Counts.Pending != images || made.Batch.Status != label.Staging {
			t.Fatalf("made %+v: %v", made, err)
		}
		again, err := f.BatchFromSlice(t.Context(), manager, n)
		if err != nil || again.Added != 0 || again.There != images {
			t.Errorf("again: %+v: %v", again, err)
		}
		other, err := f.CreateSlice(t.Context(), manager, datasetOf(t, f, manager, slice), flow.NewSlice{Name: "other"})
		if err != nil {
			t.Fatal(err)
		}
		n.Slice = other.ID
		if _, err := f.BatchFromSlice(t.Context(), manager, n); remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("another slice under the same name: %v", err)
		}
		n.Run, n.GroundTruth = "run", true
		if _, err := f.BatchFromSlice(t.Context(), manager, n); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("two beginnings: %v", err)
		}
	})
}

func datasetOf(t *testing.T, f *flow.Flow, caller remuda.Caller, slice string) string {
	t.Helper()
	s, err := f.Slice(t.Context(), caller, slice)
	if err != nil {
		t.Fatal(err)
	}
	return s.Dataset
}

func TestResultsOfTasksByAddressLandInTheProjectsDataset(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		d, err := o.CreateDataset(t.Context(), o.manager, flow.NewDataset{Name: "cows"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.ApplyToProject(t.Context(), o.manager, "cows", flow.ProjectChange{Dataset: &d.ID}); err != nil {
			t.Fatal(err)
		}
		made := o.batch(t, "b", label.Plan{Attempts: 1}, 2)
		if items, err := o.Items(t.Context(), o.manager, d.ID, -1, 10); err != nil || len(items) != 0 {
			t.Errorf("items before any result: %v, %v", items, err)
		}
		o.do(t, "ada")
		o.do(t, "bob") // the other task has the same image under the same name
		flowtest.Drain(t, o.Flow)
		items, err := o.Items(t.Context(), o.manager, d.ID, -1, 10)
		if err != nil || len(items) != 1 {
			t.Fatalf("items: %v, %v", items, err)
		}
		item := items[0]
		if item.ReferenceID != "http://images.test/a.jpg" || item.Width != 200 || item.Bytes == 0 || item.PHash == nil || item.Orientation != 1 {
			t.Errorf("the item: %+v", item)
		}
		if got := boxesOf(t, o.Flow, o.manager, item.ID); !slices.Equal(got, []string{"cow 120 r1"}) {
			t.Errorf("its boxes: %v", got)
		}
		if task, err := o.Task(t.Context(), o.manager, made[0].ID); err != nil || task.Image.Item != item.ID {
			t.Errorf("the task: %+v, %v", task.Image, err)
		}
	})
}
