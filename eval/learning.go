package eval

import "remuda"

// Size is one point of a learning curve: a model trained on that many images.
type Size struct {
	Images   int      `json:"images"`
	F1       float64  `json:"f1"`
	Interval Interval `json:"interval"` // of F1
}

// LearningCurve is F1 by the number of training images, with a fit where one
// is of use.
type LearningCurve struct {
	Sizes   []Size `json:"sizes"` // ascending
	Fit     *Fit   `json:"fit,omitempty"`
	Refused string `json:"refused,omitempty"` // why there is no fit, in words
}

// Fit is a curve through the sizes: "power" F1 = 1 − A·n^−B, or "log" F1 = A + B·ln n.
type Fit struct {
	Kind  string  `json:"kind"`
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Ahead []Size  `json:"ahead"` // predictions at 1.5 ×, 2 × and 3 × the largest size
}

// Learn fits a learning curve.
func Learn(sizes []Size) (*LearningCurve, error) {
	return nil, remuda.Errorf(remuda.Internal, "fit the learning curve: not here yet")
}
