package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"remuda"
	"remuda/eval"
	"remuda/slice"
	"remuda/store"
)

// Range is the numbers from Min to Max; nil is no limit.
type Range struct {
	Min *float64 `json:"min"`
	Max *float64 `json:"max"`
}

func (r *Range) has(v float64) bool {
	return r == nil || (r.Min == nil || v >= *r.Min) && (r.Max == nil || v <= *r.Max)
}

// EvaluationFilter chooses what of an evaluation is looked at. Its JSON is that
// of the dataset API. Items and predictions are chosen before boxes are paired,
// so that ground truth is missed where what found it is left out; all else
// chooses among the rows that pairing gave.
type EvaluationFilter struct {
	Slices             []string            `json:"sliceIds"`
	ItemMetadata       []MetadataCondition `json:"itemMetadata"`
	Query              string              `json:"-"` // as the dataset API's query_items has it
	Confidence         *Range              `json:"confidenceRange"`
	PredictionMetadata []MetadataCondition `json:"predictionMetadata"`

	IoU              *Range   `json:"iouRange"`
	TruthArea        *Range   `json:"gtAreaRange"` // square pixels
	PredictionLabels []string `json:"predLabels"`
	TruthLabels      []string `json:"gtLabels"`
	LabelEquality    string   `json:"labelEquality"` // EQ or NEQ; "" for both
	HasTruth         *bool    `json:"hasGroundTruth"`
	OnBackground     *bool    `json:"tideBackground"`
}

func (f *EvaluationFilter) check() error {
	for _, list := range [][]MetadataCondition{f.ItemMetadata, f.PredictionMetadata} {
		for i := range list {
			if err := list[i].check(); err != nil {
				return err
			}
		}
	}
	if !slices.Contains([]string{"", "EQ", "NEQ"}, f.LabelEquality) {
		return remuda.Errorf(remuda.Invalid, "read the filter: labelEquality is %.80q", f.LabelEquality).WithHint("use EQ or NEQ")
	}
	return nil
}

// row says whether a row is chosen.
func (f *EvaluationFilter) row(r *eval.Row) bool {
	named := func(labels []string, label, category string) bool {
		return len(labels) == 0 || slices.Contains(labels, label) || slices.Contains(labels, category)
	}
	both := r.Prediction >= 0 && r.Truth >= 0
	switch {
	case !f.IoU.has(r.IoU),
		f.TruthArea != nil && (r.Truth < 0 || !f.TruthArea.has(r.Area)),
		!named(f.PredictionLabels, r.PredictionLabel, r.PredictionCategory),
		!named(f.TruthLabels, r.TruthLabel, r.TruthCategory),
		f.LabelEquality == "EQ" && !(both && r.PredictionCategory == r.TruthCategory),
		f.LabelEquality == "NEQ" && !(both && r.PredictionCategory != r.TruthCategory),
		f.HasTruth != nil && *f.HasTruth != (r.Truth >= 0),
		f.OnBackground != nil && *f.OnBackground != (r.Error == eval.OnBackground):
		return false
	}
	return true
}

// view is the part of an evaluation that a filter chose, paired at an IoU.
type view struct {
	evaluation store.Evaluation
	rule       eval.LabelRule
	compared   *compared
	boxes      eval.Boxes
	rows       []eval.Row
}

// view reads an evaluation that has succeeded, and pairs what a filter chose of it.
func (f *Flow) view(ctx context.Context, caller remuda.Caller, id string, filter EvaluationFilter, iou float64) (v view, err error) {
	if err := filter.check(); err != nil {
		return v, err
	}
	if v.evaluation, v.compared, err = f.succeeded(ctx, caller, id); err != nil {
		return v, err
	}
	if v.rule, err = parseRule(v.evaluation.Rule); err != nil {
		return v, err
	}
	if v.compared, err = f.choose(ctx, caller, v.compared, filter); err != nil {
		return v, err
	}
	v.boxes = v.compared.boxes()
	rows, err := eval.Pair(v.boxes, v.rule, iou)
	v.rows = slices.DeleteFunc(rows, func(r eval.Row) bool { return !filter.row(&r) })
	return v, err
}

