package slice_test

import (
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"remuda"
	"remuda/internal/slicetest"
	"remuda/slice"
)

func TestCanonicalFormReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { mustReadBack(t, slicetest.Filter(t)) })
}

// A filter turned round chooses exactly the other rows, whatever is missing.
func TestLaws(t *testing.T) {
	rows := slicetest.Rows(t, "testdata/herd.rows")
	rapid.Check(t, func(t *rapid.T) {
		m := slicetest.Maker{T: t, Level: slice.Items}
		a, b := m.Cond(2), m.Cond(2)
		box := slicetest.Maker{T: t, Level: slice.Boxes}.Cond(2)
		of := m.Population()
		numbers := m.Numbers(2).(slice.Compare)
		opposite := numbers
		numbers.Op, opposite.Op = slice.EQ, slice.NE
		in := m.In(2).(slice.In)
		equals := slice.Or{}
		for _, v := range in.Values {
			equals.Terms = append(equals.Terms, slice.Compare{Op: slice.EQ, Type: in.Type, Left: in.Left, Right: v})
		}
		for _, law := range []struct {
			name        string
			left, right slice.Cond
		}{
			{"de morgan", not(and(a, b)), or(not(a), not(b))},
			{"excluded middle", or(a, not(a)), slice.And{}},
			{"unequal is not equal", opposite, not(numbers)},
			{"in is a chain of equals", in, equals},
			{"all", quantified(slice.All, of, box), not(quantified(slice.Any, of, not(box)))},
			{"no", quantified(slice.No, of, box), not(quantified(slice.Any, of, box))},
			{"any counts", quantified(slice.Any, of, box), compare(slice.GT, count(of, box), slice.Value{Type: slice.Number})},
			{"both populations", compare(slice.EQ, count(slice.AllBoxes, box),
				slice.Arithmetic{Op: '+', Left: count(slice.Annotations, box), Right: count(slice.Predictions, box)}), slice.And{}},
		} {
			left, right := slice.Filter{Where: law.left}, slice.Filter{Where: law.right}
			if got, want := chosen(left, rows), chosen(right, rows); got != want {
				t.Fatalf("%s: %s chooses %q, %s chooses %q", law.name, left, got, right, want)
			}
		}
	})
}

func not(c slice.Cond) slice.Cond { return slice.Not{Term: c} }

func and(terms ...slice.Cond) slice.Cond { return slice.And{Terms: terms} }

func or(terms ...slice.Cond) slice.Cond { return slice.Or{Terms: terms} }

func quantified(q slice.Quantifier, of slice.Population, where slice.Cond) slice.Cond {
	return slice.Quantified{Quantifier: q, Of: of, Where: where}
}

func count(of slice.Population, where slice.Cond) slice.Expr {
	return slice.Count{Of: of, Where: where}
}

func compare(op slice.Op, left, right slice.Expr) slice.Cond {
	return slice.Compare{Op: op, Type: slice.Number, Left: left, Right: right}
}

// One that chooses boxes agrees with the one that chooses items having such.
func TestLevelsAgree(t *testing.T) {
	rows := slicetest.Rows(t, "testdata/herd.rows")
	rapid.Check(t, func(t *rapid.T) {
		box := slice.Filter{Level: slice.Boxes, Where: slicetest.Maker{T: t, Level: slice.Boxes}.Cond(2)}
		items := slice.Filter{Where: quantified(slice.Any, slice.AllBoxes, box.Where)}
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
		item := slice.Item{Metadata: map[string]any{}}
		for _, key := range slicetest.MetadataKeys() {
			item.Metadata[key] = rapid.SampledFrom(extremes).Draw(t, key)
		}
		e := slicetest.Maker{T: t, Level: slice.Items}.Computed(3)
		if n, ok := slice.ValueOf(e, &item); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
			t.Fatalf("%#v is %g", e, n)
		}
	})
}

func TestInspectSeesEveryNode(t *testing.T) {
	f, err := slice.Parse(`count(boxes (iou("b") > item.width + 1)) > 2 or not author = x and any box (match("a") in (tp) and iou("b") exists) or text contains x`, slice.Items)
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
	f.Inspect(func(node any) bool { inside++; _, or := node.(slice.Or); return or })
	if inside != 4 {
		t.Errorf("a visit that goes no deeper than the or saw %d nodes, want it and its 3 terms", inside)
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		text, words string
	}{
		"text":          {"id = '" + strings.Repeat("x", slice.MaxText) + "'", "bytes, at most 65536"},
		"canonical":     {"id = '" + strings.Repeat("\n", slice.MaxText-10) + "'", "canonical form has more than 65536 bytes"},
		"nodes":         {"width > 1" + strings.Repeat(" and width > 1", 200), "parts, at most 400"},
		"parentheses":   {strings.Repeat("(", 60000), "nested too deep"},
		"nots":          {strings.Repeat("not ", 15000) + "width > 1", "nested too deep"},
		"tree":          {strings.Repeat("not ", 100) + "width > 1", "nested too deep"},
		"list":          {"metadata.a in (1" + strings.Repeat(",1", slice.MaxValues) + ")", "more than 1000 values"},
		"lists":         {"metadata.a in (1" + strings.Repeat(",1", 600) + ") or metadata.a in (1" + strings.Repeat(",1", 600) + ")", "lists have 1202 values"},
		"operators":     {"width" + strings.Repeat(" + 1", 15000) + " > 3", "more than 12 operators"},
		"bad encoding":  {"id = 'a\xff'", "not UTF-8"},
		"NUL in a text": {"id = 'a\x00'", "NUL"},
	} {
		_, err := slice.Parse(c.text, slice.Items)
		if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %s", name, err, c.words)
		}
	}
	for _, ok := range []string{
		strings.Repeat("(", 150) + "width > 1" + strings.Repeat(")", 150),
		strings.Repeat("not ", 45) + "width > 1",
		"id in (x" + strings.Repeat(",x", slice.MaxValues-1) + ")",
		"width > 1" + strings.Repeat(" or width > 1", 120),
	} {
		f, err := slice.Parse(ok, slice.Items)
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
	rows := slicetest.Rows(f, "testdata/herd.rows")
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() (slice.Filter, error){
			func() (slice.Filter, error) { return slice.Parse(text, slice.Items) },
			func() (slice.Filter, error) { return slice.Parse(text, slice.Boxes) },
			func() (slice.Filter, error) { return slice.ParseQuery(text) },
		} {
			filter, err := read()
			var syntax *slice.SyntaxError
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
