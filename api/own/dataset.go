package own

import (
	"context"

	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfDataset names a dataset in the path.
type OfDataset struct {
	Dataset string `path:"dataset" doc:"The dataset's id."`
}

func (s *Server) datasetRoutes() {
	handle(s, route{at: "GET /datasets", id: "listDatasets", summary: "List the datasets", about: "Oldest first."}, s.datasets)
	handle(s, route{at: "POST /datasets", id: "createDataset", summary: "Make an empty dataset"}, s.createDataset)
	handle(s, route{at: "GET /datasets/{dataset}", id: "getDataset", summary: "A dataset and what there is of it"}, s.dataset)
	handle(s, route{at: "PATCH /datasets/{dataset}", id: "renameDataset", summary: "Rename a dataset"}, s.renameDataset)
	handle(s, route{at: "DELETE /datasets/{dataset}", id: "deleteDataset", summary: "Delete a dataset", about: "It is gone at once; a job takes its rows away."}, s.deleteDataset)
	handle(s, route{at: "PATCH /datasets/{dataset}/tags", id: "tagDataset", summary: "Add and remove tags of a dataset"}, s.tagDataset)
	handle(s, route{
		at: "POST /datasets/{dataset}/restore", id: "restoreDataset", summary: "Make all ground truth what it was at a time",
		about: "A job writes new revisions; nothing of what was there since is lost.",
	}, s.restoreDataset)
}

func wireDataset(d store.Dataset) wire.Dataset {
	return wire.Dataset{ID: d.ID, Name: d.Name, CreatedAt: wire.NewTime(d.CreatedAt), CreatedBy: d.CreatedBy}
}

func (s *Server) datasets(ctx context.Context, c *call, _ *struct{}) (wire.Datasets, error) {
	found, err := s.Flow.Datasets(ctx, c.caller)
	return wire.Datasets{Datasets: list(found, wireDataset)}, err
}

func (s *Server) createDataset(ctx context.Context, c *call, in *struct{ Body wire.NewDataset }) (wire.Dataset, error) {
	made, err := s.Flow.CreateDataset(ctx, c.caller, flow.NewDataset{Name: in.Body.Name})
	return wireDataset(made), err
}

func (s *Server) dataset(ctx context.Context, c *call, in *OfDataset) (wire.DatasetOverview, error) {
	o, err := s.Flow.DatasetOverview(ctx, c.caller, in.Dataset)
	if err != nil {
		return wire.DatasetOverview{}, err
	}
	categories, err := s.Flow.ClassLabels(ctx, c.caller, in.Dataset, false)
	return wire.DatasetOverview{
		Dataset: wireDataset(o.Dataset), Items: o.Items, Categories: texts(categories), Slices: texts(o.Slices), Runs: texts(o.Runs), Tags: texts(o.Tags),
	}, err
}

func (s *Server) renameDataset(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.NewDataset
},
) (wire.Dataset, error) {
	renamed, err := s.Flow.RenameDataset(ctx, c.caller, in.Dataset, in.Body.Name)
	return wireDataset(renamed), err
}

func (s *Server) deleteDataset(ctx context.Context, c *call, in *OfDataset) (wire.Job, error) {
	job, err := s.Flow.DeleteDataset(ctx, c.caller, in.Dataset)
	return wireJob(job), err
}

func (s *Server) tagDataset(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.TagChange
},
) (wire.Tags, error) {
	tags, err := s.Flow.ChangeDatasetTags(ctx, c.caller, in.Dataset, in.Body.Add, in.Body.Remove)
	return wire.Tags{Tags: texts(tags)}, err
}

func (s *Server) restoreDataset(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.Restore
},
) (wire.Job, error) {
	at, err := timeOf(in.Body.At)
	if err != nil {
		return wire.Job{}, err
	}
	job, err := s.Flow.RestoreDataset(ctx, c.caller, in.Dataset, at)
	return wireJob(job), err
}
