package wire

import "encoding/json"

// Batch is a group of tasks of a project.
type Batch struct {
	ID          string          `json:"id"`
	Project     string          `json:"project" doc:"Name."`
	Name        string          `json:"name" doc:"Never changes; no two batches have the same, whatever their projects."`
	Kind        string          `json:"kind" enum:"production,calibration,self_label"`
	Status      string          `json:"status" enum:"staging,in_progress,completed"`
	Plan        Plan            `json:"plan"`
	Rank        int             `json:"rank,omitempty" doc:"In the order that a manager set, from 1; absent if in none."`
	Groups      []string        `json:"groups" doc:"Ids of the groups and people who work on it; none: everyone in the project."`
	Counts      TaskCounts      `json:"counts"`
	Callback    string          `json:"callback,omitempty" doc:"URL that is told when it is completed."`
	CallbackOK  *bool           `json:"callback_succeeded,omitempty" doc:"Absent before one was tried."`
	Metadata    json.RawMessage `json:"metadata" doc:"An object."`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	CreatedBy   string          `json:"created_by" doc:"Id of the user or key."`
	CompletedAt Time            `json:"completed_at,omitempty" format:"date-time"`
}

// Batches lists batches.
type Batches struct {
	Batches []Batch `json:"batches"`
}

// TaskCounts are how many real tasks there are by status.
type TaskCounts struct {
	Pending   int `json:"pending"`
	Completed int `json:"completed"`
	Canceled  int `json:"canceled"`
	Error     int `json:"error"`
}

// NewBatch is what a batch is made from.
type NewBatch struct {
	Name     string          `json:"name" minLength:"1" maxLength:"500"`
	Kind     string          `json:"kind,omitempty" enum:"production,calibration,self_label" default:"production"`
	Plan     *Plan           `json:"plan,omitempty" doc:"The project's if left out."`
	Callback string          `json:"callback,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"An object."`
}

// SliceBatch makes a batch of a slice's items, or of a dataset's: a task for each.
type SliceBatch struct {
	NewBatch
	Project       string  `json:"project" doc:"Name or id."`
	Slice         string  `json:"slice" doc:"Id."`
	Run           string  `json:"run,omitempty" doc:"Id of a model run whose predictions people begin from."`
	MinConfidence float64 `json:"min_confidence,omitempty" minimum:"0" maximum:"1" doc:"Of those predictions."`
	GroundTruth   bool    `json:"ground_truth,omitempty" doc:"People begin from the boxes that are there."`
	Priority      float64 `json:"priority,omitempty" doc:"Higher ones come first."`
	Finalize      bool    `json:"finalize,omitempty" doc:"People may begin at once."`
}

// SlicedBatch is a batch with what became of a slice's items.
type SlicedBatch struct {
	Batch     Batch `json:"batch"`
	Added     int   `json:"added" doc:"Tasks that were made."`
	There     int   `json:"there" doc:"Items that had their task in the batch already."`
	Imageless int   `json:"imageless" doc:"Items whose image is not here or cannot be read; they got no task."`
}

// BatchChange changes a batch; what is left out stays.
type BatchChange struct {
	Plan     *Plan           `json:"plan,omitempty" doc:"For tasks that are made from now on."`
	Groups   *[]string       `json:"groups,omitempty" doc:"Groups of the project by name or id, people by login; none: everyone in the project."`
	Callback *string         `json:"callback,omitempty" doc:"URL that is told when the batch is completed; empty for none."`
	Metadata json.RawMessage `json:"metadata,omitempty" doc:"An object that replaces the old one."`
}

// Reason says why something is done.
type Reason struct {
	Why string `json:"why,omitempty" maxLength:"10000"`
}

// BatchOrder puts the batches that aren't completed in an order.
type BatchOrder struct {
	Names []string `json:"names" doc:"Every one of them; none go back to the default: calibration first, then the oldest."`
}

// Advice says what a careful manager would do before people begin with a batch.
type Advice struct {
	Advice []string `json:"advice"`
}

// SampleAudits chooses completed tasks of a batch at random, to be audited.
type SampleAudits struct {
	Size int    `json:"size" minimum:"1" doc:"How many, counting those that were chosen before with the same seed."`
	Seed uint64 `json:"seed,omitempty" doc:"A larger sample of the same seed has the smaller one in it."`
}

// SampledAudits lists the tasks of a sample.
type SampledAudits struct {
	Tasks []string `json:"tasks" doc:"Ids."`
}

// StuckTasks lists the tasks of a batch that wait for a manager.
type StuckTasks struct {
	Tasks []StuckTask `json:"tasks"`
}

// StuckTask is a task that would wait for ever, and why.
type StuckTask struct {
	Task string `json:"task" doc:"Id."`
	Why  string `json:"why"`
}