func (f *Flow) succeeded(ctx context.Context, caller remuda.Caller, id string) (e store.Evaluation, c *compared, err error) {
	if e, err = f.Evaluation(ctx, caller, id); err != nil {
		return e, nil, err
	}
	if e.Status != store.EvaluationSucceeded {
		return e, nil, remuda.Errorf(remuda.Conflict, "look at evaluation %s: it is %s", id, e.Status).WithHint("wait until it has succeeded")
	}
	c, err = f.compared(ctx, e.Boxes)
	return e, c, err
}

// choose returns what a filter leaves of items and predictions.
func (f *Flow) choose(ctx context.Context, caller remuda.Caller, c *compared, filter EvaluationFilter) (*compared, error) {
	if filter.Confidence != nil {
		c = c.predictions(func(i int) bool { return filter.Confidence.has(c.Predictions.Confidence[i]) })
	}
	if len(filter.Slices)+len(filter.ItemMetadata)+len(filter.PredictionMetadata) == 0 && filter.Query == "" {
		return c, nil
	}
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		c, err = c.chosen(tx, filter)
		return err
	})
	return c, err
}

// predictions returns what is compared with some of the predictions.
func (c *compared) predictions(keep func(i int) bool) *compared {
	same := make([]int32, len(c.Items))
	for i := range same {
		same[i] = int32(i)
	}
	return &compared{Items: c.Items, Truth: c.Truth, Predictions: c.Predictions.keep(keep, same)}
}

// chosen returns what conditions that the database must answer leave.
func (c *compared) chosen(tx *store.Tx, filter EvaluationFilter) (*compared, error) {
	var sets []map[string]bool // an item must be in each
	if len(filter.Slices) > 0 {
		set := make(map[string]bool)
		for _, id := range filter.Slices {
			if _, err := tx.Slice(id); err != nil {
				return nil, err
			}
			members, err := tx.SliceMembers(id)
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				set[m.Item] = true
			}
		}
		sets = append(sets, set)
	}
	if len(filter.ItemMetadata)+len(filter.Query) > 0 {
		items, err := tx.ItemsByID(c.Items)
		if err != nil {
			return nil, err
		}
		sets = append(sets, withMetadata(items, filter.ItemMetadata))
		if filter.Query != "" {
			set, err := answering(tx, items, filter.Query)
			if err != nil {
				return nil, err
			}
			sets = append(sets, set)
		}
	}
	c = c.only(func(i int) bool {
		return !slices.ContainsFunc(sets, func(set map[string]bool) bool { return !set[c.Items[i]] })
	})
	if len(filter.PredictionMetadata) == 0 {
		return c, nil
	}
	found, err := tx.AnnotationRevisions(c.Predictions.revisions())
	if err != nil {
		return nil, err
	}
	return c.predictions(func(i int) bool {
		return hold(filter.PredictionMetadata, found[store.AnnotationRevision{ID: c.Predictions.ID[i], Revision: c.Predictions.Revision[i]}].Metadata)
	}), nil
}

func (c *boxColumns) revisions() []store.AnnotationRevision {
	list := make([]store.AnnotationRevision, c.len())
	for i := range list {
		list[i] = store.AnnotationRevision{ID: c.ID[i], Revision: c.Revision[i]}
	}
	return list
}

func hold(conditions []MetadataCondition, metadata json.RawMessage) bool {
	return !slices.ContainsFunc(conditions, func(m MetadataCondition) bool { return !m.holds(metadata) })
}

func withMetadata(items map[string]store.Item, conditions []MetadataCondition) map[string]bool {
	set := make(map[string]bool, len(items))
	for id, item := range items {
		set[id] = hold(conditions, item.Metadata)
	}
	return set
}

// answering returns which of items a query chooses.
func answering(tx *store.Tx, items map[string]store.Item, query string) (map[string]bool, error) {
	parsed, err := slice.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	datasets, set := make(map[string]bool), make(map[string]bool)
	for _, item := range items {
		datasets[item.Dataset] = true
	}
	for _, dataset := range slices.Sorted(maps.Keys(datasets)) {
		found, err := tx.FilterItems(dataset, "", parsed, -1, 0)
		if err != nil {
			return nil, err
		}
		for _, item := range found {
			set[item.ID] = true
		}
	}
	return set, nil
}

