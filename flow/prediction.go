package flow

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"remuda"
	"remuda/store"
)

// PredictionPlace says whose predictions are meant: those of a run or, where
// Run is "", of a model on a dataset, or of a model without a run.
type PredictionPlace struct {
	Dataset string // of a run: where reference ids are looked for first; may be ""
	Model   string
	Run     string
}

// Predicted is what became of predictions that were sent.
type Predicted struct {
	Put
	Run string // "" if none was needed
}

// Predict adds predictions to a run; managers only. On a dataset, a model has
// one run, made when there is a prediction to keep: the newest if there are several. What
// is wrong with a prediction becomes an error of the result, as with [Flow.Annotate].
// trainedSlice, unless it is "", is noted as one that the model was trained on.
func (f *Flow) Predict(ctx context.Context, caller remuda.Caller, place PredictionPlace, sent Sent, update bool, trainedSlice string) (done Predicted, err error) {
	if err := f.openPlace(ctx, caller, &place, trainedSlice); err != nil {
		return done, err
	}
	return f.putPredictions(ctx, caller, place, sent, update)
}

// openPlace checks that predictions may be added at a place, and names its run if there is one.
func (f *Flow) openPlace(ctx context.Context, caller remuda.Caller, place *PredictionPlace, trainedSlice string) (err error) {
	place.Run, err = write(ctx, f, caller, func(tx *store.Tx) (id string, err error) {
		if place.Dataset != "" {
			if _, err := tx.Dataset(place.Dataset); err != nil {
				return id, err
			}
		}
		model := place.Model
		if place.Run != "" {
			run, err := tx.Run(place.Run)
			if err != nil {
				return id, err
			}
			id, model = run.ID, run.Model
		} else if id, err = openedRun(tx, *place); err != nil {
			return id, err
		}
		if trainedSlice != "" {
			if err := haveSlices(tx, []string{trainedSlice}); err != nil {
				return id, err
			}
			if err := tx.AddTrainedSlices(model, []string{trainedSlice}); err != nil {
				return id, err
			}
		}
		if place.Dataset == "" || id == "" {
			return id, nil
		}
		return id, tx.AddRunDatasets(id, []string{place.Dataset})
	})
	return err
}

// openedRun returns the id of the run that a model's predictions go to, "" if there is none yet.
func openedRun(tx *store.Tx, place PredictionPlace) (string, error) {
	if _, err := tx.Model(place.Model); err != nil {
		return "", err
	}
	find := func() (store.Run, error) { return tx.HiddenRun(place.Model) }
	if place.Dataset != "" {
		find = func() (store.Run, error) { return tx.RunOn(place.Dataset, place.Model) }
	}
	run, err := find()
	if remuda.CodeOf(err) == remuda.NotFound || err == nil && run.Dataset != place.Dataset {
		return "", nil
	}
	return run.ID, err
}

// runFor is openedRun that makes one.
func runFor(tx *store.Tx, place PredictionPlace) (store.Run, error) {
	if place.Dataset == "" {
		return hiddenRun(tx, place.Model)
	}
	if err := tx.LockModel(place.Model); err != nil {
		return store.Run{}, err
	}
	run, err := tx.RunOn(place.Dataset, place.Model)
	if err != nil && remuda.CodeOf(err) != remuda.NotFound || err == nil && run.Dataset == place.Dataset {
		return run, err
	}
	model, err := tx.Model(place.Model)
	if err != nil {
		return store.Run{}, err
	}
	return newRun(tx, model, place.Dataset, NewRun{})
}

// putPredictions is putSent for a place. It makes the run that the place has not.
func (f *Flow) putPredictions(ctx context.Context, caller remuda.Caller, place PredictionPlace, sent Sent, update bool) (done Predicted, err error) {
	list, problems := parseAll(sent)
	o := PutOptions{Dataset: place.Dataset, Source: store.SourceModel, Update: update}
	var kept []NewAnnotation
	var misplaced []string
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		o.Run = cmp.Or(place.Run, noRun)
		var datasets []string
		if kept, misplaced, datasets, err = placePredictions(tx, list, o); err != nil {
			return err
		}
		if o.Run == noRun {
			items, err := itemsOf(tx, inDataset(kept, o.Dataset))
			if err != nil || !slices.ContainsFunc(items, func(item string) bool { return item != "" }) {
				return err
			}
			run, err := runFor(tx, place)
			if err != nil {
				return err
			}
			o.Run = run.ID
		}
		return tx.AddRunDatasets(o.Run, datasets)
	})
	if err != nil {
		return done, err
	}
	done.Errors = slices.Concat(problems, misplaced)
	if o.Run == noRun {
		for _, a := range kept {
			done.Errors = append(done.Errors, noItem(a.name()))
		}
		return done, nil
	}
	put, err := f.putAnnotations(ctx, caller, kept, o)
	put.Errors = append(done.Errors, put.Errors...)
	return Predicted{Put: put, Run: o.Run}, err
}

