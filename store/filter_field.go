package store

import (
	"slices"
	"strings"

	"remuda/slice"
)

// number writes a numeric expression, a double that is NULL where it is
// missing. A field that is an operand must not be so large or small that
// arithmetic could overflow.
func (q *filterSQL) number(e slice.Expr, operand bool) string {
	switch e := e.(type) {
	case slice.Value:
		return "CAST(" + q.arg(e.Number) + " AS DOUBLE PRECISION)"
	case slice.Count:
		return "CAST(" + q.count(e) + " AS DOUBLE PRECISION)"
	case slice.Arithmetic:
		return q.arithmetic(e)
	case slice.Field:
		return q.numberField(e, operand)
	}
	return "CAST(NULL AS DOUBLE PRECISION)"
}

func (q *filterSQL) arithmetic(e slice.Arithmetic) string {
	left := q.number(e.Left, true)
	if e.Op != '%' {
		return "(" + left + " " + string(e.Op) + " " + q.number(e.Right, true) + ")"
	}
	v, _ := e.Right.(slice.Value)
	once, again := q.number(v, true), q.number(v, true)
	if _, nested := e.Left.(slice.Arithmetic); !nested {
		if _, counted := e.Left.(slice.Count); !counted {
			second := q.number(e.Left, true)
			return "(" + left + " - " + once + " * TRUNC(" + second + " / " + again + "))"
		}
	}
	return "(SELECT l.v - " + once + " * TRUNC(l.v / " + again + ") FROM (SELECT " + left + " AS v LIMIT 1) l)"
}

// within is the range in which an operand must be.
func within(column string) string {
	return "(" + column + " = 0 OR ABS(" + column + ") BETWEEN 1e-20 AND 1e19)"
}

func (q *filterSQL) numberField(f slice.Field, operand bool) string {
	condition := "TRUE"
	switch {
	case f.Name == "metadata":
		if operand {
			condition = within("v.number")
		}
		return q.metadata(f, "number", "kind = 'number' AND "+condition)
	case f.Name == "iou":
		if operand {
			condition = within("e.iou")
		}
		return "(SELECT e.iou FROM " + q.match(f) + " AND " + condition + ")"
	case f.Of == slice.Items:
		return itemNumber(f.Name)
	}
	column := boxNumber(f.Name)
	if operand {
		return "(CASE WHEN " + within(column) + " THEN " + column + " END)"
	}
	return column
}

func itemNumber(name string) string {
	const width, height = "CAST(NULLIF(item.width, 0) AS DOUBLE PRECISION)", "CAST(NULLIF(item.height, 0) AS DOUBLE PRECISION)"
	switch name {
	case "width":
		return width
	case "height":
		return height
	case "area":
		return "(" + width + " * " + height + ")"
	case "aspect":
		return "(" + width + " / " + height + ")"
	}
	return "CAST(NULL AS DOUBLE PRECISION)"
}

func boxNumber(name string) string {
	switch name {
	case "x0", "y0", "x1", "y1", "confidence":
		return "a." + name
	case "width":
		return "(a.x1 - a.x0)"
	case "height":
		return "(a.y1 - a.y0)"
	case "area":
		return "(CASE WHEN a.x1 > a.x0 AND a.y1 > a.y0 THEN (a.x1 - a.x0) * (a.y1 - a.y0) ELSE 0.0 END)"
	case "aspect":
		return "(CASE WHEN a.y1 > a.y0 THEN (a.x1 - a.x0) / (a.y1 - a.y0) END)"
	}
	return "CAST(NULL AS DOUBLE PRECISION)"
}

// plainText returns the column of a text that is never empty, or is empty where it is missing.
func plainText(f slice.Field) (column string, ok bool) {
	columns := map[string]string{"id": "item.id", "reference_id": "item.reference_id", "author": "item.created_by"}
	if f.Of == slice.Boxes {
		columns = map[string]string{"id": "a.id", "category": "a.category"}
	}
	column, ok = columns[f.Name]
	return column, ok
}

// text writes a text, NULL where it is missing.
func (q *filterSQL) text(f slice.Field) string {
	switch {
	case f.Name == "metadata":
		return q.metadata(f, "text", "kind = 'text'")
	case f.Name == "match":
		return "(SELECT e.kind FROM " + q.match(f) + ")"
	case f.Name == "author" && f.Of == slice.Boxes:
		return "(CASE WHEN a.run = '' THEN NULLIF(a.created_by, '') END)"
	}
	column, _ := plainText(f)
	return "NULLIF(" + column + ", '')"
}

// time writes a time in milliseconds.
func (q *filterSQL) time(f slice.Field) string {
	switch {
	case f.Of == slice.Items && f.Name == "created":
		return "item.created_at"
	case f.Of == slice.Items:
		return "item.updated_at"
	case f.Name == "created":
		return "(SELECT f.created_at FROM annotation f WHERE f.id = a.id AND f.revision = 1)"
	}
	return "a.created_at"
}

// match is the row of an annotation in an evaluation, after FROM.
func (q *filterSQL) match(f slice.Field) string {
	return "evaluation_match e WHERE e.annotation = a.id AND e.annotation_revision = a.revision AND e.evaluation = " + q.arg(q.evaluations[f.Evaluation])
}

// metadata is a column of a value of metadata, NULL where there is none or a condition is false.
func (q *filterSQL) metadata(f slice.Field, column, condition string) string {
	of := "v.item = item.id AND v.annotation = '' AND v.revision = 0"
	if f.Of == slice.Boxes {
		of = "v.item = a.item AND v.annotation = a.id AND v.revision = a.revision"
	}
	return "(SELECT v." + column + " FROM metadata_value v WHERE " + of + " AND v.key = " + q.arg(metadataKey(f)) + " AND " + condition + ")"
}

func metadataKey(f slice.Field) string { return strings.Join(f.Path, pathSeparator) }

// holds is true where a set has one of some texts or, if there are none, has any. It is never NULL.
func (q *filterSQL) holds(f slice.Field, texts []string) string {
	if f.Name == "source" {
		return q.source(texts)
	}
	return "EXISTS (SELECT 1 FROM " + q.set(f, texts, "item.id") + ")"
}

// set is the rows of a set of an item, after FROM.
func (q *filterSQL) set(f slice.Field, texts []string, item string) string {
	if f.Name == "tag" {
		rows := "tag t WHERE t.subject = " + item
		if texts != nil {
			rows += " AND t.name IN " + q.argList(texts)
		}
		return rows
	}
	rows := "slice_member m JOIN slice s ON s.id = m.slice WHERE m.annotation = '' AND m.item = " + item
	if texts != nil {
		rows += " AND (s.id IN " + q.argList(texts) + " OR s.name IN " + q.argList(texts) + ")"
	}
	return rows
}

// source is true where one of some texts is human, model, or the id or name of the model.
func (q *filterSQL) source(texts []string) string {
	if texts == nil {
		return "TRUE"
	}
	parts := []string{"FALSE"}
	if slices.Contains(texts, "human") {
		parts = append(parts, "a.run = ''")
	}
	if slices.Contains(texts, "model") {
		parts = append(parts, "a.run <> ''")
	}
	if runs := q.runsOf(texts); len(runs) > 0 {
		parts = append(parts, "a.run IN "+q.argList(runs))
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// runsOf returns the runs of the models that have one of some names or ids.
func (q *filterSQL) runsOf(names []string) []string {
	var runs []string
	for _, name := range names {
		runs = append(runs, q.runs[name]...)
	}
	return unique(runs)
}
