package own

import (
	"context"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

// OfTask names a task in the path.
type OfTask struct {
	Task string `path:"task" doc:"The task's id or unique id."`
}

// TaskBecause is something done to a task, with the reason.
type TaskBecause struct {
	OfTask
	Body wire.Reason
}

func (s *Server) taskRoutes() {
	handle(s, route{at: "GET /tasks", id: "listTasks", summary: "List tasks", about: "Newest first; tasks that are made meanwhile neither repeat nor skip any."}, s.tasks)
	handle(s, route{at: "GET /tasks/{task}", id: "getTask", summary: "A task with everything that was handed in"}, func(ctx context.Context, c *call, in *OfTask) (wire.Task, error) {
		return s.fullTask(ctx, c, in.Task)
	})
	handle(s, route{at: "GET /tasks/{task}/history", id: "getTaskHistory", summary: "What happened to a task", about: "Oldest first."}, s.taskHistory)
	handle(s, route{at: "GET /tasks/{task}/merge", id: "getMerge", summary: "How a task's attempts were made into one result", about: "With all that they disagree about."}, s.merge)
	s.changeTaskRoute(route{at: "POST /tasks/{task}/relabel", id: "relabelTask", summary: "Have a completed task attempted anew", about: "The result becomes a prior one."}, s.Flow.RelabelTask)
	s.changeTaskRoute(route{at: "POST /tasks/{task}/cancel", id: "cancelTask", summary: "End a pending or failed task that nobody is working on", about: "Canceling it again changes nothing."},
		func(ctx context.Context, caller remuda.Caller, task, why string) (store.Task, error) {
			return s.Flow.CancelTask(ctx, caller, task, why, false)
		})
	s.changeTaskRoute(route{at: "POST /tasks/{task}/resolve", id: "resolveTask", summary: "Answer the flag of a task that is set aside", about: "With a note for whoever does it next."}, s.Flow.ResolveTask)
	s.changeTaskRoute(route{at: "POST /tasks/{task}/retry", id: "retryTask", summary: "Look anew for the image of a failed task"},
		func(ctx context.Context, caller remuda.Caller, task, _ string) (store.Task, error) {
			return s.Flow.RetryTask(ctx, caller, task)
		})
	handle(s, route{
		at: "POST /tasks/{task}/audit", id: "auditTask", summary: "Audit a result without a lease, as programs do", about: "The same word twice counts once. Refused while another auditor holds the task.",
	}, s.auditTask)
}

// changeTaskRoute adds a route by which a manager changes a task for a reason.
func (s *Server) changeTaskRoute(r route, change func(ctx context.Context, caller remuda.Caller, task, why string) (store.Task, error)) {
	handle(s, r, func(ctx context.Context, c *call, in *TaskBecause) (out wire.Task, err error) {
		t, err := change(ctx, c.caller, in.Task, in.Body.Why)
		if err != nil {
			return out, err
		}
		return s.wireTask(ctx, t)
	})
}

// wireTask is a task without what was handed in.
func (s *Server) wireTask(ctx context.Context, t store.Task) (out wire.Task, err error) {
	out = wire.Task{
		ID: t.ID, Project: t.Project, Batch: t.Batch, Type: t.Type, Status: string(t.Status), Stage: string(t.Stage()), Review: string(t.Review()), Round: t.Round,
		Priority: t.Priority, UniqueID: t.UniqueID, Tags: t.Tags, Metadata: filled(t.Metadata), Item: t.Image.Item, Attachment: t.Image.Attachment,
		Width: t.Image.Width, Height: t.Image.Height, Note: t.Note, Failure: t.Failure, Sampled: t.Sampled, Agreement: t.Agreement,
		Holder: t.Lease.By, LeaseUntil: momentOf(t.Lease.Until),
		Instruction: t.Instruction, Taxonomy: t.Taxonomy, Revision: t.Revision,
		CreatedAt: wire.NewTime(t.Created), UpdatedAt: momentOf(t.UpdatedAt), CompletedAt: momentOf(t.Completed),
	}
	if t.Flag != nil {
		out.Flag = t.Flag.Reason
	}
	if out.ImageURL, err = s.Flow.ImageURL(ctx, store.Item{Blob: t.Image.Blob}); err != nil {
		return out, err
	}
	out.Result, err = as[*wire.Answer](t.Result)
	return out, err
}

func (s *Server) fullTask(ctx context.Context, c *call, ref string) (out wire.Task, err error) {
	t, err := s.Flow.Task(ctx, c.caller, ref)
	if err != nil {
		return out, err
	}
	if out, err = s.wireTask(ctx, t); err != nil {
		return out, err
	}
	if out.Start, err = as[*wire.Answer](t.Start); err != nil {
		return out, err
	}
	if t.Start != nil && t.Result != nil {
		if out.Change, err = as[[]wire.Change](label.Changes(*t.Start, *t.Result)); err != nil {
			return out, err
		}
	}
	name, err := s.Flow.Names(ctx, c.caller)
	if err != nil {
		return out, err
	}
	out.HolderName = name(out.Holder)
	out.Work, err = each(t.Work, func(w label.Work) (wire.Work, error) { return wireWork(w, name) })
	return out, err
}

func wireWork(w label.Work, name func(id string) string) (out wire.Work, err error) {
	out = wire.Work{
		Stage: string(w.Stage), By: w.By, Name: name(w.By), Round: w.Round, Since: wire.NewTime(w.Since), At: wire.NewTime(w.At), Verdict: string(w.Verdict), Reason: w.Reason,
		ActiveSeconds: w.Active.Seconds(), Instruction: w.Instruction, Taxonomy: w.Taxonomy, Confidence: w.Confidence, Feedback: w.Feedback,
	}
	if out.Overrides, err = as[[]wire.Override](w.Overrides); err != nil {
		return out, err
	}
	out.Answer, err = as[*wire.Answer](w.Answer)
	return out, err
}

func (s *Server) tasks(ctx context.Context, c *call, in *struct {
	Paging
	Project string `query:"project" doc:"Only those of this project: id or name."`
	Batch   string `query:"batch" doc:"Only those of this batch: id or name."`
	Status  string `query:"status" enum:"pending,completed,canceled,error"`
	Review  string `query:"review" enum:"pending,accepted,fixed,rejected" doc:"What the audits found."`
},
) (out wire.Tasks, err error) {
	f := store.TaskFilter{Status: label.Status(in.Status), Before: in.Cursor, Limit: in.Limit}
	if in.Review != "" {
		f.Reviews = []store.TaskReview{store.TaskReview(in.Review)}
	}
	page, err := s.Flow.Tasks(ctx, c.caller, flow.Place{Project: in.Project, Batch: in.Batch}, f)
	if err != nil {
		return out, err
	}
	out.Total = page.Total
	out.Tasks, err = each(page.Tasks, func(t store.Task) (wire.Task, error) { return s.wireTask(ctx, t) })
	if page.More && err == nil {
		out.Next = out.Tasks[len(out.Tasks)-1].ID
	}
	return out, err
}

func (s *Server) taskHistory(ctx context.Context, c *call, in *OfTask) (wire.TaskHistory, error) {
	events, err := s.Flow.TaskEvents(ctx, c.caller, in.Task)
	if err != nil {
		return wire.TaskHistory{}, err
	}
	name, err := s.Flow.Names(ctx, c.caller)
	return wire.TaskHistory{Events: list(events, func(e store.Event) wire.TaskEvent {
		return wire.TaskEvent{
			ID: e.ID, Kind: string(e.Kind), At: wire.NewTime(e.At), By: e.By, Name: name(e.By), Task: e.Task, Batch: e.Batch, Person: e.Person, Round: e.Round,
			Stage: string(e.Stage), Verdict: string(e.Verdict), Why: e.Why,
		}
	})}, err
}

func (s *Server) merge(ctx context.Context, c *call, in *OfTask) (wire.Merged, error) {
	m, people, err := s.Flow.Merge(ctx, c.caller, in.Task)
	out, err := reported[wire.Merged](m, err)
	out.People = texts(people)
	return out, err
}

func (s *Server) auditTask(ctx context.Context, c *call, in *struct {
	OfTask
	Body wire.Audit
},
) (out wire.Task, err error) {
	sub := label.Submission{Verdict: label.Verdict(in.Body.Verdict), Reason: in.Body.Reason}
	if sub.Answer, err = as[*label.Answer](in.Body.Answer); err != nil {
		return out, err
	}
	t, err := s.Flow.AuditTask(ctx, c.caller, in.Task, sub)
	if err != nil {
		return out, err
	}
	return s.wireTask(ctx, t)
}