// placePredictions finds the items of predictions that name neither an item's
// id nor, with the route, a dataset: in the run's datasets, then in all of the
// world. It returns those that have a place, what is wrong with others, and the
// datasets that the run gets.
func placePredictions(tx *store.Tx, list []NewAnnotation, o PutOptions) (kept []NewAnnotation, problems, datasets []string, err error) {
	var refs, ids []string
	for i := range list {
		switch a := &list[i]; {
		case a.ItemID != "":
			ids = append(ids, a.ItemID)
		case a.DatasetID == "" && o.Dataset == "":
			refs = append(refs, a.ReferenceID)
		}
	}
	named, err := tx.ItemsByID(ids)
	if err != nil {
		return nil, nil, nil, err
	}
	anywhere, err := tx.ItemsAnywhere(refs)
	if err != nil {
		return nil, nil, nil, err
	}
	known, err := tx.RunDatasets(o.Run)
	if err != nil {
		return nil, nil, nil, err
	}
	used := make(map[string]bool)
	for _, a := range list {
		dataset := a.DatasetID
		switch {
		case a.Type == store.TypeMulticategory:
			problems = append(problems, fmt.Sprintf("Prediction on item %s: a multicategory can't be predicted", a.name()))
			continue
		case a.ItemID != "":
			dataset = named[a.ItemID].Dataset
		case dataset == "" && o.Dataset == "":
			item, problem := chooseItem(anywhere[a.ReferenceID], known, a.ReferenceID)
			if problem != "" {
				problems = append(problems, problem)
				continue
			}
			a.ItemID, dataset = item.ID, item.Dataset
		}
		if dataset != "" && !used[dataset] {
			used[dataset], datasets = true, append(datasets, dataset)
		}
		kept = append(kept, a)
	}
	return kept, problems, datasets, nil
}

// chooseItem returns the one item of several with a reference id that is meant.
func chooseItem(items []store.Item, datasets []string, ref string) (store.Item, string) {
	mine := slices.DeleteFunc(slices.Clone(items), func(item store.Item) bool { return !slices.Contains(datasets, item.Dataset) })
	if len(mine) > 0 {
		items = mine
	}
	switch len(items) {
	case 0:
		return store.Item{}, noItem(ref)
	case 1:
		return items[0], ""
	}
	return store.Item{}, fmt.Sprintf("Item %s is in %d datasets: name its item_id, or its dataset_id.", ref, len(items))
}

// jobPredict is the kind of job that adds a staged file's predictions.
const jobPredict = "uploadPredictions"

type predictArgs struct {
	Run     string `json:"run"`             // "" if there was none yet
	Model   string `json:"model,omitempty"` // whose run it is, then
	Dataset string `json:"dataset"`         // that reference ids are of
	Request string `json:"request"`
	Update  bool   `json:"update"`
}

// PredictLater asks for a job that adds the predictions of a staged file, one a
// line; managers only. A place without a dataset takes that of the file.
func (f *Flow) PredictLater(ctx context.Context, caller remuda.Caller, place PredictionPlace, request string, update bool, trainedSlice string) (job store.Job, err error) {
	if err := f.openPlace(ctx, caller, &place, trainedSlice); err != nil {
		return job, err
	}
	datasets := []string{place.Dataset}
	if place.Dataset == "" {
		err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
			datasets, err = tx.RunDatasets(cmp.Or(place.Run, noRun))
			return err
		})
		if err != nil {
			return job, err
		}
	}
	err = remuda.Errorf(remuda.NotFound, "there is no upload %s", request).WithHint("put the file to its signed URL first")
	for _, dataset := range datasets {
		job, err = f.uploadJob(ctx, caller, dataset, request, jobPredict, func(*store.Tx, store.Upload) (any, int64, error) {
			return predictArgs{Run: place.Run, Model: place.Model, Dataset: place.Dataset, Request: request, Update: update}, 1, nil
		})
		if remuda.CodeOf(err) != remuda.NotFound {
			break
		}
	}
	return job, err
}

func (f *Flow) runPredict(ctx context.Context, run *JobRun) (any, error) {
	var args predictArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	place := PredictionPlace{Dataset: args.Dataset, Model: args.Model, Run: args.Run}
	put, total, err := f.putLines(ctx, run, args.Request, func(sent Sent) (Put, error) {
		done, err := f.putPredictions(ctx, run.Caller, place, sent, args.Update)
		place.Run = done.Run
		return done.Put, err
	})
	if err != nil {
		return nil, err
	}
	upload := map[string]any{
		"total": total, "errored": int(total) - put.Processed - put.Ignored, "ignored": put.Ignored,
		"datasetId": run.Job.Dataset, "processed": put.Processed,
	}
	if place.Run != "" {
		upload["modelRunId"] = place.Run
	}
	return map[string]any{"prediction_upload": upload}, f.endUpload(ctx, run.Caller, run.Job.Dataset, args.Request)
}

