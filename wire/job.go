package wire

import "encoding/json"

// Job is a piece of background work.
type Job struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Dataset   string          `json:"dataset,omitempty"`
	Status    string          `json:"status" enum:"waiting,running,completed,failed,cancelled"`
	Problem   string          `json:"problem,omitempty" doc:"Why it failed."`
	Done      int64           `json:"done" doc:"Steps of total."`
	Total     int64           `json:"total"`
	Result    json.RawMessage `json:"result,omitempty" doc:"What it made, once it is completed."`
	CreatedAt Time            `json:"created_at" format:"date-time"`
	CreatedBy string          `json:"created_by" doc:"Id of the user or key."`
	UpdatedAt Time            `json:"updated_at" format:"date-time"`
}

// Ended says whether nothing will change any more.
func (j Job) Ended() bool {
	return j.Status == "completed" || j.Status == "failed" || j.Status == "cancelled"
}

// Jobs lists jobs, newest first.
type Jobs struct {
	Jobs []Job `json:"jobs"`
}

// JobErrors lists what was wrong with single rows of a job.
type JobErrors struct {
	Errors []string `json:"errors"`
}
