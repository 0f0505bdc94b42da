package flow

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// NewTask is what a task is made from.
type NewTask struct {
	Type           string          // imageannotation if ""
	Params         json.RawMessage // an object: what is asked; what it doesn't say comes from the project
	Item           string          // id of the item whose image it is; "" if the params' attachment says where the image is from
	Metadata       json.RawMessage // an object
	UniqueID       string          // "" for none
	Tags           []string
	Callback       string // URL; mail addresses are taken and never told; "" for the one of all such tasks
	Priority       float64
	ProjectVersion *int          // that it inherits from; the last one if nil, none if below 0
	Start          *label.Answer // what people begin from; nil for nothing
}

// Place is where tasks are put.
type Place struct {
	Project string // name or id; with neither a project called "default" takes them
	Batch   string // name or id; its project is the tasks'
}

// maxUniqueID is how many bytes a unique id, or a tag, may have.
const maxUniqueID = 1024

// checkWords refuses what is too long, or has a NUL in it, which PostgreSQL
// cannot keep.
func checkWords(name string, words ...string) error {
	for _, w := range words {
		if len(w) > maxUniqueID || strings.ContainsRune(w, 0) {
			return remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q cannot be %.80q", name, w).WithHint("write at most %d bytes of text", maxUniqueID)
		}
	}
	return nil
}

// CreateTask makes a task; managers only. conflict if its unique id is taken. In
// the test world it is completed at once, by nobody.
func (f *Flow) CreateTask(ctx context.Context, caller remuda.Caller, place Place, n NewTask) (store.Task, error) {
	made, err := f.CreateTasks(ctx, caller, place, []NewTask{n})
	if err != nil {
		return store.Task{}, err
	}
	return made[0], nil
}

// CreateTasks makes tasks, all or none; managers only.
func (f *Flow) CreateTasks(ctx context.Context, caller remuda.Caller, place Place, tasks []NewTask) (made []store.Task, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		to, err := openPlace(tx, place)
		if err != nil {
			return err
		}
		made, err = to.add(tx, tasks)
		return err
	})
	return made, err
}

// openedPlace is a batch that takes tasks, locked, its project and what tasks
// inherit from it.
type openedPlace struct {
	batch    store.Batch
	project  store.Project
	versions map[int]store.ProjectVersion // those that were asked for; -1 is the last one
}

// openPlace locks the batch that tasks are to be put into.
func openPlace(tx *store.Tx, place Place) (*openedPlace, error) {
	to := &openedPlace{versions: make(map[int]store.ProjectVersion)}
	if place.Batch == "" {
		return to, to.openProject(tx, place.Project)
	}
	b, err := findBatch(tx, place.Batch)
	if err != nil {
		return nil, err
	}
	if to.batch, err = tx.LockBatch(b.ID); err != nil {
		return nil, err
	}
	if to.project, err = tx.Project(b.ProjectID); err != nil {
		return nil, err
	}
	if place.Project != "" && place.Project != to.project.Name && place.Project != to.project.ID {
		return nil, remuda.Errorf(remuda.Invalid, "batch %q is of project %q, not of %q", b.Name, to.project.Name, place.Project).WithHint("leave the project out, or name a batch of it")
	}
	if tx.Caller.World == remuda.Live {
		return to, to.batch.Accepts()
	}
	return to, nil
}

// openProject opens the nameless batch of a project.
func (to *openedPlace) openProject(tx *store.Tx, ref string) (err error) {
	if ref != "" {
		to.project, err = findProject(tx, ref)
	} else if to.project, err = tx.ProjectByName(defaultProject); remuda.CodeOf(err) == remuda.NotFound {
		to.project, err = createProject(tx, NewProject{Name: defaultProject, Settings: store.ProjectSettings{Plan: label.Plan{}.WithDefaults()}})
		if remuda.CodeOf(err) == remuda.Conflict { // somebody else just made it
			to.project, err = tx.ProjectByName(defaultProject)
		}
	}
	if err != nil {
		return err
	}
	b, err := tx.NamelessBatch(to.project.ID)
	if err != nil {
		return err
	}
	to.batch, err = tx.LockBatch(b.ID)
	return err
}

