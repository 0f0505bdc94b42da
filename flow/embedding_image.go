package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

const (
	embedTogether = 1_000 // images that are handed to the engine's process at once
	embedKept     = 50    // vectors that are written at once: what a crash can cost
)

// Embedder turns images into vectors, in the engine's child process.
type Embedder interface {
	// Model returns the backbone of a name, or for "" the best one that is
	// here. Where there is no engine it fails with conflict, for good, and says
	// how to get one.
	Model(ctx context.Context, name string) (EmbeddingModel, error)
	// Embed calls done with the number of each image and its vector, or with what was wrong with it.
	Embed(ctx context.Context, model EmbeddingModel, images []blob.Ref, done func(i int, vector []float32, problem error) error) error
}

// EmbeddingModel is a backbone that makes vectors.
type EmbeddingModel struct {
	Name      string // what Model finds it by
	SHA256    string // of its weights, hex
	Dimension int    // how many numbers a vector has
}

// IndexImages makes the job that has the engine make a vector of each image of a dataset; managers only.
func (f *Flow) IndexImages(ctx context.Context, caller remuda.Caller, dataset string) (store.Job, error) {
	return f.datasetJob(ctx, caller, dataset, jobIndexImages, struct{}{}, 0)
}

// imageIndexing is such a job under way.
type imageIndexing struct {
	flow        *Flow
	run         *JobRun
	model       EmbeddingModel
	index       store.EmbeddingIndex
	done, total int64

	found    []store.Embedding // that are not written yet
	problems []string
}

func (f *Flow) runIndexImages(ctx context.Context, run *JobRun) (any, error) {
	if f.Embedder == nil {
		return nil, remuda.Errorf(remuda.Conflict, "index the images of dataset %s: this server has no engine", run.Job.Dataset).
			WithHint("run remuda engine build on the server's machine, then index again; remuda doctor says what is missing")
	}
	x := &imageIndexing{flow: f, run: run}
	if err := x.begin(ctx); err != nil {
		return nil, fmt.Errorf("index the images of dataset %s: %w", run.Job.Dataset, err)
	}
	for position, more := int64(-1), true; more; {
		var items []store.Item
		err := f.DB.Read(ctx, run.Caller, func(tx *store.Tx) (err error) {
			items, err = tx.ItemsToEmbed(x.index.ID, run.Job.Dataset, position, embedTogether)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			position = items[len(items)-1].Position
			if err := x.embed(ctx, items); err != nil {
				return nil, fmt.Errorf("index the images of dataset %s: %w", run.Job.Dataset, err)
			}
		}
		more = len(items) == embedTogether
	}
	return map[string]string{"embedding_index": x.index.ID}, nil
}

// begin finds the backbone, which for a job that goes on is the one that it
// began with, and how far the index is.
func (x *imageIndexing) begin(ctx context.Context) (err error) {
	err = x.flow.DB.Read(ctx, x.run.Caller, func(tx *store.Tx) error {
		x.index, err = tx.EmbeddingIndexOfJob(x.run.Job.ID)
		if remuda.CodeOf(err) == remuda.NotFound {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if x.model, err = x.flow.Embedder.Model(ctx, x.index.Model); err != nil {
		return err
	}
	if x.index.ID != "" && x.index.Weights != x.model.SHA256 {
		return remuda.Errorf(remuda.Conflict, "the weights %s have changed since the index was begun", x.model.Name).WithHint("index the dataset again")
	}
	x.index, err = x.flow.beginIndex(ctx, x.run, store.EmbeddingIndex{
		Type: store.EmbeddingsInternal, Dimension: x.model.Dimension, Model: x.model.Name, Weights: x.model.SHA256,
	})
	if err != nil {
		return err
	}
	return x.flow.DB.Read(ctx, x.run.Caller, func(tx *store.Tx) error {
		if x.total, err = tx.CountItems(x.run.Job.Dataset); err != nil {
			return err
		}
		x.done, err = tx.CountEmbeddings(x.index.ID)
		return err
	})
}

// embed has the engine make the vectors of some items, and writes them as they come.
func (x *imageIndexing) embed(ctx context.Context, items []store.Item) error {
	var images []blob.Ref
	var of []store.Item
	for _, item := range items {
		ref, err := blob.ParseRef(item.Blob)
		if err != nil {
			x.failed(item, remuda.Errorf(remuda.NotFound, "its image is not here"))
			continue
		}
		images, of = append(images, ref), append(of, item)
	}
	if len(images) > 0 {
		err := x.flow.Embedder.Embed(ctx, x.model, images, func(i int, vector []float32, problem error) error {
			return x.take(ctx, of[i], vector, problem)
		})
		if err != nil {
			return err
		}
	}
	return x.write(ctx)
}

// take keeps the vector of an item, or what was wrong, and now and then writes what was kept.
func (x *imageIndexing) take(ctx context.Context, item store.Item, vector []float32, problem error) error {
	switch {
	case problem != nil:
		x.failed(item, remuda.Errorf(remuda.Invalid, "%w", problem)) // the image's, not the program's
	case len(vector) != x.index.Dimension:
		return remuda.Errorf(remuda.Internal, "the vector of %s has %d numbers, %d are expected", item.ReferenceID, len(vector), x.index.Dimension)
	default:
		text, err := json.Marshal(vector)
		if err != nil {
			return remuda.Errorf(remuda.Internal, "write the vector of %s: %w", item.ReferenceID, err)
		}
		x.found = append(x.found, store.Embedding{Item: item.ID, Vector: text})
		x.done++
	}
	if len(x.found)+len(x.problems) < embedKept {
		return nil
	}
	return x.write(ctx)
}

func (x *imageIndexing) failed(item store.Item, problem error) {
	x.problems = append(x.problems, fmt.Sprintf("%s: %s", item.ReferenceID, remuda.Sentence(problem)))
	x.done++
}

// write keeps what was found, and says how far the job is.
func (x *imageIndexing) write(ctx context.Context) error {
	err := x.flow.DB.Write(ctx, x.run.Caller, func(tx *store.Tx) error {
		if _, err := tx.Dataset(x.run.Job.Dataset); err != nil {
			return err
		}
		return tx.PutEmbeddings(x.index.ID, x.found)
	})
	if err != nil {
		return err
	}
	if err := x.run.Errors(ctx, x.problems...); err != nil {
		return err
	}
	x.found, x.problems = nil, nil
	return x.run.Progress(ctx, x.done, max(x.total, x.done))
}
