package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// CallbackFilter chooses callbacks; zero fields choose all.
type CallbackFilter struct {
	Batch  string // id
	Task   string // id
	Status string // waiting, done or failed
}

// Callbacks returns a page of what was and will be told to users' addresses, newest first.
func (c *Client) Callbacks(ctx context.Context, f CallbackFilter, page Page) (wire.Callbacks, error) {
	return get[wire.Callbacks](ctx, c, "/callbacks", set(set(set(page.query(), "batch", f.Batch), "task", f.Task), "status", f.Status))
}

// ResendCallback tells of a task as it is now.
func (c *Client) ResendCallback(ctx context.Context, task string) error {
	return c.do(ctx, request{method: http.MethodPost, path: "/tasks" + id(task) + "/callback"})
}

// CallbackSettings returns whom the server tells of tasks that name no address,
// and how receivers recognise it.
func (c *Client) CallbackSettings(ctx context.Context) (wire.CallbackSettings, error) {
	return get[wire.CallbackSettings](ctx, c, "/callbacks/settings", nil)
}

// SetCallbackURL says who is told of tasks that name no address; "" for nobody.
func (c *Client) SetCallbackURL(ctx context.Context, url string) (wire.CallbackSettings, error) {
	return send[wire.CallbackSettings](ctx, c, http.MethodPut, "/callbacks/settings", wire.CallbackURL{URL: url}, true)
}
