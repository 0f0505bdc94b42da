package label

import (
	"time"

	"remuda"
)

// Cancel ends a pending or failed task without a result. Canceling it again
// changes nothing; a task that somebody works on now, or that is completed, is
// not canceled.
func (t Task) Cancel(by, why string, now time.Time) (Task, []Event, error) {
	switch {
	case t.Status == Canceled:
		return t, nil, nil
	case t.Status == Completed:
		return t, nil, remuda.Errorf(remuda.Invalid, "task %s is completed and cannot be canceled", t.ID).
			WithHint("reject it in an audit, or label it again")
	case t.Held(now):
		return t, nil, remuda.Errorf(remuda.Conflict, "task %s is being worked on and cannot be canceled", t.ID).
			WithHint("try again after %s, or when it is handed in", remuda.FormatTime(t.Lease.Until))
	}
	next := t.next()
	next.Status, next.Lease, next.Flag, next.Proposal = Canceled, Lease{}, nil, nil
	return next, []Event{t.event(EventCanceled, by, now, why)}, nil
}

// Fail says that the task's image cannot be had. Only a pending task fails.
func (t Task) Fail(why string, now time.Time) (Task, []Event, error) {
	if t.Status != Pending {
		return t, nil, remuda.Errorf(remuda.Conflict, "task %s is %s and cannot fail", t.ID, t.Status).WithHint("nothing is to be done")
	}
	if err := given(why, "failure"); err != nil {
		return t, nil, err
	}
	next := t.next()
	next.Status, next.Failure, next.Lease = Failed, why, Lease{}
	return next, []Event{t.event(EventFailed, "", now, why)}, nil
}

// Retry makes a failed task pending again, where it stood.
func (t Task) Retry(by string, now time.Time) (Task, []Event, error) {
	if t.Status != Failed {
		return t, nil, remuda.Errorf(remuda.Conflict, "task %s is %s, not in error", t.ID, t.Status).WithHint("only a task in error is tried again")
	}
	next := t.next()
	next.Status, next.Failure = Pending, ""
	return next, []Event{t.event(EventRetried, by, now, "")}, nil
}

// Relabel has a completed task attempted anew, with the reason for it; the
// result becomes a prior one. It is refused while an auditor holds the task.
func (t Task) Relabel(by, why string, now time.Time) (Task, []Event, error) {
	if t.Status != Completed || t.Kind != Real {
		return t, nil, remuda.Errorf(remuda.Invalid, "task %s is %s and has no result to replace", t.ID, t.Status).
			WithHint("label again what is completed")
	}
	if t.Held(now) && t.Lease.By != by {
		return t, nil, remuda.Errorf(remuda.Conflict, "task %s is being audited", t.ID).
			WithHint("try again after %s, or when the audit is done", remuda.FormatTime(t.Lease.Until))
	}
	if err := given(why, "re-label"); err != nil {
		return t, nil, err
	}
	next := t.next().again()
	next.Note = why
	return next, []Event{t.event(EventRecalled, by, now, why)}, nil
}

// Resolve answers the flag of a task that is set aside. It waits again, for
// those who skipped it too, with the note for whoever does it next.
func (t Task) Resolve(by, note string, now time.Time) (Task, []Event, error) {
	if t.Flag == nil {
		return t, nil, remuda.Errorf(remuda.Conflict, "task %s is not set aside", t.ID).WithHint("it needs nothing")
	}
	next := t.next()
	next.Flag, next.Note, next.Skips = nil, note, nil
	return next, []Event{t.event(EventResolved, by, now, note)}, nil
}
