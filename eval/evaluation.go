package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"

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
// is coded invalid. Boxes whose ids are not all different are numbered from 1.
func Evaluate(truth remuda.Dataset, predictions []remuda.Annotation, o Options) (*Evaluation, error) {
	images, categories, err := check(truth, predictions)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	truth.Annotations = numbered(truth.Annotations)
	for i := range truth.Annotations {
		if a := &truth.Annotations[i]; a.Area == 0 {
			a.Area = boxArea(a.Box)
		}
	}
	e := &Evaluation{Categories: []CategoryScore{}, Truth: truth, Answered: numbered(predictions), Images: len(truth.Items), Predictions: len(predictions), Seed: o.Seed}
	e.tables = newTables(truth.Annotations, e.Answered, images, categories, cocoLimits())
	v := averager{weight: ones(e.Images)}
	e.Metrics = v.coco(e.tables)[0]
	e.APARF1 = harmonic(e.AP, e.AR100)
	for _, t := range e.tables.truths {
		if !t.out {
			e.GroundTruths++
		}
	}
	points := curve(votes(e.tables.columns), e.GroundTruths)
	if o.Threshold != nil {
		e.Threshold, e.ThresholdFrom = *o.Threshold, cmp.Or(o.ThresholdFrom, "given")
	} else {
		e.Threshold, e.ThresholdFrom, e.Optimistic = bestThreshold(points), OwnThreshold, true
	}
	e.Curve = thin(points, e.Threshold)
	e.count(&v)
	e.Confusion = e.tables.confusion(truth.Annotations, e.Answered, e.Threshold)
	e.bootstrap(max(0, cmp.Or(o.Bootstrap, DefaultDraws)))
	return e, nil
}

// count fills in what depends on the threshold, and the categories.
func (e *Evaluation) count(v *averager) {
	var all tally
	for _, c := range sortedCategories(e.Truth) {
		column := &e.tables.columns[len(e.Categories)]
		t := column.at(e.Threshold)
		all.tp, all.fp, all.fn = all.tp+t.tp, all.fp+t.fp, all.fn+t.fn
		score := CategoryScore{
			ID: c.ID, Name: c.Name, AP: -1, AP50: -1, AR100: -1,
			F1: t.f1(), Precision: t.precision(), Recall: t.recall(),
			GroundTruths: t.tp + t.fn, TP: t.tp, FP: t.fp, FN: t.fn,
		}
		if a := v.of(column, 0)[0]; a.ok {
			score.AP, score.AP50, score.AR100 = mean(a.precision), a.precision[0], mean(a.recall)
		}
		e.Categories = append(e.Categories, score)
	}
	e.TP, e.FP, e.FN = all.tp, all.fp, all.fn
	e.F1, e.Precision, e.Recall = all.f1(), all.precision(), all.recall()
}

func mean(values [steps]float64) float64 {
	var t total
	t.add(values[:]...)
	return t.mean()
}

// sortedCategories returns the categories in ascending order of id.
func sortedCategories(d remuda.Dataset) []remuda.Category {
	return slices.SortedFunc(slices.Values(d.Categories), func(a, b remuda.Category) int { return cmp.Compare(a.ID, b.ID) })
}

// numbered returns the boxes with ids: their own if all are different, else
// from 1 in the given order.
func numbered(boxes []remuda.Annotation) []remuda.Annotation {
	list := slices.Clone(boxes)
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) == len(list) {
		return list
	}
	for i := range list {
		list[i].ID = int64(i + 1)
	}
	return list
}

// check returns the ids in ascending order, or what is wrong with the input.
func check(truth remuda.Dataset, predictions []remuda.Annotation) (images, categories *index, err error) {
	var itemIDs, categoryIDs []int64
	for _, i := range truth.Items {
		itemIDs = append(itemIDs, i.ID)
	}
	for _, c := range truth.Categories {
		categoryIDs = append(categoryIDs, c.ID)
	}
	if images, err = uniqueIndex("image", itemIDs); err != nil {
		return nil, nil, err
	}
	if categories, err = uniqueIndex("category", categoryIDs); err != nil {
		return nil, nil, err
	}
	if err := checkBoxes("ground truth box", truth.Annotations, images, categories); err != nil {
		return nil, nil, err
	}
	return images, categories, checkBoxes("prediction", predictions, images, categories)
}

func uniqueIndex(noun string, ids []int64) (*index, error) {
	slices.Sort(ids)
	for i := 1; i < len(ids); i++ {
		if ids[i] == ids[i-1] {
			return nil, remuda.Errorf(remuda.Invalid, "%s id %d occurs twice", noun, ids[i]).WithHint("give every %s an id of its own", noun)
		}
	}
	return newIndex(ids), nil
}

func checkBoxes(noun string, boxes []remuda.Annotation, images, categories *index) error {
	for i := range boxes {
		a := &boxes[i]
		switch {
		case images.of(a.ItemID) < 0:
			return remuda.Errorf(remuda.Invalid, "%s %d (id %d) is on image %d, which the ground truth does not list", noun, i, a.ID, a.ItemID).WithHint("score predictions against the label file of the same images")
		case categories.of(a.CategoryID) < 0:
			return remuda.Errorf(remuda.Invalid, "%s %d (id %d) has category %d, which the ground truth does not list", noun, i, a.ID, a.CategoryID).WithHint("use the category ids of the label file")
		case !sane(a.Box.X0) || !sane(a.Box.Y0) || !sane(a.Box.X1) || !sane(a.Box.Y1) || !sane(a.Area) || !sane(a.Confidence):
			return remuda.Errorf(remuda.Invalid, "%s %d (id %d) on image %d holds a number that is not finite or out of all proportion", noun, i, a.ID, a.ItemID).WithHint("correct or remove it")
		}
	}
	return nil
}

// sane reports whether areas can be computed from a number.
func sane(v float64) bool { return math.Abs(v) < 1e15 } // false for NaN
