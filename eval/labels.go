package eval

import (
	"maps"
	"slices"

	"remuda"
	"remuda/geom"
)

// Labeled is a box with its label: ground truth, or a prediction with a confidence.
type Labeled struct {
	Item       int // from 0, below Boxes.Items
	Label      string
	Box        geom.Box
	Area       float64 // in square pixels where it is not the box's, else 0; ground truth only
	Crowd      bool    // covers many objects, counts neither for nor against; ground truth only
	Confidence float64 // predictions only
}

// Boxes are what is to be found on a set of items and what a model found there.
type Boxes struct {
	Items       int // how many; those without a box count too
	Truth       []Labeled
	Predictions []Labeled
}

// LabelRule says which labels match. The zero value lets equal labels match; no
// more than one of the fields may be set.
type LabelRule struct {
	Agnostic bool          // any two labels match
	Allowed  []AllowedPair // pairs that match beside equal labels
	Groups   []LabelGroup  // labels of a group are one category, under its name; a label in none is one by itself
}

// AllowedPair lets a prediction with one label find ground truth with another.
type AllowedPair struct{ Truth, Prediction string }

// LabelGroup gathers labels, of ground truth and predictions alike, under a category's name.
type LabelGroup struct {
	Category string
	Labels   []string
}

// labels are a rule applied to boxes.
type labels struct {
	names       []string // of the categories, ascending
	truth       []int32  // category of every box
	predictions []int32
	agnostic    bool
	allowed     map[[2]int32]bool // categories of ground truth and prediction
}

// resolve checks boxes and rule and gives every box its category.
func (b *Boxes) resolve(rule LabelRule) (*labels, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	category, err := rule.categories()
	if err != nil {
		return nil, err
	}
	names := map[string]int32{}
	for _, list := range [][]Labeled{b.Truth, b.Predictions} {
		for i := range list {
			names[category(list[i].Label)] = 0
		}
	}
	l := &labels{names: slices.Sorted(maps.Keys(names)), agnostic: rule.Agnostic, allowed: map[[2]int32]bool{}}
	for i, name := range l.names {
		names[name] = int32(i)
	}
	place := func(list []Labeled) []int32 {
		out := make([]int32, len(list))
		for i := range list {
			out[i] = names[category(list[i].Label)]
		}
		return out
	}
	l.truth, l.predictions = place(b.Truth), place(b.Predictions)
	for _, pair := range rule.Allowed {
		truth, known := names[pair.Truth]
		predicted, given := names[pair.Prediction]
		if known && given {
			l.allowed[[2]int32{truth, predicted}] = true
		}
	}
	return l, nil
}

// fit reports whether a prediction of one category may find ground truth of another.
func (l *labels) fit(truth, predicted int32) bool {
	return truth == predicted || l.agnostic || len(l.allowed) > 0 && l.allowed[[2]int32{truth, predicted}]
}

// categories returns the function from labels to categories.
func (r LabelRule) categories() (func(string) string, error) {
	set := 0
	for _, is := range []bool{r.Agnostic, len(r.Allowed) > 0, len(r.Groups) > 0} {
		if is {
			set++
		}
	}
	if set > 1 {
		return nil, remuda.Errorf(remuda.Invalid, "read the label rule: it is more than one of class-agnostic, allowed pairs and groups").WithHint("give one of them")
	}
	of := map[string]string{}
	for _, g := range r.Groups {
		for _, label := range g.Labels {
			if other, taken := of[label]; taken && other != g.Category {
				return nil, remuda.Errorf(remuda.Invalid, "read the label rule: label %q is in the groups %q and %q", label, other, g.Category).
					WithHint("leave it in one of them")
			}
			of[label] = g.Category
		}
	}
	return func(label string) string {
		if c, ok := of[label]; ok {
			return c
		}
		return label
	}, nil
}

// check says what is wrong with the boxes.
func (b *Boxes) check() error {
	if err := checkLabeled("ground truth box", b.Truth, b.Items); err != nil {
		return err
	}
	return checkLabeled("prediction", b.Predictions, b.Items)
}

func checkLabeled(noun string, list []Labeled, items int) error {
	for i := range list {
		x := &list[i]
		switch {
		case x.Item < 0 || x.Item >= items:
			return remuda.Errorf(remuda.Invalid, "%s %d is on item %d of %d", noun, i, x.Item, items).WithHint("number items from 0")
		case !sane(x.Box.X0) || !sane(x.Box.Y0) || !sane(x.Box.X1) || !sane(x.Box.Y1) || !sane(x.Area) || !sane(x.Confidence):
			return remuda.Errorf(remuda.Invalid, "%s %d holds a number that is not finite or out of all proportion", noun, i).WithHint("correct or remove it")
		}
	}
	return nil
}

// area returns the size that a ground truth's range goes by.
func (x *Labeled) area() float64 {
	if x.Area != 0 {
		return x.Area
	}
	return boxArea(x.Box)
}

func checkShare(noun string, v float64) error {
	if !(v >= 0 && v <= 1) {
		return remuda.Errorf(remuda.Invalid, "%s of %v", noun, v).WithHint("give a number from 0 to 1")
	}
	return nil
}
