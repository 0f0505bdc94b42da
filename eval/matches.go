package eval

import "remuda/geom"

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
func (e *Evaluation) Matches() []Match { return nil }
