package label

import (
	"fmt"
	"testing"
	"time"

	"remuda"
)

// open is a pending task of a batch, one attempt and one review.
func open(id string, b Batch, age time.Duration) Candidate {
	b.Plan = Plan{Attempts: 1, Reviews: 1}
	x, _ := NewTask(id, b, "fay", monday.Add(-age))
	return Candidate{x, b}
}

// attempted is one that bob attempted.
func attempted(t *testing.T, c Candidate) Candidate {
	t.Helper()
	c.Task = must(t)(c.Task.Take(bob, c.Batch, monday))
	c.Task = must(t)(c.Task.Submit("bob", Submission{Lease: 1, Answer: horse(10)}, modelQuestion, monday))
	return c
}

func TestNextTask(t *testing.T) {
	production := Batch{Name: "production", Project: "p", Kind: Production, Status: InProgress, Created: monday.Add(-time.Hour)}
	calibration := Batch{Name: "calibration", Project: "p", Kind: Calibration, Status: InProgress, Created: monday}
	urgent := open("urgent", production, 0)
	urgent.Task.Priority = 1
	all := []Candidate{
		open("young", production, time.Hour), open("old", production, 2*time.Hour), urgent,
		attempted(t, open("to review", production, 0)), open("calibration", calibration, 0),
	}
	held := open("held", production, 0)
	held.Task = must(t)(held.Task.Take(ann, production, monday.Add(-time.Hour)))
	drafted := open("drafted", production, 0)
	drafted.Task = must(t)(drafted.Task.Take(ann, production, monday))
	drafted.Task, _ = drafted.Task.Renew("ann", 1, &Submission{Answer: horse(10)}, monday)
	drafted.Task = must(t)(drafted.Task.Return("ann", 1, "", monday))
	others := open("bob's", production, 0)
	others.Task = must(t)(others.Task.Take(bob, production, monday))

	for _, c := range []struct {
		name   string
		person Person
		among  []Candidate
		want   string // "" for nothing
	}{
		{"calibration first", ann, all, "calibration"},
		{"reviews first for a reviewer", dot, all, "to review"},
		{"then the highest priority", ann, all[:4], "urgent"},
		{"then the oldest", ann, all[:2], "old"},
		{"no review for a labeler", ann, all[3:4], ""},
		{"no review of one's own work", Person{ID: "bob", Role: remuda.Reviewer, Projects: []string{"p"}}, all[3:4], ""},
		{"what is held already", ann, append(all[:5:5], held), "held"},
		{"what lies half done", ann, append(all[:5:5], drafted), "drafted"},
		{"not what another holds", ann, []Candidate{others}, ""},
		{"nothing in other projects", Person{ID: "cid", Role: remuda.Labeler}, all, ""},
		{"nothing", ann, nil, ""},
	} {
		choice, ok := Next(c.person, c.among, nil, monday)
		got := ""
		if ok {
			got = c.among[choice.Candidate].Task.ID
		}
		if got != c.want || choice.Quality != nil {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if ok {
			if _, _, err := c.among[choice.Candidate].Task.Take(c.person, c.among[choice.Candidate].Batch, monday); err != nil {
				t.Errorf("%s: chosen, but cannot be taken: %v", c.name, err)
			}
		}
	}
}

// pool is three training and twenty evaluation tasks for attempters, and one
// of each for reviewers.
func pool() (quality []QualityTask) {
	for i := range 23 {
		q := QualityTask{ID: fmt.Sprintf("q%02d", i), Project: "p", Kind: Evaluation, Expected: *horse(10)}
		if i < 3 {
			q.Kind = Training
		}
		quality = append(quality, q)
	}
	return append(quality,
		QualityTask{ID: "r0", Project: "p", Kind: Training, Expected: *horse(10), Initial: horse(20)},
		QualityTask{ID: "r1", Project: "p", Kind: Evaluation, Expected: *horse(10), Initial: horse(20)})
}

func TestTrainingComesFirstAndEvaluationAmongTheRest(t *testing.T) {
	work := []Candidate{open("t", modelBatch, 0)}
	const turns = 300
	counts := make(map[string]int)
	for person := range 20 {
		p := Person{ID: fmt.Sprint("person ", person), Role: remuda.Labeler, Projects: []string{"p"}}
		course := Course{Quality: pool(), Given: map[string]int{}, Rate: 0.05, Seed: 3}
		for turn := range turns {
			course.Turns = turn
			choice, ok := Next(p, work, map[string]Course{"p": course}, monday)
			if !ok {
				t.Fatal("nothing to do")
			}
			kind := Real
			if q := choice.Quality; q != nil {
				kind = q.Kind
				if course.Given[q.ID]++; course.Given[q.ID] > 1 || q.Stage() != Attempting {
					t.Fatalf("%s gets %s, a %s, again or at all", p.ID, q.ID, q.Stage())
				}
			}
			if (turn < 3) != (kind == Training) {
				t.Fatalf("%s, turn %d: %q", p.ID, turn+1, kind)
			}
			counts[string(kind)]++
		}
	}
	// 20 × 297 turns at 5 % are 297 ± 17 expected; five standard deviations.
	if n := counts[string(Evaluation)]; n < 212 || n > 382 {
		t.Errorf("%v", counts)
	}
	review := []Candidate{attempted(t, open("t", modelBatch, 0))}
	choice, _ := Next(dot, review, map[string]Course{"p": {Quality: pool()}}, monday)
	if choice.Quality == nil || choice.Quality.ID != "r0" {
		t.Errorf("before the first review: %+v", choice.Quality)
	}
	retired := pool()
	for i := range retired {
		retired[i].Retired = true
	}
	if choice, ok := Next(ann, work, map[string]Course{"p": {Quality: retired, Rate: 1}}, monday); !ok || choice.Quality != nil {
		t.Errorf("a retired task is given: %+v", choice.Quality)
	}
}

func TestPausedPeopleGetTrainingOnly(t *testing.T) {
	paused := ann
	paused.Paused = []string{"p"}
	work := []Candidate{open("t", modelBatch, 0)}
	if _, _, err := work[0].Task.Take(paused, modelBatch, monday); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a paused person takes a task: %v", err)
	}
	if _, ok := Next(paused, work, nil, monday); ok {
		t.Error("a paused person gets a task where there is no training")
	}
	if _, ok := Next(paused, work, map[string]Course{"p": {Quality: pool()[3:23], Rate: 1}}, monday); ok {
		t.Error("a paused person is evaluated")
	}
	course := Course{Quality: pool(), Given: map[string]int{}, Rate: 1, Seed: 3}
	for range 7 {
		choice, ok := Next(paused, work, map[string]Course{"p": course}, monday)
		if !ok || choice.Quality == nil || choice.Quality.Kind != Training {
			t.Fatalf("%+v", choice.Quality)
		}
		course.Given[choice.Quality.ID]++
		instance, _ := choice.Quality.Instance("i", modelBatch, "ann", monday)
		must(t)(instance.Take(paused, modelBatch, monday))
	}
	for _, id := range []string{"q00", "q01", "q02"} {
		if n := course.Given[id]; n < 2 || n > 3 {
			t.Errorf("%s came %d times in 7: the least given should come first", id, n)
		}
	}
	elsewhere := modelBatch
	elsewhere.Project = "q"
	paused.Projects = []string{"p", "q"}
	if choice, ok := Next(paused, []Candidate{work[0], open("u", elsewhere, 0)}, nil, monday); !ok || choice.Candidate != 1 {
		t.Error("a pause in one project is one in another")
	}
}

