package label

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"remuda"
	"remuda/geom"
)

// worker is a simulated person with the errors that were planted.
type worker struct {
	Person
	miss, extra, confuse float64       // chances, per box, image and box
	bias                 Edges         // pixels that each edge lies too far to the right or down
	pace                 time.Duration // per box
	vanish               float64       // chance to walk away from a task for hours
	gone                 bool          // for good
	rand                 *rand.Rand

	turns  int
	given  map[string]int
	graded []Graded
	enroll Enrollment
}

// draw is what a worker draws of what is there.
func (w *worker) draw(truth Answer) Answer {
	answer := Answer{Boxes: []Box{}}
	for _, b := range truth.Boxes {
		if w.rand.Float64() < w.miss {
			continue
		}
		noise := func() float64 { return 1.5 * w.rand.NormFloat64() }
		b.Box.X0 += w.bias.Left + noise()
		b.Box.Y0 += w.bias.Top + noise()
		b.Box.X1 += w.bias.Right + noise()
		b.Box.Y1 += w.bias.Bottom + noise()
		if w.rand.Float64() < w.confuse {
			b.Category = map[string]string{"horse": "cow", "cow": "horse"}[b.Category]
		}
		answer.Boxes = append(answer.Boxes, b)
	}
	if w.rand.Float64() < w.extra {
		answer.Boxes = append(answer.Boxes, Box{ID: "extra", Category: "horse", Box: geom.FromXYWH(640+100*w.rand.Float64(), 300, 40, 40)})
	}
	return answer
}

// simulation is a project whose people label everything. What it leaves is for
// tests: the tasks with their work, what is truly there, and the people.
type simulation struct {
	tasks   []Task
	truth   map[string]Answer // by task, quality tasks' instances included
	people  []*worker
	events  []Event
	batches map[string]Batch
	sampled int // population that the audit sample was drawn from

	quality  []QualityTask
	now      time.Time
	agenda   agenda
	rand     *rand.Rand
	index    map[string]int // of tasks
	buffer   []Candidate
	waiting  int // real tasks that are pending
	refused  int // writes based on an old copy
	late     int // answers kept as drafts
	resolved int
}

// appointment is what happens at a time.
type appointment struct {
	at  time.Time
	seq int
	do  func()
}

type agenda struct {
	list []appointment
	seq  int
}

func (a agenda) Len() int { return len(a.list) }
func (a agenda) Less(i, j int) bool {
	return cmp.Or(a.list[i].at.Compare(a.list[j].at), cmp.Compare(a.list[i].seq, a.list[j].seq)) < 0
}
func (a agenda) Swap(i, j int) { a.list[i], a.list[j] = a.list[j], a.list[i] }
func (a *agenda) Push(x any)   { a.list = append(a.list, x.(appointment)) }
func (a *agenda) Pop() any {
	last := a.list[len(a.list)-1]
	a.list = a.list[:len(a.list)-1]
	return last
}

func (s *simulation) after(d time.Duration, do func()) {
	s.agenda.seq++
	heap.Push(&s.agenda, appointment{s.now.Add(d), s.agenda.seq, do})
}

const (
	simTasks       = 2000
	simCalibration = 100 // of them, with three attempts
	simConsensus   = 400 // the next, with three attempts, reviewed where they disagree
	simEvaluations = 0.1 // rate
)

// simBar is the accuracy below which the simulation's people are paused.
func simBar() Bar { return Bar{Accuracy: 0.7} }

func simQuestion() Question {
	return Question{
		Taxonomy: Taxonomy{Version: 1, Categories: []Category{{Name: "animal", Children: []Category{{Name: "horse"}, {Name: "cow"}}}}},
		Width:    800, Height: 480,
	}
}

// simulated is the simulation that tests look at without changing it.
var simulated = sync.OnceValue(func() *simulation { return simulate(1) })

