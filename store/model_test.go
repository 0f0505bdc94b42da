package store

import (
	"encoding/json"
	"slices"
	"testing"

	"remuda"
	"remuda/geom"
)

// predicting is a model with a run, and items of a dataset to predict on.
type predicting struct {
	dataset string
	items   []string
	model   Model
	run     Run
}

func newPredicting(t *testing.T, db *DB, refs ...string) (p predicting) {
	t.Helper()
	write(t, db, func(tx *Tx) error {
		d, err := tx.CreateDataset(Dataset{Name: "horses"})
		if err != nil {
			return err
		}
		p = predicting{dataset: d.ID}
		items := make([]Item, len(refs))
		for i, ref := range refs {
			items[i].ReferenceID = ref
		}
		added, err := tx.AddItems(d.ID, items, false)
		if err != nil {
			return err
		}
		for _, item := range added {
			p.items = append(p.items, item.ID)
		}
		if p.model, err = tx.CreateModel(Model{Name: "m", ReferenceID: "m-" + d.ID, Metadata: json.RawMessage(`{"k":1}`)}); err != nil {
			return err
		}
		if p.run, err = tx.CreateRun(Run{Model: p.model.ID, Name: "r"}); err != nil {
			return err
		}
		return tx.AddRunDatasets(p.run.ID, []string{d.ID, "ds_none"})
	})
	return p
}

// aBox is a box with a key; predictions have a confidence.
func aBox(key string, x float64, confidence *float64) Annotation {
	return Annotation{Type: TypeBox, Category: "horse", Key: key, Box: &geom.Box{X0: x, Y0: 0, X1: x + 10, Y1: 10}, Confidence: confidence, Source: SourceAPI}
}

// otherWorld is the manager in the test world.
func otherWorld() remuda.Caller {
	caller := manager
	caller.World = remuda.Test
	return caller
}

// notFound says what the test world must not see.
func notFound(t *testing.T, db *DB, what string, find func(tx *Tx) error) {
	t.Helper()
	if err := db.Read(t.Context(), otherWorld(), find); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("the test world sees a live %s: %v", what, err)
	}
}

func TestModelsAndRunsOfAWorld(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a")
		notFound(t, db, "model", func(tx *Tx) error { _, err := tx.Model(p.model.ID); return err })
		notFound(t, db, "model's reference id", func(tx *Tx) error { _, err := tx.ModelByReference(p.model.ReferenceID); return err })
		notFound(t, db, "run", func(tx *Tx) error { _, err := tx.Run(p.run.ID); return err })
		err := db.Write(t.Context(), manager, func(tx *Tx) error {
			_, err := tx.CreateModel(Model{Name: "again", ReferenceID: p.model.ReferenceID})
			return err
		})
		if remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("two models have one reference id: %v", err)
		}
		write(t, db, func(tx *Tx) error {
			if got, err := tx.ModelByReference(p.model.ReferenceID); err != nil || got.ID != p.model.ID || string(got.Metadata) != `{"k":1}` || got.CreatedBy != manager.User {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := tx.RunOn(p.dataset, p.model.ID); err != nil || got.ID != p.run.ID {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := tx.RunDatasets(p.run.ID); err != nil || !slices.Equal(got, []string{p.dataset}) {
				t.Errorf("%v, %v", got, err)
			}
			hidden, err := tx.CreateRun(Run{Model: p.model.ID, Hidden: true})
			if err != nil {
				return err
			}
			if got, err := tx.HiddenRun(p.model.ID); err != nil || got.ID != hidden.ID || !got.Hidden {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := tx.RunsOf(p.model.ID); err != nil || len(got) != 1 || got[0].ID != p.run.ID {
				t.Errorf("%+v, %v", got, err)
			}
			return tx.AddRunDatasets(hidden.ID, []string{p.dataset})
		})
		write(t, db, func(tx *Tx) error {
			if got, err := tx.DatasetRuns(p.dataset); err != nil || !slices.Equal(got, []string{p.run.ID}) {
				t.Errorf("%v, %v", got, err)
			}
			if err := tx.AddTrainedSlices(p.model.ID, []string{"slc_b", "slc_a", "slc_a"}); err != nil {
				return err
			}
			if n, err := tx.RemoveTrainedSlices(p.model.ID, []string{"slc_b", "slc_none"}); err != nil || n != 1 {
				t.Errorf("%d removed, %v", n, err)
			}
			if got, err := tx.TrainedSlices(""); err != nil || !slices.Equal(got[p.model.ID], []string{"slc_a"}) {
				t.Errorf("%v, %v", got, err)
			}
			if err := tx.AddTags(p.model.ID, []string{"t"}); err != nil {
				return err
			}
			if got, err := tx.ModelTags(); err != nil || !slices.Equal(got[p.model.ID], []string{"t"}) {
				t.Errorf("%v, %v", got, err)
			}
			return tx.HideModel(p.model.ID)
		})
		write(t, db, func(tx *Tx) error {
			for what, find := range map[string]func() error{
				"model": func() error { _, err := tx.Model(p.model.ID); return err },
				"run":   func() error { _, err := tx.Run(p.run.ID); return err },
			} {
				if err := find(); remuda.CodeOf(err) != remuda.NotFound {
					t.Errorf("a deleted model's %s: %v", what, err)
				}
			}
			if err := tx.StripModel(p.model.ID); err != nil {
				return err
			}
			_, err := tx.CreateModel(Model{Name: "next", ReferenceID: p.model.ReferenceID})
			return err
		})
	})
}

func TestPredictionsAreCopiedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a", "b")
		var into Run
		half := 0.5
		write(t, db, func(tx *Tx) (err error) {
			if into, err = tx.CreateRun(Run{Model: p.model.ID, Name: "into"}); err != nil {
				return err
			}
			if _, _, err := tx.PutAnnotations(p.items[0], p.run.ID, []Annotation{aBox("same", 0, &half), aBox("clash", 0, &half)}, false); err != nil {
				return err
			}
			if _, _, err := tx.PutAnnotations(p.items[1], p.run.ID, []Annotation{aBox("only", 0, &half), {Type: TypeCategory, Category: "day", Source: SourceAPI}}, false); err != nil {
				return err
			}
			_, _, err = tx.PutAnnotations(p.items[0], into.ID, []Annotation{aBox("same", 0, &half), aBox("clash", 5, &half)}, false)
			return err
		})
		for _, want := range []int{3, 0} {
			write(t, db, func(tx *Tx) error {
				n, err := tx.CopyPredictions(p.run.ID, into.ID, p.items)
				if n != want {
					t.Errorf("%d copied, want %d", n, want)
				}
				return err
			})
		}
		write(t, db, func(tx *Tx) error {
			var keys []string
			types, err := tx.PredictionTypes(into.ID, "")
			if err != nil || !slices.Equal(types, []string{TypeBox, TypeCategory}) {
				t.Errorf("%v, %v", types, err)
			}
			err = tx.EachPrediction(into.ID, p.dataset, TypeBox, func(found Prediction) error {
				keys = append(keys, found.ReferenceID+" "+found.Annotation.Key)
				return nil
			})
			if want := []string{"a same", "a clash", "a clash-" + p.run.ID, "b only"}; !slices.Equal(keys, want) {
				t.Errorf("%v, want %v", keys, want)
			}
			if item, err := tx.PredictedItemAt(into.ID, 1); err != nil || item.ReferenceID != "b" {
				t.Errorf("%+v, %v", item, err)
			}
			return err
		})
		for _, want := range []int{2, 0} {
			write(t, db, func(tx *Tx) error {
				n, err := tx.EndPredictions(into.ID, 10)
				if n != want {
					t.Errorf("predictions on %d items ended, want %d", n, want)
				}
				return err
			})
		}
		write(t, db, func(tx *Tx) error {
			found, err := tx.AnnotationsOf(p.items, p.run.ID)
			if len(found[p.items[0]]) != 2 || len(found[p.items[1]]) != 2 {
				t.Errorf("the source has changed: %v", found)
			}
			return err
		})
	})
}

