package slice

import (
	"math"
	"slices"
	"strings"
)

// Item reports whether a filter of items chooses one. It is the reference for
// every other way to run a filter. Of a filter of boxes it reports whether
// that chooses one of the item's boxes.
func (f Filter) Item(item *Item) bool {
	if f.Level == Boxes {
		return slices.ContainsFunc(item.Boxes, func(b Box) bool { return f.Box(item, &b) })
	}
	return row{item: item, box: &Box{}}.holds(f.Where)
}

// Box reports whether a filter of boxes chooses one of an item. Of a filter of
// items it reports whether that chooses the item.
func (f Filter) Box(item *Item, box *Box) bool {
	return row{item: item, box: box}.holds(f.Where)
}

func (r row) holds(c Cond) bool {
	switch c := c.(type) {
	case And:
		return !slices.ContainsFunc(c.Terms, func(t Cond) bool { return !r.holds(t) })
	case Or:
		return slices.ContainsFunc(c.Terms, r.holds)
	case Not:
		return !r.holds(c.Term)
	case Compare:
		if c.Op == NE {
			return !r.compare(EQ, c)
		}
		return r.compare(c.Op, c)
	case In:
		return slices.ContainsFunc(c.Values, func(v Value) bool {
			return r.compare(EQ, Compare{Type: c.Type, Left: c.Left, Right: v})
		})
	case Search:
		return r.search(c)
	case Exists:
		return r.exists(c.Field)
	case Quantified:
		n, all := r.count(c.Of, c.Where)
		switch c.Quantifier {
		case Any:
			return n > 0
		case All:
			return n == all
		case No:
			return n == 0
		}
	}
	return false
}

// count returns how many of an item's boxes of a population there are for
// which a condition holds, and how many in all.
func (r row) count(of Population, where Cond) (n, all int) {
	for i := range r.item.Boxes {
		b := &r.item.Boxes[i]
		if of == Annotations && b.Prediction || of == Predictions && !b.Prediction {
			continue
		}
		all++
		if (row{item: r.item, box: b}).holds(where) {
			n++
		}
	}
	return n, all
}

// compare answers any comparison but NE; false where a side is missing.
func (r row) compare(op Op, c Compare) bool {
	if c.Type == Number {
		a, known := r.value(c.Left, false)
		b, ok := r.value(c.Right, false)
		return known && ok && related(op, a, b)
	}
	f, _ := c.Left.(Field)
	v, _ := c.Right.(Value)
	switch c.Type {
	case Text:
		s, ok := r.text(f)
		return ok && related(op, s, v.Text)
	case Bool:
		b, ok := r.truth(f)
		return ok && b == v.Bool
	case Time:
		ms, ok := r.time(f)
		return ok && related(op, ms, v.Time.UnixMilli())
	case Set:
		return slices.Contains(r.set(f), v.Text)
	}
	return false
}

func related[T float64 | string | int64](op Op, a, b T) bool {
	switch op {
	case EQ:
		return a == b
	case LT:
		return a < b
	case LE:
		return a <= b
	case GT:
		return a > b
	case GE:
		return a >= b
	}
	return false
}

// value computes a numeric expression; ok is false where it is missing.
func (r row) value(e Expr, operand bool) (n float64, ok bool) {
	switch e := e.(type) {
	case Value:
		return e.Number, true
	case Field:
		n, ok = r.number(e)
		return n, ok && (!operand || inRange(n))
	case Count:
		n, _ := r.count(e.Of, e.Where)
		return float64(n), true
	case Arithmetic:
		a, known := r.value(e.Left, true)
		b, ok := r.value(e.Right, true)
		return calculate(e.Op, a, b), known && ok
	}
	return 0, false
}

// calculate rounds after each operation: the conversions keep a compiler from
// fusing two, which databases don't.
func calculate(op byte, a, b float64) float64 {
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return a * b
	}
	return a - float64(b*math.Trunc(float64(a/b)))
}

func (r row) search(s Search) bool {
	if s.Field.Type() == FullText {
		return slices.ContainsFunc(r.texts(), func(text string) bool { return containsFold(text, s.Text) })
	}
	text, ok := r.text(s.Field)
	switch {
	case !ok:
		return false
	case s.Op == StartsWith:
		return strings.HasPrefix(text, s.Text)
	}
	return containsFold(text, s.Text)
}

func containsFold(text, part string) bool {
	return strings.Contains(lowerASCII(text), lowerASCII(part))
}

// lowerASCII changes A–Z alone, as SQLite's lower does, and PostgreSQL's in
// the collation "C".
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func (r row) exists(f Field) (ok bool) {
	switch f.Type() {
	case Text:
		_, ok = r.text(f)
	case Number:
		_, ok = r.number(f)
	case Bool:
		_, ok = r.truth(f)
	case Time:
		_, ok = r.time(f)
	case Set:
		ok = len(r.set(f)) > 0
	case Dynamic:
		ok = r.metadata(f) != nil
	}
	return ok
}