// simulate has 50 people label 2,000 tasks, and two managers audit a sample.
func simulate(seed uint64) *simulation {
	s := &simulation{
		truth: map[string]Answer{}, batches: map[string]Batch{}, index: map[string]int{},
		now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), rand: rand.New(rand.NewPCG(seed, 1)),
	}
	s.hire(seed)
	s.fill()
	for _, w := range s.people {
		s.after(time.Duration(s.rand.IntN(600))*time.Second, func() { s.ask(w) })
	}
	s.after(time.Hour, s.manage)
	for s.agenda.Len() > 0 && s.waiting > 0 {
		s.step()
	}
	s.audit()
	return s
}

func (s *simulation) step() {
	next := heap.Pop(&s.agenda).(appointment)
	s.now = next.at
	next.do()
}

// hire makes 36 labelers, 12 reviewers and two managers: the first two
// labelers are hopeless, and five of the others leave for good in mid-task.
func (s *simulation) hire(seed uint64) {
	for i := range 50 {
		w := &worker{
			Person: Person{ID: fmt.Sprintf("w%02d", i), Role: remuda.Labeler, Projects: []string{"farm"}},
			miss:   0.02 + 0.1*s.rand.Float64(), extra: 0.05 * s.rand.Float64(), confuse: 0.03 * s.rand.Float64(),
			bias: Edges{6*s.rand.Float64() - 3, 6*s.rand.Float64() - 3, 6*s.rand.Float64() - 3, 6*s.rand.Float64() - 3},
			pace: time.Duration(5+s.rand.IntN(30)) * time.Second, vanish: 0.02,
			rand: rand.New(rand.NewPCG(seed, uint64(100+i))), given: map[string]int{},
		}
		switch {
		case i < 2:
			w.miss, w.confuse = 0.5, 0.4
		case i >= 38 && i < 50:
			w.Role = remuda.Reviewer
		}
		w.enroll = Enrollment{Person: w.ID, Project: "farm"}
		s.people = append(s.people, w)
	}
}

// scene is what can be seen in an image: each animal in a cell of its own.
func (s *simulation) scene() Answer {
	answer := Answer{Boxes: []Box{}}
	for i, cell := range s.rand.Perm(12)[:s.rand.IntN(6)] {
		x, y := 160*float64(cell%4), 160*float64(cell/4)
		width, height := 60+60*s.rand.Float64(), 60+60*s.rand.Float64()
		answer.Boxes = append(answer.Boxes, Box{
			ID: fmt.Sprint(i), Category: []string{"horse", "cow"}[s.rand.IntN(2)],
			Box: geom.FromXYWH(x+20, y+20, width, height),
		})
	}
	return answer
}

func (s *simulation) fill() {
	plans := []struct {
		kind  BatchKind
		tasks int
		plan  Plan
	}{
		{Production, simTasks - simCalibration - simConsensus, Plan{Attempts: 1, Reviews: 1, Redo: true}},
		{Production, simConsensus, Plan{Attempts: 3, Reviews: 1, ReviewBelow: 0.7, Redo: true}},
		{Calibration, simCalibration, Plan{Attempts: 3, Reviews: 1}},
	}
	for i, p := range plans {
		b := Batch{Name: fmt.Sprintf("batch %d", i), Project: "farm", Kind: p.kind, Status: Staging, Plan: p.plan, Created: s.now.Add(time.Duration(i))}
		for range p.tasks {
			id := fmt.Sprintf("t%04d", len(s.tasks))
			t, events := NewTask(id, b, "boss", s.now)
			s.add(t, events, s.scene())
		}
		b, events := b.Finalize("boss", s.now)
		s.batches[b.Name] = b
		s.events = append(s.events, events...)
	}
	for i := range 40 {
		q := QualityTask{ID: fmt.Sprintf("q%02d", i), Project: "farm", Kind: Evaluation, Expected: s.scene()}
		if i < 5 {
			q.Kind = Training
		}
		if i >= 30 {
			initial := s.scene() // of another image: to be fixed
			q.Initial = &initial
		}
		s.quality = append(s.quality, q)
	}
}

