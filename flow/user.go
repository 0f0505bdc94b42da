package flow

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"unicode"

	"remuda"
	"remuda/store"
)

// Local is the caller who sits at the server's own machine: whoever may read
// and write the database there is an admin.
func Local(world remuda.World) remuda.Caller {
	return remuda.Caller{Name: "the server's own machine", Role: remuda.Admin, World: world}
}

// maxLogin is how many bytes a login may have; an e-mail address has at most 254 (RFC 5321, section 4.5.3.1.3).
const maxLogin = 254

// checkLogin returns a login as it is kept: in lower case.
func checkLogin(login string) (string, error) {
	login = strings.ToLower(strings.TrimSpace(login))
	odd := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == ':' || r == '/' }
	if login == "" || len(login) > maxLogin || strings.ContainsFunc(login, odd) {
		return "", remuda.Errorf(remuda.Invalid, "%.80q cannot be a user's login", login).WithHint("give a name or an e-mail address without spaces, colons and slashes, of at most %d bytes", maxLogin)
	}
	return login, nil
}

// NewUser is what a user is made from.
type NewUser struct {
	Login    string // a name or an e-mail address
	Name     string // as others read it; the login if ""
	Role     remuda.Role
	Password string // "" for a random one
}

// CreateUser makes a user; admins only. It returns the password, which is kept nowhere.
func (f *Flow) CreateUser(ctx context.Context, caller remuda.Caller, n NewUser) (made store.User, password string, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return made, "", err
	}
	prepared, password, err := f.prepareUser(ctx, n)
	if err != nil {
		return made, "", err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if made, err = tx.CreateUser(prepared); err != nil {
			return err
		}
		return tx.Audit("user.create", made.ID, made.Login+" as "+string(made.Role))
	})
	return made, password, err
}

// prepareUser checks what a user is made from and hashes the password.
func (f *Flow) prepareUser(ctx context.Context, n NewUser) (u store.User, password string, err error) {
	if u.Login, err = checkLogin(n.Login); err != nil {
		return u, "", err
	}
	if n.Name == "" {
		n.Name = u.Login
	}
	if u.Name, err = checkName("user", n.Name); err != nil {
		return u, "", err
	}
	if u.Role, err = remuda.ParseRole(string(n.Role)); err != nil {
		return u, "", err
	}
	u.Password, password, err = f.newPassword(ctx, n.Password)
	return u, password, err
}

// newPassword returns the hash of a password, of a random one if it is "".
func (f *Flow) newPassword(ctx context.Context, password string) (hash, chosen string, err error) {
	if password == "" {
		password = secret(12)
	}
	if err := checkNewPassword(password); err != nil {
		return "", "", err
	}
	hash, err = f.access.passwords.hash(ctx, password)
	return hash, password, err
}

// secret returns n random bytes as letters a to z and digits 2 to 7.
func secret(n int) string {
	random := make([]byte, n)
	_, _ = rand.Read(random) // never fails: it ends the process if the system has no randomness
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random))
}

// Users returns all users, oldest first; admins only.
func (f *Flow) Users(ctx context.Context, caller remuda.Caller) (found []store.User, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = tx.Users()
		return err
	})
	return found, err
}

// UserByLogin returns a user; admins only.
func (f *Flow) UserByLogin(ctx context.Context, caller remuda.Caller, login string) (found store.User, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return found, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = tx.UserByLogin(strings.ToLower(strings.TrimSpace(login)))
		return err
	})
	return found, err
}

// changeUser lets an admin change a user and leaves a row in the audit log. The
// last admin who may log in stays one: conflict.
func (f *Flow) changeUser(ctx context.Context, caller remuda.Caller, id, action string, change func(*store.Tx, *store.User) (detail string, err error)) (u store.User, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return u, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if err := tx.LockUsers(); err != nil {
			return err
		}
		if u, err = tx.User(id); err != nil {
			return err
		}
		detail, err := change(tx, &u)
		if err != nil {
			return err
		}
		if err := tx.UpdateUser(u); err != nil {
			return err
		}
		if admins, err := tx.CountUsers(remuda.Admin); err != nil || admins == 0 {
			noAdmin := remuda.Errorf(remuda.Conflict, "%s is the last admin", u.Login).WithHint("make someone else an admin first")
			return errorOr(err, noAdmin)
		}
		return tx.Audit(action, u.ID, detail)
	})
	return u, err
}

