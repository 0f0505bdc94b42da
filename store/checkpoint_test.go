package store

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// inLog returns how many pages SQLite's log has that the file has not.
func inLog(t *testing.T, db *DB) int64 {
	t.Helper()
	pages, moved, err := checkpoint(t.Context(), db.read, "NOOP")
	if err != nil {
		t.Fatal(err)
	}
	return pages - moved
}

func TestTheLogIsMovedBesideTheCommits(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "remuda.db"))
	create := func(name string) {
		t.Helper()
		write(t, db, func(tx *Tx) error {
			_, err := tx.CreateDataset(Dataset{Name: name})
			return err
		})
	}
	create("small")
	if inLog(t, db) == 0 {
		t.Error("a small commit moved the log itself")
	}
	create(strings.Repeat("horses ", 2*moveAt*4096/7))
	for inLog(t, db) > moveAt { // in the background
		runtime.Gosched()
	}
}

func TestALogThatNobodyMovesIsMovedByACommit(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "remuda.db"))
	if err := db.tidy.close(); err != nil {
		t.Fatal(err)
	}
	db.tidy = nil
	write(t, db, func(tx *Tx) error {
		_, err := tx.CreateDataset(Dataset{Name: strings.Repeat("horses ", (fullAt+100)*4096/7)})
		return err
	})
	if n := inLog(t, db); n != 0 {
		t.Errorf("%d pages are left", n)
	}
}
