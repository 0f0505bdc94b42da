package flow

import (
	"cmp"
	"context"
	"encoding/json"

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
		return tx.AnnotationsOf(ids, from.Run)
	})
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
func (f *Flow) TrainingPage(ctx context.Context, caller remuda.Caller, from Source, after int64, n int) (rows []AnnotatedItem, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		rows, err = pageOf(tx, from, after, n)
		return err
	})
	return rows, err
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
