package slice

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// String returns the canonical form: Parse reads it back as the same filter.
// It is "" for a filter that chooses everything.
func (f Filter) String() string {
	p := printer{level: f.Level}
	p.cond(f.Where)
	return p.String()
}

type printer struct {
	strings.Builder
	level Level // of the rows that a field without item. belongs to
}

func (p *printer) cond(c Cond) {
	switch c := c.(type) {
	case And:
		p.terms(c.Terms, " and ", func(c Cond) bool { return isOr(c) })
	case Or:
		p.terms(c.Terms, " or ", func(Cond) bool { return false })
	case Not:
		p.not(c.Term)
	case Compare:
		p.compare(c)
	case In:
		p.in(c, " in (")
	case Search:
		p.expr(c.Field, 0)
		p.WriteString(" " + string(c.Op) + " " + quote(c.Text))
	case Exists:
		p.expr(c.Field, 0)
		p.WriteString(" exists")
	case Quantified:
		p.WriteString(string(c.Quantifier) + " " + c.noun())
		p.where(c.Where)
	}
}

func (p *printer) compare(c Compare) {
	p.expr(c.Left, 0)
	p.WriteString(" " + string(c.Op) + " ")
	if v, ok := c.Right.(Value); ok && v.Type == Time && (c.Op == GE || c.Op == LT) && isDay(v.Time) {
		p.WriteString(formatTime(v.Time, true)) // where a day begins is what >= and < mean by it
		return
	}
	p.expr(c.Right, 0)
}

// noun is plural after all: all boxes, but any box and no box.
func (q Quantified) noun() string {
	if q.Quantifier == All {
		return string(q.Of)
	}
	return map[Population]string{AllBoxes: "box", Annotations: "annotation", Predictions: "prediction"}[q.Of]
}

func isOr(c Cond) bool {
	_, ok := c.(Or)
	return ok
}

func (p *printer) terms(terms []Cond, between string, parens func(Cond) bool) {
	for i, t := range terms {
		if i > 0 {
			p.WriteString(between)
		}
		if parens(t) {
			p.parens(t)
		} else {
			p.cond(t)
		}
	}
}

func (p *printer) parens(c Cond) {
	p.WriteByte('(')
	p.cond(c)
	p.WriteByte(')')
}

func (p *printer) not(term Cond) {
	switch t := term.(type) {
	case In:
		p.in(t, " not in (")
	case Exists:
		p.expr(t.Field, 0)
		p.WriteString(" is missing")
	case And, Or:
		p.WriteString("not ")
		p.parens(t)
	default:
		p.WriteString("not ")
		p.cond(t)
	}
}

func (p *printer) in(c In, between string) {
	p.expr(c.Left, 0)
	p.WriteString(between)
	for i, v := range c.Values {
		if i > 0 {
			p.WriteString(", ")
		}
		p.expr(v, 0)
	}
	p.WriteByte(')')
}

// where writes a condition on boxes in parentheses, unless it says nothing.
func (p *printer) where(c Cond) {
	if and, ok := c.(And); ok && len(and.Terms) == 0 {
		return
	}
	outer := p.level
	p.level = Boxes
	p.WriteByte(' ')
	p.parens(c)
	p.level = outer
}

// The strengths with which operators bind; an operand that binds less needs
// parentheses.
const (
	sums     = 1
	products = 2
)

func (p *printer) expr(e Expr, least int) {
	switch e := e.(type) {
	case Value:
		p.WriteString(e.String())
	case Field:
		if e.Of == Items && p.level == Boxes {
			p.WriteString("item.")
		}
		p.WriteString(e.String())
	case Count:
		p.count(e)
	case Arithmetic:
		binds := sums
		if e.Op == '*' || e.Op == '%' {
			binds = products
		}
		if binds < least {
			p.WriteByte('(')
			defer p.WriteByte(')')
		}
		p.expr(e.Left, binds)
		p.WriteString(" " + string(e.Op) + " ")
		p.expr(e.Right, binds+1)
	}
}

func (p *printer) count(c Count) {
	p.WriteString("count(")
	if name, ok := categoryOf(c); ok {
		p.WriteString(quote(name))
	} else {
		p.WriteString(string(c.Of))
		p.where(c.Where)
	}
	p.WriteByte(')')
}

// categoryOf returns the category of a Count that has a short form.
func categoryOf(c Count) (string, bool) {
	is, ok := c.Where.(Compare)
	if !ok || c.Of != Annotations {
		return "", false
	}
	v, _ := is.Right.(Value)
	f, _ := is.Left.(Field)
	return v.Text, is.Op == EQ && f.Of == Boxes && f.Name == "category"
}

// String returns the field as a filter of its own level names it.
func (f Field) String() string {
	if f.Evaluation != "" {
		return f.Name + "(" + quote(f.Evaluation) + ")"
	}
	name := f.Name
	for _, key := range f.Path {
		if !isBareKey(key) {
			key = quote(key)
		}
		name += "." + key
	}
	return name
}

func isBareKey(key string) bool {
	return key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// String returns the value as it is written in a filter.
func (v Value) String() string {
	switch v.Type {
	case Number:
		return formatNumber(v.Number)
	case Bool:
		return strconv.FormatBool(v.Bool)
	case Time:
		return formatTime(v.Time, false)
	}
	return quote(v.Text)
}

func formatNumber(n float64) string {
	if n != 0 && n < 1e-6 && n > -1e-6 {
		return strconv.FormatFloat(n, 'e', -1, 64)
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}

func formatTime(t time.Time, day bool) string {
	if day {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05.999Z")
}

// isDay reports whether an instant is where a day begins that can be written.
func isDay(t time.Time) bool { return t.Equal(t.Truncate(24*time.Hour)) && t.Year() < 9999 }

// quote writes a text so that the lexer reads it back.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unicode.IsControl(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
