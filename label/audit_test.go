package label

import (
	"fmt"
	"slices"
	"testing"

	"remuda"
)

func TestAuditsLockOutOtherAuditors(t *testing.T) {
	gus := Person{ID: "gus", Role: remuda.Admin}
	x := must(t)(completed(t, Plan{}).Take(fay, modelBatch, monday))
	if _, _, err := x.Take(gus, modelBatch, monday); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("gus takes it too: %v", err)
	}
	if _, _, err := x.AuditNow(gus, modelBatch, Submission{Verdict: Accepted}, modelQuestion, monday); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("gus's program audits it too: %v", err)
	}
	if _, _, err := x.Relabel("gus", "new rules", monday); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("gus has it labeled again: %v", err)
	}
	if _, _, err := completed(t, Plan{}).Take(Person{ID: "ann", Role: remuda.Admin}, modelBatch, monday); err == nil {
		t.Error("ann audits her own work")
	}
	if _, _, err := completed(t, Plan{}).Take(dot, modelBatch, monday); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a reviewer audits: %v", err)
	}
}

func TestAuditVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		plan   Plan
		s      Submission
		status Status
		x0     float64 // of the label
		prior  int
		events []EventKind
	}{
		{"accepted", Plan{}, Submission{Verdict: Accepted}, Completed, 10, 0, []EventKind{EventLeased, EventAudited}},
		{"fixed", Plan{}, Submission{Verdict: Fixed, Answer: horse(40)}, Completed, 40, 1, []EventKind{EventLeased, EventAudited}},
		{"rejected", Plan{}, Submission{Verdict: Rejected, Reason: "loose"}, Completed, 10, 0, []EventKind{EventLeased, EventAudited}},
		{"rejected, redone", Plan{Redo: true}, Submission{Verdict: Rejected, Reason: "loose"}, Pending, 0, 1, []EventKind{EventLeased, EventAudited, EventRecalled}},
	} {
		x, events, err := completed(t, c.plan).AuditNow(fay, modelBatch, c.s, modelQuestion, monday)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var kinds []EventKind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		if x.Status != c.status || len(x.Prior) != c.prior || !slices.Equal(kinds, c.events) {
			t.Errorf("%s: %s, %d prior results, events %v", c.name, x.Status, len(x.Prior), kinds)
		}
		if label, ok := x.Label(); ok && label.Boxes[0].Box.X0 != c.x0 {
			t.Errorf("%s: the label is %+v", c.name, label)
		}
		if again, events, err := x.AuditNow(fay, modelBatch, c.s, modelQuestion, monday); c.s.Answer == nil &&
			(err != nil || len(events) != 0 || again.Revision != x.Revision) {
			t.Errorf("%s, sent again: %v, %v", c.name, events, err)
		}
	}
	if _, _, err := fresh(Plan{}).AuditNow(fay, modelBatch, Submission{Verdict: Accepted}, modelQuestion, monday); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("audit of a pending task: %v", err)
	}
}

func TestSampleGrowsWithoutChangingItsMind(t *testing.T) {
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprint(i))
	}
	small, large := Sample(ids, 50, 1), Sample(ids, 100, 1)
	slices.Reverse(ids)
	if again := Sample(append(ids, ids[0]), 50, 1); !slices.Equal(again, small) {
		t.Error("the order of ids, or one that is there twice, changes the sample")
	}
	for _, id := range small {
		if !slices.Contains(large, id) {
			t.Errorf("%s is in the sample of 50 and not in that of 100", id)
		}
	}
	if other := Sample(ids, 50, 2); slices.Equal(other, small) {
		t.Error("another seed gives the same sample")
	}
	if n := len(Sample(ids, 2000, 1)); n != 1000 {
		t.Errorf("a sample of 2000 of 1000 has %d", n)
	}
	if n := len(Sample(ids, -1, 1)); n != 0 {
		t.Errorf("a sample of −1 has %d", n)
	}
}

func TestSampleIsFair(t *testing.T) {
	var ids []string
	for i := range 20 {
		ids = append(ids, fmt.Sprint(i))
	}
	const draws = 4000
	count := make(map[string]int)
	for seed := range uint64(draws) {
		for _, id := range Sample(ids, 5, seed) {
			count[id]++
		}
	}
	for _, id := range ids { // 1000 ± 27 expected; five standard deviations
		if n := count[id]; n < 863 || n > 1137 {
			t.Errorf("%s was drawn %d times of %d, a quarter was expected", id, n, draws)
		}
	}
}

func TestErrorRateOfTheUnseen(t *testing.T) {
	for _, c := range []struct {
		tally  Tally
		unseen Unseen
		fails  bool
	}{
		{tally: Tally{Population: 100}, fails: true},
		{tally: Tally{Population: 10, Audited: 11}, fails: true},
		{tally: Tally{Population: 10, Audited: 10, Fixed: 3}, unseen: Unseen{}},
		// One audit, right: 0 wrong of 9 can't be told from 9 of 10 wrong, of which a right one had a chance of 10 %.
		{tally: Tally{Population: 10, Audited: 1}, unseen: Unseen{Tasks: 9, Interval: Interval{0, 1}}},
		// Of two, one wrong: with 1 wrong of 4 the chance of it is 1/2, with 3 the same; 2 or fewer are left.
		{tally: Tally{Population: 4, Audited: 2, Rejected: 1}, unseen: Unseen{Tasks: 2, Rate: 0.5, Interval: Interval{0, 1}}},
		// None wrong of 50 among 100: 5 left wrong have a chance of C(95,50)/C(100,50) = 2.8 %, 6 of 1.3 %.
		{tally: Tally{Population: 100, Audited: 50}, unseen: Unseen{Tasks: 50, Interval: Interval{0, 0.1}}},
	} {
		unseen, err := c.tally.Unseen()
		if (err != nil) != c.fails || unseen != c.unseen {
			t.Errorf("%+v: %+v, %v; want %+v", c.tally, unseen, err, c.unseen)
		}
	}
}

func TestTallyCountsTheSampleByItsFirstAudit(t *testing.T) {
	audited := func(sampled bool, verdicts ...Verdict) Task {
		x := Task{Sampled: sampled, Work: []Work{{Stage: Attempting}}}
		for _, v := range verdicts {
			x.Work = append(x.Work, Work{Stage: Auditing, Submission: Submission{Verdict: v}})
		}
		return x
	}
	got := Count([]Task{
		audited(true, Accepted), audited(true, Fixed), audited(true, Rejected, Accepted), audited(true), audited(false, Rejected), audited(false),
	}, 200)
	if want := (Tally{Population: 200, Sampled: 4, Audited: 3, Fixed: 1, Rejected: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
