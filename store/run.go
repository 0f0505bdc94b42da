package store

// DatasetRuns returns the ids of the model runs that have predictions on a
// dataset's items, oldest first.
func (tx *Tx) DatasetRuns(dataset string) ([]string, error) {
	return all(tx, scalar[string], "SELECT DISTINCT run FROM annotation WHERE dataset = $1 AND run <> '' AND ended_at IS NULL ORDER BY run", dataset)
}