// Charts returns an evaluation's numbers at an IoU threshold.
func (f *Flow) Charts(ctx context.Context, caller remuda.Caller, id string, filter EvaluationFilter, iou float64) (eval.Charts, error) {
	v, err := f.view(ctx, caller, id, filter, iou)
	if err != nil {
		return eval.Charts{}, err
	}
	return eval.NewCharts(v.boxes, v.rows, v.rule, iou)
}

// ExampleQuery says which rows of an evaluation are wanted, in which order.
type ExampleQuery struct {
	Filter     EvaluationFilter
	Match      eval.MatchType // "" for all
	SortBy     string         // confidence, iou, dataset_item_id or gt_area; "" goes by items
	Descending bool
	Skip       int
	Limit      int
}

// Example is a row of an evaluation.
type Example struct {
	eval.Row
	Item         store.Item // its metadata is empty if the item is gone
	PredictionID string     // "" if there is none
	TruthID      string
	Predicted    *store.Annotation // as they were; nil if there is none
	GroundTruth  *store.Annotation
}

// Examples returns rows of an evaluation, at an IoU of 0.5, and how many there
// are. Predictions that found nothing but a crowd region are left out.
func (f *Flow) Examples(ctx context.Context, caller remuda.Caller, id string, q ExampleQuery) (found []Example, total int, err error) {
	order, known := exampleOrders()[q.SortBy]
	if !known {
		return nil, 0, remuda.Errorf(remuda.Invalid, "sort examples by %.80q", q.SortBy).WithHint("use confidence, iou, dataset_item_id or gt_area")
	}
	if !slices.Contains([]eval.MatchType{"", eval.TruePositive, eval.FalsePositive, eval.FalseNegative}, q.Match) {
		return nil, 0, remuda.Errorf(remuda.Invalid, "there are no examples of type %.80q", q.Match).WithHint("use TP, FP or FN")
	}
	if q.Skip < 0 || q.Limit < 0 {
		return nil, 0, remuda.Errorf(remuda.Invalid, "%d examples after the first %d", q.Limit, q.Skip).WithHint("give a limit and an offset of at least 0")
	}
	v, err := f.view(ctx, caller, id, q.Filter, eval.MatchIoU)
	if err != nil {
		return nil, 0, err
	}
	rows := slices.DeleteFunc(v.rows, func(r eval.Row) bool { return r.Type == eval.IgnoredMatch || q.Match != "" && r.Type != q.Match })
	places := make([]int, len(rows))
	for i := range places {
		places[i] = i
	}
	if order != nil {
		slices.SortFunc(places, func(i, j int) int {
			a, b := &rows[i], &rows[j]
			if q.Descending {
				a, b = b, a
			}
			return cmp.Or(order(v.compared, a, b), cmp.Compare(i, j))
		})
	}
	var page []eval.Row
	places = places[min(q.Skip, len(places)):]
	for _, i := range places[:min(q.Limit, len(places))] {
		page = append(page, rows[i])
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = v.compared.examples(tx, page)
		return err
	})
	return found, len(rows), err
}

func exampleOrders() map[string]func(c *compared, a, b *eval.Row) int {
	return map[string]func(c *compared, a, b *eval.Row) int{
		"":                nil,
		"confidence":      func(_ *compared, a, b *eval.Row) int { return cmp.Compare(a.Confidence, b.Confidence) },
		"iou":             func(_ *compared, a, b *eval.Row) int { return cmp.Compare(a.IoU, b.IoU) },
		"gt_area":         func(_ *compared, a, b *eval.Row) int { return cmp.Compare(a.Area, b.Area) },
		"dataset_item_id": func(c *compared, a, b *eval.Row) int { return strings.Compare(c.Items[a.Item], c.Items[b.Item]) },
	}
}

