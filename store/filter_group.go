package store

import (
	"slices"
	"strings"

	"remuda/slice"
)

// groupWanted says which rows of box_group have items with boxes of a kind: a
// group's name and limits of its ranges.
type groupWanted struct {
	of     slice.Population
	name   string
	limits []groupLimit
	exact  bool // such a row is there exactly if such a box is; else if one is, there is a row
}

// groupLimit compares an end of a range with a number.
type groupLimit struct {
	column string
	op     slice.Op
	value  any // float64 or, of times, int64
}

// useful says whether the rows are fewer than those of all items with boxes.
func (g *groupWanted) useful() bool { return g.name != "" || len(g.limits) > 0 }

// groupOf reads a condition on boxes as what groups can say of it.
func groupOf(of slice.Population, where slice.Cond) groupWanted {
	terms := []slice.Cond{where}
	if and, ok := where.(slice.And); ok {
		terms = and.Terms
	}
	g := groupWanted{of: of, exact: true}
	for _, t := range terms {
		if name := g.named(t); name != "" && g.name == "" {
			g.name = name
			continue
		}
		limits := limitsOf(t)
		g.limits = append(g.limits, limits...)
		if len(limits) == 0 || len(g.limits) > 1 {
			g.exact = false
		}
	}
	return g
}

// named returns the group of a term such as category = horse.
func (g *groupWanted) named(t slice.Cond) string {
	c, ok := t.(slice.Compare)
	if !ok || c.Op != slice.EQ || c.Type != slice.Text {
		return ""
	}
	f, _ := c.Left.(slice.Field)
	v, _ := c.Right.(slice.Value)
	switch {
	case f.Of != slice.Boxes || v.Text == "":
	case f.Name == "category":
		return "=" + v.Text
	case f.Name == "author":
		return "@" + v.Text
	}
	return ""
}

// limitsOf returns what a comparison of a box's number with a constant says of
// the ranges; two limits are not exact, since different boxes may be at the ends.
func limitsOf(t slice.Cond) []groupLimit {
	c, ok := t.(slice.Compare)
	if !ok {
		return nil
	}
	f, isField := c.Left.(slice.Field)
	v, isValue := c.Right.(slice.Value)
	if !isField || !isValue || f.Of != slice.Boxes {
		return nil
	}
	var value any
	switch {
	case c.Type == slice.Number && slices.Contains([]string{"area", "width", "height", "aspect", "confidence"}, f.Name):
		value = v.Number
	case c.Type == slice.Time:
		value = v.Time.UnixMilli()
	default:
		return nil
	}
	switch c.Op {
	case slice.LT, slice.LE:
		return []groupLimit{{f.Name + "_min", c.Op, value}}
	case slice.GT, slice.GE:
		return []groupLimit{{f.Name + "_max", c.Op, value}}
	case slice.EQ:
		return []groupLimit{{f.Name + "_min", slice.LE, value}, {f.Name + "_max", slice.GE, value}}
	}
	return nil
}

// group is the rows of box_group that are wanted, as g and after FROM, with more conditions on them.
func (q *filterSQL) group(g groupWanted, more ...string) string {
	prediction := map[slice.Population]string{slice.Annotations: "= FALSE", slice.Predictions: "= TRUE"}[g.of]
	if prediction == "" {
		prediction = "IN (FALSE, TRUE)"
	}
	conditions := append([]string{"g.prediction " + prediction, "g.name = " + q.arg(g.name), "g.n > 0"}, more...)
	for _, l := range g.limits {
		value := q.arg(l.value)
		if _, double := l.value.(float64); double {
			value = "CAST(" + value + " AS DOUBLE PRECISION)"
		}
		conditions = append(conditions, "g."+l.column+" "+string(l.op)+" "+value)
	}
	dataset := "item.dataset"
	if len(more) == 0 {
		dataset = q.arg(q.dataset)
	}
	return "box_group g WHERE g.dataset = " + dataset + " AND " + strings.Join(conditions, " AND ")
}
