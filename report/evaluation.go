package report

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"

	"remuda"
	"remuda/eval"
)

// How many cards each part of a report shows at most.
const (
	maxImages     = 18
	maxBest       = 6
	maxErrors     = 24
	maxCandidates = 36 // on each side of the threshold
	maxMatrix     = 20 // categories
)

// verdict is what is shown of an evaluation.
type verdict struct {
	page
	Heading, Lead              string
	Heads                      []head
	Passport                   []fact
	Optimistic                 bool
	PRCurve, Histogram         template.HTML
	Cut                        string
	Candidates                 []*card
	Worst, Wrong, Missed, Best cards
	Categories                 []eval.CategoryScore
	Matrix                     *matrix
	Metrics                    eval.Metrics
}

// cards is a part of the page with pictures.
type cards struct {
	Title, Lead string
	Small       bool
	Cards       []*card
	Hidden      string // how many are not shown
}

// explorer is what the script knows.
type explorer struct {
	Threshold float64      `json:"threshold"`
	Lo        float64      `json:"lo"` // of the slider
	Hi        float64      `json:"hi"`
	Positives int          `json:"positives"`
	Points    [][3]float64 `json:"points"` // threshold, true and false positives; falling
	Left      float64      `json:"left"`   // of the plots' area
	Top       float64      `json:"top"`
	Width     float64      `json:"width"`
	Height    float64      `json:"height"`
}

// Evaluation writes the report of an evaluation.
func Evaluation(w io.Writer, r EvaluationReport) error {
	v := newVerdict(r.Evaluation, r.Images)
	v.Kind, v.Title = "Evaluation", cmp.Or(r.Model, "Predictions")
	v.Sub = fmt.Sprintf("%s · %s", plural(r.Evaluation.Images, "image"), plural(r.Evaluation.GroundTruths, "box"))
	if r.Data != "" {
		v.Sub = "on " + r.Data + " · " + v.Sub
	}
	v.Heading = "The verdict"
	return render(w, "evaluation", v)
}

func newVerdict(e *eval.Evaluation, images Opener) *verdict {
	matches := e.Matches()
	g := newGallery(e.Truth, images, matches)
	v := &verdict{page: page{Gallery: g}, Optimistic: e.Optimistic, Metrics: e.Metrics, Categories: e.Categories}
	have := "have"
	if e.FP == 1 {
		have = "has"
	}
	v.Lead = fmt.Sprintf("Of %s to find, %s were found and %s missed; %s %s no match.",
		plural(e.GroundTruths, "box"), thousands(e.TP), thousands(e.FN), plural(e.FP, "prediction"), have)
	v.Heads = []head{
		metric("F1 at IoU ≥ 0.5", e.F1, e.Intervals.F1),
		metric("precision", e.Precision, noInterval),
		metric("recall", e.Recall, noInterval),
		metric("AP", e.AP, e.Intervals.AP),
		metric("AP50", e.AP50, noInterval),
	}
	v.Heads[0].Main = true
	v.Passport = passport(e)
	v.PRCurve = prCurve(e)
	lo, hi := scoreRange(matches)
	v.Histogram, v.Cut = histogram(matches, e.Threshold, lo, hi)
	names := categoryNames(e.Truth)
	v.Worst, v.Best = v.imageCards(e, matches, names)
	v.Wrong = v.wrongCards(matches, names)
	v.Missed = v.missedCards(matches, names)
	if e.Predictions > 0 && e.GroundTruths > 0 {
		v.Candidates = v.candidates(matches, e.Threshold, names)
		v.Explorer = newExplorer(e, matches, lo, hi)
	}
	v.Matrix = newMatrix(e)
	return v
}

// passport says by what rule the numbers came about.
func passport(e *eval.Evaluation) []fact {
	facts := []fact{
		{"match:", fmt.Sprintf("IoU ≥ %.1f, same category, one a ground truth", eval.MatchIoU)},
		{"threshold:", fmt.Sprintf("%.3f", e.Threshold)},
		{"threshold from:", e.ThresholdFrom},
		{"at most:", fmt.Sprintf("%d predictions of a category on an image", eval.MaxDetections)},
		{"images:", thousands(e.Images)},
		{"ground truth:", plural(e.GroundTruths, "box")},
		{"predictions:", plural(e.Predictions, "box")},
	}
	if e.Draws > 0 {
		facts = append(facts, fact{"intervals:", fmt.Sprintf("95 %%, %s bootstrap draws of images, seed %d", thousands(e.Draws), e.Seed)})
	}
	return facts
}

func categoryNames(d remuda.Dataset) map[int64]string {
	names := map[int64]string{}
	for _, c := range d.Categories {
		names[c.ID] = c.Name
	}
	return names
}

// scoreRange is that of the charts over confidence: 0 to 1, or wider.
func scoreRange(matches []eval.Match) (lo, hi float64) {
	lo, hi = 0, 1
	for _, m := range matches {
		if m.Prediction {
			lo, hi = min(lo, m.Confidence), max(hi, m.Confidence)
		}
	}
	return lo, hi
}

