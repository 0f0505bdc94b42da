package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Datasets lists the datasets, oldest first.
func (c *Client) Datasets(ctx context.Context) (wire.Datasets, error) {
	return get[wire.Datasets](ctx, c, "/datasets", nil)
}

// CreateDataset makes an empty dataset.
func (c *Client) CreateDataset(ctx context.Context, n wire.NewDataset) (wire.Dataset, error) {
	return send[wire.Dataset](ctx, c, http.MethodPost, "/datasets", n, false)
}

// Dataset returns a dataset and what there is of it.
func (c *Client) Dataset(ctx context.Context, dataset string) (wire.DatasetOverview, error) {
	return get[wire.DatasetOverview](ctx, c, "/datasets"+id(dataset), nil)
}

// RenameDataset gives a dataset another name.
func (c *Client) RenameDataset(ctx context.Context, dataset string, n wire.NewDataset) (wire.Dataset, error) {
	return send[wire.Dataset](ctx, c, http.MethodPatch, "/datasets"+id(dataset), n, true)
}

// DeleteDataset makes a dataset not_found; the job takes its rows away.
func (c *Client) DeleteDataset(ctx context.Context, dataset string) (wire.Job, error) {
	return send[wire.Job](ctx, c, http.MethodDelete, "/datasets"+id(dataset), nil, false)
}

// TagDataset adds and removes tags.
func (c *Client) TagDataset(ctx context.Context, dataset string, change wire.TagChange) (wire.Tags, error) {
	return send[wire.Tags](ctx, c, http.MethodPatch, "/datasets"+id(dataset)+"/tags", change, true)
}

// RestoreDataset makes the job that makes all ground truth what it was at a time.
func (c *Client) RestoreDataset(ctx context.Context, dataset string, at wire.Restore) (wire.Job, error) {
	return send[wire.Job](ctx, c, http.MethodPost, "/datasets"+id(dataset)+"/restore", at, false)
}

// Duplicates lists near-duplicates: images whose perceptual hashes differ in at
// most so many bits of 64.
func (c *Client) Duplicates(ctx context.Context, dataset string, threshold int) (wire.Duplicates, error) {
	return get[wire.Duplicates](ctx, c, "/datasets"+id(dataset)+"/duplicates", number("threshold", threshold))
}
