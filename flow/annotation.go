package flow

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"remuda"
	"remuda/store"
)

// Put is what became of annotations or predictions that were sent.
type Put struct {
	Processed int
	Ignored   int      // there already, and not to be updated
	Errors    []string // a sentence for each that could not be taken
}

// PutOptions say where sent annotations belong.
type PutOptions struct {
	Dataset string // that reference ids are of, unless an annotation names another; may be "" for a run of many datasets
	Run     string // "" for ground truth
	Source  string // SourceAPI, SourceModel …
	Update  bool   // replaces those that are there; without it they are ignored
}

// putAtOnce is about how many annotations one transaction writes: a larger one
// would keep other writers waiting.
const putAtOnce = 500

// Sent is annotations or predictions as they came.
type Sent struct {
	Texts []json.RawMessage // each as [ParseAnnotation] reads it
	Masks []string          // what [Flow.StoreMask] returned for the first of Texts, if they came with files
}

// StoreMask stores the PNG file of a mask, for the blob of an annotation; managers only.
func (f *Flow) StoreMask(ctx context.Context, caller remuda.Caller, r io.Reader) (blob string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return "", err
	}
	file := bufio.NewReader(r)
	if head, err := file.Peek(8); err != nil || string(head) != "\x89PNG\r\n\x1a\n" {
		return "", remuda.Errorf(remuda.Invalid, "store a mask: it is no PNG file").WithHint("send masks as PNG files")
	}
	ref, _, err := f.Blobs.Put(ctx, file, f.Limits.ImageBytes)
	return ref.String(), err
}

// Annotate adds ground truth to items of a dataset; managers only. One that is
// wrong, or of an unknown item, becomes an error of the result and keeps no
// other from being taken.
func (f *Flow) Annotate(ctx context.Context, caller remuda.Caller, dataset string, sent Sent, update bool) (Put, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return Put{}, err
	}
	if _, err := f.Dataset(ctx, caller, dataset); err != nil {
		return Put{}, err
	}
	return f.putSent(ctx, caller, sent, PutOptions{Dataset: dataset, Source: store.SourceAPI, Update: update})
}

// putSent is putAnnotations for what has not been read yet.
func (f *Flow) putSent(ctx context.Context, caller remuda.Caller, sent Sent, o PutOptions) (Put, error) {
	list, problems := parseAll(sent)
	put, err := f.putAnnotations(ctx, caller, list, o)
	put.Errors = append(problems, put.Errors...)
	return put, err
}

// parseAll reads annotations; of those that are wrong it says what.
func parseAll(sent Sent) (list []NewAnnotation, problems []string) {
	for i, text := range sent.Texts {
		a, err := ParseAnnotation(text)
		if err != nil {
			problems = append(problems, fmt.Sprintf("Annotation %d of item %s: %v", i, a.name(), err))
			continue
		}
		if i < len(sent.Masks) {
			a.Blob = sent.Masks[i]
		}
		list = append(list, a)
	}
	return list, problems
}

// name is what the user calls an annotation's item.
func (a *NewAnnotation) name() string { return cmp.Or(a.ReferenceID, a.ItemID, "without an id") }

// putAnnotations writes annotations or predictions, the items' in as few
// transactions as is good for others. What the caller may do, and whether the
// run and the dataset are there, is checked before.
func (f *Flow) putAnnotations(ctx context.Context, caller remuda.Caller, list []NewAnnotation, o PutOptions) (Put, error) {
	for i := range list {
		list[i].Source = o.Source
	}
	var total Put
	for chunk := range slices.Chunk(inItems(inDataset(list, o.Dataset)), putAtOnce) {
		var put Put
		err := f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
			put, err = putChunk(tx, chunk, o)
			return err
		})
		if err != nil {
			return total, err
		}
		total.Processed, total.Ignored, total.Errors = total.Processed+put.Processed, total.Ignored+put.Ignored, append(total.Errors, put.Errors...)
	}
	return total, nil
}

