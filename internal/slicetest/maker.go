package slicetest

import (
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"remuda/slice"
)

// Words are the texts that drawn filters have: some stand in the rows of
// package slice's testdata. Evaluations are named by them too.
func Words() []string {
	return []string{"horse", "race car", "and", "width", "5", `q"u\o'te`, "line\nbreak\u0001", "ärö “x”", "\uFFFD", "true", "2026-01-31", "boxes", "fog", "e1", "red", "dog", "night", "train", "human", "model", "mdl_1", "ann", "di_3", "g2", "cam1/barn.jpg"}
}

// MetadataKeys are the keys of metadata that drawn filters name.
func MetadataKeys() []string {
	return []string{"speed", "frame number", "and", "0", "a.b", "count", "ä", "animal", "color"}
}

// Maker draws filters as the parser may build them.
type Maker struct {
	T     *rapid.T
	Level slice.Level
}

func (m Maker) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(m.T, label) }

// Text draws a text, also an empty one if empty is set.
func (m Maker) Text(empty bool) string {
	words := Words()
	if empty {
		words = append(words, "")
	}
	return rapid.SampledFrom(words).Draw(m.T, "text")
}

func (m Maker) number() slice.Value {
	n := rapid.OneOf(
		rapid.Map(rapid.IntRange(-20, 20), func(n int) float64 { return float64(n) }),
		rapid.Float64Range(-1e19, 1e19),
		rapid.SampledFrom([]float64{3, 5, 10, 15, 32, 100, 480, 640, 12.5, 0.3, 0.9, 0.5, 0.1, 1e-20, 1e-7, 1e19, 0.000001, 123456789012345680}),
	).Draw(m.T, "number")
	if abs := math.Abs(n); abs < 1e-20 || abs > 1e19 {
		n = 0
	}
	return slice.Value{Type: slice.Number, Number: n}
}

func (m Maker) time() slice.Value {
	from, to := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	ms := rapid.Int64Range(from.UnixMilli(), to.UnixMilli()).Draw(m.T, "ms")
	if rapid.Bool().Draw(m.T, "midnight") {
		ms -= ms % 86400000
	}
	return slice.Value{Type: slice.Time, Time: time.UnixMilli(ms).UTC()}
}

// field draws one of some types; of an item's too where a box is meant.
func (m Maker) field(types ...slice.Type) slice.Field {
	var fields []slice.Field
	for _, level := range []slice.Level{slice.Items, slice.Boxes} {
		for _, name := range slice.FieldNames(level) {
			f := slice.Field{Of: level, Name: name}
			if level <= m.Level && slices.Contains(types, f.Type()) {
				fields = append(fields, f)
			}
		}
	}
	f := rapid.SampledFrom(fields).Draw(m.T, "field")
	if f.Name == "match" || f.Name == "iou" {
		f.Evaluation = m.Text(false)
	}
	if f.Name == "metadata" {
		f.Path = rapid.SliceOfN(rapid.SampledFrom(MetadataKeys()), 1, 3).Draw(m.T, "path")
	}
	return f
}

func (m Maker) value(f slice.Field, typ slice.Type) slice.Value {
	if f.Name == "match" {
		return slice.Value{Type: slice.Text, Text: rapid.SampledFrom([]string{"tp", "fp", "missed", "below", "ignored"}).Draw(m.T, "word")}
	}
	switch typ {
	case slice.Number:
		return m.number()
	case slice.Bool:
		return slice.Value{Type: slice.Bool, Bool: rapid.Bool().Draw(m.T, "bool")}
	case slice.Time:
		return m.time()
	}
	return slice.Value{Type: slice.Text, Text: m.Text(true)}
}

// Computed draws an expression with something of a row in it, but no field alone.
func (m Maker) Computed(depth int) slice.Expr {
	if m.Level == slice.Items && rapid.Bool().Draw(m.T, "count") {
		return slice.Count{Of: m.Population(), Where: Maker{m.T, slice.Boxes}.where(depth - 1)}
	}
	a := slice.Arithmetic{Op: rapid.SampledFrom([]byte("+-*%")).Draw(m.T, "op"), Left: m.operand(depth - 1)}
	if a.Op == '%' {
		a.Right = slice.Value{Type: slice.Number, Number: float64(rapid.IntRange(1, 1e9).Draw(m.T, "modulus"))}
		return a
	}
	a.Right = m.operand(depth - 1)
	if rapid.Bool().Draw(m.T, "constant side") {
		a.Right = m.number()
		if rapid.Bool().Draw(m.T, "left") {
			a.Left, a.Right = a.Right, a.Left
		}
	}
	return a
}

// operand draws a numeric expression that is not constant.
func (m Maker) operand(depth int) slice.Expr {
	if depth <= 0 || rapid.Bool().Draw(m.T, "field") {
		return m.field(slice.Number, slice.Dynamic)
	}
	return m.Computed(depth)
}

