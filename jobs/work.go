package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"remuda"
)

// jobArgs are a job's arguments as River keeps them. It takes objects only, so
// they are one's field.
type jobArgs struct {
	kind string
	Args json.RawMessage `json:"args"`
}

// Kind names the work.
func (a jobArgs) Kind() string { return a.kind }

// lane returns the River queue of a kind: its own, or the common one.
func (q *Queue) lane(kind string) string {
	if _, ok := q.o.Lanes[kind]; !ok {
		return river.QueueDefault
	}
	return "lane_" + strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.:/", r) {
			return '_'
		}
		return r
	}, kind)) // River takes no capitals here
}

// lanes returns the River queues with their numbers of workers.
func (q *Queue) lanes() map[string]river.QueueConfig {
	lanes := make(map[string]river.QueueConfig)
	if q.o.Workers > 0 {
		lanes[river.QueueDefault] = river.QueueConfig{MaxWorkers: q.o.Workers}
	}
	for kind, n := range q.o.Lanes {
		if n > 0 {
			lanes[q.lane(kind)] = river.QueueConfig{MaxWorkers: n}
		}
	}
	return lanes
}

// workers registers each kind with River, to run in the session.
func (q *Queue) workers(s *session) *river.Workers {
	workers := river.NewWorkers()
	for kind, handler := range q.o.Handlers {
		river.AddWorkerArgs(workers, jobArgs{kind: kind}, &worker{o: q.o, session: s, handler: handler})
	}
	return workers
}

// worker runs the jobs of one kind.
type worker struct {
	river.WorkerDefaults[jobArgs]
	o       Options
	session *session
	handler Handler
}

// Work runs one job and tells River what becomes of it.
func (w *worker) Work(ctx context.Context, job *river.Job[jobArgs]) error {
	ctx, done := w.session.guard(ctx, job.ID)
	defer done()
	err := w.run(ctx, job)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), rivertype.ErrJobCancelledRemotely):
		return river.JobCancel(err)
	case ctx.Err() != nil: // jobs have no time limit: the queue stops, or has lost the database
		return river.JobSnooze(0) // available at once, the attempt not counted
	}
	log := w.o.Logger.With("kind", job.Kind, "job", job.ID, "attempt", job.Attempt, "error", err)
	if !final(err) && job.Attempt < job.MaxAttempts {
		log.WarnContext(ctx, "job failed, to be tried again")
		return err
	}
	log.ErrorContext(ctx, "job failed for good")
	if told := w.o.Failed(ctx, job.Kind, job.Args.Args, err); told != nil {
		log.ErrorContext(ctx, "record a failed job, to be tried again", "cause", told)
		return river.JobSnooze(max(0, w.o.RetryDelay(job.Attempt)))
	}
	return river.JobCancel(err)
}

// run calls the handler. A panic is an error, with the stack in the log.
func (w *worker) run(ctx context.Context, job *river.Job[jobArgs]) (err error) {
	if n := crashes(job.Metadata); n >= maxCrashes {
		return remuda.Errorf(remuda.Conflict, "run %s job: the process died %d times while it ran", job.Kind, n)
	}
	defer func() {
		if v := recover(); v != nil {
			w.o.Logger.ErrorContext(ctx, "job panicked", "kind", job.Kind, "job", job.ID, "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("run %s job: panic: %v", job.Kind, v)
		}
	}()
	return w.handler(ctx, job.Args.Args)
}

// final says whether trying again cannot help.
func final(err error) bool {
	switch remuda.CodeOf(err) {
	case remuda.Invalid, remuda.NotFound, remuda.Conflict, remuda.Unauthorized:
		return true
	}
	return false
}

// retryPolicy gives Options.RetryDelay to River.
type retryPolicy func(attempt int) time.Duration

// NextRetry returns when a job that just failed is tried again.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(max(0, p(job.Attempt)))
}
