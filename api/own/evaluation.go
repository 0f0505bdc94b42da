package own

import (
	"context"

	"remuda"
	"remuda/eval"
	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfEvaluation names an evaluation in the path.
type OfEvaluation struct {
	Evaluation string `path:"evaluation" doc:"The evaluation's id."`
}

// Filtered chooses what of an evaluation is looked at.
type Filtered struct {
	Slice         []string `query:"slice" doc:"Only items of these slices."`
	MinConfidence float64  `query:"min_confidence" minimum:"0" maximum:"1" doc:"Only predictions of at least this confidence."`
}

func (f Filtered) filter() flow.EvaluationFilter {
	out := flow.EvaluationFilter{Slices: f.Slice}
	if f.MinConfidence > 0 {
		out.Confidence = &flow.Range{Min: &f.MinConfidence}
	}
	return out
}

func (s *Server) evaluationRoutes() {
	handle(s, route{at: "GET /evaluations", id: "listEvaluations", summary: "Evaluations of a model or of a run", about: "Newest first."}, s.evaluations)
	handle(s, route{at: "POST /evaluations", id: "createEvaluation", summary: "Score a model's predictions", about: "A job computes it from the predictions and the ground truth as they are then."}, s.createEvaluation)
	handle(s, route{at: "GET /evaluations/{evaluation}", id: "getEvaluation", summary: "An evaluation"}, s.evaluation)
	act(s, route{at: "DELETE /evaluations/{evaluation}", id: "deleteEvaluation", summary: "Delete an evaluation"}, func(ctx context.Context, c *call, in *OfEvaluation) error {
		return s.Flow.DeleteEvaluation(ctx, c.caller, in.Evaluation)
	})
	act(s, route{at: "POST /evaluations/{evaluation}/cancel", id: "cancelEvaluation", summary: "Cancel an evaluation"}, func(ctx context.Context, c *call, in *OfEvaluation) error {
		return s.Flow.CancelEvaluation(ctx, c.caller, in.Evaluation)
	})
	handle(s, route{at: "GET /evaluations/{evaluation}/charts", id: "getCharts", summary: "An evaluation's numbers"}, s.charts)
	handle(s, route{at: "GET /evaluations/{evaluation}/examples", id: "listExamples", summary: "What became of each box", about: "At an IoU of 0.5. Predictions that found nothing but a crowd region are left out."}, s.examples)
}

func wireEvaluation(e store.Evaluation) wire.Evaluation {
	return wire.Evaluation{
		ID: e.ID, Name: e.Name, Model: e.Model, Run: e.Run, Benchmark: e.Benchmark, Dataset: e.Dataset, Status: string(e.Status), Problem: e.Problem,
		Job: e.Job, Summary: filled(e.Summary), CreatedAt: wire.NewTime(e.CreatedAt), CreatedBy: e.CreatedBy,
	}
}

func (s *Server) evaluations(ctx context.Context, c *call, in *struct {
	Model string `query:"model" doc:"The model's id."`
	Run   string `query:"run" doc:"The run's id."`
},
) (out wire.Evaluations, err error) {
	if err := c.caller.Need(remuda.Reviewer); err != nil {
		return out, err
	}
	if in.Model == "" && in.Run == "" {
		return out, remuda.Errorf(remuda.Invalid, "list evaluations: of which model?").WithHint("name a model or a run")
	}
	found, err := s.Flow.Evaluations(ctx, c.caller, in.Model, in.Run)
	return wire.Evaluations{Evaluations: list(found, wireEvaluation)}, err
}

func (s *Server) createEvaluation(ctx context.Context, c *call, in *struct{ Body wire.NewEvaluation }) (wire.Evaluation, error) {
	n := in.Body
	made, err := s.Flow.CreateEvaluation(ctx, c.caller, flow.NewEvaluation{Name: n.Name, Model: n.Model, Run: n.Run, Dataset: n.Dataset, Benchmark: n.Benchmark})
	return wireEvaluation(made), err
}

func (s *Server) evaluation(ctx context.Context, c *call, in *OfEvaluation) (wire.Evaluation, error) {
	found, err := s.Flow.Evaluation(ctx, c.caller, in.Evaluation)
	return wireEvaluation(found), err
}

func (s *Server) charts(ctx context.Context, c *call, in *struct {
	OfEvaluation
	Filtered
	IoU float64 `query:"iou" minimum:"0" maximum:"1" default:"0.5" doc:"From which overlap a prediction has found ground truth."`
},
) (wire.Charts, error) {
	found, err := s.Flow.Charts(ctx, c.caller, in.Evaluation, in.filter(), in.IoU)
	return wire.Charts{
		MAP50: found.MAP50, MAP75: found.MAP75, MAP5095: found.MAP5095, MAPSmall: found.Small, MAPMedium: found.Medium, MAPLarge: found.Large,
		Categories: list(found.PerClass, func(a eval.CategoryAP) wire.CategoryAP { return wire.CategoryAP(a) }),
		Curve:      list(found.Curve, func(p eval.CurvePoint) wire.CurvePoint { return wire.CurvePoint(p) }),
		Confusion:  list(found.Confusion, func(n eval.ConfusionCount) wire.ConfusionCount { return wire.ConfusionCount(n) }),
		Histogram:  list(found.Histogram, func(b eval.HistogramBucket) wire.HistogramBucket { return wire.HistogramBucket(b) }),
		Errors:     wire.ErrorCounts(found.TIDE),
	}, err
}

func (s *Server) examples(ctx context.Context, c *call, in *struct {
	OfEvaluation
	Filtered
	Paging
	Match      string `query:"match" enum:"TP,FP,FN" doc:"Only these; all if it is left out."`
	SortBy     string `query:"sort" enum:"confidence,iou,dataset_item_id,gt_area"`
	Descending bool   `query:"descending"`
},
) (out wire.MatchExamples, err error) {
	skip, err := in.position()
	if err != nil {
		return out, err
	}
	skip = max(skip, 0)
	found, total, err := s.Flow.Examples(ctx, c.caller, in.Evaluation, flow.ExampleQuery{
		Filter: in.filter(), Match: eval.MatchType(in.Match), SortBy: in.SortBy, Descending: in.Descending, Skip: int(skip), Limit: in.Limit,
	})
	if err != nil {
		return out, err
	}
	out.Total, out.Examples = total, make([]wire.MatchExample, len(found))
	if next := skip + int64(len(found)); next < int64(total) && len(found) > 0 {
		out.Next = cursorAt(next)
	}
	for i, e := range found {
		item, err := s.wireItem(ctx, e.Item)
		if err != nil {
			return out, err
		}
		out.Examples[i] = wire.MatchExample{
			Match: string(e.Type), Error: string(e.Error), IoU: e.IoU, Confidence: e.Confidence, Item: item,
			Prediction: optional(e.Predicted), Truth: optional(e.GroundTruth),
		}
	}
	return out, nil
}

func optional(a *store.Annotation) *wire.Annotation {
	if a == nil {
		return nil
	}
	out := wireAnnotation(*a)
	return &out
}
