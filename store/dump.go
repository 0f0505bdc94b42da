package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"

	"remuda"
)

// madeTable finds the tables that a migration makes.
var madeTable = regexp.MustCompile(`(?m)^(CREATE|DROP) TABLE (\w+)`)

// tables lists our tables that a dump holds, in the order in which the
// migrations made them: none refers to a later one. Sessions are left out, and
// so is the queue, which is filled anew.
func tables() ([]string, error) {
	names, err := fs.Glob(migrations, "migration/*.sql")
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "list the migrations: %w", err)
	}
	var found []string
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, remuda.Errorf(remuda.Internal, "read a migration: %w", err)
		}
		for _, m := range madeTable.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "DROP" {
				found = slices.DeleteFunc(found, func(t string) bool { return t == m[2] })
			} else if m[2] != "session" {
				found = append(found, m[2])
			}
		}
	}
	return found, nil
}

// Dump hands over all that the database holds: the columns of each table, then
// its rows. Values are nil, bool, int64, float64, string or []byte; they are
// good during the call only.
func (tx *Tx) Dump(table func(name string, columns []string) error, row func(values []any) error) error {
	names, err := tables()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := tx.dumpTable(name, table, row); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) dumpTable(name string, table func(string, []string) error, row func([]any) error) (err error) {
	tx.watch.ask()
	rows, err := tx.sql.QueryContext(tx.ctx, "SELECT * FROM "+name)
	tx.watch.answered()
	if err != nil {
		return failure("read from the database", err)
	}
	defer func() { err = errors.Join(err, failure("read from the database", rows.Close())) }()
	types, err := rows.ColumnTypes()
	if err != nil {
		return failure("read from the database", err)
	}
	columns := make([]string, len(types))
	values, into := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		columns[i], into[i] = t.Name(), &values[i]
	}
	if err := table(name, columns); err != nil {
		return err
	}
	for tx.next(rows) {
		if err := rows.Scan(into...); err != nil {
			return failure("read from the database", err)
		}
		for i, t := range types { // SQLite keeps bools as 0 and 1
			if n, number := values[i].(int64); number && strings.HasPrefix(strings.ToUpper(t.DatabaseTypeName()), "BOOL") {
				values[i] = n != 0
			}
		}
		if err := row(values); err != nil {
			return err
		}
	}
	return failure("read from the database", rows.Err())
}

// Rows are some rows of a table, of one dump.
type Rows struct {
	Table   string
	Columns []string
	Values  [][]any // as Dump gave them
}

// Load fills an empty database with what Dump gave, in its order: next returns
// some rows at a time, and no table at the end. Jobs that had not ended are
// queued again. It is all or nothing; a database that holds anything is a conflict.
func (db *DB) Load(ctx context.Context, caller remuda.Caller, next func() (Rows, error)) error {
	return db.run(ctx, db.write, nil, caller, func(tx *Tx) error {
		names, err := tables()
		if err != nil {
			return err
		}
		if err := tx.mustBeEmpty(names); err != nil {
			return err
		}
		for {
			rows, err := next()
			if err != nil {
				return err
			}
			if rows.Table == "" {
				return tx.requeue()
			}
			if !slices.Contains(names, rows.Table) {
				return remuda.Errorf(remuda.Invalid, "this program knows no table %s", rows.Table)
			}
			if err := tx.insertRows(rows); err != nil {
				return err
			}
		}
	})
}

func (tx *Tx) mustBeEmpty(names []string) error {
	for _, name := range names {
		_, err := one(tx, "row", scalar[int64], "SELECT 1 FROM "+name+" LIMIT 1")
		if err == nil {
			return remuda.Errorf(remuda.Conflict, "the database is not empty: it holds a %s", name).WithHint("restore into an empty folder and an empty database")
		}
		if remuda.CodeOf(err) != remuda.NotFound {
			return err
		}
	}
	return nil
}

// maxParameters is how many parameters one INSERT has.
const maxParameters = 1000

// plainName is what names of columns look like: a dump's are not taken on trust.
var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (tx *Tx) insertRows(rows Rows) (err error) {
	for _, column := range rows.Columns {
		if !plainName.MatchString(column) {
			return remuda.Errorf(remuda.Invalid, "%.80q is no column of %s", column, rows.Table)
		}
	}
	if len(rows.Columns) == 0 {
		return remuda.Errorf(remuda.Invalid, "rows of %s have no columns", rows.Table)
	}
	prepared := make(map[int]*sql.Stmt) // by number of rows
	defer func() {
		for _, statement := range prepared {
			err = errors.Join(err, failure("write to the database", statement.Close()))
		}
	}()
	for chunk := range slices.Chunk(rows.Values, max(1, maxParameters/len(rows.Columns))) {
		statement, ok := prepared[len(chunk)]
		if !ok {
			if statement, err = tx.sql.PrepareContext(tx.ctx, insertText(rows, len(chunk))); err != nil {
				return failure("write to the database", err)
			}
			prepared[len(chunk)] = statement
		}
		var args []any
		for _, values := range chunk {
			if len(values) != len(rows.Columns) {
				return remuda.Errorf(remuda.Invalid, "a row of %s has %d values for %d columns", rows.Table, len(values), len(rows.Columns))
			}
			args = append(args, values...)
		}
		tx.watch.ask()
		_, err := statement.ExecContext(tx.ctx, args...)
		tx.watch.answered()
		if err != nil {
			return failure("fill "+rows.Table, err)
		}
	}
	return nil
}

// insertText is an INSERT of n rows.
func insertText(rows Rows, n int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + rows.Table + " (" + strings.Join(rows.Columns, ", ") + ") VALUES ")
	for i := range n {
		for j := range rows.Columns {
			switch {
			case j > 0:
				b.WriteString(", ")
			case i > 0:
				b.WriteString("), (")
			default:
				b.WriteString("(")
			}
			b.WriteString(placeholder(i*len(rows.Columns) + j + 1))
		}
	}
	b.WriteString(")")
	return b.String()
}

// requeue puts the jobs that have not ended into the queue, and other work.
func (tx *Tx) requeue() error {
	waiting, err := all(tx, scanJob, "SELECT "+jobColumns+" FROM job WHERE status IN ('waiting', 'running')")
	if err != nil {
		return err
	}
	for _, j := range waiting {
		number, err := tx.enqueue(j.Type, JobRef{Job: j.ID}, time.Time{})
		if err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE job SET status = 'waiting', queue_id = $2 WHERE id = $1", j.ID, number); err != nil {
			return err
		}
	}
	return tx.requeueWork()
}
