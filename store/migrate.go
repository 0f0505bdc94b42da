package store

import (
	"context"
	"embed"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"remuda"
)

//go:embed migration/*.sql
var migrations embed.FS

// migrationLock is the number under which PostgreSQL's servers take turns.
const migrationLock = 7_305_001

// migrate brings the tables up to a migration, the newest if it is 0, each in a
// transaction of its own.
func (db *DB) migrate(ctx context.Context, upTo int64) error {
	names, err := fs.Glob(migrations, "migration/*.sql")
	if err != nil {
		return remuda.Errorf(remuda.Internal, "list the migrations: %w", err)
	}
	if err := db.prepare(ctx); err != nil {
		return err
	}
	newest := int64(0)
	for _, name := range names {
		version, err := strconv.ParseInt(path.Base(name)[:4], 10, 64)
		if err != nil {
			return remuda.Errorf(remuda.Internal, "read the number of migration %s: %w", name, err)
		}
		newest = max(newest, version)
		if upTo > 0 && version > upTo {
			continue
		}
		if err := db.apply(ctx, name, version); err != nil {
			return err
		}
	}
	have, err := db.SchemaVersion(ctx)
	if err == nil && have > newest {
		err = remuda.Errorf(remuda.Conflict, "the database has schema %d, this program knows %d", have, newest).WithHint("start a newer remuda, or restore a backup made by this one")
	}
	return err
}

// NewestSchema returns the number of the newest migration that this program knows.
func NewestSchema() (int64, error) {
	names, err := fs.Glob(migrations, "migration/*.sql")
	if err != nil || len(names) == 0 {
		return 0, remuda.Errorf(remuda.Internal, "list the migrations: %v", err)
	}
	version, err := strconv.ParseInt(path.Base(names[len(names)-1])[:4], 10, 64)
	if err != nil {
		return 0, remuda.Errorf(remuda.Internal, "read the number of a migration: %w", err)
	}
	return version, nil
}

// SchemaVersion returns the number of the last migration.
func (db *DB) SchemaVersion(ctx context.Context) (int64, error) {
	var version int64
	err := db.read.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_version").Scan(&version)
	return version, failure("read the schema's version", err)
}

// prepare makes the table of migrations.
func (db *DB) prepare(ctx context.Context) error {
	return db.Write(ctx, remuda.Caller{}, func(tx *Tx) error {
		if err := tx.lockMigrations(); err != nil { // IF NOT EXISTS fails where two do it at once
			return err
		}
		_, err := tx.exec("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)")
		return err
	})
}

// lockMigrations waits for other servers that change tables, as long as that takes.
func (tx *Tx) lockMigrations() error {
	if tx.dialect != Postgres {
		return nil
	}
	_, err := tx.sql.ExecContext(tx.ctx, "SELECT pg_advisory_xact_lock($1)", migrationLock)
	return failure("wait for another server that prepares the database", err)
}

func (db *DB) apply(ctx context.Context, name string, version int64) error {
	return db.Write(ctx, remuda.Caller{}, func(tx *Tx) error {
		if err := tx.lockMigrations(); err != nil {
			return err
		}
		_, err := one(tx, "migration", scalar[int64], "SELECT version FROM schema_version WHERE version = $1", version)
		if remuda.CodeOf(err) != remuda.NotFound {
			return err
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return remuda.Errorf(remuda.Internal, "read migration %s: %w", name, err)
		}
		for _, statement := range statements(string(text), tx.dialect) {
			if _, err := tx.sql.ExecContext(ctx, statement); err != nil {
				return failure("carry out migration "+path.Base(name), err)
			}
		}
		_, err = tx.exec("INSERT INTO schema_version (version, name, applied_at) VALUES ($1, $2, $3)", version, path.Base(name), millis(tx.Now))
		return err
	})
}

// statements splits a migration at semicolons that end a line, and translates
// it: a line after "-- sqlite:" or "-- postgres:" is for that database alone,
// and PostgreSQL's texts compare by bytes, as SQLite's do.
func statements(text string, dialect Dialect) []string {
	var found []string
	var current strings.Builder
	for line := range strings.Lines(text) {
		for _, d := range []Dialect{SQLite, Postgres} {
			if rest, special := strings.CutPrefix(line, "-- "+string(d)+":"); special {
				line = ""
				if d == dialect {
					line = rest
				}
			}
		}
		if code, _, comment := strings.Cut(line, "--"); comment {
			line = code + "\n"
		}
		if dialect == Postgres {
			line = strings.ReplaceAll(line, " TEXT", ` TEXT COLLATE "C"`)
		}
		current.WriteString(line)
		if strings.HasSuffix(strings.TrimSpace(line), ";") {
			found = append(found, strings.TrimSpace(current.String()))
			current.Reset()
		}
	}
	if rest := strings.TrimSpace(current.String()); rest != "" {
		found = append(found, rest)
	}
	return found
}
