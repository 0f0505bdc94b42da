package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/store"
)

// TaxonomyChange says what AddTaxonomy did.
type TaxonomyChange string

// What AddTaxonomy does.
const (
	TaxonomyCreated TaxonomyChange = "created"
	TaxonomyExists  TaxonomyChange = "exists" // and was not to be updated
	TaxonomyUpdated TaxonomyChange = "updated"
)

// AddTaxonomy adds a taxonomy to a dataset; managers only. One of that name
// gets the new labels besides its own if update is set, and else stays as it is.
func (f *Flow) AddTaxonomy(ctx context.Context, caller remuda.Caller, t store.Taxonomy, update bool) (done TaxonomyChange, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return "", err
	}
	if t.Name, err = checkName("taxonomy", t.Name); err != nil {
		return "", err
	}
	if t.Type != store.TypeCategory && t.Type != store.TypeMulticategory {
		return "", remuda.Errorf(remuda.Invalid, "there is no taxonomy type %q", t.Type).WithHint("the types are category and multicategory")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockDataset(t.Dataset); err != nil {
			return err
		}
		old, err := tx.Taxonomy(t.Dataset, t.Name)
		done = TaxonomyUpdated
		switch {
		case remuda.CodeOf(err) == remuda.NotFound:
			old, done = store.Taxonomy{Dataset: t.Dataset, Name: t.Name, Type: t.Type, Labels: []string{}}, TaxonomyCreated
		case err != nil:
			return err
		case !update:
			done = TaxonomyExists
			return nil
		}
		for _, label := range t.Labels {
			if !slices.Contains(old.Labels, label) {
				old.Labels = append(old.Labels, label)
			}
		}
		return tx.PutTaxonomy(old)
	})
	return done, err
}

// Taxonomies returns a dataset's taxonomies, by name.
func (f *Flow) Taxonomies(ctx context.Context, caller remuda.Caller, dataset string) ([]store.Taxonomy, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Taxonomy, error) {
		if _, err := tx.Dataset(dataset); err != nil {
			return nil, err
		}
		return tx.Taxonomies(dataset)
	})
}

// DeleteTaxonomy removes a taxonomy and deletes the annotations and predictions
// that name it, whose revisions stay in the history; managers only.
func (f *Flow) DeleteTaxonomy(ctx context.Context, caller remuda.Caller, dataset, name string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.LockDataset(dataset); err != nil {
			return err
		}
		if err := tx.DeleteTaxonomy(dataset, name); err != nil {
			return err
		}
		if err := tx.EndTaxonomy(dataset, name); err != nil {
			return err
		}
		return tx.Audit("taxonomy.delete", dataset, name)
	})
}

// ClassLabels returns the labels that a dataset's annotations bear, sorted: of its ground
// truth, or of all predictions on it.
func (f *Flow) ClassLabels(ctx context.Context, caller remuda.Caller, dataset string, predictions bool) (labels []string, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if _, err := tx.Dataset(dataset); err != nil {
			return err
		}
		if labels, err = tx.ClassLabels(dataset, predictions); err != nil {
			return err
		}
		return tx.LabelsInBodies(dataset, predictions, func(body json.RawMessage) error {
			labels = append(labels, BodyLabels(body)...)
			return nil
		})
	})
	slices.Sort(labels)
	return slices.Compact(labels), err
}

// BodyLabels returns the labels that stand in the body of a multicategory or a mask.
func BodyLabels(body json.RawMessage) []string {
	var b struct {
		Labels []string `json:"labels"`
		Parts  []struct {
			Label string `json:"label"`
		} `json:"annotations"`
	}
	if json.Unmarshal(body, &b) != nil {
		return nil
	}
	labels := b.Labels
	for _, part := range b.Parts {
		labels = append(labels, part.Label)
	}
	return labels
}
