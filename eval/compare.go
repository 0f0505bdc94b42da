package eval

import "remuda"

// Comparison is two evaluations of the same images, a before b.
type Comparison struct {
	A, B        Metrics
	Differences []Difference   `json:"differences"` // in the order of Metrics
	Images      []ImageChange  `json:"images"`      // in the dataset's order
	Boxes       []BoxChange    `json:"boxes"`       // ground truth in the dataset's order, crowds left out
	ImageCounts ChangeCounts   `json:"image_counts"`
	BoxCounts   ChangeCounts   `json:"box_counts"`
	Draws       int            `json:"draws"`
	Truth       remuda.Dataset `json:"-"`
}

// Change says how b differs from a.
type Change string

// The changes. A box is fixed when a missed it and b finds it, broken the
// other way round. An image is fixed when b makes fewer errors on it (wrong and
// missed boxes) than a, broken when it makes more.
const (
	Fixed     Change = "fixed"
	Broken    Change = "broken"
	Unchanged Change = "unchanged"
)

// Difference is b's number minus a's with a 95 % interval from drawing the
// same images for both.
type Difference struct {
	Metric   string   `json:"metric"` // its name in the JSON of Metrics
	A        float64  `json:"a"`
	B        float64  `json:"b"`
	Value    float64  `json:"difference"` // 0 where one of them is −1
	Interval Interval `json:"interval"`
	Clear    bool     `json:"clear"` // the interval leaves out 0
}

// ImageChange is what happened to one image.
type ImageChange struct {
	ItemID int64  `json:"item_id"`
	Change Change `json:"change"`
	FPA    int    `json:"fp_a"`
	FPB    int    `json:"fp_b"`
	FNA    int    `json:"fn_a"`
	FNB    int    `json:"fn_b"`
}

// BoxChange is what happened to one ground truth.
type BoxChange struct {
	ItemID       int64  `json:"item_id"`
	AnnotationID int64  `json:"annotation_id"`
	Change       Change `json:"change"`
	Found        bool   `json:"found"` // by b
}

// ChangeCounts counts changes.
type ChangeCounts struct {
	Fixed     int `json:"fixed"`
	Broken    int `json:"broken"`
	Unchanged int `json:"unchanged"`
}

// Compare sets two evaluations of the same images and ground truth side by
// side. Others are refused with an error coded conflict that names them.
func Compare(a, b *Evaluation) (*Comparison, error) {
	return nil, remuda.Errorf(remuda.Internal, "compare: not here yet")
}
