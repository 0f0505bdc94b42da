package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/store"
)

// NewEvaluation is what an evaluation is made from: a benchmark with a model or
// a run of it, or a run alone, which is scored on all items of its datasets.
type NewEvaluation struct {
	Name       string // made up if it is ""
	Benchmark  string
	Model      string // its predictions that were sent without a run
	Run        string
	Dataset    string          // of a run alone: the only one that it is scored on
	Rule       *eval.LabelRule // nil takes the benchmark's
	Exclusions []ExclusionRule
}

// jobEvaluate is the kind of job that computes an evaluation.
const jobEvaluate = "triggerEvaluate"

type evaluateArgs struct {
	Evaluation string `json:"evaluation"`
}

// EvaluationSummary is what is kept of an evaluation beside its boxes.
type EvaluationSummary struct {
	Items       int      `json:"items"`
	Truth       int      `json:"ground_truths"`
	Predictions int      `json:"predictions"`
	Excluded    Excluded `json:"excluded"`
	APs         eval.APs `json:"aps"`
}

// CreateEvaluation makes an evaluation, which a job computes from the
// predictions as they are then; managers only.
func (f *Flow) CreateEvaluation(ctx context.Context, caller remuda.Caller, n NewEvaluation) (made store.Evaluation, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	for i := range n.Exclusions {
		if err := n.Exclusions[i].check(); err != nil {
			return made, err
		}
	}
	e := store.Evaluation{Benchmark: n.Benchmark, Dataset: n.Dataset}
	if len(n.Exclusions) > 0 {
		if e.Exclusions, err = json.Marshal(n.Exclusions); err != nil {
			return made, remuda.Errorf(remuda.Internal, "write exclusion rules: %w", err)
		}
	}
	if n.Rule != nil {
		if e.Rule, err = ruleText(*n.Rule); err != nil {
			return made, err
		}
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		asked, filled := n, e
		if err := asked.fill(tx, &filled); err != nil {
			return err
		}
		made, err = startEvaluation(tx, filled)
		return err
	})
	return made, err
}

// EvaluateOn makes an evaluation of what a model predicted on a dataset: of its
// newest run there, else of its predictions without a run; managers only.
func (f *Flow) EvaluateOn(ctx context.Context, caller remuda.Caller, dataset, model string, rule *eval.LabelRule) (made store.Evaluation, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	n := NewEvaluation{Dataset: dataset, Rule: rule}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		n.Run, err = runAt(tx, PredictionPlace{Dataset: dataset, Model: model})
		return err
	})
	if err != nil {
		return made, err
	}
	if n.Run == noRun {
		return made, remuda.Errorf(remuda.NotFound, "model %s has no predictions on dataset %s", model, dataset).WithHint("upload predictions first")
	}
	return f.CreateEvaluation(ctx, caller, n)
}

// fill finds what an evaluation is of.
func (n *NewEvaluation) fill(tx *store.Tx, e *store.Evaluation) error {
	if (n.Model == "") == (n.Run == "") {
		return remuda.Errorf(remuda.Invalid, "evaluate: name either a model or a model run")
	}
	if n.Run == "" {
		run, err := hiddenRun(tx, n.Model)
		if err != nil {
			return err
		}
		n.Run = run.ID
	}
	run, err := tx.Run(n.Run)
	if err != nil {
		return err
	}
	model, err := tx.Model(run.Model)
	if err != nil {
		return err
	}
	e.Run, e.Model, e.RunHidden = run.ID, run.Model, run.Hidden
	over := ""
	if n.Benchmark != "" {
		b, err := tx.Benchmark(n.Benchmark)
		if err != nil {
			return err
		}
		if b.Status != store.BenchmarkReady {
			return remuda.Errorf(remuda.Conflict, "evaluate on benchmark %s: it is %s", b.ID, b.Status).WithHint("wait until it is ready")
		}
		if n.Rule == nil {
			e.Rule = b.Rule
		}
		over = b.Name
	} else if over, err = n.datasets(tx, e); err != nil {
		return err
	}
	if n.Name == "" {
		n.Name = model.Name + " on " + over
	}
	e.Name, err = checkName("evaluation", n.Name[:min(len(n.Name), maxName)])
	return err
}

// datasets finds what a run alone is scored on, and its name.
func (n *NewEvaluation) datasets(tx *store.Tx, e *store.Evaluation) (name string, err error) {
	datasets, err := tx.RunDatasets(e.Run)
	if err != nil {
		return "", err
	}
	if n.Dataset == "" && len(datasets) == 1 {
		e.Dataset = datasets[0]
	}
	if len(datasets) == 0 || n.Dataset != "" && !slices.Contains(datasets, n.Dataset) {
		return "", remuda.Errorf(remuda.Invalid, "evaluate run %s: it has no predictions there", e.Run).WithHint("upload predictions first")
	}
	if e.Dataset == "" {
		return "its datasets", nil
	}
	dataset, err := tx.Dataset(e.Dataset)
	return dataset.Name, err
}