func (c *compared) examples(tx *store.Tx, rows []eval.Row) ([]Example, error) {
	var ids []string
	var wanted []store.AnnotationRevision
	found := make([]Example, len(rows))
	of := func(columns *boxColumns, i int) store.AnnotationRevision {
		return store.AnnotationRevision{ID: columns.ID[i], Revision: columns.Revision[i]}
	}
	for i, row := range rows {
		found[i] = Example{Row: row}
		ids = append(ids, c.Items[row.Item])
		if row.Prediction >= 0 {
			found[i].PredictionID, wanted = c.Predictions.ID[row.Prediction], append(wanted, of(&c.Predictions, row.Prediction))
		}
		if row.Truth >= 0 {
			found[i].TruthID, wanted = c.Truth.ID[row.Truth], append(wanted, of(&c.Truth, row.Truth))
		}
	}
	items, err := tx.ItemsByID(ids)
	if err != nil {
		return nil, err
	}
	annotations, err := tx.AnnotationRevisions(wanted)
	if err != nil {
		return nil, err
	}
	for i, row := range rows {
		found[i].Item = items[ids[i]]
		found[i].Item.ID = ids[i]
		if row.Prediction >= 0 {
			if a, ok := annotations[of(&c.Predictions, row.Prediction)]; ok {
				found[i].Predicted = &a
			}
		}
		if row.Truth >= 0 {
			if a, ok := annotations[of(&c.Truth, row.Truth)]; ok {
				found[i].GroundTruth = &a
			}
		}
	}
	return found, nil
}

// MetadataField is a key of items' metadata, as filters use it.
type MetadataField struct {
	Key    string   // of an object within: keys joined by dots
	Type   string   // string, number or boolean
	Values []string // the first of those that occur, sorted; of strings only
}

// FilterSchema is what an evaluation can be filtered by.
type FilterSchema struct {
	TruthLabels      []string
	PredictionLabels []string
	Metadata         []MetadataField
}

// FilterSchema returns what an evaluation can be filtered by.
func (f *Flow) FilterSchema(ctx context.Context, caller remuda.Caller, id string) (s FilterSchema, err error) {
	_, c, err := f.succeeded(ctx, caller, id)
	if err != nil {
		return s, err
	}
	s.TruthLabels, s.PredictionLabels = c.Truth.used(), c.Predictions.used()
	fields := make(metadataFields)
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		for chunk := range slices.Chunk(c.Items, exportPage) {
			items, err := tx.ItemsByID(chunk)
			if err != nil {
				return err
			}
			for _, item := range items {
				fields.note("", item.Metadata)
			}
		}
		return nil
	})
	s.Metadata = fields.list()
	return s, err
}

// used returns the labels of boxes, sorted.
func (c *boxColumns) used() []string {
	seen := make(map[string]bool)
	for _, label := range c.Label {
		seen[c.Labels[label]] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// maxFieldValues is how many values of a field are offered.
const maxFieldValues = 100

// metadataFields are the values of fields, by key and type.
type metadataFields map[[2]string]map[string]bool

func (m metadataFields) note(prefix string, object json.RawMessage) {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return
	}
	for key, text := range members {
		var value any
		if json.Unmarshal(text, &value) != nil {
			continue
		}
		at := [2]string{prefix + key, ""}
		switch v := value.(type) {
		case map[string]any:
			m.note(prefix+key+".", text)
			continue
		case string:
			at[1] = "string"
			if m[at] == nil {
				m[at] = make(map[string]bool)
			}
			if len(m[at]) < maxFieldValues {
				m[at][v] = true
			}
			continue
		case float64:
			at[1] = "number"
		case bool:
			at[1] = "boolean"
		default:
			continue
		}
		if m[at] == nil {
			m[at] = make(map[string]bool)
		}
	}
}

func (m metadataFields) list() []MetadataField {
	list := make([]MetadataField, 0, len(m))
	for at, values := range m {
		list = append(list, MetadataField{Key: at[0], Type: at[1], Values: slices.Sorted(maps.Keys(values))})
	}
	slices.SortFunc(list, func(a, b MetadataField) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Type, b.Type)) })
	return list
}
