package own

import (
	"context"

	"remuda"
	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfUser names a user in the path.
type OfUser struct {
	User string `path:"user" doc:"The user's id."`
}

func (s *Server) userRoutes() {
	handle(s, route{at: "GET /users", id: "listUsers", summary: "List the users", about: "For admins."}, func(ctx context.Context, c *call, _ *struct{}) (wire.Users, error) {
		found, err := s.Flow.Users(ctx, c.caller)
		return wire.Users{Users: list(found, wireUser)}, err
	})
	handle(s, route{at: "POST /users", id: "createUser", summary: "Add a user", about: "For admins. The answer shows the password, which is kept nowhere."}, s.createUser)
	handle(s, route{at: "PATCH /users/{user}", id: "changeUser", summary: "Give a user another role, disable or enable them", about: "For admins. The last admin stays one."}, s.changeUser)
	handle(s, route{at: "PUT /users/{user}/password", id: "setPassword", summary: "Give a user another password", about: "For admins. Ends the user's sessions."}, s.setPassword)
}

func wireUser(u store.User) wire.User {
	return wire.User{
		ID: u.ID, Login: u.Login, Name: u.Name, Role: string(u.Role),
		CreatedAt: wire.NewTime(u.CreatedAt), SeenAt: wire.OptionalTime(u.SeenAt), DisabledAt: wire.OptionalTime(u.DisabledAt),
	}
}

func (s *Server) createUser(ctx context.Context, c *call, in *struct{ Body wire.NewUser }) (wire.MadeUser, error) {
	n := in.Body
	made, password, err := s.Flow.CreateUser(ctx, c.caller, flow.NewUser{Login: n.Login, Name: n.Name, Role: remuda.Role(n.Role), Password: n.Password})
	return wire.MadeUser{User: wireUser(made), Password: password}, err
}

func (s *Server) changeUser(ctx context.Context, c *call, in *struct {
	OfUser
	Body wire.UserChange
},
) (out wire.User, err error) {
	if in.Body.Role == "" && in.Body.Disabled == nil {
		return out, remuda.Errorf(remuda.Invalid, "the change changes nothing").WithHint("send a role, or disabled")
	}
	var u store.User
	if in.Body.Role != "" {
		if u, err = s.Flow.SetRole(ctx, c.caller, in.User, remuda.Role(in.Body.Role)); err != nil {
			return out, err
		}
	}
	switch disabled := in.Body.Disabled; {
	case disabled != nil && *disabled:
		u, err = s.Flow.DisableUser(ctx, c.caller, in.User)
	case disabled != nil:
		u, err = s.Flow.EnableUser(ctx, c.caller, in.User)
	}
	return wireUser(u), err
}

func (s *Server) setPassword(ctx context.Context, c *call, in *struct {
	OfUser
	Body wire.SetPassword
},
) (wire.Password, error) {
	password, err := s.Flow.SetPassword(ctx, c.caller, in.User, in.Body.Password)
	return wire.Password{Password: password}, err
}
