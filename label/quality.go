package label

import (
	"time"

	"remuda"
)

// QualityTask is an image whose right answer is known. People are given
// instances of it: tasks of their own, which look like all others.
type QualityTask struct {
	ID         string   `json:"id"`
	Project    string   `json:"project"`
	Kind       Kind     `json:"kind"`               // Training or Evaluation
	Expected   Answer   `json:"expected"`           // what is right
	Initial    *Answer  `json:"initial,omitempty"`  // to be reviewed; nil to be attempted
	From       string   `json:"from,omitempty"`     // the task it was made from
	Taxonomy   int      `json:"taxonomy,omitempty"` // version of the expected answer
	Retired    bool     `json:"retired,omitempty"`  // no longer given to anyone
	Concepts   []string `json:"concepts,omitempty"` // what it tests, in a manager's words
	Difficulty string   `json:"difficulty,omitempty"`
}

// Stage returns what the quality task is for: attempters or reviewers.
func (q QualityTask) Stage() Stage {
	if q.Initial != nil {
		return Reviewing
	}
	return Attempting
}

// Validate refuses a quality task that measures nothing.
func (q QualityTask) Validate() error {
	if q.Kind != Training && q.Kind != Evaluation {
		return remuda.Errorf(remuda.Invalid, "a quality task of the kind %q", q.Kind).WithHint("the kinds are training and evaluation")
	}
	return nil
}

// QualityFrom makes a quality task of a task whose result a manager stands for:
// one that was audited and not rejected, or one of a self-label batch. With an
// initial answer it is for reviewers.
func QualityFrom(t Task, b Batch, id string, kind Kind, initial *Answer) (QualityTask, error) {
	answer, ok := t.Label()
	audit, audited := t.Audit()
	if !ok || !(audited && audit.Verdict != Rejected || b.Kind == SelfLabel) {
		return QualityTask{}, remuda.Errorf(remuda.Invalid, "make a quality task of task %s: nobody has audited its result and stands for it", t.ID).
			WithHint("accept or fix it in an audit first")
	}
	q := QualityTask{ID: id, Project: b.Project, Kind: kind, Expected: answer.Clone(), Initial: initial, From: t.ID, Taxonomy: t.taxonomy()}
	return q, q.Validate()
}

// Instance returns a task for one person that asks what the quality task knows,
// in the batch where they work.
func (q QualityTask) Instance(id string, b Batch, person string, now time.Time) (Task, []Event) {
	plan := b.Plan.WithDefaults()
	plan.Attempts, plan.Reviews = 1, 0
	t := Task{
		ID: id, Batch: b.Name, Kind: q.Kind, Quality: q.ID, Only: person,
		Plan: plan, Created: now, Revision: 1, Status: Pending, Round: 1,
	}
	if q.Initial != nil {
		initial := q.Initial.Clone()
		t.Plan.Reviews, t.Proposal = 1, &initial
		t.Work = []Work{{Stage: Attempting, Round: 1, Since: now, At: now, Submission: Submission{Answer: &initial}}}
	}
	return t, []Event{t.event(EventCreated, "", now, "")}
}

// Graded is how one person did on one instance of a quality task.
type Graded struct {
	Kind Kind `json:"kind"`
	Scored
}

// Grade compares what was handed in for a completed instance with the expected
// answer, at the options' IoU. A rightly empty image counts as one box. Who
// rejects an answer in a review is right about it as a whole, or wrong.
func (q QualityTask) Grade(t Task, o Options) (Graded, error) {
	if t.Quality != q.ID || t.Status != Completed || len(t.Work) == 0 {
		return Graded{}, remuda.Errorf(remuda.Invalid, "grade task %s: it isn't a completed instance of quality task %s", t.ID, q.ID).
			WithHint("grade it when it is handed in")
	}
	last := t.Work[len(t.Work)-1]
	given := last.Answer
	if given == nil { // accepted or rejected
		given = q.Initial
	}
	s := Graded{Kind: q.Kind, Scored: Scored{At: last.At}}
	s.Correct, s.Of = Compare(*given, q.Expected, o.WithDefaults().IoU).Accuracy()
	if s.Of == 0 {
		s.Correct, s.Of = 1, 1
	}
	if last.Verdict == Rejected {
		if s.Correct == s.Of {
			s.Correct = 0
		} else {
			s.Correct = s.Of
		}
	}
	return s, nil
}
