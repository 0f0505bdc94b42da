package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"remuda"
	"remuda/blob"
	"remuda/imageio"
	"remuda/store"
)

// jobItems is the kind of job that fetches and looks at the images of items,
// and before that adds those of a large staged upload.
const jobItems = "uploadDatasetItems"

const (
	itemBatch  = 500 // rows added in one transaction
	imageBatch = 32  // images looked at before their rows are written
	fetchers   = 8   // images fetched or looked at at a time
)

type itemsArgs struct {
	Items   []string     `json:"items,omitempty"`   // ids of those whose images are to be looked at
	Refused []string     `json:"refused,omitempty"` // what was wrong with others
	Counts  AppendCounts `json:"counts"`
	Upload  string       `json:"upload,omitempty"` // request id of a staged upload whose items are to be added
	Update  bool         `json:"update,omitempty"`
}

// newItemsArgs are the arguments for items that have been added. Known items are
// among them: their images may have been out of reach.
func newItemsArgs(done Appended) itemsArgs {
	args := itemsArgs{Counts: done.Counts()}
	for _, item := range done.Items {
		if item.Err != nil {
			args.Refused = append(args.Refused, remuda.Sentence(item.Err))
		} else {
			args.Items = append(args.Items, item.ID)
		}
	}
	return args
}

// runItems carries out a job of the kind jobItems. Run again, it adds what is
// not there yet and looks at images that nobody has looked at.
func (f *Flow) runItems(ctx context.Context, run *JobRun) (any, error) {
	var args itemsArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	if err := run.Errors(ctx, args.Refused...); err != nil {
		return nil, err
	}
	if args.Upload == "" {
		return args.Counts, f.lookAt(ctx, run, args.Items, 0)
	}
	adder := &uploadAdder{flow: f, run: run, update: args.Update, from: run.Job.Done}
	if err := json.Unmarshal(run.Job.Result, &adder.counts); err != nil {
		return nil, remuda.Errorf(remuda.Internal, "read the counts of job %s: %w", run.Job.ID, err)
	}
	err := f.eachLine(ctx, run.Caller, run.Job.Dataset, args.Upload, func(n int64, line []byte) error { return adder.line(ctx, n, line) })
	if err != nil {
		return nil, err
	}
	if err := adder.flush(ctx); err != nil {
		return nil, err
	}
	if err := f.lookAt(ctx, run, adder.ids, adder.lines); err != nil {
		return nil, err
	}
	return adder.counts, f.endUpload(ctx, run.Caller, run.Job.Dataset, args.Upload)
}

// uploadAdder adds the items of a staged upload. The job's row says in the same
// transaction how many lines it has dealt with and what became of them, so that a
// job that is run again goes on there.
type uploadAdder struct {
	flow   *Flow
	run    *JobRun
	update bool
	from   int64 // lines that an earlier attempt dealt with

	lines   int64
	batch   []NewItem
	begun   int64 // lines before the batch
	bytes   int   // of the batch's lines
	bad     int64 // lines of the batch that can't be read
	refused []string
	counts  AppendCounts
	ids     []string
}

func (a *uploadAdder) line(ctx context.Context, n int64, line []byte) error {
	a.lines++
	a.bytes += len(line)
	item, err := readLine(n, line, a.update)
	if err != nil {
		a.bad++
		a.refused = append(a.refused, remuda.Sentence(err))
	} else {
		a.batch = append(a.batch, item)
	}
	if a.lines-a.begun < itemBatch && a.bytes < bytesAtOnce { // so that the same lines always make a batch
		return nil
	}
	return a.flush(ctx)
}

func (a *uploadAdder) flush(ctx context.Context) error {
	var added []AppendedItem
	counts, job := a.counts, a.run.Job
	err := a.flow.DB.Write(ctx, a.run.Caller, func(tx *store.Tx) (err error) {
		if a.lines <= a.from {
			added, err = knownRows(tx, a.run.Job.Dataset, a.batch)
			return err
		}
		if added, err = appendRows(tx, a.run.Job.Dataset, a.batch); err != nil {
			return err
		}
		counts = a.counts
		counts.Errors += a.bad
		for _, item := range added {
			counts.add(item)
		}
		job.Done, job.Total = a.lines, max(job.Total, a.lines)
		if job.Result, err = json.Marshal(counts); err != nil {
			return err
		}
		return tx.UpdateJob(job)
	})
	if err != nil {
		return err
	}
	for _, item := range added {
		if item.Err != nil {
			a.refused = append(a.refused, remuda.Sentence(item.Err))
		} else {
			a.ids = append(a.ids, item.ID)
		}
	}
	err = a.run.Errors(ctx, a.refused...)
	a.run.Job, a.counts, a.batch, a.refused, a.bad = job, counts, a.batch[:0], nil, 0
	a.begun, a.bytes = a.lines, 0
	return err
}

