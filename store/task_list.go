package store

import (
	"time"

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
	return len(f.UniqueIDs) == 0 && len(f.Tags) == 0 && f.From.IsZero() && f.To.IsZero() &&
		f.UpdatedFrom.IsZero() && f.UpdatedTo.IsZero() && f.CompletedFrom.IsZero() && f.CompletedTo.IsZero()
}

// facets adds the conditions on what task_count counts by.
func (f *TaskFilter) facets(c *conditions) {
	if f.ProjectID != "" {
		c.add("project = ?", f.ProjectID)
	}
	if f.BatchID != "" {
		c.add("batch = ?", f.BatchID)
	}
	if f.Type != "" {
		c.add("type = ?", f.Type)
	}
	if f.Status != "" {
		c.add("status = ?", f.Status)
	}
	reviews := make([]string, len(f.Reviews))
	for i, r := range f.Reviews {
		reviews[i] = string(r)
	}
	c.in("review", reviews)
	if len(reviews) > 0 {
		c.add("review <> ''")
	}
}

// rest adds all other conditions but that of the page.
func (f *TaskFilter) rest(c *conditions) {
	c.span("created_at", f.From, f.To)
	c.span("updated_at", f.UpdatedFrom, f.UpdatedTo)
	if !f.CompletedFrom.IsZero() || !f.CompletedTo.IsZero() {
		c.add("completed_at IS NOT NULL")
	}
	c.span("completed_at", f.CompletedFrom, f.CompletedTo)
	if len(f.UniqueIDs) > 0 {
		c.in("unique_id", f.UniqueIDs)
		c.add("unique_id <> ''")
	}
	if len(f.Tags) > 0 {
		tags := conditions{args: c.args}
		tags.in("name", f.Tags)
		c.args = tags.args
		c.add("id IN (SELECT task FROM task_tag WHERE 1 = 1" + tags.text() + ")")
	}
}

// CountTasks returns how many real tasks of the caller's world the filter
// chooses, on all pages.
func (tx *Tx) CountTasks(f TaskFilter) (int64, error) {
	where := conditions{args: []any{tx.Caller.World}}
	f.facets(&where)
	if f.counted() {
		return one(tx, "task", scalar[int64], "SELECT CAST(COALESCE(SUM(tasks), 0) AS BIGINT) FROM task_count WHERE world = $1"+where.text(), where.args...)
	}
	f.rest(&where)
	return one(tx, "task", scalar[int64], "SELECT COUNT(*) FROM task WHERE world = $1 AND kind = ''"+where.text(), where.args...)
}

// TaskPage returns a page of the real tasks of the caller's world that the
// filter chooses, newest first, with their tags. Tasks that are made meanwhile come before
// the first page, so later pages neither repeat nor skip any.
func (tx *Tx) TaskPage(f TaskFilter, _ int64) ([]Task, error) {
	where := conditions{args: []any{tx.Caller.World}}
	f.facets(&where)
	f.rest(&where)
	if f.Before != "" {
		where.add("id < ?", f.Before)
	}
	where.args = append(where.args, limit(f.Limit))
	ids, err := all(tx, scalar[string], "SELECT id FROM task WHERE world = $1 AND kind = ''"+where.text()+" ORDER BY id DESC LIMIT "+placeholder(len(where.args)), where.args...)
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
