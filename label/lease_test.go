package label

import (
	"errors"
	"testing"
	"time"

	"remuda"
)

var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

var (
	ann = Person{ID: "ann", Role: remuda.Labeler, Projects: []string{"p"}}
	bob = Person{ID: "bob", Role: remuda.Labeler, Projects: []string{"p"}}
	dot = Person{ID: "dot", Role: remuda.Reviewer, Projects: []string{"p"}}
	fay = Person{ID: "fay", Role: remuda.Manager}
)

// must ends the test on an error and returns the task.
func must(t *testing.T) func(Task, []Event, error) Task {
	return func(x Task, _ []Event, err error) Task {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// fresh is a task of a batch with the plan.
func fresh(plan Plan) Task {
	b := modelBatch
	b.Plan = plan
	x, _ := NewTask("t", b, "fay", monday)
	return x
}

// completed is a task that ann attempted.
func completed(t *testing.T, plan Plan) Task {
	t.Helper()
	x := must(t)(fresh(plan).Take(ann, modelBatch, monday))
	return must(t)(x.Submit("ann", Submission{Lease: 1, Answer: horse(10), Taxonomy: 1}, modelQuestion, monday.Add(time.Minute)))
}

func TestLeaseThatRanOutStillCountsUntilSomeoneTakesTheTask(t *testing.T) {
	x := must(t)(fresh(Plan{}).Take(ann, modelBatch, monday))
	evening := monday.Add(9 * time.Hour)
	if x.Held(evening) {
		t.Fatal("a closed laptop holds its task all day")
	}
	done := must(t)(x.Submit("ann", Submission{Lease: 1, Answer: horse(10)}, modelQuestion, evening))
	if done.Status != Completed {
		t.Errorf("the answer left the task %s", done.Status)
	}
	taken, events, err := x.Take(bob, modelBatch, evening)
	if err != nil || len(events) != 2 || events[0].Kind != EventExpired || events[0].Person != "ann" || events[1].Kind != EventLeased {
		t.Errorf("bob takes over: %+v, %v", events, err)
	}
	if taken.Lease.By != "bob" {
		t.Errorf("%q holds the task", taken.Lease.By)
	}
}

func TestWorkRenewsALease(t *testing.T) {
	x := must(t)(fresh(Plan{Lease: 10 * time.Minute}).Take(ann, modelBatch, monday))
	now := monday
	for range 5 {
		now = now.Add(9 * time.Minute)
		var err error
		if x, err = x.Renew("ann", 1, nil, now); err != nil || !x.Held(now.Add(9*time.Minute)) {
			t.Fatalf("renewed at %v: until %v, %v", now, x.Lease.Until, err)
		}
	}
}

func TestLateAnswerIsKeptAsADraft(t *testing.T) {
	x := must(t)(fresh(Plan{Attempts: 3}).Take(ann, modelBatch, monday))
	later := monday.Add(time.Hour)
	x = must(t)(x.Take(bob, modelBatch, later))

	late := Submission{Lease: 1, Answer: horse(30)}
	x, events, err := x.Submit("ann", late, modelQuestion, later)
	if !errors.Is(err, ErrKept) || remuda.CodeOf(err) != remuda.Conflict || remuda.HintOf(err) == "" {
		t.Fatalf("error %v", err)
	}
	if len(events) != 1 || events[0].Kind != EventKept || len(x.Attempts()) != 0 || x.Lease.By != "bob" {
		t.Errorf("events %+v, %d attempts, held by %q", events, len(x.Attempts()), x.Lease.By)
	}
	if again, events, err := x.Submit("ann", late, modelQuestion, later); !errors.Is(err, ErrKept) || len(events) != 0 || again.Revision != x.Revision {
		t.Errorf("sent again: %+v, %v, revision %d after %d", events, err, again.Revision, x.Revision)
	}
	if _, _, err := x.Submit("dot", late, modelQuestion, later); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("somebody else's lease: %v", err)
	}

	x = must(t)(x.Submit("bob", Submission{Lease: 2, Answer: horse(10)}, modelQuestion, later))
	x = must(t)(x.Take(ann, modelBatch, later))
	if draft, ok := x.DraftOf("ann"); !ok || draft.Answer.Boxes[0].Box.X0 != 30 {
		t.Errorf("ann, back at the task, finds %+v", draft)
	}
	draft, _ := x.DraftOf("ann")
	draft.Lease = x.Lease.Number
	if x = must(t)(x.Submit("ann", draft, modelQuestion, later)); len(x.Attempts()) != 2 || len(x.Drafts) != 0 {
		t.Errorf("%d attempts, %d drafts", len(x.Attempts()), len(x.Drafts))
	}
}

func TestReasonsAreAskedFor(t *testing.T) {
	attempt := must(t)(fresh(Plan{Reviews: 1}).Take(ann, modelBatch, monday))
	done := completed(t, Plan{})
	audited := must(t)(done.Take(fay, modelBatch, monday))
	for name, err := range map[string]error{
		"skip":            third(attempt.Skip("ann", 1, "", monday)),
		"flag":            third(attempt.Raise("ann", 1, "", monday)),
		"re-label":        third(done.Relabel("fay", "", monday)),
		"failure":         third(fresh(Plan{}).Fail("", monday)),
		"rejection":       third(audited.Submit("fay", Submission{Lease: 2, Verdict: Rejected}, modelQuestion, monday)),
		"no verdict":      third(audited.Submit("fay", Submission{Lease: 2}, modelQuestion, monday)),
		"fix of nothing":  third(audited.Submit("fay", Submission{Lease: 2, Verdict: Fixed}, modelQuestion, monday)),
		"accept and fix":  third(audited.Submit("fay", Submission{Lease: 2, Verdict: Accepted, Answer: horse(1)}, modelQuestion, monday)),
		"no answer":       third(attempt.Submit("ann", Submission{Lease: 1}, modelQuestion, monday)),
		"verdict":         third(attempt.Submit("ann", Submission{Lease: 1, Verdict: Accepted, Answer: horse(1)}, modelQuestion, monday)),
		"skipping audits": third(audited.Skip("fay", 2, "dull", monday)),
	} {
		if remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func third(_ Task, _ []Event, err error) error { return err }

func TestSkippedTooOftenIsSetAside(t *testing.T) {
	x := fresh(Plan{Skips: 2})
	for i, p := range []Person{ann, bob} {
		x = must(t)(x.Take(p, modelBatch, monday))
		x = must(t)(x.Skip(p.ID, i+1, "too dark", monday))
	}
	if x.Flag == nil || x.May(dot, monday) == nil {
		t.Fatalf("flag %+v; may dot: %v", x.Flag, x.May(dot, monday))
	}
	x = must(t)(x.Resolve("fay", "label what you can see", monday))
	if x.May(ann, monday) != nil || x.Note != "label what you can see" {
		t.Errorf("note %q; may ann: %v", x.Note, x.May(ann, monday))
	}
}

func TestActiveTimeIsNoLongerThanTheLease(t *testing.T) {
	for _, c := range []struct{ reported, want time.Duration }{
		{20 * time.Second, 20 * time.Second}, {time.Hour, time.Minute}, {-time.Second, 0},
	} {
		x := must(t)(fresh(Plan{}).Take(ann, modelBatch, monday))
		x = must(t)(x.Submit("ann", Submission{Lease: 1, Answer: horse(10), Active: c.reported}, modelQuestion, monday.Add(time.Minute)))
		if got := x.Work[0].Active; got != c.want {
			t.Errorf("reported %v, kept %v, want %v", c.reported, got, c.want)
		}
	}
}

func TestPlanLimits(t *testing.T) {
	if err := (Plan{}).WithDefaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for name, change := range map[string]func(*Plan){
		"no attempts":   func(p *Plan) { p.Attempts = -1 },
		"six attempts":  func(p *Plan) { p.Attempts = 6 },
		"four reviews":  func(p *Plan) { p.Reviews = 4 },
		"agreement 2":   func(p *Plan) { p.ReviewBelow = 2 },
		"a second":      func(p *Plan) { p.Lease = time.Second },
		"never aside":   func(p *Plan) { p.Skips = -1 },
		"a week's hold": func(p *Plan) { p.Lease = 7 * 24 * time.Hour },
	} {
		p := Plan{}.WithDefaults()
		change(&p)
		if err := p.Validate(); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAgreementDecidesOverReview(t *testing.T) {
	for _, c := range []struct {
		name   string
		second float64
		want   Status
	}{{"agree", 10, Completed}, {"differ", 60, Pending}} {
		x := fresh(Plan{Attempts: 2, Reviews: 1, ReviewBelow: 0.6})
		x = must(t)(x.Take(ann, modelBatch, monday))
		x = must(t)(x.Submit("ann", Submission{Lease: 1, Answer: horse(10)}, modelQuestion, monday))
		x = must(t)(x.Take(bob, modelBatch, monday))
		x = must(t)(x.Submit("bob", Submission{Lease: 2, Answer: horse(c.second)}, modelQuestion, monday))
		if x.Status != c.want {
			t.Errorf("%s (%.2f): %s, want %s", c.name, x.Agreement, x.Status, c.want)
		}
	}
}