func TestWeightsAndTheirParts(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db)
		var u WeightsUpload
		write(t, db, func(tx *Tx) (err error) {
			if u, err = tx.CreateWeightsUpload(WeightsUpload{Model: p.model.ID, Bytes: 25, PartBytes: 10, Filename: "w", MediaType: "x/y"}); err != nil {
				return err
			}
			for _, part := range []WeightsPart{{2, "b2", 10}, {1, "b1", 10}, {2, "b2 again", 10}} {
				if err := tx.PutWeightsPart(u.ID, part); err != nil {
					return err
				}
			}
			return nil
		})
		if u.Parts() != 3 || u.PartSize(1) != 10 || u.PartSize(3) != 5 {
			t.Errorf("%d parts of %d and %d", u.Parts(), u.PartSize(1), u.PartSize(3))
		}
		write(t, db, func(tx *Tx) error {
			parts, err := tx.WeightsParts(u.ID)
			if err != nil || !slices.Equal(parts, []WeightsPart{{1, "b1", 10}, {2, "b2 again", 10}}) {
				t.Errorf("%v, %v", parts, err)
			}
			if used, err := tx.BlobUsed("b1"); err != nil || !used {
				t.Errorf("a part can be swept: %t, %v", used, err)
			}
			if got, err := tx.WeightsUpload(u.ID); err != nil || got != u {
				t.Errorf("%+v, %v", got, err)
			}
			if err := tx.DeleteWeightsUpload(u.ID); err != nil {
				return err
			}
			for _, blob := range []string{"old", "new"} {
				if _, err := tx.PutWeights(Weights{Model: p.model.ID, Blob: blob, Bytes: 25, Filename: "w", MediaType: "x/y"}); err != nil {
					return err
				}
			}
			if w, err := tx.Weights(p.model.ID); err != nil || w.Blob != "new" || w.CreatedBy != manager.User {
				t.Errorf("%+v, %v", w, err)
			}
			if _, err := tx.WeightsFile(p.model.ID, "old"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("replaced weights: %v", err)
			}
			for _, want := range []bool{true, false} {
				if had, err := tx.DeleteWeights(p.model.ID); err != nil || had != want {
					t.Errorf("had weights: %t, %v", had, err)
				}
			}
			_, err = tx.CreateWeightsUpload(WeightsUpload{Model: p.model.ID, Bytes: 1, PartBytes: 10})
			return err
		})
		write(t, db, func(tx *Tx) error { return tx.ForgetWeightsUploads(tx.Now.Add(1e9)) })
	})
}

func TestBenchmarksAreAsFarAsTheirJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a", "b")
		var b Benchmark
		var job Job
		write(t, db, func(tx *Tx) (err error) {
			if b, err = tx.CreateBenchmark(Benchmark{Name: "all", VersionMajor: 1}); err != nil {
				return err
			}
			if job, err = tx.NewJob("createBenchmark", "", nil, 1); err != nil {
				return err
			}
			b.Job = job.ID
			return tx.UpdateBenchmark(b)
		})
		notFound(t, db, "benchmark", func(tx *Tx) error { _, err := tx.Benchmark(b.ID); return err })
		status := func(want BenchmarkStatus, problem string) {
			t.Helper()
			write(t, db, func(tx *Tx) error {
				got, err := tx.Benchmark(b.ID)
				if got.Status != want || got.Problem != problem {
					t.Errorf("%s with %q, want %s", got.Status, got.Problem, want)
				}
				return err
			})
		}
		status(BenchmarkBuilding, "")
		job.Status, job.Problem = JobFailed, "no ground truth"
		write(t, db, func(tx *Tx) error { return tx.UpdateJob(job) })
		status(BenchmarkFailed, "no ground truth")
		write(t, db, func(tx *Tx) error {
			got, err := tx.LockBenchmark(b.ID)
			if err != nil {
				return err
			}
			got.Truth, got.Skipped = "blob", 2
			if err := tx.SetBenchmarkItems(b.ID, []BenchmarkItem{{p.items[1], p.dataset}, {p.items[0], p.dataset}}); err != nil {
				return err
			}
			return tx.UpdateBenchmark(got)
		})
		status(BenchmarkReady, "")
		write(t, db, func(tx *Tx) error {
			if items, err := tx.BenchmarkItems(b.ID, 1, 5); err != nil || !slices.Equal(items, []BenchmarkItem{{p.items[0], p.dataset}}) {
				t.Errorf("%v, %v", items, err)
			}
			if list, err := tx.Benchmarks(); err != nil || len(list) != 1 || list[0].Items != 2 || list[0].Datasets != 1 || list[0].Skipped != 2 {
				t.Errorf("%+v, %v", list, err)
			}
			if err := tx.DeleteItem(p.items[0]); remuda.CodeOf(err) != remuda.Conflict {
				t.Errorf("an item of a benchmark is deleted: %v", err)
			}
			return nil
		})
		write(t, db, func(tx *Tx) error { return tx.DeleteBenchmark(b.ID) })
		write(t, db, func(tx *Tx) error { return tx.DeleteItem(p.items[0]) })
	})
}

