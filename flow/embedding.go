package flow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"

	"remuda"
	"remuda/store"
)

// Kinds of jobs on embeddings.
const (
	jobIndexCustom      = "customIndexing"
	jobIndexImages      = "indexingImage"
	jobExportEmbeddings = "exportEmbeddings"
)

const (
	maxEmbeddingFile = 256 << 20 // bytes of one file of vectors
	maxEmbeddingURLs = 1_000
	maxDimension     = 16_384
	embeddingsPath   = "/embeddings/"
)

// EmbeddingIndexes returns those of a dataset, oldest first.
func (f *Flow) EmbeddingIndexes(ctx context.Context, caller remuda.Caller, dataset string) ([]store.EmbeddingIndex, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.EmbeddingIndex, error) { return tx.EmbeddingIndexes(dataset) })
}

type customArgs struct {
	URLs      []string `json:"urls"`
	Dimension int      `json:"dimension"`
}

// IndexCustom makes the job that reads vectors from URLs, each a JSON object of
// vectors by reference id; managers only.
func (f *Flow) IndexCustom(ctx context.Context, caller remuda.Caller, dataset string, urls []string, dimension int) (job store.Job, err error) {
	if dimension < 1 || dimension > maxDimension || len(urls) == 0 || len(urls) > maxEmbeddingURLs {
		return job, remuda.Errorf(remuda.Invalid, "index embeddings of dimension %d from %d URLs", dimension, len(urls)).
			WithHint("name 1 to %d URLs and a dimension from 1 to %d", maxEmbeddingURLs, maxDimension)
	}
	for _, text := range urls {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return job, remuda.Errorf(remuda.Invalid, "index embeddings from %.200q: this is no URL that can be fetched", text).WithHint("use http:// or https://")
		}
	}
	return f.datasetJob(ctx, caller, dataset, jobIndexCustom, customArgs{urls, dimension}, int64(len(urls)))
}

// datasetJob makes a job on a dataset; managers only.
func (f *Flow) datasetJob(ctx context.Context, caller remuda.Caller, dataset, kind string, args any, total int64) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		if _, err := tx.Dataset(dataset); err != nil {
			return job, err
		}
		return tx.NewJob(kind, dataset, args, total)
	})
}

func (f *Flow) runIndexCustom(ctx context.Context, run *JobRun) (any, error) {
	var args customArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	index, err := f.beginIndex(ctx, run, store.EmbeddingIndex{Type: store.EmbeddingsCustom, Dimension: args.Dimension})
	if err != nil {
		return nil, err
	}
	for i, from := range args.URLs {
		if err := f.indexURL(ctx, run, index, from); err != nil {
			return nil, err
		}
		if err := run.Progress(ctx, int64(i+1), int64(len(args.URLs))); err != nil {
			return nil, err
		}
	}
	return map[string]string{"embedding_index": index.ID}, nil
}

// beginIndex returns the index that a job makes, also when it begins again.
func (f *Flow) beginIndex(ctx context.Context, run *JobRun, wanted store.EmbeddingIndex) (index store.EmbeddingIndex, err error) {
	wanted.Dataset, wanted.Job = run.Job.Dataset, run.Job.ID
	err = f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error {
		index, err = tx.EmbeddingIndexOfJob(run.Job.ID)
		if remuda.CodeOf(err) == remuda.NotFound {
			index, err = tx.CreateEmbeddingIndex(wanted)
		}
		return err
	})
	return index, err
}

// vectorsAtOnce is how many vectors of a file are in memory, and written at once.
const vectorsAtOnce = 500

// indexURL reads a file of vectors into an index; what is wrong with single ones is the job's error.
func (f *Flow) indexURL(ctx context.Context, run *JobRun, index store.EmbeddingIndex, from string) error {
	if f.Fetcher == nil {
		return remuda.Errorf(remuda.Conflict, "fetch %s: this server fetches nothing", from)
	}
	file := f.fetched(ctx, from, maxEmbeddingFile)
	defer file.Close()
	line := &senderReader{r: file}
	decoder := json.NewDecoder(line)
	vectors := make(map[string][]float64)
	err := eachMember(decoder, func(ref string) error {
		var vector []float64
		if err := decoder.Decode(&vector); err != nil {
			return err
		}
		if vectors[ref] = vector; len(vectors) < vectorsAtOnce {
			return nil
		}
		err := f.indexVectors(ctx, run, index, vectors)
		clear(vectors)
		return err
	})
	if line.err != nil {
		return line.err
	}
	if _, coded := errors.AsType[*remuda.Error](err); err != nil && !coded {
		return remuda.Errorf(remuda.Invalid, "read the vectors at %s: %w", from, err).WithHint("it must be a JSON object of arrays of numbers, by reference id")
	}
	if err != nil {
		return err
	}
	return f.indexVectors(ctx, run, index, vectors)
}

// eachMember calls do with the name of each member of a JSON object, to read its value.
func eachMember(decoder *json.Decoder, do func(name string) error) error {
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return errors.Join(err, errors.New("it is no object"))
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if err := do(fmt.Sprint(name)); err != nil {
			return err
		}
	}
	_, err := decoder.Token()
	return err
}

// indexVectors writes vectors, by reference id.
func (f *Flow) indexVectors(ctx context.Context, run *JobRun, index store.EmbeddingIndex, vectors map[string][]float64) error {
	refs := slices.Sorted(maps.Keys(vectors))
	var problems []string
	err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error {
		problems = nil
		items, err := tx.ItemsByReference(run.Job.Dataset, refs)
		if err != nil {
			return err
		}
		var found []store.Embedding
		for _, ref := range refs {
			item, known := items[ref]
			if !known || len(vectors[ref]) != index.Dimension {
				problems = append(problems, vectorProblem(ref, known, len(vectors[ref]), index.Dimension))
				continue
			}
			text, err := json.Marshal(vectors[ref])
			if err != nil {
				return remuda.Errorf(remuda.Internal, "write the vector of %s: %w", ref, err)
			}
			found = append(found, store.Embedding{Item: item.ID, Vector: text})
		}
		return tx.PutEmbeddings(index.ID, found)
	})
	if err != nil {
		return err
	}
	return run.Errors(ctx, problems...)
}

