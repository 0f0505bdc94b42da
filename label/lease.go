package label

import (
	"errors"
	"reflect"
	"slices"
	"time"

	"remuda"
)

// Person is someone who works on tasks, as one decision needs to know them.
type Person struct {
	ID       string // the user's
	Role     remuda.Role
	Projects []string // those that the person is assigned to; a manager works in all
	Groups   []string // ids of their groups, in any project
	Paused   []string // projects in which the person is paused: see Enrollment
}

func (p Person) paused(project string) bool { return slices.Contains(p.Paused, project) }

// Lease is the hold of one person on a task. The zero Lease is nobody's.
type Lease struct {
	Number int       `json:"number"` // counts the task's leases from 1; what is handed in names it
	By     string    `json:"by"`
	Stage  Stage     `json:"stage"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"` // from then on someone else may take the task
}

// Holder is who had a lease, and for which stage.
type Holder struct {
	By    string `json:"by"`
	Stage Stage  `json:"stage"`
}

// ErrKept is what an answer to an ended lease is met with: it was kept as a
// draft. The task that comes with the error has it and is to be stored.
var ErrKept = errors.New("the task is no longer yours; what you did is kept as a draft")

// Held reports whether nobody but the lease's holder may take the task now.
func (t Task) Held(now time.Time) bool { return t.Lease.By != "" && now.Before(t.Lease.Until) }

// May says why a person may not take the task now, or nil, as far as the task
// itself goes; Candidate.May asks its batch too. The answers in the task aren't
// needed.
func (t Task) May(p Person, now time.Time) error {
	stage := t.Stage()
	switch {
	case t.Only != "" && t.Only != p.ID:
		return remuda.Errorf(remuda.NotFound, "there is no task %s for you", t.ID).WithHint("ask for the next task")
	case stage == "":
		return t.conflict("it is "+string(t.Status), "ask for the next task")
	case stage == Auditing && t.Kind != Real:
		return t.conflict("nobody audits a quality task", "audit the tasks of the batch")
	case t.Lease.By == p.ID:
		return nil // theirs until somebody else takes it
	case t.Flag != nil:
		return t.conflict("it is set aside: "+t.Flag.Reason, "a manager resolves it; ask for the next task")
	case t.Held(now):
		return t.conflict("somebody else holds it", "ask for the next task")
	case !p.Role.AtLeast(stage.role()):
		return remuda.Errorf(remuda.Unauthorized, "a %s may not do the %s of task %s", p.Role, stage, t.ID).WithHint("ask for the role %s", stage.role())
	case t.Worked(p.ID):
		return t.conflict("you have worked on it, and nobody checks or repeats their own work", "ask for the next task")
	case t.Skipped(p.ID):
		return t.conflict("you have skipped it", "ask for the next task")
	}
	return nil
}

// role returns the least role that may work in a stage.
func (s Stage) role() remuda.Role {
	switch s {
	case Reviewing:
		return remuda.Reviewer
	case Auditing:
		return remuda.Manager
	}
	return remuda.Labeler
}

func (t Task) conflict(why, hint string) error {
	return remuda.Errorf(remuda.Conflict, "task %s cannot be taken: %s", t.ID, why).WithHint("%s", hint)
}

// Take leases the task to a person for the stage that it waits for. Who holds
// it already keeps the same lease, renewed. A completed task is leased to be
// audited, which locks out other auditors.
func (t Task) Take(p Person, b Batch, now time.Time) (Task, []Event, error) {
	if err := (Candidate{t, b}).May(p, now); err != nil {
		return t, nil, err
	}
	next := t.next()
	if t.Lease.By == p.ID {
		next.Lease.Until = later(t.Lease.Until, now.Add(t.Plan.Lease))
		return next, nil, nil
	}
	var events []Event
	if t.Lease.By != "" {
		e := t.event(EventExpired, "", now, "")
		e.Person = t.Lease.By
		events = append(events, e)
	}
	next.Holders = added(t.Holders, Holder{p.ID, t.Stage()})
	next.Lease = Lease{Number: len(next.Holders), By: p.ID, Stage: t.Stage(), Since: now, Until: now.Add(t.Plan.Lease)}
	return next, append(events, next.event(EventLeased, p.ID, now, "")), nil
}

// Renew prolongs a lease, as every sign of work does, and keeps the draft that
// comes with it, if any, whose Lease is set to this one. A lease that ran out but that nobody else has taken is
// renewed too. If it has ended, the draft is kept and the error is ErrKept.
// It makes no event: the lease tells its own times.
func (t Task) Renew(by string, lease int, draft *Submission, now time.Time) (Task, error) {
	if err := t.heldBy(by, lease); err != nil {
		return t, err
	}
	if draft != nil {
		kept := *draft
		kept.Lease = lease
		draft = &kept
	}
	if t.ended(by, lease) {
		if draft == nil {
			return t, t.late()
		}
		next, _ := t.keep(by, *draft, now)
		return next, next.late()
	}
	next := t.next()
	next.Lease.Until = later(t.Lease.Until, now.Add(t.Plan.Lease))
	if draft != nil {
		next.Drafts = append(without(t.Drafts, by), Draft{By: by, Stage: t.Lease.Stage, At: now, Submission: *draft})
	}
	return next, nil
}

