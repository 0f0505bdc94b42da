package slice

import (
	"encoding/json"
	"math"
	"time"

	"remuda/geom"
)

// Item is a row of the level Items: what the fields of a filter are read from.
type Item struct {
	ID          string
	ReferenceID string
	Width       int       // pixels of the upright image; 0 is missing
	Height      int       //
	Author      string    // who added it; "" is missing
	Created     time.Time // when it was added; the zero time is missing
	Updated     time.Time // the latest change of it or its boxes
	Tags        []string
	Slices      []string       // that it is in, each by id and by name
	Metadata    map[string]any // as encoding/json decodes an object
	Boxes       []Box          // current annotations and predictions
}

// Box is a row of the level Boxes.
type Box struct {
	ID         string
	Category   string
	Box        geom.Box
	Crowd      bool
	Prediction bool      // else ground truth
	Models     []string  // a prediction's model, by id and by name; none is called human or model
	Author     string    // the person who drew it; "" is missing
	Confidence float64   // 0 to 1; missing of ground truth
	Created    time.Time // the first revision; the zero time is missing
	Updated    time.Time // the current revision
	Metadata   map[string]any
	Matches    map[string]Match // by the evaluation's id and name
}

// Match is what became of a box in an evaluation; package eval defines the
// outcomes.
type Match struct {
	Outcome string  // tp, fp, missed, below or ignored
	IoU     float64 // with the box it was matched with; else the largest with one of its category
}

// row is a box with its item, or an item alone.
type row struct {
	item *Item
	box  *Box
}

// number returns a numeric field; ok is false where it is missing.
func (r row) number(f Field) (n float64, ok bool) {
	switch {
	case f.Name == "metadata":
		return asNumber(r.metadata(f))
	case f.Of == Items:
		return r.item.number(f.Name)
	case f.Name == "iou":
		m, ok := r.box.Matches[f.Evaluation]
		return m.IoU, ok
	}
	return r.box.number(f.Name)
}

func (i *Item) number(name string) (float64, bool) {
	w, h := float64(i.Width), float64(i.Height)
	switch name {
	case "width":
		return w, w > 0
	case "height":
		return h, h > 0
	case "area":
		return w * h, w > 0 && h > 0
	case "aspect":
		return w / h, w > 0 && h > 0
	}
	return 0, false
}

func (b *Box) number(name string) (float64, bool) {
	switch name {
	case "x0":
		return b.Box.X0, true
	case "y0":
		return b.Box.Y0, true
	case "x1":
		return b.Box.X1, true
	case "y1":
		return b.Box.Y1, true
	case "width":
		return b.Box.Width(), true
	case "height":
		return b.Box.Height(), true
	case "area":
		return b.Box.Area(), true
	case "aspect":
		return b.Box.Width() / b.Box.Height(), b.Box.Height() > 0
	case "confidence":
		return b.Confidence, b.Prediction
	}
	return 0, false
}

// text returns a text field; ok is false where it is missing.
func (r row) text(f Field) (s string, ok bool) {
	if f.Name == "metadata" {
		s, ok = r.metadata(f).(string)
		return s, ok
	}
	switch {
	case f.Name == "id" && f.Of == Items:
		s = r.item.ID
	case f.Name == "id":
		s = r.box.ID
	case f.Name == "reference_id":
		s = r.item.ReferenceID
	case f.Name == "author" && f.Of == Items:
		s = r.item.Author
	case f.Name == "author":
		s = r.box.Author
	case f.Name == "category":
		s = r.box.Category
	case f.Name == "match":
		s = r.box.Matches[f.Evaluation].Outcome
	}
	return s, s != ""
}

// truth returns a field that is true or false.
func (r row) truth(f Field) (b, ok bool) {
	if f.Name == "metadata" {
		b, ok = r.metadata(f).(bool)
		return b, ok
	}
	return r.box.Crowd, f.Name == "crowd"
}

// time returns a field in milliseconds since 1970; ok is false where it is
// missing.
func (r row) time(f Field) (ms int64, ok bool) {
	created, updated := r.item.Created, r.item.Updated
	if f.Of == Boxes {
		created, updated = r.box.Created, r.box.Updated
	}
	t := created
	if f.Name == "updated" {
		t = updated
	}
	return t.UnixMilli(), !t.IsZero()
}

// set returns a field that is a set of texts.
func (r row) set(f Field) []string {
	switch f.Name {
	case "tag":
		return r.item.Tags
	case "slice":
		return r.item.Slices
	}
	if !r.box.Prediction {
		return []string{"human"}
	}
	return append([]string{"model"}, r.box.Models...)
}

// texts returns all texts of an item that are searched at once.
func (r row) texts() []string {
	return AppendTexts([]string{r.item.ReferenceID}, r.item.Metadata)
}

// AppendTexts adds all texts of metadata, at any depth: what a search of
// the whole item looks at besides its reference id.
func AppendTexts(texts []string, value any) []string {
	switch v := value.(type) {
	case string:
		texts = append(texts, v)
	case map[string]any:
		for _, inner := range v {
			texts = AppendTexts(texts, inner)
		}
	case []any:
		for _, inner := range v {
			texts = AppendTexts(texts, inner)
		}
	}
	return texts
}

// metadata returns what a path leads to, nil where it leads nowhere.
func (r row) metadata(f Field) any {
	value := any(r.item.Metadata)
	if f.Of == Boxes {
		value = r.box.Metadata
	}
	for _, key := range f.Path {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// asNumber returns a JSON number as a double.
func asNumber(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		n, err := v.Float64()
		return n, err == nil
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	}
	return 0, false
}
