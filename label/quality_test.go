package label

import (
	"testing"
	"time"

	"remuda"
)

func TestQualityTasksComeFromResultsThatAManagerStandsFor(t *testing.T) {
	done := completed(t, Plan{})
	judged := func(s Submission) Task { return must(t)(done.AuditNow(fay, modelBatch, s, modelQuestion, monday)) }
	self := modelBatch
	self.Kind = SelfLabel
	for _, c := range []struct {
		name string
		task Task
		b    Batch
		x0   float64 // of the expected box; 0 where it is refused
	}{
		{"not audited", done, modelBatch, 0},
		{"accepted", judged(Submission{Verdict: Accepted}), modelBatch, 10},
		{"fixed", judged(Submission{Verdict: Fixed, Answer: horse(40)}), modelBatch, 40},
		{"rejected", judged(Submission{Verdict: Rejected, Reason: "loose"}), modelBatch, 0},
		{"self-labeled", done, self, 10},
		{"pending", fresh(Plan{}), self, 0},
	} {
		q, err := QualityFrom(c.task, c.b, "q", Evaluation, nil)
		switch {
		case c.x0 == 0 && (remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == ""):
			t.Errorf("%s: %v", c.name, err)
		case c.x0 != 0 && (err != nil || q.Expected.Boxes[0].Box.X0 != c.x0 || q.From != "t" || q.Project != "p"):
			t.Errorf("%s: %+v, %v", c.name, q, err)
		}
	}
	if _, err := QualityFrom(done, self, "q", Real, nil); err == nil {
		t.Error("a quality task of no kind")
	}
}

func TestInstancesAreOnePersonsAndNeverLabels(t *testing.T) {
	for name, q := range map[string]QualityTask{
		"attempt": {ID: "q", Project: "p", Kind: Evaluation, Expected: *horse(10)},
		"review":  {ID: "q", Project: "p", Kind: Training, Expected: *horse(10), Initial: horse(20)},
	} {
		x, events := q.Instance("i", modelBatch, "dot", monday)
		all := events
		if x.Stage() != q.Stage() {
			t.Errorf("%s: stage %s", name, x.Stage())
		}
		if _, _, err := x.Take(fay, modelBatch, monday); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("%s: another person takes it: %v", name, err)
		}
		step := func(next Task, events []Event, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			x, all = next, append(all, events...)
		}
		step(x.Take(dot, modelBatch, monday))
		s := Submission{Lease: 1, Answer: horse(10)}
		if q.Initial != nil {
			s.Verdict = Fixed
		}
		step(x.Submit("dot", s, modelQuestion, monday))
		if _, ok := x.Label(); ok || x.Result != nil || x.Status != Completed {
			t.Errorf("%s: %s with the result %v", name, x.Status, x.Result)
		}
		for _, err := range []error{
			third(x.Take(fay, modelBatch, monday)), third(x.Relabel("fay", "again", monday)), third(x.Choose("fay", monday)),
		} {
			if err == nil {
				t.Errorf("%s: a finished instance goes on", name)
			}
		}
		for _, e := range all {
			if e.CallsBack() {
				t.Errorf("%s: the world outside hears that it is %s", name, e.Kind)
			}
		}
	}
	skipped, _ := QualityTask{ID: "q", Kind: Evaluation}.Instance("i", modelBatch, "ann", monday)
	skipped = must(t)(skipped.Take(ann, modelBatch, monday))
	if skipped = must(t)(skipped.Skip("ann", 1, "too dark", monday)); skipped.Status != Canceled || skipped.Flag != nil {
		t.Errorf("skipped, it is %s", skipped.Status)
	}
}

