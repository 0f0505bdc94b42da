package store

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"remuda"
	"remuda/internal/postgrestest"
)

// dump reads all that a database holds.
func dump(t *testing.T, db *DB) (found []Rows) {
	t.Helper()
	err := db.Read(t.Context(), manager, func(tx *Tx) error {
		found = nil
		return tx.Dump(func(name string, columns []string) error {
			found = append(found, Rows{Table: name, Columns: slices.Clone(columns)})
			return nil
		}, func(values []any) error {
			last := &found[len(found)-1]
			last.Values = append(last.Values, slices.Clone(values))
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// load fills a database with what dump read.
func load(t *testing.T, db *DB, rows []Rows) error {
	t.Helper()
	next := 0
	return db.Load(t.Context(), manager, func() (Rows, error) {
		if next == len(rows) {
			return Rows{}, nil
		}
		next++
		return rows[next-1], nil
	})
}

func TestADumpFillsEitherDatabaseFromEither(t *testing.T) {
	places := map[string]func() *DB{
		"sqlite":   func() *DB { return open(t, filepath.Join(t.TempDir(), "remuda.db")) },
		"postgres": func() *DB { return open(t, postgrestest.New(t)) },
	}
	for from, openFrom := range places {
		for to, openTo := range places {
			t.Run(from+" to "+to, func(t *testing.T) {
				db := openFrom()
				fill(t, db)
				before := dump(t, db)
				other := openTo()
				if err := load(t, other, before); err != nil {
					t.Fatal(err)
				}
				after := dump(t, other)
				for i := range before {
					if i >= len(after) || !reflect.DeepEqual(before[i], after[i]) && before[i].Table != "job" {
						t.Errorf("table %s differs: %v, %v", before[i].Table, before[i], after[i])
					}
				}
				if err := load(t, other, before); remuda.CodeOf(err) != remuda.Conflict {
					t.Errorf("a database was filled twice: %v", err)
				}
				queue := other.jobs.(*fakeQueue)
				if !slices.Equal(queue.kinds, []string{"index"}) {
					t.Errorf("queued again: %v", queue.kinds)
				}
			})
		}
	}
}

// fill makes rows of every type of value, and jobs that have and have not ended.
func fill(t *testing.T, db *DB) {
	t.Helper()
	write(t, db, func(tx *Tx) error {
		d, err := tx.CreateDataset(Dataset{Name: "horses Ü \" \u2028", PrivacyMode: true})
		if err != nil {
			return err
		}
		for i, v := range []float64{0, 1, -0.1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e21} {
			if _, err := tx.exec("INSERT INTO embedding_index (id, dataset, type, dimension, job, created_at) VALUES ($1, $2, 'Custom', $3, '', 0)", tx.NewID("emb"), d.ID, i); err != nil {
				return err
			}
			_, err := tx.exec("INSERT INTO metadata_value (dataset, item, annotation, revision, key, kind, number) VALUES ($1, 'di', '', $2, 'k', 'number', $3)", d.ID, i, v)
			if err != nil {
				return err
			}
		}
		if _, err := tx.NewJob("index", d.ID, map[string]int{"a": 1}, 3); err != nil {
			return err
		}
		ended, err := tx.NewJob("index", d.ID, nil, 3)
		if err != nil {
			return err
		}
		ended.Status = JobFailed
		if err := tx.UpdateJob(ended); err != nil {
			return err
		}
		u, err := tx.CreateUser(User{Login: "ada", Name: "Ada", Role: remuda.Admin})
		if err != nil {
			return err
		}
		return tx.CreateSession("token", u.ID)
	})
}

func TestALoadThatFailsLeavesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		good := Rows{Table: "setting", Columns: []string{"name", "value"}, Values: [][]any{{"a", "b"}}}
		for name, bad := range map[string]Rows{
			"unknown table":  {Table: "nothing", Columns: []string{"a"}},
			"queue's table":  {Table: "river_job", Columns: []string{"id"}},
			"unknown column": {Table: "setting", Columns: []string{"nope"}, Values: [][]any{{"a"}}},
			"odd column":     {Table: "setting", Columns: []string{"name) SELECT"}, Values: [][]any{{"a"}}},
			"short row":      {Table: "setting", Columns: []string{"name", "value"}, Values: [][]any{{"c"}}},
			"twice":          good,
		} {
			if err := load(t, db, []Rows{good, bad}); err == nil {
				t.Errorf("%s: was taken", name)
			}
		}
		if err := load(t, db, []Rows{good}); err != nil {
			t.Errorf("after failed attempts the database is not empty: %v", err)
		}
	})
}

func TestTablesAreDumpedAfterThoseTheyReferTo(t *testing.T) {
	names, err := tables()
	if err != nil {
		t.Fatal(err)
	}
	if slices.Index(names, "item") < slices.Index(names, "dataset") || !slices.Contains(names, "audit") || slices.Contains(names, "session") {
		t.Errorf("tables: %v", names)
	}
}
