package eval

import (
	"fmt"
	"maps"
	"slices"

	"remuda"
	"remuda/geom"
)

// BoxFunction names a measure of how well predictions fit on each item.
type BoxFunction string

// The measures. All but BoxMAP pair the boxes of an item one to one so that the
// sum of their IoU is the largest there is, where an IoU below the threshold is none.
const (
	BoxIoU       BoxFunction = "bbox_iou"       // sum of the pairs' IoU / the larger number of boxes
	BoxPrecision BoxFunction = "bbox_precision" // pairs / predictions
	BoxRecall    BoxFunction = "bbox_recall"    // pairs / ground truth
	BoxMAP       BoxFunction = "bbox_map"       // COCO's AP at the IoU threshold, mean over labels with ground truth
)

// BoxArguments are the settings of a measure.
type BoxArguments struct {
	EnforceLabels bool    // only boxes of equal labels pair up; BoxMAP always wants that
	IoU           float64 // least overlap of a pair, 0 to 1; boxes that don't overlap at all are none
	Confidence    float64 // predictions below it are left out, 0 to 1
}

// DefaultIoU returns the IoU threshold that a measure has where none is given.
func (f BoxFunction) DefaultIoU() float64 {
	if f == BoxIoU {
		return 0
	}
	return MatchIoU
}

// ItemScore is a value from 0 to 1 and its weight in the mean over items. Weight 0
// says that there was nothing to measure, and Value is 0 then.
type ItemScore struct{ Value, Weight float64 }

// Validation is what a measure gives on every item and on all together.
type Validation struct {
	Items []ItemScore
	// Total is the weighted mean of the items; of BoxMAP, which is no mean, AP over
	// all items, with the number of those that have ground truth for its weight.
	Total ItemScore
}

// Validate applies a measure to boxes. BoxMAP treats crowd regions as COCO does:
// what finds nothing else counts neither for nor against. For the others
// crowd regions are not there.
func Validate(f BoxFunction, b Boxes, a BoxArguments) (Validation, error) {
	v, err := validate(f, b, a)
	if err != nil {
		return v, fmt.Errorf("validate by %s: %w", f, err)
	}
	return v, nil
}

func validate(f BoxFunction, b Boxes, a BoxArguments) (Validation, error) {
	switch f {
	case BoxIoU, BoxPrecision, BoxRecall, BoxMAP:
	default:
		return Validation{}, remuda.Errorf(remuda.Invalid, "no such function").WithHint("use bbox_iou, bbox_precision, bbox_recall or bbox_map")
	}
	if err := checkShare("an IoU threshold", a.IoU); err != nil {
		return Validation{}, err
	}
	if err := checkShare("a confidence threshold", a.Confidence); err != nil {
		return Validation{}, err
	}
	b.Predictions = atLeast(b.Predictions, a.Confidence)
	l, err := b.resolve(LabelRule{})
	if err != nil {
		return Validation{}, err
	}
	if f == BoxMAP {
		return mapPerItem(&b, l, a.IoU), nil
	}
	return assignPerItem(f, &b, l, a), nil
}

func atLeast(predictions []Labeled, confidence float64) []Labeled {
	var kept []Labeled
	for i := range predictions {
		if !(predictions[i].Confidence < confidence) { // what is no number is told of later
			kept = append(kept, predictions[i])
		}
	}
	return kept
}

// assigned is what an assignment leaves.
type assigned struct {
	truth, predictions, pairs int
	iou                       float64
}

// score returns a measure. The weights make the mean over items, or labels, that
// of all boxes together.
func (x assigned) score(f BoxFunction) ItemScore {
	value, of := float64(x.pairs), x.truth
	switch f {
	case BoxIoU:
		value, of = x.iou, max(x.truth, x.predictions)
	case BoxPrecision:
		of = x.predictions
	}
	if of == 0 {
		return ItemScore{}
	}
	return ItemScore{value / float64(of), float64(of)}
}

func weightedMean(scores []ItemScore) (mean ItemScore) {
	var sum float64
	for _, s := range scores {
		sum += s.Value * s.Weight
		mean.Weight += s.Weight
	}
	if mean.Weight > 0 {
		mean.Value = sum / mean.Weight
	}
	return mean
}

