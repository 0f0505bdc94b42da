package client

import (
	"context"
	"net/http"
	"strings"

	"remuda"
	"remuda/wire"
)

// Login begins a session of a user and returns its cookie, for [Options].
func (c *Client) Login(ctx context.Context, login, password string) (session *http.Cookie, err error) {
	err = c.do(ctx, request{
		method: http.MethodPost, path: "/session", body: wire.Login{Login: login, Password: password},
		take: func(answer *http.Response) error {
			for _, cookie := range answer.Cookies() {
				if strings.HasSuffix(cookie.Name, "remuda_session") && cookie.Value != "" {
					session = cookie
					return nil
				}
			}
			return remuda.Errorf(remuda.Unavailable, "log in at %s: no session came back", c.root).WithHint("is it a Remuda server?")
		},
	})
	return session, err
}

// Logout ends the session.
func (c *Client) Logout(ctx context.Context) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/session", safe: true})
}

// Me says who the server takes the client for.
func (c *Client) Me(ctx context.Context) (wire.Me, error) {
	return get[wire.Me](ctx, c, "/session", nil)
}

// ChangePassword changes the password of the session's user.
func (c *Client) ChangePassword(ctx context.Context, change wire.NewPassword) error {
	return c.do(ctx, request{method: http.MethodPut, path: "/session/password", body: change})
}
