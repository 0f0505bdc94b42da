package label

import (
	"fmt"
	"time"
)

// Enrollment is whether a person works in a project, or is paused there and why.
type Enrollment struct {
	Person  string    `json:"person"`
	Project string    `json:"project"`
	Paused  bool      `json:"paused"`
	Since   time.Time `json:"since,omitzero"` // of the last pause or return: what was before no longer counts
	By      string    `json:"by,omitempty"`   // the manager who paused the person; "" when it was their accuracy
	Why     string    `json:"why,omitempty"`  // the notice, for the person to read
}

// Bar is the accuracy that is asked of people, and how it is judged.
type Bar struct {
	Accuracy float64 // 0 to 1; 0 pauses nobody
	Tasks    int     // evaluation tasks before anyone is judged; default 5
	Retake   int     // training tasks that a paused person passes to come back; default 5
}

// withDefaults fills in what isn't set.
func (b Bar) withDefaults() Bar {
	if b.Tasks < 1 {
		b.Tasks = 5
	}
	if b.Retake < 1 {
		b.Retake = 5
	}
	return b
}

// Judge looks at how a person did on quality tasks, whenever there is news. It
// pauses who is below the bar beyond chance: the whole interval of their
// accuracy on evaluation tasks since they last came back is (Standing.Below).
// So someone at the bar is paused by bad luck at one look of forty at most, and
// someone far below it after a few tasks. Who was paused for their accuracy
// comes back with the last training tasks of the pause, as many as the bar says,
// at the bar or above; whom a manager paused, a manager lets go on.
func (e Enrollment) Judge(graded []Graded, bar Bar, now time.Time) (Enrollment, []Event) {
	bar = bar.withDefaults()
	kind, window, least := Evaluation, 0, bar.Tasks
	if e.Paused {
		kind, window, least = Training, bar.Retake, bar.Retake
	}
	var counted []Scored
	for _, g := range graded {
		if g.Kind == kind && g.At.After(e.Since) {
			counted = append(counted, g.Scored)
		}
	}
	track := Accuracy(counted, window)
	if len(track) < least {
		return e, nil
	}
	standing := track[len(track)-1]
	accuracy := standing.Accuracy
	switch {
	case e.Paused && e.By == "" && accuracy.Value >= bar.Accuracy:
		return e.Resume("", fmt.Sprintf("passed %d training tasks with %.0f %%", standing.Tasks, 100*accuracy.Value), now)
	case !e.Paused && standing.Below(bar.Accuracy):
		return e.Pause("", fmt.Sprintf("of %d known boxes on %d images %.0f %% were right (%.0f to %.0f %%); %.0f %% are asked for. Pass the training tasks again to go on",
			accuracy.Of, standing.Tasks, 100*accuracy.Value, 100*accuracy.Interval[0], 100*accuracy.Interval[1], 100*bar.Accuracy), now)
	}
	return e, nil
}

// Pause keeps a person from real tasks of the project, with the notice that
// they read. What they hold they may hand in.
func (e Enrollment) Pause(by, why string, now time.Time) (Enrollment, []Event) {
	if e.Paused {
		return e, nil
	}
	e.Paused, e.Since, e.By, e.Why = true, now, by, why
	return e, []Event{e.event(EventPaused, by, now)}
}

// Resume lets a paused person go on; their accuracy is measured anew.
func (e Enrollment) Resume(by, why string, now time.Time) (Enrollment, []Event) {
	if !e.Paused {
		return e, nil
	}
	e.Paused, e.Since, e.By, e.Why = false, now, "", why
	return e, []Event{e.event(EventResumed, by, now)}
}

func (e Enrollment) event(kind EventKind, by string, now time.Time) Event {
	return Event{Kind: kind, At: now, By: by, Person: e.Person, Why: e.Why}
}