// version returns what a task inherits; the zero version, numbered -1, if that is nothing.
func (to *openedPlace) version(tx *store.Tx, wanted *int) (v store.ProjectVersion, err error) {
	number := -1
	if wanted != nil {
		if number = *wanted; number < 0 {
			return store.ProjectVersion{Version: -1}, nil
		}
	}
	if v, ok := to.versions[number]; ok {
		return v, nil
	}
	v, err = tx.ProjectVersion(to.project.ID, number)
	if remuda.CodeOf(err) == remuda.NotFound && number < 0 {
		v, err = store.ProjectVersion{Version: -1}, nil
	}
	to.versions[number] = v
	return v, err
}

// add makes tasks in the place.
func (to *openedPlace) add(tx *store.Tx, tasks []NewTask) ([]store.Task, error) {
	made := make([]store.Task, len(tasks))
	happened := make([][]label.Event, len(tasks))
	for i := range tasks {
		var err error
		if happened[i], err = to.make(tx, tasks[i], &made[i]); err != nil {
			return nil, err
		}
	}
	if err := tx.AddTasks(made); err != nil {
		return nil, err
	}
	if err := tx.AddEvents(to.project.ID, to.batch.ID, slices.Concat(happened...)); err != nil {
		return nil, err
	}
	for i := range made {
		if made[i].Status == label.Pending && made[i].Image.Blob == "" {
			if err := tx.Enqueue(workTaskImage, taskRef{Task: made[i].ID}, time.Time{}); err != nil {
				return nil, err
			}
		}
		if err := published(tx, store.Task{}, made[i]); err != nil { // of the test world, completed already
			return nil, err
		}
		if err := callBackTask(tx, made[i], to.batch, happened[i]); err != nil {
			return nil, err
		}
	}
	if tx.Caller.World != remuda.Test { // where people work a batch is settled by their work
		return made, nil
	}
	return made, settleBatch(tx, to.batch)
}

// make fills in a task and says what happened.
func (to *openedPlace) make(tx *store.Tx, n NewTask, t *store.Task) ([]label.Event, error) {
	if n.Type == "" {
		n.Type = store.ImageAnnotation
	}
	if to.project.Type != "" && to.project.Type != n.Type {
		return nil, remuda.Errorf(remuda.Invalid, "the tasks of project %q are of the type %s, not %.80s", to.project.Name, to.project.Type, n.Type).WithHint("make a project for each type")
	}
	own, err := readParams(n.Params)
	if err != nil {
		return nil, err
	}
	version, err := to.version(tx, n.ProjectVersion)
	if err != nil {
		return nil, err
	}
	inherited, err := readParams(version.Params)
	if err != nil {
		return nil, err
	}
	params := own.inherit(inherited)
	*t = store.Task{
		World: tx.Caller.World, ProjectID: to.project.ID, Project: to.project.Name, BatchID: to.batch.ID, Type: n.Type,
		UniqueID: n.UniqueID, Callback: n.Callback, ProjectVersion: version.Version, Start: n.Start, Tags: uniqueTags(n.Tags),
	}
	if !own.has(paramInstruction) {
		t.Instruction = version.Instruction
	}
	if !own.has(paramGeometries) && !own.has(paramAttributes) {
		t.Taxonomy = version.Taxonomy
	}
	if t.Metadata, err = checkMetadata(n.Metadata); err != nil {
		return nil, err
	}
	if err := checkCallback("callback_url", n.Callback); err != nil {
		return nil, err
	}
	if err := checkWords("unique_id", n.UniqueID); err != nil {
		return nil, err
	}
	if err := checkWords("tags", t.Tags...); err != nil {
		return nil, err
	}
	if err := checkType(tx.Caller.World, n, params); err != nil {
		return nil, err
	}
	if t.Params, err = params.text(); err != nil {
		return nil, err
	}
	if t.Image, err = imageOf(tx, n.Item, params); err != nil {
		return nil, err
	}
	state, events := label.NewTask(tx.NewTaskID(), to.batch.Batch, tx.Caller.Author(), tx.Now)
	state.Priority = n.Priority
	t.Task = state
	if tx.Caller.World == remuda.Test {
		events = append(events, completeAtOnce(t, tx.Now))
	}
	return events, nil
}

// uniqueTags leaves out repeated tags.
func uniqueTags(tags []string) (kept []string) {
	for _, tag := range tags {
		if !slices.Contains(kept, tag) {
			kept = append(kept, tag)
		}
	}
	return kept
}

