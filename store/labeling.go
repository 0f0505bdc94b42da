package store

// BatchItems returns the items that have a real task in a batch (an id).
func (tx *Tx) BatchItems(batch string) (map[string]bool, error) {
	items := make(map[string]bool)
	return items, each(tx, scalar[string], func(item string) error { items[item] = true; return nil },
		"SELECT item FROM task WHERE batch = $1 AND item <> '' AND kind = ''", batch)
}

// LockItem keeps others from changing an item's annotations until this
// transaction ends; it does nothing where there is no such item.
func (tx *Tx) LockItem(id string) error {
	_, err := tx.exec("UPDATE item SET revision = revision WHERE id = $1", id)
	return err
}

// SetTaskItem says which item has a task's image; the caller has locked the task.
func (tx *Tx) SetTaskItem(task, item string) error {
	_, err := tx.exec("UPDATE task SET item = $2 WHERE id = $1", task, item)
	return err
}
