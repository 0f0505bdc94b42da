package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/store"
)

// BoxFunctions are the measures that scenario tests can have.
func BoxFunctions() []eval.BoxFunction {
	return []eval.BoxFunction{eval.BoxIoU, eval.BoxMAP, eval.BoxPrecision, eval.BoxRecall}
}

// NewMetric is a measure that a scenario test is to have.
type NewMetric struct {
	Function  string
	Arguments json.RawMessage // an object, as the dataset API has it: enforce_label_match, iou_threshold, confidence_threshold
}

// arguments reads the settings of a measure.
func arguments(function eval.BoxFunction, text json.RawMessage) (a eval.BoxArguments, err error) {
	var sent struct {
		EnforceLabels     bool            `json:"enforce_label_match"`
		IoU               *float64        `json:"iou_threshold"`
		Confidence        *float64        `json:"confidence_threshold"`
		AnnotationFilters json.RawMessage `json:"annotation_filters"`
		PredictionFilters json.RawMessage `json:"prediction_filters"`
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &sent); err != nil {
			return a, remuda.Errorf(remuda.Invalid, "read the arguments of %s: %w", function, err)
		}
	}
	for _, filters := range []json.RawMessage{sent.AnnotationFilters, sent.PredictionFilters} {
		if s := string(filters); s != "" && s != "null" && s != "[]" && s != "[[]]" {
			return a, remuda.Errorf(remuda.Invalid, "read the arguments of %s: filters of annotations or predictions are not known here", function).WithHint("leave them out, and choose items by the test's slice")
		}
	}
	a.EnforceLabels, a.IoU = sent.EnforceLabels, function.DefaultIoU()
	if sent.IoU != nil {
		a.IoU = *sent.IoU
	}
	if sent.Confidence != nil {
		a.Confidence = *sent.Confidence
	}
	_, err = eval.Validate(function, eval.Boxes{}, a)
	return a, err
}

func (n *NewMetric) check() error {
	function := eval.BoxFunction(n.Function)
	if !slices.Contains(BoxFunctions(), function) {
		return remuda.Errorf(remuda.NotFound, "there is no evaluation function %s", n.Function).WithHint("use one of %v", BoxFunctions())
	}
	_, err := arguments(function, n.Arguments)
	return err
}

// CreateScenario makes a scenario test of a slice; managers only.
func (f *Flow) CreateScenario(ctx context.Context, caller remuda.Caller, name, slice string, metrics []NewMetric) (made store.Scenario, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if name, err = checkName("scenario test", name); err != nil {
		return made, err
	}
	for i := range metrics {
		if err := metrics[i].check(); err != nil {
			return made, err
		}
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Slice(slice); err != nil {
			return err
		}
		if made, err = tx.CreateScenario(store.Scenario{Name: name, Slice: slice}); err != nil {
			return err
		}
		for _, m := range metrics {
			if err := tx.AddScenarioMetric(store.ScenarioMetric{Test: made.ID, Function: m.Function, Arguments: m.Arguments}); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// Scenario returns a scenario test.
func (f *Flow) Scenario(ctx context.Context, caller remuda.Caller, id string) (store.Scenario, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (store.Scenario, error) { return tx.Scenario(id) })
}

// Scenarios returns those of the caller's world, oldest first.
func (f *Flow) Scenarios(ctx context.Context, caller remuda.Caller) ([]store.Scenario, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Scenario, error) { return tx.Scenarios() })
}

// ScenarioItems returns the items of a scenario test's slice.
func (f *Flow) ScenarioItems(ctx context.Context, caller remuda.Caller, id string) ([]store.Item, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Item, error) {
		test, err := tx.Scenario(id)
		if err != nil {
			return nil, err
		}
		return tx.SliceItemsAfter(test.Slice, -1, 0)
	})
}

// DeleteScenario removes a scenario test with all that it has measured; managers only.
func (f *Flow) DeleteScenario(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		test, err := tx.Scenario(id)
		if err != nil {
			return err
		}
		if err := tx.DeleteScenario(id); err != nil {
			return err
		}
		return tx.Audit("scenario.delete", id, test.Name)
	})
}

// AddScenarioMetric adds a measure to the scenario test of a name, the newest
// if several have it; managers only. Measures that it has get the arguments.
func (f *Flow) AddScenarioMetric(ctx context.Context, caller remuda.Caller, name string, n NewMetric) (m store.ScenarioMetric, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return m, err
	}
	if err := n.check(); err != nil {
		return m, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		test, err := scenarioNamed(tx, name)
		if err != nil {
			return err
		}
		if err := tx.AddScenarioMetric(store.ScenarioMetric{Test: test.ID, Function: n.Function, Arguments: n.Arguments}); err != nil {
			return err
		}
		metrics, err := tx.ScenarioMetrics(test.ID)
		if err != nil {
			return err
		}
		m = metrics[slices.IndexFunc(metrics, func(m store.ScenarioMetric) bool { return m.Function == n.Function })]
		return nil
	})
	return m, err
}

func scenarioNamed(tx *store.Tx, name string) (store.Scenario, error) {
	tests, err := tx.Scenarios()
	if err != nil {
		return store.Scenario{}, err
	}
	for _, test := range slices.Backward(tests) {
		if test.Name == name || test.ID == name {
			return test, nil
		}
	}
	return store.Scenario{}, remuda.Errorf(remuda.NotFound, "there is no scenario test %q", name)
}

// ScenarioMetrics returns the measures of a scenario test.
func (f *Flow) ScenarioMetrics(ctx context.Context, caller remuda.Caller, id string) ([]store.ScenarioMetric, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.ScenarioMetric, error) {
		if _, err := tx.Scenario(id); err != nil {
			return nil, err
		}
		return tx.ScenarioMetrics(id)
	})
}