func (s *simulation) add(t Task, events []Event, truth Answer) {
	s.index[t.ID] = len(s.tasks)
	s.tasks = append(s.tasks, t)
	s.truth[t.ID] = truth
	s.events = append(s.events, events...)
	if t.Kind == Real {
		s.waiting++
	}
}

// write keeps a decision if the task is still the one it was made on.
func (s *simulation) write(read, next Task, events []Event) bool {
	stored := &s.tasks[s.index[read.ID]]
	if stored.Expect(read.Revision) != nil {
		s.refused++
		return false
	}
	pending := func(t Task) int {
		if t.Kind == Real && t.Status == Pending {
			return 1
		}
		return 0
	}
	s.waiting += pending(next) - pending(*stored)
	*stored = next
	s.events = append(s.events, events...)
	return true
}

// ask has a worker look for work. Now and then somebody is quicker in taking
// what they chose.
func (s *simulation) ask(w *worker) {
	if w.gone {
		return
	}
	w.Paused = nil
	if w.enroll.Paused {
		w.Paused = []string{"farm"}
	}
	candidates := s.buffer[:0]
	for _, t := range s.tasks {
		if t.Status == Pending && (t.Only == "" || t.Only == w.ID) {
			candidates = append(candidates, Candidate{t, s.batches[t.Batch]})
		}
	}
	s.buffer = candidates
	course := Course{Quality: s.quality, Given: w.given, Turns: w.turns, Rate: simEvaluations, Seed: 7}
	choice, ok := Next(w.Person, candidates, map[string]Course{"farm": course}, s.now)
	if !ok {
		s.after(10*time.Minute, func() { s.ask(w) })
		return
	}
	t := candidates[choice.Candidate].Task
	if q := choice.Quality; q != nil {
		instance, events := q.Instance(fmt.Sprintf("i%04d", len(s.tasks)), s.batches[t.Batch], w.ID, s.now)
		s.add(instance, events, q.Expected)
		w.given[q.ID]++
		t = instance
	}
	take := func() { s.take(w, t) }
	if s.rand.IntN(4) == 0 {
		s.after(time.Duration(s.rand.IntN(8))*time.Second, take)
		return
	}
	take()
}

func (s *simulation) take(w *worker, read Task) {
	t, events, err := read.Take(w.Person, s.batches[read.Batch], s.now)
	if err != nil || !s.write(read, t, events) {
		s.ask(w)
		return
	}
	w.turns++
	chance := w.rand.Float64()
	work := w.pace * time.Duration(1+len(s.truth[t.ID].Boxes))
	switch {
	case w.turns == 20 && slices.Index(s.people, w)%10 == 3:
		w.gone = true // for good
	case chance < w.vanish:
		s.after(time.Duration(20+w.rand.IntN(300))*time.Minute, func() { s.submit(w, t, work) })
	case chance < w.vanish+0.015:
		s.after(time.Minute, func() { s.giveUp(w, t) })
	default:
		s.after(work, func() { s.submit(w, t, work) })
	}
}

func (s *simulation) stored(t Task) Task { return s.tasks[s.index[t.ID]] }

func (s *simulation) giveUp(w *worker, t Task) {
	read := s.stored(t)
	giveBack := read.Skip
	if w.rand.IntN(3) == 0 {
		giveBack = read.Raise
	}
	next, events, err := giveBack(w.ID, t.Lease.Number, "cannot tell", s.now)
	if err == nil {
		s.write(read, next, events)
	}
	s.after(time.Minute, func() { s.ask(w) })
}

// submit hands in what a worker did, warnings overridden.
func (s *simulation) submit(w *worker, t Task, active time.Duration) {
	read := s.stored(t)
	drawn := w.draw(s.truth[t.ID])
	work := Submission{Lease: t.Lease.Number, Answer: &drawn, Active: active, Taxonomy: 1}
	if t.Lease.Stage == Reviewing {
		work = w.review(*t.Proposal, drawn, work)
	}
	next, events, err := read.Submit(w.ID, work, simQuestion(), s.now)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		for _, f := range refusal.Findings {
			work.Overrides = append(work.Overrides, Override{f.Code, f.Box, "looked twice"})
		}
		next, events, err = read.Submit(w.ID, work, simQuestion(), s.now)
	}
	if errors.Is(err, ErrKept) {
		s.late++
		err = nil
	}
	if err == nil {
		s.write(read, next, events)
	}
	if next.Kind != Real && next.Status == Completed {
		s.grade(w, next)
	}
	s.after(5*time.Second, func() { s.ask(w) })
}

