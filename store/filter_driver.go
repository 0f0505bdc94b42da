package store

import (
	"slices"
	"strings"

	"remuda/slice"
)

// driver writes a query of ids of items, as item, in which all are that a
// filter chooses. It may name one twice.
type driver func(q *filterSQL) string

func distinct(query string) string { return strings.Replace(query, "SELECT ", "SELECT DISTINCT ", 1) }

// drivers returns those of the terms that must all be true.
func (r *filterRun) drivers() (found []driver) {
	if r.slice.ID != "" {
		found = append(found, func(q *filterSQL) string {
			return "SELECT m.item AS item FROM slice_member m WHERE m.slice = " + q.arg(r.slice.ID)
		})
	}
	if r.run != nil && *r.run != "" {
		found = append(found, func(q *filterSQL) string {
			return "SELECT g.item AS item FROM box_group g WHERE g.dataset = " + q.arg(q.dataset) + " AND g.prediction = TRUE AND g.name = " + q.arg("~"+*r.run)
		})
	}
	if r.filter.Level == slice.Boxes {
		return append(found, r.driversOfBoxes(slice.AllBoxes, r.filter.Where)...)
	}
	terms := conjuncts(r.filter.Where)
	found = append(found, driversOfRanges(terms)...)
	for _, t := range terms {
		switch t := t.(type) {
		case slice.Quantified:
			if t.Quantifier == slice.Any {
				found = append(found, r.driversOfBoxes(t.Of, t.Where)...)
			}
		case slice.Compare:
			if c, ok := t.Left.(slice.Count); ok && !acceptsNone(t) {
				found = append(found, r.driversOfBoxes(c.Of, c.Where)...)
				found = append(found, driverOfCount(t, c)...)
			}
			found = append(found, driverOfItem(t)...)
		case slice.In, slice.Search:
			found = append(found, driverOfItem(t)...)
		}
	}
	return found
}

func conjuncts(c slice.Cond) []slice.Cond {
	if and, ok := c.(slice.And); ok {
		return and.Terms
	}
	return []slice.Cond{c}
}

// acceptsNone says whether a comparison of a count may be true where it is zero.
func acceptsNone(c slice.Compare) bool {
	v, constant := c.Right.(slice.Value)
	if !constant {
		return true
	}
	switch c.Op {
	case slice.EQ:
		return v.Number == 0
	case slice.GT:
		return v.Number < 0
	case slice.GE:
		return v.Number <= 0
	}
	return true
}

// driverOfCount finds items by how many boxes of a group they have.
func driverOfCount(c slice.Compare, count slice.Count) []driver {
	g := groupOf(count.Of, count.Where)
	if !g.exact || len(g.limits) > 0 || count.Of == slice.AllBoxes {
		return nil
	}
	return []driver{func(q *filterSQL) string {
		return "SELECT g.item AS item FROM " + q.group(g) + " AND g.n " + string(c.Op) + " " + q.number(c.Right, false)
	}}
}

// driversOfBoxes finds items that have a box for which a condition is true.
func (r *filterRun) driversOfBoxes(of slice.Population, where slice.Cond) (found []driver) {
	if g := groupOf(of, where); g.useful() {
		found = append(found, func(q *filterSQL) string { return "SELECT g.item AS item FROM " + q.group(g) })
	}
	found = append(found, driversOfRanges(conjuncts(where))...)
	for _, t := range conjuncts(where) {
		switch t := t.(type) {
		case slice.Compare:
			if f, ok := t.Left.(slice.Field); ok {
				found = append(found, driverOfBox(f, t.Type, t.Op, []slice.Expr{t.Right})...)
			}
		case slice.In:
			if f, ok := t.Left.(slice.Field); ok {
				found = append(found, driverOfBox(f, t.Type, slice.EQ, exprs(t.Values))...)
			}
		}
	}
	return found
}

func exprs(values []slice.Value) []slice.Expr {
	found := make([]slice.Expr, len(values))
	for i, v := range values {
		found[i] = v
	}
	return found
}

