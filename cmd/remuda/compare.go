package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"remuda"
	"remuda/eval"
)

// comparisonFile marks a comparison's folder.
const comparisonFile = "comparison.json"

// compareCmd sets two evaluations side by side.
type compareCmd struct {
	Before string `arg:"" name:"eval" help:"Folder of the first evaluation (--out of remuda eval)."`
	After  string `arg:"" name:"eval2" help:"Folder of the second."`
	Out    string `help:"Folder for the comparison and a report with the images that changed." placeholder:"DIR"`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Run compares two evaluations of the same images.
func (c *compareCmd) Run(m *Main) error {
	before, err := loadEvaluation(c.Before)
	if err != nil {
		return err
	}
	after, err := loadEvaluation(c.After)
	if err != nil {
		return err
	}
	comparison, err := eval.Compare(before, after)
	if err != nil {
		return invalid(fmt.Errorf("%s and %s: %w", c.Before, c.After, err))
	}
	if c.Out != "" {
		if err := c.save(comparison, before, after); err != nil {
			return err
		}
	}
	if c.JSON {
		return m.printJSON(comparison)
	}
	if err := m.printComparison(comparison); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	if c.Out != "" {
		fmt.Fprintf(m.Stdout, "report: %s\n", filepath.Join(c.Out, reportFile))
	}
	return nil
}

func (c *compareCmd) save(comparison *eval.Comparison, before, after *eval.Evaluation) error {
	out, err := newOutFolder(c.Out, comparisonFile)
	if err != nil {
		return err
	}
	defer out.discard()
	err = out.fill(comparisonFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(comparison) })
	if err != nil {
		return err
	}
	err = out.fill(reportFile, func(w io.Writer) error { return c.report(w, comparison, before, after) })
	if err != nil {
		return err
	}
	return out.keep(comparisonFile)
}

// loadEvaluation reads an evaluation's folder.
func loadEvaluation(dir string) (*eval.Evaluation, error) {
	if _, err := os.Stat(filepath.Join(dir, eval.EvaluationFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, remuda.Errorf(remuda.NotFound, "%s holds no evaluation", dir).WithHint("give a folder that was --out of `remuda eval`")
	}
	e, err := eval.Load(func(name string) (io.ReadCloser, error) { return os.Open(filepath.Join(dir, name)) })
	if err != nil {
		return nil, invalid(fmt.Errorf("%s: %w", dir, err))
	}
	return e, nil
}

// sourceOf reads where an evaluation came from; without it images are not drawn.
func sourceOf(dir string) source {
	var from source
	if text, err := os.ReadFile(filepath.Join(dir, sourceFile)); err != nil || json.Unmarshal(text, &from) != nil {
		return source{}
	}
	return from
}

func (m *Main) printComparison(c *eval.Comparison) error {
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "METRIC\tFIRST\tSECOND\tDIFFERENCE\t95 % INTERVAL")
	for _, d := range c.Differences {
		clear := ""
		if d.Clear {
			clear = "clear"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%+.3f\t%+.3f to %+.3f\t%s\n", d.Metric, number(d.A), number(d.B), d.Value, d.Interval[0], d.Interval[1], clear)
	}
	err := table.Flush()
	i, b := c.ImageCounts, c.BoxCounts
	_, printed := fmt.Fprintf(m.Stdout, "\nimages: %d better, %d worse, %d as before\nboxes:  %d fixed, %d broken, %d as before\n",
		i.Fixed, i.Broken, i.Unchanged, b.Fixed, b.Broken, b.Unchanged)
	return errors.Join(err, printed)
}
