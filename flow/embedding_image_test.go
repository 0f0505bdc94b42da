package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
)

// eye is an embedder that counts what it has seen.
type eye struct {
	best   string // the name of the best backbone
	sum    string // of all of them
	seen   map[blob.Ref]int
	diesAt int // number of the image at which it fails once, from 1; 0 for never
	blind  blob.Ref
}

func (e *eye) Model(_ context.Context, name string) (flow.EmbeddingModel, error) {
	if name == "" {
		name = e.best
	}
	return flow.EmbeddingModel{Name: name, SHA256: e.sum, Dimension: 2}, nil
}

func (e *eye) Embed(_ context.Context, _ flow.EmbeddingModel, images []blob.Ref, done func(int, []float32, error) error) error {
	for i, ref := range images {
		if e.diesAt > 0 {
			if e.diesAt--; e.diesAt == 0 {
				e.best = "better"
				return remuda.Errorf(remuda.Unavailable, "the process was killed")
			}
		}
		e.seen[ref]++
		var err error
		if ref == e.blind {
			err = done(i, nil, fmt.Errorf("read image: the file is cut off"))
		} else {
			err = done(i, []float32{float32(ref[31]), 0.1}, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// paddock is a dataset of n items with images, and one without.
func paddock(t *testing.T, f *flow.Flow, caller remuda.Caller, n int) (dataset string) {
	t.Helper()
	err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
		d, err := tx.CreateDataset(store.Dataset{Name: "paddock"})
		if err != nil {
			return err
		}
		dataset = d.ID
		items := []store.Item{{ReferenceID: "nothing", Metadata: json.RawMessage("{}")}}
		for i := range n {
			items = append(items, store.Item{ReferenceID: fmt.Sprint("r", i), Blob: fmt.Sprintf("%064x", i+1), Metadata: json.RawMessage("{}")})
		}
		_, err = tx.AddItems(d.ID, items, false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dataset
}

// indexed has the images of a dataset indexed, and returns how that ended.
func indexed(t *testing.T, f *flow.Flow, caller remuda.Caller, dataset string) (store.Job, []string) {
	t.Helper()
	job, err := f.IndexImages(t.Context(), caller, dataset)
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	return jobOf(t, f, caller, job.ID)
}

func TestAnIndexOfImagesGoesOnWhereItWasKilled(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		dataset := paddock(t, f, caller, 180)
		e := &eye{best: "good", sum: "0f", seen: make(map[blob.Ref]int), diesAt: 130, blind: blob.Ref{31: 8}}
		f.Embedder = e
		job, problems := indexed(t, f, caller, dataset)
		if job.Status != store.JobCompleted || job.Done != 181 || job.Total != 181 {
			t.Errorf("job %+v", job)
		}
		if all := strings.Join(problems, "\n"); len(problems) != 2 || !strings.Contains(all, "r7: read image: the file is cut off") || !strings.Contains(all, "nothing: its image is not here") {
			t.Errorf("problems %q", problems)
		}
		twice := 0
		for _, n := range e.seen {
			twice += n - 1
		}
		if len(e.seen) != 180 || twice > 50 { // what was not written yet, and the broken one
			t.Errorf("%d images seen, %d again", len(e.seen), twice)
		}
		status, err := f.IndexingStatus(t.Context(), caller, dataset)
		if err != nil || status.Embeddings != 179 || status.Images != 181 || status.Index.Model != "good" || status.Index.Weights != "0f" || status.Index.Dimension != 2 {
			t.Errorf("%+v %v", status, err)
		}
		var refs []string
		err = f.Embeddings(t.Context(), caller, dataset, func(v store.Embedding) error {
			if string(v.Vector) == "[8,0.1]" {
				refs = append(refs, v.Reference)
			}
			return nil
		})
		if err != nil || len(refs) != 0 {
			t.Errorf("vectors of %v, %v", refs, err)
		}
		if job, _ := indexed(t, f, caller, dataset); job.Status != store.JobCompleted {
			t.Errorf("again: %+v", job)
		}
		all, err := f.EmbeddingIndexes(t.Context(), caller, dataset)
		if err != nil || len(all) != 2 || all[1].Model != "better" {
			t.Errorf("indexes %+v, %v", all, err)
		}
	})
}

func TestAnIndexIsNotFinishedWithOtherWeights(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset := paddock(t, f, caller, 60)
	f.Embedder = &changing{eye{best: "good", sum: "0f", seen: make(map[blob.Ref]int), diesAt: 55}}
	job, _ := indexed(t, f, caller, dataset)
	if job.Status != store.JobFailed || !strings.Contains(job.Problem, "index the dataset again") {
		t.Errorf("job %+v", job)
	}
	status, err := f.IndexingStatus(t.Context(), caller, dataset)
	if err != nil || status.Embeddings != 50-1 || status.Index.Status != store.JobFailed {
		t.Errorf("%+v %v", status, err)
	}
}

// changing has other weights after it has failed.
type changing struct{ eye }

func (c *changing) Embed(ctx context.Context, m flow.EmbeddingModel, images []blob.Ref, done func(int, []float32, error) error) error {
	err := c.eye.Embed(ctx, m, images, done)
	if err != nil {
		c.sum = "1e"
	}
	return err
}

func TestADatasetWithoutImagesHasAnEmptyIndex(t *testing.T) {
	f, caller := flowtest.New(t)
	f.Embedder = &eye{best: "good", seen: make(map[blob.Ref]int)}
	dataset := paddock(t, f, caller, 0)
	if job, problems := indexed(t, f, caller, dataset); job.Status != store.JobCompleted || len(problems) != 1 {
		t.Errorf("job %+v, %q", job, problems)
	}
}
