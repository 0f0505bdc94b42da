package slice

import (
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"remuda"
)

// maker draws filters as the parser may build them.
type maker struct {
	t     *rapid.T
	level Level
}

func (m maker) pick(label string, n int) int { return rapid.IntRange(0, n-1).Draw(m.t, label) }

func (m maker) text(empty bool) string {
	words := []string{"horse", "race car", "and", "width", "5", `q"u\o'te`, "line\nbreak\u0001", "ärö “x”", "\uFFFD", "true", "2026-01-31", "boxes", "fog", "e1", "red", "dog", "night", "train", "human", "model", "mdl_1", "ann", "di_3", "g2", "cam1/barn.jpg"}
	if empty {
		words = append(words, "")
	}
	return rapid.SampledFrom(words).Draw(m.t, "text")
}

func (m maker) number() Value {
	n := rapid.OneOf(
		rapid.Map(rapid.IntRange(-20, 20), func(n int) float64 { return float64(n) }),
		rapid.Float64Range(-1e19, 1e19),
		rapid.SampledFrom([]float64{3, 5, 10, 15, 32, 100, 480, 640, 12.5, 0.3, 0.9, 0.5, 0.1, 1e-20, 1e-7, 1e19, 0.000001, 123456789012345680}),
	).Draw(m.t, "number")
	if !inRange(n) || n == 0 {
		n = 0
	}
	return Value{Type: Number, Number: n}
}

func (m maker) time() Value {
	from, to := time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	ms := rapid.Int64Range(from.UnixMilli(), to.UnixMilli()).Draw(m.t, "ms")
	if rapid.Bool().Draw(m.t, "midnight") {
		ms -= ms % 86400000
	}
	return Value{Type: Time, Time: time.UnixMilli(ms).UTC()}
}

// field draws one of some types; of an item's too where a box is meant.
func (m maker) field(types ...Type) Field {
	var fields []Field
	for _, level := range []Level{Items, Boxes} {
		for _, k := range fieldsOf(level) {
			for _, typ := range types {
				if level <= m.level && k.typ == typ {
					fields = append(fields, Field{Of: level, Name: k.name})
				}
			}
		}
	}
	f := rapid.SampledFrom(fields).Draw(m.t, "field")
	if k, _ := lookup(f.Of, f.Name); k.evaluation {
		f.Evaluation = m.text(false)
	}
	if f.Name == "metadata" {
		keys := []string{"speed", "frame number", "and", "0", "a.b", "count", "ä", "animal", "color"}
		f.Path = rapid.SliceOfN(rapid.SampledFrom(keys), 1, 3).Draw(m.t, "path")
	}
	return f
}

func (m maker) value(f Field, typ Type) Value {
	if k, _ := lookup(f.Of, f.Name); k.words != nil {
		return Value{Type: Text, Text: rapid.SampledFrom(k.words).Draw(m.t, "word")}
	}
	switch typ {
	case Number:
		return m.number()
	case Bool:
		return Value{Type: Bool, Bool: rapid.Bool().Draw(m.t, "bool")}
	case Time:
		return m.time()
	}
	return Value{Type: Text, Text: m.text(true)}
}

// computed draws an expression with something of a row in it, but no field alone.
func (m maker) computed(depth int) Expr {
	if m.level == Items && rapid.Bool().Draw(m.t, "count") {
		return Count{Of: m.population(), Where: maker{m.t, Boxes}.where(depth - 1)}
	}
	a := Arithmetic{Op: rapid.SampledFrom([]byte("+-*%")).Draw(m.t, "op"), Left: m.operand(depth - 1)}
	if a.Op == '%' {
		a.Right = Value{Type: Number, Number: float64(rapid.IntRange(1, 1e9).Draw(m.t, "modulus"))}
		return a
	}
	a.Right = m.operand(depth - 1)
	if rapid.Bool().Draw(m.t, "constant side") {
		a.Right = m.number()
		if rapid.Bool().Draw(m.t, "left") {
			a.Left, a.Right = a.Right, a.Left
		}
	}
	return a
}

