package wire

import "encoding/json"

// Answer is all that a person says about an image. One without boxes says that
// there is nothing to label.
type Answer struct {
	Boxes      []AnswerBox    `json:"boxes" maxItems:"20000"`
	Attributes map[string]any `json:"attributes,omitempty" doc:"Of the whole image."`
}

// AnswerBox is one box of an answer.
type AnswerBox struct {
	ID         string         `json:"id" doc:"Unique in its answer; kept when a person edits a box that was there before."`
	Category   string         `json:"category" doc:"A leaf of the taxonomy."`
	Box        Box            `json:"box"`
	Attributes map[string]any `json:"attributes,omitempty" doc:"By id: a text, a number, or a list of texts where several may be chosen."`
}

// Task is one image to label.
type Task struct {
	ID          string          `json:"id"`
	Project     string          `json:"project" doc:"Name."`
	Batch       string          `json:"batch,omitempty" doc:"Name; absent in the batch of tasks that name none."`
	Type        string          `json:"type"`
	Status      string          `json:"status" enum:"pending,completed,canceled,error"`
	Stage       string          `json:"stage,omitempty" doc:"What it waits for: attempt, review or audit."`
	Review      string          `json:"review,omitempty" doc:"What the audits of its result found: pending, accepted, fixed or rejected."`
	Round       int             `json:"round" doc:"From 1; a rejection or a re-label starts the next."`
	Priority    float64         `json:"priority,omitempty"`
	UniqueID    string          `json:"unique_id,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"An object."`
	Item        string          `json:"item,omitempty" doc:"Id of the dataset's item that it labels."`
	Attachment  string          `json:"attachment,omitempty" doc:"Where its image is from."`
	ImageURL    string          `json:"image_url,omitempty" doc:"Path that gives the image to whoever has it, for a day or two."`
	Width       int             `json:"width,omitempty" doc:"Pixels of the upright image."`
	Height      int             `json:"height,omitempty"`
	Holder      string          `json:"holder,omitempty" doc:"Who has it now: id."`
	HolderName  string          `json:"holder_name,omitempty" doc:"Login, or the name of an API key; absent in lists."`
	LeaseUntil  Time            `json:"lease_until,omitempty" format:"date-time"`
	Flag        string          `json:"flag,omitempty" doc:"Why it is set aside for a manager."`
	Note        string          `json:"note,omitempty" doc:"A manager's word to whoever does it next."`
	Failure     string          `json:"failure,omitempty" doc:"Why its image cannot be had."`
	Sampled     bool            `json:"sampled,omitempty" doc:"Chosen to be audited."`
	Agreement   float64         `json:"agreement,omitempty" doc:"Of the round's attempts, 0 to 1."`
	Instruction int             `json:"instruction,omitempty" doc:"Version that holds for it; absent where it has its own."`
	Taxonomy    int             `json:"taxonomy,omitempty"`
	Revision    int64           `json:"revision"`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	UpdatedAt   Time            `json:"updated_at" format:"date-time"`
	CompletedAt Time            `json:"completed_at,omitempty" format:"date-time"`

	Start  *Answer  `json:"start,omitempty" doc:"What people begin from."`
	Result *Answer  `json:"result,omitempty"`
	Work   []Work   `json:"work,omitempty" doc:"Everything that was handed in, of all rounds, oldest first; in lists only what has been asked for."`
	Change []Change `json:"changes,omitempty" doc:"What became of the boxes that people began from."`
}

// Work is one attempt, review or audit that was handed in.
type Work struct {
	Stage         string     `json:"stage" enum:"attempt,review,audit"`
	By            string     `json:"by" doc:"Id."`
	Name          string     `json:"name,omitempty" doc:"Of who that is: login, or the name of an API key."`
	Round         int        `json:"round"`
	Since         Time       `json:"since" format:"date-time"`
	At            Time       `json:"at" format:"date-time"`
	Verdict       string     `json:"verdict,omitempty" doc:"accepted, fixed or rejected."`
	Reason        string     `json:"reason,omitempty"`
	Answer        *Answer    `json:"answer,omitempty"`
	Overrides     []Override `json:"overrides,omitempty"`
	ActiveSeconds float64    `json:"active_seconds"`
	Instruction   int        `json:"instruction,omitempty" doc:"Version that the person saw."`
	Taxonomy      int        `json:"taxonomy,omitempty"`
	Confidence    *float64   `json:"confidence,omitempty"`
	Feedback      string     `json:"feedback,omitempty"`
}

// Change is what became of one box between two answers.
type Change struct {
	Box      string  `json:"box" doc:"Id."`
	Kind     string  `json:"kind" enum:"same,changed,removed,drawn"`
	IoU      float64 `json:"iou,omitempty" doc:"With the old box."`
	Category bool    `json:"category,omitempty" doc:"It is called otherwise."`
}

// Tasks is a page of tasks, newest first.
type Tasks struct {
	Tasks []Task `json:"tasks"`
	Total int64  `json:"total" doc:"On all pages."`
	Next  string `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}

// TaskEvent is something that happened.
type TaskEvent struct {
	ID      string `json:"id" doc:"Ascends with time."`
	Kind    string `json:"kind"`
	At      Time   `json:"at" format:"date-time"`
	By      string `json:"by,omitempty" doc:"Id of who did it; absent for the server."`
	Name    string `json:"name,omitempty" doc:"Of who did it: login, or the name of an API key."`
	Task    string `json:"task,omitempty"`
	Batch   string `json:"batch,omitempty"`
	Person  string `json:"person,omitempty" doc:"To whom it happened, where that is someone else."`
	Round   int    `json:"round,omitempty"`
	Stage   string `json:"stage,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Why     string `json:"why,omitempty"`
}

// TaskHistory lists what happened, oldest first.
type TaskHistory struct {
	Events []TaskEvent `json:"events"`
}

// Merged is how a task's attempts were made into one result.
type Merged struct {
	People     []string       `json:"people" doc:"Logins, in the order of the attempts."`
	Attempts   int            `json:"attempts"`
	Boxes      []MergedBox    `json:"boxes"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Split      []string       `json:"split,omitempty" doc:"The image's attributes that not all gave alike."`
	Agreement  float64        `json:"agreement"`
}

// MergedBox is an object that at least one attempt drew.
type MergedBox struct {
	Box        AnswerBox      `json:"box"`
	Kept       bool           `json:"kept" doc:"At least half of the attempts drew it."`
	Votes      int            `json:"votes" doc:"Attempts that drew it."`
	Categories map[string]int `json:"categories" doc:"How many called it so."`
	Agreement  float64        `json:"agreement" doc:"Mean IoU over all pairs of attempts."`
	Spread     Edges          `json:"spread" doc:"Pixels between the lowest and the highest of every edge."`
	Split      []string       `json:"split,omitempty" doc:"Attributes that not all gave alike."`
	Members    []Member       `json:"members"`
}

// Member is a box of an attempt, both counted from 0.
type Member struct {
	Attempt int `json:"attempt"`
	Box     int `json:"box"`
}

// Edges is a number for every edge of a box.
type Edges struct {
	Left   float64 `json:"left"`
	Top    float64 `json:"top"`
	Right  float64 `json:"right"`
	Bottom float64 `json:"bottom"`
}
