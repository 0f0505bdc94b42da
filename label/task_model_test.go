package label

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"remuda"
	"remuda/geom"
)

// model is what a task must be, told without its data structure.
type model struct {
	plan              Plan
	now               time.Time
	status            Status
	round             int
	attempts, reviews int // done in this round
	flagged           bool
	holder            string
	lease             int
	until             time.Time
	holders           []Holder
	handedIn          map[int]bool
	worked, skipped   map[string]bool // in this round
	skips             int
	agreed            bool
	fix               *Answer // the round's last
}

func (m *model) stage() Stage {
	switch {
	case m.status == Completed:
		return Auditing
	case m.status != Pending:
		return ""
	case m.attempts < m.plan.Attempts:
		return Attempting
	}
	return Reviewing
}

func (m *model) free() { m.holder, m.lease, m.until = "", 0, time.Time{} }

func (m *model) newRound() {
	m.round++
	m.status, m.attempts, m.reviews = Pending, 0, 0
	m.worked, m.skipped = map[string]bool{}, map[string]bool{}
	m.skips, m.fix = 0, nil
	m.free()
}

func (m *model) mayTake(p Person) bool {
	if m.stage() == "" {
		return false
	}
	if m.holder == p.ID {
		return true
	}
	able := map[Stage]bool{Attempting: true, Reviewing: p.Role != remuda.Labeler, Auditing: p.Role == remuda.Manager}[m.stage()]
	held := m.holder != "" && m.now.Before(m.until)
	return able && !held && !m.flagged && !m.worked[p.ID] && !m.skipped[p.ID]
}

// take applies a Take that is allowed.
func (m *model) take(p Person) {
	if m.holder != p.ID {
		m.holders = append(m.holders, Holder{p.ID, m.stage()})
		m.holder, m.lease = p.ID, len(m.holders)
	}
	m.until = m.now.Add(m.plan.Lease)
}

// submit applies a submission that is allowed and first for its lease.
func (m *model) submit(p Person, v Verdict, answer *Answer) {
	stage := m.stage()
	if v == Fixed {
		m.fix = answer
	}
	m.handedIn[m.lease] = true
	m.free()
	if stage != Auditing {
		m.worked[p.ID] = true
	}
	switch {
	case stage == Attempting:
		m.attempts++
		if m.attempts == m.plan.Attempts && (m.plan.Reviews == 0 || m.plan.ReviewBelow > 0 && m.plan.Attempts > 1 && m.agreed) {
			m.status = Completed
		}
	case stage == Reviewing && v == Rejected, stage == Auditing && v == Rejected && m.plan.Redo:
		m.newRound()
	case stage == Reviewing:
		m.reviews++
		if m.reviews == m.plan.Reviews {
			m.status = Completed
		}
	}
}

// world is a stored task, the model beside it and people with copies of the
// task that may be old.
type world struct {
	model
	stored Task
	events []Event
	people []Person
	views  map[string]Task
	answer func(person string) *Answer
	words  int // reasons given
}

var modelBatch = Batch{Name: "b", Project: "p", Kind: Production, Status: InProgress}

var modelQuestion = Question{
	Taxonomy: Taxonomy{Version: 1, Categories: []Category{{Name: "horse"}}}, Width: 100, Height: 100,
}

func horse(x float64) *Answer {
	return &Answer{Boxes: []Box{{ID: "1", Category: "horse", Box: geom.FromXYWH(x, 10, 9, 9)}}}
}

