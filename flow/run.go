package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/store"
)

// NewRun is what a run is made from.
type NewRun struct {
	Name        string // that of the model if it is ""
	ReferenceID string
	Metadata    json.RawMessage // an object, or nothing
}

// CreateRun makes a run of a model, on a dataset or, if that is "", on none
// yet; managers only.
func (f *Flow) CreateRun(ctx context.Context, caller remuda.Caller, dataset, model string, n NewRun) (made store.Run, err error) {
	return f.createRun(ctx, caller, dataset, n, func(tx *store.Tx) (store.Model, error) { return tx.Model(model) })
}

// CreateRunOfReference is CreateRun for a model by the user's name of it.
func (f *Flow) CreateRunOfReference(ctx context.Context, caller remuda.Caller, dataset, reference string, n NewRun) (made store.Run, err error) {
	return f.createRun(ctx, caller, dataset, n, func(tx *store.Tx) (store.Model, error) { return tx.ModelByReference(reference) })
}

func (f *Flow) createRun(ctx context.Context, caller remuda.Caller, dataset string, n NewRun, find func(*store.Tx) (store.Model, error)) (made store.Run, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Metadata, err = orEmptyObject("a run's metadata", n.Metadata); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if dataset != "" {
			if _, err := tx.Dataset(dataset); err != nil {
				return err
			}
		}
		model, err := find(tx)
		if err != nil {
			return err
		}
		made, err = newRun(tx, model, dataset, n)
		return err
	})
	return made, err
}

func newRun(tx *store.Tx, model store.Model, dataset string, n NewRun) (store.Run, error) {
	if n.Name == "" {
		n.Name = model.Name
	}
	name, err := checkName("run", n.Name)
	if err != nil {
		return store.Run{}, err
	}
	if err := checkOptional("reference id", n.ReferenceID, maxName); err != nil {
		return store.Run{}, err
	}
	return tx.CreateRun(store.Run{Model: model.ID, Dataset: dataset, Name: name, ReferenceID: n.ReferenceID, Metadata: n.Metadata})
}

// Runs returns a model's runs, oldest first.
func (f *Flow) Runs(ctx context.Context, caller remuda.Caller, model string) ([]store.Run, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Run, error) {
		if _, err := tx.Model(model); err != nil {
			return nil, err
		}
		return tx.RunsOf(model)
	})
}

// RunOverview is a run and the datasets that it has predictions on.
type RunOverview struct {
	store.Run
	Datasets []string // ids
}

// Run returns a run.
func (f *Flow) Run(ctx context.Context, caller remuda.Caller, id string) (RunOverview, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found RunOverview, err error) {
		if found.Run, err = tx.Run(id); err != nil {
			return found, err
		}
		found.Datasets, err = tx.RunDatasets(id)
		return found, err
	})
}

// CommitRun marks a run as done and, if it has predictions on anything, asks
// for its evaluation; managers only. More can be added all the same. The
// evaluation is nil if there is none.
func (f *Flow) CommitRun(ctx context.Context, caller remuda.Caller, id string, rule *eval.LabelRule) (run store.Run, evaluation *store.Evaluation, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return run, nil, err
	}
	var datasets []string
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if run, err = tx.Run(id); err != nil {
			return err
		}
		run.Status = store.RunCommitted
		if datasets, err = tx.RunDatasets(id); err != nil {
			return err
		}
		return tx.CommitRun(id)
	})
	if err != nil || len(datasets) == 0 {
		return run, nil, err
	}
	made, err := f.CreateEvaluation(ctx, caller, NewEvaluation{Run: id, Rule: rule})
	return run, &made, err
}

// DeleteRun makes a run with its evaluations not_found, and a job takes away
// what was predicted; managers only.
func (f *Flow) DeleteRun(ctx context.Context, caller remuda.Caller, id string) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		run, err := tx.Run(id)
		if err != nil {
			return job, err
		}
		if err := tx.HideRun(id); err != nil {
			return job, err
		}
		if err := tx.Audit("run.delete", id, run.Name); err != nil {
			return job, err
		}
		return tx.NewJob(jobDeleteRun, "", deleteModelArgs{Run: id}, 0)
	})
}

// jobMergeRuns is the kind of job that copies runs' predictions into one.
const jobMergeRuns = "mergeModelRuns"

// MergedRuns is a run that has, or will have, what others have.
type MergedRuns struct {
	RunOverview
	Job store.Job
}

type mergeArgs struct {
	Into string   `json:"into"`
	From []string `json:"from"`
}