// taskID finds the id of a task by that or, where there is none, by its unique
// id: nobody can name a task so that it stands before another.
func taskID(tx *store.Tx, ref string) (string, error) {
	if there, err := tx.HasTask(ref); there || err != nil {
		return ref, err
	}
	id, err := tx.TaskIDByUnique(ref)
	if remuda.CodeOf(err) == remuda.NotFound {
		return ref, nil
	}
	return id, err
}

// Task returns a task of the caller's world, by id or unique id.
func (f *Flow) Task(ctx context.Context, caller remuda.Caller, ref string) (t store.Task, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return t, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		t, err = tx.Task(id)
		return err
	})
	return t, err
}

// TaskPage is a page of tasks.
type TaskPage struct {
	Tasks []store.Task
	Total int64 // on all pages
	More  bool  // another page follows
}

// Tasks returns a page of the real tasks of the caller's world that the filter
// chooses, newest first. project and batch, names or ids, may be "".
func (f *Flow) Tasks(ctx context.Context, caller remuda.Caller, place Place, filter store.TaskFilter) (page TaskPage, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return page, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if place.Project != "" {
			p, err := findProject(tx, place.Project)
			if err != nil {
				return err
			}
			filter.ProjectID = p.ID
		}
		if place.Batch != "" {
			b, err := findBatch(tx, place.Batch)
			if err != nil {
				return err
			}
			filter.BatchID = b.ID
		}
		total, err := tx.CountTasks(filter)
		if err != nil {
			return err
		}
		one := filter
		one.Limit++
		found, err := tx.TaskPage(one, total)
		page = TaskPage{Tasks: found[:min(len(found), filter.Limit)], Total: total, More: len(found) > filter.Limit}
		return err
	})
	return page, err
}

// changeTask changes the state of a task that nobody else changes meanwhile and
// follows up what happened. A state that comes with label.ErrKept is stored too.
func (f *Flow) changeTask(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Tx, store.Task, store.Batch) (label.Task, []label.Event, error)) (t store.Task, err error) {
	var kept error
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		before, err := tx.LockTask(id)
		if err != nil {
			return err
		}
		b, err := tx.Batch(before.BatchID)
		if err != nil {
			return err
		}
		state, events, err := change(tx, before, b)
		kept = nil
		if errors.Is(err, label.ErrKept) {
			kept, err = err, nil
		}
		if err != nil {
			return err
		}
		t = before
		t.Task = state
		return keepTask(tx, before, &t, events)
	})
	return t, errorOr(err, kept)
}

// keepTask writes a task's new state and all that follows from it: the history,
// the dataset's annotations, a grade, the batch's status, and callbacks. The caller
// has locked the task.
func keepTask(tx *store.Tx, before store.Task, t *store.Task, events []label.Event) error {
	if t.Revision == before.Revision && len(events) == 0 && t.Image == before.Image {
		return nil
	}
	b, err := tx.Batch(t.BatchID)
	if err != nil {
		return err
	}
	settles := t.Kind == label.Real && (t.Status != before.Status || t.Review() != before.Review())
	if settles {
		if b, err = tx.LockBatch(t.BatchID); err != nil {
			return err
		}
	}
	if err := tx.PutTask(before, t); err != nil {
		return err
	}
	if err := tx.AddEvents(t.ProjectID, t.BatchID, events); err != nil {
		return err
	}
	if t.Kind != label.Real && t.Status == label.Completed && before.Status != label.Completed {
		if err := gradeQuality(tx, *t); err != nil {
			return err
		}
	}
	if err := published(tx, before, *t); err != nil {
		return err
	}
	if err := callBackTask(tx, *t, b, events); err != nil || !settles {
		return err
	}
	return settleBatch(tx, b)
}

// settleBatch lets a batch that the caller has locked follow its tasks. The
// nameless ones are always in progress.
func settleBatch(tx *store.Tx, b store.Batch) error {
	if b.Name == "" {
		return nil
	}
	counts, err := tx.BatchCounts(b.ID)
	if err != nil {
		return err
	}
	next, events := b.Settle(counts, tx.Now)
	if len(events) == 0 {
		return nil
	}
	b.Batch = next
	return keepBatch(tx, b, events)
}

