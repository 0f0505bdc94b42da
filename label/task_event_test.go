package label

import "testing"

func TestWhatTheWorldOutsideHears(t *testing.T) {
	heard := map[EventKind]bool{EventFailed: true, EventCompleted: true, EventAudited: true, EventRecalled: true, EventBatchCompleted: true}
	for _, kind := range []EventKind{
		EventCreated, EventLeased, EventExpired, EventReturned, EventSkipped, EventFlagged, EventResolved, EventKept, EventAttempted, EventReviewed,
		EventCompleted, EventSampled, EventAudited, EventRecalled, EventCanceled, EventFailed, EventRetried,
		EventBatchFinalized, EventBatchReopened, EventBatchCompleted, EventBatchResumed, EventPaused, EventResumed,
	} {
		if got := (Event{Kind: kind}).CallsBack(); got != heard[kind] {
			t.Errorf("%s: %t", kind, got)
		}
		if (Event{Kind: kind, Quality: true}).CallsBack() {
			t.Errorf("%s of a quality task is heard outside", kind)
		}
	}
}
