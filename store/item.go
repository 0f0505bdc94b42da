package store

import (
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"remuda"
)

// Item is one image of a dataset, with what is known of its bytes.
type Item struct {
	ID          string
	Dataset     string
	Position    int64  // ascends within the dataset in the order of insertion
	ReferenceID string // the user's name of it, unique within the dataset
	ImageURL    string // as the user gave it: a URL, or the path of the uploaded file
	Blob        string // SHA-256 of the image's bytes, hex; "" until they are here
	Problem     string // why the bytes are not here or cannot be read; "" if all is well
	Format      string // jpeg, png …; "" until known
	Bytes       int64
	Width       int // pixels of the upright image; 0 until known
	Height      int
	Orientation int             // EXIF's, 1 to 8; 0 until known
	PHash       *uint64         // perceptual hash; nil until known
	Metadata    json.RawMessage // an object
	Revision    int64           // counts the changes of its ground truth
	CreatedAt   time.Time
	CreatedBy   string
	UpdatedAt   time.Time
}

// Columns are named with their table, so that they serve in joins too.
const itemColumns = "item.id, item.dataset, item.position, item.reference_id, item.image_url, item.blob, item.problem, item.format, item.bytes, item.width, item.height, item.orientation, item.phash, item.metadata, item.revision, item.created_at, item.created_by, item.updated_at"

const itemInsert = "id, dataset, position, reference_id, image_url, blob, problem, format, bytes, width, height, orientation, phash, metadata, revision, created_at, created_by, updated_at"

func scanItem(row rowScanner) (item Item, err error) {
	var blob sql.NullString
	var phash sql.NullInt64
	var metadata string
	var created, updated int64
	err = row.Scan(&item.ID, &item.Dataset, &item.Position, &item.ReferenceID, &item.ImageURL, &blob, &item.Problem, &item.Format, &item.Bytes,
		&item.Width, &item.Height, &item.Orientation, &phash, &metadata, &item.Revision, &created, &item.CreatedBy, &updated)
	item.Blob, item.Metadata, item.CreatedAt, item.UpdatedAt = blob.String, json.RawMessage(metadata), fromMillis(created), fromMillis(updated)
	if phash.Valid {
		bits := uint64(phash.Int64)
		item.PHash = &bits
	}
	return item, err
}

// row is an item as itemInsert names its columns.
func (item *Item) row() []any {
	return []any{
		item.ID, item.Dataset, item.Position, item.ReferenceID, item.ImageURL, nullText(item.Blob), item.Problem, item.Format, item.Bytes,
		item.Width, item.Height, item.Orientation, nullBits(item.PHash), string(orObject(item.Metadata)), item.Revision,
		millis(item.CreatedAt), item.CreatedBy, millis(item.UpdatedAt),
	}
}

func nullText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func nullBits(bits *uint64) any {
	if bits == nil {
		return nil
	}
	return int64(*bits)
}

// ItemOutcome says what became of an item that was to be added.
type ItemOutcome int

// The outcomes.
const (
	ItemNew     ItemOutcome = iota
	ItemUpdated             // its reference id was known: the metadata is replaced, and the image if there was none
	ItemIgnored             // its reference id was known, and nothing changed
)

// AddedItem is what became of one item.
type AddedItem struct {
	ID      string
	Outcome ItemOutcome
}

