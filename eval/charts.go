package eval

import (
	"fmt"
	"math"

	"remuda"
)

// Names that stand in charts where no category can. The brackets keep them
// apart from people's own labels.
const (
	Background  = "(background)" // faces predictions of nothing and missed ground truth
	AnyCategory = "(any)"        // the one category where any two labels match
)

// HistogramBuckets is how many equal parts of 0 to 1 confidences are counted in.
const HistogramBuckets = 20

// Charts are the numbers of an evaluation at an IoU threshold.
type Charts struct {
	APs
	IoUs      []float64         // limits that AP was computed at, ascending: COCO's ten and the charts' own
	PerClass  []CategoryAP      // by ascending name, at the charts' threshold; categories with ground truth
	Curve     []CurvePoint      // 101 for each of them, in the same order
	Confusion []ConfusionCount  // by ascending names of truth, then prediction; counts that are not 0
	Histogram []HistogramBucket // of the predictions that count
	Counts    Counts
	TIDE      ErrorCounts
}

// APs are mean average precisions from 0 to 1 as COCO defines them; nil where
// there is no ground truth to find.
type APs struct {
	MAP50   *float64
	MAP75   *float64
	MAP5095 *float64 // mean over the IoU limits 0.50, 0.55 … 0.95
	Small   *float64 // MAP5095 of ground truth up to 32² square pixels
	Medium  *float64 // 32² to 96²
	Large   *float64 // from 96²
}

// CategoryAP is the average precision of one category.
type CategoryAP struct {
	Category string
	AP       float64
}

// CurvePoint is the best precision of a category at a recall of 0, 0.01 … 1 or
// more, as COCO interpolates it: their mean is the category's AP.
type CurvePoint struct {
	Category  string
	Recall    float64
	Precision float64
}

// ConfusionCount is how many boxes of one category were predicted as another;
// either can be Background. Every ground truth and every prediction that
// counts is in one cell.
type ConfusionCount struct {
	Truth     string
	Predicted string
	Count     int
}

// HistogramBucket counts predictions with a confidence from Min to below Max;
// the last one's Max belongs to it.
type HistogramBucket struct {
	Min, Max float64
	Count    int
}

// ErrorCounts are TIDE's counts, of predictions and of missed ground truth, with
// the charts' IoU threshold as the foreground.
type ErrorCounts struct {
	TruePositive, Localization, Classification, Both, Duplicate, Background, Missed int
}

// NewCharts counts rows of Pair, all of them or those that a filter left, with the
// IoU threshold and label rule that they were made with. AP is that of the boxes
// which the rows name, with all crowd regions. A filter by confidence belongs before Pair,
// since ground truth is missed when the prediction that found it is gone; so do
// filters of items.
func NewCharts(b Boxes, rows []Row, rule LabelRule, iou float64) (Charts, error) {
	if err := checkShare("an IoU threshold", iou); err != nil {
		return Charts{}, fmt.Errorf("draw charts: %w", err)
	}
	r, err := newRanked(&b, rows, rule)
	if err != nil {
		return Charts{}, fmt.Errorf("draw charts: %w", err)
	}
	c := Charts{
		APs: r.aps(), Confusion: confusionOf(rows), Histogram: histogram(rows),
		Counts: CountRows(rows, math.Inf(-1)), TIDE: errorCounts(rows),
	}
	c.IoUs, c.PerClass, c.Curve = r.at(iou)
	return c, nil
}

// ComputeAPs returns the mean average precisions of Charts alone.
func ComputeAPs(b Boxes, rows []Row, rule LabelRule) (APs, error) {
	r, err := newRanked(&b, rows, rule)
	if err != nil {
		return APs{}, fmt.Errorf("compute average precision: %w", err)
	}
	return r.aps(), nil
}

// ranked are the boxes that rows name, as tables want them.
type ranked struct {
	names              []string // of the categories
	truth, predictions []remuda.Annotation
	images, categories *index
	coco               *tables
	averager           averager
}

func newRanked(b *Boxes, rows []Row, rule LabelRule) (*ranked, error) {
	l, err := b.resolve(rule)
	if err != nil {
		return nil, err
	}
	r := &ranked{names: l.names}
	if rule.Agnostic {
		r.names = []string{AnyCategory}
	}
	stand := l.standIns()
	for i := range b.Truth {
		if b.Truth[i].Crowd {
			r.truth = append(r.truth, annotation(&b.Truth[i], stand.truth(i)))
		}
	}
	for i := range rows {
		row := &rows[i]
		if !row.belongsTo(b) {
			return nil, remuda.Errorf(remuda.Invalid, "row %d is of other boxes", i).WithHint("give the boxes that the rows were made of")
		}
		if row.Prediction >= 0 {
			r.predictions = append(r.predictions, annotation(&b.Predictions[row.Prediction], stand.prediction(row)))
		}
		if row.Type == TruePositive || row.Type == FalseNegative {
			r.truth = append(r.truth, annotation(&b.Truth[row.Truth], stand.truth(row.Truth)))
		}
	}
	r.images, r.categories = newIndex(countTo(b.Items)), newIndex(countTo(len(r.names)))
	r.coco = newTables(r.truth, r.predictions, r.images, r.categories, cocoLimits())
	r.averager.weight = ones(b.Items)
	return r, nil
}

