package label

import (
	"cmp"
	"slices"
	"time"

	"remuda"
)

// BatchKind says what a batch is for.
type BatchKind string

// The kinds of batches.
const (
	Production  BatchKind = "production"
	Calibration BatchKind = "calibration" // a few tasks, to see how well people draw by the instructions
	SelfLabel   BatchKind = "self_label"  // for the managers alone
)

// BatchStatus is where a batch stands, in the labeling API's words.
type BatchStatus string

// The statuses of a batch.
const (
	Staging        BatchStatus = "staging"     // tasks may be added, nobody works
	InProgress     BatchStatus = "in_progress" // people work, no tasks are added
	BatchCompleted BatchStatus = "completed"   // nothing is pending
)

// Batch is a group of tasks of a project.
type Batch struct {
	Name     string      `json:"name"`
	Project  string      `json:"project"`
	Kind     BatchKind   `json:"kind"`
	Status   BatchStatus `json:"status"`
	Plan     Plan        `json:"plan"`
	Rank     int         `json:"rank,omitempty"`   // in the order that a manager set, from 1; 0 if in none
	Groups   []string    `json:"groups,omitempty"` // or people, by id, who work on it; empty: everyone in the project
	Created  time.Time   `json:"created"`
	Revision int64       `json:"revision"`
}

// May says why a person may not work on the batch's tasks, or nil.
func (b Batch) May(p Person) error {
	manages := p.Role.AtLeast(remuda.Manager)
	switch {
	case b.Status == Staging:
		return remuda.Errorf(remuda.Conflict, "batch %q is being put together", b.Name).WithHint("finalize it first")
	case b.Kind == SelfLabel && !manages:
		return remuda.Errorf(remuda.Unauthorized, "batch %q is for the managers", b.Name).WithHint("ask for the next task")
	case !manages && !slices.Contains(p.Projects, b.Project):
		return remuda.Errorf(remuda.Unauthorized, "you don't work in project %q", b.Project).WithHint("ask a manager to assign you")
	case len(b.Groups) > 0 && !slices.Contains(b.Groups, p.ID) &&
		!slices.ContainsFunc(p.Groups, func(g string) bool { return slices.Contains(b.Groups, g) }):
		return remuda.Errorf(remuda.Unauthorized, "batch %q is for other people", b.Name).WithHint("ask for the next task")
	}
	return nil
}

// Order compares two batches by who comes first: those that a manager has
// ranked, then calibration batches, then the oldest.
func (b Batch) Order(o Batch) int {
	return cmp.Or(
		cmp.Compare(first(b.Rank > 0), first(o.Rank > 0)),
		cmp.Compare(b.Rank, o.Rank),
		cmp.Compare(first(b.Kind == Calibration), first(o.Kind == Calibration)),
		b.Created.Compare(o.Created),
		cmp.Compare(b.Name, o.Name),
	)
}

// Rank puts the batches that aren't completed in the order of names, which must
// have each of them once; a batch that is made later comes after them. Without
// names it goes back to the default order. It returns the batches that changed.
func Rank(batches []Batch, names []string) (changed []Batch, err error) {
	rank := make(map[string]int, len(names))
	for i, name := range names {
		rank[name] = i + 1
	}
	open := 0
	for _, b := range batches {
		if b.Status != BatchCompleted {
			open++
			if len(names) > 0 && rank[b.Name] == 0 {
				return nil, remuda.Errorf(remuda.Invalid, "rank batches: %q is missing", b.Name).WithHint("list every batch that isn't completed")
			}
		}
		if b.Status != BatchCompleted && b.Rank != rank[b.Name] {
			b.Rank = rank[b.Name]
			b.Revision++
			changed = append(changed, b)
		}
	}
	if len(names) > 0 && (len(rank) != len(names) || len(rank) != open) {
		return nil, remuda.Errorf(remuda.Invalid, "rank batches: one of %d names is there twice, unknown or completed", len(names)).
			WithHint("list every batch that isn't completed, once")
	}
	return changed, nil
}

// first is 0 for what comes first and 1 for what doesn't.
func first(yes bool) int {
	if yes {
		return 0
	}
	return 1
}

// Accepts says why no task may be added to the batch, or nil.
func (b Batch) Accepts() error {
	if b.Status != Staging {
		return remuda.Errorf(remuda.Invalid, "batch %q is finalized and takes no more tasks", b.Name).
			WithHint("reopen it, or make another batch")
	}
	return nil
}

// Finalize ends the adding of tasks: people may work. A second time changes
// nothing.
func (b Batch) Finalize(by string, now time.Time) (Batch, []Event) {
	if b.Status != Staging {
		return b, nil
	}
	return b.to(InProgress), []Event{b.event(EventBatchFinalized, by, now, "")}
}

// Reopen lets more tasks be added; nobody works until it is finalized again.
func (b Batch) Reopen(by, why string, now time.Time) (Batch, []Event) {
	if b.Status == Staging {
		return b, nil
	}
	return b.to(Staging), []Event{b.event(EventBatchReopened, by, now, why)}
}

// Counts are the real tasks of a batch by status.
type Counts struct {
	Pending   int `json:"pending"`
	Completed int `json:"completed"`
	Canceled  int `json:"canceled"`
	Error     int `json:"error"`
}

// Settle follows the batch's tasks: it completes with the last pending one,
// and is in progress again when one is pending again. An empty batch stays in
// progress, and one in staging stays so.
func (b Batch) Settle(c Counts, now time.Time) (Batch, []Event) {
	switch {
	case b.Status == InProgress && c.Pending == 0 && c.Completed+c.Canceled+c.Error > 0:
		return b.to(BatchCompleted), []Event{b.event(EventBatchCompleted, "", now, "")}
	case b.Status == BatchCompleted && c.Pending > 0:
		return b.to(InProgress), []Event{b.event(EventBatchResumed, "", now, "")}
	}
	return b, nil
}

func (b Batch) to(s BatchStatus) Batch {
	b.Status = s
	b.Revision++
	return b
}

func (b Batch) event(kind EventKind, by string, now time.Time, why string) Event {
	return Event{Kind: kind, At: now, By: by, Batch: b.Name, Why: why}
}

// Readiness is what is known when a batch is about to be finalized.
type Readiness struct {
	Calibrated  bool    // a calibration batch of the project was audited
	Score       float64 // of the last one, 0 to 1
	Bar         float64 // below which to warn, 0 to 1
	Evaluations int     // quality tasks in use
}

// Advice says what a careful manager would do before finalizing a batch. It
// keeps nobody from finalizing.
func (b Batch) Advice(r Readiness) (advice []string) {
	if b.Kind != Production {
		return nil
	}
	switch {
	case !r.Calibrated:
		advice = append(advice, "no calibration batch of this project has been audited: a batch of about 20 tasks shows what the instructions lack")
	case r.Score < r.Bar:
		advice = append(advice, "the calibration score is below the bar: improve the instructions and calibrate again")
	}
	if r.Evaluations == 0 {
		advice = append(advice, "there are no evaluation tasks: nobody's accuracy will be measured")
	}
	return advice
}
