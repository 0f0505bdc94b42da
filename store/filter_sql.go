package store

import (
	"strings"
	"unicode/utf8"

	"remuda/slice"
)

// filterSQL writes the parts of a query that runs a filter, on rows of the
// table item and, where boxes are meant, of annotation as a.
type filterSQL struct {
	dialect     Dialect
	dataset     string
	evaluations map[string]string   // ids, by the names that the filter has
	runs        map[string][]string // ids of models' runs, by the names and ids of models that the filter has
	byItem      bool                // rows are read item by item, whatever PostgreSQL's statistics make of it
	args        []any
}

// arg returns the placeholder of a new parameter.
func (q *filterSQL) arg(value any) string {
	q.args = append(q.args, value)
	return placeholder(len(q.args))
}

func (q *filterSQL) argList(values []string) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = q.arg(v)
	}
	return "(" + strings.Join(marks, ", ") + ")"
}

// currentBox is true of annotations that filters call boxes.
const currentBox = "a.ended_at IS NULL AND a.type = 'box'"

// boxes is the current boxes of the item, as a and after FROM, with WHERE.
func (q *filterSQL) boxes() string {
	if q.dialect == Postgres && q.byItem {
		return "(SELECT * FROM annotation a WHERE a.item = item.id AND " + currentBox + " OFFSET 0) a WHERE TRUE" // OFFSET keeps the planner out
	}
	return "annotation a WHERE a.item = item.id AND " + currentBox
}

// cond writes a condition. exact says that it must be true or false; else it
// may be NULL where it is false, which lets an index answer it.
func (q *filterSQL) cond(c slice.Cond, exact bool) string {
	switch c := c.(type) {
	case slice.And:
		return q.terms(c.Terms, " AND ", "TRUE", exact)
	case slice.Or:
		return q.terms(c.Terms, " OR ", "FALSE", exact)
	case slice.Not:
		return "NOT " + q.cond(c.Term, true)
	case slice.Compare:
		if c.Op == slice.NE {
			c.Op = slice.EQ
			return "NOT " + q.compare(c, true)
		}
		return q.compare(c, exact)
	case slice.In:
		return q.in(c, exact)
	case slice.Search:
		return truth(q.search(c), exact)
	case slice.Exists:
		return q.exists(c.Field)
	case slice.Quantified:
		return q.quantified(c)
	}
	return "FALSE"
}

func (q *filterSQL) terms(terms []slice.Cond, between, none string, exact bool) string {
	if len(terms) == 0 {
		return none
	}
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = q.cond(t, exact)
	}
	return "(" + strings.Join(parts, between) + ")"
}

// truth makes a condition that may be NULL false there, if it must be exact.
func truth(sql string, exact bool) string {
	if exact {
		return "COALESCE(" + sql + ", FALSE)"
	}
	return "(" + sql + ")"
}

// compare writes any comparison but NE.
func (q *filterSQL) compare(c slice.Compare, exact bool) string {
	if c.Type == slice.Number {
		return truth(q.number(c.Left, false)+" "+string(c.Op)+" "+q.number(c.Right, false), exact)
	}
	f, _ := c.Left.(slice.Field)
	v, _ := c.Right.(slice.Value)
	switch c.Type {
	case slice.Text:
		if c.Op == slice.EQ {
			return q.in(slice.In{Left: f, Type: slice.Text, Values: []slice.Value{v}}, exact)
		}
		return truth(q.text(f)+" "+string(c.Op)+" "+q.arg(v.Text), exact)
	case slice.Bool:
		if f.Name == "metadata" {
			return truth(q.metadata(f, "number", "kind = 'bool'")+" = "+q.arg(map[bool]float64{true: 1}[v.Bool]), exact)
		}
		return truth("a.crowd = "+q.arg(v.Bool), exact)
	case slice.Time:
		return truth(q.time(f)+" "+string(c.Op)+" "+q.arg(v.Time.UnixMilli()), exact)
	case slice.Set:
		return q.holds(f, []string{v.Text})
	}
	return "FALSE"
}

