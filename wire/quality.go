package wire

// QualityTask is an image whose right answer is known.
type QualityTask struct {
	ID         string   `json:"id"`
	Project    string   `json:"project" doc:"Name."`
	Kind       string   `json:"kind" enum:"training,evaluation"`
	Stage      string   `json:"stage" enum:"attempt,review" doc:"Whom it is for."`
	Expected   Answer   `json:"expected" doc:"What is right."`
	Initial    *Answer  `json:"initial,omitempty" doc:"What reviewers judge."`
	From       string   `json:"from,omitempty" doc:"Id of the task that it was made from."`
	Retired    bool     `json:"retired" doc:"No longer given to anyone."`
	Concepts   []string `json:"concepts,omitempty" doc:"What it tests."`
	Difficulty string   `json:"difficulty,omitempty"`
	Given      int      `json:"given" doc:"People who were given it."`
	Done       int      `json:"done"`
	Accuracy   Rate     `json:"accuracy" doc:"Of its boxes, over all who did it."`
	Outdated   []string `json:"outdated,omitempty" doc:"Why its answer no longer does under the project's taxonomy."`
	ImageURL   string   `json:"image_url,omitempty"`
	CreatedAt  Time     `json:"created_at" format:"date-time"`
	CreatedBy  string   `json:"created_by"`
}

// QualityTasks lists a project's quality tasks, oldest first.
type QualityTasks struct {
	Quality []QualityTask `json:"quality"`
}

// MakeQuality makes a quality task of an audited task.
type MakeQuality struct {
	Kind       string   `json:"kind" enum:"training,evaluation"`
	Review     bool     `json:"review,omitempty" doc:"For reviewers: they judge the attempt that the task's result was made from."`
	Concepts   []string `json:"concepts,omitempty" maxItems:"100"`
	Difficulty string   `json:"difficulty,omitempty" maxLength:"100"`
}

// QualityChange changes a quality task; what is left out stays.
type QualityChange struct {
	Retired    *bool     `json:"retired,omitempty"`
	Concepts   *[]string `json:"concepts,omitempty"`
	Difficulty *string   `json:"difficulty,omitempty"`
}

// Standing is how a person does in a project.
type Standing struct {
	User        string      `json:"user" doc:"Id."`
	Login       string      `json:"login"`
	Paused      bool        `json:"paused"`
	Since       Time        `json:"since,omitempty" format:"date-time" doc:"Of the last pause or return: what was before no longer counts."`
	By          string      `json:"by,omitempty" doc:"Id of the manager who paused the person; absent when it was their accuracy."`
	Why         string      `json:"why,omitempty"`
	Accuracy    Rate        `json:"accuracy" doc:"Of boxes, on all evaluation tasks."`
	Evaluations []Evaluated `json:"evaluations" doc:"The accuracy after every evaluation task, oldest first."`
	Trained     int         `json:"trained" doc:"Training tasks done."`
	Training    Rate        `json:"training" doc:"Accuracy on them."`
}

// Evaluated is a person's accuracy at a time.
type Evaluated struct {
	At       Time `json:"at" format:"date-time"`
	Tasks    int  `json:"tasks" doc:"Evaluation tasks up to then."`
	Accuracy Rate `json:"accuracy"`
}

// Standings lists people by login.
type Standings struct {
	People []Standing `json:"people"`
}
