package store

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"remuda"
)

// Dialect says which database is at the other end.
type Dialect string

// The two databases.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Enqueuer puts background work into a queue, in the transaction of the row
// that the work serves.
type Enqueuer interface {
	// Enqueue returns the queue's own number of the work, due at a time or, if that is zero, now.
	Enqueue(ctx context.Context, tx *sql.Tx, kind string, args any, at time.Time) (int64, error)
}

// Options are what a DB needs besides its address. The zero value is ready to use.
type Options struct {
	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // silent if nil
	Schema int64            // migrate up to this number only, to restore what an older program kept; the newest if 0

	Patience Patience // with PostgreSQL; some time that is far more than enough if zero
}

// DB is the database of one server. Its methods may be called from many goroutines.
type DB struct {
	dialect  Dialect
	write    *sql.DB // one connection with SQLite, which has one writer at a time
	read     *sql.DB
	tidy     *checkpoints // of SQLite
	ids      *remuda.IDs
	now      func() time.Time
	log      *slog.Logger
	jobs     Enqueuer
	patience Patience
}

// Open opens a database: a postgres:// URL, or the path of an SQLite file, which
// is made if it is missing. It brings the tables up to this program's schema;
// those of a newer program are a conflict. unavailable if it can't be reached.
func Open(ctx context.Context, location string, o Options) (*DB, error) {
	db := &DB{now: o.Now, log: o.Logger, patience: o.Patience}
	if db.patience == (Patience{}) {
		db.patience = usualPatience
	}
	if db.now == nil {
		db.now = time.Now
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	db.ids = remuda.NewIDs(db.now)
	if err := db.connect(location); err != nil {
		return nil, remuda.Errorf(remuda.Unavailable, "open the database: %w", err)
	}
	if err := db.migrate(ctx, o.Schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) connect(location string) (err error) {
	if strings.HasPrefix(location, "postgres://") || strings.HasPrefix(location, "postgresql://") {
		db.dialect = Postgres
		if db.write, err = sql.Open("pgx", location); err != nil {
			return err
		}
		db.write.SetMaxOpenConns(16)
		db.write.SetMaxIdleConns(8)
		db.write.SetConnMaxIdleTime(5 * time.Minute)
		db.read = db.write
		return nil
	}
	db.dialect = SQLite
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) { // as durable, without a journal's entry for a file's times
		return err
	}
	if db.write, err = sql.Open("sqlite", sqliteDSN(location, "_txlock=immediate", "_pragma=wal_autocheckpoint("+strconv.Itoa(fullAt)+")")); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(1)
	if db.read, err = sql.Open("sqlite", sqliteDSN(location, "_pragma=query_only(1)")); err != nil {
		return err
	}
	readers := max(4, runtime.NumCPU())
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	beside, err := sql.Open("sqlite", sqliteDSN(location))
	if err != nil {
		return err
	}
	beside.SetMaxOpenConns(1)
	db.tidy = newCheckpoints(beside, db.log)
	return nil
}

// sqliteDSN returns the driver's name of a file, with what every connection
// sets: a write is on the disk when its transaction has ended, also after a
// power loss, and readers never wait for the writer.
func sqliteDSN(path string, more ...string) string {
	settings := append([]string{
		"_pragma=busy_timeout(10000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		"_pragma=cache_size(-16000)", "_pragma=temp_store(MEMORY)",
	}, more...)
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: strings.Join(settings, "&")}).String()
}

// Dialect returns which database this is.
func (db *DB) Dialect() Dialect { return db.dialect }

// Writer returns the pool that changes the database, for the queue of jobs.
func (db *DB) Writer() *sql.DB { return db.write }

// SetJobs names the queue that [Tx.NewJob] puts work into; called once, before the first request.
func (db *DB) SetJobs(jobs Enqueuer) { db.jobs = jobs }

// Close lets go of the database.
func (db *DB) Close() (err error) {
	if db.tidy != nil {
		err = db.tidy.close()
	}
	err = errors.Join(err, db.write.Close())
	if db.read != db.write && db.read != nil {
		err = errors.Join(db.read.Close(), err)
	}
	return err
}

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.read.PingContext(ctx); err != nil {
		return failure("reach the database", err)
	}
	return nil
}

