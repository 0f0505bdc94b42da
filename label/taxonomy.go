package label

import (
	"fmt"
	"slices"

	"remuda"
)

// Taxonomy is what may be drawn and said about it. It is a value with a
// version: a change makes the next one.
type Taxonomy struct {
	Version    int         `json:"version"`
	Categories []Category  `json:"categories"`
	Attributes []Attribute `json:"attributes,omitempty"`
	MinWidth   float64     `json:"min_width,omitempty"` // of a box, in pixels
	MinHeight  float64     `json:"min_height,omitempty"`
}

// Category is what a box is of. One with children only groups them: boxes bear
// the names of leaves.
type Category struct {
	Name     string     `json:"name"`
	Display  string     `json:"display,omitempty"` // shown instead of the name
	Children []Category `json:"children,omitempty"`
}

// AttributeType is what kind of values an attribute has.
type AttributeType string

// The types of attributes.
const (
	ChoiceAttribute AttributeType = "category" // one of Choices, or several
	NumberAttribute AttributeType = "number"
	TextAttribute   AttributeType = "text"
)

// Attribute is something that is said about a box, or about the image.
type Attribute struct {
	ID          string        `json:"id"`
	Type        AttributeType `json:"type"`
	Description string        `json:"description,omitempty"`
	Choices     []string      `json:"choices,omitempty"` // leaves, as they are returned
	Multiple    bool          `json:"multiple,omitempty"`
	Required    bool          `json:"required,omitempty"`
	Image       bool          `json:"image,omitempty"`      // said about the image, not about each box
	Conditions  []Condition   `json:"conditions,omitempty"` // asked where one of them holds; always if there are none
}

// Condition holds where all that it names does.
type Condition struct {
	Categories []string            `json:"categories,omitempty"` // the box's is one of them
	Attributes map[string][]string `json:"attributes,omitempty"` // the value of each is one of those
}

// Leaves returns the names that boxes may bear, in the taxonomy's order.
func (x Taxonomy) Leaves() []string { return leaves(x.Categories) }

func leaves(categories []Category) (names []string) {
	for _, c := range categories {
		if len(c.Children) == 0 {
			names = append(names, c.Name)
		}
		names = append(names, leaves(c.Children)...)
	}
	return names
}

// Validate refuses a taxonomy that nobody could draw by.
func (x Taxonomy) Validate() error {
	names := x.Leaves()
	if len(names) == 0 {
		return remuda.Errorf(remuda.Invalid, "a taxonomy without categories").WithHint("name at least one thing to draw boxes around")
	}
	if twice := repeated(names); twice != "" {
		return remuda.Errorf(remuda.Invalid, "the category %q is there twice", twice).WithHint("give every leaf a name of its own")
	}
	if slices.Contains(names, "") {
		return remuda.Errorf(remuda.Invalid, "a category without a name").WithHint("name it")
	}
	if !(x.MinWidth >= 0 && x.MinHeight >= 0) {
		return remuda.Errorf(remuda.Invalid, "boxes of at least %v × %v pixels", x.MinWidth, x.MinHeight).WithHint("choose 0 or more")
	}
	ids := make([]string, len(x.Attributes))
	for i, a := range x.Attributes {
		ids[i] = a.ID
	}
	if twice := repeated(ids); twice != "" {
		return remuda.Errorf(remuda.Invalid, "the attribute %q is there twice", twice).WithHint("give every attribute an id of its own")
	}
	for _, a := range x.Attributes {
		if err := a.validate(names, ids); err != nil {
			return err
		}
	}
	return nil
}

func (a Attribute) validate(categories, attributes []string) error {
	refuse := func(what, hint string) error {
		return remuda.Errorf(remuda.Invalid, "attribute %q %s", a.ID, what).WithHint("%s", hint)
	}
	switch {
	case a.ID == "":
		return refuse("has no id", "name it")
	case a.Type != ChoiceAttribute && a.Type != NumberAttribute && a.Type != TextAttribute:
		return refuse(fmt.Sprintf("is of the type %q", a.Type), "the types are category, number and text")
	case a.Type == ChoiceAttribute && len(a.Choices) == 0:
		return refuse("has no choices", "list what may be chosen")
	case a.Multiple && a.Type != ChoiceAttribute:
		return refuse("is multiple without choices", "only choices can be multiple")
	}
	if twice := repeated(a.Choices); twice != "" {
		return refuse(fmt.Sprintf("has the choice %q twice", twice), "list each once")
	}
	for _, c := range a.Conditions {
		for _, name := range c.Categories {
			if !slices.Contains(categories, name) {
				return refuse(fmt.Sprintf("depends on the category %q, which there is not", name), "name a leaf of the taxonomy")
			}
		}
		for id := range c.Attributes {
			if id == a.ID || !slices.Contains(attributes, id) {
				return refuse(fmt.Sprintf("depends on the attribute %q, which there is not", id), "name another attribute")
			}
		}
	}
	return nil
}

// repeated returns a name that is there twice, or "".
func repeated(names []string) string {
	seen := make(map[string]bool, len(names))
	for _, n := range names {
		if n != "" && seen[n] {
			return n
		}
		seen[n] = true
	}
	return ""
}

// Asked reports whether the attribute applies to a box of the category with
// the attributes. For one of the image, category is "".
func (a Attribute) Asked(category string, attributes map[string]any) bool {
	if len(a.Conditions) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Conditions, func(c Condition) bool {
		if len(c.Categories) > 0 && !slices.Contains(c.Categories, category) {
			return false
		}
		for id, wanted := range c.Attributes {
			if !slices.ContainsFunc(chosen(attributes[id]), func(v string) bool { return slices.Contains(wanted, v) }) {
				return false
			}
		}
		return true
	})
}

// chosen returns an attribute's values as texts.
func chosen(value any) []string {
	switch v := value.(type) {
	case nil:
		return nil
	case string:
		return []string{v}
	case []string:
		return v
	case []any: // as encoding/json reads a list
		texts := make([]string, 0, len(v))
		for _, x := range v {
			texts = append(texts, chosen(x)...)
		}
		return texts
	}
	return []string{fmt.Sprint(value)}
}
