package wire

// Project is what tasks of one kind have in common: what their people are told,
// what may be drawn, and how the work goes.
type Project struct {
	ID         string          `json:"id"`
	Name       string          `json:"name" doc:"Never changes: the labeling API's URLs name it."`
	Type       string          `json:"type" doc:"Of its tasks, such as imageannotation."`
	Dataset    string          `json:"dataset,omitempty" doc:"Id of the one that its results go to where a task doesn't name an item."`
	Settings   ProjectSettings `json:"settings"`
	Guide      *Guide          `json:"guide,omitempty" doc:"What people are told and may draw now; absent until it is said, and for other kinds of tasks."`
	CreatedAt  Time            `json:"created_at" format:"date-time"`
	CreatedBy  string          `json:"created_by" doc:"Id of the user or key."`
	ArchivedAt Time            `json:"archived_at,omitempty" format:"date-time"`
}

// Projects lists projects, newest first.
type Projects struct {
	Projects []Project `json:"projects"`
}

// ProjectSettings are how a project's people work.
type ProjectSettings struct {
	Plan        Plan    `json:"plan" doc:"Of batches that say nothing else."`
	QualityRate float64 `json:"quality_rate" minimum:"0" maximum:"1" doc:"Share of turns that are hidden evaluation tasks."`
	Bar         Bar     `json:"bar" doc:"The accuracy that is asked of people."`
	Prices      Prices  `json:"prices" doc:"What work is paid."`
	IdleSeconds float64 `json:"idle_seconds,omitempty" minimum:"0" maximum:"3600" doc:"How long a person may look without moving and still be at work; 30 if left out."`
	Score       float64 `json:"score,omitempty" minimum:"0" maximum:"1" doc:"Of a calibration, below which to warn; 0.8 if left out."`
}

// Plan is the way of a batch's tasks to their result.
type Plan struct {
	Attempts     int     `json:"attempts" minimum:"1" maximum:"5" doc:"By different people."`
	Reviews      int     `json:"reviews" minimum:"0" maximum:"3" doc:"After the attempts."`
	ReviewBelow  float64 `json:"review_below,omitempty" minimum:"0" maximum:"1" doc:"With several attempts: only results whose agreement is below it are reviewed; left out, all are."`
	LeaseSeconds float64 `json:"lease_seconds,omitempty" minimum:"0" maximum:"86400" doc:"How long a task stays with someone who does nothing; 900 if left out."`
	Skips        int     `json:"skips,omitempty" minimum:"0" doc:"A task that so many people skipped is set aside; 3 if left out."`
	Redo         bool    `json:"redo,omitempty" doc:"A rejected audit sends the task back to be attempted anew."`
}

// Bar is the accuracy that is asked of people.
type Bar struct {
	Accuracy float64 `json:"accuracy" minimum:"0" maximum:"1" doc:"0 pauses nobody."`
	Tasks    int     `json:"tasks,omitempty" minimum:"0" doc:"Evaluation tasks before anyone is judged; 5 if left out."`
	Retake   int     `json:"retake,omitempty" minimum:"0" doc:"Training tasks that a paused person passes to come back; 5 if left out."`
}

// Price is what work of one stage is paid.
type Price struct {
	PerHour  float64 `json:"per_hour,omitempty" minimum:"0" doc:"Of active time."`
	PerImage float64 `json:"per_image,omitempty" minimum:"0" doc:"Handed in."`
	PerBox   float64 `json:"per_box,omitempty" minimum:"0" doc:"Of the answer handed in."`
}

// Prices are what a project's work is paid, in one currency.
type Prices struct {
	Currency string `json:"currency" maxLength:"20" doc:"As it shall be shown, such as EUR."`
	Attempt  Price  `json:"attempt,omitzero"`
	Review   Price  `json:"review,omitzero"`
	Audit    Price  `json:"audit,omitzero"`
}

// NewProject is what a project is made from.
type NewProject struct {
	Name        string           `json:"name" minLength:"1" maxLength:"500"`
	Dataset     string           `json:"dataset,omitempty" doc:"Id."`
	Instruction string           `json:"instruction,omitempty" doc:"Markdown."`
	Taxonomy    *DrawTaxonomy    `json:"taxonomy,omitempty"`
	Settings    *ProjectSettings `json:"settings,omitempty"`
}

// ProjectChange changes a project; what is left out stays.
type ProjectChange struct {
	Dataset  *string          `json:"dataset,omitempty"`
	Settings *ProjectSettings `json:"settings,omitempty" doc:"All of them."`
	Archived *bool            `json:"archived,omitempty"`
}

