package store

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"remuda"
	"remuda/geom"
)

// Types of annotations. Masks are what the dataset API calls segmentations.
const (
	TypeBox           = "box"
	TypePolygon       = "polygon"
	TypeLine          = "line"
	TypeKeypoints     = "keypoints"
	TypeCategory      = "category"
	TypeMulticategory = "multicategory"
	TypeMask          = "mask"
	TypeCuboid        = "cuboid"
)

// Sources of a revision: by which way it came.
const (
	SourceHuman   = "human"   // drawn in the page or through our own API
	SourceAPI     = "api"     // through the dataset API
	SourceImport  = "import"  // from a label file
	SourceModel   = "model"   // predicted
	SourceLint    = "lint"    // mended at a finding
	SourceRestore = "restore" // as it was at an earlier time
)

// Annotation is one revision of one annotation: ground truth if Run is "",
// else a prediction of that run.
type Annotation struct {
	ID       string
	Revision int64 // from 1
	Dataset  string
	Item     string
	Run      string
	Type     string // one of the types above
	Category string // its label; "" for multicategory and mask
	// Key, Task and Taxonomy are, with the item, the run and the type, what no two
	// current annotations share. A Key of "" becomes the ID, but for category,
	// multicategory and mask, of which an item has one (for each taxonomy).
	Key, Task, Taxonomy string

	Box        *geom.Box // the box, or what the geometry spans; nil where there is none
	Crowd      bool
	Confidence *float64        // of predictions, 0 to 1
	Metadata   json.RawMessage // an object
	Body       json.RawMessage // an object of all else, as it came; see package flow's ParseAnnotation
	Blob       string          // SHA-256 of an uploaded mask's bytes, hex; "" if there are none
	Source     string
	CreatedAt  time.Time // of this revision
	CreatedBy  string
	EndedAt    *time.Time // nil while it is the current one
	EndedBy    string
}

// key is what no two current annotations of an item and a run share.
type annotationKey struct{ typ, key, task, taxonomy string }

func (a *Annotation) conflictKey() annotationKey {
	return annotationKey{a.Type, a.Key, a.Task, a.Taxonomy}
}

