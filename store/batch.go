package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"remuda"
	"remuda/label"
)

// Batch is a batch as the rules of the work see it, whose Name and Project
// never change, and what else there is of it. Every project has one without a
// name, for the tasks that name none.
type Batch struct {
	ID        string
	World     remuda.World
	ProjectID string
	label.Batch
	Callback    string          // URL; "" if none
	Metadata    json.RawMessage // an object
	CreatedBy   string
	CompletedAt *time.Time
	CallbackOK  *bool // whether the last callback arrived; nil before one has
}

const batchColumns = `id, world, project, (SELECT p.name FROM project p WHERE p.id = batch.project), name, kind, status, rank, groups, plan,
	callback, metadata, revision, created_at, created_by, completed_at, callback_ok`

func scanBatch(row rowScanner) (b Batch, err error) {
	var groups, plan, metadata string
	var created int64
	var completed sql.NullInt64
	err = row.Scan(&b.ID, &b.World, &b.ProjectID, &b.Project, &b.Name, &b.Kind, &b.Status, &b.Rank, &groups, &plan,
		&b.Callback, &metadata, &b.Revision, &created, &b.CreatedBy, &completed, &b.CallbackOK)
	if err != nil {
		return b, err
	}
	b.Metadata, b.Created, b.CompletedAt = json.RawMessage(metadata), fromMillis(created), timeOf(completed)
	if err := json.Unmarshal([]byte(groups), &b.Groups); err != nil {
		return b, err
	}
	return b, json.Unmarshal([]byte(plan), &b.Plan)
}

// CreateBatch adds a batch with a new id in the caller's world; conflict if the
// name is taken.
func (tx *Tx) CreateBatch(b Batch) (Batch, error) {
	b.ID, b.World, b.Created, b.CreatedBy, b.Revision = tx.NewID("bat"), tx.Caller.World, tx.Now, tx.Caller.Author(), 1
	if len(b.Metadata) == 0 {
		b.Metadata = json.RawMessage("{}")
	}
	groups, plan, err := batchTexts(b)
	if err != nil {
		return b, err
	}
	n, err := tx.exec(`INSERT INTO batch (id, world, project, name, kind, status, rank, groups, plan, callback, metadata, revision, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT DO NOTHING`,
		b.ID, b.World, b.ProjectID, b.Name, b.Kind, b.Status, b.Rank, groups, plan, b.Callback, string(b.Metadata), b.Revision, millis(b.Created), b.CreatedBy)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.Conflict, "there is a batch %q already", b.Name).WithHint("choose another name: no two batches have the same, whatever their projects")
	}
	return b, err
}

func batchTexts(b Batch) (groups, plan string, err error) {
	if b.Groups == nil {
		b.Groups = []string{}
	}
	if groups, err = jsonText(b.Groups); err != nil {
		return "", "", err
	}
	plan, err = jsonText(b.Plan)
	return groups, plan, err
}