// operand draws a numeric expression that is not constant.
func (m maker) operand(depth int) Expr {
	if depth <= 0 || rapid.Bool().Draw(m.t, "field") {
		return m.field(Number, Dynamic)
	}
	return m.computed(depth)
}

func (m maker) numbers(depth int) Cond {
	c := Compare{Type: Number, Op: m.op(), Left: m.operand(min(depth, 3))}
	left, isField := c.Left.(Field)
	switch dynamic := isField && left.Type() == Dynamic; m.pick("right", 3) {
	case 0:
		c.Right = m.number()
	case 1:
		c.Right = m.computed(min(depth, 3))
	default:
		f := m.field(Number)
		if dynamic && f.Of == m.level {
			c.Left, f = f, left // the order that is not ambiguous
		}
		c.Right = f
	}
	return c
}

func (m maker) op() Op { return rapid.SampledFrom([]Op{EQ, NE, LT, LE, GT, GE}).Draw(m.t, "op") }

func (m maker) compare(depth int) Cond {
	equal := rapid.SampledFrom([]Op{EQ, NE}).Draw(m.t, "equal")
	switch m.pick("comparison", 6) {
	case 0:
		f := m.field(Text, Dynamic)
		return Compare{Op: m.op(), Type: Text, Left: f, Right: m.value(f, Text)}
	case 1:
		f := m.field(Set)
		return Compare{Op: equal, Type: Set, Left: f, Right: m.value(f, Text)}
	case 2:
		f := m.field(Time)
		return Compare{Op: m.op(), Type: Time, Left: f, Right: m.value(f, Time)}
	case 3:
		f := m.field(Bool, Dynamic)
		return Compare{Op: equal, Type: Bool, Left: f, Right: m.value(f, Bool)}
	}
	return m.numbers(depth)
}

func (m maker) in(depth int) Cond {
	in := In{Type: rapid.SampledFrom([]Type{Text, Set, Number}).Draw(m.t, "type")}
	var f Field
	switch in.Type {
	case Number:
		in.Left = m.operand(min(depth, 3))
	case Text:
		f = m.field(Text, Dynamic)
		in.Left = f
	case Set:
		f = m.field(Set)
		in.Left = f
	}
	for range 1 + m.pick("values", 3) {
		in.Values = append(in.Values, m.value(f, in.Type))
	}
	return in
}

func (m maker) population() Population {
	return rapid.SampledFrom([]Population{AllBoxes, Annotations, Predictions}).Draw(m.t, "population")
}

func (m maker) where(depth int) Cond {
	if m.pick("where", 4) == 0 {
		return And{}
	}
	return m.cond(depth)
}

func (m maker) cond(depth int) Cond {
	if depth <= 0 {
		return m.compare(0)
	}
	switch m.pick("condition", 8) {
	case 0:
		return join[And]([]Cond{m.cond(depth - 1), m.cond(depth - 1)})
	case 1:
		return join[Or]([]Cond{m.cond(depth - 1), m.cond(depth - 1), m.cond(depth - 1)})
	case 2:
		return Not{Term: m.cond(depth - 1)}
	case 3:
		return m.in(depth)
	case 4:
		if rapid.Bool().Draw(m.t, "full") {
			return Search{Field: m.field(FullText), Op: Contains, Text: "fog"}
		}
		return Search{Field: m.field(Text, Dynamic), Op: rapid.SampledFrom([]SearchOp{Contains, StartsWith}).Draw(m.t, "search"), Text: `a "b" Ä`}
	case 5:
		return Exists{Field: m.field(Text, Number, Bool, Time, Set, Dynamic)}
	case 6:
		if m.level == Items {
			q := rapid.SampledFrom([]Quantifier{Any, All, No}).Draw(m.t, "quantifier")
			return Quantified{Quantifier: q, Of: m.population(), Where: maker{m.t, Boxes}.where(depth - 1)}
		}
	}
	return m.compare(depth)
}