// driverOfBox finds items by a field of a box that no group has.
func driverOfBox(f slice.Field, typ slice.Type, op slice.Op, right []slice.Expr) []driver {
	values := constants(right)
	switch {
	case f.Of == slice.Items:
		return driverOfField(f, typ, op, values)
	case values == nil || op == slice.NE:
		return nil
	case f.Name == "metadata":
		return driverOfMetadata(f, typ, op, values, "v.annotation <> ''")
	case f.Name == "category" && op == slice.EQ:
		return []driver{func(q *filterSQL) string {
			names := texts(values)
			for i := range names {
				names[i] = "=" + names[i]
			}
			return "SELECT g.item AS item FROM box_group g WHERE g.dataset = " + q.arg(q.dataset) + " AND g.prediction IN (FALSE, TRUE) AND g.name IN " + q.argList(names)
		}}
	case f.Name == "match" && op == slice.EQ:
		return []driver{func(q *filterSQL) string {
			return "SELECT e.item AS item FROM evaluation_match e WHERE e.evaluation = " + q.arg(q.evaluations[f.Evaluation]) + " AND e.kind IN " + q.argList(texts(values))
		}}
	case f.Name == "source":
		return driverOfSource(texts(values))
	}
	return nil
}

// driverOfSource finds items by the runs of models; those with ground truth are too many to be worth it.
func driverOfSource(names []string) []driver {
	if slices.Contains(names, "human") || slices.Contains(names, "model") {
		return nil
	}
	return []driver{func(q *filterSQL) string {
		var groups []string
		for _, run := range q.runsOf(names) {
			groups = append(groups, "~"+run)
		}
		if len(groups) == 0 {
			return driverOfIDs(nil)(q)
		}
		return "SELECT g.item AS item FROM box_group g WHERE g.dataset = " + q.arg(q.dataset) + " AND g.prediction = TRUE AND g.name IN " + q.argList(groups)
	}}
}

// driverOfItem finds items by a field of their own.
func driverOfItem(t slice.Cond) []driver {
	switch t := t.(type) {
	case slice.Compare:
		if f, ok := t.Left.(slice.Field); ok {
			return driverOfField(f, t.Type, t.Op, constants([]slice.Expr{t.Right}))
		}
	case slice.In:
		if f, ok := t.Left.(slice.Field); ok {
			return driverOfField(f, t.Type, slice.EQ, t.Values)
		}
	case slice.Search:
		if t.Field.Type() == slice.FullText {
			return []driver{func(q *filterSQL) string {
				return "SELECT t.item AS item FROM item_text t WHERE t.dataset = " + q.arg(q.dataset) + " AND " + q.position("t.text", q.arg(lowerASCII(t.Text)))
			}}
		}
	}
	return nil
}

func driverOfField(f slice.Field, typ slice.Type, op slice.Op, values []slice.Value) []driver {
	if values == nil || op == slice.NE || f.Of != slice.Items {
		return nil
	}
	switch f.Name {
	case "metadata":
		return driverOfMetadata(f, typ, op, values, "v.annotation = ''")
	case "id", "reference_id", "author":
		if op != slice.EQ {
			return nil
		}
		column, _ := plainText(f)
		return []driver{func(q *filterSQL) string {
			return "SELECT item.id AS item FROM item WHERE item.dataset = " + q.arg(q.dataset) + " AND " + column + " IN " + q.argList(texts(values))
		}}
	case "tag":
		return []driver{func(q *filterSQL) string {
			return "SELECT t.subject AS item FROM tag t WHERE t.name IN " + q.argList(texts(values))
		}}
	case "slice":
		return []driver{func(q *filterSQL) string {
			return "SELECT m.item AS item FROM " + q.set(f, texts(values), "m.item")
		}}
	}
	return nil
}

// driverOfMetadata finds items by a value of metadata, their own or of a box.
func driverOfMetadata(f slice.Field, typ slice.Type, op slice.Op, values []slice.Value, level string) []driver {
	return []driver{func(q *filterSQL) string {
		query := "SELECT v.item AS item FROM metadata_value v WHERE v.dataset = " + q.arg(q.dataset) + " AND v.key = " + q.arg(metadataKey(f)) + " AND " + level
		switch {
		case typ == slice.Text && op == slice.EQ:
			heads := texts(values)
			for i := range heads {
				heads[i] = headOf(heads[i])
			}
			return query + " AND v.kind = 'text' AND v.head IN " + q.argList(heads)
		case typ == slice.Text:
			loose := map[slice.Op]string{slice.LT: "<=", slice.LE: "<=", slice.GT: ">=", slice.GE: ">="}[op]
			return query + " AND v.kind = 'text' AND v.head " + loose + " " + q.arg(headOf(values[0].Text))
		case typ == slice.Bool:
			return query + " AND v.number IS NOT NULL AND v.kind = 'bool' AND v.number = " + q.arg(map[bool]float64{true: 1}[values[0].Bool])
		}
		numbers := make([]string, len(values))
		for i, v := range values {
			numbers[i] = q.number(v, false)
		}
		if op == slice.EQ {
			return query + " AND v.number IS NOT NULL AND v.number IN (" + strings.Join(numbers, ", ") + ")"
		}
		return query + " AND v.number IS NOT NULL AND v.number " + string(op) + " " + numbers[0]
	}}
}