// Guide is what a project's people are told and may draw, at one time.
type Guide struct {
	Version     int          `json:"version" doc:"Of the project, from 0."`
	Instruction Instruction  `json:"instruction"`
	Taxonomy    DrawTaxonomy `json:"taxonomy"`
}

// Guides lists all versions of a guide, oldest first.
type Guides struct {
	Guides []Guide `json:"guides"`
}

// Instruction is what people are told.
type Instruction struct {
	Version  int       `json:"version" doc:"From 1."`
	Text     string    `json:"text" doc:"Markdown."`
	Examples []Example `json:"examples"`
	By       string    `json:"by,omitempty" doc:"Id of the user or key who wrote it."`
	At       Time      `json:"at,omitempty" format:"date-time"`
}

// Example shows how to draw, or how not to, and says why.
type Example struct {
	Image    string      `json:"image" doc:"Id of the item."`
	ImageURL string      `json:"image_url,omitempty" doc:"Path that gives the image."`
	Boxes    []AnswerBox `json:"boxes"`
	Good     bool        `json:"good"`
	Why      string      `json:"why" minLength:"1"`
}

// ReviseInstruction makes the next version of an instruction.
type ReviseInstruction struct {
	Base     int       `json:"base" doc:"The instruction's version that the change was made on, 0 for the first; one that is no longer the last is a conflict."`
	Text     string    `json:"text"`
	Examples []Example `json:"examples,omitempty"`
}

// DrawTaxonomy is what may be drawn and said about it.
type DrawTaxonomy struct {
	Version    int         `json:"version,omitempty" doc:"From 1; not read."`
	Categories []Category  `json:"categories"`
	Attributes []Attribute `json:"attributes,omitempty"`
	MinWidth   float64     `json:"min_width,omitempty" minimum:"0" doc:"Of a box, in pixels."`
	MinHeight  float64     `json:"min_height,omitempty" minimum:"0"`
}

// Category is what a box is of. One with children only groups them: boxes bear
// the names of leaves.
type Category struct {
	Name     string     `json:"name"`
	Display  string     `json:"display,omitempty" doc:"Shown instead of the name."`
	Children []Category `json:"children,omitempty"`
}

// Attribute is something that is said about a box, or about the image.
type Attribute struct {
	ID          string      `json:"id"`
	Type        string      `json:"type" enum:"category,number,text"`
	Description string      `json:"description,omitempty"`
	Choices     []string    `json:"choices,omitempty"`
	Multiple    bool        `json:"multiple,omitempty" doc:"Several may be chosen."`
	Required    bool        `json:"required,omitempty"`
	Image       bool        `json:"image,omitempty" doc:"Said about the image, not about each box."`
	Conditions  []Condition `json:"conditions,omitempty" doc:"Asked where one of them holds; always if there are none."`
}

// Condition holds where all that it names does.
type Condition struct {
	Categories []string            `json:"categories,omitempty" doc:"The box's is one of them."`
	Attributes map[string][]string `json:"attributes,omitempty" doc:"The value of each is one of those."`
}

// ReviseTaxonomy makes the next version of a taxonomy.
type ReviseTaxonomy struct {
	Base     int          `json:"base" doc:"The taxonomy's version that the change was made on, 0 for the first; one that is no longer the last is a conflict."`
	Taxonomy DrawTaxonomy `json:"taxonomy"`
}

// RevisedTaxonomy is a guide with a new taxonomy, and what that outdated.
type RevisedTaxonomy struct {
	Guide    Guide          `json:"guide"`
	Outdated []OutdatedTask `json:"outdated" doc:"They stay as they are until they are labeled again."`
}

// OutdatedTask is a completed task whose answer no longer does under the
// project's newest taxonomy.
type OutdatedTask struct {
	Task string   `json:"task"`
	Why  []string `json:"why"`
}

// OutdatedTasks lists tasks by id.
type OutdatedTasks struct {
	Tasks []OutdatedTask `json:"tasks"`
}

// Group is some of a project's people.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Members []string `json:"members" doc:"Logins."`
}

// Groups lists a project's groups by name.
type Groups struct {
	Groups []Group `json:"groups"`
}

// NewGroup is what a group is made from.
type NewGroup struct {
	Name    string   `json:"name" minLength:"1" maxLength:"500"`
	Members []string `json:"members,omitempty" doc:"Logins of people who are assigned to the project."`
}

// PeopleChange adds people and takes others away, by login.
type PeopleChange struct {
	Add    []string `json:"add,omitempty" maxItems:"1000"`
	Remove []string `json:"remove,omitempty" maxItems:"1000"`
}
