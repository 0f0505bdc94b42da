package flow

import (
	"context"
	"strings"

	"remuda"
	"remuda/store"
)

// maxTag is how many bytes a tag may have.
const maxTag = 200

// checkTags says whether tags can be kept.
func checkTags(names []string) error {
	for _, name := range names {
		if name == "" || len(name) > maxTag || strings.ContainsRune(name, 0) {
			return remuda.Errorf(remuda.Invalid, "a tag has 1 to %d bytes, and none of them zero", maxTag)
		}
	}
	return nil
}

// DatasetTags returns a dataset's tags, sorted.
func (f *Flow) DatasetTags(ctx context.Context, caller remuda.Caller, dataset string) (names []string, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Dataset(dataset); err != nil {
			return err
		}
		names, err = tx.Tags(dataset)
		return err
	})
	return names, err
}

// ChangeDatasetTags adds tags to a dataset, removes others, and returns all it
// has then; managers only. Tags that are there or gone already are no error.
func (f *Flow) ChangeDatasetTags(ctx context.Context, caller remuda.Caller, dataset string, add, remove []string) (names []string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	if err := checkTags(add); err != nil {
		return nil, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockDataset(dataset); err != nil {
			return err
		}
		if err := tx.AddTags(dataset, add); err != nil {
			return err
		}
		if _, err := tx.RemoveTags(dataset, remove); err != nil {
			return err
		}
		names, err = tx.Tags(dataset)
		return err
	})
	return names, err
}

// ChangeSliceTags adds tags to a slice, removes others, and returns all it has
// then; managers only.
func (f *Flow) ChangeSliceTags(ctx context.Context, caller remuda.Caller, slice string, add, remove []string) (names []string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	if err := checkTags(add); err != nil {
		return nil, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Slice(slice); err != nil {
			return err
		}
		if err := tx.AddTags(slice, add); err != nil {
			return err
		}
		if _, err := tx.RemoveTags(slice, remove); err != nil {
			return err
		}
		names, err = tx.Tags(slice)
		return err
	})
	return names, err
}
