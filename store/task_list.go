package store

import (
	"time"

	"remuda"
	"remuda/label"
)

// TaskFilter chooses real tasks; zero fields choose all.
type TaskFilter struct {
	ProjectID, BatchID         string
	Type                       string
	Status                     label.Status
	Reviews                    []TaskReview // any of them
	UniqueIDs                  []string     // any of them
	Tags                       []string     // any of them
	From, To                   time.Time    // of creation
	UpdatedFrom, UpdatedTo     time.Time
	CompletedFrom, CompletedTo time.Time
	Before                     string // id of the task after the first one, of an earlier page
	Limit                      int
}

// counted says whether task_count alone knows how many tasks there are.
func (f *TaskFilter) counted() bool {
	return len(f.UniqueIDs) == 0 && len(f.Tags) == 0 && f.From.IsZero() && f.To.IsZero() && !f.timed()
}

// timed says whether the filter looks at times that change.
func (f *TaskFilter) timed() bool {
	return !f.UpdatedFrom.IsZero() || !f.UpdatedTo.IsZero() || !f.CompletedFrom.IsZero() || !f.CompletedTo.IsZero()
}

// facets adds the conditions on what task_count counts by, and says whether
// there are any.
func (f *TaskFilter) facets(c *conditions) bool {
	c.equal("project", f.ProjectID)
	c.equal("batch", f.BatchID)
	c.equal("type", f.Type)
	c.equal("status", string(f.Status))
	reviews := make([]string, len(f.Reviews))
	for i, r := range f.Reviews {
		reviews[i] = string(r)
	}
	if c.in("review", reviews); len(reviews) > 0 {
		c.add("review <> ''")
	}
	return f.ProjectID != "" || f.BatchID != "" || f.Type != "" || f.Status != "" || len(reviews) > 0
}

const taskPrefix = "task"

// ids adds the conditions on a column of ids: they tell when tasks were made,
// and what was done to a task was done after that.
func (f *TaskFilter) ids(c *conditions, column string) {
	if !f.From.IsZero() {
		c.add(column+" >= ?", remuda.FirstID(taskPrefix, f.From.Add(time.Millisecond-1)))
	}
	for _, to := range []time.Time{f.To, f.UpdatedTo, f.CompletedTo} {
		if !to.IsZero() {
			c.add(column+" < ?", remuda.FirstID(taskPrefix, to.Add(time.Millisecond)))
		}
	}
}

// changes adds the conditions on times that change, and on unique ids.
func (f *TaskFilter) changes(c *conditions) {
	c.span("updated_at", f.UpdatedFrom, f.UpdatedTo)
	if !f.CompletedFrom.IsZero() || !f.CompletedTo.IsZero() {
		c.add("completed_at IS NOT NULL")
	}
	c.span("completed_at", f.CompletedFrom, f.CompletedTo)
	if c.in("unique_id", f.UniqueIDs); len(f.UniqueIDs) > 0 {
		c.add("unique_id <> ''")
	}
}

// from returns a query's FROM and WHERE, and the column of the tasks' ids. Where
// there are tags it begins with what has one of them.
func (f *TaskFilter) from(c *conditions) (text, id string) {
	if len(f.Tags) == 0 {
		f.facets(c)
		f.ids(c, "id")
		f.changes(c)
		return " FROM task WHERE world = $1 AND kind = ''" + c.text(), "id"
	}
	c.in("name", f.Tags)
	f.ids(c, "task_tag.task")
	of := conditions{args: c.args}
	narrowed := f.facets(&of)
	f.changes(&of)
	c.args = of.args
	if !narrowed && !f.timed() && len(f.UniqueIDs) == 0 {
		return " FROM task_tag WHERE task_tag.world = $1" + c.text(), "task_tag.task"
	}
	return " FROM task_tag CROSS JOIN task WHERE task_tag.world = $1" + c.text() + " AND task.id = task_tag.task AND kind = ''" + of.text(), "task_tag.task"
}

// CountTasks returns how many real tasks of the caller's world the filter
// chooses, on all pages.
func (tx *Tx) CountTasks(f TaskFilter) (int64, error) {
	where := conditions{args: []any{tx.Caller.World}}
	if f.counted() {
		f.facets(&where)
		return one(tx, "task", scalar[int64], "SELECT CAST(COALESCE(SUM(tasks), 0) AS BIGINT) FROM task_count WHERE world = $1"+where.text(), where.args...)
	}
	text, id := f.from(&where)
	what := "*"
	if len(f.Tags) > 1 { // a task may have several of them
		what = "DISTINCT " + id
	}
	return one(tx, "task", scalar[int64], "SELECT COUNT("+what+")"+text, where.args...)
}

// TaskPage returns a page of the real tasks of the caller's world that the
// filter chooses, newest first, with their tags; total is what CountTasks says.
// Tasks that are made meanwhile come before the first page, so later pages
// neither repeat nor skip any.
func (tx *Tx) TaskPage(f TaskFilter, total int64) ([]Task, error) {
	if total == 0 {
		return []Task{}, nil
	}
	where := conditions{args: []any{tx.Caller.World}}
	text, id := f.from(&where)
	if f.Before != "" {
		where.args = append(where.args, f.Before)
		text += " AND " + id + " < " + placeholder(len(where.args))
	}
	where.args = append(where.args, limit(f.Limit))
	distinct := ""
	if len(f.Tags) > 1 {
		distinct = "DISTINCT "
	}
	ids, err := all(tx, scalar[string], "SELECT "+distinct+id+text+" ORDER BY "+id+" DESC LIMIT "+placeholder(len(where.args)), where.args...)
	if err != nil || len(ids) == 0 {
		return []Task{}, err
	}
	found, err := tx.Tasks(ids)
	if err != nil {
		return nil, err
	}
	tags, err := tx.taskTags(ids)
	if err != nil {
		return nil, err
	}
	at := make(map[string]Task, len(found))
	for _, t := range found {
		t.Tags = tags[t.ID]
		at[t.ID] = t
	}
	page := make([]Task, 0, len(ids))
	for _, id := range ids {
		page = append(page, at[id])
	}
	return page, nil
}