func TestEvaluationsAreAsFarAsTheirJobs(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a", "b")
		var e Evaluation
		var job Job
		write(t, db, func(tx *Tx) (err error) {
			if job, err = tx.NewJob("triggerEvaluate", "", nil, 1); err != nil {
				return err
			}
			e, err = tx.CreateEvaluation(Evaluation{Name: "first", Model: p.model.ID, Run: p.run.ID, Benchmark: "bm_1", Job: job.ID})
			return err
		})
		notFound(t, db, "evaluation", func(tx *Tx) error { _, err := tx.Evaluation(e.ID); return err })
		for _, step := range []struct {
			job  JobStatus
			want EvaluationStatus
		}{
			{JobWaiting, EvaluationPending}, {JobRunning, EvaluationComputing}, {JobFailed, EvaluationFailed}, {JobCancelled, EvaluationCancelled},
		} {
			write(t, db, func(tx *Tx) (err error) {
				if job, err = tx.NewJob("triggerEvaluate", "", nil, 1); err != nil {
					return err
				}
				job.Status, e.Job = step.job, job.ID
				if err := tx.UpdateJob(job); err != nil {
					return err
				}
				return tx.UpdateEvaluation(e)
			})
			write(t, db, func(tx *Tx) error {
				got, err := tx.Evaluation(e.ID)
				if got.Status != step.want || got.ModelName != "m" || got.RunName != "r" {
					t.Errorf("job %s: %+v", step.job, got)
				}
				return err
			})
		}
		low, high := 0.2, 0.8
		write(t, db, func(tx *Tx) error {
			matches := []Match{
				{Item: p.items[0], Kind: MatchFound, Annotation: "pred_1", Revision: 1, Other: "ann_1", OtherRevision: 1, IoU: 0.9, Confidence: &high},
				{Item: p.items[0], Kind: MatchFound, Annotation: "ann_1", Revision: 1, Other: "pred_1", OtherRevision: 1, IoU: 0.9, Confidence: &high},
				{Item: p.items[0], Kind: MatchFound, Annotation: "pred_2", Revision: 1, Other: "ann_2", OtherRevision: 1, IoU: 0.6, Confidence: &low},
				{Item: p.items[0], Kind: MatchFound, Annotation: "ann_2", Revision: 1, Other: "pred_2", OtherRevision: 1, IoU: 0.6, Confidence: &low},
				{Item: p.items[1], Kind: MatchWrong, Annotation: "pred_3", Revision: 1, Confidence: &low},
				{Item: p.items[1], Kind: MatchMissed, Annotation: "ann_3", Revision: 1, IoU: 0.3},
			}
			if err := tx.AddMatches(e.ID, 0, matches[:4]); err != nil {
				return err
			}
			return tx.AddMatches(e.ID, 4, matches[4:])
		})
		write(t, db, func(tx *Tx) error {
			for confidence, want := range map[float64]MatchCounts{0: {2, 1, 1}, 0.2: {2, 1, 1}, 0.5: {1, 0, 2}, 0.9: {0, 0, 3}} {
				if got, err := tx.CountMatches(e.ID, confidence); err != nil || got != want {
					t.Errorf("from %g on: %+v, %v, want %+v", confidence, got, err, want)
				}
			}
			e.Boxes, e.Summary = "blob", json.RawMessage(`{"items":2}`)
			return tx.UpdateEvaluation(e)
		})
		write(t, db, func(tx *Tx) error {
			for name, f := range map[string]EvaluationFilter{
				"all": {}, "of the model": {Model: p.model.ID}, "of the run": {Run: p.run.ID}, "of the benchmark": {Benchmarks: []string{"bm_0", "bm_1"}}, "done": {Succeeded: true, CreatedBy: manager.User},
			} {
				if got, err := tx.Evaluations(f); err != nil || len(got) != 1 || got[0].Status != EvaluationSucceeded || string(got[0].Summary) != `{"items":2}` {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
			}
			for name, f := range map[string]EvaluationFilter{"of another": {Model: "prj_none"}, "of another benchmark": {Benchmarks: []string{"bm_0"}}, "by another": {CreatedBy: "usr_none"}} {
				if got, err := tx.Evaluations(f); err != nil || len(got) != 0 {
					t.Errorf("%s: %+v, %v", name, got, err)
				}
			}
			if ids, err := tx.EvaluationsOfModel(p.model.ID); err != nil || !slices.Equal(ids, []string{e.ID}) {
				t.Errorf("%v, %v", ids, err)
			}
			if ids, err := tx.EvaluationsOfRun(p.run.ID); err != nil || !slices.Equal(ids, []string{e.ID}) {
				t.Errorf("%v, %v", ids, err)
			}
			return tx.DeleteEvaluation(e.ID)
		})
		write(t, db, func(tx *Tx) error {
			got, err := tx.CountMatches(e.ID, 0)
			if got != (MatchCounts{}) {
				t.Errorf("matches of a deleted evaluation: %+v", got)
			}
			return err
		})
	})
}

