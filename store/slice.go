package store

import (
	"database/sql"
	"time"

	"remuda"
	"remuda/slice"
)

// Types of slices, by what their members are.
const (
	SliceOfItems   = "dataset_item"
	SliceOfObjects = "object" // annotations and predictions
	SliceOfScenes  = "scene"  // always empty: there are no scenes
)

// Slice is a named set of a dataset's items, or of annotations on them. It can
// change until it is frozen.
type Slice struct {
	ID          string
	World       remuda.World
	Dataset     string
	Name        string
	Type        string // one of the types above
	Description string
	Frozen      string // content hash, of package slice; "" while the slice can change
	CreatedAt   time.Time
	CreatedBy   string
}

const sliceColumns = "slice.id, slice.world, slice.dataset, slice.name, slice.type, slice.description, slice.frozen, slice.created_at, slice.created_by"

func scanSlice(row rowScanner) (s Slice, err error) {
	var created int64
	err = row.Scan(&s.ID, &s.World, &s.Dataset, &s.Name, &s.Type, &s.Description, &s.Frozen, &created, &s.CreatedBy)
	s.CreatedAt = fromMillis(created)
	return s, err
}

// ofLivingDataset limits a query on slices to datasets that are not being deleted.
const ofLivingDataset = " EXISTS (SELECT 1 FROM dataset WHERE dataset.id = slice.dataset AND dataset.deleted_at IS NULL)"

// CreateSlice adds an empty slice of a dataset of the caller's world and returns it whole.
func (tx *Tx) CreateSlice(s Slice) (Slice, error) {
	if _, err := tx.Dataset(s.Dataset); err != nil {
		return s, err
	}
	s.ID, s.World, s.Frozen, s.CreatedAt, s.CreatedBy = tx.NewID("slc"), tx.Caller.World, "", tx.Now, tx.Caller.Author()
	_, err := tx.exec(`INSERT INTO slice (id, world, dataset, name, type, description, frozen, next_position, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7, $8)`, s.ID, s.World, s.Dataset, s.Name, s.Type, s.Description, millis(s.CreatedAt), s.CreatedBy)
	return s, err
}

// Slice returns a slice of the caller's world.
func (tx *Tx) Slice(id string) (Slice, error) {
	return one(tx, "slice "+id, scanSlice, "SELECT "+sliceColumns+" FROM slice WHERE slice.id = $1 AND slice.world = $2 AND"+ofLivingDataset, id, tx.Caller.World)
}

// SliceFilter chooses slices; zero fields choose all.
type SliceFilter struct{ Dataset, Name, Type string }

// Slices returns those of the caller's world that the filter chooses, oldest first.
func (tx *Tx) Slices(f SliceFilter) ([]Slice, error) {
	return all(tx, scanSlice, "SELECT "+sliceColumns+` FROM slice WHERE slice.world = $1 AND ($2 = '' OR slice.dataset = $2)
		AND ($3 = '' OR slice.name = $3) AND ($4 = '' OR slice.type = $4) AND`+ofLivingDataset+" ORDER BY slice.id", tx.Caller.World, f.Dataset, f.Name, f.Type)
}

// UpdateSlice writes a slice's name and description, which do not belong to
// what freezing pins.
func (tx *Tx) UpdateSlice(s Slice) error {
	_, err := tx.exec("UPDATE slice SET name = $2, description = $3 WHERE id = $1", s.ID, s.Name, s.Description)
	return err
}