// Tx is a transaction on behalf of a caller. It lives within one call of
// [DB.Read] or [DB.Write], and so carries that call's context.
type Tx struct {
	ctx     context.Context
	sql     *sql.Tx
	db      *DB
	dialect Dialect
	watch   *watch

	Caller remuda.Caller
	Now    time.Time // of the transaction, in whole milliseconds: what it writes bears this time
}

// Read runs fn in a transaction that sees one state of the database and changes nothing.
func (db *DB) Read(ctx context.Context, caller remuda.Caller, fn func(*Tx) error) error {
	level := sql.LevelDefault
	if db.dialect == Postgres {
		level = sql.LevelRepeatableRead
	}
	return db.run(ctx, db.read, &sql.TxOptions{ReadOnly: db.dialect == Postgres, Isolation: level}, caller, fn)
}

// Write runs fn in a transaction that is durable when Write returns nil, and
// has changed nothing when it returns an error. fn may run again when two
// writers met: it must have no other effects.
func (db *DB) Write(ctx context.Context, caller remuda.Caller, fn func(*Tx) error) error {
	const attempts = 6
	for attempt := 1; ; attempt++ {
		err := db.run(ctx, db.write, nil, caller, fn)
		if err == nil && db.tidy != nil {
			db.tidy.written()
		}
		if attempt == attempts || !collided(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause(attempt)):
		}
	}
}

// pause is how long a transaction that gave way waits before its next attempt:
// at random, so that those who met don't meet again, and longer each time.
func pause(attempt int) time.Duration { return rand.N(2 * time.Millisecond << attempt) }

func (db *DB) run(ctx context.Context, pool *sql.DB, o *sql.TxOptions, caller remuda.Caller, fn func(*Tx) error) error {
	ctx, w := db.watched(ctx)
	defer w.end()
	begun, err := pool.BeginTx(ctx, o)
	w.answered()
	if err != nil {
		return silent(ctx, failure("begin a transaction", err))
	}
	defer func() {
		w.ask()
		if undo := begun.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			db.log.WarnContext(ctx, "undo a transaction", "error", undo)
		}
	}()
	tx := &Tx{ctx: ctx, sql: begun, db: db, dialect: db.dialect, watch: w, Caller: caller, Now: db.now().UTC().Truncate(time.Millisecond)}
	if err := fn(tx); err != nil {
		return silent(ctx, err)
	}
	w.ask()
	if err := begun.Commit(); err != nil {
		return silent(ctx, failure("commit a transaction", err))
	}
	return nil
}

// NewID returns a new id with a prefix, such as ds.
func (tx *Tx) NewID(prefix string) string { return tx.db.ids.New(prefix) }

// exec runs a statement and returns how many rows it touched.
func (tx *Tx) exec(query string, args ...any) (int64, error) {
	tx.watch.ask()
	result, err := tx.sql.ExecContext(tx.ctx, query, args...)
	tx.watch.answered()
	if err != nil {
		return 0, failure("write to the database", err)
	}
	n, err := result.RowsAffected()
	return n, failure("write to the database", err)
}

// rowScanner is a row of a result.
type rowScanner interface{ Scan(into ...any) error }

// all returns every row of a query, never nil.
func all[T any](tx *Tx, scan func(rowScanner) (T, error), query string, args ...any) ([]T, error) {
	found := []T{}
	err := each(tx, scan, func(row T) error { found = append(found, row); return nil }, query, args...)
	return found, err
}

// each hands every row of a query to do, in the query's order, and ends with its
// first error. do must not query: until the last row PostgreSQL's connection is taken.
func each[T any](tx *Tx, scan func(rowScanner) (T, error), do func(T) error, query string, args ...any) (err error) {
	tx.watch.ask()
	rows, err := tx.sql.QueryContext(tx.ctx, query, args...)
	tx.watch.answered()
	if err != nil {
		return failure("read from the database", err)
	}
	defer func() { err = errors.Join(err, failure("read from the database", rows.Close())) }()
	for tx.next(rows) {
		row, err := scan(rows)
		if err != nil {
			return failure("read from the database", err)
		}
		if err := do(row); err != nil {
			return err
		}
	}
	return failure("read from the database", rows.Err())
}

