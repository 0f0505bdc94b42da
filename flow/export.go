package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/slice"
	"remuda/store"
)

// Source is what an export reads: a slice if Slice is set, else a dataset.
type Source struct {
	Dataset string
	Slice   string
	// Run is "" for ground truth, else whose predictions are read. A frozen slice
	// has the ground truth that was frozen.
	Run string
	// Query is a filter on the items of a dataset; "" for all of them.
	Query string
}

// pageOf returns at most n items of a source behind a position, with their annotations.
func pageOf(tx *store.Tx, from Source, after int64, n int) ([]AnnotatedItem, error) {
	if from.Slice == "" {
		items, err := queried(tx, from, after, n)
		if err != nil {
			return nil, err
		}
		return withAnnotations(items, func(ids []string) (map[string][]store.Annotation, error) { return tx.AnnotationsOf(ids, from.Run) })
	}
	s, err := tx.Slice(from.Slice)
	if err != nil {
		return nil, err
	}
	items, err := tx.SliceItemsAfter(from.Slice, after, n)
	if err != nil {
		return nil, err
	}
	return withAnnotations(items, func(ids []string) (map[string][]store.Annotation, error) {
		if s.Frozen != "" && from.Run == "" {
			return tx.FrozenAnnotations(s.ID, ids)
		}
		found, err := tx.AnnotationsOf(ids, from.Run)
		if err != nil || s.Type != store.SliceOfObjects {
			return found, err
		}
		members, err := objectsOf(tx, s.ID)
		for id, list := range found {
			found[id] = slices.DeleteFunc(list, func(a store.Annotation) bool { return !members[a.ID] })
		}
		return found, err
	})
}

// objectsOf returns the ids of a slice's objects.
func objectsOf(tx *store.Tx, slice string) (map[string]bool, error) {
	members, err := tx.SliceMembers(slice)
	objects := make(map[string]bool, len(members))
	for _, m := range members {
		objects[m.Annotation] = true
	}
	return objects, err
}

// queried returns the items of a dataset that a source's query finds.
func queried(tx *store.Tx, from Source, after int64, n int) ([]store.Item, error) {
	if from.Query == "" {
		return tx.ItemsAfter(from.Dataset, after, n)
	}
	filter, err := slice.ParseQuery(from.Query)
	if err != nil {
		return nil, err
	}
	return tx.FilterItems(from.Dataset, "", filter, after, n)
}

func withAnnotations(items []store.Item, of func(ids []string) (map[string][]store.Annotation, error)) ([]AnnotatedItem, error) {
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	annotations, err := of(ids)
	rows := make([]AnnotatedItem, len(items))
	for i, item := range items {
		rows[i] = AnnotatedItem{Item: item, Annotations: annotations[item.ID]}
	}
	return rows, err
}

// TrainingPage returns at most n items of a source (0 never cuts) behind a
// position (-1 begins), with their annotations, in the order of insertion. The
// last item's Position is where the next page goes on.
func (f *Flow) TrainingPage(ctx context.Context, caller remuda.Caller, from Source, after int64, n int) ([]AnnotatedItem, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]AnnotatedItem, error) { return pageOf(tx, from, after, n) })
}

// exportPage is how many items an export holds in memory.
const exportPage = 500

// EachTrainingRow hands the items of a source with their annotations to do, as
// they all are at one time.
func (f *Flow) EachTrainingRow(ctx context.Context, caller remuda.Caller, from Source, do func(AnnotatedItem) error) error {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return err
	}
	return f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		for after := int64(-1); ; {
			rows, err := pageOf(tx, from, after, exportPage)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, row := range rows {
				if err := do(row); err != nil {
					return err
				}
			}
			after = rows[len(rows)-1].Item.Position
		}
	})
}

// MostRecentTask returns the annotations of an item without those that belong to an
// older task than the newest; those of no task stay.
func MostRecentTask(annotations []store.Annotation) []store.Annotation {
	newest := ""
	var last store.Annotation
	for _, a := range annotations {
		if task := taskOf(a); task != "" && (newest == "" || cmp.Or(a.CreatedAt.Compare(last.CreatedAt), cmp.Compare(a.ID, last.ID)) > 0) {
			newest, last = task, a
		}
	}
	var kept []store.Annotation
	for _, a := range annotations {
		if task := taskOf(a); task == "" || task == newest {
			kept = append(kept, a)
		}
	}
	return kept
}

// MaskURL returns the path of the PNG file that was uploaded as a mask, with what
// authorises whoever has it to read it for a day or two; "" if there is none.
func (f *Flow) MaskURL(ctx context.Context, a store.Annotation) (string, error) {
	if a.Blob == "" {
		return "", nil
	}
	return f.BlobURL(ctx, "/image/"+a.Blob)
}

// taskOf returns the user's task_id of an annotation.
func taskOf(a store.Annotation) string {
	if !store.OnePerItem(a.Type) {
		return a.Task
	}
	var body struct {
		Task string `json:"task_id"`
	}
	if json.Unmarshal(a.Body, &body) != nil {
		return ""
	}
	return body.Task
}
