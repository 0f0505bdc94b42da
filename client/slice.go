package client

import (
	"context"
	"net/http"
	"net/url"

	"remuda/wire"
)

// Slices lists slices, of a dataset and with a name unless these are "".
func (c *Client) Slices(ctx context.Context, dataset, name string) (wire.Slices, error) {
	return get[wire.Slices](ctx, c, "/slices", set(set(url.Values{}, "dataset", dataset), "name", name))
}

// CreateSlice makes a slice of a dataset.
func (c *Client) CreateSlice(ctx context.Context, dataset string, n wire.NewSlice) (wire.Slice, error) {
	return send[wire.Slice](ctx, c, http.MethodPost, "/datasets"+id(dataset)+"/slices", n, false)
}

// Slice returns a slice.
func (c *Client) Slice(ctx context.Context, slice string) (wire.Slice, error) {
	return get[wire.Slice](ctx, c, "/slices"+id(slice), nil)
}

// RenameSlice changes a slice's name and description.
func (c *Client) RenameSlice(ctx context.Context, slice string, change wire.SliceChange) (wire.Slice, error) {
	return send[wire.Slice](ctx, c, http.MethodPatch, "/slices"+id(slice), change, true)
}

// DeleteSlice removes a slice; its members stay in their dataset.
func (c *Client) DeleteSlice(ctx context.Context, slice string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/slices" + id(slice)})
}

// SliceItems returns a page of a slice's items.
func (c *Client) SliceItems(ctx context.Context, slice string, page Page, annotations bool) (wire.Items, error) {
	return get[wire.Items](ctx, c, "/slices"+id(slice)+"/items", withAnnotations(page.query(), annotations))
}

// AddToSlice adds what is chosen to a slice.
func (c *Client) AddToSlice(ctx context.Context, slice string, choice wire.Choice) (wire.MemberChange, error) {
	return send[wire.MemberChange](ctx, c, http.MethodPost, "/slices"+id(slice)+"/items", choice, false)
}

// RemoveFromSlice takes what is chosen out of a slice.
func (c *Client) RemoveFromSlice(ctx context.Context, slice string, choice wire.Choice) (wire.MemberChange, error) {
	return send[wire.MemberChange](ctx, c, http.MethodPost, "/slices"+id(slice)+"/items/remove", choice, false)
}

// FreezeSlice pins a slice's content and returns its hash.
func (c *Client) FreezeSlice(ctx context.Context, slice string) (wire.Frozen, error) {
	return send[wire.Frozen](ctx, c, http.MethodPost, "/slices"+id(slice)+"/freeze", nil, true)
}

// TagSlice adds and removes tags.
func (c *Client) TagSlice(ctx context.Context, slice string, change wire.TagChange) (wire.Tags, error) {
	return send[wire.Tags](ctx, c, http.MethodPatch, "/slices"+id(slice)+"/tags", change, true)
}
