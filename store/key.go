package store

import (
	"database/sql"
	"time"

	"remuda"
)

// Key is an API key without its secret.
type Key struct {
	ID        string
	Hash      string // SHA-256 of the key, in hexadecimal
	Prefix    string // what of the key people may see
	Name      string
	User      string // id; "" for a key of no user
	World     remuda.World
	Role      remuda.Role
	CreatedAt time.Time
	CreatedBy string
	UsedAt    *time.Time // to the minute
	RevokedAt *time.Time
}

const keyColumns = "id, hash, prefix, name, user_id, world, role, created_at, created_by, used_at, revoked_at"

func scanKey(row rowScanner) (k Key, err error) {
	var created int64
	var used, revoked sql.NullInt64
	err = row.Scan(&k.ID, &k.Hash, &k.Prefix, &k.Name, &k.User, &k.World, &k.Role, &created, &k.CreatedBy, &used, &revoked)
	k.CreatedAt, k.UsedAt, k.RevokedAt = fromMillis(created), timeOf(used), timeOf(revoked)
	return k, err
}

// CreateKey adds a key with a new id.
func (tx *Tx) CreateKey(k Key) (Key, error) {
	k.ID, k.CreatedAt, k.CreatedBy = tx.NewID("key"), tx.Now, tx.Caller.Author()
	_, err := tx.exec("INSERT INTO api_key (id, hash, prefix, name, user_id, world, role, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		k.ID, k.Hash, k.Prefix, k.Name, k.User, k.World, k.Role, millis(k.CreatedAt), k.CreatedBy)
	return k, err
}

// Key returns a key by id.
func (tx *Tx) Key(id string) (Key, error) {
	return one(tx, "key "+id, scanKey, "SELECT "+keyColumns+" FROM api_key WHERE id = $1", id)
}

// KeyByHash returns a key by the hash of its secret.
func (tx *Tx) KeyByHash(hash string) (Key, error) {
	return one(tx, "such key", scanKey, "SELECT "+keyColumns+" FROM api_key WHERE hash = $1", hash)
}

// Keys returns all keys, oldest first, or those of a user.
func (tx *Tx) Keys(user string) ([]Key, error) {
	return all(tx, scanKey, "SELECT "+keyColumns+" FROM api_key WHERE user_id = $1 OR $2 = '' ORDER BY id", user, user)
}

// RevokeKey makes a key open nothing from now on.
func (tx *Tx) RevokeKey(id string) error {
	_, err := tx.exec("UPDATE api_key SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, millis(tx.Now))
	return err
}

// TouchKey notes that a key is in use.
func (tx *Tx) TouchKey(id string) error {
	_, err := tx.exec("UPDATE api_key SET used_at = $2 WHERE id = $1", id, millis(tx.Now))
	return err
}
