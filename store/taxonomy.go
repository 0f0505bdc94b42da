package store

import (
	"encoding/json"
	"slices"

	"remuda"
)

// Taxonomy is a named list of labels of a dataset, for its category and
// multicategory annotations.
type Taxonomy struct {
	Dataset string
	Name    string
	Type    string // category or multicategory
	Labels  []string
}

func scanTaxonomy(row rowScanner) (t Taxonomy, err error) {
	var labels []byte
	if err = row.Scan(&t.Dataset, &t.Name, &t.Type, &labels); err != nil {
		return t, err
	}
	return t, json.Unmarshal(labels, &t.Labels)
}

// Taxonomy returns one of a dataset.
func (tx *Tx) Taxonomy(dataset, name string) (Taxonomy, error) {
	return one(tx, "taxonomy "+name, scanTaxonomy, "SELECT dataset, name, type, labels FROM taxonomy WHERE dataset = $1 AND name = $2", dataset, name)
}

// Taxonomies returns those of a dataset, by name.
func (tx *Tx) Taxonomies(dataset string) ([]Taxonomy, error) {
	return all(tx, scanTaxonomy, "SELECT dataset, name, type, labels FROM taxonomy WHERE dataset = $1 ORDER BY name", dataset)
}

// PutTaxonomy writes a taxonomy, new or in place of the one of that name.
func (tx *Tx) PutTaxonomy(t Taxonomy) error {
	labels, err := json.Marshal(t.Labels)
	if err != nil {
		return remuda.Errorf(remuda.Internal, "write the labels of taxonomy %s: %w", t.Name, err)
	}
	_, err = tx.exec(`INSERT INTO taxonomy (dataset, name, type, labels) VALUES ($1, $2, $3, $4)
		ON CONFLICT (dataset, name) DO UPDATE SET type = excluded.type, labels = excluded.labels`, t.Dataset, t.Name, t.Type, string(labels))
	return err
}

// DeleteTaxonomy removes a taxonomy; annotations that name it stay. not_found if there is none.
func (tx *Tx) DeleteTaxonomy(dataset, name string) error {
	n, err := tx.exec("DELETE FROM taxonomy WHERE dataset = $1 AND name = $2", dataset, name)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.NotFound, "there is no taxonomy %s", name)
	}
	return err
}

// ClassLabels returns the labels that a dataset's current annotations bear,
// sorted: of its ground truth, or of all predictions.
func (tx *Tx) ClassLabels(dataset string, predictions bool) ([]string, error) {
	which := "run = ''"
	if predictions {
		which = "run <> ''"
	}
	return all(tx, scalar[string], "SELECT DISTINCT category FROM annotation WHERE dataset = $1 AND ended_at IS NULL AND category <> '' AND "+which+" ORDER BY category", dataset)
}

// LabelsInBodies hands the body of every current annotation of a dataset whose
// labels stand there, multicategories and masks, to do.
func (tx *Tx) LabelsInBodies(dataset string, predictions bool, do func(body json.RawMessage) error) error {
	which := "run = ''"
	if predictions {
		which = "run <> ''"
	}
	return each(tx, scalar[[]byte], func(body []byte) error { return do(body) },
		"SELECT body FROM annotation WHERE dataset = $1 AND category = '' AND ended_at IS NULL AND "+which+" AND type IN ('multicategory', 'mask')", dataset)
}

// EndTaxonomy deletes the annotations and predictions that name a taxonomy of a
// dataset; their revisions stay in the history.
func (tx *Tx) EndTaxonomy(dataset, name string) error {
	type group struct{ item, run string }
	named, err := all(tx, func(row rowScanner) (g group, err error) {
		err = row.Scan(&g.item, &g.run)
		return g, err
	}, "SELECT DISTINCT item, run FROM annotation WHERE dataset = $1 AND taxonomy = $2 AND ended_at IS NULL ORDER BY item, run", dataset, name)
	if err != nil {
		return err
	}
	for _, g := range named {
		lock, err := tx.lockItem(g.item, g.run)
		if err != nil {
			return err
		}
		current, err := tx.currentAnnotations(g.item, g.run)
		if err != nil {
			return err
		}
		ended := slices.DeleteFunc(current, func(a Annotation) bool { return a.Taxonomy != name })
		if err := tx.carryOut(lock, revise{end: ended}); err != nil {
			return err
		}
	}
	return nil
}