func (q *filterSQL) in(c slice.In, exact bool) string {
	if c.Type == slice.Number {
		left := q.number(c.Left, false)
		marks := make([]string, len(c.Values))
		for i, v := range c.Values {
			marks[i] = q.number(v, false)
		}
		return truth(left+" IN ("+strings.Join(marks, ", ")+")", exact)
	}
	f, _ := c.Left.(slice.Field)
	var values []string
	for _, v := range c.Values {
		if v.Text != "" || f.Name == "metadata" || c.Type == slice.Set {
			values = append(values, v.Text) // an empty text of any other field is missing
		}
	}
	if len(values) == 0 {
		return "FALSE"
	}
	if c.Type == slice.Set {
		return q.holds(f, values)
	}
	column := q.text(f)
	if raw, plain := plainText(f); plain {
		column = raw // no NULLIF around it, which no index knows
	}
	return truth(column+" IN "+q.argList(values), exact)
}

func (q *filterSQL) search(c slice.Search) string {
	if c.Field.Type() == slice.FullText {
		return q.position("(SELECT t.text FROM item_text t WHERE t.dataset = item.dataset AND t.item = item.id)", q.arg(lowerASCII(c.Text)))
	}
	column := q.text(c.Field)
	if c.Op == slice.StartsWith {
		return "SUBSTR(" + column + ", 1, " + q.arg(int64(utf8.RuneCountInString(c.Text))) + ") = " + q.arg(c.Text)
	}
	return q.position("LOWER("+column+")", q.arg(lowerASCII(c.Text)))
}

// position is true where a text holds another.
func (q *filterSQL) position(text, part string) string {
	if q.dialect == Postgres {
		return "STRPOS(" + text + ", " + part + ") > 0"
	}
	return "INSTR(" + text + ", " + part + ") > 0"
}

func (q *filterSQL) exists(f slice.Field) string {
	switch f.Type() {
	case slice.Text:
		return "(" + q.text(f) + " IS NOT NULL)"
	case slice.Number:
		return "(" + q.number(f, false) + " IS NOT NULL)"
	case slice.Bool, slice.Time:
		return "TRUE"
	case slice.Set:
		return q.holds(f, nil)
	case slice.Dynamic:
		return "(" + q.metadata(f, "kind", "TRUE") + " IS NOT NULL)"
	}
	return "FALSE"
}

// quantified writes a condition on the boxes of an item.
func (q *filterSQL) quantified(c slice.Quantified) string {
	switch c.Quantifier {
	case slice.Any:
		return q.any(c.Of, c.Where)
	case slice.No:
		return "NOT " + q.any(c.Of, c.Where)
	case slice.All:
		return "NOT " + q.any(c.Of, slice.Not{Term: c.Where})
	}
	return "FALSE"
}

// any is true of items with a box for which a condition is.
func (q *filterSQL) any(of slice.Population, where slice.Cond) string {
	group := groupOf(of, where)
	switch {
	case group.exact:
		return "EXISTS (SELECT 1 FROM " + q.group(group, "g.item = item.id") + ")"
	case group.useful():
		return "(EXISTS (SELECT 1 FROM " + q.group(group, "g.item = item.id") + ") AND " + q.anyBox(of, where) + ")"
	}
	return q.anyBox(of, where)
}

func (q *filterSQL) anyBox(of slice.Population, where slice.Cond) string {
	return "EXISTS (SELECT 1 FROM " + q.boxes() + population(of) + " AND " + q.cond(where, false) + ")"
}

// population limits a query on annotations.
func population(of slice.Population) string {
	switch of {
	case slice.Annotations:
		return " AND a.run = ''"
	case slice.Predictions:
		return " AND a.run <> ''"
	}
	return ""
}

// count is how many boxes of an item there are for which a condition is true.
func (q *filterSQL) count(c slice.Count) string {
	if group := groupOf(c.Of, c.Where); group.exact && len(group.limits) == 0 {
		return "COALESCE((SELECT SUM(g.n) FROM " + q.group(group, "g.item = item.id") + "), 0)"
	}
	return "(SELECT COUNT(*) FROM " + q.boxes() + population(c.Of) + " AND " + q.cond(c.Where, false) + ")"
}