func TestRankedBoxesAreThoseOfNowOrOfAFrozenSlice(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a")
		half := 0.5
		var frozen Slice
		write(t, db, func(tx *Tx) (err error) {
			if err := tx.SetImage(Item{ID: p.items[0], Blob: "1234", Width: 10, Height: 10}); err != nil {
				return err
			}
			old := aBox("k", 0, nil)
			old.Body = json.RawMessage(`{"area":7}`)
			if _, _, err := tx.PutAnnotations(p.items[0], "", []Annotation{old}, false); err != nil {
				return err
			}
			if _, _, err := tx.PutAnnotations(p.items[0], p.run.ID, []Annotation{aBox("p", 0, &half), aBox("sure", 1, nil)}, false); err != nil {
				return err
			}
			if frozen, err = tx.CreateSlice(Slice{Dataset: p.dataset, Name: "s", Type: SliceOfItems}); err != nil {
				return err
			}
			if _, err := tx.AddMembers(frozen.ID, []SliceMember{{Item: p.items[0]}}); err != nil {
				return err
			}
			if err := tx.PinSlice(frozen); err != nil {
				return err
			}
			if err := tx.FreezeSlice(frozen.ID, "hash"); err != nil {
				return err
			}
			_, _, err = tx.PutAnnotations(p.items[0], "", []Annotation{aBox("k", 100, nil)}, true)
			return err
		})
		write(t, db, func(tx *Tx) error {
			read := func(run, slice string) (found []RankedBox) {
				err := tx.RankedBoxesOf(p.items, run, slice, func(b RankedBox) error { found = append(found, b); return nil })
				if err != nil {
					t.Error(err)
				}
				return found
			}
			if got := read("", ""); len(got) != 1 || got[0].Box.X0 != 100 || got[0].Revision != 2 || got[0].Area != 0 {
				t.Errorf("now: %+v", got)
			}
			if got := read("", frozen.ID); len(got) != 1 || got[0].Box.X0 != 0 || got[0].Revision != 1 || got[0].Area != 7 {
				t.Errorf("frozen: %+v", got)
			}
			got := read(p.run.ID, "")
			if len(got) != 2 || got[0].Confidence != 0.5 || got[1].Confidence != 1 {
				t.Errorf("predictions: %+v", got)
			}
			revisions, err := tx.AnnotationRevisions([]AnnotationRevision{{read("", "")[0].ID, 1}, {got[0].ID, 1}, {"ann_none", 1}})
			if len(revisions) != 2 {
				t.Errorf("%v", revisions)
			}
			return err
		})
	})
}

