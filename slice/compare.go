package slice

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// compare checks and types a comparison.
func (p *parser) compare(left operand, op Op, right operand) (Cond, error) {
	if left.constant && !right.constant {
		left, right, op = right, left, flip(op)
	}
	if err := p.asLeft(left); err != nil {
		return nil, err
	}
	c, err := p.compareTyped(left, op, right)
	if err != nil {
		return nil, err
	}
	return wrap(left.within, c), nil
}

func flip(op Op) Op {
	switch op {
	case LT:
		return GT
	case LE:
		return GE
	case GT:
		return LT
	case GE:
		return LE
	}
	return op
}

// asLeft requires an expression with something of a row in it.
func (p *parser) asLeft(o operand) error {
	switch {
	case o.cond != nil:
		return p.fail(o.first, "", "expected a field, found a condition")
	case o.expr == nil:
		return p.unknownField(o)
	case o.constant:
		return p.fail(o.first, "", "expected a field, %s is a constant", describe(o.first))
	}
	return nil
}

func (p *parser) compareTyped(left operand, op Op, right operand) (Cond, error) {
	if right.cond != nil {
		return nil, p.fail(right.first, "", "expected a value, found a condition")
	}
	if left.typ == Dynamic && right.word != "" && right.expr != nil {
		return nil, p.ambiguous(right)
	}
	if left.typ == Number || left.typ == Dynamic && right.typ == Number && right.expr != nil {
		return p.compareNumbers(left, op, right)
	}
	v, day, err := p.value(left, right)
	if err != nil {
		return nil, err
	}
	if ordered := op != EQ && op != NE; ordered && (left.typ == Set || v.Type == Bool) {
		return nil, p.fail(right.first, "write = or !=", "%s is %s, which has no order", describe(left.first), left.typ)
	}
	if v.Type == Time {
		return compareDates(left, op, v.Time, day), nil
	}
	c := Compare{Op: op, Type: v.Type, Left: left.expr, Right: v}
	if left.typ == Set {
		c.Type = Set
	}
	return c, nil
}

func (p *parser) compareNumbers(left operand, op Op, right operand) (Cond, error) {
	for _, o := range []operand{left, right} {
		if err := p.asNumber(o); err != nil {
			return nil, err
		}
	}
	if right.within != nil {
		return nil, p.fail(right.first, "write it on the left and a value on the right", "the metadata of annotations cannot be mixed with other fields")
	}
	if f, ok := right.expr.(Field); ok && left.typ == Dynamic && f.Of == p.level {
		return Compare{Op: flip(op), Type: Number, Left: f, Right: left.expr}, nil // the order that is not ambiguous
	}
	return Compare{Op: op, Type: Number, Left: left.expr, Right: right.expr}, nil
}

// value requires a constant that suits a field, and says whether it is a date
// without a time. A dynamic field takes each type.
func (p *parser) value(field, v operand) (c Value, day bool, err error) {
	if v.cond != nil {
		return Value{}, false, p.fail(v.first, "", "expected a value, found a condition")
	}
	if field.typ == FullText {
		return Value{}, false, p.mismatch(field, v, "")
	}
	if v.word != "" && (field.typ == Text || field.typ == Set || field.typ == Dynamic) {
		if v.expr != nil {
			return Value{}, false, p.ambiguous(v)
		}
		v.expr = Value{Type: Text, Text: v.word}
	}
	if v.expr == nil {
		return Value{}, false, p.unknownField(v)
	}
	c, ok := v.expr.(Value)
	if !ok {
		return Value{}, false, p.mismatch(field, v, "")
	}
	day = v.day
	if field.typ == Time && c.Type == Text {
		if t, ok := parseDate(c.Text); ok {
			c, day = Value{Type: Time, Time: t}, len(c.Text) == len(time.DateOnly)
		}
	}
	wanted := field.typ
	if wanted == Set {
		wanted = Text
	}
	if wanted != Dynamic && c.Type != wanted {
		return Value{}, false, p.mismatch(field, v, suggest(field, c))
	}
	return c, day, p.checkWord(field, v.first, c.Text)
}

// ambiguous refuses a bare word that may be a text or a field.
func (p *parser) ambiguous(v operand) error {
	return p.fail(v.first, fmt.Sprintf("put quotes around a text: %q; to compare with the field, write it on the left", clip(v.word)), "%s is the name of a field", v.word)
}

func (p *parser) mismatch(field, v operand, hint string) error {
	wanted := field.typ.String()
	switch field.typ {
	case Set:
		wanted = Text.String()
	case Dynamic:
		wanted = "a constant"
	case FullText:
		return p.fail(field.first, `write text contains "…"`, "%s can only be searched", describe(field.first))
	}
	return p.fail(v.first, hint, "expected %s to compare %s with, found %s", wanted, describe(field.first), describe(v.first))
}

// suggest helps with a constant of the wrong type.
func suggest(field operand, c Value) string {
	switch {
	case field.typ == Text || field.typ == Set:
		return "put quotes around a text"
	case field.typ == Time:
		return "write 2026-01-31 or 2026-01-31T18:30:00Z"
	}
	return ""
}

