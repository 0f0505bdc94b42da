package store

import (
	"strings"
	"time"

	"remuda"
)

// AuditEntry says who did what to what.
type AuditEntry struct {
	ID      string
	At      time.Time
	World   remuda.World // "" where none is concerned
	User    string       // who; "" for a key of no user and for the server's own machine
	Key     string
	Name    string // theirs, then
	Action  string // such as dataset.delete
	Subject string // an id
	Detail  string
}

func scanAudit(row rowScanner) (a AuditEntry, err error) {
	var at int64
	err = row.Scan(&a.ID, &at, &a.World, &a.User, &a.Key, &a.Name, &a.Action, &a.Subject, &a.Detail)
	a.At = fromMillis(at)
	return a, err
}

// Audit adds a row to the audit log: that the caller does something (a noun
// and a verb, such as dataset.delete) to what has the id subject. It stands or
// falls with the transaction.
func (tx *Tx) Audit(action, subject, detail string) error {
	c := tx.Caller
	if strings.HasPrefix(action, "user.") || strings.HasPrefix(action, "key.") {
		c.World = "" // they belong to both
	}
	_, err := tx.exec("INSERT INTO audit (id, at, world, user_id, api_key, name, action, subject, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		tx.NewID("aud"), millis(tx.Now), c.World, c.User, c.Key, c.Name, action, subject, detail)
	return err
}

// AuditBefore returns entries older than the one with an id, or the newest if
// that is "", newest first; only those of a subject unless that is "". What
// concerns the other world is left out.
func (tx *Tx) AuditBefore(subject, id string, n int) ([]AuditEntry, error) {
	return all(tx, scanAudit, `SELECT id, at, world, user_id, api_key, name, action, subject, detail FROM audit
		WHERE world IN ('', $1) AND (subject = $2 OR $3 = '') AND (id < $4 OR $5 = '') ORDER BY id DESC LIMIT $6`,
		tx.Caller.World, subject, subject, id, id, limit(n))
}
