package store

import (
	"database/sql"
	"time"

	"remuda"
)

// User is a person. Users work in both worlds.
type User struct {
	ID         string
	Login      string // a name or an e-mail address, in lower case; no two are equal
	Name       string // as others read it
	Role       remuda.Role
	Password   string // its argon2id hash; "" lets nobody in
	CreatedAt  time.Time
	CreatedBy  string
	SeenAt     *time.Time // of the last login
	DisabledAt *time.Time // such a user's sessions and keys open nothing
}

const userColumns = "id, login, name, role, password, created_at, created_by, seen_at, disabled_at"

func scanUser(row rowScanner) (u User, err error) {
	var created int64
	var seen, disabled sql.NullInt64
	err = row.Scan(&u.ID, &u.Login, &u.Name, &u.Role, &u.Password, &created, &u.CreatedBy, &seen, &disabled)
	u.CreatedAt, u.SeenAt, u.DisabledAt = fromMillis(created), timeOf(seen), timeOf(disabled)
	return u, err
}

// timeOf reads a time that may be absent.
func timeOf(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := fromMillis(ms.Int64)
	return &t
}

// CreateUser adds a user with a new id; conflict if the login is taken.
func (tx *Tx) CreateUser(u User) (User, error) {
	u.ID, u.CreatedAt, u.CreatedBy = tx.NewID("usr"), tx.Now, tx.Caller.Author()
	n, err := tx.exec("INSERT INTO users (id, login, name, role, password, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (login) DO NOTHING",
		u.ID, u.Login, u.Name, u.Role, u.Password, millis(u.CreatedAt), u.CreatedBy)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.Conflict, "there is a user %s already", u.Login).WithHint("choose another name")
	}
	return u, err
}

// User returns a user by id.
func (tx *Tx) User(id string) (User, error) {
	return one(tx, "user "+id, scanUser, "SELECT "+userColumns+" FROM users WHERE id = $1", id)
}

// UserByLogin returns a user by login, in lower case.
func (tx *Tx) UserByLogin(login string) (User, error) {
	return one(tx, "user "+login, scanUser, "SELECT "+userColumns+" FROM users WHERE login = $1", login)
}

// Users returns all users, oldest first.
func (tx *Tx) Users() ([]User, error) {
	return all(tx, scanUser, "SELECT "+userColumns+" FROM users ORDER BY id")
}

// NoteLogin notes that a user logs in now and returns the user; not_found
// unless they may, and their password's hash still is the one that was looked at.
func (tx *Tx) NoteLogin(id, password string) (User, error) {
	return one(tx, "user "+id, scanUser, "UPDATE users SET seen_at = $3 WHERE id = $1 AND password = $2 AND disabled_at IS NULL RETURNING "+userColumns, id, password, millis(tx.Now))
}

// UpdateUser writes a user's name, role, password, last login and whether it is
// disabled; LockUsers comes before the reading of what it writes.
func (tx *Tx) UpdateUser(u User) error {
	_, err := tx.exec("UPDATE users SET name = $2, role = $3, password = $4, seen_at = $5, disabled_at = $6 WHERE id = $1",
		u.ID, u.Name, u.Role, u.Password, nullTime(u.SeenAt), nullTime(u.DisabledAt))
	return err
}

// nullTime is a time, perhaps absent, as tables keep it.
func nullTime(t *time.Time) sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: millis(*t), Valid: true}
}

// LockUsers makes others who call it wait until this transaction ends, so that
// what it has counted stays true.
func (tx *Tx) LockUsers() error {
	_, err := tx.exec("INSERT INTO setting (name, value) VALUES ('users', '') ON CONFLICT (name) DO UPDATE SET value = ''")
	return err
}

// CountUsers returns how many users with a role may log in; of any role if it is "".
func (tx *Tx) CountUsers(role remuda.Role) (int64, error) {
	return one(tx, "user", scalar[int64], "SELECT COUNT(*) FROM users WHERE disabled_at IS NULL AND (role = $1 OR $2 = '')", role, string(role))
}
