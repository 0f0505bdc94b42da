package own

import (
	"context"
	"encoding/json"

	"remuda/store"
	"remuda/wire"
)

// OfJob names a job in the path.
type OfJob struct {
	Job string `path:"job" doc:"The job's id."`
}

func (s *Server) jobRoutes() {
	handle(s, route{at: "GET /jobs", id: "listJobs", summary: "List background work", about: "Newest first."}, s.jobs)
	handle(s, route{at: "GET /jobs/{job}", id: "getJob", summary: "A job and how far it is"}, func(ctx context.Context, c *call, in *OfJob) (wire.Job, error) {
		job, err := s.Flow.Job(ctx, c.caller, in.Job)
		return wireJob(job), err
	})
	handle(s, route{at: "GET /jobs/{job}/errors", id: "listJobErrors", summary: "What was wrong with single rows of a job"}, func(ctx context.Context, c *call, in *OfJob) (wire.JobErrors, error) {
		messages, err := s.Flow.JobErrors(ctx, c.caller, in.Job)
		return wire.JobErrors{Errors: texts(messages)}, err
	})
	handle(s, route{at: "POST /jobs/{job}/cancel", id: "cancelJob", summary: "Cancel a job", about: "What it has done stays."}, func(ctx context.Context, c *call, in *OfJob) (wire.Job, error) {
		job, err := s.Flow.CancelJob(ctx, c.caller, in.Job)
		return wireJob(job), err
	})
}

func wireJob(j store.Job) wire.Job {
	out := wire.Job{
		ID: j.ID, Type: j.Type, Dataset: j.Dataset, Status: string(j.Status), Problem: j.Problem, Done: j.Done, Total: j.Total,
		CreatedAt: wire.NewTime(j.CreatedAt), CreatedBy: j.CreatedBy, UpdatedAt: wire.NewTime(j.UpdatedAt),
	}
	if j.Status == store.JobCompleted && string(j.Result) != "null" {
		out.Result = json.RawMessage(j.Result)
	}
	return out
}

func (s *Server) jobs(ctx context.Context, c *call, in *struct {
	Dataset    string `query:"dataset" doc:"Only those of this dataset."`
	Unfinished bool   `query:"unfinished" doc:"Only those that have not ended."`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (wire.Jobs, error) {
	found, err := s.Flow.Jobs(ctx, c.caller, store.JobFilter{Dataset: in.Dataset, Unfinished: in.Unfinished, Limit: in.Limit})
	return wire.Jobs{Jobs: list(found, wireJob)}, err
}