// inDataset says of annotations that name no dataset that they are of one.
func inDataset(list []NewAnnotation, dataset string) []NewAnnotation {
	for i := range list {
		if list[i].DatasetID == "" {
			list[i].DatasetID = dataset
		}
	}
	return list
}

// inItems brings together what is of one item, without changing the order of
// what is.
func inItems(list []NewAnnotation) []NewAnnotation {
	slices.SortStableFunc(list, func(a, b NewAnnotation) int {
		return cmp.Or(cmp.Compare(a.ItemID, b.ItemID), cmp.Compare(a.DatasetID, b.DatasetID), cmp.Compare(a.ReferenceID, b.ReferenceID))
	})
	return list
}

// putChunk writes some annotations, item by item in the order of the items'
// ids: two writers that lock items in different orders would wait for each other.
func putChunk(tx *store.Tx, chunk []NewAnnotation, o PutOptions) (put Put, err error) {
	items, err := itemsOf(tx, chunk)
	if err != nil {
		return put, err
	}
	byItem := make(map[string][]store.Annotation)
	var order []string
	for i, a := range chunk {
		if items[i] == "" {
			put.Errors = append(put.Errors, noItem(a.name()))
			continue
		}
		if byItem[items[i]] == nil {
			order = append(order, items[i])
		}
		byItem[items[i]] = append(byItem[items[i]], a.Annotation)
	}
	slices.Sort(order)
	for _, item := range order {
		processed, ignored, err := tx.PutAnnotations(item, o.Run, byItem[item], o.Update)
		if err != nil {
			return put, err
		}
		put.Processed, put.Ignored = put.Processed+processed, put.Ignored+ignored
	}
	return put, nil
}

// itemsOf returns the id of each annotation's item, "" where there is none.
func itemsOf(tx *store.Tx, list []NewAnnotation) ([]string, error) {
	found := make([]string, len(list))
	var ids []string
	refs := make(map[string][]string) // by dataset
	for _, a := range list {
		if a.ItemID != "" {
			ids = append(ids, a.ItemID)
		} else {
			refs[a.DatasetID] = append(refs[a.DatasetID], a.ReferenceID)
		}
	}
	byID, err := tx.ItemsByID(ids)
	if err != nil {
		return nil, err
	}
	byRef := make(map[string]map[string]store.Item)
	for dataset, names := range refs {
		if byRef[dataset], err = tx.ItemsByReference(dataset, names); err != nil {
			return nil, err
		}
	}
	for i, a := range list {
		if a.ItemID != "" {
			found[i] = byID[a.ItemID].ID
		} else {
			found[i] = byRef[a.DatasetID][a.ReferenceID].ID
		}
	}
	return found, nil
}

// SaveAnnotations makes an item's ground truth what want says, on the revision
// of the item that the change was made on; conflict if that is no longer the
// last. Of an annotation with an ID that the item has, Metadata and Body may be
// left out to stay as they are; a box that moved loses the geometry of its body.
func (f *Flow) SaveAnnotations(ctx context.Context, caller remuda.Caller, item string, base int64, want []store.Annotation) (revision int64, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return 0, err
	}
	want = slices.Clone(want)
	for i := range want {
		if err := checkDrawn(&want[i]); err != nil {
			return 0, err
		}
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Item(item); err != nil {
			return err
		}
		current, err := tx.AnnotationsOf([]string{item}, "")
		if err != nil {
			return err
		}
		full := slices.Clone(want)
		for i := range full {
			full[i].Source = store.SourceHuman
			if at := slices.IndexFunc(current[item], func(a store.Annotation) bool { return a.ID != "" && a.ID == full[i].ID }); at >= 0 {
				if full[i], err = onto(current[item][at], full[i]); err != nil {
					return err
				}
			}
		}
		revision, err = tx.ReplaceAnnotations(item, base, full)
		return err
	})
	return revision, err
}