func assignPerItem(f BoxFunction, b *Boxes, l *labels, a BoxArguments) Validation {
	truth, predictions := byItem(b.Truth, b.Items), byItem(b.Predictions, b.Items)
	v := Validation{Items: make([]ItemScore, b.Items)}
	for item := range v.Items {
		groups := map[int32]*twoSides{}
		for _, g := range truth[item] {
			if !b.Truth[g].Crowd {
				side := sidesOf(groups, l.truth[g], a)
				side.truth = append(side.truth, b.Truth[g].Box)
			}
		}
		for _, p := range predictions[item] {
			side := sidesOf(groups, l.predictions[p], a)
			side.predictions = append(side.predictions, b.Predictions[p].Box)
		}
		scores := make([]ItemScore, 0, len(groups))
		for _, k := range slices.Sorted(maps.Keys(groups)) { // in order, for the same rounding every time
			scores = append(scores, assignBoxes(groups[k].truth, groups[k].predictions, a.IoU).score(f))
		}
		v.Items[item] = weightedMean(scores)
	}
	v.Total = weightedMean(v.Items)
	return v
}

// twoSides are boxes of an item that may pair up.
type twoSides struct{ truth, predictions []geom.Box }

// sidesOf returns where a box of a label goes: all together unless labels count.
func sidesOf(groups map[int32]*twoSides, label int32, a BoxArguments) *twoSides {
	if !a.EnforceLabels {
		label = 0
	}
	if groups[label] == nil {
		groups[label] = &twoSides{}
	}
	return groups[label]
}

// assignBoxes pairs boxes for the largest sum of IoU.
func assignBoxes(truth, predictions []geom.Box, least float64) assigned {
	x := assigned{truth: len(truth), predictions: len(predictions)}
	cost := make([][]float64, len(truth))
	for g := range cost {
		cost[g] = make([]float64, len(predictions))
		for p := range predictions {
			if iou := truth[g].IoU(predictions[p]); iou >= least {
				cost[g][p] = -iou
			}
		}
	}
	for g, p := range geom.Assign(cost) {
		if p >= 0 && cost[g][p] < 0 {
			x.pairs++
			x.iou -= cost[g][p]
		}
	}
	return x
}

// mapPerItem returns AP at an IoU on every item and on all.
func mapPerItem(b *Boxes, l *labels, iou float64) Validation {
	m := meanAP{boxes: b, labels: l, limit: onlyAt(iou)}
	truth, predictions := byItem(b.Truth, b.Items), byItem(b.Predictions, b.Items)
	v := Validation{Items: make([]ItemScore, b.Items)}
	for item := range v.Items {
		v.Items[item] = m.of([]int64{int64(item)}, truth[item], predictions[item])
		v.Total.Weight += v.Items[item].Weight
	}
	v.Total.Value = m.of(countTo(b.Items), slices.Concat(truth...), slices.Concat(predictions...)).Value
	return v
}

// meanAP computes COCO's AP at one IoU of some boxes, mean over categories with ground truth.
type meanAP struct {
	boxes    *Boxes
	labels   *labels
	limit    limits
	averager averager
}

// of takes the ids of some items and their boxes. The weight is 1, or 0 where there is nothing to find.
func (m *meanAP) of(items []int64, gs, ps []int32) ItemScore {
	var truth, predictions []remuda.Annotation
	var wanted []int64
	for _, g := range gs {
		truth = append(truth, annotation(&m.boxes.Truth[g], m.labels.truth[g]))
		wanted = append(wanted, int64(m.labels.truth[g]))
	}
	slices.Sort(wanted)
	categories := newIndex(slices.Compact(wanted))
	for _, p := range ps {
		if k := m.labels.predictions[p]; categories.of(int64(k)) >= 0 {
			predictions = append(predictions, annotation(&m.boxes.Predictions[p], k))
		}
	}
	t := newTables(truth, predictions, newIndex(items), categories, m.limit)
	m.averager.weight = ones(len(items))
	var sum total
	for k := range t.columns {
		if a := m.averager.of(&t.columns[k], 0)[0]; a.ok {
			sum.add(a.precision[0])
		}
	}
	if sum.n == 0 {
		return ItemScore{}
	}
	return ItemScore{sum.mean(), 1}
}
