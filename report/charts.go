package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"

	"remuda"
	"remuda/eval"
)

var noInterval = eval.Interval{-1, -1}

// prCurve draws precision over recall with lines of equal F1 behind it.
func prCurve(e *eval.Evaluation) template.HTML {
	p := newPlot("precision over recall", share("recall"), share("precision"))
	for _, f1 := range []float64{0.2, 0.4, 0.6, 0.8} {
		var iso []point
		for r := f1/(2-f1) + 1e-9; r <= 1.0001; r += 0.01 {
			iso = append(iso, point{r, f1 * r / (2*r - f1)})
		}
		p.line("iso", iso)
		last := iso[len(iso)-1]
		p.text("tick", "end", p.px(last.x)-2, p.py(last.y)-4, fmt.Sprintf("F1 %.1f", f1))
	}
	var line []point
	for _, q := range e.Curve {
		if q.Recall >= 0 {
			line = append(line, point{q.Recall, q.Precision})
		}
	}
	p.line("", line)
	if e.Recall >= 0 {
		p.add(`<circle id="curve-mark" class="dot c0" cx="%v" cy="%v" r="5"><title>%v</title></circle>`,
			p.px(e.Recall), p.py(e.Precision), fmt.Sprintf("threshold %.3f: precision %.3f, recall %.3f", e.Threshold, e.Precision, e.Recall))
	}
	return p.svg()
}

// histogramBins is the number of bars of the confidence histogram.
const histogramBins = 40

// histogram draws how many predictions of each confidence found something
// (up) and were wrong (down). Bars far above the rest are cut, and the words say so.
func histogram(matches []eval.Match, threshold, lo, hi float64) (svg template.HTML, cut string) {
	var tp, fp [histogramBins]float64
	for _, m := range matches {
		if !m.Prediction || m.Outcome == eval.Ignored {
			continue
		}
		b := min(int((m.Confidence-lo)/(hi-lo)*histogramBins), histogramBins-1)
		if m.Matched {
			tp[b]++
		} else {
			fp[b]++
		}
	}
	most := max(slices.Max(tp[:]), 1)
	tall := slices.Max(fp[:])
	down := min(tall, 1.5*most)
	y := linear("", 0, most)
	y.lo = -down
	for t := y.ticks[1]; t <= down; t += y.ticks[1] {
		y.ticks = append(y.ticks, -t)
	}
	y.format = func(v float64) string { return shortest(math.Abs(v)) }
	x := linear("confidence", lo, hi)
	x.hi = hi
	x.ticks = slices.DeleteFunc(x.ticks, func(t float64) bool { return t > hi+1e-9 })
	p := newPlot("how many predictions of each confidence are right and wrong", x, y)
	width := (hi - lo) / histogramBins
	for b := range histogramBins {
		x0 := lo + float64(b)*width
		p.bar("tp", x0+width*0.08, x0+width*0.92, 0, tp[b])
		p.bar("fp", x0+width*0.08, x0+width*0.92, max(-fp[b], -down), 0)
	}
	p.add(`<line class="zero" x1="%v" x2="%v" y1="%v" y2="%v"/>`, left, p.width-right, p.py(0), p.py(0))
	at := p.px(min(max(threshold, lo), hi))
	p.add(`<line id="histogram-mark" class="mark" x1="%v" x2="%v" y1="%v" y2="%v"/>`, at, at, top, p.height-bottom)
	if tall > down {
		cut = fmt.Sprintf("Bars of wrong boxes are cut at %s; the tallest has %s.", thousands(int(down)), thousands(int(tall)))
	}
	return p.svg(), cut
}

// chart is a plot with its title and legend.
type chart struct {
	Title  string
	Plot   template.HTML
	Legend []series
}

type series struct{ Class, Name string }