// Same says whether two revisions say the same of an image, whoever wrote them.
func (a *Annotation) Same(b *Annotation) bool {
	return a.conflictKey() == b.conflictKey() && a.Category == b.Category && equal(a.Box, b.Box) && a.Crowd == b.Crowd && a.Blob == b.Blob &&
		equal(a.Confidence, b.Confidence) && bytes.Equal(a.Metadata, b.Metadata) && bytes.Equal(a.Body, b.Body)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

const annotationColumns = "id, revision, dataset, item, run, type, category, key, task, taxonomy, x0, y0, x1, y1, crowd, confidence, metadata, body, blob, source, created_at, created_by, ended_at, ended_by"

func scanAnnotation(row rowScanner) (a Annotation, err error) {
	var x0, y0, x1, y1 sql.NullFloat64
	var confidence sql.NullFloat64
	var created int64
	var ended sql.NullInt64
	var blob, endedBy sql.NullString
	var metadata, body []byte
	err = row.Scan(&a.ID, &a.Revision, &a.Dataset, &a.Item, &a.Run, &a.Type, &a.Category, &a.Key, &a.Task, &a.Taxonomy,
		&x0, &y0, &x1, &y1, &a.Crowd, &confidence, &metadata, &body, &blob, &a.Source, &created, &a.CreatedBy, &ended, &endedBy)
	if x0.Valid {
		a.Box = &geom.Box{X0: x0.Float64, Y0: y0.Float64, X1: x1.Float64, Y1: y1.Float64}
	}
	if confidence.Valid {
		a.Confidence = &confidence.Float64
	}
	if ended.Valid {
		t := fromMillis(ended.Int64)
		a.EndedAt = &t
	}
	a.Metadata, a.Body, a.Blob, a.CreatedAt, a.EndedBy = metadata, body, blob.String, fromMillis(created), endedBy.String
	return a, err
}

// values are an annotation's columns, in the order of annotationColumns.
func (a *Annotation) values() []any {
	var x0, y0, x1, y1, confidence, ended, endedBy any
	if a.Box != nil {
		x0, y0, x1, y1 = a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1
	}
	if a.Confidence != nil {
		confidence = *a.Confidence
	}
	if a.EndedAt != nil {
		ended, endedBy = millis(*a.EndedAt), a.EndedBy
	}
	return []any{
		a.ID, a.Revision, a.Dataset, a.Item, a.Run, a.Type, a.Category, a.Key, a.Task, a.Taxonomy,
		x0, y0, x1, y1, a.Crowd, confidence, string(a.Metadata), string(a.Body), nullText(a.Blob), a.Source, millis(a.CreatedAt), a.CreatedBy, ended, endedBy,
	}
}

// itemLock is an item whose annotations nobody else changes until the
// transaction ends.
type itemLock struct {
	item, dataset string
	revision      int64     // of the item, once this transaction has changed it
	now           time.Time // never before the last change of the item, whatever the clock does
}

// lockItem must be the first statement of a write on an item's annotations. A
// write on ground truth counts the item's revision up.
func (tx *Tx) lockItem(item, run string) (itemLock, error) {
	bump := 0
	if run == "" {
		bump = 1
	}
	lock, err := one(tx, "item "+item, func(row rowScanner) (l itemLock, err error) {
		var now int64
		err = row.Scan(&l.dataset, &l.revision, &now)
		l.now = fromMillis(now)
		return l, err
	}, `UPDATE item SET revision = revision + $2, updated_at = `+later("$3")+`
		WHERE id = $1 AND dataset IN (SELECT id FROM dataset WHERE world = $4 AND deleted_at IS NULL) RETURNING dataset, revision, updated_at`,
		item, bump, millis(tx.Now), tx.Caller.World)
	lock.item = item
	return lock, err
}

// unchanged takes back that an item's ground truth has a new revision.
func (tx *Tx) unchanged(lock *itemLock) error {
	lock.revision--
	_, err := tx.exec("UPDATE item SET revision = $2 WHERE id = $1", lock.item, lock.revision)
	return err
}

// revise ends revisions and adds others, in one go.
type revise struct {
	end []Annotation // current rows of the table that end
	add []Annotation // rows to write; those that ended at once bear EndedAt
}

// carryOut writes what changes; the item is locked.
func (tx *Tx) carryOut(lock itemLock, r revise) error {
	ids := make([]string, len(r.end))
	for i := range r.end {
		ids[i] = r.end[i].ID
	}
	err := inLists(ids, 3, func(marks string, args []any) error {
		n, err := tx.exec("UPDATE annotation SET ended_at = $1, ended_by = $2 WHERE ended_at IS NULL AND id IN ("+marks+")",
			append([]any{millis(lock.now), tx.Caller.Author()}, args...)...)
		if err == nil && n != int64(len(args)) {
			err = remuda.Errorf(remuda.Conflict, "end %d annotations of item %s: %d were current", len(args), lock.item, n).WithHint("read them again and repeat the change")
		}
		return err
	})
	if err != nil {
		return err
	}
	rows := make([][]any, len(r.add))
	for i := range r.add {
		rows[i] = r.add[i].values()
	}
	if err := tx.insert("annotation", annotationColumns, "", rows); err != nil {
		return err
	}
	return tx.indexAnnotations(lock.dataset, lock.item, r.add)
}

// first makes an annotation's first revision of what a user sent.
func (tx *Tx) first(lock itemLock, run string, a Annotation) Annotation {
	prefix := "ann"
	if run != "" {
		prefix = "pred"
	}
	a.ID, a.Revision = tx.NewID(prefix), 1
	if a.Key == "" && !OnePerItem(a.Type) {
		a.Key = a.ID
	}
	return tx.stamp(lock, run, a)
}

// stamp gives a revision its place, its time and its author.
func (tx *Tx) stamp(lock itemLock, run string, a Annotation) Annotation {
	a.Dataset, a.Item, a.Run = lock.dataset, lock.item, run
	a.CreatedAt, a.CreatedBy, a.EndedAt, a.EndedBy = lock.now, tx.Caller.Author(), nil, ""
	a.Metadata, a.Body = orObject(a.Metadata), orObject(a.Body)
	return a
}

func orObject(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	return text
}

// OnePerItem says whether an item has one annotation of a type: of each
// taxonomy for category and multicategory.
func OnePerItem(typ string) bool {
	return typ == TypeCategory || typ == TypeMulticategory || typ == TypeMask
}

// PutAnnotations adds annotations to an item of the caller's world: ground
// truth, or predictions of a run. One whose type, key, task and taxonomy the
// item has already is ignored, or with update replaced by a new revision,
// unless it says the same.
func (tx *Tx) PutAnnotations(item, run string, put []Annotation, update bool) (processed, ignored int, err error) {
	lock, err := tx.lockItem(item, run)
	if err != nil {
		return 0, 0, err
	}
	current, err := tx.currentAnnotations(item, run)
	if err != nil {
		return 0, 0, err
	}
	byKey := make(map[annotationKey]Annotation, len(current))
	for _, a := range current {
		byKey[a.conflictKey()] = a
	}
	var r revise
	added := make(map[string]int) // ids whose newest revision is in r.add
	for _, a := range put {
		a.Metadata, a.Body = orObject(a.Metadata), orObject(a.Body)
		old, exists := byKey[a.conflictKey()]
		switch {
		case exists && !update:
			ignored++
			continue
		case exists && old.Same(&a):
			processed++
			continue
		case !exists:
			a = tx.first(lock, run, a)
		default:
			a.ID, a.Revision = old.ID, old.Revision+1
			a = tx.stamp(lock, run, a)
			if i, pending := added[old.ID]; pending {
				r.add[i].EndedAt, r.add[i].EndedBy = &lock.now, tx.Caller.Author()
			} else {
				r.end = append(r.end, old)
			}
		}
		processed++
		added[a.ID] = len(r.add)
		r.add = append(r.add, a)
		byKey[a.conflictKey()] = a
	}
	if len(r.add) == 0 && run == "" {
		return processed, ignored, tx.unchanged(&lock)
	}
	return processed, ignored, tx.carryOut(lock, r)
}

// ReplaceAnnotations makes an item's ground truth what want says: an annotation
// with the ID of a current one becomes its next revision, or stays as it is if
// it says the same; one without an ID is new; current ones that are not in want
// end. base is the item's revision that the change was made on: conflict if
// that is no longer the last one. It returns the item's new revision.
func (tx *Tx) ReplaceAnnotations(item string, base int64, want []Annotation) (revision int64, err error) {
	lock, err := tx.lockItem(item, "")
	if err != nil {
		return 0, err
	}
	if lock.revision != base+1 {
		return 0, remuda.Errorf(remuda.Conflict, "save the annotations of item %s: they have changed since revision %d, and are at %d now", item, base, lock.revision-1).
			WithHint("reload them and make the change again")
	}
	current, err := tx.currentAnnotations(item, "")
	if err != nil {
		return 0, err
	}
	r, err := tx.difference(lock, current, want)
	if err != nil {
		return 0, err
	}
	if len(r.end)+len(r.add) == 0 {
		err = tx.unchanged(&lock)
		return lock.revision, err
	}
	return lock.revision, tx.carryOut(lock, r)
}

// difference says what turns the current annotations of an item into want.
func (tx *Tx) difference(lock itemLock, current, want []Annotation) (r revise, err error) {
	byID := make(map[string]Annotation, len(current))
	for _, a := range current {
		byID[a.ID] = a
	}
	kept := make(map[string]bool, len(want))
	for _, a := range want {
		a.Metadata, a.Body = orObject(a.Metadata), orObject(a.Body)
		if a.ID == "" {
			r.add = append(r.add, tx.first(lock, "", a))
			continue
		}
		old, exists := byID[a.ID]
		if !exists || kept[a.ID] {
			return r, remuda.Errorf(remuda.Invalid, "save the annotations of item %s: %s is not one of its annotations, or is named twice", lock.item, a.ID).WithHint("leave out the id of a new annotation")
		}
		kept[a.ID] = true
		if a.Key == "" {
			a.Key = old.Key
		}
		if old.Same(&a) {
			continue
		}
		a.Revision = old.Revision + 1
		r.end, r.add = append(r.end, old), append(r.add, tx.stamp(lock, "", a))
	}
	for _, a := range current {
		if !kept[a.ID] {
			r.end = append(r.end, a)
		}
	}
	return r, nil
}

// EndAnnotations deletes an item's ground truth: all of it, or that with one
// of the ids. Their revisions stay in the history. It returns how many ended.
func (tx *Tx) EndAnnotations(item string, ids ...string) (int, error) {
	lock, err := tx.lockItem(item, "")
	if err != nil {
		return 0, err
	}
	current, err := tx.currentAnnotations(item, "")
	if err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		current = slices.DeleteFunc(current, func(a Annotation) bool { return !slices.Contains(ids, a.ID) })
	}
	if len(current) == 0 {
		return 0, tx.unchanged(&lock)
	}
	return len(current), tx.carryOut(lock, revise{end: current})
}

