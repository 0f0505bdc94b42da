package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// NextTask leases the next task to attempt or review to the caller, of a
// project unless that is "".
func (c *Client) NextTask(ctx context.Context, project string) (wire.Next, error) {
	return send[wire.Next](ctx, c, http.MethodPost, "/work/next", wire.NextTask{Project: project}, true)
}

// NextAudit leases the next result to audit to the caller, of a batch unless
// that is "".
func (c *Client) NextAudit(ctx context.Context, batch string) (wire.Next, error) {
	return send[wire.Next](ctx, c, http.MethodPost, "/work/audit", wire.NextAudit{Batch: batch}, true)
}

// TakeTask leases a task of one's choosing, to review or audit it.
func (c *Client) TakeTask(ctx context.Context, task string) (wire.Held, error) {
	return send[wire.Held](ctx, c, http.MethodPost, "/work"+id(task)+"/take", nil, true)
}

// Held returns a task that the caller holds.
func (c *Client) Held(ctx context.Context, task string) (wire.Held, error) {
	return get[wire.Held](ctx, c, "/work"+id(task), nil)
}

// RenewLease prolongs a lease and keeps a draft.
func (c *Client) RenewLease(ctx context.Context, task string, r wire.Renewal) (wire.Renewed, error) {
	return send[wire.Renewed](ctx, c, http.MethodPut, "/work"+id(task)+"/lease", r, true)
}

// SubmitTask hands in what a lease was for; twice counts once.
func (c *Client) SubmitTask(ctx context.Context, task string, s wire.Submission) (wire.Submitted, error) {
	return send[wire.Submitted](ctx, c, http.MethodPost, "/work"+id(task)+"/submit", s, true)
}

// SkipTask gives a task back for a reason, not to get it again.
func (c *Client) SkipTask(ctx context.Context, task string, g wire.GiveBack) error {
	return c.giveBack(ctx, task, "skip", g)
}

// FlagTask sets a task aside with a question for a manager.
func (c *Client) FlagTask(ctx context.Context, task string, g wire.GiveBack) error {
	return c.giveBack(ctx, task, "flag", g)
}

// ReturnTask gives a task back unfinished, without prejudice.
func (c *Client) ReturnTask(ctx context.Context, task string, g wire.GiveBack) error {
	return c.giveBack(ctx, task, "return", g)
}

func (c *Client) giveBack(ctx context.Context, task, verb string, g wire.GiveBack) error {
	return c.do(ctx, request{method: http.MethodPost, path: "/work" + id(task) + "/" + verb, body: g})
}