// checkWord refuses a text that a field never has.
func (p *parser) checkWord(field operand, at token, text string) error {
	f, _ := field.expr.(Field)
	kind, _ := lookup(f.Of, f.Name)
	if kind.words == nil || slices.Contains(kind.words, text) {
		return nil
	}
	hint := ""
	if near := nearest(text, kind.words); near != "" {
		hint = "did you mean " + near
	}
	return p.fail(at, hint, "%s is one of %s", kind.name, strings.Join(kind.words, ", "))
}

// compareDates turns a day into the instants at its ends. Metadata has dates
// as ISO texts, whose order is that of time where they are written alike.
func compareDates(left operand, op Op, t time.Time, day bool) Cond {
	at := func(op Op, t time.Time, day bool) Cond {
		right := Value{Type: Time, Time: t}
		if left.typ == Dynamic {
			right = Value{Type: Text, Text: formatTime(t, day)}
		}
		return Compare{Op: op, Type: right.Type, Left: left.expr, Right: right}
	}
	if !day {
		return at(op, t, false)
	}
	next := t.AddDate(0, 0, 1)
	switch op {
	case LE:
		return at(LT, next, true)
	case GT:
		return at(GE, next, true)
	case EQ:
		return And{Terms: []Cond{at(GE, t, true), at(LT, next, true)}}
	case NE:
		return Not{Term: And{Terms: []Cond{at(GE, t, true), at(LT, next, true)}}}
	}
	return at(op, t, true)
}

// in reads a list or a range, after the word.
func (p *parser) in(left operand) (Cond, error) {
	if err := p.asLeft(left); err != nil {
		return nil, err
	}
	if !p.peek().is("(") {
		return p.between(left)
	}
	p.next++
	in := In{Left: left.expr, Type: left.typ}
	for {
		o, err := p.sum()
		if err != nil {
			return nil, err
		}
		v, err := p.listed(left, o, &in)
		if err != nil {
			return nil, err
		}
		in.Values = append(in.Values, v)
		if len(in.Values) > MaxValues {
			return nil, p.fail(o.first, "name a slice or a tag instead", "the list has more than %d values", MaxValues)
		}
		if !p.take(",") {
			break
		}
	}
	if !p.peek().is(")") {
		return nil, p.unexpected(p.peek(), ", or )")
	}
	p.next++
	return wrap(left.within, in), nil
}

// listed checks a value of a list; the first one gives metadata its type.
func (p *parser) listed(left, o operand, in *In) (Value, error) {
	v, day, err := p.value(left, o)
	switch {
	case err != nil:
		return v, err
	case v.Type == Time && left.typ == Dynamic:
		v = Value{Type: Text, Text: formatTime(v.Time, day)}
	case v.Type == Time || v.Type == Bool:
		return v, p.fail(o.first, "write comparisons with or between them", "a list has texts or numbers")
	}
	if in.Type == Dynamic {
		in.Type = v.Type
	}
	if in.Type == Set && v.Type != Text || in.Type != Set && v.Type != in.Type {
		return v, p.fail(o.first, "put quotes around all of them to compare texts", "the values of a list are of one type")
	}
	return v, nil
}

// between reads a range such as 10..20, whose ends belong to it.
func (p *parser) between(left operand) (Cond, error) {
	low, err := p.sum()
	if err != nil {
		return nil, err
	}
	if !p.peek().is("..") {
		return nil, p.fail(low.first, "write in (a, b) or in 10..20", "expected a list in parentheses or a range")
	}
	p.next++
	high, err := p.sum()
	if err != nil {
		return nil, err
	}
	from, err := p.compareTyped(left, GE, low)
	if err != nil {
		return nil, err
	}
	to, err := p.compareTyped(left, LE, high)
	if err != nil {
		return nil, err
	}
	return wrap(left.within, join[And]([]Cond{from, to})), nil
}

// search reads the text that is looked for.
func (p *parser) search(left operand, op SearchOp) (Cond, error) {
	if err := p.asLeft(left); err != nil {
		return nil, err
	}
	f, ok := left.expr.(Field)
	if !ok || left.typ != Text && left.typ != Dynamic && left.typ != FullText || left.typ == FullText && op != Contains {
		hint := ""
		if left.typ == Set {
			hint = "write = to ask for one of the texts"
		}
		return nil, p.fail(left.first, hint, "%s is %s, %s does not apply to it", describe(left.first), left.typ, op)
	}
	t := p.peek()
	text := t.text
	if t.kind == tokWord {
		text = t.word()
	} else if t.kind != tokText {
		text = ""
	}
	if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
		return nil, p.unexpected(t, "a text to look for, in quotes, on one line")
	}
	p.next++
	return wrap(left.within, Search{Field: f, Op: op, Text: text}), nil
}

// exists requires a field, whose existence is asked for.
func (p *parser) exists(left operand) (Cond, error) {
	if err := p.asLeft(left); err != nil {
		return nil, err
	}
	f, ok := left.expr.(Field)
	if !ok || left.typ == FullText {
		return nil, p.fail(left.first, "", "expected a field before exists or is missing")
	}
	return wrap(left.within, Exists{Field: f}), nil
}
