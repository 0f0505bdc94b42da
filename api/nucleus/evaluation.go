package nucleus

import (
	"encoding/json"
	"strconv"

	"remuda"
	"remuda/eval"
	"remuda/flow"
	"remuda/store"
)

func evaluationRoutes() map[string]handler {
	return map[string]handler{
		"POST benchmarks/{bm}/evaluationsV2":                       evaluateBenchmark,
		"POST modelRun/{run}/evaluationsV2":                        evaluateRun,
		"GET model/{prj}/evaluationsV2":                            listEvaluations,
		"GET modelRun/{run}/evaluationsV2":                         listEvaluations,
		"GET evaluationsV2/{id}":                                   getEvaluation,
		"DELETE evaluationsV2/{id}":                                deleteEvaluation,
		"POST evaluationsV2/{id}/cancel":                           cancelEvaluation,
		"POST evaluationsV2/{id}/retry":                            retryEvaluation,
		"POST evaluationsV2/{id}/charts":                           charts,
		"GET evaluationsV2/{id}/charts":                            chartsOfQuery,
		"POST evaluationsV2/{id}/examples":                         examples,
		"GET evaluationsV2/{id}/filterSchema":                      filterSchema,
		"POST dataset/{ds}/model/{prj}/calculateEvaluationMetrics": calculateMetrics,
	}
}

// sentMatch lets a prediction with one label find ground truth with another.
type sentMatch struct {
	Truth      string `json:"ground_truth_label"`
	Prediction string `json:"model_prediction_label"`
}

func allowedPairs(sent []sentMatch) []eval.AllowedPair {
	var pairs []eval.AllowedPair
	for _, m := range sent {
		pairs = append(pairs, eval.AllowedPair(m))
	}
	return pairs
}

// sentEvaluation is the body of the calls that make an evaluation.
type sentEvaluation struct {
	Name          string               `json:"name"`
	Model         string               `json:"model_id"`
	Run           string               `json:"model_run_id"`
	Groups        []sentGroup          `json:"rollupGroups"`
	Exclusions    []flow.ExclusionRule `json:"exclusionRules"`
	Allowed       []sentMatch          `json:"allowed_label_matches"`
	LabelMatches  string               `json:"allowed_label_matches_id"`
	ClassAgnostic *bool                `json:"class_agnostic"`
}

// rule is the label rule that was sent, nil if none was.
func (e *sentEvaluation) rule() *eval.LabelRule {
	rule := eval.LabelRule{Allowed: allowedPairs(e.Allowed), Groups: labelGroups(e.Groups), Agnostic: e.ClassAgnostic != nil && *e.ClassAgnostic}
	if e.ClassAgnostic == nil && len(rule.Allowed)+len(rule.Groups) == 0 {
		return nil
	}
	return &rule
}

func evaluateBenchmark(s *Server, r *request) (any, error) {
	return s.evaluate(r, func(sent sentEvaluation) flow.NewEvaluation {
		return flow.NewEvaluation{Benchmark: r.param("bm"), Model: sent.Model, Run: sent.Run}
	})
}

func evaluateRun(s *Server, r *request) (any, error) {
	return s.evaluate(r, func(sentEvaluation) flow.NewEvaluation { return flow.NewEvaluation{Run: r.param("run")} })
}

func (s *Server) evaluate(r *request, of func(sentEvaluation) flow.NewEvaluation) (any, error) {
	var sent sentEvaluation
	if err := r.json(&sent); err != nil {
		return nil, err
	}
	if err := noLabelMatches(sent.LabelMatches); err != nil {
		return nil, err
	}
	n := of(sent)
	n.Name, n.Rule, n.Exclusions = sent.Name, sent.rule(), sent.Exclusions
	made, err := s.Flow.CreateEvaluation(r.Context(), r.caller, n)
	return map[string]any{"evaluation_id": made.ID, "job_id": made.Job}, err
}

// runOf is the run of an evaluation as users know it: null if the predictions were sent without one.
func runOf(e store.Evaluation) any {
	if e.RunHidden {
		return nil
	}
	return e.Run
}