// manage is changeTask for what managers do to a task.
func (f *Flow) manage(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Tx, store.Task) (label.Task, []label.Event, error)) (store.Task, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return store.Task{}, err
	}
	return f.changeTask(ctx, caller, ref, func(tx *store.Tx, t store.Task, _ store.Batch) (label.Task, []label.Event, error) {
		return change(tx, t)
	})
}

// CancelTask ends a pending or failed task that nobody is working on, and lets go of its
// unique id if asked to. Canceling it again changes nothing.
func (f *Flow) CancelTask(ctx context.Context, caller remuda.Caller, ref, why string, clearUniqueID bool) (store.Task, error) {
	t, err := f.manage(ctx, caller, ref, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		state, events, err := t.Cancel(caller.Author(), why, tx.Now)
		if err == nil && clearUniqueID {
			err = tx.SetTaskUniqueID(t.ID, "")
		}
		return state, events, err
	})
	if err == nil && clearUniqueID {
		t.UniqueID = ""
	}
	return t, err
}

// RelabelTask has a completed task attempted anew, for a reason.
func (f *Flow) RelabelTask(ctx context.Context, caller remuda.Caller, ref, why string) (store.Task, error) {
	return f.manage(ctx, caller, ref, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		return t.Relabel(caller.Author(), why, tx.Now)
	})
}

// ResolveTask answers the flag of a task that is set aside, with a note for
// whoever does it next.
func (f *Flow) ResolveTask(ctx context.Context, caller remuda.Caller, ref, note string) (store.Task, error) {
	return f.manage(ctx, caller, ref, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		return t.Resolve(caller.Author(), note, tx.Now)
	})
}

// RetryTask makes a failed task pending again and looks for its image anew.
func (f *Flow) RetryTask(ctx context.Context, caller remuda.Caller, ref string) (store.Task, error) {
	return f.manage(ctx, caller, ref, func(tx *store.Tx, t store.Task) (label.Task, []label.Event, error) {
		state, events, err := t.Retry(caller.Author(), tx.Now)
		if err == nil && t.Image.Blob == "" {
			err = tx.Enqueue(workTaskImage, taskRef{Task: t.ID}, time.Time{})
		}
		return state, events, err
	})
}

// TaskEvents returns the history of a task, oldest first.
func (f *Flow) TaskEvents(ctx context.Context, caller remuda.Caller, ref string) (events []store.Event, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		if _, err := tx.Task(id); err != nil {
			return err
		}
		events, err = tx.Events(store.EventFilter{Task: id})
		return err
	})
	return events, err
}

// describe changes what is said about a task beside its state; managers only.
func (f *Flow) describe(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Tx, store.Task) error) (t store.Task, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return t, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		id, err := taskID(tx, ref)
		if err != nil {
			return err
		}
		if t, err = tx.LockTask(id); err != nil {
			return err
		}
		if err := change(tx, t); err != nil {
			return err
		}
		t, err = tx.Task(id)
		return err
	})
	return t, err
}

// SetTaskMetadata replaces a task's metadata.
func (f *Flow) SetTaskMetadata(ctx context.Context, caller remuda.Caller, ref string, metadata json.RawMessage) (store.Task, error) {
	return f.describe(ctx, caller, ref, func(tx *store.Tx, t store.Task) error {
		checked, err := checkMetadata(metadata)
		if err != nil {
			return err
		}
		return tx.SetTaskMetadata(t.ID, checked)
	})
}

// SetTaskUniqueID gives a task another unique id, or none if it is ""; conflict
// if it is taken.
func (f *Flow) SetTaskUniqueID(ctx context.Context, caller remuda.Caller, ref, unique string) (store.Task, error) {
	return f.describe(ctx, caller, ref, func(tx *store.Tx, t store.Task) error {
		if err := checkWords("unique_id", unique); err != nil {
			return err
		}
		return tx.SetTaskUniqueID(t.ID, unique)
	})
}

// ChangeTaskTags lets change make a task's tags of those it has.
func (f *Flow) ChangeTaskTags(ctx context.Context, caller remuda.Caller, ref string, change func(tags []string) []string) (store.Task, error) {
	return f.describe(ctx, caller, ref, func(tx *store.Tx, t store.Task) error {
		tags := uniqueTags(change(t.Tags))
		if err := checkWords("tags", tags...); err != nil {
			return err
		}
		return tx.SetTaskTags(t.ID, tags)
	})
}
