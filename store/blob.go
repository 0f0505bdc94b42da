package store

import "remuda"

// blobPlace is a column that names blobs, with an index.
type blobPlace struct{ table, column string }

// blobPlaces are all columns that name blobs. A table that does adds its own,
// lest its blobs be swept and left out of backups.
func blobPlaces() []blobPlace {
	return []blobPlace{
		{"item", "blob"}, {"upload", "blob"}, {"annotation", "blob"},
		{"model_weights", "blob"}, {"weights_part", "blob"}, {"benchmark", "truth"}, {"evaluation", "boxes"},
		{"slice", "frozen"}, {"slice_member", "blob"}, {"task", "blob"}, {"quality_task", "blob"}, {"file", "blob"},
	}
}

// BlobUsed says whether anything of either world refers to a blob.
func (tx *Tx) BlobUsed(blob string) (bool, error) {
	for _, p := range blobPlaces() {
		_, err := one(tx, "use", scalar[int64], "SELECT 1 FROM "+p.table+" WHERE "+p.column+" = $1 LIMIT 1", blob)
		if remuda.CodeOf(err) != remuda.NotFound {
			return err == nil, err
		}
	}
	return false, nil
}

// Blobs returns every blob that anything of either world refers to, in no order.
func (tx *Tx) Blobs() ([]string, error) {
	seen := make(map[string]bool)
	found := []string{}
	for _, p := range blobPlaces() {
		err := each(tx, scalar[string], func(blob string) error {
			if blob != "" && !seen[blob] {
				seen[blob] = true
				found = append(found, blob)
			}
			return nil
		}, "SELECT DISTINCT "+p.column+" FROM "+p.table+" WHERE "+p.column+" IS NOT NULL")
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// ImageFormat returns the format of an image that an item of a dataset in
// either world has, of a task's image, of an annotation's mask, or of a file that
// was uploaded: for URLs that authorise by themselves; not_found if nothing has it.
func (tx *Tx) ImageFormat(blob string) (string, error) {
	return one(tx, "image "+blob, scalar[string],
		`SELECT item.format FROM item JOIN dataset ON dataset.id = item.dataset WHERE item.blob = $1 AND dataset.deleted_at IS NULL
		UNION ALL SELECT 'png' FROM annotation JOIN dataset ON dataset.id = annotation.dataset WHERE annotation.blob = $1 AND dataset.deleted_at IS NULL
		UNION ALL SELECT format FROM task WHERE blob = $1 AND blob <> ''
		UNION ALL SELECT format FROM quality_task WHERE blob = $1 AND blob <> ''
		UNION ALL SELECT substr(media_type, 7) FROM file WHERE blob = $1 AND media_type LIKE 'image/%' LIMIT 1`, blob)
}
