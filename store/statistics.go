package store

import (
	"context"

	"remuda"
)

// grownBy is how many changed rows make a table's statistics old, if they are a
// fifth of it too.
const grownBy = 5_000

// CountGrown lets PostgreSQL look again at tables that have changed a lot since
// it last did: its plans depend on what it knows of them, and by itself it looks
// only once a minute or later. SQLite reads in the order that our queries give;
// statistics would only turn it away from indexes that are good for rare values.
func (db *DB) CountGrown(ctx context.Context) error {
	if db.dialect != Postgres {
		return nil
	}
	return db.Write(ctx, remuda.Caller{}, func(tx *Tx) error {
		tables, err := all(tx, scalar[string], `SELECT quote_ident(relname) FROM pg_stat_user_tables
			WHERE schemaname = current_schema() AND n_mod_since_analyze > $1 AND n_mod_since_analyze > n_live_tup / 5 ORDER BY relname`, int64(grownBy))
		for _, table := range tables {
			if err == nil {
				_, err = tx.exec("ANALYZE (SKIP_LOCKED) " + table) // another server may be at it
			}
		}
		return err
	})
}
