package eval

import (
	"cmp"
	"fmt"
	"slices"
)

// MatchType is what a row says of its boxes.
type MatchType string

// The match types. Ignored predictions found nothing but a crowd region and
// count neither for nor against.
const (
	TruePositive  MatchType = "TP"
	FalsePositive MatchType = "FP"
	FalseNegative MatchType = "FN"
	IgnoredMatch  MatchType = "ignored"
)

// ErrorType is TIDE's cause of an error (Bolya, Foley, Hays and Hoffman, TIDE: A
// General Toolbox for Identifying Object Detection Errors, 2020).
type ErrorType string

// The causes, with a foreground IoU, which is the pairing's, and a background IoU of 0.1.
const (
	Localization   ErrorType = "localization"   // right category, between background and foreground
	Classification ErrorType = "classification" // foreground with ground truth of another category
	BothWrong      ErrorType = "both"           // another category, between background and foreground
	Duplicate      ErrorType = "duplicate"      // right, but the ground truth was found with a higher confidence
	OnBackground   ErrorType = "background"     // overlaps nothing beyond the background IoU
	MissedTruth    ErrorType = "missed"         // ground truth that no localization or classification error explains
)

// BackgroundIoU is TIDE's overlap up to which a prediction counts as drawn on nothing.
const BackgroundIoU = 0.1

// Row is a prediction, or a ground truth that none found.
type Row struct {
	Item       int
	Type       MatchType
	Prediction int // index into Boxes.Predictions, −1 for a false negative
	// Truth is an index into Boxes.Truth: what a true positive found and a false negative
	// missed; of a false positive, the one it was confused with or overlaps most, −1 for none.
	Truth              int
	PredictionLabel    string // as given; empty without a prediction, as is the category
	PredictionCategory string // canonical
	TruthLabel         string // as given; empty without a ground truth, as is the category
	TruthCategory      string
	IoU                float64 // of the two boxes, 0 where there is one only
	Confidence         float64 // of the prediction, else 0
	Area               float64 // of the ground truth in square pixels, else 0
	// Confused marks both rows of a pair that matches but for its categories: a false positive
	// and the false negative that it stands in for.
	Confused bool
	Error    ErrorType // of false positives and missed ground truth; empty for others and for ground truth that an error explains
}

// Pair says of every prediction and every missed ground truth what became of
// it. The rows go by item, then predictions by falling confidence, then what was missed.
//
// As in COCO, predictions of an item go by falling confidence, and each takes the free
// ground truth that it overlaps most among those whose labels match, at the
// given IoU (0 to 1) or more, the later one of equals; a crowd region only where no
// other will do. All take part, not only the 100 best. What is left over pairs up across
// labels in the same way and is confused.
func Pair(b Boxes, rule LabelRule, iou float64) ([]Row, error) {
	if err := checkShare("an IoU threshold", iou); err != nil {
		return nil, fmt.Errorf("pair boxes: %w", err)
	}
	l, err := b.resolve(rule)
	if err != nil {
		return nil, fmt.Errorf("pair boxes: %w", err)
	}
	p := pairing{boxes: &b, labels: l, limit: iou, rows: make([]Row, 0, len(b.Predictions)+len(b.Truth)/2)}
	truth, predictions := byItem(b.Truth, b.Items), byItem(b.Predictions, b.Items)
	for item := range b.Items {
		p.item(truth[item], predictions[item])
	}
	return p.rows, nil
}

// byItem returns the indices of each item's boxes, in the given order.
func byItem(list []Labeled, items int) [][]int32 {
	key, order := make([]int32, len(list)), make([]int32, len(list))
	for i := range list {
		key[i], order[i] = int32(list[i].Item), int32(i)
	}
	order = countingSort(order, key, items)
	groups := make([][]int32, items)
	for i := range groups {
		n := 0
		for n < len(order) && key[order[n]] == int32(i) {
			n++
		}
		groups[i], order = order[:n], order[n:]
	}
	return groups
}

// pairing pairs the boxes of one item after the other. Within an item, boxes go by
// their places in gs and ps.
type pairing struct {
	boxes  *Boxes
	labels *labels
	limit  float64
	rows   []Row

	gs, ps    []int32
	iou       []float64 // of every prediction, with every ground truth
	taken     []bool    // ground truth that was found
	confused  []bool    // ground truth in a confused pair
	explained []bool    // ground truth that an error explains
}

func (p *pairing) item(gs, ps []int32) {
	slices.SortStableFunc(ps, func(a, b int32) int {
		return cmp.Compare(p.boxes.Predictions[b].Confidence, p.boxes.Predictions[a].Confidence)
	})
	p.gs, p.ps = gs, ps
	p.overlaps()
	for _, flags := range []*[]bool{&p.taken, &p.confused, &p.explained} {
		*flags = append((*flags)[:0], make([]bool, len(gs))...)
	}
	first := len(p.rows)
	for i := range ps {
		p.match(i)
	}
	for i := range ps {
		if row := &p.rows[first+i]; row.Type == FalsePositive {
			p.blame(i, row)
		}
	}
	for g := range gs {
		if !p.taken[g] && !p.truth(g).Crowd {
			p.miss(g)
		}
	}
}

