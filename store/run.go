package store

import (
	"encoding/json"
	"time"

	"remuda"
)

// States of a run, which say no more than whether its user has declared it done.
const (
	RunOpen      = "open"
	RunCommitted = "committed"
)

// Run is a set of predictions of a model.
type Run struct {
	ID          string
	Model       string
	Dataset     string // that it was made for; "" if for none
	Name        string
	ReferenceID string
	Metadata    json.RawMessage // an object
	Status      string
	Hidden      bool // holds the predictions of the model that were sent without a run
	CreatedAt   time.Time
	CreatedBy   string
}

const runColumns = "r.id, r.model, r.dataset, r.name, r.reference_id, r.metadata, r.status, r.hidden, r.created_at, r.created_by"

// livingRuns are runs of models of the world that is parameter $1.
const livingRuns = "model_run r JOIN model ON model.id = r.model AND model.world = $1 AND model.deleted_at IS NULL AND r.deleted_at IS NULL"

func scanRun(row rowScanner) (r Run, err error) {
	var metadata string
	var created int64
	err = row.Scan(&r.ID, &r.Model, &r.Dataset, &r.Name, &r.ReferenceID, &metadata, &r.Status, &r.Hidden, &created, &r.CreatedBy)
	r.Metadata, r.CreatedAt = json.RawMessage(metadata), fromMillis(created)
	return r, err
}

