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