func TestScenarioTests(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p := newPredicting(t, db, "a")
		var test Scenario
		var run ScenarioRun
		write(t, db, func(tx *Tx) error {
			slice, err := tx.CreateSlice(Slice{Dataset: p.dataset, Name: "s", Type: SliceOfItems})
			if err != nil {
				return err
			}
			if test, err = tx.CreateScenario(Scenario{Name: "night", Slice: slice.ID}); err != nil {
				return err
			}
			if err := tx.AddScenarioMetric(ScenarioMetric{Test: test.ID, Function: "bbox_iou", Arguments: json.RawMessage(`{"iou_threshold":0.5}`)}); err != nil {
				return err
			}
			if run, err = tx.CreateScenarioRun(ScenarioRun{Test: test.ID, Function: "bbox_iou", Model: p.model.ID}); err != nil {
				return err
			}
			job, err := tx.NewJob("testEvaluation", "", nil, 1)
			if err != nil {
				return err
			}
			return tx.SetScenarioJob(run.ID, job.ID)
		})
		notFound(t, db, "scenario test", func(tx *Tx) error { _, err := tx.Scenario(test.ID); return err })
		notFound(t, db, "measurement", func(tx *Tx) error { _, err := tx.ScenarioRun(run.ID); return err })
		half := 0.5
		write(t, db, func(tx *Tx) error {
			if err := tx.SetScenarioThreshold(test.ID, "bbox_map", &half); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a measure that the test doesn't have: %v", err)
			}
			if err := tx.SetScenarioThreshold(test.ID, "bbox_iou", &half); err != nil {
				return err
			}
			if m, err := tx.ScenarioMetrics(test.ID); err != nil || len(m) != 1 || *m[0].Threshold != 0.5 || string(m[0].Arguments) != `{"iou_threshold":0.5}` {
				t.Errorf("%+v, %v", m, err)
			}
			if got, err := tx.ScenarioRun(run.ID); err != nil || got.Status != ScenarioPending || got.Result != nil {
				t.Errorf("%+v, %v", got, err)
			}
			run.Result, run.Passed = &half, true
			return tx.MeasureScenario(run, []ScenarioResult{{Item: p.items[0], Result: &half, Passed: true}, {Item: "di_gone"}})
		})
		write(t, db, func(tx *Tx) error {
			if got, err := tx.ScenarioRuns(test.ID); err != nil || len(got) != 1 || got[0].Status != ScenarioCompleted || *got[0].Result != 0.5 || !got[0].Passed {
				t.Errorf("%+v, %v", got, err)
			}
			if got, err := tx.ScenarioResults(run.ID); err != nil || len(got) != 2 || *got[0].Result != 0.5 || got[1].Result != nil || got[1].Passed {
				t.Errorf("%+v, %v", got, err)
			}
			if list, err := tx.Scenarios(); err != nil || len(list) != 1 || list[0] != test {
				t.Errorf("%+v, %v", list, err)
			}
			return tx.DeleteScenario(test.ID)
		})
		write(t, db, func(tx *Tx) error {
			if _, err := tx.ScenarioRun(run.ID); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a measurement of a deleted test: %v", err)
			}
			return nil
		})
	})
}

func TestItemsAnywhereAreOfTheWorld(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		first, second := newPredicting(t, db, "a", "b"), newPredicting(t, db, "a")
		write(t, db, func(tx *Tx) error {
			found, err := tx.ItemsAnywhere([]string{"a", "b", "none"})
			if len(found) != 2 || len(found["a"]) != 2 || found["a"][0].ID != first.items[0] || found["a"][1].ID != second.items[0] {
				t.Errorf("%v", found)
			}
			return err
		})
		if err := db.Read(t.Context(), otherWorld(), func(tx *Tx) error {
			found, err := tx.ItemsAnywhere([]string{"a"})
			if len(found) != 0 {
				t.Errorf("the test world sees %v", found)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}