// Return gives the task back unfinished, without prejudice: anyone may take it,
// its holder too.
func (t Task) Return(by string, lease int, why string, now time.Time) (Task, []Event, error) {
	if err := t.holds(by, lease); err != nil {
		return t, nil, err
	}
	next := t.next()
	next.Lease = Lease{}
	return next, []Event{t.event(EventReturned, by, now, why)}, nil
}

// Skip gives the task back with the reason for which this person shall not get
// it again. When as many people as the plan says have skipped it, the task is
// set aside for a manager. A quality task that is skipped is canceled: it is
// for one person.
func (t Task) Skip(by string, lease int, reason string, now time.Time) (Task, []Event, error) {
	if err := t.holds(by, lease); err != nil {
		return t, nil, err
	}
	if err := t.workable("skipped"); err != nil {
		return t, nil, err
	}
	if err := given(reason, "skip"); err != nil {
		return t, nil, err
	}
	next := t.next()
	next.Lease = Lease{}
	next.Skips = added(t.Skips, Skip{By: by, At: now, Round: t.Round, Reason: reason})
	events := []Event{t.event(EventSkipped, by, now, reason)}
	if t.Kind != Real {
		next.Status = Canceled
		return next, append(events, next.event(EventCanceled, by, now, reason)), nil
	}
	if next.skips() >= t.Plan.Skips {
		next.Flag = &Flag{At: now, Reason: "skipped too often, the last time because: " + reason}
		events = append(events, next.event(EventFlagged, "", now, next.Flag.Reason))
	}
	return next, events, nil
}

// Raise sets the task aside with a question for a manager and gives it back.
// A quality task is canceled besides: it is for one person.
func (t Task) Raise(by string, lease int, reason string, now time.Time) (Task, []Event, error) {
	if err := t.holds(by, lease); err != nil {
		return t, nil, err
	}
	if err := t.workable("flagged"); err != nil {
		return t, nil, err
	}
	if err := given(reason, "flag"); err != nil {
		return t, nil, err
	}
	next := t.next()
	next.Lease = Lease{}
	events := []Event{t.event(EventFlagged, by, now, reason)}
	if t.Kind != Real {
		next.Status = Canceled
		return next, append(events, next.event(EventCanceled, by, now, reason)), nil
	}
	next.Flag = &Flag{By: by, At: now, Reason: reason}
	return next, events, nil
}

// workable refuses what makes no sense for audits, which are not obligatory.
func (t Task) workable(verb string) error {
	if t.Lease.Stage == Auditing {
		return remuda.Errorf(remuda.Invalid, "an audit cannot be %s", verb).WithHint("give the task back instead")
	}
	return nil
}

// heldBy refuses a lease that never was this person's.
func (t Task) heldBy(by string, lease int) error {
	if lease < 1 || lease > len(t.Holders) || t.Holders[lease-1].By != by {
		return remuda.Errorf(remuda.NotFound, "you have no lease %d of task %s", lease, t.ID).WithHint("ask for the next task")
	}
	return nil
}

// ended reports whether a lease that was this person's is so no longer.
func (t Task) ended(by string, lease int) bool { return t.Lease.By != by || t.Lease.Number != lease }

// holds refuses a lease that this person doesn't have now.
func (t Task) holds(by string, lease int) error {
	if err := t.heldBy(by, lease); err != nil {
		return err
	}
	if t.ended(by, lease) {
		return remuda.Errorf(remuda.Conflict, "task %s is no longer yours", t.ID).WithHint("ask for the next task")
	}
	return nil
}

func (t Task) late() error {
	return remuda.Errorf(remuda.Conflict, "task %s: %w", t.ID, ErrKept).
		WithHint("take the task again, if it still waits, to go on from the draft")
}

// keep keeps what came too late, for a lease that was this person's, as their
// draft. When it is kept already nothing changes.
func (t Task) keep(by string, s Submission, now time.Time) (Task, []Event) {
	stage := t.Holders[s.Lease-1].Stage
	for _, d := range t.Drafts {
		if d.By == by && d.Late && d.Stage == stage && reflect.DeepEqual(d.Submission, s) {
			return t, nil
		}
	}
	next := t.next()
	next.Drafts = append(without(t.Drafts, by), Draft{By: by, Stage: stage, At: now, Late: true, Submission: s})
	event := t.event(EventKept, by, now, "the lease had ended")
	event.Stage = stage
	return next, []Event{event}
}

func given(reason, what string) error {
	if reason == "" {
		return remuda.Errorf(remuda.Invalid, "a %s without a reason", what).WithHint("say why in a few words")
	}
	return nil
}

func later(a, b time.Time) time.Time {
	return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare)
}
