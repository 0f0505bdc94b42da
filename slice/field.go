package slice

import (
	"slices"
	"strings"
)

// Type is what a field or a value is.
type Type int

// The types.
const (
	Text     Type = iota // UTF-8 without NUL
	Number               // IEEE 754 double
	Bool                 //
	Time                 // an instant, to the millisecond
	Set                  // of texts
	Dynamic              // what a metadata key holds, which each item decides for itself
	FullText             // many texts, only to be searched
)

// String returns the type as errors call it.
func (t Type) String() string {
	return [...]string{"a text", "a number", "true or false", "a date", "a set of texts", "metadata", "a text to search"}[t]
}

// fieldKind is a row of the tables in the package comment.
type fieldKind struct {
	name       string
	typ        Type
	evaluation bool     // takes the name of an evaluation
	words      []string // the only texts it has, if not nil
}

var itemFields = []fieldKind{
	{name: "id", typ: Text},
	{name: "reference_id", typ: Text},
	{name: "text", typ: FullText},
	{name: "width", typ: Number},
	{name: "height", typ: Number},
	{name: "area", typ: Number},
	{name: "aspect", typ: Number},
	{name: "author", typ: Text},
	{name: "created", typ: Time},
	{name: "updated", typ: Time},
	{name: "tag", typ: Set},
	{name: "slice", typ: Set},
	{name: "metadata", typ: Dynamic},
}

var boxFields = []fieldKind{
	{name: "id", typ: Text},
	{name: "category", typ: Text},
	{name: "x0", typ: Number},
	{name: "y0", typ: Number},
	{name: "x1", typ: Number},
	{name: "y1", typ: Number},
	{name: "width", typ: Number},
	{name: "height", typ: Number},
	{name: "area", typ: Number},
	{name: "aspect", typ: Number},
	{name: "crowd", typ: Bool},
	{name: "source", typ: Set},
	{name: "author", typ: Text},
	{name: "confidence", typ: Number},
	{name: "created", typ: Time},
	{name: "updated", typ: Time},
	{name: "metadata", typ: Dynamic},
	{name: "match", typ: Text, evaluation: true, words: []string{"tp", "fp", "missed", "below", "ignored"}},
	{name: "iou", typ: Number, evaluation: true},
}

func fieldsOf(level Level) []fieldKind {
	if level == Boxes {
		return boxFields
	}
	return itemFields
}

func lookup(level Level, name string) (fieldKind, bool) {
	fields := fieldsOf(level)
	i := slices.IndexFunc(fields, func(k fieldKind) bool { return k.name == name })
	if i < 0 {
		return fieldKind{}, false
	}
	return fields[i], true
}

// FieldNames returns the names of a level's fields, in the order of the tables
// of the package comment.
func FieldNames(level Level) []string {
	var names []string
	for _, k := range fieldsOf(level) {
		names = append(names, k.name)
	}
	return names
}

// Type returns what the field is.
func (f Field) Type() Type {
	k, _ := lookup(f.Of, f.Name)
	return k.typ
}

// nearest returns the name that is the fewest edits away from what was typed,
// or "" if none is near.
func nearest(typed string, names []string) string {
	if len(typed) > 40 {
		return ""
	}
	typed = strings.ToLower(typed)
	best, least := "", max(1, len(typed)/3)+1
	for _, name := range names {
		if d := distance(typed, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance is Levenshtein's, with the exchange of two neighbours as one edit
// (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
