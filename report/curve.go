package report

import (
	"fmt"
	"html/template"
	"io"
	"slices"

	"remuda/eval"
)

// curvePage is what is shown of a learning curve.
type curvePage struct {
	page
	Answer, Lead    string
	Plot            template.HTML
	Warnings        []string
	Measured, Ahead []sizeRow
	Formula         string
}

type sizeRow struct {
	Images   string
	F1       float64
	Interval string
}

// Curve writes the report of a learning curve.
func Curve(w io.Writer, r CurveReport) error {
	c := r.Curve
	p := &curvePage{Measured: sizeRows(c.Sizes)}
	p.Kind, p.Title = "Learning curve", "F1 by the number of training images"
	p.Sub = fmt.Sprintf("%s, nested subsets", plural(len(c.Sizes), "training"))
	if r.Test != "" {
		p.Sub += ", all tested on " + r.Test
	}
	if len(c.Sizes) > 0 {
		p.Plot = curvePlot(c)
		first, last := c.Sizes[0], c.Sizes[len(c.Sizes)-1]
		p.Answer = fmt.Sprintf("From %d to %d images F1 went from %.3f to %.3f", first.Images, last.Images, first.F1, last.F1)
	}
	if slices.ContainsFunc(c.Sizes, func(s eval.Size) bool { return s.Optimistic }) {
		p.Warnings = append(p.Warnings, "Each threshold was chosen on the very images it is judged on, so F1 is optimistic. Choose it on validation data for a fair number.")
	}
	if c.Fit == nil {
		p.Lead = "No forecast is given."
		if c.Refused != "" {
			p.Warnings = append(p.Warnings, "No forecast: "+c.Refused+".")
		}
		return render(w, "curve", p)
	}
	p.Ahead = sizeRows(c.Fit.Ahead)
	twice := c.Fit.Ahead[min(1, len(c.Fit.Ahead)-1)]
	p.Lead = fmt.Sprintf("With %s images expect F1 of about %.2f, most likely between %.2f and %.2f, if they are like those so far.",
		thousands(twice.Images), twice.F1, twice.Interval[0], twice.Interval[1])
	p.Formula = formula(c.Fit)
	return render(w, "curve", p)
}

func sizeRows(sizes []eval.Size) (rows []sizeRow) {
	for _, s := range sizes {
		row := sizeRow{thousands(s.Images), s.F1, "–"}
		if s.Interval[1] > s.Interval[0] {
			row.Interval = span(s.Interval)
		}
		rows = append(rows, row)
	}
	return rows
}

// formula writes the fit out.
func formula(f *eval.Fit) string {
	how := fmt.Sprintf("The interval joins the fit's error (%.3f in F1), the test set's size, and how far another shape of curve lies away.", f.Error)
	if f.Kind == eval.PowerLaw {
		return fmt.Sprintf("Power law: F1 = 1 − %.3g · n^−%.3g. %s", f.A, f.B, how)
	}
	return fmt.Sprintf("Log-linear: F1 = %.3g + %.3g · ln n. %s", f.A, f.B, how)
}
