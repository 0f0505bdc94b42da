package store

import (
	"testing"

	"remuda"
)

func TestWorldsShareNoDatasets(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var made Dataset
		write(t, db, func(tx *Tx) (err error) {
			made, err = tx.CreateDataset(Dataset{Name: "horses"})
			return err
		})
		other := manager
		other.World = remuda.Test
		err := db.Read(t.Context(), other, func(tx *Tx) error {
			found, err := tx.Datasets()
			if len(found) != 0 {
				t.Errorf("the test world sees %v", found)
			}
			if _, err := tx.Dataset(made.ID); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("the test world reads a live dataset: %v", err)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, db, func(tx *Tx) error {
			got, err := tx.Dataset(made.ID)
			if got.Name != "horses" || got.CreatedBy != manager.User || !got.CreatedAt.Equal(made.CreatedAt) || string(got.ItemSchema) != "null" {
				t.Errorf("read back %+v, made %+v", got, made)
			}
			return err
		})
		write(t, db, func(tx *Tx) error { return tx.HideDataset(made.ID) })
		write(t, db, func(tx *Tx) error {
			if err := tx.HideDataset(made.ID); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a dataset is deleted twice: %v", err)
			}
			return nil
		})
	})
}
