package slice

import "time"

// Level says what a filter chooses: items or boxes.
type Level int

// The two levels.
const (
	Items Level = iota
	Boxes
)

// String returns "items" or "boxes".
func (l Level) String() string {
	if l == Boxes {
		return "boxes"
	}
	return "items"
}

// Filter is a checked condition on the rows of a level: every field is
// resolved, every comparison has one type.
type Filter struct {
	Level Level
	Where Cond // And{} chooses everything
}

// Cond is a condition, true or false of a row: And, Or, Not, Compare, In,
// Search, Exists or Quantified. There are no others.
type Cond interface{ cond() }

// Expr is what a comparison is made of: Field, Value, Count or Arithmetic.
// There are no others.
type Expr interface{ expr() }

// And is true where all terms are. It has two terms or more, none of them an
// And, or none at all: the condition that is always true, which stands only
// as a whole filter or as a Where.
type And struct{ Terms []Cond }

// Or is true where a term is. It has two terms or more, none of them an Or.
type Or struct{ Terms []Cond }

// Not is true where its term is false.
type Not struct{ Term Cond }

// Compare relates two values of one type. Where one of them is missing or of
// another type it is false, or true if Op is NE.
//
// Type is Number with any expressions on both sides; else Left is a Field and
// Right a Value. Of a Set, EQ asks whether it holds the text. Bool and Set
// know only EQ and NE. Texts are ordered by their UTF-8 bytes.
type Compare struct {
	Op    Op
	Type  Type // Text, Number, Bool, Time or Set
	Left  Expr
	Right Expr
}

// Op is a comparison, written as in the language.
type Op string

// The comparisons.
const (
	EQ Op = "="
	NE Op = "!="
	LT Op = "<"
	LE Op = "<="
	GT Op = ">"
	GE Op = ">="
)

// In is true where Left equals one of the values, or a Set holds one of them;
// false where Left is missing.
type In struct {
	Left   Expr // a Field, or any expression where Type is Number
	Type   Type // Text, Number or Set
	Values []Value
}

// Search looks for a text in a text, and is false where there is none.
type Search struct {
	Field Field // of type Text, Dynamic or FullText
	Op    SearchOp
	Text  string // not empty, without control characters
}

// SearchOp is a way to look for a text, written as in the language.
type SearchOp string

// The ways to look for a text.
const (
	Contains   SearchOp = "contains"    // the ASCII letters A–Z equal a–z, all else is exact
	StartsWith SearchOp = "starts with" // exact; not for FullText
)

// Exists is true where a field has a value: a number, text or time that is
// known, a set that is not empty, metadata that is not null.
type Exists struct{ Field Field }

// Quantified is a condition on the boxes of an item.
type Quantified struct {
	Quantifier Quantifier
	Of         Population
	Where      Cond // on boxes; And{} is true of every box
}

// Quantifier says of how many boxes a condition must be true, written as in
// the language.
type Quantifier string

// The quantifiers. Of an item without boxes All and No are true.
const (
	Any Quantifier = "any"
	All Quantifier = "all"
	No  Quantifier = "no"
)

// Population says which boxes of an item are meant, written as in the language.
type Population string

// The populations.
const (
	AllBoxes    Population = "boxes"       // annotations and predictions
	Annotations Population = "annotations" // ground truth
	Predictions Population = "predictions" // of any model
)

// Field is a named property of an item or a box.
type Field struct {
	Of         Level
	Name       string   // as in the tables of the package comment
	Path       []string // of metadata: keys from the outside in, without quotes, backslashes and control characters
	Evaluation string   // of match and iou: its id or name
}

// Value is a constant.
type Value struct {
	Type   Type // Text, Number, Bool or Time
	Text   string
	Number float64 // 0, or of a magnitude from 1e-20 to 1e19
	Bool   bool
	Time   time.Time // UTC, whole milliseconds
}

// Count is the number of an item's boxes for which a condition is true.
type Count struct {
	Of    Population
	Where Cond // on boxes; And{} is true of every box
}

// Arithmetic computes with IEEE 754 doubles. It is missing where an operand
// is, or is a Field beyond the range of a Value's Number, so that no result
// overflows. The right side of '%' is a Value, a whole number from 1 to 1e9;
// a % b is a − b × trunc(a ÷ b) and has the sign of a.
type Arithmetic struct {
	Op    byte // '+', '-', '*' or '%'
	Left  Expr
	Right Expr
}

func (And) cond()        {}
func (Or) cond()         {}
func (Not) cond()        {}
func (Compare) cond()    {}
func (In) cond()         {}
func (Search) cond()     {}
func (Exists) cond()     {}
func (Quantified) cond() {}

func (Field) expr()      {}
func (Value) expr()      {}
func (Count) expr()      {}
func (Arithmetic) expr() {}

// Inspect calls visit for every Cond and Expr of a filter, parents first. It
// leaves out what is inside a node for which visit returns false.
func (f Filter) Inspect(visit func(node any) bool) { inspect(f.Where, visit) }

func inspect(node any, visit func(any) bool) {
	if !visit(node) {
		return
	}
	for _, child := range children(node) {
		inspect(child, visit)
	}
}

func children(node any) []any {
	switch n := node.(type) {
	case And:
		return conds(n.Terms)
	case Or:
		return conds(n.Terms)
	case Not:
		return []any{n.Term}
	case Compare:
		return []any{n.Left, n.Right}
	case In:
		return []any{n.Left}
	case Search:
		return []any{n.Field}
	case Exists:
		return []any{n.Field}
	case Quantified:
		return []any{n.Where}
	case Count:
		return []any{n.Where}
	case Arithmetic:
		return []any{n.Left, n.Right}
	}
	return nil
}

func conds(terms []Cond) []any {
	nodes := make([]any, len(terms))
	for i, t := range terms {
		nodes[i] = t
	}
	return nodes
}

// Evaluations returns the evaluations that a filter names, each once, in the
// order of their first use.
func (f Filter) Evaluations() []string {
	var names []string
	f.Inspect(func(node any) bool {
		if field, ok := node.(Field); ok && field.Evaluation != "" {
			names = Union(names, []string{field.Evaluation})
		}
		return true
	})
	return names
}
