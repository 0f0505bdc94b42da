package label

import (
	"time"

	"remuda"
)

// Verdict is what a review or an audit finds.
type Verdict string

// The verdicts.
const (
	Accepted Verdict = "accepted" // right as it is
	Fixed    Verdict = "fixed"    // with the answer that is right
	Rejected Verdict = "rejected" // with the reason
)

// validateVerdict refuses a verdict that lacks what it needs.
func (s Submission) validateVerdict(stage Stage) error {
	switch {
	case s.Verdict != Accepted && s.Verdict != Fixed && s.Verdict != Rejected:
		return remuda.Errorf(remuda.Invalid, "%s with the verdict %q", stage, s.Verdict).WithHint("the verdicts are accepted, fixed and rejected")
	case s.Verdict == Fixed && s.Answer == nil:
		return remuda.Errorf(remuda.Invalid, "a fix without an answer").WithHint("send the boxes as they should be")
	case s.Verdict != Fixed && s.Answer != nil:
		return remuda.Errorf(remuda.Invalid, "an answer with the verdict %s", s.Verdict).WithHint("to change boxes, choose fixed")
	case s.Verdict == Rejected:
		return given(s.Reason, "rejection")
	}
	return nil
}

// reviewed is what follows from a review. Rejected, the task is attempted anew;
// otherwise, after the last review, the proposal is the result. An instance of
// a quality task ends with any verdict.
func (t Task) reviewed(w Work, now time.Time) (Task, []Event) {
	event := t.event(EventReviewed, w.By, now, w.Reason)
	event.Verdict = w.Verdict
	events := []Event{event}
	if w.Verdict == Fixed {
		fix := w.Answer.Clone()
		t.Proposal = &fix
	}
	if w.Verdict == Rejected && t.Kind == Real {
		return t.again(), events
	}
	if t.count(Reviewing) < t.Plan.Reviews && t.Kind == Real {
		return t, events
	}
	t, done := t.complete(now)
	return t, append(events, done)
}
