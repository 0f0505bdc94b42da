package label

import (
	"slices"
	"time"

	"remuda"
)

// Status is where a task stands, in the labeling API's words.
type Status string

// The statuses.
const (
	Pending   Status = "pending"   // somebody has still to attempt or review it
	Completed Status = "completed" // it has a result; it can be audited
	Canceled  Status = "canceled"  // nobody shall work on it
	Failed    Status = "error"     // its image cannot be had
)

// Stage is what a task waits for.
type Stage string

// The stages, in order. Attempts and reviews are obligatory, audits a sample.
const (
	Attempting Stage = "attempt"
	Reviewing  Stage = "review"
	Auditing   Stage = "audit"
)

// Kind says what a task is for.
type Kind string

// The kinds. Only a real task's result becomes a label.
const (
	Real       Kind = ""           // to get a label
	Training   Kind = "training"   // to learn, before real work
	Evaluation Kind = "evaluation" // to measure, hidden among real work
)

// The limits and defaults of a Plan.
const (
	MaxAttempts  = 5
	MaxReviews   = 3
	DefaultLease = 15 * time.Minute
	DefaultSkips = 3
)

// Plan is the way of a batch's tasks to their result.
type Plan struct {
	Attempts    int           `json:"attempts"`               // by different people, 1 to MaxAttempts; default 1
	Reviews     int           `json:"reviews"`                // after the attempts, 0 to MaxReviews
	ReviewBelow float64       `json:"review_below,omitempty"` // with several attempts: only results whose agreement is below it are reviewed; 0 to 1, default 0: all are
	Lease       time.Duration `json:"lease,omitempty"`        // how long a task stays with someone who does nothing; default DefaultLease
	Skips       int           `json:"skips,omitempty"`        // a task that so many people skipped is set aside; default DefaultSkips
	Redo        bool          `json:"redo,omitempty"`         // a rejected audit sends the task back to be attempted anew
}

// WithDefaults returns the plan with its unset fields filled in.
func (p Plan) WithDefaults() Plan {
	if p.Attempts == 0 {
		p.Attempts = 1
	}
	if p.Lease == 0 {
		p.Lease = DefaultLease
	}
	if p.Skips == 0 {
		p.Skips = DefaultSkips
	}
	return p
}

// Validate refuses a plan that is out of its limits.
func (p Plan) Validate() error {
	switch {
	case p.Attempts < 1 || p.Attempts > MaxAttempts:
		return remuda.Errorf(remuda.Invalid, "%d attempts per task", p.Attempts).WithHint("choose 1 to %d", MaxAttempts)
	case p.Reviews < 0 || p.Reviews > MaxReviews:
		return remuda.Errorf(remuda.Invalid, "%d reviews per task", p.Reviews).WithHint("choose 0 to %d", MaxReviews)
	case !(p.ReviewBelow >= 0 && p.ReviewBelow <= 1):
		return remuda.Errorf(remuda.Invalid, "review below an agreement of %v", p.ReviewBelow).WithHint("choose 0 to 1")
	case p.Lease < time.Minute || p.Lease > 24*time.Hour:
		return remuda.Errorf(remuda.Invalid, "a lease of %v", p.Lease).WithHint("choose a minute to a day")
	case p.Skips < 1:
		return remuda.Errorf(remuda.Invalid, "a task is set aside after %d skips", p.Skips).WithHint("choose at least 1")
	}
	return nil
}

// Task is one image to label. It is a value: what changes it returns a new
// Task with the next Revision and leaves the old one as it was, so a store
// writes it back where the revision is still the one it read, and of two
// people who act at once the second is refused. The package comment draws the
// states.
type Task struct {
	ID       string    `json:"id"`
	Batch    string    `json:"batch"`
	Kind     Kind      `json:"kind,omitempty"`
	Quality  string    `json:"quality,omitempty"` // the quality task it is an instance of; "" for real ones
	Only     string    `json:"only,omitempty"`    // the one person it is for; "" for everyone
	Plan     Plan      `json:"plan"`              // as the batch had it when the task was made
	Priority float64   `json:"priority,omitempty"`
	Created  time.Time `json:"created"`
	Revision int64     `json:"revision"` // 1 for a new task

	Status    Status    `json:"status"`
	Completed time.Time `json:"completed,omitzero"`
	Failure   string    `json:"failure,omitempty"` // why the status is Failed
	Round     int       `json:"round"`             // from 1; a rejection or a re-label starts the next
	Work      []Work    `json:"work,omitempty"`    // everything handed in, of all rounds, oldest first
	Proposal  *Answer   `json:"proposal,omitempty"`
	Agreement float64   `json:"agreement,omitempty"` // of this round's attempts, 0 to 1; 0 for fewer than two
	Result    *Answer   `json:"result,omitempty"`    // of a completed real task
	Prior     []Answer  `json:"prior,omitempty"`     // results that an audit or a re-label replaced, oldest first

	Lease   Lease    `json:"lease,omitzero"`
	Holders []Holder `json:"holders,omitempty"` // who has held the task: lease n was Holders[n-1]'s
	Skips   []Skip   `json:"skips,omitempty"`
	Flag    *Flag    `json:"flag,omitempty"` // set aside until a manager resolves it
	Note    string   `json:"note,omitempty"` // a manager's word to whoever does the task next
	Drafts  []Draft  `json:"drafts,omitempty"`
	Sampled bool     `json:"sampled,omitempty"` // chosen to be audited
}