func newWorld(t *rapid.T) *world {
	plan := Plan{
		Attempts:    rapid.IntRange(1, 3).Draw(t, "attempts"),
		Reviews:     rapid.IntRange(0, 2).Draw(t, "reviews"),
		ReviewBelow: rapid.SampledFrom([]float64{0, 0.5}).Draw(t, "review below"),
		Skips:       2,
		Redo:        rapid.Bool().Draw(t, "redo"),
	}.WithDefaults()
	w := &world{views: make(map[string]Task)}
	for id, role := range map[string]remuda.Role{
		"ann": remuda.Labeler, "bob": remuda.Labeler, "cid": remuda.Labeler,
		"dot": remuda.Reviewer, "eve": remuda.Reviewer, "fay": remuda.Manager, "gus": remuda.Manager,
	} {
		w.people = append(w.people, Person{ID: id, Role: role, Projects: []string{"p"}})
	}
	slices.SortFunc(w.people, func(a, b Person) int { return slices.Compare([]byte(a.ID), []byte(b.ID)) })
	w.model = model{
		plan: plan, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), status: Pending, round: 1,
		handedIn: map[int]bool{}, worked: map[string]bool{}, skipped: map[string]bool{},
		agreed: rapid.Bool().Draw(t, "agreed"),
	}
	w.answer = func(person string) *Answer {
		if w.agreed {
			return horse(10)
		}
		return horse(10 * float64(person[0]-'a'))
	}
	b := modelBatch
	b.Plan = plan
	w.stored, w.events = NewTask("t", b, "fay", w.now)
	for _, p := range w.people {
		w.views[p.ID] = w.stored
	}
	return w
}

// outcome is what the model expects of an act on a fresh copy.
type outcome int

const (
	refused outcome = iota
	unchanged
	kept
	changed
)

// act has a person decide on their copy and write the decision back. The
// first error is the decision's, and must be what the model says if the copy is
// fresh; a decision on an old copy must never be written.
func (w *world) act(t *rapid.T, p Person, want outcome, apply func(), decide func(Task) (Task, []Event, error)) {
	view := w.views[p.ID]
	before := asJSON(t, view)
	next, events, err := decide(view)
	if asJSON(t, view) != before {
		t.Fatalf("the old copy was changed")
	}
	moved := next.Revision != view.Revision
	if moved && next.Revision != view.Revision+1 {
		t.Fatalf("revision %d became %d", view.Revision, next.Revision)
	}
	if !moved && asJSON(t, next) != before {
		t.Fatalf("the task was changed under the same revision")
	}
	if w.stored.Expect(view.Revision) != nil {
		w.views[p.ID] = w.stored // refused; read it again
		return
	}
	got := refused
	switch {
	case err == nil && moved:
		got = changed
	case err == nil:
		got = unchanged
	case errors.Is(err, ErrKept):
		got = kept
	}
	if got != want {
		t.Fatalf("outcome %d (%v), the model says %d: %s", got, err, want, before)
	}
	if err != nil && remuda.HintOf(err) == "" {
		t.Fatalf("%v doesn't say what to do", err)
	}
	if got == kept && len(next.Drafts) == 0 {
		t.Fatalf("kept nothing")
	}
	if moved {
		w.stored = next
		w.events = append(w.events, events...)
	}
	w.views[p.ID] = w.stored
	if got == changed {
		apply()
	}
}

func asJSON(t *rapid.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// when picks the outcome of an act that changes the task when allowed.
func when(allowed bool) outcome {
	if allowed {
		return changed
	}
	return refused
}

func (w *world) person(t *rapid.T) Person { return rapid.SampledFrom(w.people).Draw(t, "person") }

// worker is mostly the one who holds the task.
func (w *world) worker(t *rapid.T) Person {
	for _, p := range w.people {
		if p.ID == w.holder && rapid.IntRange(0, 2).Draw(t, "other") > 0 {
			return p
		}
	}
	return w.person(t)
}

// someLease is a lease that the person might name: mostly their last one.
func (w *world) someLease(t *rapid.T, p Person) int {
	mine := 0
	for i, h := range w.holders {
		if h.By == p.ID {
			mine = i + 1
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "odd lease") == 0 {
		return rapid.IntRange(0, len(w.holders)+1).Draw(t, "lease")
	}
	return mine
}

func (w *world) was(p Person, lease int) bool {
	return lease >= 1 && lease <= len(w.holders) && w.holders[lease-1].By == p.ID
}

func (w *world) is(p Person, lease int) bool {
	return w.holder == p.ID && w.lease == lease && lease > 0
}

func (w *world) look(t *rapid.T) { p := w.person(t); w.views[p.ID] = w.stored }

func (w *world) tick(t *rapid.T) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "minutes")) * time.Minute)
}