// onto completes what a user changed of an annotation with what stands.
func onto(old, change store.Annotation) (store.Annotation, error) {
	if change.Type != old.Type {
		return change, remuda.Errorf(remuda.Invalid, "save annotation %s as a %s: it is a %s", old.ID, change.Type, old.Type).WithHint("delete it and add a new one")
	}
	change.Key, change.Task, change.Taxonomy, change.Blob = old.Key, old.Task, old.Taxonomy, old.Blob
	if change.Confidence == nil {
		change.Confidence = old.Confidence
	}
	if len(change.Metadata) == 0 {
		change.Metadata = old.Metadata
	}
	if len(change.Body) == 0 {
		change.Body = old.Body
	}
	if change.Box == nil {
		change.Box = old.Box
	}
	if change.Type == store.TypeBox && old.Box != nil && *old.Box != *change.Box {
		change.Body = withoutGeometry(change.Body)
	}
	return change, nil
}

// checkDrawn checks what a page or a program drew through our own API, and
// brings its JSON into the form in which it is compared.
func checkDrawn(a *store.Annotation) error {
	wrong := func(format string, args ...any) error {
		return remuda.Errorf(remuda.Invalid, "save a %.40s: "+format, append([]any{a.Type}, args...)...)
	}
	if a.Category == "" && a.Type != store.TypeMulticategory && a.Type != store.TypeMask || strings.ContainsRune(a.Category, 0) {
		return wrong("%q is no category", a.Category)
	}
	if a.Confidence != nil && !(*a.Confidence >= 0 && *a.Confidence <= 1) {
		return wrong("its confidence is %g, not from 0 to 1", *a.Confidence)
	}
	for _, text := range []*json.RawMessage{&a.Metadata, &a.Body} {
		var compact bytes.Buffer
		if len(*text) == 0 || string(*text) == "null" {
			*text = nil
		} else if !utf8.Valid(*text) || json.Compact(&compact, *text) != nil || compact.Bytes()[0] != '{' {
			return wrong("its metadata and body are objects")
		} else {
			*text = compact.Bytes()
		}
	}
	if a.Type == store.TypeBox {
		if a.Box == nil {
			return wrong("it needs its corners")
		}
		if b := *a.Box; !(b.X0 <= b.X1 && b.Y0 <= b.Y1 && min(b.X0, b.Y0) >= -maxCoordinate && max(b.X1, b.Y1) <= maxCoordinate) {
			return wrong("its corners %g, %g and %g, %g are not in order or beyond any image", b.X0, b.Y0, b.X1, b.Y1)
		}
		switch {
		case a.Body == nil:
		case a.ID == "":
			a.Body = withoutGeometry(a.Body)
		default:
			a.Body = orderedBody(a.Body)
		}
		return nil
	}
	if a.ID != "" && a.Body == nil {
		return nil
	}
	parsed, err := ParseAnnotation(sentForm(a))
	if err != nil {
		return fmt.Errorf("save a %.40s: %w", a.Type, err)
	}
	a.Box, a.Body = parsed.Box, parsed.Body
	return nil
}

// sentForm is an annotation of a body as [ParseAnnotation] reads it.
func sentForm(a *store.Annotation) json.RawMessage {
	members := make(map[string]json.RawMessage)
	if len(a.Body) > 0 && json.Unmarshal(a.Body, &members) != nil {
		return a.Body
	}
	for name, text := range map[string]string{"type": a.Type, "label": a.Category} {
		quoted, err := json.Marshal(text)
		if err != nil { // strings always marshal
			continue
		}
		members[name] = quoted
	}
	text, err := json.Marshal(members)
	if err != nil {
		return a.Body
	}
	return text
}

// withoutGeometry returns a body without the geometry and area that a box's columns contradict.
func withoutGeometry(body json.RawMessage) json.RawMessage {
	return orderedBody(body, "geometry", "area")
}