func drawFilter(t *rapid.T) Filter {
	level := rapid.SampledFrom([]Level{Items, Boxes}).Draw(t, "level")
	return Filter{Level: level, Where: maker{t, level}.where(3)}
}

func TestCanonicalFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { mustReadBack(t, drawFilter(t)) })
}

// A filter turned round chooses exactly the other rows, whatever is missing.
func TestLaws(t *testing.T) {
	rows := readRows(t, "testdata/herd.rows")
	rapid.Check(t, func(t *rapid.T) {
		m := maker{t, Items}
		a, b := m.cond(2), m.cond(2)
		box := maker{t, Boxes}.cond(2)
		of := m.population()
		numbers := m.numbers(2).(Compare)
		opposite := numbers
		numbers.Op, opposite.Op = EQ, NE
		in := m.in(2).(In)
		equals := Or{}
		for _, v := range in.Values {
			equals.Terms = append(equals.Terms, Compare{Op: EQ, Type: in.Type, Left: in.Left, Right: v})
		}
		for _, law := range []struct {
			name        string
			left, right Cond
		}{
			{"de morgan", Not{And{[]Cond{a, b}}}, Or{[]Cond{Not{a}, Not{b}}}},
			{"excluded middle", Or{[]Cond{a, Not{a}}}, And{}},
			{"unequal is not equal", opposite, Not{numbers}},
			{"in is a chain of equals", in, equals},
			{"all", Quantified{All, of, box}, Not{Quantified{Any, of, Not{box}}}},
			{"no", Quantified{No, of, box}, Not{Quantified{Any, of, box}}},
			{"any counts", Quantified{Any, of, box}, Compare{GT, Number, Count{of, box}, Value{Type: Number}}},
			{"both populations", Compare{EQ, Number, Count{AllBoxes, box}, Arithmetic{'+', Count{Annotations, box}, Count{Predictions, box}}}, And{}},
		} {
			left, right := Filter{Items, law.left}, Filter{Items, law.right}
			if got, want := chosen(left, rows), chosen(right, rows); got != want {
				t.Fatalf("%s: %s chooses %q, %s chooses %q", law.name, left, got, right, want)
			}
		}
	})
}

// One that chooses boxes agrees with the one that chooses items having such.
func TestLevelsAgree(t *testing.T) {
	rows := readRows(t, "testdata/herd.rows")
	rapid.Check(t, func(t *rapid.T) {
		box := Filter{Boxes, maker{t, Boxes}.cond(2)}
		items := Filter{Items, Quantified{Any, AllBoxes, box.Where}}
		for i := range rows {
			if box.Item(&rows[i]) != items.Item(&rows[i]) {
				t.Fatalf("%s disagrees with %s on %s", box, items, rows[i].ID)
			}
		}
	})
}

func TestArithmeticNeverOverflows(t *testing.T) {
	extremes := []float64{0, 1e19, -1e19, 1e-20, -1e-20, 1, -1, 3.5, 1e30, 1e-300, math.MaxFloat64}
	rapid.Check(t, func(t *rapid.T) {
		item := Item{Metadata: map[string]any{}}
		for _, key := range []string{"speed", "frame number", "and", "0", "a.b", "count", "ä", "animal", "color"} {
			item.Metadata[key] = rapid.SampledFrom(extremes).Draw(t, key)
		}
		e := maker{t, Items}.computed(3)
		if n, ok := (row{item: &item, box: &Box{}}).value(e, false); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
			t.Fatalf("%#v is %g", e, n)
		}
	})
}

