package store

// BatchItems returns the items that have a real task in a batch (an id).
func (tx *Tx) BatchItems(batch string) (map[string]bool, error) {
	items := make(map[string]bool)
	return items, each(tx, scalar[string], func(item string) error { items[item] = true; return nil },
		"SELECT item FROM task WHERE batch = $1 AND item <> '' AND kind = ''", batch)
}

// SetTaskItem says which item has a task's image; the caller has locked the task.
func (tx *Tx) SetTaskItem(task, item string) error {
	_, err := tx.exec("UPDATE task SET item = $2 WHERE id = $1", task, item)
	return err
}
