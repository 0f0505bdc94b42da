package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"remuda/internal/postgrestest"
)

// openSQLite opens a file as the server's writing pool is opened.
func openSQLite(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// world is a database to test on.
type world struct {
	dialect, address string
	db               *sql.DB
}

func open(t testing.TB, dialect, address string) world {
	t.Helper()
	db, err := openAs(dialect, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return world{dialect, address, db}
}

func openAs(dialect, address string) (*sql.DB, error) {
	if dialect == SQLite {
		return openSQLite(address)
	}
	return sql.Open("pgx", address)
}

// each runs a test on a new database of both dialects.
func each(t *testing.T, test func(t *testing.T, w world)) {
	t.Parallel() // they wait more than they work
	for _, dialect := range []string{SQLite, Postgres} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, dialect))
		})
	}
}

func newWorld(t testing.TB, dialect string) world {
	t.Helper()
	address := ""
	if dialect == SQLite {
		address = filepath.Join(t.TempDir(), "jobs.db")
	} else {
		address = postgrestest.New(t)
	}
	w := open(t, dialect, address)
	if err := Migrate(t.Context(), w.db, dialect); err != nil {
		t.Fatal(err)
	}
	return w
}

// queue returns a stopped Queue with two workers and no delay before retries,
// unless the options say otherwise.
func (w world) queue(t testing.TB, o Options) *Queue {
	t.Helper()
	o.Dialect = w.dialect
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if o.RetryDelay == nil {
		o.RetryDelay = func(int) time.Duration { return 0 }
	}
	q, err := New(w.db, o)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// started returns a running Queue that is stopped when the test ends.
func (w world) started(t testing.TB, o Options) *Queue {
	t.Helper()
	if o.Workers == 0 {
		o.Workers = 2
	}
	q := w.queue(t, o)
	start(t, q)
	return q
}

func start(t testing.TB, q *Queue) {
	t.Helper()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		if err := q.Stop(now); err != nil {
			t.Error(err)
		}
	})
}

func (w world) enqueue(t testing.TB, q *Queue, kind string, args any) int64 {
	t.Helper()
	return w.enqueueAt(t, q, kind, args, time.Time{})
}

func (w world) enqueueAt(t testing.TB, q *Queue, kind string, args any, at time.Time) int64 {
	t.Helper()
	var id int64
	err := w.tx(t.Context(), func(tx *sql.Tx) (err error) {
		id, err = q.Enqueue(t.Context(), tx, kind, args, at)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (w world) tx(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func quiet(t testing.TB, q *Queue) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := q.Quiet(ctx); err != nil {
		t.Fatal(err)
	}
}

// noting returns a handler that sends its arguments on a channel.
func noting(to chan<- string) Handler {
	return func(_ context.Context, args json.RawMessage) error {
		var text string
		if err := json.Unmarshal(args, &text); err != nil {
			return fmt.Errorf("decode arguments: %w", err)
		}
		to <- text
		return nil
	}
}

// until returns a handler that says on a channel that it runs, and returns when
// its context ends.
func until(runs chan<- context.Context) Handler {
	return func(ctx context.Context, _ json.RawMessage) error {
		runs <- ctx
		<-ctx.Done()
		return errors.New("torn down: " + ctx.Err().Error()) // does not wrap: children die of signals
	}
}