// SetScenarioThreshold sets the least value of a measure that passes, nil for
// none; managers only.
func (f *Flow) SetScenarioThreshold(ctx context.Context, caller remuda.Caller, test, function string, threshold *float64) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Scenario(test); err != nil {
			return err
		}
		return tx.SetScenarioThreshold(test, function, threshold)
	})
}

// ScenarioHistory returns what a scenario test has measured, oldest first.
func (f *Flow) ScenarioHistory(ctx context.Context, caller remuda.Caller, id string) ([]store.ScenarioRun, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.ScenarioRun, error) {
		if _, err := tx.Scenario(id); err != nil {
			return nil, err
		}
		return tx.ScenarioRuns(id)
	})
}

// ScenarioResults returns a measurement, item by item.
func (f *Flow) ScenarioResults(ctx context.Context, caller remuda.Caller, id string) (run store.ScenarioRun, results []store.ScenarioResult, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return run, nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if run, err = tx.ScenarioRun(id); err != nil {
			return err
		}
		results, err = tx.ScenarioResults(id)
		return err
	})
	return run, results, err
}

// jobScenario is the kind of job that measures a model by scenario tests.
const jobScenario = "testEvaluation"

type scenarioArgs struct {
	Model string   `json:"model"`
	Runs  []string `json:"runs"`
}

// EvaluateScenarios asks for a job that measures a model by all measures of
// scenario tests, which are given by their names; managers only.
func (f *Flow) EvaluateScenarios(ctx context.Context, caller remuda.Caller, model string, names []string) (job store.Job, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return job, err
	}
	if len(names) == 0 {
		return job, remuda.Errorf(remuda.Invalid, "evaluate model %s: no scenario test is named", model)
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		found, err := modelOf(tx, model)
		if err != nil {
			return err
		}
		args := scenarioArgs{Model: found.ID}
		for _, name := range names {
			test, err := scenarioNamed(tx, name)
			if err != nil {
				return err
			}
			metrics, err := tx.ScenarioMetrics(test.ID)
			if err != nil {
				return err
			}
			for _, m := range metrics {
				run, err := tx.CreateScenarioRun(store.ScenarioRun{Test: test.ID, Function: m.Function, Model: found.ID})
				if err != nil {
					return err
				}
				args.Runs = append(args.Runs, run.ID)
			}
		}
		if job, err = tx.NewJob(jobScenario, "", args, int64(len(args.Runs))); err != nil {
			return err
		}
		for _, id := range args.Runs {
			if err := tx.SetScenarioJob(id, job.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return job, err
}

func (f *Flow) runScenarios(ctx context.Context, run *JobRun) (any, error) {
	var args scenarioArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	for i, id := range args.Runs {
		if err := f.measure(ctx, run.Caller, id); err != nil {
			return nil, err
		}
		if err := run.Progress(ctx, int64(i+1), int64(len(args.Runs))); err != nil {
			return nil, err
		}
	}
	return map[string][]string{"evaluation_ids": args.Runs}, nil
}

// measure carries out one measurement, of a test that may have been deleted since.
func (f *Flow) measure(ctx context.Context, caller remuda.Caller, id string) error {
	var measured store.ScenarioRun
	var metric store.ScenarioMetric
	c := &compared{}
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		if measured, err = tx.ScenarioRun(id); err != nil {
			return err
		}
		test, err := tx.Scenario(measured.Test)
		if err != nil {
			return err
		}
		metrics, err := tx.ScenarioMetrics(test.ID)
		if err != nil {
			return err
		}
		metric = metrics[slices.IndexFunc(metrics, func(m store.ScenarioMetric) bool { return m.Function == measured.Function })]
		return c.readScenario(tx, test, measured.Model)
	})
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	function := eval.BoxFunction(metric.Function)
	settings, err := arguments(function, metric.Arguments)
	if err != nil {
		return err
	}
	v, err := eval.Validate(function, c.boxes(), settings)
	if err != nil {
		return err
	}
	results := make([]store.ScenarioResult, len(v.Items))
	for i, score := range v.Items {
		value := measuredValue(score)
		results[i] = store.ScenarioResult{Item: c.Items[i], Result: value, Passed: passes(value, metric.Threshold)}
	}
	measured.Result = measuredValue(v.Total)
	measured.Passed = passes(measured.Result, metric.Threshold)
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error { return tx.MeasureScenario(measured, results) })
}

// readScenario reads what is compared on the slice of a test: if that is
// frozen, the ground truth that it was frozen with.
func (c *compared) readScenario(tx *store.Tx, test store.Scenario, model string) error {
	slice, err := tx.Slice(test.Slice)
	if err != nil {
		return err
	}
	members, err := tx.SliceMembers(slice.ID)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, m := range members {
		if !seen[m.Item] {
			seen[m.Item] = true
			c.Items = append(c.Items, m.Item)
		}
	}
	frozen := ""
	if slice.Frozen != "" {
		frozen = slice.ID
	}
	if err := c.readTruth(tx, c.Items, frozen); err != nil {
		return err
	}
	run, err := runAt(tx, PredictionPlace{Dataset: slice.Dataset, Model: model})
	if err != nil {
		return err
	}
	return c.readPredictions(tx, run)
}

// measuredValue is a score, nil where there was nothing to measure.
func measuredValue(s eval.ItemScore) *float64 {
	if s.Weight == 0 {
		return nil
	}
	return &s.Value
}

// passes says whether a value reaches a threshold; without one all do that have a value.
func passes(value, threshold *float64) bool {
	return value != nil && (threshold == nil || *value >= *threshold)
}