// AddItems adds items to a dataset of the caller's world, in order, and says of
// each what became of it. Reference ids must not be empty; one that is known,
// also from earlier in the list, is updated or ignored.
func (tx *Tx) AddItems(dataset string, items []Item, update bool) ([]AddedItem, error) {
	position, err := one(tx, "dataset "+dataset, scalar[int64],
		"UPDATE dataset SET next_position = next_position + $3 WHERE id = $1 AND world = $2 AND deleted_at IS NULL RETURNING next_position",
		dataset, tx.Caller.World, int64(len(items)))
	if err != nil {
		return nil, err
	}
	position -= int64(len(items))
	refs := make([]string, len(items))
	for i := range items {
		refs[i] = items[i].ReferenceID
	}
	known, err := tx.ItemsByReference(dataset, refs)
	if err != nil {
		return nil, err
	}
	added := make([]AddedItem, len(items))
	fresh := make([]Item, 0, len(items))
	places := make(map[string]int) // of fresh items, by reference id
	for i, item := range items {
		if at, repeated := places[item.ReferenceID]; repeated {
			added[i] = AddedItem{ID: fresh[at].ID, Outcome: ItemIgnored}
			if update {
				added[i].Outcome = ItemUpdated
				fresh[at].Metadata = item.Metadata
			}
			continue
		}
		if old, exists := known[item.ReferenceID]; exists {
			if added[i], err = tx.meetItem(old, item, update); err != nil {
				return nil, err
			}
			continue
		}
		item.ID, item.Dataset, item.Position, item.Revision = tx.NewID("di"), dataset, position+int64(i), 0
		item.CreatedAt, item.CreatedBy, item.UpdatedAt = tx.Now, tx.Caller.Author(), tx.Now
		places[item.ReferenceID] = len(fresh)
		fresh = append(fresh, item)
		added[i] = AddedItem{ID: item.ID, Outcome: ItemNew}
	}
	rows := make([][]any, len(fresh))
	for i := range fresh {
		rows[i] = fresh[i].row()
	}
	if err := tx.insert("item", itemInsert, "", rows); err != nil {
		return nil, err
	}
	return added, tx.indexItems(fresh, true)
}

// meetItem is AddItems for an item whose reference id is known.
func (tx *Tx) meetItem(old, item Item, update bool) (AddedItem, error) {
	if !update {
		return AddedItem{ID: old.ID, Outcome: ItemIgnored}, nil
	}
	old.Metadata = orObject(item.Metadata)
	if err := tx.SetMetadata(old.ID, old.Metadata); err != nil {
		return AddedItem{}, err
	}
	if old.Blob == "" {
		item.ID = old.ID
		if _, err := tx.exec("UPDATE item SET image_url = $2 WHERE id = $1", old.ID, item.ImageURL); err != nil {
			return AddedItem{}, err
		}
		if err := tx.SetImage(item); err != nil {
			return AddedItem{}, err
		}
	}
	return AddedItem{ID: old.ID, Outcome: ItemUpdated}, nil
}

// later is a time for an item's updated_at that is never before the one that
// stands there, whatever the clock does.
func later(now string) string {
	return "CASE WHEN updated_at > " + now + " THEN updated_at ELSE " + now + " END"
}

// SetMetadata replaces an item's metadata, a JSON object.
func (tx *Tx) SetMetadata(item string, metadata json.RawMessage) error {
	changed, err := all(tx, scanItem, "UPDATE item SET metadata = $2, updated_at = "+later("$3")+" WHERE id = $1 RETURNING "+itemInsert, item, string(orObject(metadata)), millis(tx.Now))
	if err != nil {
		return err
	}
	return tx.indexItems(changed, false)
}

// SetImage writes what is known of an item's bytes: blob, problem, format,
// bytes, size, orientation and perceptual hash. An item that has got other bytes
// meanwhile keeps them: whoever looked for them, or failed to, came too late.
func (tx *Tx) SetImage(item Item) error {
	_, err := tx.exec(`UPDATE item SET blob = $2, problem = $3, format = $4, bytes = $5, width = $6, height = $7, orientation = $8, phash = $9, updated_at = `+later("$10")+`
		WHERE id = $1 AND (blob IS NULL OR blob = $2)`,
		item.ID, nullText(item.Blob), item.Problem, item.Format, item.Bytes, item.Width, item.Height, item.Orientation, nullBits(item.PHash), millis(tx.Now))
	return err
}