// startEvaluation adds an evaluation with its job.
func startEvaluation(tx *store.Tx, e store.Evaluation) (store.Evaluation, error) {
	made, err := tx.CreateEvaluation(e)
	if err != nil {
		return made, err
	}
	job, err := tx.NewJob(jobEvaluate, e.Dataset, evaluateArgs{made.ID}, 1)
	if err != nil {
		return made, err
	}
	made.Job = job.ID
	return made, tx.UpdateEvaluation(made)
}

// Evaluation returns an evaluation.
func (f *Flow) Evaluation(ctx context.Context, caller remuda.Caller, id string) (store.Evaluation, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (store.Evaluation, error) { return tx.Evaluation(id) })
}

// Evaluations returns those of a model, or of a run, newest first.
func (f *Flow) Evaluations(ctx context.Context, caller remuda.Caller, model, run string) ([]store.Evaluation, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (_ []store.Evaluation, err error) {
		if run != "" {
			_, err = tx.Run(run)
		} else {
			_, err = tx.Model(model)
		}
		if err != nil {
			return nil, err
		}
		return tx.Evaluations(store.EvaluationFilter{Model: model, Run: run})
	})
}

// CancelEvaluation ends an evaluation that has not ended; managers only.
func (f *Flow) CancelEvaluation(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	e, err := f.Evaluation(ctx, caller, id)
	if err != nil {
		return err
	}
	if e.Status.Ended() {
		return remuda.Errorf(remuda.Conflict, "cancel evaluation %s: it has %s already", id, e.Status)
	}
	_, err = f.CancelJob(ctx, caller, e.Job)
	return err
}

// RetryEvaluation makes a new evaluation of what a failed or cancelled one was to
// be; managers only.
func (f *Flow) RetryEvaluation(ctx context.Context, caller remuda.Caller, id string) (store.Evaluation, error) {
	return write(ctx, f, caller, func(tx *store.Tx) (made store.Evaluation, err error) {
		e, err := tx.Evaluation(id)
		if err != nil {
			return made, err
		}
		if e.Status != store.EvaluationFailed && e.Status != store.EvaluationCancelled {
			return made, remuda.Errorf(remuda.Conflict, "retry evaluation %s: it is %s, not failed", id, e.Status)
		}
		e.Summary = nil
		return startEvaluation(tx, e)
	})
}

// DeleteEvaluation removes an evaluation with its matches; managers only.
func (f *Flow) DeleteEvaluation(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	var e store.Evaluation
	err := f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if e, err = tx.Evaluation(id); err != nil {
			return err
		}
		if err := tx.DeleteEvaluation(id); err != nil {
			return err
		}
		return tx.Audit("evaluation.delete", id, e.Name)
	})
	if err != nil || e.Status.Ended() {
		return err
	}
	_, err = f.CancelJob(ctx, caller, e.Job)
	return err
}

// runEvaluate carries out a job of the kind jobEvaluate.
func (f *Flow) runEvaluate(ctx context.Context, run *JobRun) (any, error) {
	var args evaluateArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	e, err := f.Evaluation(ctx, run.Caller, args.Evaluation)
	if err != nil || e.Status == store.EvaluationSucceeded {
		return map[string]string{"evaluation_id": e.ID}, err
	}
	c, excluded, err := f.gather(ctx, run.Caller, e)
	if err != nil {
		return nil, err
	}
	rule, err := parseRule(e.Rule)
	if err != nil {
		return nil, err
	}
	boxes := c.boxes()
	rows, err := eval.Pair(boxes, rule, eval.MatchIoU)
	if err != nil {
		return nil, err
	}
	summary := EvaluationSummary{Items: len(c.Items), Truth: c.Truth.len(), Predictions: c.Predictions.len(), Excluded: excluded}
	if summary.APs, err = eval.ComputeAPs(boxes, rows, rule); err != nil {
		return nil, err
	}
	if err := f.keepMatches(ctx, run, e.ID, c.matches(rows)); err != nil {
		return nil, err
	}
	if e.Boxes, err = f.putCompared(ctx, c); err != nil {
		return nil, err
	}
	if e.Summary, err = json.Marshal(summary); err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write the summary of evaluation %s: %w", e.ID, err)
	}
	err = f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.UpdateEvaluation(e) })
	return map[string]string{"evaluation_id": e.ID}, err
}

// gather returns what an evaluation compares, as it is at one time.
func (f *Flow) gather(ctx context.Context, caller remuda.Caller, e store.Evaluation) (c *compared, excluded Excluded, err error) {
	var rules []ExclusionRule
	if err := json.Unmarshal(e.Exclusions, &rules); err != nil {
		return nil, excluded, remuda.Errorf(remuda.Internal, "read the exclusion rules of evaluation %s: %w", e.ID, err)
	}
	c = &compared{}
	if e.Benchmark != "" {
		b, err := f.Benchmark(ctx, caller, e.Benchmark)
		if err != nil {
			return nil, excluded, err
		}
		if c, err = f.compared(ctx, b.Truth); err != nil {
			return nil, excluded, err
		}
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if e.Benchmark != "" {
			if c, err = c.present(tx, e.Benchmark); err != nil {
				return err
			}
		} else {
			if c.Items, err = evaluatedItems(tx, e); err != nil {
				return err
			}
			if err := c.readTruth(tx, c.Items, ""); err != nil {
				return err
			}
		}
		if err := c.readPredictions(tx, e.Run); err != nil {
			return err
		}
		metadata := func(string) json.RawMessage { return nil }
		if slices.ContainsFunc(rules, func(r ExclusionRule) bool { return r.Type == excludeByMetadata }) {
			items, err := tx.ItemsByID(c.Items)
			if err != nil {
				return err
			}
			metadata = func(id string) json.RawMessage { return items[id].Metadata }
		}
		c, excluded = c.exclude(rules, metadata)
		return nil
	})
	return c, excluded, err
}

