package label

import "time"

// EventKind is what an event tells.
type EventKind string

// What can happen to a task.
const (
	EventCreated   EventKind = "created"
	EventLeased    EventKind = "leased"
	EventExpired   EventKind = "expired"  // a lease ran out and someone else took the task
	EventReturned  EventKind = "returned" // given back unfinished, without prejudice
	EventSkipped   EventKind = "skipped"
	EventFlagged   EventKind = "flagged"  // set aside for a manager
	EventResolved  EventKind = "resolved" // a flag, by a manager
	EventKept      EventKind = "kept"     // an answer came after its lease had ended, and is a draft
	EventAttempted EventKind = "attempted"
	EventReviewed  EventKind = "reviewed" // with a Verdict
	EventCompleted EventKind = "completed"
	EventSampled   EventKind = "sampled"  // chosen to be audited
	EventAudited   EventKind = "audited"  // with a Verdict
	EventRecalled  EventKind = "recalled" // a completed task is pending again
	EventCanceled  EventKind = "canceled"
	EventFailed    EventKind = "failed"  // its image cannot be had
	EventRetried   EventKind = "retried" // a failed task is pending again
)

// What can happen to a batch.
const (
	EventBatchFinalized EventKind = "batch finalized"
	EventBatchReopened  EventKind = "batch reopened"  // for more tasks
	EventBatchCompleted EventKind = "batch completed" // its last task was
	EventBatchResumed   EventKind = "batch resumed"   // a task of it is pending again
)

// What can happen to a person in a project.
const (
	EventPaused  EventKind = "paused"
	EventResumed EventKind = "resumed"
)

// Event is a change that happened: the history of a task, a batch or a person,
// and what callbacks are made of.
type Event struct {
	Kind    EventKind `json:"kind"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"` // the person who did it; "" for the system
	Task    string    `json:"task,omitempty"`
	Quality bool      `json:"quality,omitempty"` // the task is an instance of a quality task
	Batch   string    `json:"batch,omitempty"`   // of the task, or the batch itself
	Person  string    `json:"person,omitempty"`  // to whom it happened, where that isn't By
	Round   int       `json:"round,omitempty"`   // of the task
	Stage   Stage     `json:"stage,omitempty"`   // of the lease that began or ended
	Verdict Verdict   `json:"verdict,omitempty"`
	Why     string    `json:"why,omitempty"`
}

// CallsBack reports whether the labeling API tells the task's or the batch's
// callback address of the event: a task's error, completion, audit and recall,
// and a batch's completion. Nobody outside hears of quality tasks.
func (e Event) CallsBack() bool {
	if e.Quality {
		return false
	}
	switch e.Kind {
	case EventFailed, EventCompleted, EventAudited, EventRecalled, EventBatchCompleted:
		return true
	}
	return false
}

// event returns an event of the task as it is.
func (t Task) event(kind EventKind, by string, now time.Time, why string) Event {
	return Event{Kind: kind, At: now, By: by, Task: t.ID, Quality: t.Kind != Real, Batch: t.Batch, Round: t.Round, Stage: t.Lease.Stage, Why: why}
}