// next goes to a query's next row.
func (tx *Tx) next(rows *sql.Rows) bool {
	tx.watch.ask()
	defer tx.watch.answered()
	return rows.Next()
}

// one returns the only row of a query; not_found, with what as the name of what is missing, if there is none.
func one[T any](tx *Tx, what string, scan func(rowScanner) (T, error), query string, args ...any) (T, error) {
	tx.watch.ask()
	row, err := scan(tx.sql.QueryRowContext(tx.ctx, query, args...))
	tx.watch.answered()
	if errors.Is(err, sql.ErrNoRows) {
		return row, remuda.Errorf(remuda.NotFound, "there is no %s", what)
	}
	return row, failure("read from the database", err)
}

// scalar reads a row of one value.
func scalar[T any](row rowScanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// placeholder is the ordinal parameter n, from 1.
func placeholder(n int) string { return "$" + strconv.Itoa(n) }

// noLimit is a LIMIT that never cuts.
const noLimit = 1 << 62

// limit is a LIMIT of n rows, of all if n is 0.
func limit(n int) int64 {
	if n <= 0 {
		return noLimit
	}
	return int64(n)
}

// millis is a time as tables keep it.
func millis(t time.Time) int64 { return t.UnixMilli() }

// fromMillis reads a time of a table.
func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// failure gives an error of a driver its code; an error with a code keeps it, nil stays nil.
func failure(action string, err error) error {
	if err == nil {
		return nil
	}
	if _, coded := errors.AsType[*remuda.Error](err); coded || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", action, err)
	}
	code, hint := classify(err)
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == sqlite3.SQLITE_FULL {
		err = remuda.Because(errors.Join(syscall.ENOSPC, err), "%v", err)
	}
	instead := "it has failed"
	if code == remuda.Conflict {
		instead = "what this belongs to has changed meanwhile"
	}
	failed := remuda.Errorf(code, "%s: %w", action, remuda.Inside(instead, err))
	if hint != "" {
		failed = failed.WithHint("%s", hint)
	}
	return failed
}

// classify says what kind of failure a driver's error is.
func classify(err error) (code remuda.Code, hint string) {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_CONSTRAINT:
			return remuda.Conflict, ""
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return remuda.Unavailable, "another program holds the database: try again in a moment"
		case sqlite3.SQLITE_NOTADB:
			return remuda.Invalid, "the file is no database: name another one, or move it away"
		case sqlite3.SQLITE_CORRUPT:
			return remuda.Unavailable, "the database is damaged: restore a backup, and look whether the disk is well"
		case sqlite3.SQLITE_FULL:
			return remuda.Unavailable, "the disk is full: make room and try again"
		case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
			return remuda.Unavailable, "look whether the server may write to its folder and whether the disk is well"
		}
		return remuda.Internal, ""
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		if e.Code == "22021" { // a NUL, or what is no UTF-8
			return remuda.Invalid, "leave out characters that no text can hold"
		}
		switch e.Code[:2] {
		case "23":
			return remuda.Conflict, ""
		case "08", "40", "53", "55", "57":
			return remuda.Unavailable, "the database is busy or stopping: try again in a moment"
		}
		return remuda.Internal, ""
	}
	if lost(err) {
		return remuda.Unavailable, "look whether the database runs and its address is right"
	}
	return remuda.Internal, ""
}

// lost says whether there is no connection to the database, or no longer.
func lost(err error) bool {
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused {
		return true
	}
	if _, network := errors.AsType[net.Error](err); network {
		return true
	}
	for _, cause := range []error{sql.ErrConnDone, sqldriver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return pgconn.SafeToRetry(err) // nothing was sent
}

// collided says whether two transactions met and one had to give way.
func collided(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}
