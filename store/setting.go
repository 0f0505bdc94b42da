package store

import (
	"crypto/rand"
	"encoding/hex"

	"remuda"
)

// Setting returns what stands under a name; not_found if nothing does.
func (tx *Tx) Setting(name string) (string, error) {
	return one(tx, "setting "+name, scalar[string], "SELECT value FROM setting WHERE name = $1", name)
}

// SetSetting writes what stands under a name.
func (tx *Tx) SetSetting(name, value string) error {
	_, err := tx.exec("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2", name, value)
	return err
}

// Secret returns 32 random bytes that stay the same from their first use on.
func (tx *Tx) Secret(name string) ([]byte, error) {
	text, err := tx.Setting(name)
	if remuda.CodeOf(err) == remuda.NotFound {
		secret := make([]byte, 32)
		_, _ = rand.Read(secret) // never fails: it ends the process if the system has no randomness
		_, err = tx.exec("INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", name, hex.EncodeToString(secret))
		if err != nil {
			return nil, err
		}
		text, err = tx.Setting(name) // another server's, if that came first
	}
	if err != nil {
		return nil, err
	}
	secret, err := hex.DecodeString(text)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "read the setting %s: %w", name, err)
	}
	return secret, nil
}
