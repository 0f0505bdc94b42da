package store

import (
	"encoding/json"
	"time"

	"remuda"
)

// Model is what predictions are made by, as its user registered it.
type Model struct {
	ID          string
	World       remuda.World
	Name        string
	ReferenceID string          // the user's name of it, unique in its world unless it is ""
	Metadata    json.RawMessage // an object
	CreatedAt   time.Time
	CreatedBy   string
}

const modelColumns = "model.id, model.world, model.name, model.reference_id, model.metadata, model.created_at, model.created_by"

func scanModel(row rowScanner) (m Model, err error) {
	var metadata string
	var created int64
	err = row.Scan(&m.ID, &m.World, &m.Name, &m.ReferenceID, &metadata, &created, &m.CreatedBy)
	m.Metadata, m.CreatedAt = json.RawMessage(metadata), fromMillis(created)
	return m, err
}

// CreateModel adds a model with a new id in the caller's world and returns it
// whole; conflict if its reference id is taken.
func (tx *Tx) CreateModel(m Model) (Model, error) {
	m.ID, m.World, m.CreatedAt, m.CreatedBy, m.Metadata = tx.NewID("prj"), tx.Caller.World, tx.Now, tx.Caller.Author(), orObject(m.Metadata)
	n, err := tx.exec(`INSERT INTO model (id, world, name, reference_id, metadata, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
		m.ID, m.World, m.Name, m.ReferenceID, string(m.Metadata), millis(m.CreatedAt), m.CreatedBy)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.Conflict, "there is a model with the reference id %s already", m.ReferenceID).WithHint("give another reference id, or use that model")
	}
	return m, err
}

// Model returns a model of the caller's world.
func (tx *Tx) Model(id string) (Model, error) {
	return one(tx, "model "+id, scanModel, "SELECT "+modelColumns+" FROM model WHERE id = $1 AND world = $2 AND deleted_at IS NULL", id, tx.Caller.World)
}

// ModelByReference returns the model of the caller's world that the user calls ref.
func (tx *Tx) ModelByReference(ref string) (Model, error) {
	return one(tx, "model with the reference id "+ref, scanModel,
		"SELECT "+modelColumns+" FROM model WHERE reference_id = $1 AND reference_id <> '' AND world = $2 AND deleted_at IS NULL", ref, tx.Caller.World)
}

// Models returns those of the caller's world, oldest first.
func (tx *Tx) Models() ([]Model, error) {
	return all(tx, scanModel, "SELECT "+modelColumns+" FROM model WHERE world = $1 AND deleted_at IS NULL ORDER BY id", tx.Caller.World)
}

// LockModel keeps others from changing a model of the caller's world until this
// transaction ends; not_found if there is none.
func (tx *Tx) LockModel(id string) error {
	_, err := one(tx, "model "+id, scalar[string], "UPDATE model SET name = name WHERE id = $1 AND world = $2 AND deleted_at IS NULL RETURNING id", id, tx.Caller.World)
	return err
}

// HideModel makes a model with its runs not_found from now on; EndPredictions
// takes what they predicted away.
func (tx *Tx) HideModel(id string) error {
	if err := tx.LockModel(id); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE model SET deleted_at = $2 WHERE id = $1", id, millis(tx.Now))
	return err
}

// DeletedRuns returns the ids of the runs of a model, hidden and deleted ones too.
func (tx *Tx) DeletedRuns(model string) ([]string, error) {
	return all(tx, scalar[string], "SELECT id FROM model_run WHERE model = $1 ORDER BY id", model)
}

// TrainedSlices returns the ids of the slices that a model was trained on, as
// its user says: of every model if it is "".
func (tx *Tx) TrainedSlices(model string) (map[string][]string, error) {
	found := make(map[string][]string)
	return found, tx.eachPair(found, "SELECT t.model, t.slice FROM trained_slice t JOIN model m ON m.id = t.model WHERE m.world = $1 AND ($2 = '' OR t.model = $2) ORDER BY t.model, t.slice",
		tx.Caller.World, model)
}

// ModelTags returns the tags of every model of the caller's world.
func (tx *Tx) ModelTags() (map[string][]string, error) {
	found := make(map[string][]string)
	return found, tx.eachPair(found, "SELECT t.subject, t.name FROM tag t JOIN model m ON m.id = t.subject WHERE m.world = $1 ORDER BY t.subject, t.name", tx.Caller.World)
}

// eachPair gathers the second column of a query by the first.
func (tx *Tx) eachPair(into map[string][]string, query string, args ...any) error {
	type pair struct{ key, value string }
	return each(tx, func(row rowScanner) (p pair, err error) {
		err = row.Scan(&p.key, &p.value)
		return p, err
	}, func(p pair) error { into[p.key] = append(into[p.key], p.value); return nil }, query, args...)
}

// AddTrainedSlices notes slices that a model was trained on; those that are noted stay.
func (tx *Tx) AddTrainedSlices(model string, slices []string) error {
	rows := make([][]any, len(slices))
	for i, id := range slices {
		rows[i] = []any{model, id}
	}
	return tx.insert("trained_slice", "model, slice", "ON CONFLICT (model, slice) DO NOTHING", rows)
}

// RemoveTrainedSlices forgets that a model was trained on slices, and returns how many were noted.
func (tx *Tx) RemoveTrainedSlices(model string, slices []string) (removed int64, err error) {
	err = inLists(unique(slices), 2, func(marks string, args []any) error {
		n, err := tx.exec("DELETE FROM trained_slice WHERE model = $1 AND slice IN ("+marks+")", append([]any{model}, args...)...)
		removed += n
		return err
	})
	return removed, err
}

// StripModel takes away what hangs on a deleted model but its runs: weights,
// tags and the slices that it was trained on.
func (tx *Tx) StripModel(id string) error {
	for _, query := range []string{
		"DELETE FROM model_weights WHERE model = $1",
		"DELETE FROM weights_part WHERE upload IN (SELECT id FROM weights_upload WHERE model = $1)",
		"DELETE FROM weights_upload WHERE model = $1",
		"DELETE FROM trained_slice WHERE model = $1",
		"DELETE FROM tag WHERE subject = $1",
	} {
		if _, err := tx.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}