func (p *pairing) truth(g int) *Labeled { return &p.boxes.Truth[p.gs[g]] }

func (p *pairing) overlaps() {
	p.iou = p.iou[:0]
	for _, at := range p.ps {
		box := p.boxes.Predictions[at].Box
		area := boxArea(box)
		for g := range p.gs {
			t := p.truth(g)
			p.iou = append(p.iou, overlap(box, area, t.Box, boxArea(t.Box), t.Crowd))
		}
	}
}

// best returns the ground truth that prediction i overlaps most, at least so
// much and at all, among those that will do, or −1.
func (p *pairing) best(i int, least float64, willDo func(g int) bool) int {
	best := -1
	for g, iou := range p.iou[i*len(p.gs):][:len(p.gs)] {
		if iou > 0 && iou >= least && willDo(g) {
			best, least = g, iou
		}
	}
	return best
}

// fits reports whether the labels of prediction i and ground truth g match.
func (p *pairing) fits(i, g int) bool {
	return p.labels.fit(p.labels.truth[p.gs[g]], p.labels.predictions[p.ps[i]])
}

// match writes the row of prediction i.
func (p *pairing) match(i int) {
	row := Row{Type: TruePositive, Truth: -1, Prediction: int(p.ps[i])}
	g := p.best(i, p.limit, func(g int) bool { return !p.truth(g).Crowd && !p.taken[g] && p.fits(i, g) })
	if g < 0 {
		row.Type = FalsePositive
		g = p.best(i, p.limit, func(g int) bool { return p.truth(g).Crowd && p.fits(i, g) })
		if g >= 0 {
			row.Type = IgnoredMatch
		}
	}
	if g >= 0 {
		p.face(&row, i, g)
		p.taken[g] = true
	}
	x := p.boxes.Predictions[p.ps[i]]
	row.Item, row.Confidence = x.Item, x.Confidence
	row.PredictionLabel, row.PredictionCategory = x.Label, p.labels.names[p.labels.predictions[p.ps[i]]]
	p.rows = append(p.rows, row)
}

// face notes in the row of prediction i which ground truth it met.
func (p *pairing) face(row *Row, i, g int) {
	p.show(row, g)
	row.IoU = p.iou[i*len(p.gs)+g]
}

func (p *pairing) show(row *Row, g int) {
	t := p.truth(g)
	row.Item, row.Truth, row.Area = t.Item, int(p.gs[g]), t.area()
	row.TruthLabel, row.TruthCategory = t.Label, p.labels.names[p.labels.truth[p.gs[g]]]
}

// blame finds what a false positive was confused with and why it is wrong.
func (p *pairing) blame(i int, row *Row) {
	solid := func(g int) bool { return !p.truth(g).Crowd }
	own := p.best(i, 0, func(g int) bool { return solid(g) && p.fits(i, g) })
	other := p.best(i, 0, func(g int) bool { return solid(g) && !p.fits(i, g) })
	row.Error = p.cause(i, own, other)
	met := p.best(i, p.limit, func(g int) bool { return solid(g) && !p.taken[g] && !p.confused[g] && !p.fits(i, g) })
	if row.Confused = met >= 0; row.Confused {
		p.confused[met] = true
	} else {
		met = p.best(i, 0, solid)
	}
	if met >= 0 {
		p.face(row, i, met)
	}
}

// cause names an error by TIDE's rules, in the order of its own program. Own and other are
// the ground truth overlapped most among those with matching labels and the rest.
func (p *pairing) cause(i, own, other int) ErrorType {
	at := func(g int) float64 {
		if g < 0 {
			return 0
		}
		return p.iou[i*len(p.gs)+g]
	}
	back := min(BackgroundIoU, p.limit)
	switch {
	case own < 0 && other < 0:
		return OnBackground
	case own >= 0 && at(own) >= back && at(own) < p.limit:
		p.explained[own] = true
		return Localization
	case other >= 0 && at(other) >= p.limit:
		p.explained[other] = true
		return Classification
	case own >= 0 && at(own) >= p.limit:
		return Duplicate
	case max(at(own), at(other)) <= back:
		return OnBackground
	}
	return BothWrong
}

// miss writes the row of a ground truth that was not found.
func (p *pairing) miss(g int) {
	row := Row{Type: FalseNegative, Prediction: -1, Confused: p.confused[g]}
	if !p.explained[g] {
		row.Error = MissedTruth
	}
	p.show(&row, g)
	p.rows = append(p.rows, row)
}
