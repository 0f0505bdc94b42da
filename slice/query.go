package slice

import "slices"

// ParseQuery reads a query of the dataset API that scale-nucleus speaks:
// Parse's language for items, in which also
//
//	annotations.count, predictions.count       is count(annotations), count(predictions)
//	annotations.horse, annotations."race car"  is count(horse), count("race car"), as a number
//	annotations.box.horse                      is the same: boxes are what Remuda has
//	annotations.metadata.color = red           is any annotation (metadata.color = red)
//	annotations.horse.color = red              is any annotation (category = horse and metadata.color = red)
//
// and the same with predictions, which are those of every model. Queries on
// other shapes, scale_metadata and autotags are errors.
func ParseQuery(text string) (Filter, error) {
	return parse(text, Items, true)
}

// within is the condition on boxes in which a field of the dialect stands.
type within struct {
	of       Population
	category Cond // nil for any
}

// wrap puts a condition on a box's metadata into one on the item.
func wrap(w *within, c Cond) Cond {
	if w == nil {
		return c
	}
	if w.category != nil {
		c = join[And]([]Cond{w.category, c})
	}
	return Quantified{Quantifier: Any, Of: w.of, Where: c}
}

// isDialect reports whether a path is one that only ParseQuery knows.
func isDialect(t token) bool {
	return t.kind == tokWord && len(t.path) > 1 && (t.path[0] == "annotations" || t.path[0] == "predictions")
}

func (p *parser) dialectField(t token) (operand, error) {
	of := Population(t.path[0])
	path, quoted := t.path[1:], t.quoted[1:]
	if path[0] == "box" && !quoted[0] && len(path) > 1 {
		path, quoted = path[1:], quoted[1:]
	}
	bare := !quoted[0]
	switch {
	case bare && len(path) > 1 && slices.Contains([]string{"polygon", "segmentation", "line", "keypoints", "cuboid", "category", "multicategory"}, path[0]):
		return operand{}, p.fail(t, "write annotations."+clip(path[len(path)-1]), "queries are about boxes, not %s annotations", path[0])
	case bare && len(path) == 1 && path[0] == "count":
		return operand{first: t, expr: Count{Of: of, Where: And{}}, typ: Number}, nil
	case bare && len(path) == 1 && path[0] == "metadata":
		return operand{}, p.fail(t, "write for example annotations.metadata.color", "metadata needs the key that is meant")
	case len(path) == 1:
		return operand{first: t, expr: Count{Of: of, Where: isCategory(path[0])}, typ: Number}, nil
	}
	w := &within{of: of}
	if !bare || path[0] != "metadata" {
		w.category = isCategory(path[0])
	}
	f := Field{Of: Boxes, Name: "metadata", Path: slices.Clone(path[1:])}
	return operand{first: t, expr: f, typ: Dynamic, within: w}, nil
}
