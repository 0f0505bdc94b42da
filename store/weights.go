package store

import (
	"time"
)

// Weights are the file that a model can be downloaded as.
type Weights struct {
	Model     string
	Blob      string // SHA-256, hex
	Bytes     int64
	Filename  string
	MediaType string
	CreatedAt time.Time
	CreatedBy string
}

func scanWeights(row rowScanner) (w Weights, err error) {
	var created int64
	err = row.Scan(&w.Model, &w.Blob, &w.Bytes, &w.Filename, &w.MediaType, &created, &w.CreatedBy)
	w.CreatedAt = fromMillis(created)
	return w, err
}

const weightsColumns = "model, blob, bytes, filename, media_type, created_at, created_by"

// Weights returns those of a model; not_found if it has none. That the caller
// may see the model is for the caller of Weights to know.
func (tx *Tx) Weights(model string) (Weights, error) {
	return one(tx, "file of weights of model "+model, scanWeights, "SELECT "+weightsColumns+" FROM model_weights WHERE model = $1", model)
}

// WeightsFile returns weights of either world that lie in a blob: for URLs that
// authorise by themselves.
func (tx *Tx) WeightsFile(model, blob string) (Weights, error) {
	return one(tx, "file of weights of model "+model, scanWeights, "SELECT "+weightsColumns+` FROM model_weights WHERE model = $1 AND blob = $2
		AND model IN (SELECT id FROM model WHERE deleted_at IS NULL)`, model, blob)
}

// PutWeights gives a model its weights, in place of those that it has.
func (tx *Tx) PutWeights(w Weights) (Weights, error) {
	w.CreatedAt, w.CreatedBy = tx.Now, tx.Caller.Author()
	_, err := tx.exec(`INSERT INTO model_weights (`+weightsColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (model) DO UPDATE SET
		blob = excluded.blob, bytes = excluded.bytes, filename = excluded.filename, media_type = excluded.media_type, created_at = excluded.created_at, created_by = excluded.created_by`,
		w.Model, w.Blob, w.Bytes, w.Filename, w.MediaType, millis(w.CreatedAt), w.CreatedBy)
	return w, err
}

// DeleteWeights takes a model's weights away and says whether it had any.
func (tx *Tx) DeleteWeights(model string) (bool, error) {
	n, err := tx.exec("DELETE FROM model_weights WHERE model = $1", model)
	return n > 0, err
}

// WeightsUpload is a file of weights on its way, whole or in parts.
type WeightsUpload struct {
	ID        string
	Model     string
	Bytes     int64  // as announced
	PartBytes int64  // of every part but the last
	SHA256    string // as announced, hex; "" if it was not
	Filename  string
	MediaType string
	CreatedAt time.Time
}

// Parts is how many parts an upload has.
func (u *WeightsUpload) Parts() int { return int(max(1, (u.Bytes+u.PartBytes-1)/u.PartBytes)) }

// PartSize is how many bytes a part has, from 1.
func (u *WeightsUpload) PartSize(number int) int64 {
	return min(u.PartBytes, u.Bytes-int64(number-1)*u.PartBytes)
}

const uploadColumns = "id, model, bytes, part_bytes, sha256, filename, media_type, created_at"

func scanWeightsUpload(row rowScanner) (u WeightsUpload, err error) {
	var created int64
	err = row.Scan(&u.ID, &u.Model, &u.Bytes, &u.PartBytes, &u.SHA256, &u.Filename, &u.MediaType, &created)
	u.CreatedAt = fromMillis(created)
	return u, err
}

// CreateWeightsUpload announces a file of weights.
func (tx *Tx) CreateWeightsUpload(u WeightsUpload) (WeightsUpload, error) {
	u.ID, u.CreatedAt = tx.NewID("wup"), tx.Now
	_, err := tx.exec("INSERT INTO weights_upload ("+uploadColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		u.ID, u.Model, u.Bytes, u.PartBytes, u.SHA256, u.Filename, u.MediaType, millis(u.CreatedAt))
	return u, err
}

// WeightsUpload returns an upload of either world, and keeps others from
// changing it until this transaction ends: its id, which cannot be guessed, authorises.
func (tx *Tx) WeightsUpload(id string) (WeightsUpload, error) {
	return one(tx, "upload "+id, scanWeightsUpload, "UPDATE weights_upload SET filename = filename WHERE id = $1 AND model IN (SELECT id FROM model WHERE deleted_at IS NULL) RETURNING "+uploadColumns, id)
}

// WeightsPart is a part of an upload that has come.
type WeightsPart struct {
	Number int // from 1
	Blob   string
	Bytes  int64
}

// PutWeightsPart notes a part of an upload, in place of one that came before.
func (tx *Tx) PutWeightsPart(upload string, p WeightsPart) error {
	_, err := tx.exec("INSERT INTO weights_part (upload, number, blob, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT (upload, number) DO UPDATE SET blob = excluded.blob, bytes = excluded.bytes",
		upload, p.Number, p.Blob, p.Bytes)
	return err
}

// WeightsParts returns the parts of an upload that have come, in order.
func (tx *Tx) WeightsParts(upload string) ([]WeightsPart, error) {
	return all(tx, func(row rowScanner) (p WeightsPart, err error) {
		err = row.Scan(&p.Number, &p.Blob, &p.Bytes)
		return p, err
	}, "SELECT number, blob, bytes FROM weights_part WHERE upload = $1 ORDER BY number", upload)
}

// DeleteWeightsUpload forgets an upload and its parts.
func (tx *Tx) DeleteWeightsUpload(id string) error {
	if _, err := tx.exec("DELETE FROM weights_part WHERE upload = $1", id); err != nil {
		return err
	}
	_, err := tx.exec("DELETE FROM weights_upload WHERE id = $1", id)
	return err
}

// ForgetWeightsUploads forgets uploads of either world that were announced before a time.
func (tx *Tx) ForgetWeightsUploads(before time.Time) error {
	if _, err := tx.exec("DELETE FROM weights_part WHERE upload IN (SELECT id FROM weights_upload WHERE created_at < $1)", millis(before)); err != nil {
		return err
	}
	_, err := tx.exec("DELETE FROM weights_upload WHERE created_at < $1", millis(before))
	return err
}