// lossChart draws each step's total faintly, and the epochs' means.
func lossChart(steps []remuda.StepEvent, epochs []remuda.EpochEvent) chart {
	c := chart{Title: "Loss", Legend: []series{{"c0", "total"}, {"c1", "classifier"}, {"c2", "box"}, {"c3", "objectness"}, {"c4", "RPN box"}}}
	perEpoch := stepsPerEpoch(steps, epochs)
	var each []point
	var totals []float64
	for _, s := range steps {
		each = append(each, point{float64(s.Step) / perEpoch, s.Losses.Total})
		totals = append(totals, s.Losses.Total)
	}
	highest := 0.0
	for _, e := range epochs {
		highest = max(highest, e.Losses.Total)
	}
	if len(totals) > 0 {
		slices.Sort(totals)
		highest = max(highest, totals[len(totals)*98/100]) // a few spikes don't flatten the rest
	}
	p := newPlot("losses by epoch", epochAxis(steps, epochs, perEpoch), linear("", 0, max(highest, 1e-6)))
	p.line("c0 faint", thinned(each, 800))
	p.line("c0", smoothed(each))
	for k, loss := range []func(remuda.Losses) float64{
		func(l remuda.Losses) float64 { return l.Classifier }, func(l remuda.Losses) float64 { return l.BoxReg },
		func(l remuda.Losses) float64 { return l.Objectness }, func(l remuda.Losses) float64 { return l.RPNBoxReg },
	} {
		var line []point
		for _, s := range steps {
			line = append(line, point{float64(s.Step) / perEpoch, loss(s.Losses)})
		}
		p.line(fmt.Sprintf("c%d", k+1), smoothed(line))
	}
	for _, e := range epochs {
		p.dot("c0", point{float64(e.Epoch), e.Losses.Total}, fmt.Sprintf("epoch %d: mean loss %.4f", e.Epoch, e.Losses.Total))
	}
	c.Plot = p.svg()
	return c
}

// scoreChart draws the validation scores by epoch.
func scoreChart(epochs []remuda.EpochEvent) (chart, bool) {
	c := chart{Title: "Validation", Legend: []series{{"c0", "F1"}, {"c1", "AP"}, {"c2", "AP50"}}}
	lines := make([][]point, 3)
	p := newPlot("validation scores by epoch", epochAxis(nil, epochs, 1), share(""))
	kept := -1
	for _, e := range epochs {
		if e.Val == nil {
			continue
		}
		for k, v := range []float64{e.Val.F1, e.Val.AP, e.Val.AP50} {
			lines[k] = append(lines[k], point{float64(e.Epoch), v})
		}
		if e.Best {
			kept = e.Epoch
		}
	}
	if len(lines[0]) == 0 {
		return c, false
	}
	if kept >= 0 {
		p.upright("mark", float64(kept))
		p.text("strong", "end", p.px(float64(kept))-5, top+10, "kept")
	}
	for k, line := range lines {
		class := fmt.Sprintf("c%d", k)
		p.line(class, line)
		for _, q := range line {
			p.dot(class, q, fmt.Sprintf("epoch %.0f: %s %.3f", q.x, c.Legend[k].Name, q.y))
		}
	}
	c.Plot = p.svg()
	return c, true
}

// rateChart draws the learning rate.
func rateChart(steps []remuda.StepEvent, epochs []remuda.EpochEvent) chart {
	perEpoch := stepsPerEpoch(steps, epochs)
	var line []point
	highest := 0.0
	for _, s := range steps {
		line = append(line, point{float64(s.Step) / perEpoch, s.LR})
		highest = max(highest, s.LR)
	}
	p := newPlot("learning rate by epoch", epochAxis(steps, epochs, perEpoch), linear("", 0, max(highest, 1e-9)))
	p.line("c1", thinned(line, 800))
	return chart{Title: "Learning rate", Plot: p.svg()}
}

// speedChart draws images a second.
func speedChart(steps []remuda.StepEvent, epochs []remuda.EpochEvent) chart {
	perEpoch := stepsPerEpoch(steps, epochs)
	var line []point
	for _, s := range steps {
		if s.Seconds > 0 {
			line = append(line, point{float64(s.Step) / perEpoch, float64(s.Images) / s.Seconds})
		}
	}
	smooth := smoothed(line)
	highest := 0.0
	for _, q := range smooth {
		highest = max(highest, q.y)
	}
	p := newPlot("images a second by epoch", epochAxis(steps, epochs, perEpoch), linear("", 0, max(highest, 1e-9)))
	p.line("c1", smooth)
	return chart{Title: "Images a second", Plot: p.svg()}
}

// stepsPerEpoch finds how many steps make an epoch, at least 1.
func stepsPerEpoch(steps []remuda.StepEvent, epochs []remuda.EpochEvent) float64 {
	for i := 1; i < len(steps); i++ {
		if steps[i].Epoch > steps[i-1].Epoch {
			return float64(max(steps[i-1].Step, 1)) / float64(max(steps[i-1].Epoch, 1))
		}
	}
	if len(steps) > 0 {
		return float64(max(steps[len(steps)-1].Step, 1))
	}
	return 1
}

func epochAxis(steps []remuda.StepEvent, epochs []remuda.EpochEvent, perEpoch float64) axis {
	last := 1.0
	if n := len(steps); n > 0 {
		last = max(last, float64(steps[n-1].Step)/perEpoch)
	}
	if n := len(epochs); n > 0 {
		last = max(last, float64(epochs[n-1].Epoch))
	}
	a := linear("epoch", 0, last)
	if step := a.ticks[1] - a.ticks[0]; step < 1 {
		a.ticks = nil
		for t := 0.0; t <= last; t++ {
			a.ticks = append(a.ticks, t)
		}
	}
	a.hi = last
	a.ticks = slices.DeleteFunc(a.ticks, func(t float64) bool { return t > last || t != math.Trunc(t) })
	return a
}

