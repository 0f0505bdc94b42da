package nucleus

import (
	"encoding/json"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/slice"
	"remuda/store"
)

func queryRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/queryItemsPage":    queryItemsPage,
		"POST dataset/{ds}/queryObjectsPage":  queryObjectsPage,
		"POST dataset/{ds}/queryScenesPage":   refuse("queries of scenes"),
		"POST dataset/{ds}/deduplicate_async": deduplicate,
	}
}

func queryItemsPage(s *Server, r *request) (any, error) {
	var body struct {
		pageRequest
		Query string `json:"query"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	filter, err := slice.ParseQuery(body.Query)
	if err != nil {
		return nil, err
	}
	after, size, err := body.after()
	if err != nil {
		return nil, err
	}
	items, err := s.Flow.QueryItems(r.Context(), r.caller, r.param("ds"), "", filter, after, size+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(items, size, func(item store.Item) string { return at(item.Position) })
	wire, err := s.itemsJSON(r, items)
	return map[string]any{"items": wire, "nextPageToken": next}, err
}

// objectsQuery is a page of annotations, predictions or matches.
type objectsQuery struct {
	pageRequest
	Query string  `json:"query"`
	Mode  string  `json:"patch_mode"`
	Run   *string `json:"model_run_id"`
}

func queryObjectsPage(s *Server, r *request) (any, error) {
	var body objectsQuery
	if err := r.json(&body); err != nil {
		return nil, err
	}
	kind, matched := map[string]store.MatchKind{"iou": store.MatchFound, "false_positive": store.MatchWrong, "false_negative": store.MatchMissed}[body.Mode]
	switch {
	case matched && (body.Run == nil || *body.Run == ""):
		return nil, remuda.Errorf(remuda.Invalid, "query matches without a model run").WithHint("send model_run_id")
	case matched:
		return s.queryMatches(r, &body, kind)
	case body.Mode != "predictions_only" && body.Mode != "ground_truth_only":
		return nil, remuda.Errorf(remuda.Invalid, "there is no patch_mode %.80q", body.Mode).
			WithHint("use iou, false_positive, false_negative, predictions_only or ground_truth_only")
	}
	return s.queryBoxes(r, &body)
}

// objectsFilter reads a query of objects: one on their items or, if it is none, on boxes themselves.
func objectsFilter(query string) (slice.Filter, error) {
	filter, err := slice.ParseQuery(query)
	if err == nil {
		return filter, nil
	}
	if boxes, wrong := slice.Parse(query, slice.Boxes); wrong == nil {
		return boxes, nil
	}
	return filter, err
}

func (s *Server) queryBoxes(r *request, body *objectsQuery) (any, error) {
	filter, err := objectsFilter(body.Query)
	if err != nil {
		return nil, err
	}
	after, size, err := body.afterBox()
	if err != nil {
		return nil, err
	}
	truth := ""
	run := body.Run
	switch {
	case body.Mode == "ground_truth_only":
		run = &truth
	case run == nil || *run == "":
		run = nil
		model := slice.Compare{Op: slice.EQ, Type: slice.Set, Left: slice.Field{Of: slice.Boxes, Name: "source"}, Right: slice.Value{Type: slice.Text, Text: "model"}}
		filter = slice.Filter{Level: slice.Boxes, Where: slice.And{Terms: []slice.Cond{model, filter.Where}}}
	}
	boxes, err := s.Flow.QueryBoxes(r.Context(), r.caller, r.param("ds"), "", run, filter, after, size+1)
	if err != nil {
		return nil, err
	}
	boxes, next := pageOf(boxes, size, func(b flow.QueriedBox) string { return at(b.Cursor.Position) + " " + b.Cursor.ID })
	wire := []json.RawMessage{}
	for _, b := range boxes {
		wire = append(wire, annotationJSON(b.Annotation, b.Item.ReferenceID))
	}
	return map[string]any{"items": wire, "nextPageToken": next}, nil
}

// afterBox is after for boxes, whose token has the item's position and the box's id.
func (q *objectsQuery) afterBox() (cursor store.BoxCursor, size int, err error) {
	var text string
	if json.Unmarshal(q.Token, &text) == nil {
		position, id, _ := strings.Cut(text, " ")
		cursor.ID = id
		q.Token = json.RawMessage(`"` + position + `"`)
	}
	cursor.Position, size, err = q.after()
	return cursor, size, err
}

func (s *Server) queryMatches(r *request, body *objectsQuery, kind store.MatchKind) (any, error) {
	filter, err := slice.ParseQuery(body.Query)
	if err != nil {
		return nil, err
	}
	after, size, err := body.after()
	if err != nil {
		return nil, err
	}
	pairs, err := s.Flow.QueryMatches(r.Context(), r.caller, r.param("ds"), *body.Run, kind, filter, after, size+1)
	if err != nil {
		return nil, err
	}
	pairs, next := pageOf(pairs, size, func(p store.MatchedPair) string { return at(p.Number) })
	wire := list(pairs, func(p store.MatchedPair) map[string]any { return matchJSON(p, *body.Run) })
	return map[string]any{"items": wire, "nextPageToken": next}, nil
}

// matchJSON writes a match; what it lacks is null.
func matchJSON(p store.MatchedPair, run string) map[string]any {
	m := p.Match
	wire := map[string]any{
		"model_run_id": run, "iou": m.IoU, "dataset_item_id": m.Item, "true_positive": m.Kind == store.MatchFound, "confidence": m.Confidence,
		"model_prediction_id": m.Annotation, "model_prediction_label": p.Category, "ground_truth_annotation_id": nil, "ground_truth_annotation_label": nil,
	}
	switch {
	case m.Kind == store.MatchMissed:
		wire["model_prediction_id"], wire["model_prediction_label"] = nil, nil
		wire["ground_truth_annotation_id"], wire["ground_truth_annotation_label"] = m.Annotation, p.Category
	case m.Other != "":
		wire["ground_truth_annotation_id"], wire["ground_truth_annotation_label"] = m.Other, p.OtherCategory
	}
	return wire
}

func deduplicate(s *Server, r *request) (any, error) {
	var body struct {
		Threshold  *int     `json:"threshold"`
		References []string `json:"reference_ids"`
		Items      []string `json:"dataset_item_ids"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Threshold == nil {
		return nil, remuda.Errorf(remuda.Invalid, "find near-duplicates without a threshold").WithHint("send a whole number from 0 to 64")
	}
	job, err := s.Flow.Deduplicate(r.Context(), r.caller, r.param("ds"), flow.Deduplication{Threshold: *body.Threshold, References: body.References, Items: body.Items})
	return jobJSON(job), err
}
