package main

import (
	"bytes"
	"io"

	"remuda/eval"
	"remuda/report"
)

// rendered collects a page, so that it can be written as a whole.
func rendered(write func(io.Writer) error) ([]byte, error) {
	var page bytes.Buffer
	err := write(&page)
	return page.Bytes(), err
}

func reportEvaluation(w io.Writer, e *eval.Evaluation, from source) error {
	return report.Evaluation(w, report.EvaluationReport{
		Evaluation: e, Model: orDefault(from.Model, from.Predictions), Data: from.Data, Images: imagesOf(from.Images),
	})
}

func (c *compareCmd) report(w io.Writer, comparison *eval.Comparison, before, after *eval.Evaluation) error {
	return report.Comparison(w, report.ComparisonReport{
		Comparison: comparison, A: before, B: after, NameA: c.Before, NameB: c.After,
		Images: imagesOf(orDefault(sourceOf(c.After).Images, sourceOf(c.Before).Images)),
	})
}

func (c *curveCmd) report(w io.Writer, curve *eval.LearningCurve) error {
	return report.Curve(w, report.CurveReport{Curve: curve, Test: c.Test})
}
