package store

import "time"

// Session is a user's login with a browser.
type Session struct {
	Hash      string // SHA-256 of the token, in hexadecimal
	User      string
	CreatedAt time.Time
	UsedAt    time.Time // to the minute
}

func scanSession(row rowScanner) (s Session, err error) {
	var created, used int64
	err = row.Scan(&s.Hash, &s.User, &created, &used)
	s.CreatedAt, s.UsedAt = fromMillis(created), fromMillis(used)
	return s, err
}

// CreateSession begins a session of a user.
func (tx *Tx) CreateSession(hash, user string) error {
	_, err := tx.exec("INSERT INTO session (hash, user_id, created_at, used_at) VALUES ($1, $2, $3, $4)", hash, user, millis(tx.Now), millis(tx.Now))
	return err
}

// Session returns a session by the hash of its token.
func (tx *Tx) Session(hash string) (Session, error) {
	return one(tx, "such session", scanSession, "SELECT hash, user_id, created_at, used_at FROM session WHERE hash = $1", hash)
}

// TouchSession notes that a session is in use.
func (tx *Tx) TouchSession(hash string) error {
	_, err := tx.exec("UPDATE session SET used_at = $2 WHERE hash = $1", hash, millis(tx.Now))
	return err
}

// EndSession ends one session.
func (tx *Tx) EndSession(hash string) error {
	_, err := tx.exec("DELETE FROM session WHERE hash = $1", hash)
	return err
}

// EndSessions ends all sessions of a user but one, which may be "".
func (tx *Tx) EndSessions(user, except string) error {
	_, err := tx.exec("DELETE FROM session WHERE user_id = $1 AND hash <> $2", user, except)
	return err
}

// ForgetSessions removes sessions that began or were last used before a time.
func (tx *Tx) ForgetSessions(begun, used time.Time) error {
	_, err := tx.exec("DELETE FROM session WHERE created_at < $1 OR used_at < $2", millis(begun), millis(used))
	return err
}