// driversOfRanges finds items by numbers of metadata that have both a lower
// and an upper limit, which alone may each be true of many.
func driversOfRanges(terms []slice.Cond) (found []driver) {
	for i, t := range terms {
		low, value, ok := limitOfMetadata(t, slice.GT, slice.GE)
		if !ok {
			continue
		}
		for _, other := range slices.Concat(terms[:i], terms[i+1:]) {
			if high, most, ok := limitOfMetadata(other, slice.LT, slice.LE); ok && high.Of == low.Of && metadataKey(high) == metadataKey(low) {
				level := map[slice.Level]string{slice.Items: "v.annotation = ''", slice.Boxes: "v.annotation <> ''"}[low.Of]
				found = append(found, func(q *filterSQL) string {
					return "SELECT v.item AS item FROM metadata_value v WHERE v.dataset = " + q.arg(q.dataset) + " AND v.key = " + q.arg(metadataKey(low)) +
						" AND " + level + " AND v.number IS NOT NULL AND v.number BETWEEN " + q.number(value, false) + " AND " + q.number(most, false)
				})
			}
		}
	}
	return found
}

// limitOfMetadata reads a comparison of metadata with a number by one of some operators.
func limitOfMetadata(t slice.Cond, ops ...slice.Op) (f slice.Field, v slice.Value, ok bool) {
	c, ok := t.(slice.Compare)
	if !ok || c.Type != slice.Number || !slices.Contains(ops, c.Op) {
		return f, v, false
	}
	f, isField := c.Left.(slice.Field)
	v, isValue := c.Right.(slice.Value)
	return f, v, isField && isValue && f.Name == "metadata"
}

// constants returns expressions that are all constants, else nil.
func constants(right []slice.Expr) []slice.Value {
	var values []slice.Value
	for _, e := range right {
		v, ok := e.(slice.Value)
		if !ok {
			return nil
		}
		values = append(values, v)
	}
	return values
}

func texts(values []slice.Value) []string {
	found := make([]string, len(values))
	for i, v := range values {
		found[i] = v.Text
	}
	return found
}

// bestDriver returns the driver with the fewest rows, of those with at most a
// number; nil if there is none. One with very few has read them already.
func (r *filterRun) bestDriver(most int64) (best driver, err error) {
	for _, d := range r.drivers() {
		q := r.query()
		ids, err := all(r.tx, scalar[string], "SELECT few.item FROM ("+d(q)+" LIMIT "+q.arg(int64(listLength+1))+") few", q.args...)
		if err != nil {
			return nil, err
		}
		if len(ids) <= listLength {
			return driverOfIDs(unique(ids)), nil
		}
		q = r.query()
		n, err := one(r.tx, "count", scalar[int64], "SELECT COUNT(*) FROM ("+d(q)+" LIMIT "+q.arg(most+1)+") few", q.args...)
		if err != nil {
			return nil, err
		}
		if n <= most {
			best, most = d, n
		}
	}
	return best, nil
}

func driverOfIDs(ids []string) driver {
	return func(q *filterSQL) string {
		if len(ids) == 0 {
			return "SELECT item.id AS item FROM item WHERE FALSE"
		}
		return "SELECT item.id AS item FROM item WHERE item.id IN " + q.argList(ids)
	}
}

// countGroups returns the query of how many items or boxes a filter chooses, where groups alone can say it.
func (r *filterRun) countGroups(q *filterSQL) (query string, ok bool) {
	if r.slice.ID != "" {
		return "", false
	}
	if r.boxes {
		g := groupOf(slice.AllBoxes, r.filter.Where)
		return "SELECT CAST(COALESCE(SUM(g.n), 0) AS BIGINT) FROM " + q.group(g), g.exact && len(g.limits) == 0
	}
	c, isQuantified := r.filter.Where.(slice.Quantified)
	if !isQuantified || c.Quantifier != slice.Any {
		return "", false
	}
	g := groupOf(c.Of, c.Where)
	return "SELECT COUNT(*) FROM (SELECT DISTINCT g.item FROM " + q.group(g) + ") d", g.exact
}
