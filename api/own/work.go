package own

import (
	"context"
	"errors"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

// maxAnswer is how many bytes of JSON an answer may have.
const maxAnswer = 32 << 20

// OfHeld names a task that the caller holds in the path.
type OfHeld struct {
	Task string `path:"task" doc:"The task's id."`
}

// GivenBack is a task that its holder gives back.
type GivenBack struct {
	OfHeld
	Body wire.GiveBack
}

func (s *Server) workRoutes() {
	handle(s, route{
		at: "POST /work/next", id: "nextTask", summary: "The next task to attempt or review",
		about: "The one that the caller holds, else the first that they may take. It is theirs until the lease ends; every sign of work prolongs it.",
	}, s.next)
	handle(s, route{at: "POST /work/audit", id: "nextAudit", summary: "The next result to audit, of those that were sampled", about: "Nobody else audits it meanwhile."}, s.nextAudit)
	handle(s, route{at: "GET /work/{task}", id: "getHeld", summary: "A task that the caller holds"}, func(ctx context.Context, c *call, in *OfHeld) (wire.Held, error) {
		w, err := s.Flow.HeldTask(ctx, c.caller, in.Task)
		if err != nil {
			return wire.Held{}, err
		}
		return s.held(ctx, c, w)
	})
	handle(s, route{at: "POST /work/{task}/take", id: "takeTask", summary: "Take a task of one's choosing, to review or audit it", about: "For reviewers."}, func(ctx context.Context, c *call, in *OfHeld) (wire.Held, error) {
		w, err := s.Flow.TakeTask(ctx, c.caller, in.Task)
		if err != nil {
			return wire.Held{}, err
		}
		return s.held(ctx, c, w)
	})
	handle(s, route{
		at: "PUT /work/{task}/lease", id: "renewLease", maxBody: maxAnswer, summary: "Prolong a lease and keep a draft",
		about: "A draft for a lease that has ended is kept, and the answer is a conflict that says so.",
	}, s.renew)
	handle(s, route{
		at: "POST /work/{task}/submit", id: "submitTask", maxBody: maxAnswer, summary: "Hand in an attempt, or the verdict of a review or an audit",
		about: "Handed in again it counts once. What the checks find is answered: errors are to be mended, warnings to be mended or overridden with a reason. For a lease that has ended it is kept as a draft.",
	}, s.submit)
	s.giveBackRoute(route{at: "POST /work/{task}/skip", id: "skipTask", summary: "Give a task back for a reason, not to get it again"}, s.Flow.SkipTask)
	s.giveBackRoute(route{at: "POST /work/{task}/flag", id: "flagTask", summary: "Set a task aside with a question for a manager"}, s.Flow.RaiseTask)
	s.giveBackRoute(route{at: "POST /work/{task}/return", id: "returnTask", summary: "Give a task back unfinished, without prejudice"}, s.Flow.ReturnTask)
}

// giveBackRoute adds a route by which a holder gives a task back.
func (s *Server) giveBackRoute(r route, back func(ctx context.Context, caller remuda.Caller, task string, lease int, why string) (store.Task, error)) {
	act(s, r, func(ctx context.Context, c *call, in *GivenBack) error {
		_, err := back(ctx, c.caller, in.Task, in.Body.Lease, in.Body.Reason)
		return err
	})
}

// held is all that a person needs to do a task, and nothing that would tell
// whether it is a quality task.
func (s *Server) held(ctx context.Context, c *call, w flow.Work) (out wire.Held, err error) {
	t := w.Task
	out = wire.Held{
		Task: t.ID, Project: t.Project, Lease: t.Lease.Number, Stage: string(t.Lease.Stage), Until: wire.NewTime(t.Lease.Until),
		Width: t.Image.Width, Height: t.Image.Height, Note: t.Note, LeaseSeconds: t.Plan.WithDefaults().Lease.Seconds(), IdleSeconds: w.Idle.Seconds(),
	}
	if out.ImageURL, err = s.Flow.ImageURL(ctx, store.Item{Blob: t.Image.Blob}); err != nil {
		return out, err
	}
	if out.Instruction, err = wireInstruction(w.Instruction); err != nil {
		return out, err
	}
	if err := s.addImages(ctx, c, w.Instruction.Examples, &out.Instruction); err != nil {
		return out, err
	}
	if out.Taxonomy, err = as[wire.DrawTaxonomy](w.Question.Taxonomy); err != nil {
		return out, err
	}
	begin := w.Begin
	if w.Draft != nil && w.Draft.Answer != nil {
		begin, out.Draft = w.Draft.Answer, true
	}
	out.Answer, err = as[*wire.Answer](begin)
	return out, err
}

// todo is a task, if there is one, beside what the person is to know.
func (s *Server) todo(ctx context.Context, c *call, w flow.Work, found bool) (out wire.Next, err error) {
	paused, err := s.Flow.Notices(ctx, c.caller)
	if err != nil {
		return out, err
	}
	out.Notices = list(paused, func(e label.Enrollment) wire.Notice {
		return wire.Notice{Project: e.Project, Since: momentOf(e.Since), Why: e.Why}
	})
	if !found {
		return out, nil
	}
	held, err := s.held(ctx, c, w)
	out.Task = &held
	return out, err
}

func (s *Server) next(ctx context.Context, c *call, in *struct{ Body wire.NextTask }) (wire.Next, error) {
	w, found, err := s.Flow.NextTask(ctx, c.caller, in.Body.Project)
	if err != nil {
		return wire.Next{}, err
	}
	return s.todo(ctx, c, w, found)
}

func (s *Server) nextAudit(ctx context.Context, c *call, in *struct{ Body wire.NextAudit }) (wire.Next, error) {
	w, found, err := s.Flow.NextAudit(ctx, c.caller, in.Body.Batch)
	if err != nil {
		return wire.Next{}, err
	}
	return s.todo(ctx, c, w, found)
}

func submissionOf(w wire.Submission) (out label.Submission, err error) {
	out = label.Submission{
		Lease: w.Lease, Verdict: label.Verdict(w.Verdict), Reason: w.Reason, Instruction: w.Instruction, Taxonomy: w.Taxonomy, Confidence: w.Confidence, Feedback: w.Feedback,
	}
	if out.Overrides, err = as[[]label.Override](w.Overrides); err != nil {
		return out, err
	}
	out.Answer, err = as[*label.Answer](w.Answer)
	return out, err
}

func (s *Server) renew(ctx context.Context, c *call, in *struct {
	OfHeld
	Body wire.Renewal
},
) (out wire.Renewed, err error) {
	var draft *label.Submission
	if in.Body.Draft != nil {
		kept, err := submissionOf(*in.Body.Draft)
		if err != nil {
			return out, err
		}
		draft = &kept
	}
	t, err := s.Flow.RenewLease(ctx, c.caller, in.Task, in.Body.Lease, draft)
	return wire.Renewed{Until: momentOf(t.Lease.Until)}, err
}

func (s *Server) submit(ctx context.Context, c *call, in *struct {
	OfHeld
	Body wire.Submission
},
) (out wire.Submitted, err error) {
	out.Findings = []wire.CheckFinding{}
	handed, err := submissionOf(in.Body)
	if err != nil {
		return out, err
	}
	spans := list(in.Body.Spans, func(p wire.Span) label.Span { return label.Span(p) })
	_, err = s.Flow.SubmitTask(ctx, c.caller, in.Task, handed, spans)
	if refusal, ok := errors.AsType[*label.Refusal](err); ok {
		out.Findings, err = as[[]wire.CheckFinding](refusal.Findings)
		return out, err
	}
	if errors.Is(err, label.ErrKept) {
		out.Kept = err.Error()
		return out, nil
	}
	out.Accepted = err == nil
	return out, err
}
