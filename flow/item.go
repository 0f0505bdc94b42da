package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"remuda"
	"remuda/store"
)

// Items returns at most limit items of a dataset with positions above after, in
// the order of insertion; -1 begins, a limit of 0 never cuts.
func (f *Flow) Items(ctx context.Context, caller remuda.Caller, dataset string, after int64, limit int) ([]store.Item, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Item, error) { return tx.ItemsAfter(dataset, after, limit) })
}

// CountItems returns how many items a dataset has.
func (f *Flow) CountItems(ctx context.Context, caller remuda.Caller, dataset string) (int64, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (int64, error) { return tx.CountItems(dataset) })
}

// ItemChoice names one item of a dataset, by whichever field is set.
type ItemChoice struct {
	ID        string
	Reference string
	Number    *int64 // from 0, in the order of insertion
}

// AnnotatedItem is an item with its ground truth.
type AnnotatedItem struct {
	Item        store.Item
	Annotations []store.Annotation
}

// Item returns an item of a dataset with its ground truth. If it is chosen by
// its id, the dataset may be "".
func (f *Flow) Item(ctx context.Context, caller remuda.Caller, dataset string, choice ItemChoice) (AnnotatedItem, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found AnnotatedItem, err error) {
		item, err := chosenItem(tx, dataset, choice)
		if err != nil {
			return found, err
		}
		annotations, err := tx.AnnotationsOf([]string{item.ID}, "")
		return AnnotatedItem{Item: item, Annotations: annotations[item.ID]}, err
	})
}

func chosenItem(tx *store.Tx, dataset string, choice ItemChoice) (store.Item, error) {
	switch {
	case choice.ID != "":
		item, err := tx.Item(choice.ID)
		if err == nil && dataset != "" && item.Dataset != dataset {
			err = remuda.Errorf(remuda.NotFound, "there is no item %s", choice.ID)
		}
		return item, err
	case choice.Number != nil:
		if *choice.Number < 0 {
			return store.Item{}, remuda.Errorf(remuda.Invalid, "items are counted from 0, not from %d", *choice.Number)
		}
		return tx.ItemAt(dataset, *choice.Number)
	}
	return tx.ItemByReference(dataset, choice.Reference)
}

// DeleteItem removes an item with its annotations; managers only. If it is
// chosen by its id, the dataset may be "".
func (f *Flow) DeleteItem(ctx context.Context, caller remuda.Caller, dataset string, choice ItemChoice) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		item, err := chosenItem(tx, dataset, choice)
		if err != nil {
			return err
		}
		if err := tx.DeleteItem(item.ID); err != nil {
			return err
		}
		return tx.Audit("item.delete", item.ID, item.ReferenceID)
	})
}

// MetadataChange names an item and the keys of its metadata to set.
type MetadataChange struct {
	ReferenceID string          `json:"reference_id"`
	Metadata    json.RawMessage `json:"metadata"` // an object
}

// MergedMetadata says what a merge did.
type MergedMetadata struct {
	Updated int      `json:"updated"`
	Errors  []string `json:"errors"` // one sentence for each change that could not be made
}

// MergeMetadata sets keys of items' metadata and leaves the others; managers only.
func (f *Flow) MergeMetadata(ctx context.Context, caller remuda.Caller, dataset string, changes []MetadataChange) (MergedMetadata, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (MergedMetadata, error) { return mergeMetadata(tx, dataset, changes) })
}

func mergeMetadata(tx *store.Tx, dataset string, changes []MetadataChange) (MergedMetadata, error) {
	done := MergedMetadata{Errors: []string{}}
	if err := tx.LockDataset(dataset); err != nil {
		return done, err
	}
	refs := make([]string, len(changes))
	for i, change := range changes {
		refs[i] = change.ReferenceID
	}
	items, err := tx.ItemsByReference(dataset, refs)
	if err != nil {
		return done, err
	}
	for _, change := range changes {
		item, known := items[change.ReferenceID]
		if !known {
			done.Errors = append(done.Errors, noItem(change.ReferenceID))
			continue
		}
		merged, err := mergeObjects(item.Metadata, change.Metadata)
		if err != nil {
			done.Errors = append(done.Errors, fmt.Sprintf("metadata of item %s: %v", change.ReferenceID, err))
			continue
		}
		item.Metadata = merged
		items[change.ReferenceID] = item
		if err := tx.SetMetadata(item.ID, merged); err != nil {
			return done, err
		}
		done.Updated++
	}
	return done, nil
}

// mergeObjects sets b's keys in a.
func mergeObjects(a, b json.RawMessage) (json.RawMessage, error) {
	var into, from map[string]json.RawMessage
	if err := json.Unmarshal(a, &into); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &from); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "it must be an object")
	}
	if into == nil {
		into = make(map[string]json.RawMessage)
	}
	maps.Copy(into, from)
	merged, err := json.Marshal(into)
	if err != nil {
		return nil, err
	}
	return merged, checkObject(merged)
}

// jobMetadata is the kind of job that merges metadata.
const jobMetadata = "metadataUpdate"

type metadataArgs struct {
	Changes []MetadataChange `json:"changes"`
}

// MergeMetadataLater is MergeMetadata as a job; managers only.
func (f *Flow) MergeMetadataLater(ctx context.Context, caller remuda.Caller, dataset string, changes []MetadataChange) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		if _, err := tx.Dataset(dataset); err != nil {
			return job, err
		}
		return tx.NewJob(jobMetadata, dataset, metadataArgs{changes}, int64(len(changes)))
	})
}

func (f *Flow) runMetadata(ctx context.Context, run *JobRun) (any, error) {
	const batch = 500
	var args metadataArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	total := MergedMetadata{Errors: []string{}}
	for at := 0; at < len(args.Changes); at += batch {
		next := min(at+batch, len(args.Changes))
		done, err := f.MergeMetadata(ctx, run.Caller, run.Job.Dataset, args.Changes[at:next])
		if err != nil {
			return nil, err
		}
		total.Updated += done.Updated
		total.Errors = append(total.Errors, done.Errors...)
		if err := run.Progress(ctx, int64(next), int64(len(args.Changes))); err != nil {
			return nil, err
		}
	}
	return total, run.Errors(ctx, total.Errors...)
}
