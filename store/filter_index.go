package store

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"remuda/geom"
	"remuda/slice"
)

// What filters look at besides the rows themselves is written with them, in
// the same transaction: see migration 0005.

// pathSeparator stands between the keys of a path into metadata, which hold no
// control characters where a filter can name them.
const pathSeparator = "\x1f"

// headBytes is how much of a text of metadata stands in an index.
const headBytes = 100

// metadataOf is metadata to be indexed: an item's own, or of an annotation's revision.
type metadataOf struct {
	dataset, item string
	annotation    string // "" for the item's own
	revision      int64
	metadata      json.RawMessage
}

const metadataColumns = "dataset, item, annotation, revision, key, kind, text, head, number"

// rows returns what stands in metadata, and its texts.
func (m *metadataOf) rows() (rows [][]any, texts []string) {
	decoder := json.NewDecoder(bytes.NewReader(m.metadata))
	decoder.UseNumber()
	var object map[string]any
	if decoder.Decode(&object) != nil {
		return nil, nil // no object, no fields
	}
	m.walk("", object, &rows)
	return rows, slice.AppendTexts(nil, object)
}

func (m *metadataOf) walk(prefix string, object map[string]any, rows *[][]any) {
	for key, value := range object {
		if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }) {
			continue // no filter can name it
		}
		path := prefix + key
		kind, text, head, number := describeValue(value)
		if kind != "" {
			*rows = append(*rows, []any{m.dataset, m.item, m.annotation, m.revision, path, kind, text, head, number})
		}
		if inner, ok := value.(map[string]any); ok {
			m.walk(path+pathSeparator, inner, rows)
		}
	}
}

// describeValue returns the columns of a value of metadata; kind is "" of null.
func describeValue(value any) (kind string, text, head, number any) {
	switch v := value.(type) {
	case nil:
		return "", nil, nil, nil
	case string:
		v = strings.ReplaceAll(v, "\x00", "\x01") // PostgreSQL's texts have no NUL, and neither have those of filters
		return "text", v, headOf(v), nil
	case bool:
		n := 0.0
		if v {
			n = 1
		}
		return "bool", nil, nil, n
	case json.Number:
		if n, err := v.Float64(); err == nil && !math.IsInf(n, 0) {
			return "number", nil, nil, n
		}
	}
	return "other", nil, nil, nil
}

