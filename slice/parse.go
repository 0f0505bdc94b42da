package slice

import (
	"fmt"
	"slices"
	"strings"
)

// Parse reads a filter of a level. Its error is invalid, wraps a
// [*SyntaxError] and has a hint where there is something to suggest. An empty
// text chooses everything.
func Parse(text string, level Level) (Filter, error) {
	return parse(text, level, false)
}

func parse(text string, level Level, dialect bool) (Filter, error) {
	tokens, err := lex(text)
	if err != nil {
		return Filter{}, err
	}
	p := &parser{source: text, tokens: tokens, level: level, dialect: dialect}
	where := Cond(And{})
	if p.peek().kind != tokEnd {
		if where, err = p.condition(); err != nil {
			return Filter{}, err
		}
		if t := p.peek(); t.kind != tokEnd {
			return Filter{}, p.unexpected(t, "and, or, or the end")
		}
	}
	f := Filter{Level: level, Where: where}
	return f, p.checkSize(f)
}

// parser reads conditions and expressions alike as operands, by recursive
// descent, and checks at each operator which of the two it needs. So a
// parenthesis is read once, whatever is inside.
type parser struct {
	source  string
	tokens  []token
	next    int
	level   Level // of the rows that a field belongs to here
	nesting int
	dialect bool // annotations.horse means count(horse)
}

// operand is a condition (cond is set) or an expression (cond is nil).
type operand struct {
	first     token
	cond      Cond
	expr      Expr // nil for a bare word that names no field
	typ       Type
	word      string  // the bare word it was
	day       bool    // a date without a time
	constant  bool    // nothing but constants
	operators int     // of its arithmetic
	within    *within // the dialect's condition on boxes that expr belongs to
}

func (p *parser) peek() token { return p.tokens[p.next] }

// take steps over the next token if it is the sign or keyword.
func (p *parser) take(text string) bool {
	if p.peek().is(text) {
		p.next++
		return true
	}
	return false
}

func (p *parser) fail(t token, hint, format string, args ...any) error {
	return failAt(p.source, t.at, hint, format, args...)
}

func (p *parser) unexpected(t token, expected string) error {
	return p.fail(t, "", "expected %s, found %s", expected, describe(t))
}

func describe(t token) string {
	if t.kind == tokEnd {
		return "the end"
	}
	return clip(t.source)
}

// clip shortens what an error cites.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return s
}

func (p *parser) need(sign string) error {
	if !p.take(sign) {
		return p.unexpected(p.peek(), sign)
	}
	return nil
}

// enter guards the stack against deep nesting; leave undoes it.
func (p *parser) enter(t token) error {
	if p.nesting++; p.nesting > maxNesting {
		return p.fail(t, "", "the filter is nested too deep, at most %d levels are allowed", MaxDepth)
	}
	return nil
}

func (p *parser) leave() { p.nesting-- }

// condition reads a whole condition.
func (p *parser) condition() (Cond, error) {
	o, err := p.or()
	if err != nil {
		return nil, err
	}
	return p.asCond(o)
}

// asCond requires a condition; a field that is true or false is one.
func (p *parser) asCond(o operand) (Cond, error) {
	switch {
	case o.cond != nil:
		return o.cond, nil
	case o.expr == nil:
		return nil, p.unknownField(o)
	case o.typ == Bool && !o.constant:
		return Compare{Op: EQ, Type: Bool, Left: o.expr, Right: Value{Type: Bool, Bool: true}}, nil
	}
	return nil, p.unexpected(p.peek(), "a comparison such as = or >")
}

func (p *parser) or() (operand, error) {
	return p.chain("or", p.and, func(terms []Cond) Cond { return join[Or](terms) })
}

func (p *parser) and() (operand, error) {
	return p.chain("and", p.not, func(terms []Cond) Cond { return join[And](terms) })
}

