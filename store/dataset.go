package store

import (
	"encoding/json"
	"time"

	"remuda"
)

// Dataset is a named collection of items.
type Dataset struct {
	ID               string
	World            remuda.World
	Name             string
	IsScene          bool
	PrivacyMode      bool
	ItemSchema       json.RawMessage // "null" if none
	AnnotationSchema json.RawMessage
	CreatedAt        time.Time
	CreatedBy        string
}

const datasetColumns = "id, world, name, is_scene, privacy_mode, item_schema, annotation_schema, created_at, created_by"

func scanDataset(row rowScanner) (d Dataset, err error) {
	var itemSchema, annotationSchema string
	var created int64
	err = row.Scan(&d.ID, &d.World, &d.Name, &d.IsScene, &d.PrivacyMode, &itemSchema, &annotationSchema, &created, &d.CreatedBy)
	d.ItemSchema, d.AnnotationSchema, d.CreatedAt = json.RawMessage(itemSchema), json.RawMessage(annotationSchema), fromMillis(created)
	return d, err
}

// CreateDataset adds a dataset with a new id in the caller's world and returns it whole.
func (tx *Tx) CreateDataset(d Dataset) (Dataset, error) {
	d.ID, d.World, d.CreatedAt, d.CreatedBy = tx.NewID("ds"), tx.Caller.World, tx.Now, tx.Caller.Author()
	d.ItemSchema, d.AnnotationSchema = orNull(d.ItemSchema), orNull(d.AnnotationSchema)
	_, err := tx.exec(`INSERT INTO dataset (`+datasetColumns+`, next_position) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
		d.ID, d.World, d.Name, d.IsScene, d.PrivacyMode, string(d.ItemSchema), string(d.AnnotationSchema), millis(d.CreatedAt), d.CreatedBy)
	return d, err
}

// orNull returns JSON's null for no JSON.
func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("null")
	}
	return text
}

// Dataset returns a dataset of the caller's world; not_found if there is none or it is being deleted.
func (tx *Tx) Dataset(id string) (Dataset, error) {
	return one(tx, "dataset "+id, scanDataset, "SELECT "+datasetColumns+" FROM dataset WHERE id = $1 AND world = $2 AND deleted_at IS NULL", id, tx.Caller.World)
}

// Datasets returns those of the caller's world, oldest first.
func (tx *Tx) Datasets() ([]Dataset, error) {
	return all(tx, scanDataset, "SELECT "+datasetColumns+" FROM dataset WHERE world = $1 AND deleted_at IS NULL ORDER BY id", tx.Caller.World)
}

// RenameDataset gives a dataset of the caller's world another name.
func (tx *Tx) RenameDataset(id, name string) error {
	if _, err := tx.Dataset(id); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE dataset SET name = $2 WHERE id = $1", id, name)
	return err
}

// HideDataset makes a dataset not_found from now on; RemoveDataset takes its rows away.
func (tx *Tx) HideDataset(id string) error {
	if err := tx.LockDataset(id); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE dataset SET deleted_at = $2 WHERE id = $1", id, millis(tx.Now))
	return err
}

// LockDataset keeps others from changing a dataset of the caller's world until
// this transaction ends; not_found if there is none.
func (tx *Tx) LockDataset(id string) error {
	_, err := one(tx, "dataset "+id, scalar[string], "UPDATE dataset SET name = name WHERE id = $1 AND world = $2 AND deleted_at IS NULL RETURNING id", id, tx.Caller.World)
	return err
}