func evaluationJSON(e store.Evaluation) map[string]any {
	var rule eval.LabelRule
	var summary flow.EvaluationSummary
	_, _ = json.Unmarshal(e.Rule, &rule), json.Unmarshal(e.Summary, &summary) // the server wrote them
	allowed := make([]sentMatch, len(rule.Allowed))
	for i, pair := range rule.Allowed {
		allowed[i] = sentMatch(pair)
	}
	return map[string]any{
		"id": e.ID, "status": e.Status, "name": e.Name, "model_id": e.Model, "model_run_id": runOf(e), "dataset_id": orNull(e.Dataset), "benchmark_id": orNull(e.Benchmark),
		"slice_id": nil, "temporal_workflow_id": orNull(e.Job), "error_message": orNull(e.Problem), "created_at": remuda.FormatTime(e.CreatedAt), "created_by_user_id": e.CreatedBy,
		"rollup_groups": groupsJSON(rule.Groups), "exclusion_rules": e.Exclusions, "exclusion_stats": summary.Excluded, "class_agnostic": rule.Agnostic,
		"allowed_label_matches_id": nil, "allowed_label_matches": allowed, "allowed_label_matches_name": nil,
	}
}

func listEvaluations(s *Server, r *request) (any, error) {
	found, err := s.Flow.Evaluations(r.Context(), r.caller, r.param("prj"), r.param("run"))
	return list(found, evaluationJSON), err
}

func getEvaluation(s *Server, r *request) (any, error) {
	e, err := s.Flow.Evaluation(r.Context(), r.caller, r.param("id"))
	if err != nil {
		return nil, err
	}
	return evaluationJSON(e), nil
}

func deleteEvaluation(s *Server, r *request) (any, error) {
	return map[string]any{"id": r.param("id"), "deleted": true}, s.Flow.DeleteEvaluation(r.Context(), r.caller, r.param("id"))
}

func cancelEvaluation(s *Server, r *request) (any, error) {
	return map[string]any{"id": r.param("id"), "status": store.EvaluationCancelled}, s.Flow.CancelEvaluation(r.Context(), r.caller, r.param("id"))
}

func retryEvaluation(s *Server, r *request) (any, error) {
	made, err := s.Flow.RetryEvaluation(r.Context(), r.caller, r.param("id"))
	return map[string]any{"evaluation_id": made.ID}, err
}

// sentFilters is what of an evaluation is looked at.
type sentFilters struct {
	Filters *flow.EvaluationFilter `json:"filters"`
	Query   string                 `json:"query"`
}

func (f *sentFilters) filter() (filter flow.EvaluationFilter) {
	if f.Filters != nil {
		filter = *f.Filters
	}
	filter.Query = f.Query
	return filter
}

