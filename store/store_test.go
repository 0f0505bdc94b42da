package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"remuda"
	"remuda/internal/postgrestest"
)

// fakeQueue takes jobs and runs none.
type fakeQueue struct{ kinds []string }

func (q *fakeQueue) Enqueue(_ context.Context, _ *sql.Tx, kind string, _ any, _ time.Time) (int64, error) {
	q.kinds = append(q.kinds, kind)
	return int64(len(q.kinds)), nil
}

var manager = remuda.Caller{User: "usr_test", Name: "Ada", Role: remuda.Manager, World: remuda.Live}

// onBoth runs a test on SQLite and on PostgreSQL, each time on an empty database.
func onBoth(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "remuda.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, postgrestest.New(t))) })
}

func open(t *testing.T, location string) *DB {
	t.Helper()
	db, err := Open(t.Context(), location, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetJobs(&fakeQueue{})
	return db
}

// write runs fn as the manager and fails the test on an error.
func write(t *testing.T, db *DB, fn func(*Tx) error) {
	t.Helper()
	if err := db.Write(t.Context(), manager, fn); err != nil {
		t.Fatal(err)
	}
}

func TestOpeningAgainKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder 100%.db")
	db := open(t, path)
	write(t, db, func(tx *Tx) error {
		_, err := tx.CreateDataset(Dataset{Name: "horses"})
		return err
	})
	again := open(t, path)
	write(t, again, func(tx *Tx) error {
		found, err := tx.Datasets()
		if len(found) != 1 {
			t.Errorf("%d datasets", len(found))
		}
		return err
	})
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestAFullDiskIsCalledThatAndChangesNothing(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "remuda.db"))
	if _, err := db.write.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // as many as it has
		t.Fatal(err)
	}
	err := db.Write(t.Context(), manager, func(tx *Tx) error {
		_, err := tx.CreateDataset(Dataset{Name: strings.Repeat("horses ", 100_000)})
		return err
	})
	if remuda.CodeOf(err) != remuda.Unavailable || !errors.Is(err, syscall.ENOSPC) || remuda.HintOf(err) == "" {
		t.Errorf("writing to a full disk: %v", err)
	}
	err = db.Read(t.Context(), manager, func(tx *Tx) error {
		found, err := tx.Datasets()
		if len(found) != 0 {
			t.Errorf("it holds %d datasets", len(found))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
