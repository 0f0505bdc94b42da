package flow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"remuda"
	"remuda/eval"
)

// ExclusionRule leaves items or boxes out of an evaluation before anything is
// computed. Its JSON is that of the dataset API. Type says what the rule looks
// at: "metadata" at a key of an item's metadata, "labels" at what boxes are of,
// "boxArea" at their size; the last leaves out what is smaller than Min or
// larger than Max.
type ExclusionRule struct {
	Type   string   `json:"type"`
	Scope  string   `json:"scope"`            // item or annotation
	Target string   `json:"target,omitempty"` // groundTruth or prediction; not of metadata
	Labels []string `json:"labels,omitempty"`
	Min    *float64 `json:"min,omitempty"` // square pixels
	Max    *float64 `json:"max,omitempty"`
	MetadataCondition
}

// The words of exclusion rules.
const (
	excludeByMetadata = "metadata"
	excludeByLabels   = "labels"
	excludeByArea     = "boxArea"
	scopeItem         = "item"
	scopeAnnotation   = "annotation"
	targetTruth       = "groundTruth"
	targetPrediction  = "prediction"
)

func (r *ExclusionRule) check() error {
	wrong := func(format string, args ...any) error {
		return remuda.Errorf(remuda.Invalid, "read an exclusion rule: "+format, args...)
	}
	if r.Scope != scopeItem && r.Scope != scopeAnnotation {
		return wrong("its scope is %.80q, not item or annotation", r.Scope)
	}
	if r.Type == excludeByMetadata {
		if r.Scope != scopeItem {
			return wrong("metadata is of items: the scope must be item")
		}
		return r.MetadataCondition.check()
	}
	if r.Target != targetTruth && r.Target != targetPrediction {
		return wrong("its target is %.80q, not groundTruth or prediction", r.Target)
	}
	switch r.Type {
	case excludeByLabels:
		if len(r.Labels) == 0 {
			return wrong("it names no labels")
		}
	case excludeByArea:
		if r.Min == nil && r.Max == nil {
			return wrong("it has neither min nor max")
		}
	default:
		return wrong("its type is %.80q, not metadata, labels or boxArea", r.Type)
	}
	return nil
}

// chooses says whether the rule is about a box.
func (r *ExclusionRule) chooses(c *boxColumns, i int) bool {
	if r.Type == excludeByLabels {
		return slices.Contains(r.Labels, c.Labels[c.Label[i]])
	}
	area := c.area(i)
	return r.Min != nil && area < *r.Min || r.Max != nil && area > *r.Max
}

// Excluded counts what rules left out.
type Excluded struct {
	Items       int `json:"items"`
	Truth       int `json:"ground_truths"`
	Predictions int `json:"predictions"`
}

// exclude returns what rules leave of what is compared. metadata is that of an item by its id.
func (c *compared) exclude(rules []ExclusionRule, metadata func(id string) json.RawMessage) (*compared, Excluded) {
	items := make([]bool, len(c.Items))
	dropped := [2][]bool{make([]bool, c.Truth.len()), make([]bool, c.Predictions.len())}
	for _, rule := range rules {
		if rule.Type == excludeByMetadata {
			for i, id := range c.Items {
				items[i] = items[i] || rule.holds(metadata(id))
			}
			continue
		}
		columns, drop := &c.Truth, dropped[0]
		if rule.Target == targetPrediction {
			columns, drop = &c.Predictions, dropped[1]
		}
		for i := range columns.ID {
			if !rule.chooses(columns, i) {
				continue
			}
			if rule.Scope == scopeItem {
				items[columns.Item[i]] = true
			} else {
				drop[i] = true
			}
		}
	}
	same := make([]int32, len(c.Items))
	for i := range same {
		same[i] = int32(i)
	}
	left := &compared{
		Items:       c.Items,
		Truth:       c.Truth.keep(func(i int) bool { return !dropped[0][i] }, same),
		Predictions: c.Predictions.keep(func(i int) bool { return !dropped[1][i] }, same),
	}
	left = left.only(func(i int) bool { return !items[i] })
	return left, Excluded{len(c.Items) - len(left.Items), c.Truth.len() - left.Truth.len(), c.Predictions.len() - left.Predictions.len()}
}