// chain reads terms between which stands a keyword.
func (p *parser) chain(keyword string, term func() (operand, error), join func([]Cond) Cond) (operand, error) {
	first, err := term()
	if err != nil || !p.peek().is(keyword) {
		return first, err
	}
	c, err := p.asCond(first)
	terms := []Cond{c}
	for err == nil && p.take(keyword) {
		var o operand
		if o, err = term(); err == nil {
			c, err = p.asCond(o)
			terms = append(terms, c)
		}
	}
	if err != nil {
		return operand{}, err
	}
	return operand{first: first.first, cond: join(terms)}, nil
}

// join makes an And or Or of terms, without one of its kind inside.
func join[T interface{ And | Or }](terms []Cond) Cond {
	var flat []Cond
	for _, t := range terms {
		if _, same := any(t).(T); same {
			flat = append(flat, termsOf(t)...)
		} else {
			flat = append(flat, t)
		}
	}
	switch any(*new(T)).(type) {
	case And:
		return And{Terms: flat}
	default:
		return Or{Terms: flat}
	}
}

func termsOf(c Cond) []Cond {
	switch c := c.(type) {
	case And:
		return c.Terms
	case Or:
		return c.Terms
	}
	return nil
}

func (p *parser) not() (operand, error) {
	t := p.peek()
	if !p.take("not") {
		return p.comparison()
	}
	if err := p.enter(t); err != nil {
		return operand{}, err
	}
	defer p.leave()
	o, err := p.not()
	if err != nil {
		return operand{}, err
	}
	c, err := p.asCond(o)
	return operand{first: t, cond: Not{Term: c}}, err
}

func (p *parser) comparison() (operand, error) {
	left, err := p.sum()
	if err != nil || left.cond != nil {
		return left, err
	}
	t := p.peek()
	var c Cond
	switch {
	case t.kind == tokSign && slices.Contains([]Op{EQ, NE, LT, LE, GT, GE}, Op(t.text)):
		p.next++
		var right operand
		if right, err = p.sum(); err == nil {
			c, err = p.compare(left, Op(t.text), right)
		}
	case p.take("in"):
		c, err = p.in(left)
	case t.is("not"):
		p.next++
		if err = p.need("in"); err == nil {
			c, err = p.in(left)
		}
		c = Not{Term: c}
	case p.take("contains"):
		c, err = p.search(left, Contains)
	case p.take("starts"):
		if err = p.need("with"); err == nil {
			c, err = p.search(left, StartsWith)
		}
	case p.take("exists"):
		c, err = p.exists(left)
	case p.take("is"):
		if err = p.need("missing"); err == nil {
			c, err = p.exists(left)
		}
		c = Not{Term: c}
	default:
		return left, nil
	}
	return operand{first: left.first, cond: c}, err
}

func (p *parser) sum() (operand, error) { return p.arithmetic("+-", p.product) }

func (p *parser) product() (operand, error) { return p.arithmetic("*%", p.primary) }

// arithmetic reads operands between which stands one of some signs.
func (p *parser) arithmetic(signs string, term func() (operand, error)) (operand, error) {
	left, err := term()
	for err == nil {
		sign := p.peek()
		if sign.kind != tokSign || len(sign.text) != 1 || !strings.Contains(signs, sign.text) {
			break
		}
		p.next++
		var right operand
		if right, err = term(); err == nil {
			left, err = p.combine(left, sign.text[0], right)
		}
	}
	return left, err
}

func (p *parser) combine(left operand, sign byte, right operand) (operand, error) {
	for _, o := range []operand{left, right} {
		if err := p.asNumber(o); err != nil {
			return operand{}, err
		}
	}
	if sign == '%' {
		v, ok := right.expr.(Value)
		if !ok || v.Number != float64(int(v.Number)) || v.Number < 1 || v.Number > 1e9 {
			return operand{}, p.fail(right.first, "for example metadata.frame_number % 5 = 0", "after %% stands a whole number from 1 to 1e9")
		}
	}
	if right.within != nil {
		if left.within != nil || !left.constant {
			return operand{}, p.fail(right.first, "compare it by itself", "the metadata of annotations cannot be mixed with other fields")
		}
		left.within = right.within
	} else if left.within != nil && !right.constant {
		return operand{}, p.fail(right.first, "compare it by itself", "the metadata of annotations cannot be mixed with other fields")
	}
	operators := 1 + left.operators + right.operators
	if operators > MaxOperators {
		return operand{}, p.fail(left.first, "", "the expression has more than %d operators", MaxOperators)
	}
	return operand{
		first: left.first, operators: operators, expr: Arithmetic{Op: sign, Left: left.expr, Right: right.expr}, typ: Number,
		constant: left.constant && right.constant, within: left.within,
	}, nil
}