func (tx *Tx) currentAnnotations(item, run string) ([]Annotation, error) {
	return all(tx, scanAnnotation, "SELECT "+annotationColumns+" FROM annotation WHERE item = $1 AND run = $2 AND ended_at IS NULL ORDER BY id", item, run)
}

// AnnotationsOf returns the current annotations of items, ground truth or a
// run's predictions, each item's in the order of their creation.
func (tx *Tx) AnnotationsOf(items []string, run string) (map[string][]Annotation, error) {
	found := make(map[string][]Annotation, len(items))
	err := inLists(items, 2, func(marks string, args []any) error {
		return each(tx, scanAnnotation, func(a Annotation) error {
			found[a.Item] = append(found[a.Item], a)
			return nil
		}, "SELECT "+annotationColumns+" FROM annotation WHERE run = $1 AND ended_at IS NULL AND item IN ("+marks+") ORDER BY item, id", append([]any{run}, args...)...)
	})
	return found, err
}

// AnnotationByKey returns the current annotation of an item and a run that the user calls key;
// of several types or tasks the oldest.
func (tx *Tx) AnnotationByKey(item, run, key string) (Annotation, error) {
	return one(tx, "annotation "+key, scanAnnotation, "SELECT "+annotationColumns+
		" FROM annotation WHERE item = $1 AND run = $2 AND key = $3 AND ended_at IS NULL ORDER BY id LIMIT 1", item, run, key)
}

// Annotation returns the current revision of an annotation of the caller's world, ground truth or prediction.
func (tx *Tx) Annotation(id string) (Annotation, error) {
	return one(tx, "annotation "+id, scanAnnotation, "SELECT "+annotationColumns+` FROM annotation WHERE id = $1 AND ended_at IS NULL
		AND dataset IN (SELECT id FROM dataset WHERE world = $2 AND deleted_at IS NULL)`, id, tx.Caller.World)
}
