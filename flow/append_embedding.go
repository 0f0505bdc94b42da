package flow

import (
	"encoding/json"
	"slices"

	"remuda"
	"remuda/store"
)

// ItemEmbedding is the vector of an item in one of its dataset's indexes.
type ItemEmbedding struct {
	Index  string    `json:"index_id"`
	Vector []float64 `json:"embedding_vector"` // as long as the index says
}

// vectors collects those that came with items.
type vectors struct {
	dimensions map[string]int                        // of the dataset's indexes, by id
	found      map[string]map[string]json.RawMessage // by index and item: one vector an item, the last one sent
}

// takeVectors returns a collector; it looks at the dataset's indexes only if an item has a vector.
func takeVectors(tx *store.Tx, dataset string, items []NewItem) (*vectors, error) {
	v := &vectors{dimensions: make(map[string]int), found: make(map[string]map[string]json.RawMessage)}
	if !slices.ContainsFunc(items, func(n NewItem) bool { return n.Embedding != nil }) {
		return v, nil
	}
	indexes, err := tx.EmbeddingIndexes(dataset)
	for _, index := range indexes {
		v.dimensions[index.ID] = index.Dimension
	}
	return v, err
}

// check says what is wrong with an item's vector.
func (v *vectors) check(n NewItem) error {
	if n.Embedding == nil {
		return nil
	}
	dimension, known := v.dimensions[n.Embedding.Index]
	if !known {
		return remuda.Errorf(remuda.NotFound, "item %s: there is no embedding index %.80q in its dataset", n.ReferenceID, n.Embedding.Index).WithHint("make the index first")
	}
	if len(n.Embedding.Vector) != dimension {
		return remuda.Errorf(remuda.Invalid, "item %s: its vector has %d numbers, %d are expected", n.ReferenceID, len(n.Embedding.Vector), dimension)
	}
	return nil
}

func (v *vectors) add(n NewItem, added store.AddedItem) {
	if n.Embedding == nil || added.Outcome == store.ItemIgnored {
		return
	}
	text, err := json.Marshal(n.Embedding.Vector)
	if err != nil { // they were read as JSON
		return
	}
	if v.found[n.Embedding.Index] == nil {
		v.found[n.Embedding.Index] = make(map[string]json.RawMessage)
	}
	v.found[n.Embedding.Index][added.ID] = text
}

func (v *vectors) write(tx *store.Tx) error {
	for index, found := range v.found {
		rows := make([]store.Embedding, 0, len(found))
		for item, vector := range found {
			rows = append(rows, store.Embedding{Item: item, Vector: vector})
		}
		if err := tx.PutEmbeddings(index, rows); err != nil {
			return err
		}
	}
	return nil
}
