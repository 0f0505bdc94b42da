package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// The size of a plot in its own units, small so that its 12-unit letters stay
// readable on a phone, and the margins that the axes' words need.
const (
	plotWidth, plotHeight    = 440.0, 270.0
	left, right, top, bottom = 44.0, 16.0, 10.0, 36.0
)

// axis maps values to one side of a plot.
type axis struct {
	label  string
	lo, hi float64
	ticks  []float64
	format func(float64) string
}

// point is a place in a plot's values.
type point struct{ x, y float64 }

// plot collects the SVG of a chart. Classes are styled in page.css.
type plot struct {
	x, y          axis
	left          float64 // margin for the y axis's words
	width, height float64
	title         string // read out instead of the picture
	body          strings.Builder
}

func newPlot(title string, x, y axis) *plot {
	return &plot{title: title, x: x, y: y, left: left, width: plotWidth, height: plotHeight}
}

// place returns where a value lies from 0 to 1 along the axis.
func (a axis) place(v float64) float64 {
	return (v - a.lo) / (a.hi - a.lo)
}

func (p *plot) px(x float64) float64 { return p.left + p.x.place(x)*(p.width-p.left-right) }
func (p *plot) py(y float64) float64 { return p.height - bottom - p.y.place(y)*(p.height-top-bottom) }

// add appends SVG; numbers are rounded to a hundredth, words escaped; all verbs are %v.
func (p *plot) add(format string, args ...any) {
	for i, a := range args {
		switch v := a.(type) {
		case float64:
			args[i] = strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
		case string:
			args[i] = html.EscapeString(v)
		}
	}
	fmt.Fprintf(&p.body, format, args...)
}

// path returns the points as an SVG path; NaN breaks the line.
func (p *plot) path(points []point) string {
	var b strings.Builder
	pen := "M"
	for _, q := range points {
		if math.IsNaN(q.y) || math.IsNaN(q.x) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, p.px(q.x), p.py(min(max(q.y, p.y.lo), p.y.hi)))
		pen = "L"
	}
	return b.String()
}

func (p *plot) line(class string, points []point) {
	p.add(`<path class="line %v" d="%v"/>`, class, p.path(points))
}

// band fills the space between two lines over the same x.
func (p *plot) band(class string, low, high []point) {
	back := make([]point, 0, len(low)+len(high))
	back = append(back, high...)
	for i := len(low) - 1; i >= 0; i-- {
		back = append(back, low[i])
	}
	p.add(`<path class="band %v" d="%vZ"/>`, class, p.path(back))
}

func (p *plot) dot(class string, q point, tip string) {
	p.add(`<circle class="dot %v" cx="%v" cy="%v" r="4"><title>%v</title></circle>`, class, p.px(q.x), p.py(q.y), tip)
}

// upright draws a line at x from bottom to top.
func (p *plot) upright(class string, x float64) {
	p.add(`<line class="%v" x1="%v" x2="%v" y1="%v" y2="%v"/>`, class, p.px(x), p.px(x), top, p.height-bottom)
}

// bar draws a rectangle between values.
func (p *plot) bar(class string, x0, x1, y0, y1 float64) {
	p.add(`<rect class="bar %v" x="%v" y="%v" width="%v" height="%v"/>`, class, p.px(x0), p.py(y1), max(0, p.px(x1)-p.px(x0)), max(0, p.py(y0)-p.py(y1)))
}

func (p *plot) text(class, anchor string, x, y float64, words string) {
	p.add(`<text class="%v" text-anchor="%v" x="%v" y="%v">%v</text>`, class, anchor, x, y, words)
}

// svg returns the chart with its axes behind what was drawn.
func (p *plot) svg() template.HTML {
	front := p.body.String()
	p.body.Reset()
	p.add(`<svg class="plot" viewBox="0 0 %v %v" role="img" aria-label="%v">`, p.width, p.height, p.title)
	for _, t := range p.y.ticks {
		p.add(`<line class="grid" x1="%v" x2="%v" y1="%v" y2="%v"/>`, p.left, p.width-right, p.py(t), p.py(t))
		p.text("tick", "end", p.left-6, p.py(t)+4, p.y.format(t))
	}
	for _, t := range p.x.ticks {
		p.text("tick", "middle", p.px(t), p.height-bottom+16, p.x.format(t))
	}
	p.add(`<line class="axis" x1="%v" x2="%v" y1="%v" y2="%v"/>`, p.left, p.width-right, p.height-bottom, p.height-bottom)
	p.text("label", "middle", (p.left+p.width-right)/2, p.height-4, p.x.label)
	p.body.WriteString(front)
	p.body.WriteString("</svg>")
	return template.HTML(p.body.String()) // all words went through add, which escapes them
}

// share is an axis from 0 to 1.
func share(label string) axis {
	return axis{label: label, lo: 0, hi: 1, ticks: []float64{0, 0.2, 0.4, 0.6, 0.8, 1}, format: decimals(1)}
}

// linear is an axis from lo to a round number at or above hi.
func linear(label string, lo, hi float64) axis {
	step := roundStep((hi - lo) / 5)
	if step == 0 {
		step = 1
	}
	a := axis{label: label, lo: lo, format: shortest}
	for n := 0; ; n++ {
		t := lo + float64(n)*step
		a.ticks = append(a.ticks, t)
		if t >= hi-step*1e-9 {
			a.hi = t
			return a
		}
	}
}

// roundStep returns 1, 2, 2.5 or 5 times a power of ten, at or above v.
func roundStep(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if v <= f*unit*(1+1e-9) {
			return f * unit
		}
	}
	return 10 * unit
}

func decimals(n int) func(float64) string {
	return func(v float64) string { return strconv.FormatFloat(v, 'f', n, 64) }
}

// shortest prints a tick without the noise of binary fractions.
func shortest(v float64) string {
	return strconv.FormatFloat(v, 'g', 6, 64)
}
