package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// SliceBatch says how a slice becomes a batch: a task for each of its items.
type SliceBatch struct {
	NewBatch
	Slice         string  // id
	Run           string  // id of the run whose predictions people begin from; "" for none
	MinConfidence float64 // of those predictions, 0 to 1
	GroundTruth   bool    // people begin from the boxes that are there
	Priority      float64
	Finalize      bool // people may begin at once
}

// SlicedBatch is a batch with what became of a slice's items.
type SlicedBatch struct {
	Batch     BatchView
	Added     int // tasks that were made
	There     int // items that had their task already
	Imageless int // items whose image is not here or cannot be read
}

// sliceTasks is how many tasks one transaction makes.
const sliceTasks = 250

// metaSlice is the key of a batch's metadata that names the slice it was made of.
const metaSlice = "slice"

// BatchFromSlice makes a batch of a slice's items; managers only. Nobody works
// on it until all its tasks are there. The same call again goes on where an
// earlier one was cut off, and adds what the slice has got since, as long as
// the batch is not finalized.
func (f *Flow) BatchFromSlice(ctx context.Context, caller remuda.Caller, n SliceBatch) (made SlicedBatch, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Run != "" && n.GroundTruth {
		return made, remuda.Errorf(remuda.Invalid, "begin from predictions and from ground truth").WithHint("choose one of them")
	}
	b, err := f.openSliceBatch(ctx, caller, n)
	if err != nil {
		return made, err
	}
	for after, next := int64(-2), int64(-1); next > after; {
		sum := made
		after = next
		err := f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
			sum = made
			next, err = n.addTasks(tx, b, after, &sum)
			return err
		})
		if err != nil {
			return made, err
		}
		made = sum
	}
	if n.Finalize {
		made.Batch, err = f.FinalizeBatch(ctx, caller, b)
	} else {
		made.Batch, err = f.Batch(ctx, caller, b)
	}
	return made, err
}

// openSliceBatch makes the batch of a slice, or finds the one that an earlier
// call made and that takes more tasks, and returns its id.
func (f *Flow) openSliceBatch(ctx context.Context, caller remuda.Caller, n SliceBatch) (id string, err error) {
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Slice(n.Slice); err != nil {
			return err
		}
		if n.Run != "" {
			if _, err := tx.Run(n.Run); err != nil {
				return err
			}
		}
		metadata, err := readParams(n.Metadata)
		if err != nil {
			return err
		}
		if metadata[metaSlice], err = json.Marshal(n.Slice); err != nil {
			return remuda.Errorf(remuda.Internal, "write the slice's id: %w", err)
		}
		if n.Metadata, err = metadata.text(); err != nil {
			return err
		}
		p, err := findProject(tx, n.Project)
		if err != nil {
			return err
		}
		old, err := tx.BatchByName(n.Name)
		if remuda.CodeOf(err) == remuda.NotFound {
			made, err := createBatch(tx, n.NewBatch)
			id = made.ID
			return err
		}
		if err != nil {
			return err
		}
		was, err := readParams(old.Metadata)
		if err != nil {
			return err
		}
		if id = old.ID; old.ProjectID != p.ID || was.string(metaSlice) != n.Slice {
			return remuda.Errorf(remuda.Conflict, "there is a batch %q already", n.Name).WithHint("choose another name: no two batches have the same, whatever their projects")
		}
		return nil
	})
	return id, err
}

// addTasks makes the tasks of the slice's items behind a position, and returns
// that of the last one; the same position if there are none.
func (n SliceBatch) addTasks(tx *store.Tx, batch string, after int64, made *SlicedBatch) (int64, error) {
	to, err := openPlace(tx, Place{Batch: batch})
	if err != nil {
		return after, err
	}
	items, err := tx.SliceItemsAfter(n.Slice, after, sliceTasks)
	if err != nil || len(items) == 0 {
		return after, err
	}
	there, err := tx.BatchItems(batch)
	if err != nil {
		return after, err
	}
	starts, err := n.starts(tx, to, items)
	if err != nil {
		return after, err
	}
	var tasks []NewTask
	for _, item := range items {
		after = item.Position
		switch {
		case there[item.ID]:
			made.There++
		case item.Blob == "" || item.Problem != "":
			made.Imageless++
		default:
			tasks = append(tasks, NewTask{Item: item.ID, Priority: n.Priority, Start: starts[item.ID]})
		}
	}
	if len(tasks) == 0 {
		return after, nil
	}
	made.Added += len(tasks)
	_, err = to.add(tx, tasks)
	return after, err
}

// starts returns what people begin from, by item.
func (n SliceBatch) starts(tx *store.Tx, to *openedPlace, items []store.Item) (map[string]*label.Answer, error) {
	if n.Run == "" && !n.GroundTruth {
		return nil, nil
	}
	version, err := to.version(tx, nil)
	if err != nil {
		return nil, err
	}
	x, err := taxonomyOf(version.Params)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.ID
	}
	found, err := tx.AnnotationsOf(ids, n.Run)
	if err != nil {
		return nil, err
	}
	starts := make(map[string]*label.Answer, len(items))
	for _, item := range items {
		answer := label.Answer{Boxes: []label.Box{}}
		for _, a := range found[item.ID] {
			if a.Confidence != nil && *a.Confidence < n.MinConfidence {
				continue
			}
			if b, ok := startBox(a, item, x); ok {
				answer.Boxes = append(answer.Boxes, b)
			}
		}
		starts[item.ID] = &answer
	}
	return starts, nil
}

// startBox is an annotation as people begin from it; false if the taxonomy
// doesn't ask for it.
func startBox(a store.Annotation, item store.Item, x label.Taxonomy) (label.Box, bool) {
	if a.Type != store.TypeBox || a.Box == nil || !slices.Contains(x.Leaves(), a.Category) {
		return label.Box{}, false
	}
	b := label.Box{ID: a.ID, Category: a.Category, Box: a.Box.Clip(float64(item.Width), float64(item.Height))}
	if !(b.Box.X1 > b.Box.X0 && b.Box.Y1 > b.Box.Y0) {
		return b, false
	}
	var members map[string]any
	if json.Unmarshal(a.Metadata, &members) != nil {
		return b, true
	}
	for _, attribute := range x.Attributes {
		if value, ok := members[attribute.ID]; ok && !attribute.Image {
			if b.Attributes == nil {
				b.Attributes = make(map[string]any)
			}
			b.Attributes[attribute.ID] = value
		}
	}
	return b, true
}

// StartChanges returns what became of the boxes that a batch's people began
// from, over its completed tasks; managers only.
func (f *Flow) StartChanges(ctx context.Context, caller remuda.Caller, ref string) (counts []store.ChangeCount, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, _ store.Project) (err error) {
		counts, err = tx.ChangeCounts(b.ID)
		return err
	})
	return counts, err
}