// noRun is no run's id: nothing was predicted under it.
const noRun = "-"

// runAt returns the id of the run that a place means, noRun if there is none
// yet. A model's newest run on a dataset goes before what it predicted without one.
func runAt(tx *store.Tx, place PredictionPlace) (string, error) {
	if place.Run != "" {
		run, err := tx.Run(place.Run)
		return run.ID, err
	}
	if _, err := tx.Model(place.Model); err != nil {
		return "", err
	}
	if place.Dataset != "" {
		if _, err := tx.Dataset(place.Dataset); err != nil {
			return "", err
		}
		run, err := tx.RunOn(place.Dataset, place.Model)
		if remuda.CodeOf(err) != remuda.NotFound {
			return run.ID, err
		}
	}
	run, err := tx.HiddenRun(place.Model)
	if remuda.CodeOf(err) == remuda.NotFound {
		return noRun, nil
	}
	return run.ID, err
}

// Predictions returns an item with what was predicted on it. An item is chosen
// within the place's dataset; without one, within those of the run: by its
// number among all their items, or, of a model without a run, among those that
// it has predictions on.
func (f *Flow) Predictions(ctx context.Context, caller remuda.Caller, place PredictionPlace, choice ItemChoice) (AnnotatedItem, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found AnnotatedItem, err error) {
		run, err := runAt(tx, place)
		if err != nil {
			return found, err
		}
		if found.Item, err = predictedItem(tx, place, run, choice); err != nil {
			return found, err
		}
		annotations, err := tx.AnnotationsOf([]string{found.Item.ID}, run)
		found.Annotations = annotations[found.Item.ID]
		return found, err
	})
}

func predictedItem(tx *store.Tx, place PredictionPlace, run string, choice ItemChoice) (store.Item, error) {
	switch {
	case place.Dataset != "":
		return chosenItem(tx, place.Dataset, choice)
	case choice.ID != "":
		return tx.Item(choice.ID)
	case choice.Number != nil && place.Run == "":
		return tx.PredictedItemAt(run, *choice.Number)
	}
	datasets, err := tx.RunDatasets(run)
	if err != nil {
		return store.Item{}, err
	}
	left := int64(0)
	if choice.Number != nil {
		left = *choice.Number
	}
	for _, dataset := range datasets {
		item, err := chosenItem(tx, dataset, ItemChoice{Reference: choice.Reference, Number: numberIn(choice, left)})
		if remuda.CodeOf(err) != remuda.NotFound {
			return item, err
		}
		n, err := tx.CountItems(dataset)
		if err != nil {
			return item, err
		}
		left -= n
	}
	return store.Item{}, remuda.Errorf(remuda.NotFound, "there is no such item in the datasets of the predictions")
}

// numberIn is a choice's number among the items of a later dataset.
func numberIn(choice ItemChoice, left int64) *int64 {
	if choice.Number == nil {
		return nil
	}
	return &left
}

// PredictionAt finds a prediction by the user's ids of its item and of itself,
// joined by a slash, as [Flow.AnnotationAt] does.
func (f *Flow) PredictionAt(ctx context.Context, caller remuda.Caller, place PredictionPlace, path string) (item store.Item, found store.Annotation, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return item, found, err
	}
	var run string
	datasets := []string{place.Dataset}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if run, err = runAt(tx, place); err != nil || place.Dataset != "" {
			return err
		}
		datasets, err = tx.RunDatasets(run)
		return err
	})
	if err != nil {
		return item, found, err
	}
	err = remuda.Errorf(remuda.NotFound, "there is no prediction %s", path)
	for _, dataset := range datasets {
		item, found, err = f.AnnotationAt(ctx, caller, dataset, run, path)
		if remuda.CodeOf(err) != remuda.NotFound {
			break
		}
	}
	return item, found, err
}

// EachPrediction hands all that was predicted at a place to do, one type after
// the other, as it is at one time.
func (f *Flow) EachPrediction(ctx context.Context, caller remuda.Caller, place PredictionPlace, do func(typ string, p store.Prediction) error) error {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return err
	}
	return f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		run, err := runAt(tx, place)
		if err != nil {
			return err
		}
		types, err := tx.PredictionTypes(run, place.Dataset)
		if err != nil {
			return err
		}
		for _, typ := range types {
			if err := tx.EachPrediction(run, place.Dataset, typ, func(p store.Prediction) error { return do(typ, p) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// PredictionSource returns a source with a model's predictions instead of ground truth.
func (f *Flow) PredictionSource(ctx context.Context, caller remuda.Caller, from Source, model string) (Source, error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return from, err
	}
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		dataset := from.Dataset
		if from.Slice != "" {
			slice, err := tx.Slice(from.Slice)
			if err != nil {
				return err
			}
			dataset = slice.Dataset
		}
		run, err := runAt(tx, PredictionPlace{Dataset: dataset, Model: model})
		from.Run = run
		return err
	})
	return from, err
}