// orderedBody returns a box's body as [ParseAnnotation] writes it, without some of its members.
func orderedBody(body json.RawMessage, without ...string) json.RawMessage {
	p := payload{}
	if json.Unmarshal(body, &p.members) != nil {
		return body
	}
	for _, name := range without {
		delete(p.members, name)
	}
	return p.body(store.TypeBox)
}

// Annotations returns the current ground truth of items.
func (f *Flow) Annotations(ctx context.Context, caller remuda.Caller, items []string) (map[string][]store.Annotation, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (map[string][]store.Annotation, error) {
		known, err := tx.ItemsByID(items)
		if err != nil {
			return nil, err
		}
		return tx.AnnotationsOf(slices.Sorted(maps.Keys(known)), "")
	})
}

// AnnotationAt finds an annotation, or a run's prediction, by the user's ids of
// its item and of itself, joined by a slash: each may hold slashes too, so every
// split is tried.
func (f *Flow) AnnotationAt(ctx context.Context, caller remuda.Caller, dataset, run, path string) (item store.Item, found store.Annotation, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return item, found, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Dataset(dataset); err != nil {
			return err
		}
		var refs []string
		for i := range len(path) {
			if path[i] == '/' {
				refs = append(refs, path[:i])
			}
		}
		items, err := tx.ItemsByReference(dataset, refs)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			var known bool
			if item, known = items[ref]; !known {
				continue
			}
			found, err = tx.AnnotationByKey(item.ID, run, path[len(ref)+1:])
			if remuda.CodeOf(err) != remuda.NotFound {
				return err
			}
		}
		return remuda.Errorf(remuda.NotFound, "there is no annotation %s in dataset %s", path, dataset)
	})
	return item, found, err
}

// DeleteAnnotations asks for a job that deletes the ground truth of a dataset's items, or
// of all of them if refs is empty; managers only. Revisions stay in the history.
func (f *Flow) DeleteAnnotations(ctx context.Context, caller remuda.Caller, dataset string, refs []string) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		if _, err := tx.Dataset(dataset); err != nil {
			return job, err
		}
		if job, err = tx.NewJob(JobDeleteAnnotations, dataset, deleteAnnotationsArgs{References: refs}, 1); err != nil {
			return job, err
		}
		what := "all items"
		if len(refs) > 0 {
			what = fmt.Sprintf("%d items", len(refs))
		}
		return job, tx.Audit("annotations.delete", dataset, what)
	})
}

// AnnotateAsync asks for a job that adds the ground truth of a staged file, an
// annotation a line; managers only.
func (f *Flow) AnnotateAsync(ctx context.Context, caller remuda.Caller, dataset, request string, update bool) (store.Job, error) {
	return f.uploadJob(ctx, caller, dataset, request, JobAnnotate, func(*store.Tx, store.Upload) (any, int64, error) {
		return annotateArgs{Request: request, Update: update}, 1, nil
	})
}

// Kinds of jobs on annotations; the dataset API calls them so too.
const (
	JobDeleteAnnotations = "annotationDeletion"
	JobAnnotate          = "uploadAnnotations"
	JobRestore           = "restore"
)

type annotateArgs struct {
	Request string `json:"request"`
	Update  bool   `json:"update"`
}

// annotateResult is the job's message as clients know it.
type annotateResult struct {
	Upload struct {
		Total     int64  `json:"total"`
		Errored   int    `json:"errored"`
		Ignored   int    `json:"ignored"`
		Dataset   string `json:"datasetId"`
		Processed int    `json:"processed"`
	} `json:"annotation_upload"`
}

func (f *Flow) runAnnotate(ctx context.Context, run *JobRun) (any, error) {
	var args annotateArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	o := PutOptions{Dataset: run.Job.Dataset, Source: store.SourceAPI, Update: args.Update}
	put, total, err := f.putLines(ctx, run, args.Request, func(sent Sent) (Put, error) { return f.putSent(ctx, run.Caller, sent, o) })
	if err != nil {
		return nil, err
	}
	var result annotateResult
	result.Upload.Total, result.Upload.Errored, result.Upload.Ignored = total, int(total)-put.Processed-put.Ignored, put.Ignored
	result.Upload.Dataset, result.Upload.Processed = run.Job.Dataset, put.Processed
	return result, f.endUpload(ctx, run.Caller, run.Job.Dataset, args.Request)
}

