package flow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// Work is a task in the hands of a person, and what they need to do it.
type Work struct {
	Task        store.Task
	Batch       store.Batch
	Question    label.Question
	Instruction label.Instruction // the newest, where the task has none of its own
	Idle        time.Duration     // how long they may look without moving and still be at work
	Draft       *label.Submission
	Begin       *label.Answer // what they begin from: the proposal to review, the result to audit, starting boxes; nil for nothing
}

// person is a caller as the rules of the work see them.
func person(tx *store.Tx) (p label.Person, err error) {
	p = label.Person{ID: tx.Caller.Author(), Role: tx.Caller.Role}
	assigned, err := tx.Assignments("", p.ID)
	if err != nil {
		return p, err
	}
	for _, a := range assigned {
		p.Projects = append(p.Projects, a.Project)
	}
	if p.Groups, err = tx.GroupsOf(p.ID); err != nil {
		return p, err
	}
	p.Paused, err = tx.PausedIn(p.ID)
	return p, err
}

// mustBeSomeone refuses callers of whom no two could be told apart.
func mustBeSomeone(caller remuda.Caller) error {
	if caller.Author() == "" {
		return remuda.Errorf(remuda.Invalid, "work on tasks as nobody").WithHint("log in, or use an API key")
	}
	return caller.Need(remuda.Labeler)
}

// nextTries is how often a task is chosen anew when somebody else was faster.
const nextTries = 10

// NextTask leases the next task to the caller: the one they hold, else the first
// that they may take, of a project (a name or an id) or of all if that is "". It
// reports whether there is one.
func (f *Flow) NextTask(ctx context.Context, caller remuda.Caller, project string) (w Work, found bool, err error) {
	if err := mustBeSomeone(caller); err != nil {
		return w, false, err
	}
	for range nextTries {
		err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
			n := &next{tx: tx}
			if project != "" {
				p, err := findProject(tx, project)
				if err != nil {
					return err
				}
				n.only = p.Name
			}
			var err error
			if w, found, err = n.take(); err != nil || !found {
				return err
			}
			return w.fill(tx)
		})
		if remuda.CodeOf(err) != remuda.Conflict {
			break
		}
	}
	return w, found, err
}

// next looks for what a person does next.
type next struct {
	tx       *store.Tx
	person   label.Person
	only     string // name of the one project; "" for all
	batches  []store.Batch
	courses  map[string]label.Course
	projects map[string]store.Project // by name
}

// take leases what there is to the person.
func (n *next) take() (w Work, found bool, err error) {
	if n.person, err = person(n.tx); err != nil {
		return w, false, err
	}
	open, err := n.tx.OpenBatches()
	if err != nil {
		return w, false, err
	}
	n.batches = open[:0]
	for _, b := range open {
		if (n.only == "" || b.Project == n.only) && b.May(n.person) == nil {
			n.batches = append(n.batches, b)
		}
	}
	slices.SortFunc(n.batches, func(a, b store.Batch) int { return a.Order(b.Batch) })
	n.courses, n.projects = make(map[string]label.Course), make(map[string]store.Project)
	own, err := n.own()
	if err != nil {
		return w, false, err
	}
	if w, found, err = n.choose(own); err != nil || found {
		return w, found, err
	}
	for _, stage := range []label.Stage{label.Reviewing, label.Attempting} {
		if stage == label.Reviewing && !n.person.Role.AtLeast(remuda.Reviewer) {
			continue
		}
		for _, b := range n.batches {
			tasks, err := n.tx.QueuedTasks(b.ID, stage, n.person.ID, 1)
			if err != nil {
				return w, false, err
			}
			if w, found, err = n.choose(candidates(tasks, b)); err != nil || found {
				return w, found, err
			}
		}
	}
	return w, false, nil
}

// candidate is a task that somebody might do, with its batch.
type candidate struct {
	task  store.Task
	batch store.Batch
}

func candidates(tasks []store.Task, b store.Batch) []candidate {
	made := make([]candidate, len(tasks))
	for i, t := range tasks {
		made[i] = candidate{t, b}
	}
	return made
}

// own returns the tasks that are the person's already.
func (n *next) own() (found []candidate, err error) {
	tasks, err := n.tx.OwnTasks(n.person.ID, 100)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		if n.only != "" && t.Project != n.only || t.Image.Blob == "" {
			continue
		}
		b, err := n.tx.Batch(t.BatchID)
		if err != nil {
			return nil, err
		}
		found = append(found, candidate{t, b})
	}
	return found, nil
}