// imageErrors counts what is wrong on an image.
type imageErrors struct {
	item           int64
	tp, fp, missed int
}

func (n imageErrors) words() string {
	return fmt.Sprintf("%d found, %d wrong, %d missed", n.tp, n.fp, n.missed)
}

// countErrors returns every image's errors, in the dataset's order.
func countErrors(e *eval.Evaluation, matches []eval.Match) []imageErrors {
	at := map[int64]int{}
	list := make([]imageErrors, len(e.Truth.Items))
	for i, item := range e.Truth.Items {
		list[i].item = item.ID
		at[item.ID] = i
	}
	for _, m := range matches {
		n := &list[at[m.ItemID]]
		switch {
		case m.Outcome == eval.Wrong:
			n.fp++
		case m.Outcome == eval.Missed:
			n.missed++
		case m.Outcome == eval.Found && m.Prediction:
			n.tp++
		}
	}
	return list
}

// imageCards shows the images with the most errors, and some without any that
// hold the most boxes.
func (v *verdict) imageCards(e *eval.Evaluation, matches []eval.Match, names map[int64]string) (worst, best cards) {
	all := countErrors(e, matches)
	var bad, good []imageErrors
	for _, n := range all {
		if n.fp+n.missed > 0 {
			bad = append(bad, n)
		} else if n.tp > 0 {
			good = append(good, n)
		}
	}
	slices.SortStableFunc(bad, func(a, b imageErrors) int { return cmp.Compare(b.fp+b.missed, a.fp+a.missed) })
	slices.SortStableFunc(good, func(a, b imageErrors) int { return cmp.Compare(b.tp, a.tp) })
	show := func(list []imageErrors, most int) (shown []*card) {
		for _, n := range list {
			if len(shown) == most {
				break
			}
			if c := v.Gallery.whole(n.item, names); c != nil {
				c.Notes = []string{n.words()}
				shown = append(shown, c)
			}
		}
		return shown
	}
	worst = cards{Title: "The worst images", Lead: fmt.Sprintf("%s of %s have an error; those with the most come first.", thousands(len(bad)), plural(len(all), "image")), Cards: show(bad, maxImages)}
	worst.Hidden = hidden(len(bad), len(worst.Cards), "image with errors", "images with errors")
	best = cards{Title: "Images without an error", Lead: fmt.Sprintf("%s entirely right; those with the most boxes come first.", plural(len(good), "image")), Cards: show(good, maxBest)}
	best.Hidden = hidden(len(good), len(best.Cards), "such image", "such images")
	return worst, best
}

// hidden words how many are left out, "" for none.
func hidden(all, shown int, one, many string) string {
	switch n := all - shown; n {
	case 0:
		return ""
	case 1:
		return "1 more " + one + " is not shown."
	default:
		return thousands(n) + " more " + many + " are not shown."
	}
}

// wrongCards shows false positives, the surest first.
func (v *verdict) wrongCards(matches []eval.Match, names map[int64]string) cards {
	list := filtered(matches, func(m eval.Match) bool { return m.Outcome == eval.Wrong })
	slices.SortStableFunc(list, func(a, b eval.Match) int { return cmp.Compare(b.Confidence, a.Confidence) })
	c := cards{Title: "Wrong, the surest first", Small: true, Lead: "Boxes that match no ground truth. A sure one is often a label that is missing, or drawn loosely."}
	c.Cards = v.crops(list, maxErrors, names, wrongWords)
	c.Hidden = hidden(len(list), len(c.Cards), "wrong box", "wrong boxes")
	return c
}

// wrongWords guesses at what is wrong with a false positive.
func wrongWords(m eval.Match) []string {
	kind := "nothing of its category there"
	switch {
	case m.IoU >= eval.MatchIoU:
		kind = "a second box on the same one"
	case m.IoU >= 0.1:
		kind = fmt.Sprintf("badly placed, IoU %.2f", m.IoU)
	}
	return []string{fmt.Sprintf("confidence %.3f", m.Confidence), kind}
}

// missedCards shows missed ground truth, the largest first.
func (v *verdict) missedCards(matches []eval.Match, names map[int64]string) cards {
	list := filtered(matches, func(m eval.Match) bool { return m.Outcome == eval.Missed })
	slices.SortStableFunc(list, func(a, b eval.Match) int { return cmp.Compare(b.Box.Area(), a.Box.Area()) })
	c := cards{Title: "Missed, the largest first", Small: true, Lead: "Ground truth that no prediction above the threshold matches."}
	c.Cards = v.crops(list, maxErrors, names, func(m eval.Match) []string {
		words := []string{fmt.Sprintf("%.0f × %.0f pixels", m.Box.Width(), m.Box.Height())}
		switch {
		case m.Matched:
			words = append(words, "found, but under the threshold")
		case m.IoU >= eval.MatchIoU:
			words = append(words, "what overlaps it matches another")
		case m.IoU >= 0.1:
			words = append(words, fmt.Sprintf("best overlap %.2f", m.IoU))
		default:
			words = append(words, "nothing near it")
		}
		return words
	})
	c.Hidden = hidden(len(list), len(c.Cards), "missed box", "missed boxes")
	return c
}

