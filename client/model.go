package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Models lists the models, oldest first.
func (c *Client) Models(ctx context.Context) (wire.Models, error) {
	return get[wire.Models](ctx, c, "/models", nil)
}

// Model returns a model.
func (c *Client) Model(ctx context.Context, model string) (wire.Model, error) {
	return get[wire.Model](ctx, c, "/models"+id(model), nil)
}

// DeleteModel makes a model not_found; the job takes its rows away.
func (c *Client) DeleteModel(ctx context.Context, model string) (wire.Job, error) {
	return send[wire.Job](ctx, c, http.MethodDelete, "/models"+id(model), nil, false)
}

// TagModel adds and removes tags.
func (c *Client) TagModel(ctx context.Context, model string, change wire.TagChange) (wire.Tags, error) {
	return send[wire.Tags](ctx, c, http.MethodPatch, "/models"+id(model)+"/tags", change, true)
}

// ModelRuns lists a model's runs, oldest first.
func (c *Client) ModelRuns(ctx context.Context, model string) (wire.ModelRuns, error) {
	return get[wire.ModelRuns](ctx, c, "/models"+id(model)+"/runs", nil)
}

// ModelRun returns a run of a model.
func (c *Client) ModelRun(ctx context.Context, run string) (wire.ModelRun, error) {
	return get[wire.ModelRun](ctx, c, "/model-runs"+id(run), nil)
}

// DeleteModelRun makes a run not_found; the job takes its predictions away.
func (c *Client) DeleteModelRun(ctx context.Context, run string) (wire.Job, error) {
	return send[wire.Job](ctx, c, http.MethodDelete, "/model-runs"+id(run), nil, false)
}

// Predictions returns what a run predicted on an item.
func (c *Client) Predictions(ctx context.Context, run, item string) (wire.Annotations, error) {
	return get[wire.Annotations](ctx, c, "/model-runs"+id(run)+"/items"+id(item), nil)
}
