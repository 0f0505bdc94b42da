package flow

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"remuda"
	"remuda/geom"
	"remuda/store"
)

// NewAnnotation is an annotation as a user sends it: what it says, and which
// item it is of.
type NewAnnotation struct {
	store.Annotation
	ReferenceID string // of the item, in DatasetID or in the dataset that the call is about
	ItemID      string // goes before ReferenceID; "" if the user gave none
	DatasetID   string
}

// maxCoordinate bounds coordinates in pixels: what is larger is of no image.
const maxCoordinate = 1e7

// bodyless are the members of a sent annotation that have columns, or that say
// where it belongs: all others, "geometry" first, make its body.
func bodyless() []string {
	return []string{
		"type", "label", "annotation_id", "task_id", "taxonomy_name", "metadata", "confidence", "crowd",
		"reference_id", "item_id", "dataset_id", "id", "dataset_item_id", "update", "processed_mask_url",
	}
}

// ParseAnnotation reads one annotation of any type as the dataset API writes
// it. Numbers stay as they were sent. Its body has all that has no column:
// geometry first, embedding_vector, track_reference_id, class_pdf, labels,
// mask_url, annotations …; for types of which an item has one, annotation_id
// and task_id too, because they do not tell two apart. Nulls are left out.
func ParseAnnotation(text []byte) (NewAnnotation, error) {
	var a NewAnnotation
	var compact bytes.Buffer
	if !utf8.Valid(text) {
		return a, remuda.Errorf(remuda.Invalid, "read an annotation: it is not UTF-8 text")
	}
	if err := json.Compact(&compact, text); err != nil {
		return a, remuda.Errorf(remuda.Invalid, "read an annotation: %w", err)
	}
	p := payload{}
	if err := json.Unmarshal(compact.Bytes(), &p.members); err != nil || p.members == nil {
		return a, remuda.Errorf(remuda.Invalid, "read an annotation: it is no JSON object")
	}
	maps.DeleteFunc(p.members, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	a.ReferenceID, a.ItemID, a.DatasetID = p.text("reference_id"), p.text("item_id"), p.text("dataset_id")
	a.Type, a.Category, a.Taxonomy = p.text("type"), p.text("label"), p.text("taxonomy_name")
	if a.Type == "segmentation" || a.Type == "" && p.members["mask_url"] != nil {
		a.Type = store.TypeMask
	}
	a.Metadata = p.object("metadata")
	p.read("crowd", "true or false", &a.Crowd)
	p.read("confidence", "a number from 0 to 1", &a.Confidence)
	if a.Confidence != nil && !(*a.Confidence >= 0 && *a.Confidence <= 1) {
		p.wrong("its confidence is %g, not from 0 to 1", *a.Confidence)
	}
	a.Box = p.geometry(a.Type)
	p.labels(&a)
	if key, task := p.text("annotation_id"), p.text("task_id"); !store.OnePerItem(a.Type) {
		a.Key, a.Task = key, task
	}
	if a.Type != store.TypeCategory && a.Type != store.TypeMulticategory {
		a.Taxonomy = ""
	}
	if p.err != nil {
		return a, p.err
	}
	a.Body = p.body(a.Type)
	return a, nil
}

// payload is the members of an annotation that is being read; the first thing wrong with it sticks.
type payload struct {
	members map[string]json.RawMessage
	err     error
}

func (p *payload) wrong(format string, args ...any) {
	if p.err == nil {
		p.err = remuda.Errorf(remuda.Invalid, format, args...)
	}
}

func (p *payload) read(name, what string, into any) {
	if v, ok := p.members[name]; ok && json.Unmarshal(v, into) != nil {
		p.wrong("its %s is not %s", name, what)
	}
}

// text reads a string; a number, as some use for ids, is taken as its digits.
func (p *payload) text(name string) (s string) {
	v, ok := p.members[name]
	if !ok {
		return ""
	}
	if v[0] != '"' && json.Valid(v) && bytes.ContainsRune([]byte("-0123456789"), rune(v[0])) {
		return string(v)
	}
	p.read(name, "a string", &s)
	if strings.ContainsRune(s, 0) {
		p.wrong("its %s has a NUL character in it", name)
	}
	return s
}

func (p *payload) object(name string) json.RawMessage {
	v, ok := p.members[name]
	if !ok {
		return json.RawMessage("{}")
	}
	if v[0] != '{' {
		p.wrong("its %s is not an object", name)
	}
	return v
}

// labels checks what an annotation is of.
func (p *payload) labels(a *NewAnnotation) {
	var labels []string
	var parts []struct {
		Label *string `json:"label"`
	}
	p.read("labels", "a list of strings", &labels)
	p.read("embedding_vector", "a list of numbers", new([]float64))
	p.read("class_pdf", "an object of numbers", new(map[string]float64))
	switch a.Type {
	case store.TypeMulticategory:
		a.Category = ""
		if p.members["labels"] == nil {
			p.wrong("a multicategory needs labels")
		}
	case store.TypeMask:
		a.Category = ""
		if p.text("mask_url") == "" {
			p.wrong("a segmentation needs a mask_url")
		}
		p.read("annotations", "a list of objects with a label and an index", &parts)
	default:
		if a.Category == "" {
			p.wrong("a %s needs a label", a.Type)
		}
	}
}

type point struct {
	X       *float64 `json:"x"`
	Y       *float64 `json:"y"`
	Visible *bool    `json:"visible"`
}

// geometry checks an annotation's geometry and returns what it spans.
func (p *payload) geometry(typ string) *geom.Box {
	var g struct {
		X         *float64     `json:"x"`
		Y         *float64     `json:"y"`
		Width     *float64     `json:"width"`
		Height    *float64     `json:"height"`
		Vertices  []point      `json:"vertices"`
		Keypoints []point      `json:"keypoints"`
		Names     *[]string    `json:"names"`
		Skeleton  *[][]float64 `json:"skeleton"`
	}
	switch typ {
	case store.TypeBox, store.TypePolygon, store.TypeLine, store.TypeKeypoints:
		p.read("geometry", "an object as a "+typ+" needs", &g)
	case store.TypeCuboid:
		p.object("geometry")
		return nil
	case store.TypeCategory, store.TypeMulticategory, store.TypeMask:
		return nil
	default:
		p.wrong("there is no annotation type %q", typ)
		return nil
	}
	switch typ {
	case store.TypeBox:
		if g.X == nil || g.Y == nil || g.Width == nil || g.Height == nil {
			p.wrong("a box needs a geometry with x, y, width and height")
			return nil
		}
		if *g.Width < 0 || *g.Height < 0 {
			p.wrong("the box has the size %g × %g", *g.Width, *g.Height)
		}
		box := geom.FromXYWH(*g.X, *g.Y, *g.Width, *g.Height)
		return p.bounded(&box)
	case store.TypeKeypoints:
		if g.Names == nil || g.Keypoints == nil {
			p.wrong("keypoints need a geometry with keypoints and names")
		}
		return p.bounded(p.span(g.Keypoints, true))
	}
	if len(g.Vertices) == 0 {
		p.wrong("a %s needs a geometry with vertices", typ)
	}
	return p.bounded(p.span(g.Vertices, false))
}

// span returns what points cover, nil if there are none. Keypoints say whether
// they are visible, and have no place if not.
func (p *payload) span(points []point, keypoints bool) (box *geom.Box) {
	for i, v := range points {
		if keypoints && v.Visible == nil {
			p.wrong("keypoint %d does not say whether it is visible", i)
		}
		if v.X == nil || v.Y == nil {
			if !keypoints || v.Visible != nil && *v.Visible {
				p.wrong("point %d has no x and y", i)
			}
			continue
		}
		if box == nil {
			box = &geom.Box{X0: *v.X, Y0: *v.Y, X1: *v.X, Y1: *v.Y}
		}
		box.X0, box.Y0, box.X1, box.Y1 = min(box.X0, *v.X), min(box.Y0, *v.Y), max(box.X1, *v.X), max(box.Y1, *v.Y)
	}
	return box
}

func (p *payload) bounded(box *geom.Box) *geom.Box {
	if box != nil && max(math.Abs(box.X0), math.Abs(box.Y0), math.Abs(box.X1), math.Abs(box.Y1)) > maxCoordinate {
		p.wrong("its geometry is beyond any image")
	}
	return box
}

// body writes the members that have no column.
func (p *payload) body(typ string) json.RawMessage {
	omit := bodyless()
	if store.OnePerItem(typ) {
		omit = slices.DeleteFunc(omit, func(name string) bool { return name == "annotation_id" || name == "task_id" })
	}
	names := slices.Sorted(maps.Keys(p.members))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "geometry" || slices.Contains(omit, name) })
	if _, ok := p.members["geometry"]; ok {
		names = slices.Insert(names, 0, "geometry")
	}
	body := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			body = append(body, ',')
		}
		quoted, err := json.Marshal(name)
		if err != nil { // strings always marshal
			continue
		}
		body = append(append(append(body, quoted...), ':'), p.members[name]...)
	}
	return append(body, '}')
}