// smoothed returns about 150 means of neighbouring points.
func smoothed(points []point) []point {
	const want = 150
	size := max(1, len(points)/want)
	var out []point
	for chunk := range slices.Chunk(points, size) {
		var m point
		for _, q := range chunk {
			m.x += q.x / float64(len(chunk))
			m.y += q.y / float64(len(chunk))
		}
		out = append(out, m)
	}
	return out
}

// thinned leaves at most n points.
func thinned(points []point, n int) []point {
	if len(points) <= n {
		return points
	}
	out := make([]point, n)
	for i := range out {
		out[i] = points[i*(len(points)-1)/(n-1)]
	}
	return out
}

// forest draws differences with their intervals, one a row.
func forest(rows []eval.Difference) template.HTML {
	const row, words = 24.0, 92.0
	reach := 0.01
	for _, d := range rows {
		reach = max(reach, math.Abs(d.Value), math.Abs(d.Interval[0]), math.Abs(d.Interval[1]))
	}
	step := roundStep(reach / 2)
	reach = step * math.Ceil(reach/step-1e-9)
	x := axis{label: "worse  ←  B − A  →  better", lo: -reach, hi: reach, format: signedTick}
	for n := -math.Round(reach / step); n <= math.Round(reach/step); n++ {
		x.ticks = append(x.ticks, n*step)
	}
	p := newPlot("differences of the numbers with 95 % intervals", x, axis{lo: 0, hi: 1})
	p.left, p.height = words, top+bottom+row*float64(len(rows))
	for _, v := range x.ticks {
		p.upright("grid", v)
	}
	p.upright("axis", 0)
	for i, d := range rows {
		y := top + row*(float64(i)+0.5)
		p.text("strong", "end", words-10, y+4, metricName(d.Metric))
		if d.A < 0 || d.B < 0 {
			p.text("tick", "start", p.px(0)+6, y+4, "nothing to measure")
			continue
		}
		class := "same"
		if d.Clear && d.Value > 0 {
			class = "better"
		} else if d.Clear {
			class = "worse"
		}
		p.add(`<line class="whisker %v" x1="%v" x2="%v" y1="%v" y2="%v"/>`, class, p.px(d.Interval[0]), p.px(d.Interval[1]), y, y)
		p.add(`<circle class="dot %v" cx="%v" cy="%v" r="4.5"><title>%v</title></circle>`, class, p.px(d.Value), y, signed(d.Value))
	}
	return p.svg()
}

func signedTick(v float64) string {
	if math.Abs(v) < 1e-9 {
		return "0"
	}
	if v < 0 {
		return "−" + shortest(-v)
	}
	return "+" + shortest(v)
}

// metricName words a metric of a comparison.
func metricName(key string) string {
	names := map[string]string{
		"f1": "F1", "precision": "precision", "recall": "recall", "ap": "AP", "ap50": "AP50", "ap75": "AP75",
		"ap_small": "AP small", "ap_medium": "AP medium", "ap_large": "AP large", "ar1": "AR1", "ar10": "AR10", "ar100": "AR100",
		"ar_small": "AR small", "ar_medium": "AR medium", "ar_large": "AR large", "ap_ar_f1": "AP·AR F1",
	}
	if name, ok := names[key]; ok {
		return name
	}
	return key
}

// curvePlot draws F1 by the number of training images.
func curvePlot(c *eval.LearningCurve) template.HTML {
	last := float64(c.Sizes[len(c.Sizes)-1].Images)
	var low, high, middle []point
	if c.Fit != nil {
		for _, s := range c.Fit.Band {
			n := float64(s.Images)
			low, high, middle = append(low, point{n, s.Interval[0]}), append(high, point{n, s.Interval[1]}), append(middle, point{n, s.F1})
			last = max(last, n)
		}
	}
	p := newPlot("F1 by the number of training images", linear("training images", 0, last), share("F1"))
	if c.Fit != nil {
		p.band("c1", low, high)
		p.line("c1 dashed", middle)
	}
	for _, s := range c.Sizes {
		n := float64(s.Images)
		if s.Interval[1] > s.Interval[0] {
			p.add(`<line class="whisker" x1="%v" x2="%v" y1="%v" y2="%v"/>`, p.px(n), p.px(n), p.py(s.Interval[0]), p.py(s.Interval[1]))
		}
		p.dot("", point{n, s.F1}, fmt.Sprintf("%d images: F1 %.3f", s.Images, s.F1))
	}
	return p.svg()
}