// course returns a project's quality tasks and what the person has had of them.
func (n *next) course(b store.Batch) error {
	if _, known := n.courses[b.Project]; known {
		return nil
	}
	p, err := n.tx.Project(b.ProjectID)
	if err != nil {
		return err
	}
	n.projects[b.Project] = p
	n.courses[b.Project], err = n.tx.Course(p, n.person.ID)
	return err
}

// choose leases the candidate that the person does next, or a quality task in
// its place.
func (n *next) choose(among []candidate) (w Work, found bool, err error) {
	list := make([]label.Candidate, len(among))
	for i, c := range among {
		list[i] = label.Candidate{Task: c.task.Task, Batch: c.batch.Batch}
		if err := n.course(c.batch); err != nil {
			return w, false, err
		}
	}
	choice, found := label.Next(n.person, list, n.courses, n.tx.Now)
	if !found {
		return w, false, nil
	}
	chosen := among[choice.Candidate]
	if choice.Quality != nil {
		if chosen.task, err = giveQuality(n.tx, choice.Quality.ID, n.person.ID, chosen.task.ID, chosen.batch); err != nil {
			return w, false, err
		}
	}
	w = Work{Task: chosen.task, Batch: chosen.batch}
	return w, true, w.lease(n.tx, n.person)
}

// lease leases the task to a person; a new lease is a turn.
func (w *Work) lease(tx *store.Tx, p label.Person) error {
	before := w.Task
	state, events, err := w.Task.Take(p, w.Batch.Batch, tx.Now)
	if err != nil {
		return err
	}
	w.Task.Task = state
	if err := keepTask(tx, before, &w.Task, events); err != nil {
		return err
	}
	if len(events) == 0 || state.Lease.Stage == label.Auditing {
		return nil
	}
	return tx.CountTurn(w.Task.ProjectID, p.ID)
}

// fill adds what the person needs to do the task.
func (w *Work) fill(tx *store.Tx) error {
	t := &w.Task
	params, err := readParams(t.Params)
	if err != nil {
		return err
	}
	p, err := tx.Project(t.ProjectID)
	if err != nil {
		return err
	}
	w.Idle = idleOf(p)
	w.Instruction = label.Instruction{Text: params.string(paramInstruction)}
	if w.Question, err = question(*t); err != nil {
		return err
	}
	if t.ProjectVersion >= 0 && t.Instruction > 0 {
		v, err := tx.ProjectVersion(t.ProjectID, -1)
		if err != nil {
			return err
		}
		if w.Instruction, err = instructionOf(v); err != nil {
			return err
		}
	}
	if draft, ok := t.DraftOf(t.Lease.By); ok {
		w.Draft = &draft
	}
	switch t.Lease.Stage {
	case label.Reviewing:
		w.Begin = t.Proposal
	case label.Auditing:
		w.Begin = t.Result
	default:
		w.Begin = t.Start
	}
	return nil
}

// question is what is asked about a task's image.
func question(t store.Task) (label.Question, error) {
	params, err := readParams(t.Params)
	if err != nil {
		return label.Question{}, err
	}
	x, err := params.Taxonomy(t.Taxonomy)
	return label.Question{Taxonomy: x, Width: float64(t.Image.Width), Height: float64(t.Image.Height)}, err
}

// TakeTask leases a task to the caller, by id or unique id: to review or audit
// one of their choosing; reviewers only.
func (f *Flow) TakeTask(ctx context.Context, caller remuda.Caller, ref string) (w Work, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return w, err
	}
	if err := mustBeSomeone(caller); err != nil {
		return w, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		if w.Task, err = tx.LockTask(id); err != nil {
			return err
		}
		if w.Batch, err = tx.Batch(w.Task.BatchID); err != nil {
			return err
		}
		if w.Task.Image.Blob == "" && w.Task.Status == label.Pending {
			return remuda.Errorf(remuda.Conflict, "the image of task %s is not here yet", id).WithHint("try again in a moment")
		}
		p, err := person(tx)
		if err != nil {
			return err
		}
		if err := w.lease(tx, p); err != nil {
			return err
		}
		return w.fill(tx)
	})
	return w, err
}