func filtered(matches []eval.Match, keep func(eval.Match) bool) (list []eval.Match) {
	for _, m := range matches {
		if keep(m) {
			list = append(list, m)
		}
	}
	return list
}

// crops makes cards of boxes.
func (v *verdict) crops(list []eval.Match, most int, names map[int64]string, words func(eval.Match) []string) (shown []*card) {
	for _, m := range list {
		if len(shown) == most {
			break
		}
		c := v.Gallery.crop(m, names)
		if c == nil {
			continue
		}
		c.Title, c.Notes = names[m.CategoryID], append(words(m), c.Picture.File)
		shown = append(shown, c)
	}
	return shown
}

// candidates are the predictions nearest to the threshold on both sides, the
// nearest first, for the explorer.
func (v *verdict) candidates(matches []eval.Match, threshold float64, names map[int64]string) []*card {
	words := func(m eval.Match) []string {
		if m.Matched {
			return []string{fmt.Sprintf("confidence %.3f", m.Confidence), fmt.Sprintf("finds its ground truth, IoU %.2f", m.IoU)}
		}
		return wrongWords(m)
	}
	var shown []*card
	for _, below := range []bool{true, false} {
		list := filtered(matches, func(m eval.Match) bool {
			return m.Prediction && m.Outcome != eval.Ignored && (m.Confidence < threshold) == below
		})
		slices.SortStableFunc(list, func(a, b eval.Match) int {
			if below {
				return cmp.Compare(b.Confidence, a.Confidence)
			}
			return cmp.Compare(a.Confidence, b.Confidence)
		})
		for i := range list {
			if list[i].Outcome == eval.Below && !list[i].Matched {
				list[i].Outcome = eval.Wrong
			} else if list[i].Outcome == eval.Below {
				list[i].Outcome = eval.Found
			}
		}
		for i, c := range v.crops(list[:min(len(list), maxCandidates)], maxCandidates, names, words) {
			c.Scored, c.Score, c.Badge = true, list[i].Confidence, string(list[i].Outcome)
			shown = append(shown, c)
		}
	}
	return shown
}

// newExplorer counts for every threshold, at most 600 of them.
func newExplorer(e *eval.Evaluation, matches []eval.Match, lo, hi float64) *explorer {
	x := &explorer{
		Threshold: e.Threshold, Lo: lo, Hi: hi, Positives: e.GroundTruths,
		Left: left, Top: top, Width: plotWidth - left - right, Height: plotHeight - top - bottom,
	}
	list := filtered(matches, func(m eval.Match) bool { return m.Prediction && m.Outcome != eval.Ignored })
	slices.SortFunc(list, func(a, b eval.Match) int { return cmp.Compare(b.Confidence, a.Confidence) })
	tp, fp := 0.0, 0.0
	const most = 600
	every := max(1, len(list)/most)
	for i, m := range list {
		if m.Matched {
			tp++
		} else {
			fp++
		}
		last := i+1 == len(list)
		same := !last && list[i+1].Confidence == m.Confidence
		edge := !last && m.Confidence >= e.Threshold && list[i+1].Confidence < e.Threshold
		if !same && (i%every == 0 || last || edge) {
			x.Points = append(x.Points, [3]float64{m.Confidence, tp, fp})
		}
	}
	return x
}

// matrix is the confusion as a table.
type matrix struct {
	Columns []string
	Rows    []matrixRow
	Note    string
}

type matrixRow struct {
	Name  string
	Cells []matrixCell
}

type matrixCell struct {
	Count int
	Right bool
	Shade float64 // 0 to 1, by its share of the row
}

// newMatrix returns the confusion of the categories with the most boxes, nil
// for one category, where it would say nothing new.
func newMatrix(e *eval.Evaluation) *matrix {
	if len(e.Categories) < 2 {
		return nil
	}
	order := make([]int, len(e.Categories))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(e.Categories[b].GroundTruths, e.Categories[a].GroundTruths)
	})
	order = order[:min(len(order), maxMatrix)]
	slices.Sort(order)
	order = append(order, -1)
	counts, sums := map[[2]int]int{}, map[int]int{}
	for _, c := range e.Confusion {
		counts[[2]int{c.Truth, c.Predicted}] = c.Count
		sums[c.Truth] += c.Count
	}
	m := &matrix{}
	for _, t := range order {
		row := matrixRow{Name: "background"}
		if t >= 0 {
			row.Name = e.Categories[t].Name
		}
		m.Columns = append(m.Columns, row.Name)
		for _, p := range order {
			n := counts[[2]int{t, p}]
			row.Cells = append(row.Cells, matrixCell{n, t == p, 0.1 + 0.6*float64(n)/float64(max(sums[t], 1))})
		}
		m.Rows = append(m.Rows, row)
	}
	if n := len(e.Categories) - maxMatrix; n > 0 {
		m.Note = fmt.Sprintf("The %d categories with the fewest boxes are left out.", n)
	}
	return m
}