func (w *world) takeTask(t *rapid.T) {
	p := w.person(t)
	w.act(t, p, when(w.mayTake(p)), func() { w.take(p) }, func(x Task) (Task, []Event, error) { return x.Take(p, modelBatch, w.now) })
}

func (w *world) renew(t *rapid.T) {
	p := w.worker(t)
	lease := w.someLease(t, p)
	want := refused
	switch {
	case w.is(p, lease):
		want = changed
	case w.was(p, lease):
		want = kept
	}
	w.act(t, p, want, func() { w.until = w.now.Add(w.plan.Lease) }, func(x Task) (Task, []Event, error) {
		next, err := x.Renew(p.ID, lease, &Submission{Answer: w.answer(p.ID)}, w.now)
		return next, nil, err
	})
}

func (w *world) giveBack(t *rapid.T) {
	p := w.worker(t)
	lease := w.someLease(t, p)
	w.act(t, p, when(w.is(p, lease)), w.free, func(x Task) (Task, []Event, error) { return x.Return(p.ID, lease, "", w.now) })
}

func (w *world) skip(t *rapid.T) {
	p := w.worker(t)
	lease := w.someLease(t, p)
	w.act(t, p, when(w.is(p, lease) && w.stage() != Auditing), func() {
		w.free()
		w.skipped[p.ID] = true
		w.skips++
		w.flagged = w.skips >= w.plan.Skips
	}, func(x Task) (Task, []Event, error) { return x.Skip(p.ID, lease, "too dark", w.now) })
}

func (w *world) raise(t *rapid.T) {
	p := w.worker(t)
	lease := w.someLease(t, p)
	w.act(t, p, when(w.is(p, lease) && w.stage() != Auditing), func() { w.free(); w.flagged = true },
		func(x Task) (Task, []Event, error) { return x.Raise(p.ID, lease, "is a mule a horse?", w.now) })
}

func (w *world) submitTask(t *rapid.T) {
	p := w.worker(t)
	s := Submission{Lease: w.someLease(t, p)}
	if w.was(p, s.Lease) && w.holders[s.Lease-1].Stage != Attempting {
		s.Verdict = rapid.SampledFrom([]Verdict{Accepted, Fixed, Rejected}).Draw(t, "verdict")
		s.Reason = "loose"
	}
	if s.Verdict == "" || s.Verdict == Fixed {
		s.Answer = w.answer(p.ID)
	}
	want := refused
	switch {
	case !w.was(p, s.Lease):
	case w.handedIn[s.Lease]:
		want = unchanged
	case w.is(p, s.Lease):
		want = changed
	default:
		want = kept
	}
	w.act(t, p, want, func() { w.submit(p, s.Verdict, s.Answer) }, func(x Task) (Task, []Event, error) { return x.Submit(p.ID, s, modelQuestion, w.now) })
}

func (w *world) auditNow(t *rapid.T) {
	p := w.person(t)
	allowed := w.status == Completed && w.mayTake(p)
	w.words++
	s := Submission{Verdict: Rejected, Reason: fmt.Sprint("wrong ", w.words)} // the same word twice counts once (audit_test.go)
	w.act(t, p, when(allowed), func() { w.take(p); w.submit(p, Rejected, nil) },
		func(x Task) (Task, []Event, error) { return x.AuditNow(p, modelBatch, s, modelQuestion, w.now) })
}

