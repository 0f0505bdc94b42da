package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"remuda"
	"remuda/store"
)

// NewModel is what a model is made from.
type NewModel struct {
	Name          string
	ReferenceID   string          // the user's name of it; may be ""
	Metadata      json.RawMessage // an object, or nothing
	Tags          []string
	TrainedSlices []string // ids of the slices that it was trained on
}

// ModelOverview is a model and what there is of it.
type ModelOverview struct {
	store.Model
	Tags          []string
	TrainedSlices []string
}

// CreateModel registers a model; managers only. A reference id that another
// model has is a conflict.
func (f *Flow) CreateModel(ctx context.Context, caller remuda.Caller, n NewModel) (made store.Model, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Name, err = checkName("model", n.Name); err != nil {
		return made, err
	}
	if err := checkOptional("reference id", n.ReferenceID, maxName); err != nil {
		return made, err
	}
	if n.Metadata, err = orEmptyObject("a model's metadata", n.Metadata); err != nil {
		return made, err
	}
	if err := checkTags(n.Tags); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := haveSlices(tx, n.TrainedSlices); err != nil {
			return err
		}
		made, err = tx.CreateModel(store.Model{Name: n.Name, ReferenceID: n.ReferenceID, Metadata: n.Metadata})
		if err != nil {
			return err
		}
		if err := tx.AddTags(made.ID, n.Tags); err != nil {
			return err
		}
		return tx.AddTrainedSlices(made.ID, n.TrainedSlices)
	})
	return made, err
}

// checkOptional is checkText for a text that may be missing.
func checkOptional(name, text string, most int) error {
	if text == "" {
		return nil
	}
	return checkText(name, text, most)
}

// orEmptyObject returns JSON that is an object, an empty one for nothing and for null.
func orEmptyObject(what string, text json.RawMessage) (json.RawMessage, error) {
	if len(text) == 0 || string(text) == "null" {
		return json.RawMessage("{}"), nil
	}
	if err := checkObject(text); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return text, nil
}

// haveSlices is not_found unless all of some slices are there.
func haveSlices(tx *store.Tx, ids []string) error {
	for _, id := range ids {
		if _, err := tx.Slice(id); err != nil {
			return err
		}
	}
	return nil
}

// Models returns those of the caller's world, oldest first.
func (f *Flow) Models(ctx context.Context, caller remuda.Caller) ([]ModelOverview, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found []ModelOverview, err error) {
		models, err := tx.Models()
		if err != nil {
			return found, err
		}
		tags, err := tx.ModelTags()
		if err != nil {
			return found, err
		}
		trained, err := tx.TrainedSlices("")
		found = make([]ModelOverview, len(models))
		for i, m := range models {
			found[i] = ModelOverview{m, tags[m.ID], trained[m.ID]}
		}
		return found, err
	})
}

// Model returns a model by its id or by that of one of its runs.
func (f *Flow) Model(ctx context.Context, caller remuda.Caller, id string) (ModelOverview, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found ModelOverview, err error) {
		if found.Model, err = modelOf(tx, id); err != nil {
			return found, err
		}
		if found.Tags, err = tx.Tags(found.ID); err != nil {
			return found, err
		}
		trained, err := tx.TrainedSlices(found.ID)
		found.TrainedSlices = trained[found.ID]
		return found, err
	})
}

// modelOf finds a model by its id or by that of one of its runs.
func modelOf(tx *store.Tx, id string) (store.Model, error) {
	if strings.HasPrefix(id, "run_") {
		run, err := tx.Run(id)
		if err != nil {
			return store.Model{}, err
		}
		id = run.Model
	}
	return tx.Model(id)
}

// ChangeModelTags adds tags to a model or removes some; managers only. To
// remove none that it has is invalid, in the words that users' programs look for.
func (f *Flow) ChangeModelTags(ctx context.Context, caller remuda.Caller, model string, add, remove []string) (names []string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	if err := checkTags(add); err != nil {
		return nil, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockModel(model); err != nil {
			return err
		}
		if err := tx.AddTags(model, add); err != nil {
			return err
		}
		removed, err := tx.RemoveTags(model, remove)
		if err != nil {
			return err
		}
		if len(remove) > 0 && removed == 0 {
			return remuda.Errorf(remuda.Invalid, "%s", "Deleted 0 tags from model. The specified tag(s) were not found.")
		}
		names, err = tx.Tags(model)
		return err
	})
	return names, err
}

// ChangeTrainedSlices notes slices that a model was trained on, forgets others,
// and returns all it has then; managers only.
func (f *Flow) ChangeTrainedSlices(ctx context.Context, caller remuda.Caller, model string, add, remove []string) ([]string, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (ids []string, err error) {
		if err := tx.LockModel(model); err != nil {
			return ids, err
		}
		if err := haveSlices(tx, add); err != nil {
			return ids, err
		}
		if err := tx.AddTrainedSlices(model, add); err != nil {
			return ids, err
		}
		if _, err := tx.RemoveTrainedSlices(model, remove); err != nil {
			return ids, err
		}
		trained, err := tx.TrainedSlices(model)
		return trained[model], err
	})
}

// Kinds of jobs that take away what a deleted model or run has left.
const (
	jobDeleteModel = "deleteModel"
	jobDeleteRun   = "deleteModelRun"
)

type deleteModelArgs struct {
	Model string `json:"model,omitempty"`
	Run   string `json:"run,omitempty"`
}

// DeleteModel makes a model with its runs and evaluations not_found, and a job
// takes away what it predicted; managers only.
func (f *Flow) DeleteModel(ctx context.Context, caller remuda.Caller, id string) (store.Job, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (job store.Job, err error) {
		model, err := tx.Model(id)
		if err != nil {
			return job, err
		}
		if err := tx.HideModel(id); err != nil {
			return job, err
		}
		if err := tx.Audit("model.delete", id, model.Name); err != nil {
			return job, err
		}
		return tx.NewJob(jobDeleteModel, "", deleteModelArgs{Model: id}, 0)
	})
}

func (f *Flow) runDeleteModel(ctx context.Context, run *JobRun) (any, error) {
	var args deleteModelArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	runs := []string{args.Run}
	var evaluations []string
	err := f.DB.Read(ctx, run.Caller, func(tx *store.Tx) (err error) {
		if args.Model == "" {
			evaluations, err = tx.EvaluationsOfRun(args.Run)
			return err
		}
		if runs, err = tx.DeletedRuns(args.Model); err != nil {
			return err
		}
		evaluations, err = tx.EvaluationsOfModel(args.Model)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range evaluations {
		if err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.DeleteEvaluation(id) }); err != nil {
			return nil, err
		}
	}
	for _, id := range runs {
		if err := f.endPredictions(ctx, run, id); err != nil {
			return nil, err
		}
	}
	if args.Model == "" {
		return nil, nil
	}
	return nil, f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.StripModel(args.Model) })
}

func (f *Flow) endPredictions(ctx context.Context, run *JobRun, id string) error {
	for {
		var n int
		err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) (err error) {
			n, err = tx.EndPredictions(id, itemsAtOnce)
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		if err := run.Progress(ctx, run.Job.Done+int64(n), run.Job.Done+int64(n+itemsAtOnce)); err != nil {
			return err
		}
	}
}