// MergeRuns makes a run with the predictions of at least two runs of one model,
// which a job copies; managers only. Where two have the same key on an item,
// the later one's is changed; where they say the same, one is enough.
func (f *Flow) MergeRuns(ctx context.Context, caller remuda.Caller, ids []string, n NewRun) (made MergedRuns, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Metadata, err = orEmptyObject("a run's metadata", n.Metadata); err != nil {
		return made, err
	}
	if len(ids) < 2 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) < len(ids) {
		return made, remuda.Errorf(remuda.Invalid, "merge runs: name two or more different ones")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		model, datasets, err := mergeable(tx, ids)
		if err != nil {
			return err
		}
		if made.Run, err = newRun(tx, model, "", n); err != nil {
			return err
		}
		if err := tx.AddRunDatasets(made.ID, datasets); err != nil {
			return err
		}
		made.Datasets = datasets
		made.Job, err = tx.NewJob(jobMergeRuns, "", mergeArgs{made.ID, ids}, int64(len(ids)))
		return err
	})
	return made, err
}

// mergeable returns the model of runs and all their datasets; invalid if they are of several models.
func mergeable(tx *store.Tx, ids []string) (model store.Model, datasets []string, err error) {
	for _, id := range ids {
		run, err := tx.Run(id)
		if err != nil {
			return model, nil, err
		}
		if model.ID != "" && model.ID != run.Model {
			return model, nil, remuda.Errorf(remuda.Invalid, "merge runs: %s is of model %s, %s of another", ids[0], model.ID, id).WithHint("name runs of one model")
		}
		if model, err = tx.Model(run.Model); err != nil {
			return model, nil, err
		}
		more, err := tx.RunDatasets(id)
		if err != nil {
			return model, nil, err
		}
		datasets = append(datasets, more...)
	}
	return model, slices.Compact(slices.Sorted(slices.Values(datasets))), nil
}

func (f *Flow) runMergeRuns(ctx context.Context, run *JobRun) (any, error) {
	var args mergeArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	copied := 0
	for i, from := range args.From {
		n, err := f.copyRun(ctx, run.Caller, from, args.Into)
		if err != nil {
			return nil, err
		}
		copied += n
		if err := run.Progress(ctx, int64(i+1), int64(len(args.From))); err != nil {
			return nil, err
		}
	}
	return map[string]int{"predictions_copied": copied}, nil
}

// copyRun copies one run's predictions into another, some items at a time.
func (f *Flow) copyRun(ctx context.Context, caller remuda.Caller, from, to string) (copied int, err error) {
	for after := ""; ; {
		var items []string
		n := 0
		err := f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
			if items, err = tx.PredictedItems(from, after, itemsAtOnce); err != nil {
				return err
			}
			n, err = tx.CopyPredictions(from, to, items)
			return err
		})
		if err != nil || len(items) == 0 {
			return copied, err
		}
		copied, after = copied+n, items[len(items)-1]
	}
}

// CopiedRun says what copying a run's predictions did.
type CopiedRun struct {
	Model  string
	Runs   []string
	Copied int
}

// CopyFromRun adds a run's predictions to those of its model that were sent
// without a run; managers only.
func (f *Flow) CopyFromRun(ctx context.Context, caller remuda.Caller, model, id string) (done CopiedRun, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return done, err
	}
	var hidden store.Run
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		run, err := tx.Run(id)
		if err != nil {
			return err
		}
		if run.Model != model {
			return remuda.Errorf(remuda.NotFound, "there is no model run %s of model %s", id, model)
		}
		if hidden, err = hiddenRun(tx, model); err != nil {
			return err
		}
		datasets, err := tx.RunDatasets(id)
		if err != nil {
			return err
		}
		return tx.AddRunDatasets(hidden.ID, datasets)
	})
	if err != nil {
		return done, err
	}
	copied, err := f.copyRun(ctx, caller, id, hidden.ID)
	return CopiedRun{Model: model, Runs: []string{id}, Copied: copied}, err
}

// hiddenRun returns the run of a model's predictions that were sent without
// one, new if there are none yet.
func hiddenRun(tx *store.Tx, model string) (store.Run, error) {
	if err := tx.LockModel(model); err != nil {
		return store.Run{}, err
	}
	run, err := tx.HiddenRun(model)
	if remuda.CodeOf(err) == remuda.NotFound {
		return tx.CreateRun(store.Run{Model: model, Hidden: true})
	}
	return run, err
}