// review is what a reviewer makes of a proposal, who sees the image as well as
// they draw.
func (w *worker) review(proposal, drawn Answer, s Submission) Submission {
	f1, some := f1Of(Compare(proposal, drawn, 0.5))
	switch {
	case !some || f1 > 0.99:
		s.Verdict, s.Answer = Accepted, nil
	case w.rand.IntN(10) == 0:
		s.Verdict, s.Answer, s.Reason = Rejected, nil, "boxes are missing"
	default:
		s.Verdict = Fixed
	}
	return s
}

func (s *simulation) grade(w *worker, t Task) {
	i := slices.IndexFunc(s.quality, func(q QualityTask) bool { return q.ID == t.Quality })
	graded, err := s.quality[i].Grade(t, Options{})
	if err != nil {
		return
	}
	w.graded = append(w.graded, graded)
	enroll, events := w.enroll.Judge(w.graded, simBar(), s.now)
	w.enroll = enroll
	s.events = append(s.events, events...)
}

// manage answers what is set aside, every hour.
func (s *simulation) manage() {
	for _, t := range s.tasks {
		if t.Flag != nil {
			if next, events, err := t.Resolve("boss", "do your best", s.now); err == nil && s.write(t, next, events) {
				s.resolved++
			}
		}
	}
	s.after(time.Hour, s.manage)
}

// right is what an auditor accepts: every box found and none too many.
func right(answer, truth Answer) bool {
	correct, of := Compare(answer, truth, 0.5).Accuracy()
	return correct == of
}

// audit has two managers audit 200 results each, who see what is there. One of
// them rejects, whereupon people do the task again.
func (s *simulation) audit() {
	var done []string
	for _, t := range s.tasks {
		if _, ok := t.Label(); ok {
			done = append(done, t.ID)
		}
	}
	s.sampled = len(done)
	for _, id := range Sample(done, 400, 11) {
		t := s.tasks[s.index[id]]
		next, events, err := t.Choose("boss", s.now)
		if err == nil {
			s.write(t, next, events)
		}
	}
	auditors := []Person{{ID: "boss", Role: remuda.Manager}, {ID: "vice", Role: remuda.Manager}}
	for busy := true; busy; {
		busy = false
		for i, p := range auditors {
			if index, ok := NextAudit(p, s.tasks, s.now); ok {
				s.auditOne(p, s.tasks[index], i == 1)
				busy = true
			}
		}
		for s.waiting > 0 && s.agenda.Len() > 0 {
			s.step()
		}
	}
}

// auditOne takes a task on one turn and judges it on the next, so that the
// other auditor comes between.
func (s *simulation) auditOne(p Person, read Task, rejects bool) {
	if read.Lease.By != p.ID {
		if t, events, err := read.Take(p, s.batches[read.Batch], s.now); err == nil {
			s.write(read, t, events)
		}
		return
	}
	work := Submission{Lease: read.Lease.Number, Verdict: Accepted}
	if truth := s.truth[read.ID]; !right(*read.Result, truth) {
		work.Verdict, work.Answer, work.Reason = Fixed, &truth, "as it is"
		if rejects && read.Plan.Redo {
			work.Verdict, work.Answer = Rejected, nil
		}
		if len(truth.Boxes) == 0 {
			work.Overrides = []Override{{EmptyAnswer, "", "there is nothing"}}
		}
	}
	if next, events, err := read.Submit(p.ID, work, simQuestion(), s.now); err == nil {
		s.write(read, next, events)
	}
}
