package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Users lists the users, oldest first.
func (c *Client) Users(ctx context.Context) (wire.Users, error) {
	return get[wire.Users](ctx, c, "/users", nil)
}

// CreateUser adds a user and returns the password, which is shown this once.
func (c *Client) CreateUser(ctx context.Context, n wire.NewUser) (wire.MadeUser, error) {
	return send[wire.MadeUser](ctx, c, http.MethodPost, "/users", n, false)
}

// ChangeUser gives a user another role, disables or enables them.
func (c *Client) ChangeUser(ctx context.Context, user string, change wire.UserChange) (wire.User, error) {
	return send[wire.User](ctx, c, http.MethodPatch, "/users"+id(user), change, true)
}

// SetPassword gives a user another password and returns it.
func (c *Client) SetPassword(ctx context.Context, user string, p wire.SetPassword) (wire.Password, error) {
	return send[wire.Password](ctx, c, http.MethodPut, "/users"+id(user)+"/password", p, false)
}