func (w *world) manage(t *rapid.T) {
	p := w.people[len(w.people)-1]
	busy := w.holder != "" && w.now.Before(w.until)
	switch rapid.SampledFrom([]string{"cancel", "fail", "retry", "relabel"}).Draw(t, "act") {
	case "cancel":
		want := when(w.status != Completed && !busy)
		if w.status == Canceled {
			want = unchanged
		}
		w.act(t, p, want, func() { w.status, w.flagged = Canceled, false; w.free() },
			func(x Task) (Task, []Event, error) { return x.Cancel(p.ID, "", w.now) })
	case "fail":
		w.act(t, p, when(w.status == Pending), func() { w.status = Failed; w.free() },
			func(x Task) (Task, []Event, error) { return x.Fail("no such image", w.now) })
	case "retry":
		w.act(t, p, when(w.status == Failed), func() { w.status = Pending },
			func(x Task) (Task, []Event, error) { return x.Retry(p.ID, w.now) })
	case "relabel":
		w.act(t, p, when(w.status == Completed && (!busy || w.holder == p.ID)), w.newRound,
			func(x Task) (Task, []Event, error) { return x.Relabel(p.ID, "new rules", w.now) })
	}
}

func (w *world) resolve(t *rapid.T) {
	p := w.people[len(w.people)-1]
	w.act(t, p, when(w.flagged), func() { w.flagged, w.skips, w.skipped = false, 0, map[string]bool{} },
		func(x Task) (Task, []Event, error) { return x.Resolve(p.ID, "it is not", w.now) })
}

// check compares the stored task with the model, and looks for what must never be.
func (w *world) check(t *rapid.T) {
	x := w.stored
	if x.Status != w.status || x.Stage() != w.stage() || x.Round != w.round || (x.Flag != nil) != w.flagged ||
		x.Lease.By != w.holder || x.Lease.Number != w.lease || !slices.Equal(x.Holders, w.holders) {
		t.Fatalf("the model has status %s, stage %s, round %d, holder %q (lease %d), flag %t; the task is %s",
			w.status, w.stage(), w.round, w.holder, w.lease, w.flagged, asJSON(t, x))
	}
	label, ok := x.Label()
	if ok != (w.status == Completed) {
		t.Fatalf("has a label: %t, but is %s", ok, w.status)
	}
	if ok && w.fix != nil && asJSON(t, label) != asJSON(t, *w.fix) {
		t.Fatalf("the label isn't what was fixed last")
	}
	seen := make(map[string]bool)
	for _, work := range x.Work {
		if work.Stage != Auditing && work.Round == x.Round && seen[work.By] {
			t.Fatalf("%s did two things in round %d", work.By, x.Round)
		}
		seen[work.By] = seen[work.By] || work.Round == x.Round
	}
	if len(x.Work) != len(w.handedIn) {
		t.Fatalf("%d things were handed in, %d are kept", len(w.handedIn), len(x.Work))
	}
	completed, recalled := 0, 0
	for _, e := range w.events {
		switch e.Kind {
		case EventCompleted:
			completed++
		case EventRecalled:
			recalled++
		}
	}
	if open := completed - recalled; open != map[bool]int{true: 1}[w.status == Completed] {
		t.Fatalf("the history has %d completions and %d recalls, the task is %s", completed, recalled, w.status)
	}
}

// Ensure a task follows the model whatever people do to it, in any order and
// with old copies in their hands.
func TestTaskFollowsTheModel(t *testing.T) {
	const rounds = 8 // of rapid's hundred sequences
	for range rounds {
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(t)
			t.Repeat(map[string]func(*rapid.T){
				"look": w.look, "tick": w.tick, "take": w.takeTask, "take 2": w.takeTask, "take 3": w.takeTask,
				"renew": w.renew, "return": w.giveBack, "skip": w.skip, "raise": w.raise,
				"submit": w.submitTask, "submit 2": w.submitTask, "submit 3": w.submitTask,
				"audit": w.auditNow, "manage": w.manage, "resolve": w.resolve, "": w.check,
			})
		})
	}
}
