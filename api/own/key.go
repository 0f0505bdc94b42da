package own

import (
	"context"

	"remuda"
	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfKey names a key in the path.
type OfKey struct {
	Key string `path:"key" doc:"The key's id."`
}

func (s *Server) keyRoutes() {
	handle(s, route{at: "GET /keys", id: "listKeys", summary: "List the API keys, without their secrets", about: "For admins. Revoked ones too."}, func(ctx context.Context, c *call, _ *struct{}) (wire.Keys, error) {
		found, err := s.Flow.Keys(ctx, c.caller)
		return wire.Keys{Keys: list(found, wireKey)}, err
	})
	handle(s, route{at: "POST /keys", id: "createKey", summary: "Make an API key", about: "For admins. The answer shows the secret, which is kept nowhere."}, s.createKey)
	act(s, route{at: "DELETE /keys/{key}", id: "revokeKey", summary: "Make an API key open nothing from now on", about: "For admins."}, func(ctx context.Context, c *call, in *OfKey) error {
		return s.Flow.RevokeKey(ctx, c.caller, in.Key)
	})
}

func wireKey(k store.Key) wire.Key {
	return wire.Key{
		ID: k.ID, Prefix: k.Prefix, Name: k.Name, User: k.User, World: string(k.World), Role: string(k.Role),
		CreatedAt: wire.NewTime(k.CreatedAt), CreatedBy: k.CreatedBy, UsedAt: wire.OptionalTime(k.UsedAt), RevokedAt: wire.OptionalTime(k.RevokedAt),
	}
}

func (s *Server) createKey(ctx context.Context, c *call, in *struct{ Body wire.NewKey }) (wire.MadeKey, error) {
	n := flow.NewKey{Name: in.Body.Name, User: in.Body.User, World: remuda.World(in.Body.World), Role: remuda.Role(in.Body.Role)}
	if n.World == "" {
		n.World = remuda.Live
	}
	secret, made, err := s.Flow.CreateKey(ctx, c.caller, n)
	return wire.MadeKey{Key: wireKey(made), Secret: secret}, err
}
