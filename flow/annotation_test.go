package flow_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"remuda"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/store"
)

// sentBox is a box as the dataset API writes it.
func sentBox(ref, key string) []byte {
	return []byte(`{"type":"box","label":"horse","geometry":{"x":1.50,"y":2,"width":3,"height":4},"reference_id":"` + ref + `","annotation_id":"` + key + `","metadata":{"k":1},"embedding_vector":[1]}`)
}

func TestSavingKeepsWhatWasNotChanged(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, ids := labeled(t, f, caller, sized("h", 10, 10, 1))
	if put, err := f.Annotate(t.Context(), caller, dataset, flow.Sent{Texts: []json.RawMessage{sentBox("h", "a"), sentBox("h", "b")}}, false); err != nil || put.Processed != 2 {
		t.Fatal(put, err)
	}
	stored := func() []store.Annotation {
		t.Helper()
		found, err := f.Annotations(t.Context(), caller, ids)
		if err != nil {
			t.Fatal(err)
		}
		return found[ids[0]]
	}
	before := stored()
	want := []store.Annotation{
		{ID: before[0].ID, Type: store.TypeBox, Category: "horse", Box: &geom.Box{X0: 2, Y0: 2, X1: 5, Y1: 6}},
		{ID: before[1].ID, Type: store.TypeBox, Category: "horse", Box: before[1].Box},
		{Type: store.TypeBox, Category: "cow", Box: &geom.Box{X1: 1, Y1: 1}},
		{Type: store.TypePolygon, Category: "pig", Body: []byte(`{"geometry":{"vertices":[{"x":1,"y":1},{"x":2,"y":3}]}}`)},
	}
	revision, err := f.SaveAnnotations(t.Context(), caller, ids[0], 1, want)
	if err != nil || revision != 2 {
		t.Fatal(revision, err)
	}
	after := stored()
	if len(after) != 4 || after[0].Revision != 2 || after[0].Key != "a" || string(after[0].Body) != `{"embedding_vector":[1]}` || string(after[0].Metadata) != `{"k":1}` || after[0].Source != store.SourceHuman {
		t.Errorf("a moved box: %+v", after[0])
	}
	if after[1].Revision != 1 || !after[1].Same(&before[1]) {
		t.Errorf("an untouched box was revised: %+v", after[1])
	}
	if after[3].Type != store.TypePolygon || *after[3].Box != (geom.Box{X0: 1, Y0: 1, X1: 2, Y1: 3}) {
		t.Errorf("a polygon: %+v", after[3])
	}
	if _, err := f.SaveAnnotations(t.Context(), caller, ids[0], 1, nil); remuda.CodeOf(err) != remuda.Conflict || !strings.Contains(remuda.HintOf(err), "reload") {
		t.Errorf("a stale save: %v", err)
	}
	for name, wrong := range map[string]store.Annotation{
		"no box": {Type: store.TypeBox, Category: "x"}, "no category": {Type: store.TypeBox, Box: &geom.Box{}}, "no type": {Category: "x"},
		"another type":   {ID: after[1].ID, Type: store.TypePolygon, Category: "x", Body: []byte(`{"geometry":{"vertices":[{"x":1,"y":1}]}}`)},
		"a list as body": {Type: store.TypeBox, Category: "x", Box: &geom.Box{}, Body: []byte(`[1]`)}, "text as metadata": {Type: store.TypeBox, Category: "x", Box: &geom.Box{}, Metadata: []byte(`"x"`)},
		"no UTF-8": {Type: store.TypeBox, Category: "x", Box: &geom.Box{}, Metadata: []byte("{\"a\":\"\xff\"}")}, "NUL": {Type: store.TypeBox, Category: "\x00", Box: &geom.Box{}},
		"corners": {Type: store.TypeBox, Category: "x", Box: &geom.Box{X0: 3, X1: 2}}, "no vertices": {Type: store.TypePolygon, Category: "x"},
	} {
		if _, err := f.SaveAnnotations(t.Context(), caller, ids[0], 2, []store.Annotation{wrong}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	reviewer := caller
	reviewer.Role = remuda.Reviewer
	if _, err := f.SaveAnnotations(t.Context(), reviewer, ids[0], 2, nil); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a reviewer saves: %v", err)
	}
}

func TestADatasetGoesBackToAnEarlierTime(t *testing.T) {
	f, caller := flowtest.New(t)
	var items []store.Item
	for _, ref := range strings.Fields("a b c d e f") {
		items = append(items, sized(ref, 10, 10, 1))
	}
	dataset, ids := labeled(t, f, caller, items...)
	for _, item := range items {
		if _, err := f.Annotate(t.Context(), caller, dataset, flow.Sent{Texts: []json.RawMessage{sentBox(item.ReferenceID, "k")}}, false); err != nil {
			t.Fatal(err)
		}
	}
	before, err := f.Annotations(t.Context(), caller, ids)
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	for _, list := range before {
		if list[0].CreatedAt.After(at) {
			at = list[0].CreatedAt
		}
	}
	for f.Now().UnixMilli() <= at.UnixMilli() { // the next change is of a later millisecond
	}
	if _, err := f.DeleteAnnotations(t.Context(), caller, dataset, nil); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	if gone, err := f.Annotations(t.Context(), caller, ids); err != nil || len(gone) != 0 {
		t.Fatal(gone, err)
	}
	job, err := f.RestoreDataset(t.Context(), caller, dataset, at)
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	after, err := f.Annotations(t.Context(), caller, ids)
	if err != nil {
		t.Fatal(err)
	}
	for id, list := range before {
		now := after[id]
		if len(now) != 1 || !now[0].Same(&list[0]) || now[0].ID != list[0].ID || now[0].Revision != 2 || now[0].Source != store.SourceRestore {
			t.Errorf("item %s: %+v", id, now)
		}
		history, err := f.History(t.Context(), caller, id)
		if err != nil || len(history) != 2 || history[0].EndedAt == nil {
			t.Errorf("history %+v, %v", history, err)
		}
	}
	if job, err = f.Job(t.Context(), caller, job.ID); err != nil || job.Status != store.JobCompleted || string(job.Result) != `{"changed":6}` {
		t.Errorf("%+v, %v", job, err)
	}
	if n, err := f.RestoreItem(t.Context(), caller, ids[0], at); err != nil || n != 0 {
		t.Errorf("restoring what stands changes %d: %v", n, err)
	}
	if _, err := f.RestoreItem(t.Context(), caller, ids[0], f.Now().Add(time.Hour)); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("the future is restored: %v", err)
	}
}

