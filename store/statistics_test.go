package store

import (
	"fmt"
	"testing"

	"remuda/internal/postgrestest"
)

func TestPostgreSQLKnowsWhatHasGrown(t *testing.T) {
	db := open(t, postgrestest.New(t))
	var dataset string
	write(t, db, func(tx *Tx) error {
		d, err := tx.CreateDataset(Dataset{Name: "horses"})
		dataset = d.ID
		return err
	})
	known := func() (rows float64) {
		t.Helper()
		if err := db.CountGrown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.read.QueryRowContext(t.Context(), "SELECT reltuples FROM pg_class WHERE relname = 'item'").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	add := func(from, to int) {
		t.Helper()
		items := make([]Item, 0, to-from)
		for n := from; n < to; n++ {
			items = append(items, Item{ReferenceID: fmt.Sprint(n), ImageURL: "h.jpg"})
		}
		write(t, db, func(tx *Tx) error {
			if _, err := tx.AddItems(dataset, items, false); err != nil {
				return err
			}
			_, err := tx.exec("SELECT pg_stat_force_next_flush()") // PostgreSQL counts changes up to a second late
			return err
		})
	}
	add(0, 100)
	if rows := known(); rows > 0 {
		t.Errorf("a table of 100 rows was looked at: %g", rows)
	}
	add(100, 6_100)
	if rows := known(); rows != 6_100 {
		t.Errorf("%g rows, of 6100", rows)
	}
}