// knownRows finds the rows of items that an earlier attempt added.
func knownRows(tx *store.Tx, dataset string, items []NewItem) ([]AppendedItem, error) {
	d, err := tx.Dataset(dataset)
	if err != nil {
		return nil, err
	}
	refs := make([]string, len(items))
	for i := range items {
		refs[i] = items[i].ReferenceID
	}
	known, err := tx.ItemsByReference(dataset, refs)
	found := make([]AppendedItem, 0, len(items))
	for i := range items {
		if err := items[i].check(d); err != nil {
			found = append(found, AppendedItem{Err: err})
		} else if item, ok := known[items[i].ReferenceID]; ok {
			found = append(found, AppendedItem{AddedItem: store.AddedItem{ID: item.ID}})
		}
	}
	return found, err
}

// lookAt fetches the images of items whose bytes are not here, decodes those
// whose perceptual hash is not known, and notes what it found. What is wrong
// with one item stands in its row and among the job's errors. before is how many
// steps the job has done already.
func (f *Flow) lookAt(ctx context.Context, run *JobRun, ids []string, before int64) error {
	for at := 0; at < len(ids); at += imageBatch {
		batch := ids[at:min(at+imageBatch, len(ids))]
		if err := f.lookAtBatch(ctx, run, batch); err != nil {
			return err
		}
		if err := run.Progress(ctx, before+int64(at+len(batch)), before+int64(len(ids))); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flow) lookAtBatch(ctx context.Context, run *JobRun, ids []string) error {
	var known map[string]store.Item
	var privacy bool
	err := f.DB.Read(ctx, run.Caller, func(tx *store.Tx) error {
		d, err := tx.Dataset(run.Job.Dataset)
		if err != nil {
			return err
		}
		privacy = d.PrivacyMode
		known, err = tx.ItemsByID(ids)
		return err
	})
	if err != nil {
		return err
	}
	looked := make([]*store.Item, 0, len(known))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(fetchers)
	for _, id := range ids {
		item, ok := known[id]
		if !ok || item.PHash != nil || item.Blob == "" && (privacy || !IsRemote(item)) {
			continue
		}
		delete(known, id) // lest one that was sent twice be looked at twice
		looked = append(looked, &item)
		group.Go(func() error { return f.lookAtItem(inner, &item) })
	}
	if err := group.Wait(); err != nil || len(looked) == 0 {
		return err
	}
	var problems []string
	err = f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error {
		for _, item := range looked {
			if err := tx.SetImage(*item); err != nil {
				return err
			}
		}
		return nil
	})
	for _, item := range looked {
		if item.Problem != "" {
			problems = append(problems, fmt.Sprintf("item %s: %s", item.ReferenceID, item.Problem))
		}
	}
	if err != nil {
		return err
	}
	return run.Errors(ctx, problems...)
}

// lookAtItem writes into item what there is to know of its image, or what the
// problem is. An error is one of the server's, which may pass.
func (f *Flow) lookAtItem(ctx context.Context, item *store.Item) error {
	if item.Blob == "" {
		image, err := f.fetchImage(ctx, item.ImageURL)
		if err != nil {
			return err
		}
		if image.Err != nil {
			item.Problem = remuda.Sentence(image.Err)
			return nil
		}
		setImage(item, image)
	}
	ref, err := blob.ParseRef(item.Blob)
	if err != nil {
		return err
	}
	err = f.decode(ctx, ref, func(m *imageio.RGB) error {
		hash := imageio.PerceptualHash(m)
		item.PHash = &hash
		_, err := f.keepThumbnail(ctx, ref, m, eagerThumbnail)
		return err
	})
	if remuda.CodeOf(err) == remuda.Invalid {
		item.Problem = remuda.Sentence(err)
		return nil
	}
	return err
}

// fetchImage gets an image from where its URL says and stores it. What is wrong
// there is the image's Err, not an error.
func (f *Flow) fetchImage(ctx context.Context, url string) (Image, error) {
	if f.Fetcher == nil {
		return Image{Err: remuda.Errorf(remuda.Unavailable, "fetch %s: this server fetches nothing", url)}, nil
	}
	out := f.fetched(ctx, url, f.Limits.ImageBytes)
	defer out.Close()
	batch, line := f.ReceiveImages(ctx), &senderReader{r: out}
	err := batch.Add(line)
	if err != nil && line.err != nil && ctx.Err() == nil {
		return Image{Err: line.err}, nil
	}
	if err != nil {
		return Image{}, err
	}
	images, err := batch.Wait()
	if err != nil {
		return Image{}, err
	}
	return images[0], nil
}

// fetched reads what a URL names while it is fetched; its errors are the
// fetcher's. Closing it ends that.
func (f *Flow) fetched(ctx context.Context, url string, maxBytes int64) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		_, err := f.Fetcher.Fetch(ctx, url, in, maxBytes)
		in.CloseWithError(err) // nil is the end of the file
	}()
	return out
}
