package flow

import (
	"context"
	"encoding/json"
	"errors"

	"remuda"
	"remuda/store"
)

// JobHandler carries out one kind of job. It must be safe to run again: a crash
// repeats it. What it returns becomes the job's result, as JSON.
type JobHandler func(ctx context.Context, run *JobRun) (result any, err error)

// JobRun is a job under way.
type JobRun struct {
	Job    store.Job
	Caller remuda.Caller // the one who asked for it, as manager in the job's world
	flow   *Flow
}

// Args reads the job's arguments.
func (r *JobRun) Args(into any) error {
	if err := json.Unmarshal(r.Job.Args, into); err != nil {
		return remuda.Errorf(remuda.Internal, "read the arguments of job %s: %w", r.Job.ID, err)
	}
	return nil
}

// Progress notes that done of total steps are done.
func (r *JobRun) Progress(ctx context.Context, done, total int64) error {
	r.Job.Done, r.Job.Total = done, total
	return r.flow.DB.Write(ctx, r.Caller, func(tx *store.Tx) error { return tx.UpdateJob(r.Job) })
}

// Errors notes what was wrong with single rows; the job goes on.
func (r *JobRun) Errors(ctx context.Context, messages ...string) error {
	if len(messages) == 0 {
		return nil
	}
	return r.flow.DB.Write(ctx, r.Caller, func(tx *store.Tx) error { return tx.AddJobErrors(r.Job.ID, messages) })
}

// jobKinds is every kind of job and what carries it out.
func (f *Flow) jobKinds() map[string]JobHandler {
	return map[string]JobHandler{
		JobAnnotate:          f.runAnnotate,
		JobDeleteAnnotations: f.runDeleteAnnotations,
		JobRestore:           f.runRestore,
		jobItems:             f.runItems,
		jobMetadata:          f.runMetadata,
		jobDeleteDataset:     f.runDeleteDataset,
		jobDeleteModel:       f.runDeleteModel,
		jobDeleteRun:         f.runDeleteModel,
		jobMergeRuns:         f.runMergeRuns,
		jobPredict:           f.runPredict,
		jobBenchmark:         f.runBenchmark,
		jobEvaluate:          f.runEvaluate,
		jobScenario:          f.runScenarios,
		jobDeduplicate:       f.runDeduplicate,
		jobIndexCustom:       f.runIndexCustom,
		jobIndexImages:       f.runIndexImages,
		jobExportEmbeddings:  f.runExportEmbeddings,
	}
}

// workKinds is every kind of work whose progress stands in the row that it
// serves, and what carries it out. It must be safe to run again.
func (f *Flow) workKinds() map[string]func(ctx context.Context, args json.RawMessage) error {
	return map[string]func(context.Context, json.RawMessage) error{
		workTaskImage:    f.runTaskImage,
		workItemImage:    f.runItemImage,
		workQualityImage: f.runQualityImage,
		workCallback:     f.runCallback,
	}
}

// JobHandlers returns what the queue calls, by kind of work, with a reference
// to the job's row, or to another one.
func (f *Flow) JobHandlers() map[string]func(ctx context.Context, args json.RawMessage) error {
	handlers := f.workKinds()
	for kind, handler := range f.jobKinds() {
		handlers[kind] = func(ctx context.Context, args json.RawMessage) error { return f.runJob(ctx, args, handler) }
	}
	return handlers
}

// JobLanes returns the kinds of jobs that have workers of their own, and how
// many: long ones that keep the engine busy must not hold up the rest.
func (f *Flow) JobLanes() map[string]int { return map[string]int{jobIndexImages: 1} }

// runJob carries out a job and writes down how it ended. A stop of the server
// or an error that may pass leaves it to be run again.
func (f *Flow) runJob(ctx context.Context, args json.RawMessage, handler JobHandler) error {
	var ref store.JobRef
	if err := json.Unmarshal(args, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to a job: %w", err)
	}
	run, err := f.beginJob(ctx, ref.Job)
	if err != nil || run == nil {
		return err
	}
	result, err := handler(ctx, run)
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if err != nil && passing(err) {
		return err
	}
	f.countGrown(ctx)
	return errors.Join(f.endJob(ctx, run, result, err), err)
}

// countGrown brings the database's statistics up to date after work that may have added a lot.
func (f *Flow) countGrown(ctx context.Context) {
	if err := f.DB.CountGrown(ctx); err != nil && f.Log != nil {
		f.Log.WarnContext(ctx, "bring the statistics up to date", "error", err)
	}
}

