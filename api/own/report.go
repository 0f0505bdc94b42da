package own

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

func (s *Server) reportRoutes() {
	handle(s, route{
		at: "GET /batches/{batch}/calibration", id: "getCalibration", summary: "How well people draw, held against the audited answers",
		about: "All together and each: missed, extra and confused boxes, bias of every edge, score. It advises and stops nobody.",
	}, s.calibration)
	handle(s, route{
		at: "GET /batches/{batch}/agreement", id: "getAgreement", summary: "How well people agree with each other: the noise ceiling",
		about: "On the images that several of them attempted.",
	}, func(ctx context.Context, c *call, in *OfBatch) (wire.Ceiling, error) {
		ceiling, err := s.Flow.Agreement(ctx, c.caller, in.Batch)
		out, err := reported[wire.Ceiling](ceiling, err)
		out.Categories = orNone(out.Categories)
		return out, err
	})
	handle(s, route{
		at: "POST /batches/{batch}/sample", id: "sampleAudits", summary: "Choose completed tasks at random to be audited",
	}, func(ctx context.Context, c *call, in *struct {
		OfBatch
		Body wire.SampleAudits
	},
	) (wire.SampledAudits, error) {
		chosen, err := s.Flow.SampleBatch(ctx, c.caller, in.Batch, in.Body.Size, in.Body.Seed)
		return wire.SampledAudits{Tasks: texts(chosen)}, err
	})
	handle(s, route{
		at: "GET /batches/{batch}/audit", id: "getAuditEstimate", summary: "How many of the results that nobody audited are wrong",
		about: "Estimated from the audits of the random sample, with its interval.",
	}, func(ctx context.Context, c *call, in *OfBatch) (wire.AuditEstimate, error) {
		d, err := s.Flow.AuditEstimate(ctx, c.caller, in.Batch)
		out, err := reported[wire.AuditEstimate](d.Tally, err)
		if d.Unseen != nil && err == nil {
			out.Unseen = &wire.Unseen{Tasks: d.Unseen.Tasks, Rate: d.Unseen.Rate, Interval: d.Unseen.Interval}
		}
		return out, err
	})
	handle(s, route{
		at: "GET /batches/{batch}/stuck", id: "listStuck", summary: "Tasks that wait for a manager",
		about: "Set aside with a question, or such that nobody is left who may do them.",
	}, func(ctx context.Context, c *call, in *OfBatch) (wire.StuckTasks, error) {
		found, err := s.Flow.StuckTasks(ctx, c.caller, in.Batch)
		return wire.StuckTasks{Tasks: list(found, func(t flow.Stuck) wire.StuckTask { return wire.StuckTask(t) })}, err
	})
	handle(s, route{at: "GET /batches/{batch}/changes", id: "getStartChanges", summary: "What became of the boxes that people began from"}, s.startChanges)
	handle(s, route{at: "GET /batches/{batch}/costs", id: "getBatchCosts", summary: "Time and money that a batch took, and what is left", about: aboutCosts}, func(ctx context.Context, c *call, in *OfBatch) (wire.Costs, error) {
		costs, err := s.Flow.BatchCosts(ctx, c.caller, in.Batch)
		return wireCosts(costs, err)
	})
	handle(s, route{at: "GET /projects/{project}/costs", id: "getProjectCosts", summary: "Time and money that a project took, and what is left", about: aboutCosts}, func(ctx context.Context, c *call, in *OfProject) (wire.Costs, error) {
		costs, err := s.Flow.ProjectCosts(ctx, c.caller, in.Project)
		return wireCosts(costs, err)
	})
	table(s, route{at: "GET /batches/{batch}/costs.csv", id: "getBatchCostsTable", summary: "Time and money that a batch took, as CSV"}, func(ctx context.Context, c *call, in *OfBatch) (flow.Costs, error) {
		return s.Flow.BatchCosts(ctx, c.caller, in.Batch)
	})
	table(s, route{at: "GET /projects/{project}/costs.csv", id: "getProjectCostsTable", summary: "Time and money that a project took, as CSV"}, func(ctx context.Context, c *call, in *OfProject) (flow.Costs, error) {
		return s.Flow.ProjectCosts(ctx, c.caller, in.Project)
	})
}

const aboutCosts = "In all, by batch, by person and by image."

func (s *Server) calibration(ctx context.Context, c *call, in *OfBatch) (wire.Calibration, error) {
	r, err := s.Flow.Calibration(ctx, c.caller, in.Batch)
	out, err := reported[wire.Calibration](r, err)
	if err != nil {
		return out, err
	}
	finish := func(w *wire.Calibrated, r label.Report) {
		w.Biased, w.Confusions, w.Voices.Feedback = r.Bias.Clear(), orNone(w.Confusions), orNone(w.Voices.Feedback)
	}
	finish(&out.All, r.All)
	out.People = orNone(out.People)
	for i := range out.People {
		finish(&out.People[i], r.People[i])
	}
	return out, nil
}

func (s *Server) startChanges(ctx context.Context, c *call, in *OfBatch) (wire.StartChanges, error) {
	found, err := s.Flow.StartChanges(ctx, c.caller, in.Batch)
	return wire.StartChanges{Changes: list(found, func(n store.ChangeCount) wire.StartChange {
		return wire.StartChange{Kind: string(n.Change), Category: n.Category, Boxes: n.Boxes, IoU: n.IoU}
	})}, err
}

func wireCosts(c flow.Costs, err error) (wire.Costs, error) {
	out, err := reported[wire.Costs](c.Ledger, err)
	if err != nil {
		return out, err
	}
	out.Batches, out.People, out.Tasks = orNone(out.Batches), orNone(out.People), orNone(out.Tasks)
	out.Ahead, err = as[*wire.Ahead](c.Ahead)
	return out, err
}

// table adds a route that answers with costs as CSV.
func table[I any](s *Server, r route, costs func(ctx context.Context, c *call, in *I) (flow.Costs, error)) {
	o := operation(r, http.StatusOK)
	o.Responses["200"] = &huma.Response{Description: "A table.", Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*csvAnswer, error) {
		c := callOf(ctx)
		found, err := costs(ctx, c, in)
		if err != nil {
			return nil, s.problem(c.r, err)
		}
		var text bytes.Buffer
		if err := found.WriteCSV(&text); err != nil {
			return nil, s.problem(c.r, err)
		}
		return &csvAnswer{ContentType: "text/csv; charset=utf-8", Body: text.Bytes()}, nil
	})
}

// csvAnswer is a table as it is sent.
type csvAnswer struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}
