package flow

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"remuda"
	"remuda/label"
)

// Params are what tasks ask, in the labeling API's words, as users sent them:
// an instruction, geometries, annotation_attributes and whatever else.
type Params map[string]json.RawMessage

// The keys that mean something to the server.
const (
	paramInstruction = "instruction"
	paramGeometries  = "geometries"
	paramAttributes  = "annotation_attributes"
)

// readParams reads an object; nothing is an empty one.
func readParams(text json.RawMessage) (Params, error) {
	params := Params{}
	if len(text) == 0 {
		return params, nil
	}
	if err := json.Unmarshal(text, &params); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "the parameters are no JSON object")
	}
	if params == nil { // null
		params = Params{}
	}
	return params, nil
}

func (p Params) text() (json.RawMessage, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write parameters: %w", err)
	}
	return text, nil
}

// has says whether a key stands there with more than null.
func (p Params) has(key string) bool { return len(p[key]) > 0 && string(p[key]) != "null" }

// string returns the text under a key, "" if there is none.
func (p Params) string(key string) string {
	var s string
	if json.Unmarshal(p[key], &s) != nil {
		return ""
	}
	return s
}

// bool says whether true stands under a key.
func (p Params) bool(key string) bool {
	var b bool
	return json.Unmarshal(p[key], &b) == nil && b
}

// inherit returns what a task's own params are with those of its project: the
// task's own win.
func (p Params) inherit(project Params) Params {
	merged := Params{}
	for k, v := range project {
		merged[k] = v
	}
	for k, v := range p {
		merged[k] = v
	}
	return merged
}

// same says whether two params have the same under keys.
func (p Params) same(other Params, keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return !bytes.Equal(compacted(p[k]), compacted(other[k])) })
}

func compacted(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}

// number is a JSON number, or one in a text, as older clients send it.
type number float64

// UnmarshalJSON reads it.
func (n *number) UnmarshalJSON(text []byte) error {
	s := strings.Trim(string(text), `"`)
	if s == "null" || s == "" {
		return nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "%.40s is no number", text)
	}
	*n = number(v)
	return nil
}

// choice is a label, or a group of labels: a text or a description.
type choice struct {
	Choice     string   `json:"choice"`
	Display    string   `json:"display,omitempty"`
	Subchoices []choice `json:"subchoices,omitempty"`
}

// UnmarshalJSON reads it.
func (c *choice) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &c.Choice)
	}
	type plain choice
	return json.Unmarshal(text, (*plain)(c))
}

// MarshalJSON writes a text where nothing else is said.
func (c choice) MarshalJSON() ([]byte, error) {
	if c.Display == "" && len(c.Subchoices) == 0 {
		return json.Marshal(c.Choice)
	}
	type plain choice
	return json.Marshal(plain(c))
}

func (c choice) category() label.Category {
	made := label.Category{Name: c.Choice, Display: c.Display}
	for _, s := range c.Subchoices {
		made.Children = append(made.Children, s.category())
	}
	return made
}

func (c choice) leaves() (names []string) {
	if len(c.Subchoices) == 0 {
		return []string{c.Choice}
	}
	for _, s := range c.Subchoices {
		names = append(names, s.leaves()...)
	}
	return names
}

// boxGeometry is what is asked about boxes.
type boxGeometry struct {
	Objects       []choice `json:"objects_to_annotate"`
	MinWidth      number   `json:"min_width,omitempty"`
	MinHeight     number   `json:"min_height,omitempty"`
	IntegerPixels bool     `json:"integer_pixels,omitempty"`
}

// box reads what is asked about boxes; nil if nothing is.
func (p Params) box() (*boxGeometry, error) {
	var geometries map[string]json.RawMessage
	if p.has(paramGeometries) {
		if err := json.Unmarshal(p[paramGeometries], &geometries); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"geometries\" must be an object")
		}
	}
	text, ok := geometries["box"]
	if !ok {
		return nil, nil
	}
	var box boxGeometry
	if err := json.Unmarshal(text, &box); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"geometries.box\" cannot be read: %w", err)
	}
	return &box, nil
}

// Taxonomy reads what may be drawn by params, as a version of it; invalid if
// nobody could draw by it.
func (p Params) Taxonomy(version int) (label.Taxonomy, error) {
	x := label.Taxonomy{Version: version}
	box, err := p.box()
	if err != nil {
		return x, err
	}
	if box == nil {
		return x, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"geometries.box\" is required").WithHint("this server's people draw boxes")
	}
	for _, c := range box.Objects {
		x.Categories = append(x.Categories, c.category())
	}
	x.MinWidth, x.MinHeight = float64(box.MinWidth), float64(box.MinHeight)
	if x.Attributes, err = p.attributes(); err != nil {
		return x, err
	}
	return x, x.Validate()
}

// attribute is what is asked beside a box, as the labeling API has it.
type attribute struct {
	Type        string          `json:"type,omitempty"`
	Description string          `json:"description,omitempty"`
	Choices     []choice        `json:"choices,omitempty"`
	Multiple    bool            `json:"allow_multiple,omitempty"`
	Required    bool            `json:"required,omitempty"`
	Global      bool            `json:"global,omitempty"` // said about the image
	Conditions  json.RawMessage `json:"conditions,omitempty"`
}

