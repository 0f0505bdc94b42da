package wire

import "encoding/json"

// Evaluation is a model's predictions, scored against ground truth.
type Evaluation struct {
	ID        string          `json:"id"`
	Name      string          `json:"name"`
	Model     string          `json:"model"`
	Run       string          `json:"run"`
	Benchmark string          `json:"benchmark,omitempty"`
	Dataset   string          `json:"dataset,omitempty" doc:"The only one that it is of."`
	Status    string          `json:"status" enum:"pending,computing,succeeded,failed,cancelled"`
	Problem   string          `json:"problem,omitempty" doc:"Why it failed."`
	Job       string          `json:"job" doc:"That computes it."`
	Summary   json.RawMessage `json:"summary,omitempty" doc:"Counts and average precisions, once it has succeeded."`
	CreatedAt Time            `json:"created_at" format:"date-time"`
	CreatedBy string          `json:"created_by" doc:"Id of the user or key."`
}

// Evaluations lists evaluations, newest first.
type Evaluations struct {
	Evaluations []Evaluation `json:"evaluations"`
}

// NewEvaluation says what to score: a run, or a model's predictions that were
// sent without one.
type NewEvaluation struct {
	Name      string `json:"name,omitempty"`
	Model     string `json:"model,omitempty"`
	Run       string `json:"run,omitempty"`
	Dataset   string `json:"dataset,omitempty" doc:"The only one of the run's that is scored."`
	Benchmark string `json:"benchmark,omitempty" doc:"On whose items it is scored."`
}

// Charts are an evaluation's numbers at an IoU threshold. Average precisions are
// COCO's, from 0 to 1; absent where there is nothing to find.
type Charts struct {
	MAP50     *float64 `json:"map50,omitempty"`
	MAP75     *float64 `json:"map75,omitempty"`
	MAP5095   *float64 `json:"map5095,omitempty" doc:"Mean over the IoU limits 0.50, 0.55 … 0.95."`
	MAPSmall  *float64 `json:"map_small,omitempty" doc:"Of ground truth up to 32² square pixels."`
	MAPMedium *float64 `json:"map_medium,omitempty" doc:"32² to 96²."`
	MAPLarge  *float64 `json:"map_large,omitempty" doc:"From 96²."`

	Categories []CategoryAP      `json:"categories"`
	Curve      []CurvePoint      `json:"curve" doc:"Best precision at recalls of 0, 0.01 … 1, for each category."`
	Confusion  []ConfusionCount  `json:"confusion"`
	Histogram  []HistogramBucket `json:"histogram" doc:"Predictions by confidence."`
	Errors     ErrorCounts       `json:"errors" doc:"TIDE's."`
}

// CategoryAP is the average precision of a category.
type CategoryAP struct {
	Category string  `json:"category"`
	AP       float64 `json:"ap"`
}

// CurvePoint is a point of a category's precision over recall.
type CurvePoint struct {
	Category  string  `json:"category"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
}

// ConfusionCount is how many boxes of one category were predicted as another.
type ConfusionCount struct {
	Truth     string `json:"truth"`
	Predicted string `json:"predicted"`
	Count     int    `json:"count"`
}

// HistogramBucket counts predictions with a confidence from min to below max.
type HistogramBucket struct {
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Count int     `json:"count"`
}

// ErrorCounts says what went wrong how often.
type ErrorCounts struct {
	TruePositive   int `json:"true_positive"`
	Localization   int `json:"localization"`
	Classification int `json:"classification"`
	Both           int `json:"both"`
	Duplicate      int `json:"duplicate"`
	Background     int `json:"background"`
	Missed         int `json:"missed"`
}

// MatchExample is what became of one prediction, or one ground truth that was missed.
type MatchExample struct {
	Match      string      `json:"match" enum:"TP,FP,FN"`
	Error      string      `json:"error,omitempty" doc:"localization, classification, both, duplicate, background or missed."`
	IoU        float64     `json:"iou" doc:"Of the two boxes; 0 where there is one only."`
	Confidence float64     `json:"confidence"`
	Item       Item        `json:"item"`
	Prediction *Annotation `json:"prediction,omitempty" doc:"As it was when it was scored."`
	Truth      *Annotation `json:"truth,omitempty"`
}

// MatchExamples is a page of an evaluation's examples.
type MatchExamples struct {
	Examples []MatchExample `json:"examples"`
	Total    int            `json:"total"`
	Next     string         `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}
