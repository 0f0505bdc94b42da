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
func (f *Flow) DatasetTags(ctx context.Context, caller remuda.Caller, dataset string) ([]string, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]string, error) {
		if _, err := tx.Dataset(dataset); err != nil {
			return nil, err
		}
		return tx.Tags(dataset)
	})
}

// ChangeDatasetTags adds tags to a dataset, removes others, and returns all it
// has then; managers only. Tags that are there or gone already are no error.
func (f *Flow) ChangeDatasetTags(ctx context.Context, caller remuda.Caller, dataset string, add, remove []string) ([]string, error) {
	return f.changeTags(ctx, caller, dataset, add, remove, func(tx *store.Tx) error { return tx.LockDataset(dataset) })
}

// ChangeSliceTags adds tags to a slice, removes others, and returns all it has
// then; managers only.
func (f *Flow) ChangeSliceTags(ctx context.Context, caller remuda.Caller, slice string, add, remove []string) ([]string, error) {
	return f.changeTags(ctx, caller, slice, add, remove, func(tx *store.Tx) error {
		_, err := tx.Slice(slice)
		return err
	})
}

// changeTags changes the tags of a subject, if find says that it is there.
func (f *Flow) changeTags(ctx context.Context, caller remuda.Caller, subject string, add, remove []string, find func(*store.Tx) error) ([]string, error) {
	return write(ctx, f, caller, func(tx *store.Tx) ([]string, error) {
		if err := checkTags(add); err != nil {
			return nil, err
		}
		if err := find(tx); err != nil {
			return nil, err
		}
		if err := tx.AddTags(subject, add); err != nil {
			return nil, err
		}
		if _, err := tx.RemoveTags(subject, remove); err != nil {
			return nil, err
		}
		return tx.Tags(subject)
	})
}