// attributes reads the attributes that people can be asked for, in the order in
// which they stand. Lines and links are for other geometries and left out.
func (p Params) attributes() (found []label.Attribute, err error) {
	if !p.has(paramAttributes) {
		return nil, nil
	}
	refused := func(err error) error {
		return remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"annotation_attributes\" cannot be read: %w", err)
	}
	reader := json.NewDecoder(bytes.NewReader(p[paramAttributes]))
	if open, err := reader.Token(); err != nil || open != json.Delim('{') {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"annotation_attributes\" must be an object")
	}
	for reader.More() {
		id, err := reader.Token()
		if err != nil {
			return nil, refused(err)
		}
		var a attribute
		if err := reader.Decode(&a); err != nil {
			return nil, refused(err)
		}
		made := label.Attribute{ID: id.(string), Description: a.Description, Multiple: a.Multiple, Required: a.Required, Image: a.Global}
		switch a.Type {
		case "", string(label.ChoiceAttribute):
			made.Type = label.ChoiceAttribute
		case string(label.NumberAttribute), "angle":
			made.Type = label.NumberAttribute
		case string(label.TextAttribute):
			made.Type = label.TextAttribute
		default:
			continue
		}
		for _, c := range a.Choices {
			made.Choices = append(made.Choices, c.leaves()...)
		}
		if made.Conditions, err = readConditions(a.Conditions); err != nil {
			return nil, refused(err)
		}
		found = append(found, made)
	}
	return found, nil
}

// texts is a text or several.
type texts []string

// UnmarshalJSON reads them.
func (t *texts) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]string)(t))
	}
	var one string
	err := json.Unmarshal(text, &one)
	*t = texts{one}
	return err
}

// condition is when an attribute is asked: all that it says together.
type condition struct {
	Label      *labelCondition    `json:"label_condition,omitempty"`
	Attributes []map[string]texts `json:"attribute_conditions,omitempty"`
}

type labelCondition struct {
	Label texts `json:"label"`
}

// readConditions reads one condition or a list of which one has to hold.
func readConditions(text json.RawMessage) (found []label.Condition, err error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	var conditions []condition
	if text[0] == '[' {
		err = json.Unmarshal(text, &conditions)
	} else {
		conditions = make([]condition, 1)
		err = json.Unmarshal(text, &conditions[0])
	}
	for _, c := range conditions {
		var made label.Condition
		if c.Label != nil {
			made.Categories = c.Label.Label
		}
		for _, attributes := range c.Attributes {
			for id, values := range attributes {
				if made.Attributes == nil {
					made.Attributes = make(map[string][]string)
				}
				made.Attributes[id] = values
			}
		}
		found = append(found, made)
	}
	return found, err
}

// WithTaxonomy returns params that ask for a taxonomy; all else they say stays.
func (p Params) WithTaxonomy(x label.Taxonomy) (Params, error) {
	if err := x.Validate(); err != nil {
		return nil, err
	}
	var box boxGeometry
	if old, err := p.box(); err == nil && old != nil {
		box = *old
	}
	box.Objects = choicesOf(x.Categories)
	box.MinWidth, box.MinHeight = number(x.MinWidth), number(x.MinHeight)
	geometries, err := json.Marshal(map[string]any{"box": box})
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write geometries: %w", err)
	}
	changed := p.inherit(nil)
	changed[paramGeometries] = geometries
	delete(changed, paramAttributes)
	if len(x.Attributes) == 0 {
		return changed, nil
	}
	var text bytes.Buffer // an object that keeps its order
	for i, a := range x.Attributes {
		id, err := json.Marshal(a.ID)
		if err != nil {
			return nil, remuda.Errorf(remuda.Internal, "write attributes: %w", err)
		}
		body, err := json.Marshal(attributeOf(a))
		if err != nil {
			return nil, remuda.Errorf(remuda.Internal, "write attributes: %w", err)
		}
		text.WriteByte("{,"[min(i, 1)])
		text.Write(id)
		text.WriteByte(':')
		text.Write(body)
	}
	text.WriteByte('}')
	changed[paramAttributes] = text.Bytes()
	return changed, nil
}

func choicesOf(categories []label.Category) []choice {
	made := make([]choice, len(categories))
	for i, c := range categories {
		made[i] = choice{Choice: c.Name, Display: c.Display, Subchoices: choicesOf(c.Children)}
	}
	return made
}

func attributeOf(a label.Attribute) map[string]any {
	made := map[string]any{"type": a.Type}
	for key, value := range map[string]bool{"allow_multiple": a.Multiple, "required": a.Required, "global": a.Image} {
		if value {
			made[key] = true
		}
	}
	if a.Description != "" {
		made["description"] = a.Description
	}
	if len(a.Choices) > 0 {
		made["choices"] = a.Choices
	}
	var conditions []condition
	for _, c := range a.Conditions {
		var made condition
		if len(c.Categories) > 0 {
			made.Label = &labelCondition{c.Categories}
		}
		for id, values := range c.Attributes {
			made.Attributes = append(made.Attributes, map[string]texts{id: values})
		}
		conditions = append(conditions, made)
	}
	if len(conditions) > 0 {
		made["conditions"] = conditions
	}
	return made
}

// WithInstruction returns params with another instruction, Markdown.
func (p Params) WithInstruction(text string) (Params, error) {
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write an instruction: %w", err)
	}
	changed := p.inherit(nil)
	changed[paramInstruction] = quoted
	return changed, nil
}

// taxonomyOf reads what may be drawn by params.
func taxonomyOf(text json.RawMessage) (label.Taxonomy, error) {
	params, err := readParams(text)
	if err != nil {
		return label.Taxonomy{}, err
	}
	return params.Taxonomy(0)
}
