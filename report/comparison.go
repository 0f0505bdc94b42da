package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"

	"remuda/eval"
)

// maxPairs is how many images of a kind a comparison draws.
const maxPairs = 24

// comparisonPage is what is shown of a comparison.
type comparisonPage struct {
	page
	Answer, Lead string
	Heads        []head
	Passport     []fact
	Warning      string
	Forest       template.HTML
	Rows         []differenceRow
	Groups       []pairs
}

type differenceRow struct {
	Name                 string
	A, B                 float64
	Difference, Interval string
}

// pairs are images drawn twice, as A and as B saw them.
type pairs struct {
	Title, Lead, Hidden string
	Pairs               []pair
}

type pair struct {
	Change, File, Words string
	A, B                *card
}

// Comparison writes the report of a comparison.
func Comparison(w io.Writer, r ComparisonReport) error {
	c := r.Comparison
	p := &comparisonPage{Forest: forest(c.Differences)}
	p.Kind, p.Title = "Comparison", "A → B"
	p.Sub = fmt.Sprintf("A is %s · B is %s", cmp.Or(r.NameA, "the first evaluation"), cmp.Or(r.NameB, "the second evaluation"))
	for _, d := range c.Differences {
		row := differenceRow{Name: metricName(d.Metric), A: d.A, B: d.B, Difference: "–", Interval: "–"}
		if d.A >= 0 && d.B >= 0 {
			row.Difference = signed(d.Value)
			if c.Draws > 0 {
				row.Interval = signed(d.Interval[0]) + " to " + signed(d.Interval[1])
			}
		}
		p.Rows = append(p.Rows, row)
	}
	f1 := c.Differences[0]
	p.Answer, p.Lead = answer(f1), fmt.Sprintf("Of %s to find, B finds %d that A missed and misses %d that A found. On %d of %s it makes fewer errors, on %d more.",
		plural(len(c.Boxes), "box"), c.BoxCounts.Fixed, c.BoxCounts.Broken, c.ImageCounts.Fixed, plural(len(c.Images), "image"), c.ImageCounts.Broken)
	difference := head{Name: "F1, B − A", Value: signed(f1.Value), Main: true}
	if c.Draws > 0 {
		difference.Span = signed(f1.Interval[0]) + " to " + signed(f1.Interval[1])
	}
	p.Heads = []head{
		difference,
		metric("F1 of A", c.A.F1, r.A.Intervals.F1),
		metric("F1 of B", c.B.F1, r.B.Intervals.F1),
		{Name: "boxes", Value: fmt.Sprintf("+%d −%d", c.BoxCounts.Fixed, c.BoxCounts.Broken), Span: fmt.Sprintf("fixed, broken; %d unchanged", c.BoxCounts.Unchanged)},
		{Name: "images", Value: fmt.Sprintf("+%d −%d", c.ImageCounts.Fixed, c.ImageCounts.Broken), Span: fmt.Sprintf("better, worse; %d unchanged", c.ImageCounts.Unchanged)},
	}
	p.Passport = []fact{
		{"match:", fmt.Sprintf("IoU ≥ %.1f", eval.MatchIoU)},
		{"threshold of A:", fmt.Sprintf("%.3f, %s", r.A.Threshold, r.A.ThresholdFrom)},
		{"threshold of B:", fmt.Sprintf("%.3f, %s", r.B.Threshold, r.B.ThresholdFrom)},
		{"images:", thousands(len(c.Images))},
		{"intervals:", fmt.Sprintf("95 %%, %s paired bootstrap draws of images", thousands(c.Draws))},
	}
	if r.A.Optimistic || r.B.Optimistic {
		p.Warning = "A threshold was chosen on the very images it is judged on, so its F1, precision and recall are optimistic."
	}
	p.draw(r)
	return render(w, "comparison", p)
}

// answer words the difference in F1.
func answer(d eval.Difference) string {
	switch {
	case d.A < 0 || d.B < 0:
		return "There is nothing to compare"
	case d.Clear && d.Value > 0:
		return "B is clearly better"
	case d.Clear:
		return "B is clearly worse"
	case d.Value == 0:
		return "A and B are equally good"
	}
	return "The difference may be chance"
}

// draw shows the images that changed, the largest changes first.
func (p *comparisonPage) draw(r ComparisonReport) {
	ga := newGallery(r.A.Truth, r.Images, r.A.Matches())
	gb := newGallery(r.B.Truth, r.Images, r.B.Matches())
	gb.pictures, gb.open = ga.pictures, nil // both show the pictures that A's has loaded
	p.Gallery = ga
	names := categoryNames(r.A.Truth)
	for _, kind := range []struct {
		change      eval.Change
		title, lead string
	}{
		{eval.Broken, "Worse than before", "Images on which B makes more errors than A. A is on the left, B on the right."},
		{eval.Fixed, "Better than before", "Images on which B makes fewer errors than A. A is on the left, B on the right."},
	} {
		list := slices.DeleteFunc(slices.Clone(r.Comparison.Images), func(i eval.ImageChange) bool { return i.Change != kind.change })
		errors := func(i eval.ImageChange) int { return max(i.FPB+i.FNB-i.FPA-i.FNA, i.FPA+i.FNA-i.FPB-i.FNB) }
		slices.SortStableFunc(list, func(a, b eval.ImageChange) int { return cmp.Compare(errors(b), errors(a)) })
		g := pairs{Title: kind.title, Lead: kind.lead}
		for _, i := range list {
			if len(g.Pairs) == maxPairs {
				break
			}
			a, b := ga.whole(i.ItemID, names), gb.whole(i.ItemID, names)
			if a == nil || b == nil {
				continue
			}
			g.Pairs = append(g.Pairs, pair{
				Change: string(i.Change), File: a.Title, A: a, B: b,
				Words: fmt.Sprintf("%s → %s", errorWords(i.FPA, i.FNA), errorWords(i.FPB, i.FNB)),
			})
			a.Title, b.Title = "A", "B"
		}
		g.Hidden = hidden(len(list), len(g.Pairs), "image", "images")
		p.Groups = append(p.Groups, g)
	}
}

func errorWords(fp, fn int) string {
	if fp+fn == 0 {
		return "no error"
	}
	return fmt.Sprintf("%d wrong, %d missed", fp, fn)
}