// HeldTask returns a task that the caller holds; not_found if they don't.
func (f *Flow) HeldTask(ctx context.Context, caller remuda.Caller, id string) (w Work, err error) {
	if err := mustBeSomeone(caller); err != nil {
		return w, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if w.Task, err = tx.Task(id); err != nil {
			return err
		}
		if w.Task.Lease.By != caller.Author() {
			return remuda.Errorf(remuda.NotFound, "there is no task %s", id)
		}
		if w.Batch, err = tx.Batch(w.Task.BatchID); err != nil {
			return err
		}
		return w.fill(tx)
	})
	return w, err
}

// work is changeTask for the holder of a lease.
func (f *Flow) work(ctx context.Context, caller remuda.Caller, id string, change func(*store.Tx, store.Task) (label.Task, []label.Event, error)) (store.Task, error) {
	if err := mustBeSomeone(caller); err != nil {
		return store.Task{}, err
	}
	return f.changeTask(ctx, caller, id, func(tx *store.Tx, t store.Task, _ store.Batch) (label.Task, []label.Event, error) {
		return change(tx, t)
	})
}

// RenewLease prolongs the caller's lease of a task and keeps a draft, if there is one. If
// the lease has ended the draft is kept all the same, and the error is label.ErrKept.
func (f *Flow) RenewLease(ctx context.Context, caller remuda.Caller, id string, lease int, draft *label.Submission) (store.Task, error) {
	return f.work(ctx, caller, id, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		state, err := t.Renew(caller.Author(), lease, draft, tx.Now)
		return state, nil, err
	})
}

// SubmitTask hands in what a lease of the caller's was for. Spans are when the
// page saw them at work; with any, the active time follows from them. Handed in
// again it counts once. If the lease has ended it is kept as a draft, and the
// error is label.ErrKept; an answer that fails a check is refused with a
// *label.Refusal.
func (f *Flow) SubmitTask(ctx context.Context, caller remuda.Caller, id string, s label.Submission, spans []label.Span) (store.Task, error) {
	return f.work(ctx, caller, id, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		q, err := question(t)
		if err != nil {
			return t.Task, nil, err
		}
		if len(spans) > 0 {
			if s.Active, err = activeTime(tx, t, spans); err != nil {
				return t.Task, nil, err
			}
		}
		identify(s.Answer, t.ID, s.Lease)
		s.Instruction, s.Taxonomy = cmp.Or(s.Instruction, t.Instruction), cmp.Or(s.Taxonomy, t.Taxonomy)
		return t.Submit(caller.Author(), s, q, tx.Now)
	})
}

// activeTime is how long a person worked on a task that they hold.
func activeTime(tx *store.Tx, t store.Task, spans []label.Span) (time.Duration, error) {
	p, err := tx.Project(t.ProjectID)
	if err != nil {
		return 0, err
	}
	return label.ActiveTime(spans, idleOf(p), tx.Now.Sub(t.Lease.Since)), nil
}

// idleOf is how long a project's people may look without moving and still be at work.
func idleOf(p store.Project) time.Duration { return cmp.Or(p.Settings.Idle, label.DefaultIdle) }

// identify gives boxes without an id one that follows from their place in the
// answer and what that is to: an answer that is sent again has the same ids, so
// that it is known again and warnings about its boxes can be overridden.
func identify(a *label.Answer, to ...any) {
	if a == nil {
		return
	}
	for i := range a.Boxes {
		if a.Boxes[i].ID == "" {
			a.Boxes[i].ID = asUUID(sha256.Sum256(fmt.Append(nil, append(to, i)...)))
		}
	}
}

// SkipTask gives a task back with the reason for which the caller shall not get
// it again.
func (f *Flow) SkipTask(ctx context.Context, caller remuda.Caller, id string, lease int, reason string) (store.Task, error) {
	return f.work(ctx, caller, id, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		return t.Skip(caller.Author(), lease, reason, tx.Now)
	})
}

// ReturnTask gives a task back unfinished, without prejudice.
func (f *Flow) ReturnTask(ctx context.Context, caller remuda.Caller, id string, lease int, why string) (store.Task, error) {
	return f.work(ctx, caller, id, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		return t.Return(caller.Author(), lease, why, tx.Now)
	})
}

// RaiseTask sets a task aside with a question for a manager.
func (f *Flow) RaiseTask(ctx context.Context, caller remuda.Caller, id string, lease int, reason string) (store.Task, error) {
	return f.work(ctx, caller, id, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		return t.Raise(caller.Author(), lease, reason, tx.Now)
	})
}
