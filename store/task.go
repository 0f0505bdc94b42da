package store

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"remuda"
	"remuda/label"
)

// TaskReview is what the audits of a task's result have found, in the labeling
// API's words.
type TaskReview string

// The findings; that of a task without a result is "".
const (
	ReviewPending  TaskReview = "pending" // nobody has audited it
	ReviewAccepted TaskReview = "accepted"
	ReviewFixed    TaskReview = "fixed"
	ReviewRejected TaskReview = "rejected"
)

// The type of tasks that people can work on.
const (
	ImageAnnotation = "imageannotation"
)

// TaskImage is the image of a task.
type TaskImage struct {
	Item       string // the dataset's item that has it; "" if none
	Attachment string // where it is from, as the user said: a URL, scaledata://… or an item's id
	Blob       string // SHA-256 of its bytes; "" until they are here
	Format     string
	Width      int // of the upright image; 0 until known
	Height     int
}

// Task is a task as the rules of the work see it, and what else there is of it.
type Task struct {
	label.Task
	World     remuda.World
	ProjectID string
	BatchID   string
	Project   string // names
	Type      string // such as imageannotation
	UniqueID  string
	Image     TaskImage
	UpdatedAt time.Time

	Params         json.RawMessage // an object: as sent, with what was inherited
	Metadata       json.RawMessage // an object
	Callback       string          // URL; "" if none
	CallbackOK     *bool           // whether the last callback arrived; nil before one has
	ProjectVersion int             // that it inherited from; -1 if from none
	Instruction    int             // versions of the project's that hold for it; 0 where it has its own
	Taxonomy       int
	Start          *label.Answer // what people begin from, such as a model's boxes; nil if nothing
	Tags           []string      // in the order in which they were given; read by Task and TaskPage
}

// Review returns what the audits of the task's result have found.
func (t *Task) Review() TaskReview {
	if t.Status != label.Completed || t.Kind != label.Real {
		return ""
	}
	audit, ok := t.Audit()
	if !ok {
		return ReviewPending
	}
	switch audit.Verdict {
	case label.Fixed:
		return ReviewFixed
	case label.Rejected:
		return ReviewRejected
	}
	return ReviewAccepted
}

// queue returns what a task waits for that anyone may take: a stage, or "".
func (t *Task) queue() label.Stage {
	_, audited := t.Audit()
	switch stage := t.Stage(); {
	case t.Only != "" || t.Kind != label.Real || t.Type != ImageAnnotation:
		return ""
	case stage == label.Auditing && (!t.Sampled || audited):
		return ""
	case stage != label.Auditing && (t.Flag != nil || t.Image.Blob == ""):
		return ""
	default:
		return stage
	}
}

// seen lists who has worked on or skipped a task in its round.
func (t *Task) seen() string {
	var people []string
	for _, w := range t.Work {
		if w.Round == t.Round && w.Stage != label.Auditing {
			people = append(people, w.By)
		}
	}
	for _, s := range t.Skips {
		if s.Round == t.Round {
			people = append(people, s.By)
		}
	}
	slices.Sort(people)
	var b strings.Builder
	for _, p := range slices.Compact(people) {
		b.WriteString(" " + p)
	}
	return b.String()
}

// taskRow is the columns of a task that follow from its state, in the order of
// stateColumns.
func (t *Task) taskRow() []any {
	var until int64
	if t.Lease.By != "" {
		until = millis(t.Lease.Until)
	}
	var completed sql.NullInt64
	if !t.Completed.IsZero() {
		completed = sql.NullInt64{Int64: millis(t.Completed), Valid: true}
	}
	return []any{
		t.Status, t.Review(), t.queue(), t.Priority, t.seen(), t.Lease.By, until,
		t.Image.Item, t.Image.Blob, t.Image.Format, t.Image.Width, t.Image.Height, t.Revision, millis(t.UpdatedAt), completed,
	}
}

