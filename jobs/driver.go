package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"remuda"
)

// The dialects.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// migrateLock is the PostgreSQL advisory lock held while tables change: "remuda jm".
const migrateLock = 0x72656d7564616a6d

// Migrate brings River's own tables, named river_…, to the version of this
// library. On PostgreSQL, where several processes may start at once, it needs
// two connections of the pool: one holds a lock.
func Migrate(ctx context.Context, db *sql.DB, dialect string) error {
	driver, err := driverOf(db, dialect)
	if err != nil {
		return err
	}
	if err := migrate(ctx, driver, dialect); err != nil {
		return remuda.Errorf(remuda.Internal, "migrate job tables: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, driver riverdriver.Driver[*sql.Tx], dialect string) error {
	if dialect == Postgres {
		lock, err := driver.GetExecutor().Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }() // it only held the lock
		if _, err := lock.PGAdvisoryXactLock(ctx, migrateLock); err != nil {
			return err
		}
	}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

// driverOf returns River's driver, one that cannot listen on PostgreSQL.
func driverOf(db *sql.DB, dialect string) (riverdriver.Driver[*sql.Tx], error) {
	switch dialect {
	case SQLite:
		return riversqlite.New(db), nil
	case Postgres:
		return riverdatabasesql.New(db), nil
	}
	return nil, remuda.Errorf(remuda.Invalid, "open job queue: unknown dialect %q, want %q or %q", dialect, SQLite, Postgres)
}

// listeningDriver returns a driver that learns of new jobs at once, and what
// to call when it is no longer used. On PostgreSQL that takes a connection of
// its own, made like those of db.
func listeningDriver(ctx context.Context, db *sql.DB, dialect string) (riverdriver.Driver[*sql.Tx], func(), error) {
	if dialect == SQLite { // polls the table of notices 20 times a second
		return riversqlite.New(db), func() {}, nil
	}
	config, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, nil, fmt.Errorf("configure the listening connection: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		pgx, ok := c.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the database driver is %T, not pgx", c)
		}
		config.ConnConfig = pgx.Conn().Config()
		config.ConnConfig.OnNotification = nil // that connection's own, which would swallow ours
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	config.MinConns, config.MaxConns = 0, 1
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("open the listening connection: %w", err)
	}
	return riverdatabasesql.NewWithPgxListener(db, pool), pool.Close, nil
}

// riverLogger returns a logger for River that leaves out what is not at least
// a warning: what becomes of jobs is logged here.
func riverLogger(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

// warnings is a handler that drops records below a warning.
type warnings struct{ slog.Handler }

// Enabled says whether records of the level are kept.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs returns a handler that adds attributes.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup returns a handler that opens a group.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
