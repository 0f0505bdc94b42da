package wire

// Rate is the share of counted things that are something.
type Rate struct {
	Count    int        `json:"count"`
	Of       int        `json:"of"`
	Value    float64    `json:"value" doc:"0 to 1; 0 where there was nothing to count."`
	Interval [2]float64 `json:"interval" doc:"95 %; 0 to 1 where there was nothing to count."`
}

// Mean is a mean, or another ratio of two sums, over images.
type Mean struct {
	Value    float64     `json:"value" doc:"0 where nothing was measured."`
	Images   int         `json:"images" doc:"That measured something."`
	Interval *[2]float64 `json:"interval,omitempty" doc:"95 %, a bootstrap over images; absent below two."`
}

// Calibration says how well people draw, held against the audited answers: all
// together and each.
type Calibration struct {
	All    Calibrated   `json:"all"`
	People []Calibrated `json:"people" doc:"By login."`
}

// Calibrated is how one person's answers, or everyone's, differ from the audited ones.
type Calibrated struct {
	Person     string      `json:"person,omitempty" doc:"Login."`
	Images     int         `json:"images"`
	Answers    int         `json:"answers"`
	Missed     Rate        `json:"missed" doc:"Of the true boxes."`
	Extra      Rate        `json:"extra" doc:"Of the drawn boxes."`
	Confused   Rate        `json:"confused" doc:"Of the true boxes that were located: those under another category."`
	Confusions []Confusion `json:"confusions" doc:"Most frequent first."`
	IoU        Mean        `json:"iou" doc:"Of located boxes."`
	Bias       Bias        `json:"bias" doc:"How far the edges lie from the true ones, in pixels: above 0 outside the object, below 0 inside it."`
	Biased     []string    `json:"biased,omitempty" doc:"In words, which edges are off by a pixel or more and not by chance."`
	Size       Mean        `json:"size" doc:"Drawn area over true area, geometric mean: 1.1 is a tenth too large."`
	Tight      Rate        `json:"tight" doc:"Of located boxes: all edges within three pixels."`
	Score      Mean        `json:"score" doc:"F1 at IoU 0.5."`
	Strict     Mean        `json:"strict" doc:"F1 at IoU 0.75."`
	Voices     Voices      `json:"voices"`
	Warning    string      `json:"warning,omitempty" doc:"When the score is below the project's."`
}

// Confusion is how often boxes of one category were drawn under another.
type Confusion struct {
	Truth string `json:"truth"`
	Drawn string `json:"drawn"`
	Boxes int    `json:"boxes"`
}

// Bias is how far each edge is off on average.
type Bias struct {
	Left   Mean `json:"left"`
	Top    Mean `json:"top"`
	Right  Mean `json:"right"`
	Bottom Mean `json:"bottom"`
}

// Voices are what people said about their own answers and the instructions.
type Voices struct {
	Confidence Mean    `json:"confidence" doc:"0 to 1, over those who gave one."`
	Sure       Mean    `json:"sure" doc:"Score of the answers given with a confidence of 0.5 or more."`
	Unsure     Mean    `json:"unsure" doc:"And with less."`
	Feedback   []Voice `json:"feedback"`
}

// Voice is one person's word on the instructions.
type Voice struct {
	Task   string `json:"task"`
	Person string `json:"person" doc:"Login."`
	Text   string `json:"text"`
}

// Ceiling is how well people agree with each other: the noise ceiling that a
// model's F1 can be held against.
type Ceiling struct {
	Images     int               `json:"images" doc:"With at least two answers."`
	Pairs      int               `json:"pairs" doc:"Of answers."`
	F1         Mean              `json:"f1" doc:"At IoU 0.5."`
	Strict     Mean              `json:"strict" doc:"At IoU 0.75."`
	IoU        Mean              `json:"iou" doc:"Of boxes matched at IoU 0.5."`
	Categories []CategoryCeiling `json:"categories"`
}

// CategoryCeiling is how well people agree on one category.
type CategoryCeiling struct {
	Category string `json:"category"`
	F1       Mean   `json:"f1"`
	Strict   Mean   `json:"strict"`
}

// AuditEstimate tells from the audits of a random sample how many of the other
// results are wrong.
type AuditEstimate struct {
	Population int     `json:"population" doc:"Completed tasks that the sample was drawn from."`
	Sampled    int     `json:"sampled"`
	Audited    int     `json:"audited" doc:"Of the sampled."`
	Fixed      int     `json:"fixed" doc:"Of the audited, as their first audit found them."`
	Rejected   int     `json:"rejected"`
	Unseen     *Unseen `json:"unseen,omitempty" doc:"The tasks that nobody audited; absent before any audit."`
}

// Unseen is how many of the tasks that nobody audited are wrong.
type Unseen struct {
	Tasks    int        `json:"tasks"`
	Rate     float64    `json:"rate" doc:"The wrong ones' share, 0 to 1."`
	Interval [2]float64 `json:"interval" doc:"95 %."`
}

// Costs is what the work on a batch or a project took, and what is left of it.
type Costs struct {
	Currency string     `json:"currency"`
	Total    CostLine   `json:"total"`
	Batches  []CostLine `json:"batches" doc:"By name."`
	People   []CostLine `json:"people" doc:"By login."`
	Tasks    []CostLine `json:"tasks" doc:"By id."`
	Ahead    *Ahead     `json:"ahead,omitempty" doc:"What is left at the rate so far; absent below two completed images."`
}

// CostLine is what some work cost and brought.
type CostLine struct {
	ID              string  `json:"id" doc:"Empty for the total."`
	Images          int     `json:"images" doc:"Completed, that the work was on."`
	Boxes           int     `json:"boxes" doc:"Accepted."`
	Drawn           int     `json:"drawn" doc:"Handed in."`
	Seconds         float64 `json:"seconds" doc:"Active, on open tasks and quality tasks too."`
	Cost            float64 `json:"cost" doc:"Of all of that."`
	SecondsPerImage float64 `json:"seconds_per_image" doc:"Of completed images; 0 where there is none, as the next ones."`
	CostPerImage    float64 `json:"cost_per_image"`
	SecondsPerBox   float64 `json:"seconds_per_box" doc:"Accepted."`
	CostPerBox      float64 `json:"cost_per_box"`
}

// Ahead is what is still to be spent.
type Ahead struct {
	Images  int      `json:"images" doc:"Open."`
	Seconds Expected `json:"seconds"`
	Cost    Expected `json:"cost"`
}

// Expected is a forecast with the range that the truth lies in with 95 % probability.
type Expected struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// StartChanges says what became of the boxes that a batch's people began from.
type StartChanges struct {
	Changes []StartChange `json:"changes"`
}

// StartChange is how many boxes came to one end.
type StartChange struct {
	Kind     string  `json:"kind" enum:"same,changed,removed,drawn"`
	Category bool    `json:"category,omitempty" doc:"They are called otherwise."`
	Boxes    int     `json:"boxes"`
	IoU      float64 `json:"iou,omitempty" doc:"Mean, with the starting boxes."`
}
