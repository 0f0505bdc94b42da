package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"remuda/wire"
)

// Batches lists batches, newest first: of a project and in a status unless
// these are "", those of archived projects if archived is set.
func (c *Client) Batches(ctx context.Context, project, status string, archived bool) (wire.Batches, error) {
	q := set(set(url.Values{}, "project", project), "status", status)
	if archived {
		q.Set("archived", "true")
	}
	return get[wire.Batches](ctx, c, "/batches", q)
}

// CreateBatch makes a batch of a project, to which tasks can be added.
func (c *Client) CreateBatch(ctx context.Context, project string, n wire.NewBatch) (wire.Batch, error) {
	return send[wire.Batch](ctx, c, http.MethodPost, "/projects"+id(project)+"/batches", n, false)
}

// BatchFromSlice makes a batch of a slice: a task for each of its images. Sent
// again it goes on where it was cut off, as long as the batch is not finalized.
func (c *Client) BatchFromSlice(ctx context.Context, n wire.SliceBatch) (wire.SlicedBatch, error) {
	return send[wire.SlicedBatch](ctx, c, http.MethodPost, "/batches", n, !n.Finalize)
}

// BatchOrder lists the batches that aren't completed, as people get to them.
func (c *Client) BatchOrder(ctx context.Context) (wire.Batches, error) {
	return get[wire.Batches](ctx, c, "/batches/order", nil)
}

// OrderBatches puts the batches that aren't completed in an order; no names go
// back to the default.
func (c *Client) OrderBatches(ctx context.Context, names []string) (wire.Batches, error) {
	if names == nil {
		names = []string{}
	}
	return send[wire.Batches](ctx, c, http.MethodPut, "/batches/order", wire.BatchOrder{Names: names}, true)
}

// Batch returns a batch, by id or name, as all others of its kind do.
func (c *Client) Batch(ctx context.Context, batch string) (wire.Batch, error) {
	return get[wire.Batch](ctx, c, "/batches"+id(batch), nil)
}

// ChangeBatch changes a batch's plan, people, callback or metadata; what is left out stays.
func (c *Client) ChangeBatch(ctx context.Context, batch string, change wire.BatchChange) (wire.Batch, error) {
	return send[wire.Batch](ctx, c, http.MethodPatch, "/batches"+id(batch), change, true)
}

// BatchAdvice says what a careful manager would do before people begin.
func (c *Client) BatchAdvice(ctx context.Context, batch string) (wire.Advice, error) {
	return get[wire.Advice](ctx, c, "/batches"+id(batch)+"/advice", nil)
}

// FinalizeBatch ends the adding of tasks: people may work.
func (c *Client) FinalizeBatch(ctx context.Context, batch string) (wire.Batch, error) {
	return send[wire.Batch](ctx, c, http.MethodPost, "/batches"+id(batch)+"/finalize", nil, true)
}

// ReopenBatch lets more tasks be added.
func (c *Client) ReopenBatch(ctx context.Context, batch, why string) (wire.Batch, error) {
	return send[wire.Batch](ctx, c, http.MethodPost, "/batches"+id(batch)+"/reopen", wire.Reason{Why: why}, true)
}

// Calibration says how well a batch's people draw, held against the audited answers.
func (c *Client) Calibration(ctx context.Context, batch string) (wire.Calibration, error) {
	return get[wire.Calibration](ctx, c, "/batches"+id(batch)+"/calibration", nil)
}

// Agreement says how well a batch's people agree with each other.
func (c *Client) Agreement(ctx context.Context, batch string) (wire.Ceiling, error) {
	return get[wire.Ceiling](ctx, c, "/batches"+id(batch)+"/agreement", nil)
}

// SampleAudits chooses completed tasks of a batch at random to be audited.
func (c *Client) SampleAudits(ctx context.Context, batch string, s wire.SampleAudits) (wire.SampledAudits, error) {
	return send[wire.SampledAudits](ctx, c, http.MethodPost, "/batches"+id(batch)+"/sample", s, true)
}

// AuditEstimate says how many of a batch's results that nobody audited are wrong.
func (c *Client) AuditEstimate(ctx context.Context, batch string) (wire.AuditEstimate, error) {
	return get[wire.AuditEstimate](ctx, c, "/batches"+id(batch)+"/audit", nil)
}

// StartChanges says what became of the boxes that a batch's people began from.
func (c *Client) StartChanges(ctx context.Context, batch string) (wire.StartChanges, error) {
	return get[wire.StartChanges](ctx, c, "/batches"+id(batch)+"/changes", nil)
}

// StuckTasks lists the tasks of a batch that wait for a manager, and why.
func (c *Client) StuckTasks(ctx context.Context, batch string) (wire.StuckTasks, error) {
	return get[wire.StuckTasks](ctx, c, "/batches"+id(batch)+"/stuck", nil)
}

// BatchCosts returns the time and money that a batch took.
func (c *Client) BatchCosts(ctx context.Context, batch string) (wire.Costs, error) {
	return get[wire.Costs](ctx, c, "/batches"+id(batch)+"/costs", nil)
}

// ProjectCosts returns the time and money that a project took.
func (c *Client) ProjectCosts(ctx context.Context, project string) (wire.Costs, error) {
	return get[wire.Costs](ctx, c, "/projects"+id(project)+"/costs", nil)
}

// BatchCostsCSV writes the time and money that a batch took as a table.
func (c *Client) BatchCostsCSV(ctx context.Context, batch string, w io.Writer) error {
	return c.table(ctx, "/batches"+id(batch)+"/costs.csv", w)
}

// ProjectCostsCSV writes the time and money that a project took as a table.
func (c *Client) ProjectCostsCSV(ctx context.Context, project string, w io.Writer) error {
	return c.table(ctx, "/projects"+id(project)+"/costs.csv", w)
}

// table copies an answer that is text. It isn't asked for again once some of it
// has been written.
func (c *Client) table(ctx context.Context, path string, w io.Writer) error {
	var text []byte
	err := c.do(ctx, request{method: http.MethodGet, path: path, safe: true, take: func(answer *http.Response) (err error) {
		if text, err = io.ReadAll(answer.Body); err != nil {
			err = c.unreachable(err)
		}
		return err
	}})
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}