// asNumber requires an expression that is a number, or may be one.
func (p *parser) asNumber(o operand) error {
	switch {
	case o.cond != nil:
		return p.fail(o.first, "", "expected a number, found a condition")
	case o.expr == nil:
		return p.unknownField(o)
	case o.typ != Number && o.typ != Dynamic:
		return p.fail(o.first, "", "expected a number, %s is %s", describe(o.first), o.typ)
	}
	return nil
}

func (p *parser) primary() (operand, error) {
	t := p.peek()
	p.next++
	switch t.kind {
	case tokNumber:
		return constant(t, Value{Type: Number, Number: t.number}), nil
	case tokText:
		return constant(t, Value{Type: Text, Text: t.text}), nil
	case tokDate:
		o := constant(t, Value{Type: Time, Time: t.time})
		o.day = t.day
		return o, nil
	case tokWord:
		if p.peek().is("(") {
			return p.call(t)
		}
		return p.field(t)
	case tokSign:
		return p.group(t)
	case tokKeyword:
		switch t.text {
		case "true", "false":
			return constant(t, Value{Type: Bool, Bool: t.text == "true"}), nil
		case "any", "all", "no", "none":
			return p.quantified(t)
		case "null":
			return operand{}, p.fail(t, "write: is missing", "nothing is compared with null")
		}
	}
	p.next--
	if t.kind == tokKeyword && p.next > 0 {
		return operand{}, p.fail(t, fmt.Sprintf("put quotes around it if it is a text: %q", t.source), "expected a field or a value, found %s", t.source)
	}
	return operand{}, p.unexpected(t, "a field or a value")
}

// group reads what begins with a sign: a parenthesis or a negative number.
func (p *parser) group(t token) (operand, error) {
	switch n := p.peek(); {
	case t.text == "-" && n.kind == tokNumber:
		p.next++
		return constant(t, Value{Type: Number, Number: 0 - n.number}), nil // never −0
	case t.text == "(":
		if err := p.enter(t); err != nil {
			return operand{}, err
		}
		defer p.leave()
		o, err := p.or()
		if err != nil {
			return operand{}, err
		}
		o.word = ""
		if o.cond != nil {
			o.first = t
		}
		return o, p.need(")")
	}
	p.next--
	return operand{}, p.unexpected(t, "a field or a value")
}

func constant(t token, v Value) operand {
	return operand{first: t, expr: v, typ: v.Type, constant: true}
}

// checkSize refuses what a database would choke on, and what could not be read
// again from its canonical form.
func (p *parser) checkSize(f Filter) error {
	nodes, values := 0, 0
	f.Inspect(func(node any) bool {
		nodes++
		if in, ok := node.(In); ok {
			values += len(in.Values)
		}
		return true
	})
	switch {
	case values > MaxValues:
		return failAt(p.source, 0, "name a slice or a tag instead", "the lists have %d values, at most %d are allowed", values, MaxValues)
	case nodes > MaxNodes:
		return failAt(p.source, 0, "use in (…) for many values of a field", "the filter has %d parts, at most %d are allowed", nodes, MaxNodes)
	case depth(f.Where) > MaxDepth:
		return failAt(p.source, 0, "", "the filter is nested too deep, at most %d levels are allowed", MaxDepth)
	case len(f.String()) > MaxText:
		return failAt(p.source, 0, "", "the filter is too long, its canonical form has more than %d bytes", MaxText)
	}
	return nil
}

func depth(node any) int {
	deepest := 0
	for _, child := range children(node) {
		deepest = max(deepest, depth(child))
	}
	return deepest + 1
}
