// Package report writes single, self-contained HTML files: a run, an
// evaluation, a comparison, a learning curve. They load nothing from anywhere, carry
// their images in themselves, follow the reader's light or dark setting and are
// of use without JavaScript; only the threshold explorer needs it.
package report

import (
	"remuda"
	"remuda/eval"
	"remuda/imageio"
)

// Opener returns an item's pixels. A report that has none, or gets an error
// for an item, draws the boxes on an empty ground.
type Opener func(remuda.Item) (*imageio.RGB, error)

// RunReport is what is told of a training.
type RunReport struct {
	Card       remuda.Card
	Steps      []remuda.StepEvent
	Epochs     []remuda.EpochEvent
	Evaluation *eval.Evaluation // of the kept checkpoint on the validation data; nil without such data
	Images     Opener           // of the validation data
}

// EvaluationReport is what is told of an evaluation.
type EvaluationReport struct {
	Evaluation *eval.Evaluation
	Model      string // what was scored, such as a run's folder or a file of predictions
	Data       string // the label file's name
	Images     Opener
}

// ComparisonReport is what is told of two evaluations.
type ComparisonReport struct {
	Comparison   *eval.Comparison
	A, B         *eval.Evaluation
	NameA, NameB string // such as their folders
	Images       Opener
}

// CurveReport is what is told of a learning curve.
type CurveReport struct {
	Curve *eval.LearningCurve
	Test  string // the test file's name
}
