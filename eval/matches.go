package eval

import (
	"remuda"
	"remuda/geom"
)

// Outcome is what became of a box.
type Outcome string

// The outcomes. Of ground truth: found, missed or ignored. Of predictions:
// found, wrong, below or ignored.
const (
	Found   Outcome = "tp"      // a prediction and its ground truth
	Wrong   Outcome = "fp"      // a prediction without ground truth
	Missed  Outcome = "missed"  // ground truth without a prediction that counts
	Below   Outcome = "below"   // a prediction under the threshold
	Ignored Outcome = "ignored" // a crowd region, a prediction that matches only such, or one past the 100 of its category and image
)

// Match is one box of an evaluation and what became of it. Its JSON is a row
// of matches.json.
type Match struct {
	ItemID       int64    `json:"item_id"`
	AnnotationID int64    `json:"annotation_id"`
	Prediction   bool     `json:"prediction"` // else ground truth
	CategoryID   int64    `json:"category_id"`
	Outcome      Outcome  `json:"outcome"`
	Confidence   float64  `json:"confidence,omitempty"` // of a prediction
	Matched      bool     `json:"matched"`              // there is a box on the other side; below the threshold too
	MatchID      int64    `json:"match_id,omitempty"`   // its annotation id, where Matched
	IoU          float64  `json:"iou"`                  // with the matched box; unmatched, the most with a box of its category on the other side
	Box          geom.Box `json:"box"`
}

// Matches returns what became of every box: those of the ground truth in the
// dataset's order, then the predictions in theirs.
func (e *Evaluation) Matches() []Match {
	rows := make([]Match, 0, len(e.Truth.Annotations)+len(e.Answered))
	for i, f := range e.tables.truths {
		rows = append(rows, e.truthMatch(&e.Truth.Annotations[i], f))
	}
	for i, f := range e.tables.answers {
		rows = append(rows, e.answerMatch(&e.Answered[i], f))
	}
	return rows
}

func (e *Evaluation) truthMatch(a *remuda.Annotation, f fate) Match {
	m := Match{ItemID: a.ItemID, AnnotationID: a.ID, CategoryID: a.CategoryID, Outcome: Missed, IoU: f.iou, Box: a.Box}
	if f.match >= 0 {
		m.Matched, m.MatchID = true, e.Answered[f.match].ID
	}
	switch {
	case f.out:
		m.Outcome = Ignored
	case e.finds(f):
		m.Outcome = Found
	}
	return m
}

func (e *Evaluation) answerMatch(a *remuda.Annotation, f fate) Match {
	m := Match{
		ItemID: a.ItemID, AnnotationID: a.ID, Prediction: true, CategoryID: a.CategoryID,
		Outcome: Wrong, Confidence: a.Confidence, IoU: f.iou, Box: a.Box,
	}
	if f.match >= 0 {
		m.Matched, m.MatchID = true, e.Truth.Annotations[f.match].ID
	}
	switch {
	case f.out:
		m.Outcome = Ignored
	case a.Confidence < e.Threshold:
		m.Outcome = Below
	case f.match >= 0:
		m.Outcome = Found
	}
	return m
}

// finds reports whether a ground truth's match counts.
func (e *Evaluation) finds(truth fate) bool {
	return !truth.out && truth.match >= 0 && e.Answered[truth.match].Confidence >= e.Threshold
}
