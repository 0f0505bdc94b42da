package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// TaskFilter chooses tasks; zero fields choose all.
type TaskFilter struct {
	Project string // id or name
	Batch   string // id or name
	Status  string // pending, completed, canceled or error
	Review  string // pending, accepted, fixed or rejected
}

// Tasks returns a page of tasks, newest first.
func (c *Client) Tasks(ctx context.Context, f TaskFilter, page Page) (wire.Tasks, error) {
	q := set(set(set(set(page.query(), "project", f.Project), "batch", f.Batch), "status", f.Status), "review", f.Review)
	return get[wire.Tasks](ctx, c, "/tasks", q)
}

// Task returns a task with everything that was handed in.
func (c *Client) Task(ctx context.Context, task string) (wire.Task, error) {
	return get[wire.Task](ctx, c, "/tasks"+id(task), nil)
}

// TaskHistory lists what happened to a task, oldest first.
func (c *Client) TaskHistory(ctx context.Context, task string) (wire.TaskHistory, error) {
	return get[wire.TaskHistory](ctx, c, "/tasks"+id(task)+"/history", nil)
}

// Merge shows how a task's attempts were made into one result.
func (c *Client) Merge(ctx context.Context, task string) (wire.Merged, error) {
	return get[wire.Merged](ctx, c, "/tasks"+id(task)+"/merge", nil)
}

// RelabelTask has a completed task attempted anew.
func (c *Client) RelabelTask(ctx context.Context, task, why string) (wire.Task, error) {
	return c.changeTask(ctx, task, "relabel", why, false)
}

// CancelTask ends a pending or failed task that nobody is working on.
func (c *Client) CancelTask(ctx context.Context, task, why string) (wire.Task, error) {
	return c.changeTask(ctx, task, "cancel", why, true)
}

// ResolveTask answers the flag of a task that is set aside, with a note for
// whoever does it next.
func (c *Client) ResolveTask(ctx context.Context, task, note string) (wire.Task, error) {
	return c.changeTask(ctx, task, "resolve", note, false)
}

// RetryTask looks anew for the image of a failed task.
func (c *Client) RetryTask(ctx context.Context, task string) (wire.Task, error) {
	return c.changeTask(ctx, task, "retry", "", false)
}

func (c *Client) changeTask(ctx context.Context, task, verb, why string, safe bool) (wire.Task, error) {
	return send[wire.Task](ctx, c, http.MethodPost, "/tasks"+id(task)+"/"+verb, wire.Reason{Why: why}, safe)
}

// AuditTask audits a result without a lease; the same word twice counts once.
func (c *Client) AuditTask(ctx context.Context, task string, a wire.Audit) (wire.Task, error) {
	return send[wire.Task](ctx, c, http.MethodPost, "/tasks"+id(task)+"/audit", a, a.Answer == nil)
}
