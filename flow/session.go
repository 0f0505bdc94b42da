package flow

import (
	"context"
	"strings"
	"sync"
	"time"

	"remuda"
	"remuda/internal/ratelimit"
	"remuda/store"
)

// A session ends this long after its last use, and after its begin.
const (
	SessionIdle = 7 * 24 * time.Hour
	SessionMax  = 30 * 24 * time.Hour
)

// used is how exactly the last use of a key or session is known.
const used = time.Minute

// access is what a process remembers of who came in. The zero value is ready.
type access struct {
	passwords passwords

	mu        sync.Mutex
	names     *ratelimit.Limiter   // attempts to log in, by login
	addresses *ratelimit.Limiter   // and by address
	touched   map[string]time.Time // by id of a key or session: when its use was last noted
}

// allowLogin says whether someone may try to log in once more: a login 10 times
// at once and then every 6 seconds, an address 30 times and then every 2.
func (a *access) allowLogin(login, address string, now time.Time) bool {
	a.mu.Lock()
	if a.names == nil {
		a.names, a.addresses = ratelimit.New(1./6, 10), ratelimit.New(1./2, 30)
	}
	names, addresses := a.names, a.addresses
	a.mu.Unlock()
	return addresses.Allow(address, now) && names.Allow(login, now)
}

func tooFast() error {
	return remuda.Errorf(remuda.Unavailable, "%w", remuda.Because(remuda.ErrTooFast, "too many logins were tried in a short time")).WithHint("wait a minute and try again")
}

// touch notes that a key or session is in use, at most once a minute. That it
// could not is no reason to turn someone away.
func (a *access) touch(ctx context.Context, f *Flow, caller remuda.Caller, id string, last *time.Time, write func(*store.Tx) error) {
	now := f.now()
	if last != nil && now.Sub(*last) < used {
		return
	}
	a.mu.Lock()
	due := now.Sub(a.touched[id]) >= used
	if due {
		if len(a.touched) > 10_000 || a.touched == nil {
			a.touched = make(map[string]time.Time)
		}
		a.touched[id] = now
	}
	a.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := f.DB.Write(ctx, caller, write); err != nil && f.Log != nil {
		f.Log.WarnContext(ctx, "note the use of a key", "id", id, "error", err)
	}
}

// Login begins a session of a user from an address and returns its token;
// unauthorized if login or password is wrong, without saying which.
func (f *Flow) Login(ctx context.Context, login, password, address string) (token string, u store.User, err error) {
	login = strings.ToLower(strings.TrimSpace(login))
	if !f.access.allowLogin(login, address, f.now()) {
		return "", u, tooFast()
	}
	if len(password) > maxPassword || len(login) > maxLogin {
		return "", u, wrongLogin()
	}
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		u, err = tx.UserByLogin(login)
		return err
	})
	if err != nil && remuda.CodeOf(err) != remuda.NotFound {
		return "", u, err
	}
	same, err := f.access.passwords.matches(ctx, password, u.Password)
	if err != nil || !same || u.DisabledAt != nil {
		return "", store.User{}, errorOr(err, wrongLogin())
	}
	token = secret(keyBytes)
	err = f.DB.Write(ctx, remuda.Caller{User: u.ID, Name: u.Name}, func(tx *store.Tx) error {
		found, err := tx.NoteLogin(u.ID, u.Password) // it may have changed while the password was looked at
		if remuda.CodeOf(err) == remuda.NotFound {
			return wrongLogin()
		}
		if err != nil {
			return err
		}
		if err := tx.ForgetSessions(tx.Now.Add(-SessionMax), tx.Now.Add(-SessionIdle)); err != nil {
			return err
		}
		u = found
		return tx.CreateSession(hashOf(token), u.ID)
	})
	return token, u, err
}

func wrongLogin() error {
	return remuda.Errorf(remuda.Unauthorized, "%w", remuda.Because(remuda.ErrNoLogin, "name or password is wrong")).WithHint("an admin can set a new password")
}

// Logout ends the session with a token, if there is one.
func (f *Flow) Logout(ctx context.Context, token string) error {
	return f.DB.Write(ctx, remuda.Caller{}, func(tx *store.Tx) error { return tx.EndSession(hashOf(token)) })
}

// SessionCaller says whose session a token is of, in a world that the user
// chooses; unauthorized ([remuda.ErrNoLogin]) if it has ended.
func (f *Flow) SessionCaller(ctx context.Context, token string, world remuda.World) (caller remuda.Caller, err error) {
	if world != remuda.Live && world != remuda.Test {
		return caller, remuda.Errorf(remuda.Invalid, "there is no world %q", world).WithHint("it is live or test")
	}
	var s store.Session
	var u store.User
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		if s, err = tx.Session(hashOf(token)); err == nil {
			u, err = tx.User(s.User)
		}
		return err
	})
	now := f.now()
	ended := remuda.CodeOf(err) == remuda.NotFound
	if err != nil && !ended {
		return caller, err
	}
	if ended || u.DisabledAt != nil || now.Sub(s.UsedAt) > SessionIdle || now.Sub(s.CreatedAt) > SessionMax {
		return caller, noLogin("the session has ended")
	}
	caller = remuda.Caller{User: u.ID, Name: u.Name, Role: u.Role, World: world}
	f.access.touch(ctx, f, caller, s.Hash, &s.UsedAt, func(tx *store.Tx) error { return tx.TouchSession(s.Hash) })
	return caller, nil
}
