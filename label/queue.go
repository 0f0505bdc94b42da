package label

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"remuda"
)

// Candidate is a task that somebody might do next, with its batch. The answers
// in the task aren't needed.
type Candidate struct {
	Task  Task
	Batch Batch
}

// May says why a person may not take the task now, or nil.
func (c Candidate) May(p Person, now time.Time) error {
	if err := c.Task.May(p, now); err != nil || c.Task.Lease.By == p.ID {
		return err
	}
	if c.Task.Stage() == Auditing {
		return nil // audits go on while a batch is reopened
	}
	if err := c.Batch.May(p); err != nil {
		return err
	}
	if p.paused(c.Batch.Project) && c.Task.Kind != Training {
		return remuda.Errorf(remuda.Unauthorized, "you are paused in project %q", c.Batch.Project).
			WithHint("do the training tasks again, or ask a manager to let you go on")
	}
	return nil
}

// Choice is what somebody is to do next: a candidate, or instead of it, but in
// its batch, an instance of a quality task.
type Choice struct {
	Candidate int // index
	Quality   *QualityTask
}

// Next chooses what a person does next, among candidates of any projects in any
// order, and reports whether there is anything. It is the task that they hold,
// so that a page that was closed goes on where it was; else one of which they
// have kept a draft; else reviews come before attempts, then the order of
// batches (Batch.Order) decides, then the tasks' priority, highest first, then
// age. In front of the tasks of a project come its training tasks, and among
// them, at the course's rate, evaluation tasks; courses are by project.
//
// A store hands in the person's own tasks (held, with a draft, or only theirs)
// and, of those that they may take, the first few in the order above.
//
// Several people who ask at once may be given the same task: the store keeps
// the first Take and has the others choose again.
func Next(p Person, candidates []Candidate, courses map[string]Course, now time.Time) (Choice, bool) {
	best, found := Choice{}, false
	for i, c := range candidates {
		if c.Task.Stage() == Auditing || found && c.order(candidates[best.Candidate], p) >= 0 {
			continue
		}
		if choice, ok := p.choose(i, c, courses[c.Batch.Project], now); ok {
			best, found = choice, true
		}
	}
	return best, found
}

// NextAudit returns the index of the task that a person audits next: the one
// they hold, else the oldest result that was chosen to be audited, has not been
// yet, and isn't their own work.
func NextAudit(p Person, tasks []Task, now time.Time) (index int, found bool) {
	for i, t := range tasks {
		if t.Stage() != Auditing || t.May(p, now) != nil {
			continue
		}
		held := t.Lease.By == p.ID
		if _, audited := t.Audit(); !held && (!t.Sampled || audited) {
			continue
		}
		best := tasks[index]
		if !found || cmp.Or(cmp.Compare(first(held), first(best.Lease.By == p.ID)), t.Completed.Compare(best.Completed), cmp.Compare(t.ID, best.ID)) < 0 {
			index, found = i, true
		}
	}
	return index, found
}

// choose returns what a candidate leads to for a person: itself, a quality task
// or nothing.
func (p Person) choose(index int, c Candidate, course Course, now time.Time) (Choice, bool) {
	choice := Choice{Candidate: index}
	if c.Task.Kind != Real || c.Task.Lease.By == p.ID {
		return choice, c.May(p, now) == nil
	}
	ready := p
	ready.Paused = nil // a pause leads to training
	if c.May(ready, now) != nil {
		return choice, false
	}
	choice.Quality = course.instead(p, c.Task.Stage(), p.paused(c.Batch.Project))
	return choice, choice.Quality != nil || !p.paused(c.Batch.Project)
}

// order compares two candidates by which a person should get first.
func (c Candidate) order(o Candidate, p Person) int {
	if c.Task.ID == o.Task.ID {
		return 0
	}
	return cmp.Or(
		cmp.Compare(first(c.Task.Lease.By == p.ID), first(o.Task.Lease.By == p.ID)),
		cmp.Compare(first(c.Task.Only == p.ID), first(o.Task.Only == p.ID)),
		cmp.Compare(first(c.Task.drafted(p.ID)), first(o.Task.drafted(p.ID))),
		cmp.Compare(first(c.Task.Stage() == Reviewing), first(o.Task.Stage() == Reviewing)),
		c.Batch.Order(o.Batch),
		-cmp.Compare(c.Task.Priority, o.Task.Priority),
		c.Task.Created.Compare(o.Task.Created),
		cmp.Compare(c.Task.ID, o.Task.ID),
	)
}

func (t Task) drafted(person string) bool {
	_, ok := t.DraftOf(person)
	return ok
}

// Stuck says why none of the people can take a pending task, whoever holds it,
// or "" if one can: too few are left who haven't worked on it, or it is set
// aside. Managers see such tasks; without people they would wait for ever.
func (c Candidate) Stuck(people []Person) string {
	t := c.Task
	if t.Status != Pending || t.Kind != Real {
		return ""
	}
	if t.Flag != nil {
		return "it is set aside: " + t.Flag.Reason
	}
	t.Lease = Lease{}
	c.Task = t
	if slices.ContainsFunc(people, func(p Person) bool { return c.May(p, time.Time{}) == nil }) {
		return ""
	}
	return "nobody is left who may do its " + string(t.Stage()) + ": the others have worked on it, have skipped it, are paused or are not assigned"
}

// Course is a project's quality tasks and what one person has had of them.
type Course struct {
	Quality []QualityTask
	Given   map[string]int // how often the person was given each, by id
	Turns   int            // tasks that the person was given in the project, quality tasks included
	Rate    float64        // share of turns that are evaluation tasks, 0 to 1
	Seed    uint64         // of the draw, a secret of the project
}

// instead returns the quality task that a person gets in place of a real task
// of a stage, or nil: a training task that they haven't had, or, when paused,
// the one that they had least; else, by the draw, an evaluation task of that
// stage that they haven't had.
func (c Course) instead(p Person, stage Stage, paused bool) *QualityTask {
	evaluate := !paused && float64(draw(c.Seed, p.ID+" "+strconv.Itoa(c.Turns))) < c.Rate*(1<<64)
	var best *QualityTask
	for i, q := range c.Quality {
		usable := !q.Retired && q.Stage() == stage && (q.Kind == Training || evaluate) && (paused && q.Kind == Training || c.Given[q.ID] == 0)
		if usable && (best == nil || c.before(p, q, *best)) {
			best = &c.Quality[i]
		}
	}
	return best
}

// before puts training first, then what was had least, then goes by the draw,
// so that neighbors don't get the same tasks in the same order.
func (c Course) before(p Person, q, o QualityTask) bool {
	return cmp.Or(
		cmp.Compare(first(q.Kind == Training), first(o.Kind == Training)),
		cmp.Compare(c.Given[q.ID], c.Given[o.ID]),
		cmp.Compare(draw(c.Seed, p.ID+" "+q.ID), draw(c.Seed, p.ID+" "+o.ID)),
		cmp.Compare(q.ID, o.ID),
	) < 0
}
