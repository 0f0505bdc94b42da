package label

import (
	"time"

	"remuda"
)

// Submission is what a person hands in for a lease.
type Submission struct {
	Lease     int           `json:"lease"`
	Verdict   Verdict       `json:"verdict,omitempty"`   // of a review or an audit
	Reason    string        `json:"reason,omitempty"`    // why the verdict is what it is; needed to reject
	Answer    *Answer       `json:"answer,omitempty"`    // of an attempt, or of the verdict Fixed
	Overrides []Override    `json:"overrides,omitempty"` // of warnings
	Active    time.Duration `json:"active,omitempty"`    // time at work, as the page reports it

	Instruction int      `json:"instruction,omitempty"` // versions that the person saw
	Taxonomy    int      `json:"taxonomy,omitempty"`
	Confidence  *float64 `json:"confidence,omitempty"` // the person's own, 0 to 1
	Feedback    string   `json:"feedback,omitempty"`   // on the instructions
}

// Work is one attempt, review or audit that was handed in.
type Work struct {
	Stage Stage     `json:"stage"`
	By    string    `json:"by"`
	Round int       `json:"round"`
	Since time.Time `json:"since"` // when the lease began
	At    time.Time `json:"at"`    // when it was handed in
	Submission
}

// Question is what is asked about the task's image, for checks.
type Question struct {
	Taxonomy Taxonomy
	Width    float64 // of the upright image, in pixels
	Height   float64
	Merge    Options // how several attempts become one proposal
}

// Submit hands in what a lease was for: an attempt, or the verdict of a review
// or an audit. What was handed in already with this lease changes nothing, so
// that it can be sent again. If the lease has ended it is kept as a draft, the
// error is ErrKept, and the task returned is to be stored. An answer that
// fails a check is refused with a *Refusal.
func (t Task) Submit(by string, s Submission, q Question, now time.Time) (Task, []Event, error) {
	if err := t.heldBy(by, s.Lease); err != nil {
		return t, nil, err
	}
	for _, w := range t.Work {
		if w.By == by && w.Lease == s.Lease {
			return t, nil, nil
		}
	}
	if t.ended(by, s.Lease) {
		next, events := t.keep(by, s, now)
		return next, events, next.late()
	}
	if err := s.validate(t.Lease.Stage); err != nil {
		return t, nil, err
	}
	if s.Answer != nil {
		if err := Refuse(Check(*s.Answer, q), s.Overrides); err != nil {
			return t, nil, err
		}
	}
	work := Work{Stage: t.Lease.Stage, By: by, Round: t.Round, Since: t.Lease.Since, At: now, Submission: s}
	work.Active = min(max(s.Active, 0), max(now.Sub(work.Since), 0))
	next := t.next()
	next.Work = added(t.Work, work)
	next.Drafts = without(t.Drafts, by)
	var events []Event
	switch work.Stage {
	case Attempting:
		next, events = next.attempted(work, q, now)
	case Reviewing:
		next, events = next.reviewed(work, now)
	default:
		next, events = next.audited(work, now)
	}
	next.Lease = Lease{}
	return next, events, nil
}

// validate refuses a submission that lacks what its stage needs.
func (s Submission) validate(stage Stage) error {
	if s.Confidence != nil && !(*s.Confidence >= 0 && *s.Confidence <= 1) {
		return remuda.Errorf(remuda.Invalid, "a confidence of %v", *s.Confidence).WithHint("give 0 to 1")
	}
	if stage != Attempting {
		return s.validateVerdict(stage)
	}
	if s.Verdict != "" {
		return remuda.Errorf(remuda.Invalid, "an attempt has no verdict").WithHint("leave it out")
	}
	if s.Answer == nil {
		return remuda.Errorf(remuda.Invalid, "an attempt without an answer").WithHint("send its boxes, or an empty list if there is nothing to label")
	}
	return nil
}

// attempted is what follows from an attempt: after the last one of the round a
// proposal, which is reviewed or is the result.
func (t Task) attempted(w Work, q Question, now time.Time) (Task, []Event) {
	events := []Event{t.event(EventAttempted, w.By, now, "")}
	attempts := t.Attempts()
	if len(attempts) < t.Plan.Attempts {
		return t, events
	}
	proposal := w.Answer.Clone()
	if len(attempts) > 1 {
		answers := make([]Answer, len(attempts))
		for i, a := range attempts {
			answers[i] = a.Answer.Clone()
		}
		merged := Merge(answers, q.Merge)
		proposal, t.Agreement = merged.Answer(), merged.Agreement
	}
	t.Proposal = &proposal
	agreed := len(attempts) > 1 && t.Plan.ReviewBelow > 0 && t.Agreement >= t.Plan.ReviewBelow
	if t.Plan.Reviews > 0 && !agreed {
		return t, events
	}
	t, done := t.complete(now)
	return t, append(events, done)
}

// complete makes the proposal the result. An instance of a quality task has none.
func (t Task) complete(now time.Time) (Task, Event) {
	t.Status, t.Completed = Completed, now
	if t.Kind == Real {
		t.Result = t.Proposal
	}
	t.Proposal, t.Note = nil, ""
	return t, t.event(EventCompleted, "", now, "")
}

// again starts the next round, in which the task is attempted anew by anyone. A
// result becomes a prior one.
func (t Task) again() Task {
	if t.Result != nil {
		t.Prior = added(t.Prior, *t.Result)
	}
	t.Status, t.Completed, t.Result = Pending, time.Time{}, nil
	t.Proposal, t.Agreement = nil, 0
	t.Lease = Lease{}
	t.Round++
	return t
}
