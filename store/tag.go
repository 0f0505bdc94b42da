package store

// Tags returns the tags of a dataset, slice or model, sorted. That the caller
// may see the subject is for the caller of Tags to know.
func (tx *Tx) Tags(subject string) ([]string, error) {
	return all(tx, scalar[string], "SELECT name FROM tag WHERE subject = $1 ORDER BY name", subject)
}

// AddTags adds tags; those that are there stay.
func (tx *Tx) AddTags(subject string, names []string) error {
	rows := make([][]any, len(names))
	for i, name := range names {
		rows[i] = []any{subject, name}
	}
	return tx.insert("tag", "subject, name", "ON CONFLICT (subject, name) DO NOTHING", rows)
}

// RemoveTags removes tags and returns how many were there.
func (tx *Tx) RemoveTags(subject string, names []string) (removed int64, err error) {
	err = inLists(unique(names), 2, func(marks string, args []any) error {
		n, err := tx.exec("DELETE FROM tag WHERE subject = $1 AND name IN ("+marks+")", append([]any{subject}, args...)...)
		removed += n
		return err
	})
	return removed, err
}