// linesAtOnce and bytesAtOnce are how much of a staged file is held in memory.
const (
	linesAtOnce = 5000
	bytesAtOnce = 8 << 20
)

// putLines hands the annotations or predictions of a staged file to write, some at a time. It is safe
// to run again: what was written by an earlier try is ignored or the same.
func (f *Flow) putLines(ctx context.Context, run *JobRun, request string, write func(Sent) (Put, error)) (sum Put, total int64, err error) {
	var held []json.RawMessage
	bytesHeld := 0
	flush := func() error {
		put, err := write(Sent{Texts: held})
		held, bytesHeld = held[:0], 0
		sum.Processed, sum.Ignored = sum.Processed+put.Processed, sum.Ignored+put.Ignored
		return errors.Join(err, run.Errors(ctx, put.Errors...))
	}
	err = f.eachLine(ctx, run.Caller, run.Job.Dataset, request, func(_ int64, line []byte) error {
		total++
		held, bytesHeld = append(held, bytes.Clone(line)), bytesHeld+len(line)
		if len(held) < linesAtOnce && bytesHeld < bytesAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return sum, total, err
	}
	return sum, total, flush()
}

type deleteAnnotationsArgs struct {
	References []string `json:"references"`
}

func (f *Flow) runDeleteAnnotations(ctx context.Context, run *JobRun) (any, error) {
	var args deleteAnnotationsArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	deleted, err := f.changeItems(ctx, run, args.References, func(tx *store.Tx, items []store.Item) (deleted int, err error) {
		for _, item := range items {
			n, err := tx.EndAnnotations(item.ID)
			if err != nil {
				return 0, err
			}
			deleted += n
		}
		return deleted, nil
	})
	return map[string]int{"deleted": deleted}, err
}

// itemsAtOnce is how many items' annotations one transaction of a job changes.
const itemsAtOnce = 50

// changeItems hands the items of a job's dataset, or those of refs, to change,
// some at a time, each time in a transaction of its own, and returns the sum of
// what change did. Unknown refs become errors of the job.
func (f *Flow) changeItems(ctx context.Context, run *JobRun, refs []string, change func(*store.Tx, []store.Item) (int, error)) (sum int, err error) {
	if len(refs) > 0 {
		return f.eachReference(ctx, run, refs, change)
	}
	for position, more := int64(-1), true; more; {
		var items []store.Item
		var n int
		err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) (err error) {
			if items, err = tx.ItemsAfter(run.Job.Dataset, position, itemsAtOnce); err != nil {
				return err
			}
			n, err = change(tx, items)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum += n
		if more = len(items) > 0; more {
			position = items[len(items)-1].Position
		}
	}
	return sum, nil
}

func (f *Flow) eachReference(ctx context.Context, run *JobRun, refs []string, change func(*store.Tx, []store.Item) (int, error)) (sum int, err error) {
	refs = slices.Compact(slices.Sorted(slices.Values(refs)))
	for chunk := range slices.Chunk(refs, itemsAtOnce) {
		var unknown []string
		var n int
		err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error {
			unknown = nil
			found, err := tx.ItemsByReference(run.Job.Dataset, chunk)
			if err != nil {
				return err
			}
			var items []store.Item
			for _, ref := range chunk {
				if item, ok := found[ref]; ok {
					items = append(items, item)
				} else {
					unknown = append(unknown, noItem(ref))
				}
			}
			n, err = change(tx, items)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum += n
		if err := run.Errors(ctx, unknown...); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// noItem is what clients look for where an item is not known.
func noItem(ref string) string { return fmt.Sprintf("Item with id %s doesn't exist.", ref) }
