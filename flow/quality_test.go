package flow_test

import (
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
)

// qualityTasks makes n images and quality tasks of them, whose right answers
// are the images' true boxes.
func (w *stable) qualityTasks(kind label.Kind, batch string, n int) {
	w.t.Helper()
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: batch, Kind: label.SelfLabel}, Slice: w.images(n)})
	manager := &worker{Caller: w.manager, pace: 1e9}
	for w.step(manager) {
		w.clock = w.clock.Add(manager.pace)
	}
	for _, t := range w.tasks(batch) {
		q, err := w.QualityFromTask(w.t.Context(), w.manager, t.ID, flow.QualityPurpose{Kind: kind})
		if err != nil {
			w.t.Fatal(err)
		}
		if q.Kind != kind || q.Project != "animals" || len(q.Expected.Boxes) == 0 {
			w.t.Errorf("the quality task: %+v", q)
		}
	}
}

func TestWhoIsBelowTheBarIsPausedAndComesBackByTraining(t *testing.T) {
	w := newStable(t, 2, 4, store.ProjectSettings{Plan: label.Plan{Attempts: 1}, Rate: 0.5, Bar: label.Bar{Accuracy: 0.8, Tasks: 3, Retake: 2}})
	w.qualityTasks(label.Evaluation, "known", 12)
	bad := w.people[1]
	bad.miss, w.people[0].miss = 0.9, 0
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: "real"}, Slice: w.images(40)})
	for bad.did < 40 && w.step(bad) {
		w.clock = w.clock.Add(bad.pace)
	}
	notices, err := w.Notices(t.Context(), bad.Caller)
	if err != nil || len(notices) != 1 || notices[0].Project != "animals" || !strings.Contains(notices[0].Why, "80 % are asked for") {
		t.Fatalf("after %d tasks the notices are %+v: %v", bad.did, notices, err)
	}
	if w.step(bad) {
		t.Error("who is paused is given a task, without any training task")
	}
	w.qualityTasks(label.Training, "lessons", 3)
	made := w.clock
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: "more"}, Slice: w.images(5)})
	bad.miss, bad.bias = 0, 0
	for range 4 { // two lessons: taken and handed in
		if !w.step(bad) || bad.held != nil && bad.held.Task.Kind != label.Training {
			t.Fatal("who is paused gets no lesson")
		}
		if bad.held != nil && !remuda.IDTime(bad.held.Task.ID).Equal(made) {
			t.Errorf("the id of a quality task tells that it is none of the batch's: %s", bad.held.Task.ID)
		}
		w.clock = w.clock.Add(bad.pace)
	}
	if notices, err := w.Notices(t.Context(), bad.Caller); err != nil || len(notices) != 0 {
		t.Errorf("after two lessons: %+v, %v", notices, err)
	}
	people, err := w.Standings(t.Context(), w.manager, "animals")
	if err != nil {
		t.Fatal(err)
	}
	s := people[1]
	if s.Login != bad.Name || s.Paused || s.Trained != 2 || s.Training.Value < 0.8 || s.Accuracy.Value > 0.5 || len(s.Evaluations) < 3 {
		t.Errorf("their standing: %+v", s)
	}
	w.checkNothingOfQualityTasks("known", "real")
}

// checkNothingOfQualityTasks says that answers to quality tasks are labels
// nowhere: every item has the boxes of its own real task, or none.
func (w *stable) checkNothingOfQualityTasks(batches ...string) {
	w.t.Helper()
	for _, batch := range batches {
		for _, t := range w.tasks(batch) {
			if t.Kind != label.Real {
				w.t.Errorf("the list of tasks shows %s, of the kind %s", t.ID, t.Kind)
			}
			found, err := w.Annotations(w.t.Context(), w.manager, []string{t.Image.Item})
			if err != nil {
				w.t.Fatal(err)
			}
			want := 0
			if t.Result != nil {
				want = len(t.Result.Boxes)
			}
			if got := len(found[t.Image.Item]); got != want {
				w.t.Errorf("the item of task %s has %d boxes, not %d", t.ID, got, want)
			}
		}
	}
}

func TestAQualityTaskNeedsAnAuditedResult(t *testing.T) {
	w := newStable(t, 3, 4, store.ProjectSettings{Plan: label.Plan{Attempts: 1}})
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: "real"}, Slice: w.images(1)})
	w.work("real")
	task := w.tasks("real")[0].ID
	purpose := flow.QualityPurpose{Kind: label.Evaluation, Review: true, Concepts: []string{"tails"}, Difficulty: "hard"}
	if _, err := w.QualityFromTask(t.Context(), w.manager, task, purpose); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
		t.Errorf("of a result that nobody stands for: %v", err)
	}
	if _, err := w.AuditTask(t.Context(), w.manager, task, label.Submission{Verdict: label.Accepted}); err != nil {
		t.Fatal(err)
	}
	q, err := w.QualityFromTask(t.Context(), w.manager, task, purpose)
	if err != nil || q.Stage() != label.Reviewing || q.Image.Blob == "" || q.Difficulty != "hard" {
		t.Errorf("of an audited one: %+v, %v", q, err)
	}
	retired := true
	if q, err = w.ChangeQuality(t.Context(), w.manager, q.ID, flow.QualityChange{Retired: &retired}); err != nil || !q.Retired || len(q.Concepts) != 1 {
		t.Errorf("retired: %+v, %v", q, err)
	}
}

func TestATaskThatNobodyIsLeftForIsShown(t *testing.T) {
	w := newStable(t, 4, 4, store.ProjectSettings{Plan: label.Plan{Attempts: 3}}) // two people and two reviewers
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: "real"}, Slice: w.images(1)})
	stuck := func() []flow.Stuck {
		t.Helper()
		found, err := w.StuckTasks(t.Context(), w.manager, "real")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, p := range w.people[:2] {
		for p.did == 0 && w.step(p) {
			w.clock = w.clock.Add(p.pace)
		}
	}
	if found := stuck(); len(found) != 0 {
		t.Errorf("with two people left: %+v", found)
	}
	for _, p := range w.people[2:] {
		if _, err := w.PausePerson(t.Context(), w.manager, "animals", p.User, "rest"); err != nil {
			t.Fatal(err)
		}
	}
	if found := stuck(); len(found) != 1 || !strings.Contains(found[0].Why, "nobody is left") {
		t.Errorf("with nobody left: %+v", found)
	}
}