// passing says whether trying again may help.
func passing(err error) bool {
	code := remuda.CodeOf(err)
	return code == remuda.Unavailable
}

// beginJob marks a job as running; nil if it has ended already.
func (f *Flow) beginJob(ctx context.Context, id string) (*JobRun, error) {
	var run *JobRun
	err := f.DB.Write(ctx, remuda.Caller{Role: remuda.Manager}, func(tx *store.Tx) error {
		run = nil
		job, err := tx.AnyJob(id)
		if err != nil || job.Status.Ended() {
			return err
		}
		job.Status = store.JobRunning
		run = &JobRun{Job: job, Caller: remuda.Caller{User: job.CreatedBy, Role: remuda.Manager, World: job.World}, flow: f}
		if err := tx.ClearJobErrors(id); err != nil {
			return err
		}
		return tx.UpdateJob(job)
	})
	return run, err
}

func (f *Flow) endJob(ctx context.Context, run *JobRun, result any, failed error) error {
	job := run.Job
	job.Status, job.Done = store.JobCompleted, job.Total
	if failed != nil {
		job.Status, job.Done, job.Problem = store.JobFailed, run.Job.Done, remuda.Sentence(failed)
	} else if result != nil {
		text, err := json.Marshal(result)
		if err != nil {
			return remuda.Errorf(remuda.Internal, "write the result of job %s: %w", job.ID, err)
		}
		job.Result = text
	}
	return f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error { return tx.UpdateJob(job) })
}

// JobFailed writes down that the queue has given up a job, with the last
// error: what the queue calls then.
func (f *Flow) JobFailed(ctx context.Context, kind string, args json.RawMessage, failed error) error {
	if _, rowless := f.workKinds()[kind]; rowless {
		return f.workFailed(ctx, kind, args, failed)
	}
	var ref store.JobRef
	if err := json.Unmarshal(args, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to a job: %w", err)
	}
	return f.DB.Write(ctx, remuda.Caller{Role: remuda.Manager}, func(tx *store.Tx) error {
		job, err := tx.AnyJob(ref.Job)
		if err != nil || job.Status.Ended() {
			return err
		}
		job.Status, job.Problem = store.JobFailed, remuda.Sentence(failed)
		return tx.UpdateJob(job)
	})
}

// workFailed follows up work without a job's row that the queue has given up.
func (f *Flow) workFailed(ctx context.Context, kind string, args json.RawMessage, failed error) error {
	var ref taskRef
	if err := json.Unmarshal(args, &ref); err != nil || kind != workTaskImage || remuda.CodeOf(failed) == remuda.NotFound {
		return nil // a callback keeps its own count; a task that is gone needs nothing
	}
	t, caller, err := f.anyTask(ctx, ref.Task)
	if err != nil {
		return err
	}
	return f.failTask(ctx, caller, t.ID, remuda.Sentence(failed))
}

// CancelJob ends a job that has not ended; managers only. What it has done stays.
func (f *Flow) CancelJob(ctx context.Context, caller remuda.Caller, id string) (job store.Job, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return job, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if job, err = tx.Job(id); err != nil || job.Status.Ended() {
			return err
		}
		job.Status = store.JobCancelled
		return tx.UpdateJob(job)
	})
	if err != nil || job.QueueID == 0 {
		return job, err
	}
	if err := f.Queue.Cancel(ctx, job.QueueID); err != nil && remuda.CodeOf(err) != remuda.NotFound {
		return job, err
	}
	return job, nil
}

// Jobs returns those of the caller's world that the filter chooses, newest first.
func (f *Flow) Jobs(ctx context.Context, caller remuda.Caller, filter store.JobFilter) ([]store.Job, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Job, error) {
		if filter.Dataset != "" {
			if _, err := tx.Dataset(filter.Dataset); err != nil {
				return nil, err
			}
		}
		return tx.Jobs(filter)
	})
}

// JobErrors returns what was wrong with single rows of a job.
func (f *Flow) JobErrors(ctx context.Context, caller remuda.Caller, id string) ([]string, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]string, error) { return tx.JobErrors(id) })
}

// Job returns a job of the caller's world.
func (f *Flow) Job(ctx context.Context, caller remuda.Caller, id string) (store.Job, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (store.Job, error) { return tx.Job(id) })
}