// errorOr returns err, or other if that is nil.
func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// SetRole gives a user another role; admins only.
func (f *Flow) SetRole(ctx context.Context, caller remuda.Caller, id string, role remuda.Role) (store.User, error) {
	return f.changeUser(ctx, caller, id, "user.role", func(_ *store.Tx, u *store.User) (string, error) {
		parsed, err := remuda.ParseRole(string(role))
		was := u.Role
		u.Role = parsed
		return string(was) + " to " + string(parsed), err
	})
}

// SetPassword gives a user another password, a random one if it is "", returns
// it and ends the user's sessions; admins only.
func (f *Flow) SetPassword(ctx context.Context, caller remuda.Caller, id, password string) (string, error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return "", err
	}
	hash, chosen, err := f.newPassword(ctx, password)
	if err != nil {
		return "", err
	}
	_, err = f.changeUser(ctx, caller, id, "user.password", func(tx *store.Tx, u *store.User) (string, error) {
		u.Password = hash
		return "", tx.EndSessions(u.ID, "")
	})
	return chosen, err
}

// DisableUser makes a user's sessions and keys open nothing, and ends the
// sessions; EnableUser lets the user log in again. Admins only.
func (f *Flow) DisableUser(ctx context.Context, caller remuda.Caller, id string) (store.User, error) {
	return f.changeUser(ctx, caller, id, "user.disable", func(tx *store.Tx, u *store.User) (string, error) {
		if u.DisabledAt == nil {
			u.DisabledAt = &tx.Now
		}
		return "", tx.EndSessions(u.ID, "")
	})
}

// EnableUser takes DisableUser back; admins only.
func (f *Flow) EnableUser(ctx context.Context, caller remuda.Caller, id string) (store.User, error) {
	return f.changeUser(ctx, caller, id, "user.enable", func(_ *store.Tx, u *store.User) (string, error) {
		u.DisabledAt = nil
		return "", nil
	})
}

// ChangePassword lets a user who knows the old password choose another, and
// ends all their sessions but the one with the token.
func (f *Flow) ChangePassword(ctx context.Context, caller remuda.Caller, token, old, password string) error {
	if caller.User == "" {
		return remuda.Errorf(remuda.Invalid, "a key of no user has no password")
	}
	var u store.User
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		u, err = tx.User(caller.User)
		return err
	})
	if err != nil {
		return err
	}
	if !f.access.allowLogin(u.Login, u.ID, f.now()) {
		return tooFast()
	}
	if same, err := f.access.passwords.matches(ctx, old, u.Password); err != nil || !same {
		return errorOr(err, remuda.Errorf(remuda.Unauthorized, "this is not the old password").WithHint("an admin can set a new one"))
	}
	if err := checkNewPassword(password); err != nil {
		return err
	}
	hash, err := f.access.passwords.hash(ctx, password)
	if err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockUsers(); err != nil {
			return err
		}
		now, err := tx.User(u.ID)
		if err != nil {
			return err
		}
		if now.Password != u.Password {
			return remuda.Errorf(remuda.Conflict, "the password has been changed meanwhile").WithHint("log in with the new one")
		}
		now.Password = hash
		if err := tx.UpdateUser(now); err != nil {
			return err
		}
		if err := tx.EndSessions(u.ID, hashOf(token)); err != nil {
			return err
		}
		return tx.Audit("user.password", u.ID, "by themselves")
	})
}

// FirstLogin is what the first start of a server shows once.
type FirstLogin struct {
	Login    string
	Password string
	Key      string
}

// FirstStart makes the user admin with a random password and a key of theirs
// for the live world, on a server that has no user; nil on every other. On all
// it makes the secret of URLs, so that who reads later never has to write.
func (f *Flow) FirstStart(ctx context.Context) (*FirstLogin, error) {
	if _, err := f.Signer(ctx); err != nil {
		return nil, err
	}
	caller := Local(remuda.Live)
	var users int64
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		users, err = tx.CountUsers("")
		return err
	})
	if err != nil || users > 0 {
		return nil, err
	}
	u, password, err := f.prepareUser(ctx, NewUser{Login: "admin", Name: "Admin", Role: remuda.Admin})
	if err != nil {
		return nil, err
	}
	key, row := newKey(NewKey{Name: "first key", Role: remuda.Admin, World: remuda.Live})
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockUsers(); err != nil {
			return err
		}
		if users, err = tx.CountUsers(""); err != nil || users > 0 {
			return err
		}
		made, err := tx.CreateUser(u)
		if err != nil {
			return err
		}
		row.User = made.ID
		if _, err := tx.CreateKey(row); err != nil {
			return err
		}
		return tx.Audit("user.create", made.ID, "at the first start")
	})
	if err != nil || users > 0 {
		return nil, err
	}
	return &FirstLogin{Login: u.Login, Password: password, Key: key}, nil
}