// Batch returns a batch of the caller's world by id.
func (tx *Tx) Batch(id string) (Batch, error) {
	return one(tx, "batch "+id, scanBatch, "SELECT "+batchColumns+" FROM batch WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// BatchByName returns a batch of the caller's world by name, which is not "".
func (tx *Tx) BatchByName(name string) (Batch, error) {
	return one(tx, "batch "+name, scanBatch, "SELECT "+batchColumns+" FROM batch WHERE name = $1 AND name <> '' AND world = $2", name, tx.Caller.World)
}

// NamelessBatch returns the batch of a project's tasks that name none.
func (tx *Tx) NamelessBatch(project string) (Batch, error) {
	return one(tx, "project "+project, scanBatch, "SELECT "+batchColumns+" FROM batch WHERE project = $1 AND name = '' AND world = $2", project, tx.Caller.World)
}

// LockBatch is Batch, and keeps others from changing it, or the counts of its
// tasks, until this transaction ends.
func (tx *Tx) LockBatch(id string) (Batch, error) {
	return one(tx, "batch "+id, scanBatch, "UPDATE batch SET name = name WHERE id = $1 AND world = $2 RETURNING "+batchColumns, id, tx.Caller.World)
}

// BatchFilter chooses batches; zero fields choose all.
type BatchFilter struct {
	Project         string // id
	Status          label.BatchStatus
	From, To        time.Time // of their creation
	CompletedFrom   time.Time
	CompletedTo     time.Time
	ExcludeArchived bool // batches of archived projects
	Nameless        bool // those without a name too
	Limit, Offset   int
}

// Batches returns those of the caller's world that the filter chooses, newest
// first, and how many there are beyond limit and offset too.
func (tx *Tx) Batches(f BatchFilter) (found []Batch, total int64, err error) {
	where := conditions{args: []any{tx.Caller.World}}
	if !f.Nameless {
		where.add("name <> ''")
	}
	if f.Project != "" {
		where.add("project = ?", f.Project)
	}
	if f.Status != "" {
		where.add("status = ?", f.Status)
	}
	where.span("created_at", f.From, f.To)
	where.span("completed_at", f.CompletedFrom, f.CompletedTo)
	if f.ExcludeArchived {
		where.add("project NOT IN (SELECT id FROM project WHERE world = ? AND archived_at IS NOT NULL)", tx.Caller.World)
	}
	if total, err = one(tx, "batch", scalar[int64], "SELECT COUNT(*) FROM batch WHERE world = $1"+where.text(), where.args...); err != nil {
		return nil, 0, err
	}
	where.args = append(where.args, limit(f.Limit), f.Offset)
	n := len(where.args)
	found, err = all(tx, scanBatch, "SELECT "+batchColumns+" FROM batch WHERE world = $1"+where.text()+" ORDER BY id DESC LIMIT "+placeholder(n-1)+" OFFSET "+placeholder(n), where.args...)
	return found, total, err
}

// OpenBatches returns the batches of the caller's world that are not completed
// and whose project is not archived, the nameless ones too, oldest first.
func (tx *Tx) OpenBatches() ([]Batch, error) {
	return all(tx, scanBatch, "SELECT "+batchColumns+` FROM batch WHERE world = $1 AND status <> 'completed'
		AND project NOT IN (SELECT id FROM project WHERE world = $2 AND archived_at IS NOT NULL) ORDER BY id`, tx.Caller.World, tx.Caller.World)
}

// UpdateBatch writes what can change of a batch; who calls it has locked it.
func (tx *Tx) UpdateBatch(b Batch) error {
	groups, plan, err := batchTexts(b)
	if err != nil {
		return err
	}
	_, err = tx.exec("UPDATE batch SET status = $2, rank = $3, groups = $4, plan = $5, callback = $6, metadata = $7, revision = $8, completed_at = $9 WHERE id = $1",
		b.ID, b.Status, b.Rank, groups, plan, b.Callback, string(b.Metadata), b.Revision, nullTime(b.CompletedAt))
	return err
}

// BatchCounts returns how many real tasks of a batch there are by status.
func (tx *Tx) BatchCounts(batch string) (label.Counts, error) {
	counts, err := tx.counts("batch = $1", batch)
	return counts[batch], err
}

// ProjectCounts is BatchCounts of all batches of a project, by id.
func (tx *Tx) ProjectCounts(project string) (map[string]label.Counts, error) {
	return tx.counts("project = $1", project)
}

// WorldCounts is BatchCounts of all batches of the caller's world, by id.
func (tx *Tx) WorldCounts() (map[string]label.Counts, error) {
	return tx.counts("world = $1", string(tx.Caller.World))
}

func (tx *Tx) counts(where, arg string) (map[string]label.Counts, error) {
	type count struct {
		batch  string
		status label.Status
		tasks  int
	}
	scan := func(row rowScanner) (c count, err error) { return c, row.Scan(&c.batch, &c.status, &c.tasks) }
	found := make(map[string]label.Counts)
	err := each(tx, scan, func(c count) error {
		counts := found[c.batch]
		switch c.status {
		case label.Pending:
			counts.Pending += c.tasks
		case label.Completed:
			counts.Completed += c.tasks
		case label.Canceled:
			counts.Canceled += c.tasks
		case label.Failed:
			counts.Error += c.tasks
		}
		found[c.batch] = counts
		return nil
	}, "SELECT batch, status, CAST(SUM(tasks) AS BIGINT) FROM task_count WHERE "+where+" GROUP BY batch, status", arg)
	return found, err
}

// conditions is what stands in a WHERE after its first term, and the
// statement's parameters.
type conditions struct {
	args  []any
	terms strings.Builder
}

// add adds a condition; each ? in it stands for the next of its values.
func (c *conditions) add(term string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		term = strings.Replace(term, "?", placeholder(len(c.args)), 1)
	}
	c.terms.WriteString(" AND " + term)
}

// equal adds the condition that a column has a value; "" chooses all.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.add(column+" = ?", value)
	}
}

// in adds the condition that a column is one of some values; none choose all.
func (c *conditions) in(column string, values []string) {
	if len(values) == 0 {
		return
	}
	first := len(c.args) + 1
	for _, v := range values {
		c.args = append(c.args, v)
	}
	c.terms.WriteString(" AND " + column + " IN (" + placeholders(first, len(values)) + ")")
}

// span adds the conditions that a time is not before from and not after to; zero
// times choose all.
func (c *conditions) span(column string, from, to time.Time) {
	if !from.IsZero() {
		c.add(column+" >= ?", ceilMillis(from))
	}
	if !to.IsZero() {
		c.add(column+" <= ?", millis(to))
	}
}

// ceilMillis is the first whole millisecond at or after a time.
func ceilMillis(t time.Time) int64 { return millis(t.Add(time.Millisecond - 1)) }

func (c *conditions) text() string { return c.terms.String() }
