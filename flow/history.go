package flow

import (
	"context"
	"time"

	"remuda"
	"remuda/store"
)

// History returns every revision of an item's ground truth, in the order in which
// they were made.
func (f *Flow) History(ctx context.Context, caller remuda.Caller, item string) ([]store.Annotation, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Annotation, error) {
		if _, err := tx.Item(item); err != nil {
			return nil, err
		}
		return tx.History(item)
	})
}

// AnnotationsAsOf returns an item's ground truth as it was at a time.
func (f *Flow) AnnotationsAsOf(ctx context.Context, caller remuda.Caller, item string, at time.Time) ([]store.Annotation, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Annotation, error) {
		if _, err := tx.Item(item); err != nil {
			return nil, err
		}
		return tx.AnnotationsAt(item, at)
	})
}

// RestoreItem makes an item's ground truth what it was at a time, by new
// revisions; managers only. It returns how many annotations changed.
func (f *Flow) RestoreItem(ctx context.Context, caller remuda.Caller, item string, at time.Time) (changed int, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return 0, err
	}
	if err := f.checkPast(at); err != nil {
		return 0, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if changed, err = tx.RestoreItem(item, at); err != nil || changed == 0 {
			return err
		}
		return tx.Audit("item.restore", item, remuda.FormatTime(at))
	})
	return changed, err
}

func (f *Flow) checkPast(at time.Time) error {
	if at.After(f.now()) {
		return remuda.Errorf(remuda.Invalid, "restore what was at %s: that is in the future", remuda.FormatTime(at))
	}
	return nil
}

type restoreArgs struct {
	At time.Time `json:"at"`
}

// RestoreDataset asks for a job that makes the ground truth of every item of a
// dataset what it was at a time, by new revisions; managers only.
func (f *Flow) RestoreDataset(ctx context.Context, caller remuda.Caller, dataset string, at time.Time) (job store.Job, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return job, err
	}
	if err := f.checkPast(at); err != nil {
		return job, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		total, err := tx.CountItems(dataset)
		if err != nil {
			return err
		}
		if job, err = tx.NewJob(JobRestore, dataset, restoreArgs{At: at}, total); err != nil {
			return err
		}
		return tx.Audit("dataset.restore", dataset, remuda.FormatTime(at))
	})
	return job, err
}

// runRestore is safe to run again: what is as it was then changes no more.
func (f *Flow) runRestore(ctx context.Context, run *JobRun) (any, error) {
	var args restoreArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	changed, err := f.changeItems(ctx, run, nil, func(tx *store.Tx, items []store.Item) (sum int, err error) {
		for _, item := range items {
			n, err := tx.RestoreItem(item.ID, args.At)
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	return map[string]int{"changed": changed}, err
}