// present returns what of a benchmark's ground truth is on items that are still
// there: a deleted dataset takes its items along.
func (c *compared) present(tx *store.Tx, benchmark string) (*compared, error) {
	items, err := tx.BenchmarkItems(benchmark, 0, 0)
	if err != nil || len(items) == len(c.Items) {
		return c, err
	}
	there := make(map[string]bool, len(items))
	for _, item := range items {
		there[item.Item] = true
	}
	return c.only(func(i int) bool { return there[c.Items[i]] }), nil
}

// evaluatedItems returns the items that a run alone is scored on.
func evaluatedItems(tx *store.Tx, e store.Evaluation) (items []string, err error) {
	datasets := []string{e.Dataset}
	if e.Dataset == "" {
		if datasets, err = tx.RunDatasets(e.Run); err != nil {
			return nil, err
		}
	}
	for _, dataset := range datasets {
		ids, err := tx.ItemIDs(dataset)
		if err != nil {
			return nil, err
		}
		items = append(items, ids...)
	}
	return items, nil
}

// matches says of every box what became of it, for the rows that filters join.
func (c *compared) matches(rows []eval.Row) []store.Match {
	found := make([]store.Match, 0, len(rows)+c.Truth.len())
	nearest := c.nearest(rows)
	add := func(item int, kind store.MatchKind, of *boxColumns, i int, m store.Match) {
		m.Item, m.Kind, m.Annotation, m.Revision = c.Items[item], kind, of.ID[i], of.Revision[i]
		found = append(found, m)
	}
	for _, row := range rows {
		var confidence *float64
		if row.Prediction >= 0 {
			confidence = &row.Confidence
		}
		switch row.Type {
		case eval.TruePositive:
			truth, predicted := row.Truth, row.Prediction
			add(row.Item, store.MatchFound, &c.Predictions, predicted, store.Match{Other: c.Truth.ID[truth], OtherRevision: c.Truth.Revision[truth], IoU: row.IoU, Confidence: confidence})
			add(row.Item, store.MatchFound, &c.Truth, truth, store.Match{Other: c.Predictions.ID[predicted], OtherRevision: c.Predictions.Revision[predicted], IoU: row.IoU, Confidence: confidence})
		case eval.FalsePositive:
			add(row.Item, store.MatchWrong, &c.Predictions, row.Prediction, store.Match{IoU: row.IoU, Confidence: confidence})
		case eval.FalseNegative:
			add(row.Item, store.MatchMissed, &c.Truth, row.Truth, store.Match{IoU: nearest[row.Truth]})
		case eval.IgnoredMatch:
			add(row.Item, store.MatchIgnored, &c.Predictions, row.Prediction, store.Match{IoU: row.IoU, Confidence: confidence})
		}
	}
	for i := range c.Truth.ID {
		if c.Truth.Crowd[i] {
			add(int(c.Truth.Item[i]), store.MatchIgnored, &c.Truth, i, store.Match{})
		}
	}
	return found
}

// nearest returns, for the missed among the ground truth, the most that a
// prediction of its category overlaps it.
func (c *compared) nearest(rows []eval.Row) map[int]float64 {
	most := make(map[int]float64)
	for begin := 0; begin < len(rows); {
		end := begin
		for end < len(rows) && rows[end].Item == rows[begin].Item {
			end++
		}
		for _, missed := range rows[begin:end] {
			if missed.Type != eval.FalseNegative {
				continue
			}
			box := c.Truth.box(missed.Truth)
			for _, row := range rows[begin:end] {
				if row.Prediction >= 0 && row.PredictionCategory == missed.TruthCategory {
					most[missed.Truth] = max(most[missed.Truth], box.IoU(c.Predictions.box(row.Prediction)))
				}
			}
		}
		begin = end
	}
	return most
}

// matchesAtOnce is how many matches one transaction writes.
const matchesAtOnce = 2000

func (f *Flow) keepMatches(ctx context.Context, run *JobRun, evaluation string, matches []store.Match) error {
	if err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.ClearMatches(evaluation) }); err != nil {
		return err
	}
	for at := 0; at < len(matches); at += matchesAtOnce {
		chunk := matches[at:min(at+matchesAtOnce, len(matches))]
		if err := f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.AddMatches(evaluation, int64(at), chunk) }); err != nil {
			return err
		}
		if err := run.Progress(ctx, int64(at+len(chunk)), int64(len(matches))); err != nil {
			return err
		}
	}
	return nil
}
