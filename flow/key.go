package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"remuda"
	"remuda/store"
)

// keyBytes is how many random bytes a key has; keyShown how many of its
// characters after live_ or test_ people may see later.
const (
	keyBytes = 32
	keyShown = 6
)

// NewKey is what an API key is made from.
type NewKey struct {
	Name  string
	User  string // id; "" for a key of no user. A key of a user never opens more than the user may
	World remuda.World
	Role  remuda.Role
}

// newKey returns a random key and its row.
func newKey(n NewKey) (key string, row store.Key) {
	prefix := string(n.World) + "_"
	key = prefix + secret(keyBytes)
	return key, store.Key{Hash: hashOf(key), Prefix: key[:len(prefix)+keyShown], Name: n.Name, User: n.User, World: n.World, Role: n.Role}
}

// hashOf is how keys and tokens of sessions are kept: they are random enough
// that a plain SHA-256 tells nothing of them.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// CreateKey makes an API key; admins only. The key is returned this once.
func (f *Flow) CreateKey(ctx context.Context, caller remuda.Caller, n NewKey) (key string, made store.Key, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return "", made, err
	}
	if n.Name, err = checkName("key", n.Name); err != nil {
		return "", made, err
	}
	if n.Role, err = remuda.ParseRole(string(n.Role)); err != nil {
		return "", made, err
	}
	if n.World != remuda.Live && n.World != remuda.Test {
		return "", made, remuda.Errorf(remuda.Invalid, "there is no world %q", n.World).WithHint("a key is live or test")
	}
	key, row := newKey(n)
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if n.User != "" {
			if _, err := tx.User(n.User); err != nil {
				return err
			}
		}
		if made, err = tx.CreateKey(row); err != nil {
			return err
		}
		return tx.Audit("key.create", made.ID, made.Prefix+"… "+made.Name+" as "+string(made.Role))
	})
	return key, made, err
}

// Keys returns all keys, revoked ones too, oldest first; admins only.
func (f *Flow) Keys(ctx context.Context, caller remuda.Caller) (found []store.Key, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = tx.Keys("")
		return err
	})
	return found, err
}

// RevokeKey makes a key open nothing from now on; admins only. A revoked key
// stays revoked.
func (f *Flow) RevokeKey(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Admin); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		k, err := tx.Key(id)
		if err != nil || k.RevokedAt != nil {
			return err
		}
		if err := tx.RevokeKey(id); err != nil {
			return err
		}
		return tx.Audit("key.revoke", id, k.Prefix+"… "+k.Name)
	})
}

// KeyCaller says who holds a key; unauthorized ([remuda.ErrNoLogin]) if it is
// unknown or revoked, or its user is disabled.
func (f *Flow) KeyCaller(ctx context.Context, key string) (caller remuda.Caller, err error) {
	if !strings.HasPrefix(key, "live_") && !strings.HasPrefix(key, "test_") {
		return caller, noLogin("this is no key of this server")
	}
	var k store.Key
	var u store.User
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		if k, err = tx.KeyByHash(hashOf(key)); err == nil && k.User != "" {
			u, err = tx.User(k.User)
		}
		return err
	})
	switch {
	case remuda.CodeOf(err) == remuda.NotFound:
		return caller, noLogin("this is no key of this server")
	case err != nil:
		return caller, err
	case k.RevokedAt != nil:
		return caller, noLogin("the key " + k.Prefix + "… was revoked")
	case u.DisabledAt != nil:
		return caller, noLogin("the user of the key " + k.Prefix + "… is disabled")
	}
	caller = remuda.Caller{User: k.User, Key: k.ID, Name: k.Name, Role: k.Role, World: k.World}
	if k.User != "" {
		caller.Name = u.Name
		if k.Role.AtLeast(u.Role) {
			caller.Role = u.Role
		}
	}
	f.access.touch(ctx, f, caller, k.ID, k.UsedAt, func(tx *store.Tx) error { return tx.TouchKey(k.ID) })
	return caller, nil
}

// noLogin says that it isn't known who asks.
func noLogin(why string) error {
	return remuda.Errorf(remuda.Unauthorized, "%w", remuda.Because(remuda.ErrNoLogin, "%s", why)).WithHint("send a valid API key, or log in")
}
