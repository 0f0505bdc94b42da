package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"remuda/wire"
)

// Evaluations lists those of a model or of a run, newest first.
func (c *Client) Evaluations(ctx context.Context, model, run string) (wire.Evaluations, error) {
	return get[wire.Evaluations](ctx, c, "/evaluations", set(set(url.Values{}, "model", model), "run", run))
}

// CreateEvaluation scores a model's predictions; a job computes it.
func (c *Client) CreateEvaluation(ctx context.Context, n wire.NewEvaluation) (wire.Evaluation, error) {
	return send[wire.Evaluation](ctx, c, http.MethodPost, "/evaluations", n, false)
}

// Evaluation returns an evaluation.
func (c *Client) Evaluation(ctx context.Context, evaluation string) (wire.Evaluation, error) {
	return get[wire.Evaluation](ctx, c, "/evaluations"+id(evaluation), nil)
}

// DeleteEvaluation removes an evaluation.
func (c *Client) DeleteEvaluation(ctx context.Context, evaluation string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/evaluations" + id(evaluation)})
}

// CancelEvaluation ends an evaluation that has not ended.
func (c *Client) CancelEvaluation(ctx context.Context, evaluation string) error {
	return c.do(ctx, request{method: http.MethodPost, path: "/evaluations" + id(evaluation) + "/cancel"})
}

// Looked says what of an evaluation is looked at; zero fields choose all.
type Looked struct {
	Slices        []string // ids: only their items
	MinConfidence float64
}

func (l Looked) query(q url.Values) url.Values {
	for _, slice := range l.Slices {
		q.Add("slice", slice)
	}
	if l.MinConfidence > 0 {
		q.Set("min_confidence", strconv.FormatFloat(l.MinConfidence, 'g', -1, 64))
	}
	return q
}

// Charts returns an evaluation's numbers; iou is from which overlap a
// prediction has found ground truth.
func (c *Client) Charts(ctx context.Context, evaluation string, look Looked, iou float64) (wire.Charts, error) {
	q := look.query(url.Values{"iou": {strconv.FormatFloat(iou, 'g', -1, 64)}})
	return get[wire.Charts](ctx, c, "/evaluations"+id(evaluation)+"/charts", q)
}

// ExampleQuery says which examples are wanted, in which order.
type ExampleQuery struct {
	Looked
	Match      string // TP, FP or FN; "" for all
	SortBy     string // confidence, iou, dataset_item_id or gt_area; "" goes by items
	Descending bool
}

// Examples returns a page of what became of each box.
func (c *Client) Examples(ctx context.Context, evaluation string, query ExampleQuery, page Page) (wire.MatchExamples, error) {
	q := set(set(query.query(page.query()), "match", query.Match), "sort", query.SortBy)
	if query.Descending {
		q.Set("descending", "true")
	}
	return get[wire.MatchExamples](ctx, c, "/evaluations"+id(evaluation)+"/examples", q)
}