const (
	stateColumns = "status, review, queue, priority, seen, holder, lease_until, item, blob, format, width, height, revision, updated_at, completed_at"
	fixedColumns = "id, world, project, batch, type, kind, only_for, unique_id, created_at"
	contentRow   = "task, params, metadata, attachment, callback, project_version, instruction, taxonomy, start, state"
)

// mustBeFree refuses a unique id that a task has, unless it is the one with an id.
func (tx *Tx) mustBeFree(unique, id string) error {
	if unique == "" {
		return nil
	}
	other, err := tx.TaskIDByUnique(unique)
	if remuda.CodeOf(err) == remuda.NotFound || err == nil && other == id {
		return nil
	}
	if err != nil {
		return err
	}
	return remuda.Errorf(remuda.Conflict, "the unique_id %q belongs to task %s already", unique, other).
		WithHint("choose another one, or read that task")
}

// NewTaskID returns a new id of a task.
func (tx *Tx) NewTaskID() string { return tx.NewID(taskPrefix) }

// NewTaskIDLike returns a new id of a task that looks made together with
// another one, for those that nobody is to tell from it.
func (tx *Tx) NewTaskIDLike(other string) string {
	return tx.db.ids.At(taskPrefix, remuda.IDTime(other))
}

// AddTasks adds tasks of any batches, which the caller has locked, with their
// tags; conflict if a unique id is taken. It sets the times at which they were
// made to those in their ids, so that lists by time are lists by id.
func (tx *Tx) AddTasks(tasks []Task) error {
	var rows, contents, tags [][]any
	type place struct{ batch, project, kind, status, review string }
	counts := make(map[place]int)
	for i := range tasks {
		t := &tasks[i]
		if err := tx.mustBeFree(t.UniqueID, ""); err != nil {
			return err
		}
		t.Created = remuda.IDTime(t.ID)
		t.UpdatedAt = t.Created
		if !t.Completed.IsZero() {
			t.Completed = latest(t.Completed, t.Created)
		}
		rows = append(rows, append([]any{t.ID, t.World, t.ProjectID, t.BatchID, t.Type, t.Kind, t.Only, t.UniqueID, millis(t.Created)}, t.taskRow()...))
		content, err := t.content()
		if err != nil {
			return err
		}
		contents = append(contents, content)
		for n, tag := range t.Tags {
			tags = append(tags, []any{t.ID, t.World, tag, n})
		}
		if t.Kind == label.Real {
			counts[place{t.BatchID, t.ProjectID, t.Type, string(t.Status), string(t.Review())}]++
		}
	}
	if err := tx.insert("task", fixedColumns+", "+stateColumns, "", rows); err != nil {
		return err
	}
	if err := tx.insert("task_content", contentRow, "", contents); err != nil {
		return err
	}
	if err := tx.insert("task_tag", "task, world, name, position", "ON CONFLICT (task, name) DO NOTHING", tags); err != nil {
		return err
	}
	for p, n := range counts {
		if err := tx.countTasks(p.batch, p.project, p.kind, p.status, p.review, n); err != nil {
			return err
		}
	}
	return nil
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// countTasks adds to the number of real tasks of a kind.
func (tx *Tx) countTasks(batch, project, kind, status, review string, more int) error {
	_, err := tx.exec(`INSERT INTO task_count (batch, type, status, review, world, project, tasks) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (batch, type, status, review) DO UPDATE SET tasks = task_count.tasks + excluded.tasks`,
		batch, kind, status, review, tx.Caller.World, project, more)
	return err
}

// content is a row of task_content.
func (t *Task) content() ([]any, error) {
	state, err := jsonText(t.Task)
	if err != nil {
		return nil, err
	}
	start, err := jsonText(t.Start)
	if err != nil {
		return nil, err
	}
	return []any{
		t.ID, string(orObject(t.Params)), string(orObject(t.Metadata)), t.Image.Attachment, t.Callback, t.ProjectVersion, t.Instruction, t.Taxonomy, start, state,
	}, nil
}

const taskSelect = `SELECT t.id, t.world, t.project, p.name, t.batch, b.name, t.type, t.unique_id, t.item, t.blob, t.format, t.width, t.height, t.updated_at, t.callback_ok,
	c.params, c.metadata, c.attachment, c.callback, c.project_version, c.instruction, c.taxonomy, c.start, c.state
	FROM task t JOIN task_content c ON c.task = t.id JOIN project p ON p.id = t.project JOIN batch b ON b.id = t.batch `

func scanTask(row rowScanner) (t Task, err error) {
	var id, batch, params, metadata, start, state string
	var updated int64
	err = row.Scan(&id, &t.World, &t.ProjectID, &t.Project, &t.BatchID, &batch, &t.Type, &t.UniqueID,
		&t.Image.Item, &t.Image.Blob, &t.Image.Format, &t.Image.Width, &t.Image.Height, &updated, &t.CallbackOK,
		&params, &metadata, &t.Image.Attachment, &t.Callback, &t.ProjectVersion, &t.Instruction, &t.Taxonomy, &start, &state)
	if err != nil {
		return t, err
	}
	t.UpdatedAt, t.Params, t.Metadata = fromMillis(updated), json.RawMessage(params), json.RawMessage(metadata)
	if err := json.Unmarshal([]byte(state), &t.Task); err != nil {
		return t, err
	}
	return t, json.Unmarshal([]byte(start), &t.Start)
}

// Task returns a task of the caller's world with its tags.
func (tx *Tx) Task(id string) (Task, error) {
	t, err := one(tx, "task "+id, scanTask, taskSelect+"WHERE t.id = $1 AND t.world = $2", id, tx.Caller.World)
	if err != nil {
		return t, err
	}
	tags, err := tx.taskTags([]string{id})
	t.Tags = tags[id]
	return t, err
}

// Tasks returns those of the caller's world that have one of the ids, without
// their tags, in no order.
func (tx *Tx) Tasks(ids []string) ([]Task, error) {
	found := []Task{}
	err := inLists(ids, 2, func(marks string, args []any) error {
		some, err := all(tx, scanTask, taskSelect+"WHERE t.world = $1 AND t.id IN ("+marks+")", append([]any{tx.Caller.World}, args...)...)
		found = append(found, some...)
		return err
	})
	return found, err
}

// HasTask says whether the caller's world has a task.
func (tx *Tx) HasTask(id string) (bool, error) {
	n, err := one(tx, "task "+id, scalar[int], "SELECT COUNT(*) FROM task WHERE id = $1 AND world = $2", id, tx.Caller.World)
	return n > 0, err
}

// TaskIDByUnique returns the id of the caller's world's task with a unique id.
func (tx *Tx) TaskIDByUnique(unique string) (string, error) {
	return one(tx, "task "+unique, scalar[string], "SELECT id FROM task WHERE world = $1 AND unique_id = $2 AND unique_id <> ''", tx.Caller.World, unique)
}

// LockTask is Task, and keeps others from changing it until this transaction ends.
func (tx *Tx) LockTask(id string) (Task, error) {
	_, err := one(tx, "task "+id, scalar[string], "UPDATE task SET revision = revision WHERE id = $1 AND world = $2 RETURNING id", id, tx.Caller.World)
	if err != nil {
		return Task{}, err
	}
	return tx.Task(id)
}

// PutTask writes a task's state and image, and sets its times: none is before
// it was made. before is what was read of it in this transaction; conflict if
// it has changed since. Where the status or the audits' finding changes the
// caller has locked the batch.
func (tx *Tx) PutTask(before Task, t *Task) error {
	t.UpdatedAt = latest(tx.Now, t.Created)
	if !t.Completed.IsZero() {
		t.Completed = latest(t.Completed, t.Created)
	}
	state, err := jsonText(t.Task)
	if err != nil {
		return err
	}
	row := append([]any{t.ID, before.Revision}, t.taskRow()...)
	n, err := tx.exec("UPDATE task SET ("+stateColumns+") = ("+placeholders(3, len(row)-2)+") WHERE id = $1 AND revision = $2", row...)
	if err != nil {
		return err
	}
	if n == 0 {
		return remuda.Errorf(remuda.Conflict, "task %s has changed since it was read", t.ID).WithHint("read it again and repeat what is still needed")
	}
	if _, err := tx.exec("UPDATE task_content SET state = $2 WHERE task = $1", t.ID, state); err != nil {
		return err
	}
	if err := tx.addAttempts(before, *t); err != nil {
		return err
	}
	if err := tx.setDrafts(before, *t); err != nil {
		return err
	}
	if t.Kind != label.Real || before.Status == t.Status && before.Review() == t.Review() {
		return nil
	}
	if err := tx.countTasks(t.BatchID, t.ProjectID, t.Type, string(before.Status), string(before.Review()), -1); err != nil {
		return err
	}
	return tx.countTasks(t.BatchID, t.ProjectID, t.Type, string(t.Status), string(t.Review()), 1)
}

// setDrafts notes who has a draft of the task.
func (tx *Tx) setDrafts(before, t Task) error {
	who := func(t Task) (people []string) {
		for _, d := range t.Drafts {
			people = append(people, d.By)
		}
		slices.Sort(people)
		return slices.Compact(people)
	}
	had, has := who(before), who(t)
	for _, person := range had {
		if !slices.Contains(has, person) {
			if _, err := tx.exec("DELETE FROM draft WHERE person = $1 AND task = $2", person, t.ID); err != nil {
				return err
			}
		}
	}
	for _, person := range has {
		if !slices.Contains(had, person) {
			if _, err := tx.exec("INSERT INTO draft (person, task) VALUES ($1, $2) ON CONFLICT (person, task) DO NOTHING", person, t.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// SetTaskMetadata replaces a task's metadata; the caller has locked it.
func (tx *Tx) SetTaskMetadata(id string, metadata json.RawMessage) error {
	if _, err := tx.exec("UPDATE task_content SET metadata = $2 WHERE task = $1", id, string(orObject(metadata))); err != nil {
		return err
	}
	return tx.touchTask(id)
}

// SetTaskUniqueID gives a task another unique id, "" for none; conflict if it is
// taken. The caller has locked the task.
func (tx *Tx) SetTaskUniqueID(id, unique string) error {
	if err := tx.mustBeFree(unique, id); err != nil {
		return err
	}
	if _, err := tx.exec("UPDATE task SET unique_id = $2 WHERE id = $1", id, unique); err != nil {
		return err
	}
	return tx.touchTask(id)
}

// SetTaskTags replaces a task's tags; the caller has locked it.
func (tx *Tx) SetTaskTags(id string, tags []string) error {
	if _, err := tx.exec("DELETE FROM task_tag WHERE task = $1", id); err != nil {
		return err
	}
	rows := make([][]any, len(tags))
	for i, tag := range tags {
		rows[i] = []any{id, tx.Caller.World, tag, i}
	}
	if err := tx.insert("task_tag", "task, world, name, position", "ON CONFLICT (task, name) DO NOTHING", rows); err != nil {
		return err
	}
	return tx.touchTask(id)
}

// touchTask sets when a task was last changed, which is never before it was made.
func (tx *Tx) touchTask(id string) error {
	_, err := tx.exec("UPDATE task SET updated_at = CASE WHEN created_at > $2 THEN created_at ELSE $2 END WHERE id = $1", id, millis(tx.Now))
	return err
}

// taskTags returns the tags of tasks by their ids.
func (tx *Tx) taskTags(ids []string) (map[string][]string, error) {
	type tag struct{ task, name string }
	scan := func(row rowScanner) (t tag, err error) { return t, row.Scan(&t.task, &t.name) }
	found := make(map[string][]string)
	err := inLists(ids, 1, func(marks string, args []any) error {
		return each(tx, scan, func(t tag) error {
			found[t.task] = append(found[t.task], t.name)
			return nil
		}, "SELECT task, name FROM task_tag WHERE task IN ("+marks+") ORDER BY position, name", args...)
	})
	return found, err
}