func vectorProblem(ref string, known bool, length, want int) string {
	if !known {
		return noItem(ref)
	}
	return fmt.Sprintf("The vector of %s has %d numbers, %d are expected.", ref, length, want)
}

// IndexingStatus says how many of a dataset's images have a vector.
type IndexingStatus struct {
	Embeddings int64
	Images     int64
	Index      store.EmbeddingIndex // the newest one; ID is "" if there is none
}

// IndexingStatus returns that of a dataset's newest index.
func (f *Flow) IndexingStatus(ctx context.Context, caller remuda.Caller, dataset string) (IndexingStatus, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (s IndexingStatus, err error) {
		if s.Images, err = tx.CountItems(dataset); err != nil {
			return s, err
		}
		if s.Index, err = newestIndex(tx, dataset, false); err != nil || s.Index.ID == "" {
			return s, err
		}
		s.Embeddings, err = tx.CountEmbeddings(s.Index.ID)
		return s, err
	})
}

// newestIndex returns the newest index of a dataset, of those that are complete
// or of all; ID is "" if there is none.
func newestIndex(tx *store.Tx, dataset string, complete bool) (newest store.EmbeddingIndex, err error) {
	all, err := tx.EmbeddingIndexes(dataset)
	for _, x := range all {
		if !complete || x.Status == store.JobCompleted {
			newest = x
		}
	}
	return newest, err
}

// place is a dataset, or a slice of it.
type place struct {
	Dataset string `json:"dataset"`
	Slice   string `json:"slice,omitempty"`
}

// placeOf finds a dataset or a slice by its id.
func placeOf(tx *store.Tx, id string) (place, error) {
	s, err := tx.Slice(id)
	if err == nil {
		return place{Dataset: s.Dataset, Slice: s.ID}, nil
	}
	if remuda.CodeOf(err) != remuda.NotFound {
		return place{}, err
	}
	_, err = tx.Dataset(id)
	return place{Dataset: id}, err
}

// embeddingWindow is how many vectors are in memory at a time while many are read.
const embeddingWindow = 200

// Embeddings hands the vectors of a dataset or a slice to do, those of the
// newest complete index, in the order of the dataset. There may be none.
func (f *Flow) Embeddings(ctx context.Context, caller remuda.Caller, id string, do func(store.Embedding) error) error {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return err
	}
	var at place
	var index store.EmbeddingIndex
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		if at, err = placeOf(tx, id); err == nil {
			index, err = newestIndex(tx, at.Dataset, true)
		}
		return err
	})
	if err != nil || index.ID == "" {
		return err
	}
	for position, more := int64(-1), true; more; {
		var found []store.Embedding
		err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
			found, err = tx.EmbeddingsAfter(index, at.Slice, position, embeddingWindow)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range found {
			position = e.Position
			if err := do(e); err != nil {
				return err
			}
		}
		more = len(found) == embeddingWindow
	}
	return nil
}

// ExportEmbeddings makes the job whose result is the path of a dataset's or a
// slice's vectors, which authorises whoever has it.
func (f *Flow) ExportEmbeddings(ctx context.Context, caller remuda.Caller, id, base string) (job store.Job, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return job, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		at, err := placeOf(tx, id)
		if err != nil {
			return err
		}
		job, err = tx.NewJob(jobExportEmbeddings, at.Dataset, exportArgs{at, base}, 1)
		return err
	})
	return job, err
}

type exportArgs struct {
	place
	Base string `json:"base"` // how the caller reaches the server
}

func (f *Flow) runExportEmbeddings(ctx context.Context, run *JobRun) (any, error) {
	var args exportArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	id := args.Dataset
	if args.Slice != "" {
		id = args.Slice
	}
	n := 0
	if err := f.Embeddings(ctx, run.Caller, id, func(store.Embedding) error { n++; return nil }); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, remuda.Errorf(remuda.Conflict, "export the embeddings of %s: there are none", id).WithHint("index the dataset first")
	}
	path, err := f.BlobURL(ctx, embeddingsPath+string(run.Job.World)+"/"+id)
	return map[string][]string{"result": {args.Base + path}}, err
}

// WriteEmbeddings writes vectors as a JSON array, without holding more than
// some of them: see Embeddings.
func (f *Flow) WriteEmbeddings(ctx context.Context, caller remuda.Caller, id string, w io.Writer) error {
	out := bufio.NewWriterSize(w, 64<<10)
	between := "["
	err := f.Embeddings(ctx, caller, id, func(e store.Embedding) error {
		text, err := json.Marshal(e)
		if err != nil {
			return remuda.Errorf(remuda.Internal, "write the vector of %s: %w", e.Reference, err)
		}
		out.WriteString(between) // out keeps its first error
		between = ","
		_, err = out.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	if between == "[" {
		out.WriteString("[")
	}
	out.WriteString("]")
	return out.Flush()
}

// WriteSignedEmbeddings is WriteEmbeddings for those whose URL authorises them.
func (f *Flow) WriteSignedEmbeddings(ctx context.Context, world remuda.World, id string, w io.Writer) error {
	return f.WriteEmbeddings(ctx, remuda.Caller{Role: remuda.Reviewer, World: world}, id, w)
}
