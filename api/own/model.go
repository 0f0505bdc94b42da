package own

import (
	"context"

	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfModel names a model in the path.
type OfModel struct {
	Model string `path:"model" doc:"The model's id."`
}

// OfRun names a run of a model in the path.
type OfRun struct {
	Run string `path:"run" doc:"The run's id."`
}

func (s *Server) modelRoutes() {
	handle(s, route{at: "GET /models", id: "listModels", summary: "List the models", about: "Oldest first."}, func(ctx context.Context, c *call, _ *struct{}) (wire.Models, error) {
		found, err := s.Flow.Models(ctx, c.caller)
		return wire.Models{Models: list(found, wireModel)}, err
	})
	handle(s, route{at: "GET /models/{model}", id: "getModel", summary: "A model"}, func(ctx context.Context, c *call, in *OfModel) (wire.Model, error) {
		found, err := s.Flow.Model(ctx, c.caller, in.Model)
		return wireModel(found), err
	})
	handle(s, route{at: "DELETE /models/{model}", id: "deleteModel", summary: "Delete a model with its runs and evaluations"}, func(ctx context.Context, c *call, in *OfModel) (wire.Job, error) {
		job, err := s.Flow.DeleteModel(ctx, c.caller, in.Model)
		return wireJob(job), err
	})
	handle(s, route{at: "PATCH /models/{model}/tags", id: "tagModel", summary: "Add and remove tags of a model"}, func(ctx context.Context, c *call, in *struct {
		OfModel
		Body wire.TagChange
	},
	) (wire.Tags, error) {
		tags, err := s.Flow.ChangeModelTags(ctx, c.caller, in.Model, in.Body.Add, in.Body.Remove)
		return wire.Tags{Tags: texts(tags)}, err
	})
	handle(s, route{at: "GET /models/{model}/runs", id: "listModelRuns", summary: "A model's runs", about: "Each is a set of predictions. Oldest first."}, func(ctx context.Context, c *call, in *OfModel) (wire.ModelRuns, error) {
		found, err := s.Flow.Runs(ctx, c.caller, in.Model)
		return wire.ModelRuns{Runs: list(found, wireRun)}, err
	})
	handle(s, route{at: "GET /model-runs/{run}", id: "getModelRun", summary: "A run of a model"}, func(ctx context.Context, c *call, in *OfRun) (wire.ModelRun, error) {
		found, err := s.Flow.Run(ctx, c.caller, in.Run)
		out := wireRun(found.Run)
		out.Datasets = found.Datasets
		return out, err
	})
	handle(s, route{at: "DELETE /model-runs/{run}", id: "deleteModelRun", summary: "Delete a run with its predictions"}, func(ctx context.Context, c *call, in *OfRun) (wire.Job, error) {
		job, err := s.Flow.DeleteRun(ctx, c.caller, in.Run)
		return wireJob(job), err
	})
	handle(s, route{at: "GET /model-runs/{run}/items/{item}", id: "listPredictions", summary: "What a run predicted on an item"}, func(ctx context.Context, c *call, in *struct {
		OfRun
		OfItem
	},
	) (wire.Annotations, error) {
		found, err := s.Flow.Predictions(ctx, c.caller, flow.PredictionPlace{Run: in.Run}, flow.ItemChoice{ID: in.Item})
		return wire.Annotations{Annotations: list(found.Annotations, wireAnnotation)}, err
	})
}

func wireModel(m flow.ModelOverview) wire.Model {
	return wire.Model{
		ID: m.ID, Name: m.Name, ReferenceID: m.ReferenceID, Metadata: m.Metadata, Tags: texts(m.Tags), TrainedSlices: texts(m.TrainedSlices),
		CreatedAt: wire.NewTime(m.CreatedAt), CreatedBy: m.CreatedBy,
	}
}

func wireRun(r store.Run) wire.ModelRun {
	return wire.ModelRun{
		ID: r.ID, Model: r.Model, Name: r.Name, ReferenceID: r.ReferenceID, Metadata: r.Metadata, Status: r.Status,
		CreatedAt: wire.NewTime(r.CreatedAt), CreatedBy: r.CreatedBy,
	}
}