// DropDamagedImage takes away an item's image that could not be read, so that
// SetImage can give it another; a conflict if a frozen slice keeps it.
func (tx *Tx) DropDamagedImage(item string) error {
	if err := tx.notFrozen(item); err != nil {
		return err
	}
	_, err := tx.exec("UPDATE item SET blob = NULL WHERE id = $1 AND problem <> ''", item)
	return err
}

// ofWorld limits a query to items of datasets in the world that is parameter $1.
const ofWorld = " EXISTS (SELECT 1 FROM dataset d WHERE d.id = item.dataset AND d.world = $1 AND d.deleted_at IS NULL)"

// Item returns an item of the caller's world.
func (tx *Tx) Item(id string) (Item, error) {
	return one(tx, "item "+id, scanItem, "SELECT "+itemColumns+" FROM item WHERE item.id = $2 AND"+ofWorld, tx.Caller.World, id)
}

// ItemByReference returns the item of a dataset that the user calls ref.
func (tx *Tx) ItemByReference(dataset, ref string) (Item, error) {
	return one(tx, "item "+ref+" in dataset "+dataset, scanItem,
		"SELECT "+itemColumns+" FROM item WHERE item.dataset = $2 AND item.reference_id = $3 AND"+ofWorld, tx.Caller.World, dataset, ref)
}

// ItemAt returns the item of a dataset that was added n-th, from 0, of those that are there.
func (tx *Tx) ItemAt(dataset string, n int64) (Item, error) {
	return one(tx, "item at this place in dataset "+dataset, scanItem,
		"SELECT "+itemColumns+" FROM item WHERE item.dataset = $2 AND"+ofWorld+" ORDER BY item.position LIMIT 1 OFFSET $3", tx.Caller.World, dataset, n)
}

// ItemsAfter returns at most limit items of a dataset with positions above
// one (-1 for all; a limit of 0 never cuts), in the order of insertion.
func (tx *Tx) ItemsAfter(dataset string, position int64, n int) ([]Item, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	return all(tx, scanItem, "SELECT "+itemColumns+" FROM item WHERE item.dataset = $1 AND item.position > $2 ORDER BY item.position LIMIT $3", dataset, position, limit(n))
}

// CountItems returns how many items a dataset has.
func (tx *Tx) CountItems(dataset string) (int64, error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return 0, err
	}
	return one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM item WHERE dataset = $1", dataset)
}

// ItemsByReference returns those of a dataset's items that the user calls by
// one of refs; unknown ones are left out.
func (tx *Tx) ItemsByReference(dataset string, refs []string) (map[string]Item, error) {
	found := make(map[string]Item, len(refs))
	err := inLists(unique(refs), 3, func(marks string, args []any) error {
		return each(tx, scanItem, func(item Item) error { found[item.ReferenceID] = item; return nil },
			"SELECT "+itemColumns+" FROM item WHERE item.dataset = $2 AND item.reference_id IN ("+marks+") AND"+ofWorld,
			append([]any{tx.Caller.World, dataset}, args...)...)
	})
	return found, err
}

// ItemsByID returns those of the caller's world that have one of ids; unknown ones are left out.
func (tx *Tx) ItemsByID(ids []string) (map[string]Item, error) {
	found := make(map[string]Item, len(ids))
	err := inLists(unique(ids), 2, func(marks string, args []any) error {
		return each(tx, scanItem, func(item Item) error { found[item.ID] = item; return nil },
			"SELECT "+itemColumns+" FROM item WHERE item.id IN ("+marks+") AND"+ofWorld, append([]any{tx.Caller.World}, args...)...)
	})
	return found, err
}

