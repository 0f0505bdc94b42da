package store

import (
	"errors"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/internal/linetest"
	"remuda/internal/postgrestest"
)

// distant opens a PostgreSQL database behind a line.
func distant(t *testing.T, o Options) (*DB, *linetest.Line) {
	t.Helper()
	address := postgrestest.New(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	line := linetest.New(t, u.Host)
	db, err := Open(t.Context(), line.Through(address), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // its connections may be cut
	db.SetJobs(&fakeQueue{})
	return db, line
}

func countDatasets(db *DB, t *testing.T) (n int, err error) {
	err = db.Read(t.Context(), manager, func(tx *Tx) error {
		found, err := tx.Datasets()
		n = len(found)
		return err
	})
	return n, err
}

func TestADatabaseThatIsGoneIsUnavailableUntilItIsBack(t *testing.T) {
	db, line := distant(t, Options{})
	create := func(tx *Tx) error {
		_, err := tx.CreateDataset(Dataset{Name: "horses"})
		return err
	}
	write(t, db, create)
	between := func(do func(*Tx) error) func(*Tx) error { // the line is cut in the middle of a transaction
		return func(tx *Tx) error {
			if err := create(tx); err != nil {
				return err
			}
			line.Cut()
			return do(tx)
		}
	}
	for name, attempt := range map[string]func() error{
		"before a read":    func() error { line.Cut(); _, err := countDatasets(db, t); return err },
		"before a write":   func() error { line.Cut(); return db.Write(t.Context(), manager, create) },
		"before an insert": func() error { return db.Write(t.Context(), manager, between(create)) },
		"before a query": func() error {
			return db.Write(t.Context(), manager, between(func(tx *Tx) error { _, err := tx.Datasets(); return err }))
		},
		"before the commit": func() error {
			return db.Write(t.Context(), manager, between(func(*Tx) error { return nil }))
		},
	} {
		err := attempt()
		if remuda.CodeOf(err) != remuda.Unavailable || remuda.HintOf(err) == "" {
			t.Errorf("cut %s: %v, hint %q", name, err, remuda.HintOf(err))
		}
		line.Mend()
		if n, err := countDatasets(db, t); err != nil || n != 1 {
			t.Errorf("mended after it was cut %s: %d datasets, %v", name, n, err)
		}
	}
}

func TestASilentDatabaseIsWaitedForOnlySoLong(t *testing.T) {
	db, line := distant(t, Options{Patience: Patience{Begin: 50 * time.Millisecond, Step: 50 * time.Millisecond}})
	silence := func(*Tx) error { line.Silence(); return nil }
	create := func(tx *Tx) error {
		_, err := tx.CreateDataset(Dataset{Name: "horses"})
		return err
	}
	for name, attempt := range map[string]func() error{
		"at the begin":  func() error { line.Silence(); return db.Write(t.Context(), manager, create) },
		"in a write":    func() error { return db.Write(t.Context(), manager, both(silence, create)) },
		"at the commit": func() error { return db.Write(t.Context(), manager, both(create, silence)) },
		"in a read": func() error {
			return db.Read(t.Context(), manager, both(silence, func(tx *Tx) error { _, err := tx.Datasets(); return err }))
		},
		"at the undo": func() error {
			err := db.Write(t.Context(), manager, both(silence, func(*Tx) error { return errors.New("ours") }))
			if err == nil || err.Error() != "ours" {
				t.Errorf("an error of ours became %v", err)
			}
			return remuda.Errorf(remuda.Unavailable, "x").WithHint("y")
		},
	} {
		if err := attempt(); remuda.CodeOf(err) != remuda.Unavailable || remuda.HintOf(err) == "" {
			t.Errorf("silent %s: %v, hint %q", name, err, remuda.HintOf(err))
		}
		line.Mend()
		for attempt := 1; ; attempt++ { // the server may have the old connections' say first
			if _, err := countDatasets(db, t); err == nil {
				break
			} else if attempt == 20 {
				t.Fatalf("after it was silent %s: %v", name, err)
			}
		}
	}
}

// both does one thing after the other.
func both(first, second func(*Tx) error) func(*Tx) error {
	return func(tx *Tx) error {
		if err := first(tx); err != nil {
			return err
		}
		return second(tx)
	}
}

func TestServersThatStartTogetherMakeTheTablesAndSecretsOnce(t *testing.T) {
	address := postgrestest.New(t)
	secrets := make([]string, 6)
	var all sync.WaitGroup
	for i := range secrets {
		all.Go(func() {
			db, err := Open(t.Context(), address, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			err = db.Write(t.Context(), remuda.Caller{}, func(tx *Tx) error {
				secret, err := tx.Secret("urls")
				secrets[i] = string(secret)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if slices.Sort(secrets); secrets[0] == "" || secrets[0] != secrets[len(secrets)-1] {
		t.Errorf("secrets %q", secrets)
	}
}
