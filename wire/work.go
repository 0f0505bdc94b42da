package wire

// Held is the task that a person holds, with all that they need to do it.
type Held struct {
	Task         string       `json:"task" doc:"Id."`
	Project      string       `json:"project" doc:"Name."`
	Lease        int          `json:"lease" doc:"What is handed in names it."`
	Stage        string       `json:"stage" enum:"attempt,review,audit"`
	Until        Time         `json:"until" format:"date-time" doc:"From then on someone else may take it; every sign of work prolongs it."`
	ImageURL     string       `json:"image_url"`
	Width        int          `json:"width" doc:"Pixels of the upright image."`
	Height       int          `json:"height"`
	Instruction  Instruction  `json:"instruction"`
	Taxonomy     DrawTaxonomy `json:"taxonomy"`
	Answer       *Answer      `json:"answer,omitempty" doc:"What to begin from: a draft that was kept, what is to be reviewed or audited, or starting boxes."`
	Draft        bool         `json:"draft,omitempty" doc:"The answer is the person's own draft."`
	Note         string       `json:"note,omitempty" doc:"A manager's word."`
	IdleSeconds  float64      `json:"idle_seconds" doc:"How long a person may look without moving and still be at work."`
	LeaseSeconds float64      `json:"lease_seconds"`
}

// Next is what a person is to do, and what they are to know.
type Next struct {
	Task    *Held    `json:"task,omitempty" doc:"Absent if there is nothing to do now."`
	Notices []Notice `json:"notices" doc:"Where the person is paused."`
}

// Notice says that a person is paused in a project, and why.
type Notice struct {
	Project string `json:"project" doc:"Name."`
	Since   Time   `json:"since,omitempty" format:"date-time"`
	Why     string `json:"why,omitempty"`
}

// Span is a stretch of time in which the page saw the person at work.
type Span struct {
	Page string  `json:"page" maxLength:"100" doc:"One opening of the task; a reload is another."`
	From float64 `json:"from" doc:"Seconds since the page opened the task."`
	To   float64 `json:"to"`
}

// Submission is what a person hands in for a lease, or keeps as a draft.
type Submission struct {
	Lease       int        `json:"lease"`
	Verdict     string     `json:"verdict,omitempty" enum:"accepted,fixed,rejected" doc:"Of a review or an audit."`
	Reason      string     `json:"reason,omitempty" maxLength:"10000" doc:"Needed to reject."`
	Answer      *Answer    `json:"answer,omitempty" doc:"Of an attempt, or of the verdict fixed."`
	Overrides   []Override `json:"overrides,omitempty" maxItems:"20000"`
	Spans       []Span     `json:"spans,omitempty" maxItems:"20000" doc:"When the page saw the person at work."`
	Instruction int        `json:"instruction,omitempty" doc:"Version that the person saw."`
	Taxonomy    int        `json:"taxonomy,omitempty"`
	Confidence  *float64   `json:"confidence,omitempty" minimum:"0" maximum:"1" doc:"The person's own."`
	Feedback    string     `json:"feedback,omitempty" maxLength:"10000" doc:"On the instructions."`
}

// Override lets a warning pass, with the reason.
type Override struct {
	Code   string `json:"code"`
	Box    string `json:"box,omitempty" doc:"Id; absent for the whole answer."`
	Reason string `json:"reason" minLength:"1" maxLength:"10000"`
}

// Renewal prolongs a lease and keeps a draft.
type Renewal struct {
	Lease int         `json:"lease"`
	Draft *Submission `json:"draft,omitempty"`
}

// Renewed says how long a lease is now.
type Renewed struct {
	Until Time `json:"until" format:"date-time"`
}

// Submitted says what became of what was handed in.
type Submitted struct {
	Accepted bool           `json:"accepted"`
	Findings []CheckFinding `json:"findings" doc:"Why it was not accepted: errors to mend, warnings to mend or override."`
	Kept     string         `json:"kept,omitempty" doc:"The lease had ended: it was kept as a draft; this sentence says so."`
}

// CheckFinding is one thing that a check of an answer found.
type CheckFinding struct {
	Code    string `json:"code"`
	Level   string `json:"level" enum:"warning,error" doc:"Warnings may be overridden with a reason."`
	Box     string `json:"box,omitempty" doc:"Id; absent for the whole answer."`
	Message string `json:"message"`
}

// GiveBack gives a task back unfinished.
type GiveBack struct {
	Lease  int    `json:"lease"`
	Reason string `json:"reason,omitempty" maxLength:"10000" doc:"Needed to skip and to flag."`
}

// NextTask asks for a task to attempt or review.
type NextTask struct {
	Project string `json:"project,omitempty" doc:"Name or id; left out, any."`
}

// NextAudit asks for a result to audit.
type NextAudit struct {
	Batch string `json:"batch,omitempty" doc:"Name or id; left out, any."`
}

// Audit judges a result without a lease, as programs do.
type Audit struct {
	Verdict string  `json:"verdict" enum:"accepted,fixed,rejected"`
	Reason  string  `json:"reason,omitempty" maxLength:"10000" doc:"Needed to reject."`
	Answer  *Answer `json:"answer,omitempty" doc:"Of the verdict fixed."`
}