func TestInspectSeesEveryNode(t *testing.T) {
	f, err := Parse(`count(boxes (iou("b") > item.width + 1)) > 2 or not author = x and any box (match("a") in (tp) and iou("b") exists) or text contains x`, Items)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]int)
	f.Inspect(func(node any) bool { kinds[reflect.TypeOf(node).Name()]++; return true })
	want := map[string]int{"Or": 1, "Compare": 3, "Count": 1, "Value": 3, "Arithmetic": 1, "Not": 1, "And": 2, "Quantified": 1, "In": 1, "Exists": 1, "Search": 1, "Field": 6}
	if !reflect.DeepEqual(kinds, want) {
		t.Errorf("saw %v, want %v", kinds, want)
	}
	if got := f.Evaluations(); !reflect.DeepEqual(got, []string{"b", "a"}) {
		t.Errorf("evaluations %q", got)
	}
	inside := 0
	f.Inspect(func(node any) bool { inside++; _, or := node.(Or); return or })
	if inside != 4 {
		t.Errorf("a visit that goes no deeper than the or saw %d nodes, want it and its 3 terms", inside)
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		text, words string
	}{
		"text":          {"id = '" + strings.Repeat("x", MaxText) + "'", "bytes, at most 65536"},
		"canonical":     {"id = '" + strings.Repeat("\n", MaxText-10) + "'", "canonical form has more than 65536 bytes"},
		"nodes":         {"width > 1" + strings.Repeat(" and width > 1", 200), "parts, at most 400"},
		"parentheses":   {strings.Repeat("(", 60000), "nested too deep"},
		"nots":          {strings.Repeat("not ", 15000) + "width > 1", "nested too deep"},
		"tree":          {strings.Repeat("not ", 100) + "width > 1", "nested too deep"},
		"list":          {"metadata.a in (1" + strings.Repeat(",1", MaxValues) + ")", "more than 1000 values"},
		"lists":         {"metadata.a in (1" + strings.Repeat(",1", 600) + ") or metadata.a in (1" + strings.Repeat(",1", 600) + ")", "lists have 1202 values"},
		"operators":     {"width" + strings.Repeat(" + 1", 15000) + " > 3", "more than 12 operators"},
		"bad encoding":  {"id = 'a\xff'", "not UTF-8"},
		"NUL in a text": {"id = 'a\x00'", "NUL"},
	} {
		_, err := Parse(c.text, Items)
		if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %s", name, err, c.words)
		}
	}
	for _, ok := range []string{
		strings.Repeat("(", 150) + "width > 1" + strings.Repeat(")", 150),
		strings.Repeat("not ", 45) + "width > 1",
		"id in (x" + strings.Repeat(",x", MaxValues-1) + ")",
		"width > 1" + strings.Repeat(" or width > 1", 120),
	} {
		f, err := Parse(ok, Items)
		if err != nil {
			t.Errorf("%.40s…: %v", ok, err)
			continue
		}
		mustReadBack(t, f)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"items", "boxes", "missing", "numbers_dates", "query", "errors"} {
		text := readText(f, "testdata/"+path+".slice")
		for _, line := range strings.Split(text, "\n") {
			if _, filter, ok := strings.Cut(line, " "); ok && line[0] != '\t' && line[0] != '#' {
				f.Add(filter)
			}
		}
	}
	rows := readRows(f, "testdata/herd.rows")
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() (Filter, error){
			func() (Filter, error) { return Parse(text, Items) },
			func() (Filter, error) { return Parse(text, Boxes) },
			func() (Filter, error) { return ParseQuery(text) },
		} {
			filter, err := read()
			var syntax *SyntaxError
			switch {
			case err == nil:
				mustReadBack(t, filter)
				chosen(filter, rows)
			case !errors.As(err, &syntax) || remuda.CodeOf(err) != remuda.Invalid:
				t.Fatalf("%q: %v", text, err)
			case syntax.Column < 1 || syntax.Column > utf8.RuneCountInString(text)+1:
				t.Fatalf("%q: column %d", text, syntax.Column)
			case !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 || len(remuda.HintOf(err)) > 1000:
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

func readText(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