func TestGrades(t *testing.T) {
	two := Answer{Boxes: append(horse(10).Boxes, Box{ID: "2", Category: "horse", Box: horse(60).Boxes[0].Box})}
	none := Answer{Boxes: []Box{}}
	for _, c := range []struct {
		name        string
		expected    Answer
		initial     *Answer
		verdict     Verdict
		given       *Answer
		correct, of int
	}{
		{"right", two, nil, "", &two, 2, 2},
		{"one missed", two, nil, "", horse(10), 1, 2},
		{"one elsewhere", *horse(10), nil, "", horse(40), 0, 2},
		{"rightly nothing", none, nil, "", &none, 1, 1},
		{"wrongly something", none, nil, "", horse(10), 0, 1},
		{"wrongly nothing", two, nil, "", &none, 0, 2},
		{"rightly accepted", two, &two, Accepted, nil, 2, 2},
		{"wrongly accepted", two, horse(10), Accepted, nil, 1, 2},
		{"fixed", two, horse(10), Fixed, &two, 2, 2},
		{"rightly rejected", two, horse(10), Rejected, nil, 2, 2},
		{"wrongly rejected", two, &two, Rejected, nil, 0, 2},
	} {
		q := QualityTask{ID: "q", Project: "p", Kind: Evaluation, Expected: c.expected, Initial: c.initial}
		x, _ := q.Instance("i", modelBatch, "dot", monday)
		x = must(t)(x.Take(dot, modelBatch, monday))
		x = must(t)(x.Submit("dot", Submission{
			Lease: 1, Verdict: c.verdict, Answer: c.given, Reason: "see there",
			Overrides: []Override{{EmptyAnswer, "", "nothing there"}},
		}, modelQuestion, monday.Add(time.Minute)))
		got, err := q.Grade(x, Options{})
		want := Graded{Evaluation, Scored{monday.Add(time.Minute), c.correct, c.of}}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, want)
		}
	}
	q := QualityTask{ID: "q", Kind: Evaluation, Expected: two}
	for name, x := range map[string]Task{"a real task": completed(t, Plan{}), "an unfinished one": first3(q.Instance("i", modelBatch, "dot", monday))} {
		if _, err := q.Grade(x, Options{}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s is graded: %v", name, err)
		}
	}
}

func first3(x Task, _ []Event) Task { return x }

// graded is n quality tasks of ten boxes each, so many right, a minute apart.
func graded(kind Kind, start time.Time, n, correct int) (list []Graded) {
	for i := range n {
		list = append(list, Graded{kind, Scored{start.Add(time.Duration(i+1) * time.Minute), correct, 10}})
	}
	return list
}

func TestPauseAndTheWayBack(t *testing.T) {
	bar := Bar{Accuracy: 0.8, Tasks: 5, Retake: 3}
	e := Enrollment{Person: "ann", Project: "p"}
	for _, c := range []struct {
		name   string
		graded []Graded
		bar    Bar
		paused bool
	}{
		{"nothing known", nil, bar, false},
		{"too few", graded(Evaluation, monday, 4, 2), bar, false},
		{"far below", graded(Evaluation, monday, 5, 4), bar, true},
		{"just below, which may be chance", graded(Evaluation, monday, 5, 7), bar, false},
		{"just below for long", graded(Evaluation, monday, 60, 7), bar, true},
		{"above", graded(Evaluation, monday, 60, 9), bar, false},
		{"training doesn't count", graded(Training, monday, 9, 1), bar, false},
		{"no bar", graded(Evaluation, monday, 60, 1), Bar{}, false},
	} {
		next, events := e.Judge(c.graded, c.bar, monday.Add(time.Hour))
		if next.Paused != c.paused || c.paused != (len(events) == 1 && events[0].Kind == EventPaused && events[0].Person == "ann" && next.Why != "") {
			t.Errorf("%s: %+v, %+v", c.name, next, events)
		}
	}

	at := monday.Add(24 * time.Hour)
	bad := graded(Evaluation, monday, 5, 4)
	e, _ = e.Judge(bad, bar, at)
	for _, c := range []struct {
		name     string
		training []Graded
		paused   bool
	}{
		{"training of before the pause", graded(Training, monday, 9, 10), true},
		{"too little", graded(Training, at, 2, 10), true},
		{"not well enough", graded(Training, at, 9, 7), true},
		{"passed", graded(Training, at, 3, 8), false},
		{"passed at last", append(graded(Training, at, 4, 2), graded(Training, at.Add(time.Hour), 3, 9)...), false},
	} {
		next, events := e.Judge(append(bad[:5:5], c.training...), bar, at.Add(2*time.Hour))
		if next.Paused != c.paused || c.paused == (len(events) == 1 && events[0].Kind == EventResumed) {
			t.Errorf("%s: %+v, %+v", c.name, next, events)
		}
		if !c.paused {
			if again, _ := next.Judge(append(bad[:5:5], c.training...), bar, at.Add(3*time.Hour)); again.Paused {
				t.Errorf("%s: paused again for what was before", c.name)
			}
		}
	}

	manual, _ := Enrollment{Person: "ann"}.Pause("fay", "draws with the left foot", at)
	if next, _ := manual.Judge(graded(Training, at, 9, 10), bar, at.Add(time.Hour)); !next.Paused {
		t.Error("training lifts a manager's pause")
	}
	if next, events := manual.Resume("fay", "found the mouse", at.Add(time.Hour)); next.Paused || next.By != "" || len(events) != 1 || events[0].By != "fay" {
		t.Errorf("%+v, %+v", next, events)
	}
}
