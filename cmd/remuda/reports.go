package main

import (
	"bytes"
	"io"

	"remuda/eval"
)

// rendered collects a page, so that it can be written as a whole.
func rendered(write func(io.Writer) error) ([]byte, error) {
	var page bytes.Buffer
	err := write(&page)
	return page.Bytes(), err
}

func reportEvaluation(w io.Writer, e *eval.Evaluation, from source) error { return nil }

func reportComparison(w io.Writer, c *eval.Comparison, before, after *eval.Evaluation, a, b source) error {
	return nil
}

func reportCurve(w io.Writer, c *eval.LearningCurve) error { return nil }
