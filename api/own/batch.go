package own

import (
	"context"

	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

// OfBatch names a batch in the path.
type OfBatch struct {
	Batch string `path:"batch" doc:"The batch's id or name."`
}

// Because is something done to a batch, with the reason.
type Because struct {
	OfBatch
	Body wire.Reason
}

func (s *Server) batchRoutes() {
	handle(s, route{at: "GET /batches", id: "listBatches", summary: "List batches", about: "Newest first."}, s.batches)
	handle(s, route{at: "POST /projects/{project}/batches", id: "createBatch", summary: "Make a batch, to which tasks can be added"}, s.createBatch)
	handle(s, route{
		at: "POST /batches", id: "createSliceBatch", summary: "Make a batch of a slice: a task for each of its images",
		about: "People begin from nothing, from a model's predictions, or from the boxes that are there. Nobody works until all tasks are there and the batch is finalized. The same call again goes on where one was cut off.",
	}, s.createSliceBatch)
	handle(s, route{at: "GET /batches/order", id: "getBatchOrder", summary: "The batches that aren't completed, as people get to them"}, func(ctx context.Context, c *call, _ *struct{}) (wire.Batches, error) {
		found, err := s.Flow.RankedBatches(ctx, c.caller)
		return wire.Batches{Batches: list(found, wireBatch)}, err
	})
	handle(s, route{at: "PUT /batches/order", id: "orderBatches", summary: "Put the batches that aren't completed in an order"}, func(ctx context.Context, c *call, in *struct{ Body wire.BatchOrder }) (wire.Batches, error) {
		found, err := s.Flow.RankBatches(ctx, c.caller, in.Body.Names)
		return wire.Batches{Batches: list(found, wireBatch)}, err
	})
	handle(s, route{at: "GET /batches/{batch}", id: "getBatch", summary: "A batch"}, func(ctx context.Context, c *call, in *OfBatch) (wire.Batch, error) {
		b, err := s.Flow.Batch(ctx, c.caller, in.Batch)
		return wireBatch(b), err
	})
	handle(s, route{at: "PATCH /batches/{batch}", id: "changeBatch", summary: "Change a batch's plan, people, callback or metadata"}, s.changeBatch)
	handle(s, route{at: "GET /batches/{batch}/advice", id: "getAdvice", summary: "What a careful manager would do before people begin", about: "It keeps nobody from finalizing."}, func(ctx context.Context, c *call, in *OfBatch) (wire.Advice, error) {
		advice, err := s.Flow.BatchAdvice(ctx, c.caller, in.Batch)
		return wire.Advice{Advice: texts(advice)}, err
	})
	handle(s, route{at: "POST /batches/{batch}/finalize", id: "finalizeBatch", summary: "End the adding of tasks: people may work", about: "A second time changes nothing."}, func(ctx context.Context, c *call, in *OfBatch) (wire.Batch, error) {
		b, err := s.Flow.FinalizeBatch(ctx, c.caller, in.Batch)
		return wireBatch(b), err
	})
	handle(s, route{at: "POST /batches/{batch}/reopen", id: "reopenBatch", summary: "Let more tasks be added", about: "Nobody works until it is finalized again."}, func(ctx context.Context, c *call, in *Because) (wire.Batch, error) {
		b, err := s.Flow.ReopenBatch(ctx, c.caller, in.Batch, in.Body.Why)
		return wireBatch(b), err
	})
}

func wireBatch(v flow.BatchView) wire.Batch {
	return wire.Batch{
		ID: v.ID, Project: v.Project, Name: v.Name, Kind: string(v.Kind), Status: string(v.Status), Plan: wirePlan(v.Plan), Rank: v.Rank, Groups: texts(v.Groups),
		Counts: wire.TaskCounts(v.Counts), Callback: v.Callback, CallbackOK: v.CallbackOK, Metadata: v.Metadata,
		CreatedAt: wire.NewTime(v.Created), CreatedBy: v.CreatedBy, CompletedAt: wire.OptionalTime(v.CompletedAt),
	}
}

func newBatch(project string, n wire.NewBatch) flow.NewBatch {
	out := flow.NewBatch{Project: project, Name: n.Name, Kind: label.BatchKind(n.Kind), Callback: n.Callback, Metadata: n.Metadata}
	if n.Plan != nil {
		plan := planOf(*n.Plan)
		out.Plan = &plan
	}
	return out
}

func (s *Server) batches(ctx context.Context, c *call, in *struct {
	Project  string `query:"project" doc:"Only those of this project: id or name."`
	Status   string `query:"status" enum:"staging,in_progress,completed"`
	Archived bool   `query:"archived" doc:"Those of archived projects too."`
},
) (wire.Batches, error) {
	page, err := s.Flow.Batches(ctx, c.caller, in.Project, store.BatchFilter{Status: label.BatchStatus(in.Status), ExcludeArchived: !in.Archived})
	return wire.Batches{Batches: list(page.Batches, wireBatch)}, err
}

func (s *Server) createBatch(ctx context.Context, c *call, in *struct {
	OfProject
	Body wire.NewBatch
},
) (wire.Batch, error) {
	made, err := s.Flow.CreateBatch(ctx, c.caller, newBatch(in.Project, in.Body))
	return wireBatch(made), err
}

func (s *Server) createSliceBatch(ctx context.Context, c *call, in *struct{ Body wire.SliceBatch }) (wire.SlicedBatch, error) {
	n := in.Body
	made, err := s.Flow.BatchFromSlice(ctx, c.caller, flow.SliceBatch{
		NewBatch: newBatch(n.Project, n.NewBatch), Slice: n.Slice, Run: n.Run, MinConfidence: n.MinConfidence, GroundTruth: n.GroundTruth, Priority: n.Priority, Finalize: n.Finalize,
	})
	return wire.SlicedBatch{Batch: wireBatch(made.Batch), Added: made.Added, There: made.There, Imageless: made.Imageless}, err
}

func (s *Server) changeBatch(ctx context.Context, c *call, in *struct {
	OfBatch
	Body wire.BatchChange
},
) (wire.Batch, error) {
	change := flow.BatchChange{Groups: in.Body.Groups, Callback: in.Body.Callback, Metadata: in.Body.Metadata}
	if in.Body.Plan != nil {
		plan := planOf(*in.Body.Plan)
		change.Plan = &plan
	}
	b, err := s.Flow.ChangeBatch(ctx, c.caller, in.Batch, change)
	return wireBatch(b), err
}