// Skip is one person's refusal of a task.
type Skip struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Round  int       `json:"round"`
	Reason string    `json:"reason"`
}

// Flag is why a task is set aside.
type Flag struct {
	By     string    `json:"by"` // "" when too many people skipped it
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Draft is what someone has not handed in, or handed in too late.
type Draft struct {
	By    string    `json:"by"`
	Stage Stage     `json:"stage"`
	At    time.Time `json:"at"`
	Late  bool      `json:"late,omitempty"` // the lease had ended
	Submission
}

// NewTask returns a pending task of a batch and the event of its making.
func NewTask(id string, b Batch, by string, now time.Time) (Task, []Event) {
	t := Task{ID: id, Batch: b.Name, Plan: b.Plan.WithDefaults(), Created: now, Revision: 1, Status: Pending, Round: 1}
	return t, []Event{t.event(EventCreated, by, now, "")}
}

// Stage returns what the task waits for: "" when canceled or failed. A
// completed task waits for an audit, which may never come.
func (t Task) Stage() Stage {
	switch {
	case t.Status == Completed:
		return Auditing
	case t.Status != Pending:
		return ""
	case t.count(Attempting) < t.Plan.Attempts:
		return Attempting
	}
	return Reviewing
}

// count returns how often this round's task was worked on in a stage.
func (t Task) count(s Stage) (n int) {
	for _, w := range t.Work {
		if w.Round == t.Round && w.Stage == s {
			n++
		}
	}
	return n
}

// Attempts returns this round's attempts, oldest first: those that the
// proposal was merged from.
func (t Task) Attempts() (attempts []Work) {
	for _, w := range t.Work {
		if w.Round == t.Round && w.Stage == Attempting {
			attempts = append(attempts, w)
		}
	}
	return attempts
}

// Audit returns the last audit of this round's result, and whether there is one.
func (t Task) Audit() (Work, bool) {
	for _, w := range slices.Backward(t.Work) {
		if w.Round == t.Round && w.Stage == Auditing {
			return w, true
		}
	}
	return Work{}, false
}

// Worked reports whether a person has attempted or reviewed the task in this
// round, so that its proposal or result is their work too.
func (t Task) Worked(person string) bool {
	return slices.ContainsFunc(t.Work, func(w Work) bool {
		return w.By == person && w.Round == t.Round && w.Stage != Auditing
	})
}

// Skipped reports whether a person has skipped the task in this round.
func (t Task) Skipped(person string) bool {
	return slices.ContainsFunc(t.Skips, func(s Skip) bool { return s.By == person && s.Round == t.Round })
}

// skips returns how many people have skipped the task in this round.
func (t Task) skips() (n int) {
	for _, s := range t.Skips {
		if s.Round == t.Round {
			n++
		}
	}
	return n
}

// DraftOf returns what a person has kept for the stage that the task is in.
func (t Task) DraftOf(person string) (Submission, bool) {
	for _, d := range t.Drafts {
		if d.By == person && d.Stage == t.Stage() {
			return d.Submission, true
		}
	}
	return Submission{}, false
}

// Label returns the answer that the dataset may have: the result of a completed
// real task, never that of a quality task.
func (t Task) Label() (Answer, bool) {
	if t.Status != Completed || t.Kind != Real || t.Result == nil {
		return Answer{}, false
	}
	return *t.Result, true
}

// Expect refuses to go on when the task has changed since the caller read it.
func (t Task) Expect(revision int64) error {
	if t.Revision != revision {
		return remuda.Errorf(remuda.Conflict, "task %s has changed since it was read (revision %d, now %d)", t.ID, revision, t.Revision).
			WithHint("read it again and repeat what is still needed")
	}
	return nil
}

// next returns a copy of the task to change, with the next revision.
func (t Task) next() Task {
	t.Revision++
	return t
}

// without returns drafts without a person's.
func without(drafts []Draft, person string) []Draft {
	kept := make([]Draft, 0, len(drafts))
	for _, d := range drafts {
		if d.By != person {
			kept = append(kept, d)
		}
	}
	return kept
}

// added returns a new slice: the old one is never written to, since copies of
// the task share it.
func added[T any](list []T, x T) []T { return append(slices.Clip(list), x) }
