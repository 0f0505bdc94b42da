package wire

import "encoding/json"

// Model is what predictions come from.
type Model struct {
	ID            string          `json:"id"`
	Name          string          `json:"name"`
	ReferenceID   string          `json:"reference_id,omitempty" doc:"The user's name of it."`
	Metadata      json.RawMessage `json:"metadata" doc:"An object."`
	Tags          []string        `json:"tags"`
	TrainedSlices []string        `json:"trained_slices" doc:"Ids of the slices that it was trained on."`
	CreatedAt     Time            `json:"created_at" format:"date-time"`
	CreatedBy     string          `json:"created_by" doc:"Id of the user or key."`
}

// Models lists models, oldest first.
type Models struct {
	Models []Model `json:"models"`
}

// ModelRun is a set of predictions of a model.
type ModelRun struct {
	ID          string          `json:"id"`
	Model       string          `json:"model"`
	Name        string          `json:"name"`
	ReferenceID string          `json:"reference_id,omitempty"`
	Metadata    json.RawMessage `json:"metadata" doc:"An object."`
	Status      string          `json:"status" doc:"open or committed."`
	Datasets    []string        `json:"datasets,omitempty" doc:"Ids of those that it has predictions on; of a single run only."`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	CreatedBy   string          `json:"created_by" doc:"Id of the user or key."`
}

// ModelRuns lists a model's runs, oldest first.
type ModelRuns struct {
	Runs []ModelRun `json:"runs"`
}
