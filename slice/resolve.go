package slice

import (
	"fmt"
	"slices"
	"strings"
)

// field resolves a path where a field or a bare word may stand.
func (p *parser) field(t token) (operand, error) {
	if p.dialect && p.level == Items && isDialect(t) {
		return p.dialectField(t)
	}
	level, path, quoted := p.level, t.path, t.quoted
	if len(path) > 1 && path[0] == "item" && !quoted[1] {
		level, path = Items, path[1:]
	}
	o := operand{first: t, word: t.word()}
	kind, ok := lookup(level, path[0])
	switch {
	case !ok:
		if o.word != "" {
			return o, nil // perhaps a text; its neighbour decides
		}
		return o, p.unknownField(o)
	case kind.evaluation:
		return o, p.fail(t, fmt.Sprintf(`write %s("name of the evaluation")`, kind.name), "%s needs the evaluation that it is of", kind.name)
	case kind.typ == Dynamic && len(path) == 1:
		return o, p.fail(t, "write for example metadata.weather", "metadata needs the key that is meant")
	case kind.typ != Dynamic && len(path) > 1:
		return o, p.fail(t, "", "%s is %s, there is nothing inside it", path[0], kind.typ)
	}
	f := Field{Of: level, Name: kind.name}
	if kind.typ == Dynamic {
		f.Path = slices.Clone(path[1:])
	}
	o.expr, o.typ = f, kind.typ
	return o, nil
}

// unknownField says which field may have been meant.
func (p *parser) unknownField(o operand) error {
	name := o.first.path[0]
	level := p.level
	if name == "item" && len(o.first.path) > 1 {
		level, name = Items, o.first.path[1]
	}
	hint := "fields of " + level.String() + " are " + strings.Join(FieldNames(level), ", ")
	if near := nearest(name, FieldNames(level)); near != "" {
		hint = "did you mean " + near
	} else if kind, ok := lookup(Boxes, name); ok && level == Items {
		hint = fmt.Sprintf("%s is a field of boxes: write any box (%s …)", kind.name, kind.name)
	} else if kind, ok := lookup(Items, name); ok && level == Boxes {
		hint = fmt.Sprintf("%s is a field of items: write item.%s", kind.name, kind.name)
	} else if _, ok := population(o.first); ok && level == Items {
		hint = "write count(" + name + ")"
	} else if isDialect(o.first) {
		hint = "write count(" + clip(strings.TrimPrefix(o.first.source, name+".")) + "), or count(" + name + ") for all of them"
	}
	return p.fail(o.first, hint, "%s have no field %s", level, clip(name))
}

// call reads what has an argument: count(…), match(…) and iou(…).
func (p *parser) call(t token) (operand, error) {
	if t.word() == "count" {
		return p.count(t)
	}
	kind, ok := lookup(p.level, t.path[0])
	if !ok || !kind.evaluation || len(t.path) > 1 {
		if k, found := lookup(Boxes, t.path[0]); found && k.evaluation && p.level == Items {
			return operand{}, p.unknownField(operand{first: t})
		}
		hint := "count(…) takes an argument in filters of items"
		if p.level == Boxes {
			hint = "match(…) and iou(…) take an argument"
		}
		if near := nearest(t.path[0], []string{"count", "match", "iou"}); near != "" {
			hint = "did you mean " + near
		}
		return operand{}, p.fail(t, hint, "%s takes no argument", clip(t.source))
	}
	p.next++
	name := p.peek()
	evaluation := name.text
	if name.kind != tokText {
		evaluation = name.word()
	}
	if evaluation == "" {
		return operand{}, p.unexpected(name, "the name of an evaluation in quotes")
	}
	p.next++
	f := Field{Of: Boxes, Name: kind.name, Evaluation: evaluation}
	return operand{first: t, expr: f, typ: kind.typ}, p.need(")")
}

// count reads count(horse), count(boxes) or count(boxes (…)), after its name.
func (p *parser) count(t token) (operand, error) {
	if p.level == Boxes {
		return operand{}, p.fail(t, "", "count is of the boxes of an item, it cannot stand in a condition on a box")
	}
	p.next++
	c := Count{Of: Annotations}
	what := p.peek()
	var err error
	switch of, ok := population(what); {
	case ok:
		p.next++
		c.Of = of
		c.Where, err = p.whereBoxes()
	case what.kind == tokText || what.word() != "":
		p.next++
		c.Where = isCategory(what.text + what.word())
	case what.kind == tokKeyword:
		return operand{}, p.fail(what, fmt.Sprintf("put quotes around a category: count(%q)", what.source), "expected a category, or boxes, annotations or predictions")
	default:
		return operand{}, p.unexpected(what, "a category, or boxes, annotations or predictions")
	}
	if err == nil {
		err = p.need(")")
	}
	return operand{first: t, expr: c, typ: Number}, err
}

func isCategory(name string) Cond {
	return Compare{Op: EQ, Type: Text, Left: Field{Of: Boxes, Name: "category"}, Right: Value{Type: Text, Text: name}}
}

func population(t token) (Population, bool) {
	switch strings.ToLower(t.word()) {
	case "box", "boxes":
		return AllBoxes, true
	case "annotation", "annotations":
		return Annotations, true
	case "prediction", "predictions":
		return Predictions, true
	}
	return "", false
}

// quantified reads any box (…), after its first word.
func (p *parser) quantified(t token) (operand, error) {
	q := Quantified{Quantifier: Quantifier(t.text)}
	if t.text == "none" {
		q.Quantifier = No
	}
	of, ok := population(p.peek())
	if !ok {
		hint := fmt.Sprintf("put quotes around it if it is a text: %q", t.source)
		if next := p.peek(); next.kind == tokText || next.word() != "" {
			hint = fmt.Sprintf("write %s annotation (category = %s)", t.source, clip(next.source))
		}
		return operand{}, p.fail(p.peek(), hint, "expected box, annotation or prediction after %s, found %s", t.source, describe(p.peek()))
	}
	if p.level == Boxes {
		return operand{}, p.fail(t, "", "%s %s is a condition on an item, it cannot stand in one on a box", t.source, p.peek().source)
	}
	p.next++
	var err error
	q.Of = of
	q.Where, err = p.whereBoxes()
	return operand{first: t, cond: q}, err
}

// whereBoxes reads a condition on boxes in parentheses, if there is one.
func (p *parser) whereBoxes() (Cond, error) {
	t := p.peek()
	if !p.take("(") {
		return And{}, nil
	}
	if err := p.enter(t); err != nil {
		return nil, err
	}
	defer p.leave()
	outer := p.level
	p.level = Boxes
	defer func() { p.level = outer }()
	c, err := p.condition()
	if err != nil {
		return nil, err
	}
	return c, p.need(")")
}
