package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Keys lists the API keys, oldest first.
func (c *Client) Keys(ctx context.Context) (wire.Keys, error) {
	return get[wire.Keys](ctx, c, "/keys", nil)
}

// CreateKey makes an API key and returns its secret, which is shown this once.
func (c *Client) CreateKey(ctx context.Context, n wire.NewKey) (wire.MadeKey, error) {
	return send[wire.MadeKey](ctx, c, http.MethodPost, "/keys", n, false)
}

// RevokeKey makes a key open nothing from now on.
func (c *Client) RevokeKey(ctx context.Context, key string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/keys" + id(key), safe: true})
}