func charts(s *Server, r *request) (any, error) {
	var body struct {
		sentFilters
		IoU *float64 `json:"iouThreshold"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	iou := eval.MatchIoU
	if body.IoU != nil {
		iou = *body.IoU
	}
	return s.charts(r, body.filter(), iou)
}

func chartsOfQuery(s *Server, r *request) (any, error) {
	query := r.URL.Query()
	sent, iou := sentFilters{Query: query.Get("query")}, eval.MatchIoU
	if text := query.Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &sent.Filters); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the filters: %w", err)
		}
	}
	if text := query.Get("iouThreshold"); text != "" {
		var err error
		if iou, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "iouThreshold is %.80q, not a number", text)
		}
	}
	return s.charts(r, sent.filter(), iou)
}

func (s *Server) charts(r *request, filter flow.EvaluationFilter, iou float64) (any, error) {
	c, err := s.Flow.Charts(r.Context(), r.caller, r.param("id"), filter, iou)
	if err != nil {
		return nil, err
	}
	perClass, curve := make([]map[string]any, len(c.PerClass)), make([]map[string]any, len(c.Curve))
	for i, p := range c.PerClass {
		perClass[i] = map[string]any{"classLabel": p.Category, "ap": p.AP}
	}
	for i, p := range c.Curve {
		curve[i] = map[string]any{"classLabel": p.Category, "recall": p.Recall, "precision": p.Precision}
	}
	confusion, buckets := make([]map[string]any, len(c.Confusion)), make([]map[string]any, len(c.Histogram))
	for i, cell := range c.Confusion {
		confusion[i] = map[string]any{"gtLabel": cell.Truth, "predLabel": cell.Predicted, "count": cell.Count}
	}
	for i, b := range c.Histogram {
		buckets[i] = map[string]any{"bucketMin": b.Min, "bucketMax": b.Max, "count": b.Count}
	}
	return map[string]any{
		"mapSummary":        map[string]any{"mapAt50": c.MAP50, "mapAt75": c.MAP75, "mapAt5095": c.MAP5095},
		"perClassAp":        perClass,
		"confusionMatrix":   confusion,
		"scoreHistogram":    buckets,
		"computedIouRanges": orNone(c.IoUs),
		"totalCounts":       map[string]int{"tp": c.Counts.TP, "fp": c.Counts.FP, "fn": c.Counts.FN, "predsWithConfidence": c.Counts.Predictions},
		"apBySize":          map[string]any{"small": c.Small, "medium": c.Medium, "large": c.Large},
		"prCurve":           curve,
		"tideAttribution": map[string]int{
			"truePositive": c.TIDE.TruePositive, "localization": c.TIDE.Localization, "classification": c.TIDE.Classification, "both": c.TIDE.Both,
			"duplicate": c.TIDE.Duplicate, "background": c.TIDE.Background, "missed": c.TIDE.Missed,
		},
	}, nil
}

// How many examples an answer has.
const (
	someExamples = 50
	maxExamples  = 100
)

func examples(s *Server, r *request) (any, error) {
	var body struct {
		sentFilters
		Limit  *int           `json:"limit"`
		Offset int            `json:"offset"`
		Match  eval.MatchType `json:"match_type"`
		SortBy string         `json:"sort_by"`
		Order  string         `json:"sort_order"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Order != "" && body.Order != "ASC" && body.Order != "DESC" {
		return nil, remuda.Errorf(remuda.Invalid, "sort examples %.80q", body.Order).WithHint("use ASC or DESC")
	}
	limit := someExamples
	if body.Limit != nil {
		limit = min(*body.Limit, maxExamples)
	}
	found, total, err := s.Flow.Examples(r.Context(), r.caller, r.param("id"), flow.ExampleQuery{
		Filter: body.filter(), Match: body.Match, SortBy: body.SortBy, Descending: body.Order == "DESC", Skip: body.Offset, Limit: limit,
	})
	rows := make([]map[string]any, len(found))
	for i, example := range found {
		rows[i] = exampleJSON(r.param("id"), example)
	}
	return map[string]any{"rows": rows, "total": total}, err
}

func exampleJSON(evaluation string, e flow.Example) map[string]any {
	id := e.PredictionID
	if id == "" {
		id = e.TruthID
	}
	wire := map[string]any{
		"id": id, "evaluation_id": evaluation, "dataset_item_id": e.Item.ID, "true_positive": e.Type == eval.TruePositive, "match_type": e.Type,
		"model_prediction_id": orNull(e.PredictionID), "ground_truth_annotation_id": orNull(e.TruthID),
		"pred_canonical_label": orNull(e.PredictionCategory), "gt_canonical_label": orNull(e.TruthCategory),
		"pred_raw_label": orNull(e.PredictionLabel), "gt_raw_label": orNull(e.TruthLabel), "iou": e.IoU, "confidence": nil, "gt_area": nil,
		"item_metadata": orEmpty(e.Item.Metadata), "prediction_metadata": nil, "prediction_row": nil, "annotation_row": nil,
	}
	if e.PredictionID != "" {
		wire["confidence"] = e.Confidence
	}
	if e.TruthID != "" {
		wire["gt_area"] = e.Area
	}
	if e.Predicted != nil {
		wire["prediction_metadata"], wire["prediction_row"] = e.Predicted.Metadata, annotationJSON(*e.Predicted, e.Item.ReferenceID)
	}
	if e.GroundTruth != nil {
		wire["annotation_row"] = annotationJSON(*e.GroundTruth, e.Item.ReferenceID)
	}
	return wire
}

func filterSchema(s *Server, r *request) (any, error) {
	schema, err := s.Flow.FilterSchema(r.Context(), r.caller, r.param("id"))
	fields := make([]map[string]any, len(schema.Metadata))
	for i, f := range schema.Metadata {
		fields[i] = map[string]any{"key": f.Key, "value_type": f.Type, "values": orNone(f.Values)}
	}
	return map[string]any{"gt_labels": orNone(schema.TruthLabels), "pred_labels": orNone(schema.PredictionLabels), "metadata_fields": fields}, err
}

// metricsRule is the label rule of calculateEvaluationMetrics: labels need not be
// equal unless the caller says so, or says which may match.
func (e *sentEvaluation) metricsRule() *eval.LabelRule {
	if len(e.Allowed) > 0 {
		return &eval.LabelRule{Allowed: allowedPairs(e.Allowed)}
	}
	return &eval.LabelRule{Agnostic: e.ClassAgnostic == nil || *e.ClassAgnostic}
}

// calculateMetrics evaluates what a model predicted on a dataset.
func calculateMetrics(s *Server, r *request) (any, error) {
	var sent sentEvaluation
	if err := r.json(&sent); err != nil {
		return nil, err
	}
	e, err := s.Flow.EvaluateOn(r.Context(), r.caller, r.param("ds"), r.param("prj"), sent.metricsRule())
	return map[string]any{"dataset_id": r.param("ds"), "model_id": r.param("prj"), "model_run_id": runOf(e), "evaluation_id": e.ID, "job_id": e.Job}, err
}