// Ensure that whatever is sent is taken or refused, and that what is taken is JSON that reads back the same.
func TestAnythingIsTakenOrRefused(t *testing.T) {
	value := rapid.SampledFrom([]string{`null`, `true`, `1`, `-2.50`, `1e400`, `"x"`, `""`, `[]`, `[1]`, `{}`, `{"x":1,"y":2,"width":3,"height":4}`, `{"vertices":[{"x":1,"y":2}]}`, `"box"`, `"category"`, `"mask"`, `"polygon"`, `{"a":{}}`, `"\u0000"`})
	name := rapid.SampledFrom([]string{"type", "label", "geometry", "annotation_id", "task_id", "metadata", "confidence", "crowd", "embedding_vector", "class_pdf", "labels", "mask_url", "annotations", "reference_id", "item_id", "other", "a\\\"b"})
	rapid.Check(t, func(r *rapid.T) {
		var members []string
		for n, v := range rapid.MapOf(name, value).Draw(r, "members") {
			members = append(members, `"`+n+`": `+v)
		}
		text := `{` + strings.Join(members, ",\n") + `}`
		a, err := flow.ParseAnnotation([]byte(text))
		if err != nil {
			if remuda.CodeOf(err) != remuda.Invalid {
				r.Fatalf("%s: %v", text, err)
			}
			return
		}
		again, err := flow.ParseAnnotation([]byte(`{"type":"` + a.Type + `","label":"` + a.Category + `",` + strings.TrimPrefix(string(a.Body), "{")))
		if string(a.Body) == "{}" {
			again, err = flow.ParseAnnotation([]byte(`{"type":"` + a.Type + `","label":"` + a.Category + `"}`))
		}
		if err != nil || string(again.Body) != string(a.Body) {
			r.Fatalf("%s became %s, and that %s: %v", text, a.Body, again.Body, err)
		}
	})
}