// ItemsByBlob returns for each of some images (SHA-256, hex) an item of the
// caller's world that has it, the oldest; images that none has are left out.
func (tx *Tx) ItemsByBlob(blobs []string) (map[string]Item, error) {
	found := make(map[string]Item, len(blobs))
	err := inLists(unique(blobs), 2, func(marks string, args []any) error {
		return each(tx, scanItem, func(item Item) error {
			if _, older := found[item.Blob]; !older {
				found[item.Blob] = item
			}
			return nil
		}, "SELECT "+itemColumns+" FROM item WHERE item.blob IN ("+marks+") AND"+ofWorld+" ORDER BY item.id", append([]any{tx.Caller.World}, args...)...)
	})
	return found, err
}

// unique returns the different ones of values, sorted.
func unique(values []string) []string { return slices.Compact(slices.Sorted(slices.Values(values))) }

// itemTables hold rows that go with their item: tables with a column "item".
// Each stands after those whose rows refer to its own.
func itemTables() []string {
	return []string{"annotation", "metadata_value", "item_text", "box_group", "slice_member", "slice_pin", "evaluation_match", "embedding", "benchmark_item", "scenario_result"}
}

// DeleteItem removes an item of the caller's world with its annotations and all
// else that hangs on it. One that a frozen slice holds is a conflict.
func (tx *Tx) DeleteItem(id string) error {
	if _, err := tx.lockItem(id, ""); err != nil {
		return err
	}
	if err := tx.notFrozen(id); err != nil {
		return err
	}
	if err := tx.notInBenchmark(id); err != nil {
		return err
	}
	return tx.deleteItems([]string{id})
}

func (tx *Tx) deleteItems(ids []string) error {
	return inLists(ids, 1, func(marks string, args []any) error {
		// Whoever adds rows to an item locks it first.
		if _, err := tx.exec("UPDATE item SET revision = revision + 1 WHERE id IN ("+marks+")", args...); err != nil {
			return err
		}
		for _, table := range itemTables() {
			if _, err := tx.exec("DELETE FROM "+table+" WHERE item IN ("+marks+")", args...); err != nil {
				return err
			}
		}
		_, err := tx.exec("DELETE FROM item WHERE id IN ("+marks+")", args...)
		return err
	})
}

// datasetTables hold rows that go with their dataset: tables with a column
// "dataset". Each stands after those whose rows refer to its own.
func datasetTables() []string {
	return []string{"taxonomy", "upload", "embedding_index", "slice", "run_dataset"}
}

// RemoveDataset takes away rows of a hidden dataset, at most about n items with
// all that hangs on them, and says whether it was the last of them.
func (tx *Tx) RemoveDataset(id string, n int) (done bool, err error) {
	if _, err := one(tx, "deleted dataset "+id, scalar[string], "SELECT id FROM dataset WHERE id = $1 AND world = $2 AND deleted_at IS NOT NULL", id, tx.Caller.World); err != nil {
		if remuda.CodeOf(err) == remuda.NotFound {
			return true, nil // an earlier run ended here
		}
		return false, err
	}
	items, err := all(tx, scalar[string], "SELECT id FROM item WHERE dataset = $1 ORDER BY position LIMIT $2", id, limit(n))
	if err != nil {
		return false, err
	}
	if len(items) > 0 {
		return false, tx.deleteItems(items)
	}
	for _, query := range []string{ // what a job may have added since its item went
		"DELETE FROM tag WHERE subject = $1 OR subject IN (SELECT id FROM slice WHERE dataset = $1)",
		"DELETE FROM embedding WHERE embedding_index IN (SELECT id FROM embedding_index WHERE dataset = $1)",
		"DELETE FROM slice_pin WHERE slice IN (SELECT id FROM slice WHERE dataset = $1)",
		"DELETE FROM slice_member WHERE slice IN (SELECT id FROM slice WHERE dataset = $1)",
	} {
		if _, err := tx.exec(query, id); err != nil {
			return false, err
		}
	}
	for _, table := range datasetTables() {
		if _, err := tx.exec("DELETE FROM "+table+" WHERE dataset = $1", id); err != nil {
			return false, err
		}
	}
	_, err = tx.exec("DELETE FROM dataset WHERE id = $1", id)
	return true, err
}
