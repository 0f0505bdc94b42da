package nucleus

import (
	"strconv"
	"time"

	"remuda"
	"remuda/store"
)

func jobRoutes() map[string]handler {
	return map[string]handler{
		"GET job/{job}":        jobStatus,
		"GET job/{job}/info":   jobInfo,
		"GET job/{job}/errors": jobErrors,
		"POST jobs/":           listJobs,
	}
}

// wireStatus is a job's status. The client waits only while it reads Running,
// so that a waiting job is said to run.
func wireStatus(status store.JobStatus) string {
	switch status {
	case store.JobCompleted:
		return "Completed"
	case store.JobFailed:
		return "Errored"
	case store.JobCancelled:
		return "Cancelled"
	case store.JobWaiting, store.JobRunning:
	}
	return "Running"
}

// jobJSON is the job object that every asynchronous call answers with.
func jobJSON(job store.Job) map[string]any {
	return map[string]any{
		"job_id": job.ID, "job_last_known_status": wireStatus(job.Status), "job_type": job.Type, "job_creation_time": remuda.FormatTime(job.CreatedAt),
	}
}

func jobStatus(s *Server, r *request) (any, error) {
	job, err := s.Flow.Job(r.Context(), r.caller, r.param("job"))
	if err != nil {
		return nil, err
	}
	done, total := job.Done, job.Total
	if job.Status == store.JobCompleted {
		done, total = max(done, total, 1), max(done, total, 1)
	}
	progress := 0.0
	if total > 0 {
		progress = min(1, float64(done)/float64(total))
	}
	answer := jobJSON(job)
	answer["status"], answer["message"] = wireStatus(job.Status), jobMessage(job)
	answer["job_progress"] = strconv.FormatFloat(progress, 'f', 2, 64)
	answer["completed_steps"], answer["total_steps"] = done, total
	return answer, nil
}

// jobMessage is a job's result, or why it has none.
func jobMessage(job store.Job) any {
	switch {
	case job.Problem != "":
		return job.Problem
	case job.Status == store.JobCancelled:
		return "The job was cancelled."
	case job.Status == store.JobCompleted && string(job.Result) != "null":
		return job.Result
	}
	return map[string]any{}
}

func jobInfo(s *Server, r *request) (any, error) {
	job, err := s.Flow.Job(r.Context(), r.caller, r.param("job"))
	return jobJSON(job), err
}

func jobErrors(s *Server, r *request) (any, error) {
	return s.Flow.JobErrors(r.Context(), r.caller, r.param("job"))
}

// maxJobs is how many jobs a call returns unless it asks for fewer.
const maxJobs = 50_000

func listJobs(s *Server, r *request) (any, error) {
	var body struct {
		Dataset       string   `json:"dataset_id"`
		Types         []string `json:"job_types"`
		From          string   `json:"from_date"`
		To            string   `json:"to_date"`
		Limit         *int     `json:"limit"`
		ShowCompleted bool     `json:"show_completed"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	filter := store.JobFilter{Dataset: body.Dataset, Types: body.Types, Unfinished: !body.ShowCompleted, Limit: maxJobs}
	if body.Limit != nil && *body.Limit < maxJobs {
		filter.Limit = *body.Limit
		if filter.Limit < 1 {
			return nil, remuda.Errorf(remuda.Invalid, "a limit of %d jobs", filter.Limit).WithHint("ask for at least one")
		}
	}
	var err error
	if filter.From, err = parseDate(body.From); err != nil {
		return nil, err
	}
	if filter.To, err = parseDate(body.To); err != nil {
		return nil, err
	}
	jobs, err := s.Flow.Jobs(r.Context(), r.caller, filter)
	return list(jobs, jobJSON), err
}

// parseDate reads a date with or without a time, in UTC; "" is no date.
func parseDate(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.DateTime, time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, remuda.Errorf(remuda.Invalid, "%.80q is no date", text).WithHint("write it like 2026-01-31 or 2026-01-31 12:00:00")
}
