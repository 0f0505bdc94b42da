package store

import (
	"encoding/json"
	"time"
)

// Types of embedding indexes.
const (
	EmbeddingsCustom   = "Custom"   // vectors that the user made
	EmbeddingsInternal = "Internal" // made by this server's engine
)

// EmbeddingIndex is a set of vectors, one an image, all of one dimension.
type EmbeddingIndex struct {
	ID        string
	Dataset   string
	Type      string // one of the types above
	Dimension int
	Model     string // name of the backbone that makes an internal one
	Weights   string // SHA-256 of that backbone's weights, hex
	Job       string // that makes it
	Status    JobStatus
	CreatedAt time.Time
}

const embeddingIndexColumns = "x.id, x.dataset, x.type, x.dimension, x.model, x.weights, x.job, COALESCE(job.status, 'completed'), x.created_at"

func scanEmbeddingIndex(row rowScanner) (x EmbeddingIndex, err error) {
	var created int64
	err = row.Scan(&x.ID, &x.Dataset, &x.Type, &x.Dimension, &x.Model, &x.Weights, &x.Job, &x.Status, &created)
	x.CreatedAt = fromMillis(created)
	return x, err
}

// CreateEmbeddingIndex adds an empty index to a dataset, made by a job.
func (tx *Tx) CreateEmbeddingIndex(x EmbeddingIndex) (EmbeddingIndex, error) {
	x.ID, x.CreatedAt = tx.NewID("emb"), tx.Now
	_, err := tx.exec("INSERT INTO embedding_index (id, dataset, type, dimension, model, weights, job, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		x.ID, x.Dataset, x.Type, x.Dimension, x.Model, x.Weights, x.Job, millis(x.CreatedAt))
	return x, err
}

// EmbeddingIndexes returns those of a dataset of the caller's world, oldest first.
func (tx *Tx) EmbeddingIndexes(dataset string) ([]EmbeddingIndex, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	return all(tx, scanEmbeddingIndex, "SELECT "+embeddingIndexColumns+" FROM embedding_index x LEFT JOIN job ON job.id = x.job WHERE x.dataset = $1 ORDER BY x.id", dataset)
}

// EmbeddingIndexOfJob returns the index that a job makes; not_found before it has begun.
func (tx *Tx) EmbeddingIndexOfJob(job string) (EmbeddingIndex, error) {
	return one(tx, "embedding index", scanEmbeddingIndex, "SELECT "+embeddingIndexColumns+" FROM embedding_index x LEFT JOIN job ON job.id = x.job WHERE x.job = $1", job)
}

// Embedding is the vector of an item's image.
type Embedding struct {
	Item      string          `json:"-"`
	Position  int64           `json:"-"` // of the item; read only
	Reference string          `json:"reference_id"`
	Vector    json.RawMessage `json:"embedding_vector"` // an array of numbers
}

// PutEmbeddings writes vectors into an index; an item's earlier one is replaced.
func (tx *Tx) PutEmbeddings(index string, embeddings []Embedding) error {
	rows := make([][]any, len(embeddings))
	for i, e := range embeddings {
		rows[i] = []any{index, e.Item, string(e.Vector)}
	}
	return tx.insert("embedding", "embedding_index, item, vector", "ON CONFLICT (embedding_index, item) DO UPDATE SET vector = excluded.vector", rows)
}

// CountEmbeddings returns how many items have a vector in an index.
func (tx *Tx) CountEmbeddings(index string) (int64, error) {
	return one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM embedding JOIN item ON item.id = embedding.item WHERE embedding.embedding_index = $1", index)
}

// ItemsToEmbed returns the next items of a dataset, after a position, that
// have no vector in an index.
func (tx *Tx) ItemsToEmbed(index, dataset string, position int64, n int) ([]Item, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	return all(tx, scanItem, "SELECT "+itemColumns+` FROM item WHERE item.dataset = $1 AND item.position > $2
		AND NOT EXISTS (SELECT 1 FROM embedding e WHERE e.embedding_index = $3 AND e.item = item.id) ORDER BY item.position LIMIT $4`, dataset, position, index, limit(n))
}

// EmbeddingsAfter returns the next vectors of an index in the order of its
// dataset, after a position, of all items or of those of a slice.
func (tx *Tx) EmbeddingsAfter(index EmbeddingIndex, sliceID string, position int64, n int) ([]Embedding, error) {
	return all(tx, func(row rowScanner) (e Embedding, err error) {
		var vector string
		err = row.Scan(&e.Item, &e.Position, &e.Reference, &vector)
		e.Vector = json.RawMessage(vector)
		return e, err
	}, `SELECT item.id, item.position, item.reference_id, embedding.vector
		FROM item JOIN embedding ON embedding.embedding_index = $1 AND embedding.item = item.id
		WHERE item.dataset = $2 AND item.position > $3 AND ($4 = '' OR EXISTS (SELECT 1 FROM slice_member m WHERE m.slice = $4 AND m.item = item.id))
		ORDER BY item.position LIMIT $5`, index.ID, index.Dataset, position, sliceID, limit(n))
}
