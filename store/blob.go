package store

import "remuda"

// blobUses are queries for one row where a blob, $1, is in use. A table that
// names blobs adds its own, lest they be swept.
func blobUses() []string {
	return []string{
		"SELECT 1 FROM item WHERE blob = $1 LIMIT 1",
		"SELECT 1 FROM upload WHERE blob = $1 LIMIT 1",
		"SELECT 1 FROM annotation WHERE blob = $1 LIMIT 1",
	}
}

// BlobUsed says whether anything of either world refers to a blob.
func (tx *Tx) BlobUsed(blob string) (bool, error) {
	for _, query := range blobUses() {
		_, err := one(tx, "use", scalar[int64], query, blob)
		if remuda.CodeOf(err) != remuda.NotFound {
			return err == nil, err
		}
	}
	return false, nil
}

// ImageFormat returns the format of an image that an item of a dataset in
// either world has: for URLs that authorise by themselves; not_found if no item has it.
func (tx *Tx) ImageFormat(blob string) (string, error) {
	return one(tx, "image "+blob, scalar[string],
		"SELECT item.format FROM item JOIN dataset ON dataset.id = item.dataset WHERE item.blob = $1 AND dataset.deleted_at IS NULL LIMIT 1", blob)
}
