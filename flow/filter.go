package flow

import (
	"context"

	"remuda"
	"remuda/slice"
	"remuda/store"
)

// Search chooses items of a dataset or, if Slice is set, of a slice of it.
type Search struct {
	Dataset string // may be "" if there is a slice
	Slice   string
	Filter  string // in the language of package slice; "" for all
}

// FilterItems returns at most limit items (0 never cuts) that a search chooses,
// behind a position (-1 for all); the last one's Position is where the next page
// goes on. An error of the filter is invalid and names its column.
func (f *Flow) FilterItems(ctx context.Context, caller remuda.Caller, search Search, after int64, limit int) (found []store.Item, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	filter, err := slice.Parse(search.Filter, slice.Items)
	if err != nil && search.Filter != "" {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		dataset, err := search.dataset(tx)
		switch {
		case err != nil:
		case search.Filter != "":
			found, err = tx.FilterItems(dataset, search.Slice, filter, after, limit)
		case search.Slice != "":
			found, err = tx.SliceItemsAfter(search.Slice, after, limit)
		default:
			found, err = tx.ItemsAfter(dataset, after, limit)
		}
		return err
	})
	return found, err
}

// CountFiltered returns how many items a search chooses.
func (f *Flow) CountFiltered(ctx context.Context, caller remuda.Caller, search Search) (n int64, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return 0, err
	}
	filter, err := slice.Parse(search.Filter, slice.Items)
	if err != nil && search.Filter != "" {
		return 0, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		dataset, err := search.dataset(tx)
		switch {
		case err != nil:
		case search.Filter != "":
			n, err = tx.CountFiltered(dataset, search.Slice, filter)
		case search.Slice != "":
			n, err = tx.CountMembers(search.Slice)
		default:
			n, err = tx.CountItems(dataset)
		}
		return err
	})
	return n, err
}

// dataset returns the dataset that is searched.
func (s Search) dataset(tx *store.Tx) (string, error) {
	if s.Slice == "" {
		return s.Dataset, nil
	}
	found, err := tx.Slice(s.Slice)
	if err == nil && s.Dataset != "" && found.Dataset != s.Dataset {
		err = remuda.Errorf(remuda.NotFound, "there is no slice %s in dataset %s", s.Slice, s.Dataset)
	}
	return found.Dataset, err
}

// FilterBoxes returns at most limit current boxes, annotations and predictions,
// that a filter of boxes chooses, behind a place in the order of their items
// (Position -1 for all), and their items by id. No filter chooses all.
func (f *Flow) FilterBoxes(ctx context.Context, caller remuda.Caller, search Search, after store.BoxCursor, limit int) (found []store.FoundBox, items map[string]store.Item, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, nil, err
	}
	filter, err := slice.Parse(search.Filter, slice.Boxes)
	if err != nil {
		return nil, nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		dataset, err := search.dataset(tx)
		if err != nil {
			return err
		}
		if found, err = tx.FilterBoxes(dataset, search.Slice, filter, after, limit); err != nil {
			return err
		}
		ids := make([]string, len(found))
		for i, b := range found {
			ids[i] = b.Annotation.Item
		}
		items, err = tx.ItemsByID(ids)
		return err
	})
	return found, items, err
}

// CountBoxes returns how many boxes a search chooses.
func (f *Flow) CountBoxes(ctx context.Context, caller remuda.Caller, search Search) (n int64, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return 0, err
	}
	filter, err := slice.Parse(search.Filter, slice.Boxes)
	if err != nil {
		return 0, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		dataset, err := search.dataset(tx)
		if err == nil {
			n, err = tx.CountFiltered(dataset, search.Slice, filter)
		}
		return err
	})
	return n, err
}
