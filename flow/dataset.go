package flow

import (
	"context"
	"encoding/json"
	"strings"

	"remuda"
	"remuda/store"
)

// maxName is how many bytes the name of anything may have.
const maxName = 500

// checkName returns a name without surrounding spaces; invalid if nothing is left or it is too long.
func checkName(what, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > maxName || strings.ContainsRune(name, 0) {
		return "", remuda.Errorf(remuda.Invalid, "a %s needs a name of 1 to %d bytes, none of them zero", what, maxName)
	}
	return name, nil
}

// NewDataset is what a dataset is made from.
type NewDataset struct {
	Name             string
	IsScene          bool
	PrivacyMode      bool
	ItemSchema       json.RawMessage
	AnnotationSchema json.RawMessage
}

// CreateDataset makes an empty dataset; managers only. Names need not differ.
func (f *Flow) CreateDataset(ctx context.Context, caller remuda.Caller, n NewDataset) (made store.Dataset, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Name, err = checkName("dataset", n.Name); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		made, err = tx.CreateDataset(store.Dataset{Name: n.Name, IsScene: n.IsScene, PrivacyMode: n.PrivacyMode, ItemSchema: n.ItemSchema, AnnotationSchema: n.AnnotationSchema})
		return err
	})
	return made, err
}

// Datasets returns those of the caller's world, oldest first.
func (f *Flow) Datasets(ctx context.Context, caller remuda.Caller) ([]store.Dataset, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Dataset, error) { return tx.Datasets() })
}

// Dataset returns one of the caller's world.
func (f *Flow) Dataset(ctx context.Context, caller remuda.Caller, id string) (store.Dataset, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (store.Dataset, error) { return tx.Dataset(id) })
}

// RenameDataset gives a dataset another name; managers only.
func (f *Flow) RenameDataset(ctx context.Context, caller remuda.Caller, id, name string) (renamed store.Dataset, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return renamed, err
	}
	if name, err = checkName("dataset", name); err != nil {
		return renamed, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if err := tx.RenameDataset(id, name); err != nil {
			return err
		}
		renamed, err = tx.Dataset(id)
		return err
	})
	return renamed, err
}

// DatasetOverview is a dataset and what there is of it.
type DatasetOverview struct {
	Dataset store.Dataset
	Items   int64
	Slices  []string // ids
	Runs    []string // ids of the model runs that predicted on its items
	Tags    []string
}

// DatasetOverview returns what there is of a dataset.
func (f *Flow) DatasetOverview(ctx context.Context, caller remuda.Caller, id string) (DatasetOverview, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (o DatasetOverview, err error) {
		if o.Dataset, err = tx.Dataset(id); err != nil {
			return o, err
		}
		if o.Items, err = tx.CountItems(id); err != nil {
			return o, err
		}
		slices, err := tx.Slices(store.SliceFilter{Dataset: id})
		if err != nil {
			return o, err
		}
		o.Slices = make([]string, len(slices))
		for i, s := range slices {
			o.Slices[i] = s.ID
		}
		if o.Runs, err = tx.DatasetRuns(id); err != nil {
			return o, err
		}
		o.Tags, err = tx.Tags(id)
		return o, err
	})
}

// jobDeleteDataset is the kind of job that takes a deleted dataset's rows away.
const jobDeleteDataset = "deleteDataset"

// DeleteDataset makes a dataset with all that is in it not_found, and a job
// takes its rows away; managers only.
func (f *Flow) DeleteDataset(ctx context.Context, caller remuda.Caller, id string) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		if err := tx.HideDataset(id); err != nil {
			return job, err
		}
		if err := tx.Audit("dataset.delete", id, ""); err != nil {
			return job, err
		}
		return tx.NewJob(jobDeleteDataset, id, struct{}{}, 0)
	})
}

func (f *Flow) runDeleteDataset(ctx context.Context, run *JobRun) (any, error) {
	const batch = 500
	for done := int64(batch); ; done += batch {
		gone := false
		err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) (err error) {
			gone, err = tx.RemoveDataset(run.Job.Dataset, batch)
			return err
		})
		if err != nil || gone {
			return nil, err
		}
		if err := run.Progress(ctx, done, done+batch); err != nil {
			return nil, err
		}
	}
}
