package own

import (
	"context"

	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

func (s *Server) qualityRoutes() {
	handle(s, route{
		at: "GET /projects/{project}/quality", id: "listQualityTasks", summary: "A project's quality tasks and how people did on them", about: "Oldest first, retired ones too.",
	}, s.qualityTasks)
	handle(s, route{
		at: "POST /tasks/{task}/quality", id: "makeQualityTask", summary: "Make a quality task of an audited task",
		about: "Training tasks come before real work; evaluation tasks are hidden among it, at the project's rate. What people answer to them never becomes a label.",
	}, s.makeQuality)
	handle(s, route{at: "PATCH /quality/{quality}", id: "changeQualityTask", summary: "Retire a quality task or bring it back, and say what it tests"}, s.changeQuality)
}

func (s *Server) wireQuality(ctx context.Context, q store.QualityTask) (out wire.QualityTask, err error) {
	out = wire.QualityTask{
		ID: q.ID, Project: q.Project, Kind: string(q.Kind), Stage: string(q.Stage()), From: q.From, Retired: q.Retired, Concepts: q.Concepts, Difficulty: q.Difficulty,
		Accuracy: wireRate(label.NewRate(nil)), CreatedAt: wire.NewTime(q.CreatedAt), CreatedBy: q.CreatedBy,
	}
	if out.ImageURL, err = s.Flow.ImageURL(ctx, store.Item{Blob: q.Image.Blob}); err != nil {
		return out, err
	}
	if out.Expected, err = as[wire.Answer](q.Expected); err != nil {
		return out, err
	}
	out.Initial, err = as[*wire.Answer](q.Initial)
	return out, err
}

func (s *Server) qualityTasks(ctx context.Context, c *call, in *OfProject) (out wire.QualityTasks, err error) {
	found, err := s.Flow.QualityTasks(ctx, c.caller, in.Project)
	if err != nil {
		return out, err
	}
	out.Quality, err = each(found, func(u flow.QualityUse) (wire.QualityTask, error) {
		q, err := s.wireQuality(ctx, u.QualityTask)
		q.Given, q.Done, q.Accuracy, q.Outdated = u.Given, u.Done, wireRate(u.Accuracy), u.Outdated
		return q, err
	})
	return out, err
}

func (s *Server) makeQuality(ctx context.Context, c *call, in *struct {
	OfTask
	Body wire.MakeQuality
},
) (out wire.QualityTask, err error) {
	made, err := s.Flow.QualityFromTask(ctx, c.caller, in.Task, flow.QualityPurpose{
		Kind: label.Kind(in.Body.Kind), Review: in.Body.Review, Concepts: in.Body.Concepts, Difficulty: in.Body.Difficulty,
	})
	if err != nil {
		return out, err
	}
	return s.wireQuality(ctx, made)
}

func (s *Server) changeQuality(ctx context.Context, c *call, in *struct {
	Quality string `path:"quality" doc:"The quality task's id."`
	Body    wire.QualityChange
},
) (out wire.QualityTask, err error) {
	q, err := s.Flow.ChangeQuality(ctx, c.caller, in.Quality, flow.QualityChange(in.Body))
	if err != nil {
		return out, err
	}
	return s.wireQuality(ctx, q)
}
