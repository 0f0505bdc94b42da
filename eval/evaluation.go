package eval

import (
	"remuda"
)

// The rule of F1 and of every box's outcome.
const (
	MatchIoU      = 0.5 // least overlap of a match
	MaxDetections = 100 // predictions of a category on an image that take part
	DefaultDraws  = 1000
)

// OwnThreshold is Evaluation.ThresholdFrom where the threshold was chosen on
// the very data that it is then judged on, so that F1 is optimistic.
const OwnThreshold = "best on this very set"

// Options choose how predictions are judged; the zero value is a good choice.
type Options struct {
	Threshold     *float64 // least confidence that counts; nil takes the one with the best F1 on this very set
	ThresholdFrom string   // where Threshold comes from, in words, such as "validation"; kept in the result
	Bootstrap     int      // draws for the intervals; 0 means DefaultDraws, negative none
	Seed          uint64   // of the draws
}

// Metrics are the numbers of an evaluation, each from 0 to 1, or −1 where
// there is nothing to measure. The first twelve are COCO's, in its order.
type Metrics struct {
	AP        float64 `json:"ap"` // mean over IoU 0.50 to 0.95, categories and 101 recalls
	AP50      float64 `json:"ap50"`
	AP75      float64 `json:"ap75"`
	APSmall   float64 `json:"ap_small"`  // ground truth up to 32² square pixels
	APMedium  float64 `json:"ap_medium"` // 32² to 96²
	APLarge   float64 `json:"ap_large"`  // from 96²
	AR1       float64 `json:"ar1"`       // recall with one prediction of a category on an image
	AR10      float64 `json:"ar10"`
	AR100     float64 `json:"ar100"`
	ARSmall   float64 `json:"ar_small"`
	ARMedium  float64 `json:"ar_medium"`
	ARLarge   float64 `json:"ar_large"`
	F1        float64 `json:"f1"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	APARF1    float64 `json:"ap_ar_f1"` // 2·AP·AR100/(AP+AR100)
}

// Interval is the lower and upper end of a 95 % interval; both −1 where there is none.
type Interval [2]float64

// Intervals say how far the main numbers can be trusted.
type Intervals struct {
	F1 Interval `json:"f1"`
	AP Interval `json:"ap"`
}

// Evaluation is a model scored on a dataset. Its JSON is evaluation.json.
type Evaluation struct {
	Metrics
	Threshold     float64 `json:"threshold"`      // predictions of at least this confidence count
	ThresholdFrom string  `json:"threshold_from"` // where it was chosen
	Optimistic    bool    `json:"optimistic"`     // it was chosen on this very set
	Images        int     `json:"images"`
	GroundTruths  int     `json:"ground_truths"` // boxes to find: crowd regions are not among them
	Predictions   int     `json:"predictions"`   // boxes given, below the threshold too
	TP            int     `json:"tp"`
	FP            int     `json:"fp"`
	FN            int     `json:"fn"`

	Intervals  Intervals       `json:"intervals"`
	Draws      int             `json:"draws"` // bootstrap samples behind the intervals
	Seed       uint64          `json:"seed"`
	Categories []CategoryScore `json:"categories"` // in the dataset's ascending order of id
	Curve      []Point         `json:"curve"`      // by falling threshold, at most 400 points
	Confusion  []Confusion     `json:"confusion"`  // cells that are not 0

	Truth    remuda.Dataset      `json:"-"` // what was asked
	Answered []remuda.Annotation `json:"-"` // the predictions, with unique ids
	tables   *tables
}

// CategoryScore is one category's part of an evaluation.
type CategoryScore struct {
	ID           int64   `json:"id"`
	Name         string  `json:"name"`
	AP           float64 `json:"ap"`
	AP50         float64 `json:"ap50"`
	AR100        float64 `json:"ar100"`
	F1           float64 `json:"f1"`
	Precision    float64 `json:"precision"`
	Recall       float64 `json:"recall"`
	GroundTruths int     `json:"ground_truths"`
	TP           int     `json:"tp"`
	FP           int     `json:"fp"`
	FN           int     `json:"fn"`
}

// Point is a threshold of the precision-recall curve at IoU ≥ 0.5.
type Point struct {
	Threshold float64 `json:"threshold"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Confusion counts boxes of one category that were predicted as another.
// Truth and Predicted are indices into Evaluation.Categories, or −1 for the
// background: a missed box has Predicted −1, a box drawn on nothing Truth −1.
//
// The diagonal holds the matches that F1 counts. What they leave over pairs up
// across categories on the same image, by falling confidence, each prediction
// with the free ground truth it overlaps most at IoU ≥ 0.5; the rest faces the
// background.
type Confusion struct {
	Truth     int `json:"truth"`
	Predicted int `json:"predicted"`
	Count     int `json:"count"`
}

// Scores returns the figures that a checkpoint is chosen by.
func Scores(e *Evaluation) remuda.Scores {
	return remuda.Scores{F1: e.F1, Precision: e.Precision, Recall: e.Recall, Threshold: e.Threshold, AP: e.AP, AP50: e.AP50}
}

// Evaluate scores predictions against ground truth. Every prediction names an
// item and a category of the truth and has a finite confidence; else the error
// is coded invalid. Predictions without ids of their own are numbered from 1.
func Evaluate(truth remuda.Dataset, predictions []remuda.Annotation, o Options) (*Evaluation, error) {
	return nil, remuda.Errorf(remuda.Internal, "evaluate: not here yet")
}