// DeleteSlice removes a slice of the caller's world, also a frozen one, with its tags; its members stay in their dataset.
func (tx *Tx) DeleteSlice(id string) error {
	_, err := one(tx, "slice "+id, scalar[string], "UPDATE slice SET name = name WHERE id = $1 AND world = $2 AND"+ofLivingDataset+" RETURNING id", id, tx.Caller.World)
	if err != nil {
		return err
	}
	for _, query := range []string{
		"DELETE FROM slice_pin WHERE slice = $1", "DELETE FROM slice_member WHERE slice = $1",
		"DELETE FROM tag WHERE subject = $1", "DELETE FROM slice WHERE id = $1",
	} {
		if _, err := tx.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// SliceMember is what a slice is made of: an item, or an annotation of one.
type SliceMember struct {
	Item       string
	Annotation string // "" in a slice of items
}

// AddMembers adds members at a slice's end, in order, and returns those that
// were not in it. That they belong to the slice's dataset is for the caller to
// know. A frozen slice is a conflict.
func (tx *Tx) AddMembers(id string, members []SliceMember) (added []SliceMember, err error) {
	next, err := tx.lockSlice(id, len(members))
	if err != nil {
		return nil, err
	}
	there, err := tx.membersOf(id, members)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, m := range members {
		if !there[m] {
			there[m] = true
			rows = append(rows, []any{id, next + int64(len(rows)), m.Item, m.Annotation})
			added = append(added, m)
		}
	}
	return added, tx.insert("slice_member", "slice, position, item, annotation", "", rows)
}

// lockSlice reserves n positions in a slice that can change, and returns the first.
func (tx *Tx) lockSlice(id string, n int) (next int64, err error) {
	if _, err := tx.Slice(id); err != nil {
		return 0, err
	}
	next, err = one(tx, "slice", scalar[int64], "UPDATE slice SET next_position = next_position + $2 WHERE id = $1 AND frozen = '' RETURNING next_position", id, int64(n))
	if remuda.CodeOf(err) == remuda.NotFound {
		return 0, remuda.Errorf(remuda.Conflict, "change slice %s: it is frozen", id).WithHint("make a copy of it and change that")
	}
	return next - int64(n), err
}

// membersOf returns which of members a slice has.
func (tx *Tx) membersOf(id string, members []SliceMember) (map[SliceMember]bool, error) {
	items := make([]string, len(members))
	for i, m := range members {
		items[i] = m.Item
	}
	there := make(map[SliceMember]bool, len(members))
	err := inLists(unique(items), 2, func(marks string, args []any) error {
		return each(tx, scanMember, func(m SliceMember) error { there[m] = true; return nil },
			"SELECT item, annotation FROM slice_member WHERE slice = $1 AND item IN ("+marks+")", append([]any{id}, args...)...)
	})
	return there, err
}

func scanMember(row rowScanner) (m SliceMember, err error) {
	err = row.Scan(&m.Item, &m.Annotation)
	return m, err
}

// RemoveMembers takes members out of a slice and returns how many were in it.
// A frozen slice is a conflict.
func (tx *Tx) RemoveMembers(id string, members []SliceMember) (removed int64, err error) {
	if _, err := tx.lockSlice(id, 0); err != nil {
		return 0, err
	}
	for _, m := range members {
		n, err := tx.exec("DELETE FROM slice_member WHERE slice = $1 AND item = $2 AND annotation = $3", id, m.Item, m.Annotation)
		if err != nil {
			return 0, err
		}
		removed += n
	}
	return removed, nil
}

// CountMembers returns how many members a slice has.
func (tx *Tx) CountMembers(id string) (int64, error) {
	return one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM slice_member WHERE slice = $1", id)
}

// SliceMembers returns all members of a slice, in the order in which they were added.
func (tx *Tx) SliceMembers(id string) ([]SliceMember, error) {
	return all(tx, scanMember, "SELECT item, annotation FROM slice_member WHERE slice = $1 ORDER BY position", id)
}

// SliceItemsAfter returns at most limit items of a slice (0 never cuts), those
// behind a position in it (-1 for all), in the order in which they were added.
// Their Position is that in the slice; in a slice of objects, that of the
// item's first object. A frozen slice's items have the Blob that was frozen.
func (tx *Tx) SliceItemsAfter(id string, position int64, n int) ([]Item, error) {
	s, err := tx.Slice(id)
	if err != nil {
		return nil, err
	}
	once := ""
	if s.Type == SliceOfObjects {
		once = " AND NOT EXISTS (SELECT 1 FROM slice_member earlier WHERE earlier.slice = m.slice AND earlier.item = m.item AND earlier.position < m.position)"
	}
	return all(tx, scanSliceItem, "SELECT m.position, m.blob, "+itemColumns+` FROM slice_member m JOIN item ON item.id = m.item
		WHERE m.slice = $1 AND m.position > $2`+once+" ORDER BY m.position LIMIT $3", id, position, limit(n))
}

// prefixed is a row with columns before those of another scanner.
type prefixed struct {
	row    rowScanner
	before []any
}

// Scan reads the columns before, then those that are asked for.
func (p prefixed) Scan(into ...any) error { return p.row.Scan(append(p.before, into...)...) }

func scanSliceItem(row rowScanner) (Item, error) {
	var position int64
	var blob sql.NullString
	item, err := scanItem(prefixed{row, []any{&position, &blob}})
	item.Position = position
	if blob.Valid {
		item.Blob = blob.String
	}
	return item, err
}

// SliceObject is a member of a slice of objects.
type SliceObject struct {
	Position   int64
	Annotation Annotation
}

// SliceObjectsAfter returns at most limit annotations of a slice of objects (0
// never cuts), those behind a position in it (-1 for all), in the order in
// which they were added: as they are now, or as they were frozen. Those that
// were deleted since are left out.
func (tx *Tx) SliceObjectsAfter(id string, position int64, n int) ([]SliceObject, error) {
	s, err := tx.Slice(id)
	if err != nil {
		return nil, err
	}
	from := "slice_member m JOIN annotation ON annotation.id = m.annotation AND annotation.ended_at IS NULL"
	if s.Frozen != "" {
		from = `slice_member m JOIN slice_pin p ON p.slice = m.slice AND p.item = m.item AND p.annotation = m.annotation
			JOIN annotation ON annotation.id = p.annotation AND annotation.revision = p.revision`
	}
	return all(tx, func(row rowScanner) (o SliceObject, err error) {
		o.Annotation, err = scanAnnotation(prefixed{row, []any{&o.Position}})
		return o, err
	}, "SELECT m.position, "+qualified("annotation", annotationColumns)+" FROM "+from+
		" WHERE m.slice = $1 AND m.position > $2 ORDER BY m.position LIMIT $3", id, position, limit(n))
}

// PinSlice writes down what freezing a slice keeps: the SHA-256 of each image
// and the revision of each ground truth, or of its objects. Until FreezeSlice
// the slice must not be read; both belong into one transaction. Images that are
// not here yet are a conflict.
func (tx *Tx) PinSlice(s Slice) error {
	if _, err := tx.lockSlice(s.ID, 0); err != nil {
		return err
	}
	if err := tx.ImagesAreHere(s); err != nil {
		return err
	}
	if _, err := tx.exec("UPDATE slice_member SET blob = (SELECT item.blob FROM item WHERE item.id = slice_member.item) WHERE slice = $1", s.ID); err != nil {
		return err
	}
	return tx.pinAnnotations(s)
}

func (tx *Tx) pinAnnotations(s Slice) error {
	_, err := tx.exec("INSERT INTO slice_pin (slice, item, annotation, revision) SELECT "+currentPins(s)+" WHERE m.slice = $1 AND a.ended_at IS NULL", s.ID)
	return err
}

// currentPins is what follows SELECT in a query of what would be pinned now.
func currentPins(s Slice) string {
	if s.Type == SliceOfObjects {
		return "m.slice, m.item, a.id, a.revision FROM slice_member m JOIN annotation a ON a.id = m.annotation"
	}
	return "m.slice, m.item, a.id, a.revision FROM slice_member m JOIN annotation a ON a.item = m.item AND a.run = ''"
}

// ImagesAreHere is a conflict if the bytes of an image of a slice are not here.
func (tx *Tx) ImagesAreHere(s Slice) error {
	absent, err := one(tx, "image", scalar[string], `SELECT item.reference_id FROM slice_member m JOIN item ON item.id = m.item
		WHERE m.slice = $1 AND item.blob IS NULL ORDER BY m.position LIMIT 1`, s.ID)
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return remuda.Errorf(remuda.Conflict, "freeze slice %s: the image of %s is not here", s.ID, absent).WithHint("wait until its upload has ended, or take the item out of the slice")
}

// Pins returns what freezing a slice keeps.
func (tx *Tx) Pins(s Slice) ([]slice.Pin, error) {
	var pins []slice.Pin
	at := make(map[string]int)
	err := each(tx, func(row rowScanner) (p slice.Pin, err error) {
		err = row.Scan(&p.ItemID, &p.ImageHash)
		return p, err
	}, func(p slice.Pin) error {
		if _, twice := at[p.ItemID]; !twice {
			at[p.ItemID], pins = len(pins), append(pins, p)
		}
		return nil
	}, "SELECT item.id, COALESCE(item.blob, '') FROM slice_member m JOIN item ON item.id = m.item WHERE m.slice = $1 ORDER BY m.position", s.ID)
	if err != nil {
		return nil, err
	}
	type pinnedRow struct {
		item string
		slice.PinnedAnnotation
	}
	err = each(tx, func(row rowScanner) (p pinnedRow, err error) {
		var of string
		err = row.Scan(&of, &p.item, &p.ID, &p.Revision)
		return p, err
	}, func(p pinnedRow) error {
		if i, ok := at[p.item]; ok {
			pins[i].Annotations = append(pins[i].Annotations, p.PinnedAnnotation)
		}
		return nil
	}, "SELECT "+currentPins(s)+" WHERE m.slice = $1 AND a.ended_at IS NULL", s.ID)
	return pins, err
}

// FreezeSlice writes down the content hash of a slice whose members are pinned.
func (tx *Tx) FreezeSlice(id, hash string) error {
	_, err := tx.exec("UPDATE slice SET frozen = $2 WHERE id = $1", id, hash)
	return err
}

// FrozenAnnotations returns the annotation revisions that a frozen slice keeps
// of items, each item's in the order of their creation.
func (tx *Tx) FrozenAnnotations(id string, items []string) (map[string][]Annotation, error) {
	found := make(map[string][]Annotation, len(items))
	err := inLists(unique(items), 2, func(marks string, args []any) error {
		return each(tx, scanAnnotation, func(a Annotation) error {
			found[a.Item] = append(found[a.Item], a)
			return nil
		}, "SELECT "+qualified("annotation", annotationColumns)+` FROM slice_pin p JOIN annotation ON annotation.id = p.annotation AND annotation.revision = p.revision
			WHERE p.slice = $1 AND p.item IN (`+marks+") ORDER BY p.item, p.annotation", append([]any{id}, args...)...)
	})
	return found, err
}

// notFrozen is a conflict if an item belongs to a frozen slice: what that keeps
// must stay. Its other slices can't be frozen until this transaction ends.
func (tx *Tx) notFrozen(item string) error {
	if _, err := tx.exec("UPDATE slice SET next_position = next_position WHERE id IN (SELECT slice FROM slice_member WHERE item = $1)", item); err != nil {
		return err
	}
	name, err := one(tx, "slice", scalar[string], `SELECT slice.name FROM slice_member m JOIN slice ON slice.id = m.slice
		WHERE m.item = $1 AND slice.frozen <> '' ORDER BY slice.id LIMIT 1`, item)
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return remuda.Errorf(remuda.Conflict, "change item %s: it is in the frozen slice %q", item, name).WithHint("delete that slice first, if nothing needs it any more")
}

// CategoriesOf returns the categories of the ground truth of items of a dataset, sorted.
func (tx *Tx) CategoriesOf(dataset string, items []string) (map[string][]string, error) {
	found := make(map[string][]string, len(items))
	err := inLists(unique(items), 3, func(marks string, args []any) error {
		return each(tx, scanMember, func(m SliceMember) error {
			found[m.Item] = append(found[m.Item], m.Annotation[1:])
			return nil
		}, "SELECT item, name FROM box_group WHERE dataset = $1 AND prediction = $2 AND name >= '=' AND name < '>' AND item IN ("+marks+") ORDER BY item, name",
			append([]any{dataset, false}, args...)...)
	})
	return found, err
}

// SliceCategories returns the categories of the ground truth of a slice's items, sorted.
func (tx *Tx) SliceCategories(s Slice) ([]string, error) {
	names, err := all(tx, scalar[string], `SELECT DISTINCT g.name FROM slice_member m JOIN box_group g ON g.item = m.item
		WHERE m.slice = $1 AND g.dataset = $2 AND g.prediction = $3 AND g.name >= '=' AND g.name < '>' ORDER BY g.name`, s.ID, s.Dataset, false)
	for i := range names {
		names[i] = names[i][1:]
	}
	return names, err
}

// ItemIDs returns the ids of all items of a dataset, in the order of insertion.
func (tx *Tx) ItemIDs(dataset string) ([]string, error) {
	return all(tx, scalar[string], "SELECT id FROM item WHERE dataset = $1 ORDER BY position", dataset)
}

// AnnotationItems returns the items of those current annotations of a dataset,
// predictions too, that have one of ids; unknown ones are left out.
func (tx *Tx) AnnotationItems(dataset string, ids []string) (map[string]string, error) {
	found := make(map[string]string, len(ids))
	err := inLists(unique(ids), 2, func(marks string, args []any) error {
		return each(tx, scanMember, func(m SliceMember) error { found[m.Annotation] = m.Item; return nil },
			"SELECT item, id FROM annotation WHERE dataset = $1 AND ended_at IS NULL AND id IN ("+marks+")", append([]any{dataset}, args...)...)
	})
	return found, err
}

// PHash is an item's perceptual hash.
type PHash struct {
	Item, Reference string
	Bits            uint64
	Known           bool // false while nobody has looked at the image
	Unreadable      bool // why that is so: it can't be fetched or decoded
}

// PHashes returns the perceptual hashes of a dataset's items, in the order of insertion.
func (tx *Tx) PHashes(dataset string) ([]PHash, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	return all(tx, func(row rowScanner) (h PHash, err error) {
		var bits sql.NullInt64
		err = row.Scan(&h.Item, &h.Reference, &bits, &h.Unreadable)
		h.Bits, h.Known = uint64(bits.Int64), bits.Valid
		return h, err
	}, "SELECT id, reference_id, phash, problem <> '' FROM item WHERE dataset = $1 ORDER BY position", dataset)
}