// CreateRun adds a run of a model of the caller's world, with a new id, and
// returns it whole. That its dataset is there is for the caller to know.
func (tx *Tx) CreateRun(r Run) (Run, error) {
	if err := tx.LockModel(r.Model); err != nil {
		return r, err
	}
	r.ID, r.Status, r.CreatedAt, r.CreatedBy, r.Metadata = tx.NewID("run"), RunOpen, tx.Now, tx.Caller.Author(), orObject(r.Metadata)
	_, err := tx.exec(`INSERT INTO model_run (id, model, dataset, name, reference_id, metadata, status, hidden, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.ID, r.Model, r.Dataset, r.Name, r.ReferenceID, string(r.Metadata), r.Status, r.Hidden, millis(r.CreatedAt), r.CreatedBy)
	if err != nil || r.Dataset == "" {
		return r, err
	}
	return r, tx.AddRunDatasets(r.ID, []string{r.Dataset})
}

// Run returns a run of the caller's world.
func (tx *Tx) Run(id string) (Run, error) {
	return one(tx, "model run "+id, scanRun, "SELECT "+runColumns+" FROM "+livingRuns+" WHERE r.id = $2", tx.Caller.World, id)
}

// RunsOf returns a model's runs but the hidden one, oldest first.
func (tx *Tx) RunsOf(model string) ([]Run, error) {
	return all(tx, scanRun, "SELECT "+runColumns+" FROM "+livingRuns+" WHERE r.model = $2 AND NOT r.hidden ORDER BY r.id", tx.Caller.World, model)
}

// RunOn returns the newest run of a model that was made for a dataset, else the
// newest that has predictions on it; not_found if there is none but a hidden one.
func (tx *Tx) RunOn(dataset, model string) (Run, error) {
	return one(tx, "run of model "+model+" on dataset "+dataset, scanRun, "SELECT "+runColumns+" FROM "+livingRuns+
		" JOIN run_dataset d ON d.run = r.id WHERE d.dataset = $2 AND r.model = $3 AND NOT r.hidden ORDER BY CASE WHEN r.dataset = $2 THEN 0 ELSE 1 END, r.id DESC LIMIT 1", tx.Caller.World, dataset, model)
}

// HiddenRun returns the run of a model's predictions that were sent without a run; not_found if there are none.
func (tx *Tx) HiddenRun(model string) (Run, error) {
	return one(tx, "prediction of model "+model, scanRun, "SELECT "+runColumns+" FROM "+livingRuns+" WHERE r.model = $2 AND r.hidden", tx.Caller.World, model)
}

// CommitRun marks a run as done.
func (tx *Tx) CommitRun(id string) error {
	_, err := tx.exec("UPDATE model_run SET status = $2 WHERE id = $1", id, RunCommitted)
	return err
}

// HideRun makes a run not_found from now on; EndPredictions takes what it predicted away.
func (tx *Tx) HideRun(id string) error {
	if _, err := tx.Run(id); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE model_run SET deleted_at = $2, hidden = $3 WHERE id = $1", id, millis(tx.Now), false)
	return err
}

// AddRunDatasets notes datasets of the caller's world that a run has predictions on.
func (tx *Tx) AddRunDatasets(run string, datasets []string) error {
	for _, dataset := range datasets {
		_, err := tx.exec("INSERT INTO run_dataset (run, dataset) SELECT $1, id FROM dataset WHERE id = $2 AND world = $3 AND deleted_at IS NULL ON CONFLICT (run, dataset) DO NOTHING",
			run, dataset, tx.Caller.World)
		if err != nil {
			return err
		}
	}
	return nil
}

// RunDatasets returns the ids of the datasets that a run has predictions on, oldest first.
func (tx *Tx) RunDatasets(run string) ([]string, error) {
	return all(tx, scalar[string], "SELECT d.dataset FROM run_dataset d JOIN dataset ON dataset.id = d.dataset AND dataset.deleted_at IS NULL WHERE d.run = $1 ORDER BY d.dataset", run)
}

// DatasetRuns returns the ids of the model runs that have, or are to have,
// predictions on a dataset's items, oldest first.
func (tx *Tx) DatasetRuns(dataset string) ([]string, error) {
	return all(tx, scalar[string], "SELECT r.id FROM "+livingRuns+" JOIN run_dataset d ON d.run = r.id WHERE d.dataset = $2 AND NOT r.hidden ORDER BY r.id", tx.Caller.World, dataset)
}

// EndPredictions deletes what a run predicted on at most n items, and returns
// how many those were. The revisions stay in the history.
func (tx *Tx) EndPredictions(run string, n int) (int, error) {
	items, err := all(tx, scalar[string], "SELECT DISTINCT item FROM annotation WHERE run = $1 AND run <> '' AND ended_at IS NULL ORDER BY item LIMIT $2", run, limit(n))
	if err != nil {
		return 0, err
	}
	for _, item := range items {
		lock, err := tx.lockItem(item, run)
		if remuda.CodeOf(err) == remuda.NotFound { // its dataset is being deleted
			_, err = tx.exec("UPDATE annotation SET ended_at = $3, ended_by = $4 WHERE item = $1 AND run = $2 AND ended_at IS NULL", item, run, millis(tx.Now), tx.Caller.Author())
			if err == nil {
				continue
			}
		}
		if err != nil {
			return 0, err
		}
		current, err := tx.currentAnnotations(item, run)
		if err != nil {
			return 0, err
		}
		if err := tx.carryOut(lock, revise{end: current}); err != nil {
			return 0, err
		}
	}
	return len(items), nil
}

// CopyPredictions adds what one run predicted on items to another, with new
// ids. What the other has there under the same key stays; the copy goes by a
// key of its own then, unless it says the same. Of types of which an item has
// one, the first stays alone. A copy that is made again changes nothing. It
// returns how many were added.
func (tx *Tx) CopyPredictions(from, to string, items []string) (copied int, err error) {
	found, err := tx.AnnotationsOf(items, from)
	if err != nil {
		return 0, err
	}
	for _, item := range items {
		lock, err := tx.lockItem(item, to)
		if err != nil {
			return copied, err
		}
		there, err := tx.currentAnnotations(item, to)
		if err != nil {
			return copied, err
		}
		taken := make(map[annotationKey]*Annotation, len(there))
		for i := range there {
			taken[there[i].conflictKey()] = &there[i]
		}
		var r revise
		for _, a := range found[item] {
			if old := taken[a.conflictKey()]; old != nil {
				if old.Same(&a) || OnePerItem(a.Type) {
					continue
				}
				a.Key += "-" + from
			}
			if taken[a.conflictKey()] == nil {
				taken[a.conflictKey()] = &a
				r.add = append(r.add, tx.first(lock, to, a))
			}
		}
		if len(r.add) == 0 {
			continue
		}
		if err := tx.carryOut(lock, r); err != nil {
			return copied, err
		}
		copied += len(r.add)
	}
	return copied, nil
}

// PredictedItems returns the ids of at most n items behind one ("" begins) that
// a run has predictions on, in their order.
func (tx *Tx) PredictedItems(run, after string, n int) ([]string, error) {
	return all(tx, scalar[string], "SELECT DISTINCT item FROM annotation WHERE run = $1 AND run <> '' AND ended_at IS NULL AND item > $2 ORDER BY item LIMIT $3", run, after, limit(n))
}

// PredictedItemAt returns the n-th item, from 0, of those that a run has predictions on.
func (tx *Tx) PredictedItemAt(run string, n int64) (Item, error) {
	id, err := one(tx, "item at this place among those predicted on", scalar[string],
		"SELECT DISTINCT item FROM annotation WHERE run = $1 AND run <> '' AND ended_at IS NULL ORDER BY item LIMIT 1 OFFSET $2", run, max(0, n))
	if err != nil {
		return Item{}, err
	}
	return tx.Item(id)
}

// Prediction is an annotation of a run with what the user calls its item.
type Prediction struct {
	Annotation  Annotation
	ReferenceID string
}

// PredictionTypes returns the types of what a run predicted, on one dataset or, if it is "", on all.
func (tx *Tx) PredictionTypes(run, dataset string) ([]string, error) {
	return all(tx, scalar[string], "SELECT DISTINCT type FROM annotation WHERE run = $1 AND run <> '' AND ended_at IS NULL AND ($2 = '' OR dataset = $2) ORDER BY type", run, dataset)
}

// EachPrediction hands what a run predicted of a type, on one dataset or, if
// it is "", on all, to do, item by item.
func (tx *Tx) EachPrediction(run, dataset, typ string, do func(Prediction) error) error {
	return each(tx, func(row rowScanner) (p Prediction, err error) {
		p.Annotation, err = scanAnnotation(prefixed{row, []any{&p.ReferenceID}})
		return p, err
	}, do, "SELECT item.reference_id, "+qualified("annotation", annotationColumns)+` FROM annotation JOIN item ON item.id = annotation.item
		WHERE annotation.run = $1 AND annotation.run <> '' AND annotation.ended_at IS NULL AND ($2 = '' OR annotation.dataset = $2) AND annotation.type = $3
		ORDER BY annotation.item, annotation.id`, run, dataset, typ)
}

// ItemsAnywhere returns the items of the caller's world that a user calls by
// one of refs: several where datasets share a reference id, oldest first.
func (tx *Tx) ItemsAnywhere(refs []string) (map[string][]Item, error) {
	found := make(map[string][]Item, len(refs))
	err := inLists(unique(refs), 2, func(marks string, args []any) error {
		return each(tx, scanItem, func(item Item) error {
			found[item.ReferenceID] = append(found[item.ReferenceID], item)
			return nil
		}, "SELECT "+itemColumns+" FROM item WHERE item.dataset IN (SELECT id FROM dataset WHERE world = $1 AND deleted_at IS NULL) AND item.reference_id IN ("+marks+") ORDER BY item.id",
			append([]any{tx.Caller.World}, args...)...)
	})
	return found, err
}
