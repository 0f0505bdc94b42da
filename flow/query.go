package flow

import (
	"context"

	"remuda"
	"remuda/slice"
	"remuda/store"
)

// QueryItems returns at most n items of a dataset (0 never cuts) that a filter
// chooses, behind a position (-1 begins), in the order of insertion. within
// names a slice whose members alone are looked at, or is "".
func (f *Flow) QueryItems(ctx context.Context, caller remuda.Caller, dataset, within string, filter slice.Filter, after int64, n int) ([]store.Item, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Item, error) { return tx.FilterItems(dataset, within, filter, after, n) })
}

// CountQuery returns how many items, or boxes if it is a filter of those, a filter chooses.
func (f *Flow) CountQuery(ctx context.Context, caller remuda.Caller, dataset, within string, filter slice.Filter) (int64, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (int64, error) { return tx.CountFiltered(dataset, within, filter) })
}

// QueriedBox is a box that a filter chose, with its item.
type QueriedBox struct {
	Cursor     store.BoxCursor // where the next page goes on
	Item       store.Item
	Annotation store.Annotation
}

// QueryBoxes returns at most n boxes of a dataset (0 never cuts) that a filter
// chooses, behind a place in the order of their items. run is nil for all of
// them, else whose predictions are looked at, "" for ground truth.
func (f *Flow) QueryBoxes(ctx context.Context, caller remuda.Caller, dataset, within string, run *string, filter slice.Filter, after store.BoxCursor, n int) ([]QueriedBox, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (boxes []QueriedBox, err error) {
		var found []store.FoundBox
		if run != nil {
			found, err = tx.FilterBoxesOf(dataset, *run, filter, after, n)
		} else {
			found, err = tx.FilterBoxes(dataset, within, filter, after, n)
		}
		if err != nil {
			return boxes, err
		}
		ids := make([]string, len(found))
		for i, b := range found {
			ids[i] = b.Annotation.Item
		}
		items, err := tx.ItemsByID(ids)
		boxes = make([]QueriedBox, len(found))
		for i, b := range found {
			boxes[i] = QueriedBox{Cursor: store.BoxCursor{Position: b.Position, ID: b.Annotation.ID}, Item: items[b.Annotation.Item], Annotation: b.Annotation}
		}
		return boxes, err
	})
}

// QueryMatches returns at most n matches of a kind in the newest evaluation of a
// run, behind a number (-1 begins), on items that a filter of items chooses.
func (f *Flow) QueryMatches(ctx context.Context, caller remuda.Caller, dataset, run string, kind store.MatchKind, filter slice.Filter, after int64, n int) ([]store.MatchedPair, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.MatchedPair, error) {
		evaluation, err := tx.NewestEvaluation(run)
		if remuda.CodeOf(err) == remuda.NotFound {
			return nil, remuda.Errorf(remuda.Invalid, "find matches of model run %s: it has not been evaluated", run).WithHint("call calculate_evaluation_metrics first")
		}
		if err != nil {
			return nil, err
		}
		return tx.MatchesAfter(dataset, evaluation, kind, filter, after, n)
	})
}
