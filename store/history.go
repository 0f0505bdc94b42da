package store

import (
	"slices"
	"time"
)

// History returns every revision of an item's ground truth, in the order in
// which they were made. The item's world is the caller's to check.
func (tx *Tx) History(item string) ([]Annotation, error) {
	return all(tx, scanAnnotation, "SELECT "+annotationColumns+" FROM annotation WHERE item = $1 AND run = '' ORDER BY created_at, id, revision", item)
}

// AnnotationsAt returns an item's ground truth as it was at a time, in the order of its creation.
func (tx *Tx) AnnotationsAt(item string, at time.Time) ([]Annotation, error) {
	return all(tx, scanAnnotation, "SELECT "+annotationColumns+` FROM annotation
		WHERE item = $1 AND run = '' AND created_at <= $2 AND (ended_at IS NULL OR ended_at > $2) ORDER BY id`, item, millis(at))
}

// RestoreItem makes an item's ground truth what it was at a time, by new
// revisions: nothing of what was there since then is lost. It returns how many
// annotations changed, came back or went.
func (tx *Tx) RestoreItem(item string, at time.Time) (changed int, err error) {
	lock, err := tx.lockItem(item, "")
	if err != nil {
		return 0, err
	}
	current, err := tx.currentAnnotations(item, "")
	if err != nil {
		return 0, err
	}
	then, err := tx.AnnotationsAt(item, at)
	if err != nil {
		return 0, err
	}
	last, err := tx.lastRevisions(item)
	if err != nil {
		return 0, err
	}
	var r revise
	for _, a := range then {
		i := slices.IndexFunc(current, func(c Annotation) bool { return c.ID == a.ID })
		if i >= 0 {
			now := current[i]
			current = slices.Delete(current, i, i+1)
			if now.Same(&a) {
				continue
			}
			r.end = append(r.end, now)
		}
		a.Revision, a.Source = last[a.ID]+1, SourceRestore
		r.add = append(r.add, tx.stamp(lock, "", a))
		changed++
	}
	r.end = append(r.end, current...) // what was not there then
	changed += len(current)
	if changed == 0 {
		return 0, tx.unchanged(&lock)
	}
	return changed, tx.carryOut(lock, r)
}

// lastRevisions returns the newest revision of each annotation of an item, deleted ones too.
func (tx *Tx) lastRevisions(item string) (map[string]int64, error) {
	type newest struct {
		id       string
		revision int64
	}
	last := make(map[string]int64)
	err := each(tx, func(row rowScanner) (n newest, err error) {
		err = row.Scan(&n.id, &n.revision)
		return n, err
	}, func(n newest) error { last[n.id] = n.revision; return nil },
		"SELECT id, MAX(revision) FROM annotation WHERE item = $1 AND run = '' GROUP BY id", item)
	return last, err
}
