package store

import (
	"bytes"
	"encoding/json"

	"remuda/geom"
)

// BoxRow is a current box of an item as label files have it: a smaller row than
// an [Annotation], for exports of many.
type BoxRow struct {
	ID       string
	Item     string
	Category string
	Box      geom.Box
	Crowd    bool
	Area     float64 // as a label file gave it; 0 means that of the box
}

// areaPrefix begins the body of a box whose area is not that of its corners.
const areaPrefix = `{"area":`

func scanBox(row rowScanner) (b BoxRow, err error) {
	var body string
	err = row.Scan(&b.ID, &b.Item, &b.Category, &b.Box.X0, &b.Box.Y0, &b.Box.X1, &b.Box.Y1, &b.Crowd, &body)
	b.Area = AreaOf(json.RawMessage(body))
	return b, err
}

// AreaOf returns the area that the body of a box from a label file names, in
// square pixels; 0 if it names none.
func AreaOf(body json.RawMessage) float64 {
	var b struct{ Area float64 }
	if !bytes.HasPrefix(body, []byte(areaPrefix)) || json.Unmarshal(body, &b) != nil {
		return 0
	}
	return b.Area
}

// BoxesOf returns the current boxes of items, ground truth or a run's
// predictions, each item's in the order of their creation.
func (tx *Tx) BoxesOf(items []string, run string) (map[string][]BoxRow, error) {
	found := make(map[string][]BoxRow, len(items))
	err := inLists(items, 2, func(marks string, args []any) error {
		return each(tx, scanBox, func(b BoxRow) error {
			found[b.Item] = append(found[b.Item], b)
			return nil
		}, "SELECT id, item, category, x0, y0, x1, y1, crowd, CASE WHEN body LIKE '"+areaPrefix+"%' THEN body ELSE '' END FROM annotation WHERE run = $1 AND type = 'box' AND ended_at IS NULL AND item IN ("+marks+") ORDER BY item, id",
			append([]any{run}, args...)...)
	})
	return found, err
}

// CountOthers counts the current annotations of items that are no boxes, by type.
func (tx *Tx) CountOthers(items []string, run string) (map[string]int, error) {
	type count struct {
		typ string
		n   int
	}
	found := make(map[string]int)
	err := inLists(items, 2, func(marks string, args []any) error {
		return each(tx, func(row rowScanner) (c count, err error) {
			err = row.Scan(&c.typ, &c.n)
			return c, err
		}, func(c count) error { found[c.typ] += c.n; return nil },
			"SELECT type, COUNT(*) FROM annotation WHERE run = $1 AND type <> 'box' AND ended_at IS NULL AND item IN ("+marks+") GROUP BY type", append([]any{run}, args...)...)
	})
	return found, err
}

// ItemName is an item's id and what the user calls it.
type ItemName struct{ ID, ReferenceID string }

// ItemNames hands the names of all items of a dataset to do, in the order of insertion.
func (tx *Tx) ItemNames(dataset string, do func(ItemName) error) error {
	return each(tx, func(row rowScanner) (n ItemName, err error) {
		err = row.Scan(&n.ID, &n.ReferenceID)
		return n, err
	}, do, "SELECT id, reference_id FROM item WHERE dataset = $1 ORDER BY position", dataset)
}

// FrozenCategories returns the categories of the annotations that a frozen slice keeps, sorted.
func (tx *Tx) FrozenCategories(slice string) ([]string, error) {
	return all(tx, scalar[string], `SELECT DISTINCT annotation.category FROM slice_pin p JOIN annotation ON annotation.id = p.annotation AND annotation.revision = p.revision
		WHERE p.slice = $1 AND annotation.category <> '' ORDER BY annotation.category`, slice)
}