func TestNextAudit(t *testing.T) {
	chosen := func(id string, after time.Duration) Task {
		x := must(t)(completed(t, Plan{}).Choose("fay", monday))
		x.ID, x.Completed = id, monday.Add(after)
		return x
	}
	unchosen := completed(t, Plan{})
	done := must(t)(chosen("done", 0).AuditNow(fay, modelBatch, Submission{Verdict: Accepted}, modelQuestion, monday))
	locked := must(t)(chosen("locked", 0).Take(Person{ID: "gus", Role: remuda.Admin}, modelBatch, monday))
	mine := must(t)(chosen("mine", time.Hour).Take(fay, modelBatch, monday))
	for _, c := range []struct {
		name  string
		tasks []Task
		want  int // −1 for none
	}{
		{"the oldest", []Task{unchosen, done, locked, chosen("a", 2), chosen("b", 1)}, 4},
		{"the one held", []Task{chosen("a", 2), mine}, 1},
		{"none", []Task{unchosen, done, locked, fresh(Plan{})}, -1},
	} {
		index, ok := NextAudit(fay, c.tasks, monday)
		if !ok {
			index = -1
		}
		if index != c.want {
			t.Errorf("%s: %d, want %d", c.name, index, c.want)
		}
	}
	if _, ok := NextAudit(dot, []Task{chosen("a", 0)}, monday); ok {
		t.Error("a reviewer is given an audit")
	}
}

func TestStuckTasksAreSeen(t *testing.T) {
	c := open("t", modelBatch, 0)
	review := attempted(t, c)
	held := review
	held.Task = must(t)(held.Task.Take(dot, modelBatch, monday))
	skipped := c
	skipped.Task = must(t)(skipped.Task.Take(ann, modelBatch, monday))
	skipped.Task = must(t)(skipped.Task.Skip("ann", 1, "too dark", monday))
	flagged := c
	flagged.Task = must(t)(flagged.Task.Take(ann, modelBatch, monday))
	flagged.Task = must(t)(flagged.Task.Raise("ann", 1, "a mule?", monday))
	for _, x := range []struct {
		name   string
		c      Candidate
		people []Person
		stuck  bool
	}{
		{"open", c, []Person{ann}, false},
		{"no reviewer", review, []Person{ann, bob}, true},
		{"a reviewer", review, []Person{ann, dot}, false},
		{"held by the only reviewer", held, []Person{ann, dot}, false},
		{"held, another reviewer is there", held, []Person{{ID: "eve", Role: remuda.Reviewer, Projects: []string{"p"}}}, false},
		{"everyone skipped it", skipped, []Person{ann}, true},
		{"one has not skipped it", skipped, []Person{ann, bob}, false},
		{"flagged", flagged, []Person{ann, bob, dot}, true},
		{"completed", Candidate{completed(t, Plan{}), modelBatch}, nil, false},
	} {
		if why := x.c.Stuck(x.people); (why != "") != x.stuck {
			t.Errorf("%s: %q", x.name, why)
		}
	}
}
