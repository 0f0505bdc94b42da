package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Taxonomies lists a dataset's taxonomies.
func (c *Client) Taxonomies(ctx context.Context, dataset string) (wire.Taxonomies, error) {
	return get[wire.Taxonomies](ctx, c, "/datasets"+id(dataset)+"/taxonomies", nil)
}

// PutTaxonomy makes a taxonomy, or adds labels to it.
func (c *Client) PutTaxonomy(ctx context.Context, dataset, name string, t wire.PutTaxonomy) error {
	return c.do(ctx, request{method: http.MethodPut, path: "/datasets" + id(dataset) + "/taxonomies" + id(name), body: t, safe: true})
}

// DeleteTaxonomy removes a taxonomy and the annotations that name it.
func (c *Client) DeleteTaxonomy(ctx context.Context, dataset, name string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/datasets" + id(dataset) + "/taxonomies" + id(name)})
}
