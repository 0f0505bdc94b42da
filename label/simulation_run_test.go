package label

import (
	"slices"
	"testing"
)

// Ensure that 50 people, some of whom disappear, bring 2,000 tasks through
// attempts, reviews and audits: none lost, none done twice, none judged by who
// did it, never in two hands.
func TestFiftyPeopleLabelEverything(t *testing.T) {
	s := simulated()
	t.Logf("until %v, %d tasks with instances, %d events, %d writes on old copies refused, %d late answers kept, %d flags resolved",
		s.now, len(s.tasks), len(s.events), s.refused, s.late, s.resolved)
	if s.refused == 0 || s.late == 0 || s.resolved == 0 {
		t.Error("the simulation tests less than it should: nobody collided, was late or was stuck")
	}
	real := 0
	for _, x := range s.tasks {
		_, label := x.Label()
		if label != (x.Kind == Real) && x.Status == Completed {
			t.Errorf("%s of kind %q has a label: %t", x.ID, x.Kind, label)
		}
		if x.Kind != Real {
			continue
		}
		real++
		if x.Status != Completed {
			t.Errorf("%s was lost: it is %s, stage %s", x.ID, x.Status, x.Stage())
		}
		doneOnce(t, x)
	}
	if real != simTasks {
		t.Errorf("%d real tasks came out of %d", real, simTasks)
	}
	neverInTwoHands(t, s)
}

// doneOnce complains where a round has too many attempts or reviews, or two
// things by one person; audits may not be by who did the round's work.
func doneOnce(t *testing.T, x Task) {
	t.Helper()
	type key struct {
		round int
		stage Stage
	}
	count := make(map[key]int)
	people := make(map[int][]string)
	for _, w := range x.Work {
		count[key{w.Round, w.Stage}]++
		if slices.Contains(people[w.Round], w.By) {
			t.Errorf("%s: %s does the %s of round %d after having worked on it", x.ID, w.By, w.Stage, w.Round)
		}
		if w.Stage != Auditing {
			people[w.Round] = append(people[w.Round], w.By)
		}
	}
	for k, n := range count {
		if k.stage == Attempting && n != x.Plan.Attempts || k.stage == Reviewing && n > x.Plan.Reviews {
			t.Errorf("%s has %d × %s in round %d", x.ID, n, k.stage, k.round)
		}
	}
	if n := count[key{x.Round, Reviewing}]; n != x.Plan.Reviews && x.Agreement < x.Plan.ReviewBelow {
		t.Errorf("%s went past its review with an agreement of %v", x.ID, x.Agreement)
	}
}

// neverInTwoHands reads the history: a lease begins where none is.
func neverInTwoHands(t *testing.T, s *simulation) {
	t.Helper()
	holder := make(map[string]string)
	for _, e := range s.events {
		switch e.Kind {
		case EventLeased:
			if holder[e.Task] != "" {
				t.Errorf("%s takes %s while %s holds it", e.By, e.Task, holder[e.Task])
			}
			holder[e.Task] = e.By
		case EventExpired, EventReturned, EventSkipped, EventFlagged, EventAttempted, EventReviewed, EventAudited:
			holder[e.Task] = ""
		}
	}
}

// Ensure everyone trains first, and evaluation tasks come at the set rate.
func TestSimulatedQualityTasks(t *testing.T) {
	s := simulated()
	turns := make(map[string][]Kind)
	for _, e := range s.events {
		if x := s.tasks[max(s.index[e.Task], 0)]; e.Kind == EventLeased && e.Stage == Attempting && e.Task == x.ID {
			turns[e.By] = append(turns[e.By], x.Kind)
		}
	}
	evaluations, all := 0, 0
	for _, w := range s.people {
		kinds := turns[w.ID]
		for i, k := range kinds {
			if (i < 5) != (k == Training) && !w.everPaused(s) {
				t.Errorf("%s: turn %d is %q", w.ID, i+1, k)
			}
		}
		for _, k := range kinds[min(5, len(kinds)):min(60, len(kinds))] { // before they run out of evaluation tasks
			all++
			if k == Evaluation {
				evaluations++
			}
		}
	}
	if share := float64(evaluations) / float64(all); share < 0.08 || share > 0.12 {
		t.Errorf("%d of %d turns were evaluation tasks, %v were asked for", evaluations, all, simEvaluations)
	}
	for i, w := range s.people {
		if hopeless := i < 2; w.everPaused(s) != hopeless {
			t.Errorf("%s, who misses %.0f %%, paused: %t", w.ID, 100*w.miss, w.everPaused(s))
		}
	}
}

func (w *worker) everPaused(s *simulation) bool {
	return slices.ContainsFunc(s.events, func(e Event) bool { return e.Kind == EventPaused && e.Person == w.ID })
}

// Ensure the audit's estimate holds the true error rate of what nobody audited.
func TestSimulatedAuditEstimate(t *testing.T) {
	s := simulated()
	tally := Count(s.tasks, s.sampled)
	unseen, err := tally.Unseen()
	if err != nil || tally.Audited != 400 || tally.Rejected == 0 || tally.Fixed == 0 {
		t.Fatalf("%+v: %v", tally, err)
	}
	wrong, rest := 0, 0
	for _, x := range s.tasks {
		if answer, ok := x.Label(); ok && !x.Sampled {
			rest++
			if !right(answer, s.truth[x.ID]) {
				wrong++
			}
		}
	}
	truth := float64(wrong) / float64(rest)
	if rest != unseen.Tasks || truth < unseen.Interval[0] || truth > unseen.Interval[1] {
		t.Errorf("%d of %d unseen results are wrong, %.3f; the estimate is %+v", wrong, rest, truth, unseen)
	}
	for _, x := range s.tasks {
		if audit, ok := x.Audit(); ok && audit.Verdict == Fixed && !right(*x.Result, s.truth[x.ID]) {
			t.Errorf("%s was fixed and is still wrong", x.ID)
		}
	}
}