// belongsTo reports whether a row can have been made of the boxes.
func (r *Row) belongsTo(b *Boxes) bool {
	if r.Prediction >= len(b.Predictions) || r.Truth >= len(b.Truth) {
		return false
	}
	switch r.Type {
	case TruePositive, IgnoredMatch:
		return r.Prediction >= 0 && r.Truth >= 0
	case FalsePositive:
		return r.Prediction >= 0
	case FalseNegative:
		return r.Prediction < 0 && r.Truth >= 0
	}
	return false
}

// countTo returns the ids 0 … n−1.
func countTo(n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i)
	}
	return ids
}

func annotation(x *Labeled, category int32) remuda.Annotation {
	return remuda.Annotation{
		ItemID: int64(x.Item), CategoryID: int64(category), Box: x.Box,
		Area: x.area(), Crowd: x.Crowd, Confidence: x.Confidence,
	}
}

// standIns tell the category in which a box takes part in AP, which knows equal
// categories only.
type standIns struct {
	*labels
	wanted  []bool  // categories with ground truth
	instead []int32 // of every category of predictions, the first with ground truth that it may find
}

func (l *labels) standIns() *standIns {
	s := &standIns{labels: l, wanted: make([]bool, len(l.names)), instead: make([]int32, len(l.names))}
	for _, k := range l.truth {
		s.wanted[k] = true
	}
	for k := range s.instead {
		s.instead[k] = int32(k)
	}
	for pair := range l.allowed {
		truth, predicted := pair[0], pair[1]
		now := s.instead[predicted]
		if s.wanted[truth] && (!s.wanted[now] || now != predicted && truth < now) {
			s.instead[predicted] = truth
		}
	}
	return s
}

func (s *standIns) truth(i int) int32 {
	if s.agnostic {
		return 0
	}
	return s.labels.truth[i]
}

// prediction returns the category of the ground truth that the row shows, where the two
// may match; of a prediction that met none such, its own or another that it may find.
func (s *standIns) prediction(row *Row) int32 {
	if s.agnostic {
		return 0
	}
	own := s.predictions[row.Prediction]
	if row.Truth >= 0 && s.fit(s.labels.truth[row.Truth], own) {
		return s.labels.truth[row.Truth]
	}
	return s.instead[own]
}

func (r *ranked) aps() APs {
	m := r.averager.coco(r.coco)[0]
	return APs{
		MAP50: defined(m.AP50), MAP75: defined(m.AP75), MAP5095: defined(m.AP),
		Small: defined(m.APSmall), Medium: defined(m.APMedium), Large: defined(m.APLarge),
	}
}

// defined turns −1, which stands for a number without meaning, into nil.
func defined(v float64) *float64 {
	if v < 0 {
		return nil
	}
	return &v
}

// at returns the IoU limits computed at, and each category's AP and curve at one
// of them.
func (r *ranked) at(iou float64) (ious []float64, per []CategoryAP, curve []CurvePoint) {
	t, step := r.tablesAt(iou)
	for s := range steps {
		limit := iouLimit(s)
		if t != r.coco && iou < limit && (s == 0 || iou > ious[len(ious)-1]) {
			ious = append(ious, iou)
		}
		ious = append(ious, limit)
	}
	if iou > ious[len(ious)-1] {
		ious = append(ious, iou)
	}
	per, curve = []CategoryAP{}, []CurvePoint{}
	for k := range t.columns {
		average := r.averager.of(&t.columns[k], 0)[0]
		if !average.ok {
			continue
		}
		per = append(per, CategoryAP{r.names[k], average.precision[step]})
		for recall, precision := range r.averager.curve(step) {
			curve = append(curve, CurvePoint{r.names[k], recallLevel(recall), precision})
		}
	}
	return ious, per, curve
}

// tablesAt returns tables one of whose limits is the given one, and its step.
func (r *ranked) tablesAt(iou float64) (*tables, int) {
	for step := range steps {
		if math.Abs(iouLimit(step)-iou) < 1e-9 {
			return r.coco, step
		}
	}
	return newTables(r.truth, r.predictions, r.images, r.categories, onlyAt(iou)), 0
}

// onlyAt returns one limit; nothing matches at the others.
func onlyAt(iou float64) limits {
	const never = 2
	return limits{iou, never, never, never, never, never, never, never, never, never}
}

// curve returns the best precision at each recall or a higher one, at a limit, of
// the column that was averaged last.
func (v *averager) curve(step int) (precision [recalls]float64) {
	most := 0.0
	for r := recalls - 1; r >= 0; r-- {
		most = max(most, v.best[0][r][step])
		precision[r] = most
	}
	return precision
}