// Numbers draws a comparison of numbers.
func (m Maker) Numbers(depth int) slice.Cond {
	c := slice.Compare{Type: slice.Number, Op: m.op(), Left: m.operand(min(depth, 3))}
	left, isField := c.Left.(slice.Field)
	switch dynamic := isField && left.Type() == slice.Dynamic; m.pick("right", 3) {
	case 0:
		c.Right = m.number()
	case 1:
		c.Right = m.Computed(min(depth, 3))
	default:
		f := m.field(slice.Number)
		if dynamic && f.Of == m.Level {
			c.Left, f = f, left // the order that is not ambiguous
		}
		c.Right = f
	}
	return c
}

func (m Maker) op() slice.Op {
	return rapid.SampledFrom([]slice.Op{slice.EQ, slice.NE, slice.LT, slice.LE, slice.GT, slice.GE}).Draw(m.T, "op")
}

func (m Maker) compare(depth int) slice.Cond {
	equal := rapid.SampledFrom([]slice.Op{slice.EQ, slice.NE}).Draw(m.T, "equal")
	switch m.pick("comparison", 6) {
	case 0:
		f := m.field(slice.Text, slice.Dynamic)
		return slice.Compare{Op: m.op(), Type: slice.Text, Left: f, Right: m.value(f, slice.Text)}
	case 1:
		f := m.field(slice.Set)
		return slice.Compare{Op: equal, Type: slice.Set, Left: f, Right: m.value(f, slice.Text)}
	case 2:
		f := m.field(slice.Time)
		return slice.Compare{Op: m.op(), Type: slice.Time, Left: f, Right: m.value(f, slice.Time)}
	case 3:
		f := m.field(slice.Bool, slice.Dynamic)
		return slice.Compare{Op: equal, Type: slice.Bool, Left: f, Right: m.value(f, slice.Bool)}
	}
	return m.Numbers(depth)
}

// In draws a list of values.
func (m Maker) In(depth int) slice.Cond {
	in := slice.In{Type: rapid.SampledFrom([]slice.Type{slice.Text, slice.Set, slice.Number}).Draw(m.T, "type")}
	var f slice.Field
	switch in.Type {
	case slice.Number:
		in.Left = m.operand(min(depth, 3))
	case slice.Text:
		f = m.field(slice.Text, slice.Dynamic)
		in.Left = f
	case slice.Set:
		f = m.field(slice.Set)
		in.Left = f
	}
	for range 1 + m.pick("values", 3) {
		in.Values = append(in.Values, m.value(f, in.Type))
	}
	return in
}

// Population draws a population.
func (m Maker) Population() slice.Population {
	return rapid.SampledFrom([]slice.Population{slice.AllBoxes, slice.Annotations, slice.Predictions}).Draw(m.T, "population")
}

func (m Maker) where(depth int) slice.Cond {
	if m.pick("where", 4) == 0 {
		return slice.And{}
	}
	return m.Cond(depth)
}

// Cond draws a condition at most depth deep.
func (m Maker) Cond(depth int) slice.Cond {
	if depth <= 0 {
		return m.compare(0)
	}
	switch m.pick("condition", 8) {
	case 0:
		return conjunction(m.Cond(depth-1), m.Cond(depth-1))
	case 1:
		return disjunction(m.Cond(depth-1), m.Cond(depth-1), m.Cond(depth-1))
	case 2:
		return slice.Not{Term: m.Cond(depth - 1)}
	case 3:
		return m.In(depth)
	case 4:
		if rapid.Bool().Draw(m.T, "full") {
			return slice.Search{Field: m.field(slice.FullText), Op: slice.Contains, Text: "fog"}
		}
		return slice.Search{Field: m.field(slice.Text, slice.Dynamic), Op: rapid.SampledFrom([]slice.SearchOp{slice.Contains, slice.StartsWith}).Draw(m.T, "search"), Text: `a "b" Ä`}
	case 5:
		return slice.Exists{Field: m.field(slice.Text, slice.Number, slice.Bool, slice.Time, slice.Set, slice.Dynamic)}
	case 6:
		if m.Level == slice.Items {
			q := rapid.SampledFrom([]slice.Quantifier{slice.Any, slice.All, slice.No}).Draw(m.T, "quantifier")
			return slice.Quantified{Quantifier: q, Of: m.Population(), Where: Maker{m.T, slice.Boxes}.where(depth - 1)}
		}
	}
	return m.compare(depth)
}

// Filter draws a filter of either level.
func Filter(t *rapid.T) slice.Filter {
	level := rapid.SampledFrom([]slice.Level{slice.Items, slice.Boxes}).Draw(t, "level")
	return slice.Filter{Level: level, Where: Maker{t, level}.where(3)}
}

// conjunction joins conditions as the parser does: no And stands in an And.
func conjunction(conds ...slice.Cond) slice.Cond {
	var terms []slice.Cond
	for _, c := range conds {
		if and, ok := c.(slice.And); ok && len(and.Terms) > 0 {
			terms = append(terms, and.Terms...)
			continue
		}
		terms = append(terms, c)
	}
	return slice.And{Terms: terms}
}

func disjunction(conds ...slice.Cond) slice.Cond {
	var terms []slice.Cond
	for _, c := range conds {
		if or, ok := c.(slice.Or); ok {
			terms = append(terms, or.Terms...)
			continue
		}
		terms = append(terms, c)
	}
	return slice.Or{Terms: terms}
}