// headOf returns the beginning of a text: of two texts in order, the heads are in order or equal.
func headOf(text string) string {
	if len(text) <= headBytes {
		return text
	}
	cut := headBytes
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

// lowerASCII changes A–Z alone, as a filter's contains does.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// indexItems makes items that are new, or whose metadata has changed, found by
// filters. Each needs ID, Dataset, ReferenceID and Metadata.
func (tx *Tx) indexItems(items []Item, fresh bool) error {
	var values, texts, groups [][]any
	for i := range items {
		item := &items[i]
		m := metadataOf{dataset: item.Dataset, item: item.ID, metadata: item.Metadata}
		rows, found := m.rows()
		values = append(values, rows...)
		text := lowerASCII(strings.Join(append([]string{item.ReferenceID}, found...), pathSeparator))
		texts = append(texts, []any{item.Dataset, item.ID, strings.ReplaceAll(text, "\x00", "\x01")})
		if fresh {
			groups = append(groups, emptyGroup(item.Dataset, item.ID, false), emptyGroup(item.Dataset, item.ID, true))
		} else if _, err := tx.exec("DELETE FROM metadata_value WHERE item = $1 AND annotation = ''", item.ID); err != nil {
			return err
		}
	}
	if err := tx.insert("metadata_value", metadataColumns, "", values); err != nil {
		return err
	}
	if err := tx.insert("box_group", groupColumns, "", groups); err != nil {
		return err
	}
	return tx.insert("item_text", "dataset, item, text", "ON CONFLICT (dataset, item) DO UPDATE SET text = excluded.text", texts)
}

const groupColumns = `dataset, prediction, name, item, n, area_min, area_max, width_min, width_max, height_min, height_max, aspect_min, aspect_max,
	confidence_min, confidence_max, created_min, created_max, updated_min, updated_max`

func emptyGroup(dataset, item string, prediction bool) []any {
	return append([]any{dataset, prediction, "", item, int64(0)}, make([]any, 2*len(boxGroup{}.ranges))...)
}

// The numbers of boxes whose ranges are known, in the order of the table's columns.
const (
	rangeArea = iota
	rangeWidth
	rangeHeight
	rangeAspect
	rangeConfidence
	rangeCreated
	rangeUpdated
	rangesOfBoxes
)

// boxGroup sums up boxes.
type boxGroup struct {
	prediction bool
	name       string
	n          int64
	ranges     [rangesOfBoxes]valueRange
}

type valueRange struct {
	known    bool
	min, max float64
}

func (r *valueRange) include(v float64) {
	if !r.known {
		*r = valueRange{true, v, v}
		return
	}
	r.min, r.max = min(r.min, v), max(r.max, v)
}

// include adds a box that was first drawn at a time.
func (g *boxGroup) include(b geom.Box, confidence *float64, first, last time.Time) {
	g.n++
	g.ranges[rangeArea].include(b.Area())
	g.ranges[rangeWidth].include(b.Width())
	g.ranges[rangeHeight].include(b.Height())
	if b.Height() > 0 {
		g.ranges[rangeAspect].include(b.Width() / b.Height())
	}
	if confidence != nil {
		g.ranges[rangeConfidence].include(*confidence)
	}
	g.ranges[rangeCreated].include(float64(millis(first)))
	g.ranges[rangeUpdated].include(float64(millis(last)))
}

func (g *boxGroup) row(dataset, item string) []any {
	row := []any{dataset, g.prediction, g.name, item, g.n}
	for i, r := range g.ranges {
		switch {
		case !r.known:
			row = append(row, nil, nil)
		case i == rangeCreated || i == rangeUpdated:
			row = append(row, int64(r.min), int64(r.max))
		default:
			row = append(row, r.min, r.max)
		}
	}
	return row
}

// indexAnnotations makes an item's boxes found by filters as they are now;
// added are revisions that were just written.
func (tx *Tx) indexAnnotations(dataset, item string, added []Annotation) error {
	var values [][]any
	for i := range added {
		m := metadataOf{dataset: dataset, item: item, annotation: added[i].ID, revision: added[i].Revision, metadata: added[i].Metadata}
		if len(m.metadata) > len("{}") && added[i].Type == TypeBox {
			rows, _ := m.rows()
			values = append(values, rows...)
		}
	}
	if err := tx.insert("metadata_value", metadataColumns, "", values); err != nil {
		return err
	}
	groups, err := tx.groupBoxes(item)
	if err != nil {
		return err
	}
	if _, err := tx.exec("DELETE FROM box_group WHERE item = $1", item); err != nil {
		return err
	}
	rows := make([][]any, len(groups))
	for i := range groups {
		rows[i] = groups[i].row(dataset, item)
	}
	return tx.insert("box_group", groupColumns, "", rows)
}

// groupBoxes sums up an item's current boxes.
func (tx *Tx) groupBoxes(item string) ([]boxGroup, error) {
	boxes, err := all(tx, scanGrouped, `SELECT a.run, a.category, a.created_by, a.x0, a.y0, a.x1, a.y1, a.confidence, f.created_at, a.created_at
		FROM annotation a JOIN annotation f ON f.id = a.id AND f.revision = 1 WHERE a.item = $1 AND a.ended_at IS NULL AND a.type = 'box'`, item)
	return sumUp(boxes), err
}

// sumUp returns the groups of an item's boxes.
func sumUp(boxes []grouped) []boxGroup {
	type key struct {
		prediction bool
		name       string
	}
	groups := []boxGroup{{}, {prediction: true}}
	at := map[key]int{{false, ""}: 0, {true, ""}: 1}
	for _, b := range boxes {
		names := []string{"", "=" + b.category, "@" + b.author}
		if b.run != "" {
			names[2] = "~" + b.run
		}
		for _, name := range names {
			k := key{b.run != "", name}
			i, known := at[k]
			if !known {
				i = len(groups)
				at[k], groups = i, append(groups, boxGroup{prediction: k.prediction, name: name})
			}
			groups[i].include(b.box, b.confidence, fromMillis(b.first), fromMillis(b.last))
		}
	}
	return groups
}

// grouped is a box as groups sum it up.
type grouped struct {
	run, category, author string
	box                   geom.Box
	confidence            *float64
	first, last           int64
}

func scanGrouped(row rowScanner) (b grouped, err error) {
	err = row.Scan(&b.run, &b.category, &b.author, &b.box.X0, &b.box.Y0, &b.box.X1, &b.box.Y1, &b.confidence, &b.first, &b.last)
	return b, err
}
