package own

import (
	"context"

	"remuda"
	"remuda/flow"
	"remuda/internal/httpx"
	"remuda/wire"
)

func (s *Server) sessionRoutes() {
	act(s, route{
		at: "POST /session", id: "login", summary: "Log in", open: true,
		about: "Begins a session, which the cookie of the answer belongs to. It ends 7 days after its last use and 30 days after its begin.",
	}, s.login)
	act(s, route{at: "DELETE /session", id: "logout", summary: "Log out", open: true, about: "Ends the session, if there is one."}, s.logout)
	handle(s, route{at: "GET /session", id: "me", summary: "Who the server takes you for"}, func(_ context.Context, c *call, _ *struct{}) (wire.Me, error) {
		return wire.Me{User: c.caller.User, Key: c.caller.Key, Name: c.caller.Name, Role: string(c.caller.Role), World: string(c.caller.World)}, nil
	})
	act(s, route{at: "PUT /session/password", id: "changePassword", summary: "Change your own password", about: "Ends all your other sessions."}, s.changePassword)
}

func (s *Server) login(ctx context.Context, c *call, in *struct{ Body wire.Login }) error {
	token, _, err := s.Flow.Login(ctx, in.Body.Login, in.Body.Password, httpx.Of(c.r).Address)
	if err != nil {
		return err
	}
	httpx.SetSession(c.w, c.r, token, flow.SessionMax)
	return nil
}

func (s *Server) logout(ctx context.Context, c *call, _ *struct{}) error {
	if token := httpx.SessionToken(c.r); token != "" {
		if err := s.Flow.Logout(ctx, token); err != nil {
			return err
		}
	}
	httpx.SetSession(c.w, c.r, "", 0)
	return nil
}

func (s *Server) changePassword(ctx context.Context, c *call, in *struct{ Body wire.NewPassword }) error {
	if c.caller.Key != "" {
		return remuda.Errorf(remuda.Invalid, "a key has no password to change").WithHint("log in with the password first")
	}
	return s.Flow.ChangePassword(ctx, c.caller, httpx.SessionToken(c.r), in.Body.Old, in.Body.New)
}
