package client

import (
	"context"
	"net/http"
	"net/url"

	"remuda/wire"
)

// Boxes returns a page of boxes, annotations and predictions, that a filter of
// boxes chooses.
func (c *Client) Boxes(ctx context.Context, dataset string, search Search, page Page) (wire.Boxes, error) {
	return get[wire.Boxes](ctx, c, "/datasets"+id(dataset)+"/boxes", search.query(page.query()))
}

// CountBoxes returns how many boxes a filter of boxes chooses.
func (c *Client) CountBoxes(ctx context.Context, dataset string, search Search) (int64, error) {
	n, err := get[wire.Count](ctx, c, "/datasets"+id(dataset)+"/boxes/count", search.query(url.Values{}))
	return n.Count, err
}

// Annotations returns an item's ground truth, now or, if at is set, as it was then.
func (c *Client) Annotations(ctx context.Context, item string, at wire.Time) (wire.Annotations, error) {
	return get[wire.Annotations](ctx, c, "/items"+id(item)+"/annotations", set(url.Values{}, "at", string(at)))
}

// SaveAnnotations makes an item's ground truth what the list says; conflict if
// it has changed since the revision that the list was made on.
func (c *Client) SaveAnnotations(ctx context.Context, item string, save wire.SaveAnnotations) (wire.Annotations, error) {
	return send[wire.Annotations](ctx, c, http.MethodPut, "/items"+id(item)+"/annotations", save, false)
}

// History returns every revision of an item's ground truth.
func (c *Client) History(ctx context.Context, item string) (wire.Annotations, error) {
	return get[wire.Annotations](ctx, c, "/items"+id(item)+"/history", nil)
}

// RestoreItem makes an item's ground truth what it was at a time.
func (c *Client) RestoreItem(ctx context.Context, item string, at wire.Restore) (wire.Restored, error) {
	return send[wire.Restored](ctx, c, http.MethodPost, "/items"+id(item)+"/restore", at, true)
}