// MetadataCondition is a condition on a key of metadata. Its JSON is that of
// the dataset API.
type MetadataCondition struct {
	Key   string          `json:"key,omitempty"` // of an object within: keys joined by dots
	Op    string          `json:"op,omitempty"`  // EQ, IN (Value is a list), GT or LT
	Value json.RawMessage `json:"value,omitempty"`
}

func (m *MetadataCondition) check() error {
	if m.Key == "" {
		return remuda.Errorf(remuda.Invalid, "read a condition on metadata: it names no key")
	}
	var list []json.RawMessage
	switch {
	case !slices.Contains([]string{"EQ", "IN", "GT", "LT"}, m.Op):
		return remuda.Errorf(remuda.Invalid, "read a condition on metadata: there is no operator %.80q", m.Op).WithHint("use EQ, IN, GT or LT")
	case len(m.Value) == 0:
		return remuda.Errorf(remuda.Invalid, "read a condition on metadata: it has no value")
	case m.Op == "IN" && json.Unmarshal(m.Value, &list) != nil:
		return remuda.Errorf(remuda.Invalid, "read a condition on metadata: the value of IN must be a list")
	case (m.Op == "GT" || m.Op == "LT") && !hasOrder(m.Value):
		return remuda.Errorf(remuda.Invalid, "read a condition on metadata: the value of %s must be a number or a string", m.Op)
	}
	return nil
}

// hasOrder says whether JSON is a number or a string.
func hasOrder(text json.RawMessage) bool {
	return bytes.ContainsRune([]byte(`"-0123456789`), rune(text[0]))
}

// holds says whether the condition is true of an object; of a missing key it is not.
func (m *MetadataCondition) holds(metadata json.RawMessage) bool {
	have, ok := valueAt(metadata, m.Key)
	if !ok {
		return false
	}
	switch m.Op {
	case "EQ":
		order, ok := compareJSON(have, m.Value)
		return ok && order == 0
	case "IN":
		var list []json.RawMessage
		if json.Unmarshal(m.Value, &list) != nil {
			return false
		}
		return slices.ContainsFunc(list, func(v json.RawMessage) bool {
			order, ok := compareJSON(have, v)
			return ok && order == 0
		})
	}
	order, ok := compareJSON(have, m.Value)
	return ok && hasOrder(have) && (m.Op == "GT" && order > 0 || m.Op == "LT" && order < 0)
}

// valueAt finds the value of a key: of the object itself, or of objects within it by keys joined by dots.
func valueAt(object json.RawMessage, key string) (json.RawMessage, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return nil, false
	}
	if v, ok := members[key]; ok {
		return v, string(v) != "null"
	}
	for i := range key {
		if key[i] == '.' {
			if inner, ok := members[key[:i]]; ok {
				if v, ok := valueAt(inner, key[i+1:]); ok {
					return v, true
				}
			}
		}
	}
	return nil, false
}

// compareJSON orders two numbers or two strings; other values are equal if
// they are written alike, and not comparable else.
func compareJSON(a, b json.RawMessage) (order int, alike bool) {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return 0, false
	}
	switch v := x.(type) {
	case float64:
		w, ok := y.(float64)
		return cmp.Compare(v, w), ok
	case string:
		w, ok := y.(string)
		return strings.Compare(v, w), ok
	}
	p, err := json.Marshal(x)
	q, err2 := json.Marshal(y)
	return 0, err == nil && err2 == nil && bytes.Equal(p, q)
}

// parseRule reads a label rule as the store keeps it.
func parseRule(text json.RawMessage) (rule eval.LabelRule, err error) {
	if err := json.Unmarshal(text, &rule); err != nil {
		return rule, remuda.Errorf(remuda.Internal, "read a label rule: %w", err)
	}
	return rule, nil
}

// ruleText writes a label rule for the store; invalid if it cannot be one.
func ruleText(rule eval.LabelRule) (json.RawMessage, error) {
	if _, err := eval.Pair(eval.Boxes{}, rule, eval.MatchIoU); err != nil {
		return nil, err
	}
	for _, group := range rule.Groups {
		if group.Category == "" {
			return nil, remuda.Errorf(remuda.Invalid, "read the label rule: a group of labels has no name")
		}
	}
	if !rule.Agnostic && len(rule.Allowed) == 0 && len(rule.Groups) == 0 {
		return json.RawMessage("{}"), nil
	}
	text, err := json.Marshal(rule)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write a label rule: %w", err)
	}
	return text, nil
}
