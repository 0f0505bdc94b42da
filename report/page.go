package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"time"

	"remuda/eval"
)

//go:embed page
var pages embed.FS

// page is what the frame of every report needs.
type page struct {
	Kind, Title, Sub string
	Gallery          *gallery
	Explorer         *explorer
}

// head is a headline number.
type head struct {
	Name, Value, Span string
	Main, Track       bool
	Lo, Width, At     float64 // percent of the track
}

// fact is a name with its value in words.
type fact struct{ Name, Value string }

// render fills one of the templates.
func render(w io.Writer, name string, data any) error {
	styles, err := pages.ReadFile("page/page.css")
	if err != nil {
		return fmt.Errorf("read styles: %w", err)
	}
	script, err := pages.ReadFile("page/explorer.js")
	if err != nil {
		return fmt.Errorf("read script: %w", err)
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"css":      func() template.CSS { return template.CSS(styles) },
		"js":       func() template.JS { return template.JS(script) },
		"d3":       d3,
		"n":        hundredth,
		"quarter":  func(v float64) float64 { return v / 4 },
		"percent":  func(v float64) float64 { return max(0, math.Round(1000*v)/10) },
		"duration": duration,
	}).ParseFS(pages, "page/*.html")
	if err != nil {
		return fmt.Errorf("parse the report's page: %w", err)
	}
	if err := t.ExecuteTemplate(w, name, data); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// d3 prints a number from 0 to 1, or – for one that is missing.
func d3(v float64) string {
	if v < 0 {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// hundredth prints a coordinate.
func hundredth(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// signed prints a difference.
func signed(v float64) string {
	if math.Abs(v) < 0.0005 {
		return "0.000"
	}
	if v < 0 {
		return "−" + strconv.FormatFloat(-v, 'f', 3, 64)
	}
	return "+" + strconv.FormatFloat(v, 'f', 3, 64)
}

// span prints an interval, "" for one that is missing.
func span(i eval.Interval) string {
	if i[0] < 0 {
		return ""
	}
	return fmt.Sprintf("%.3f to %.3f", i[0], i[1])
}

// metric returns a headline number with its interval drawn.
func metric(name string, value float64, i eval.Interval) head {
	h := head{Name: name, Value: d3(value), Track: value >= 0, At: 100 * value}
	if i[0] >= 0 && i[1] > 0 {
		h.Span, h.Lo, h.Width = span(i), 100*i[0], 100*(i[1]-i[0])
	}
	return h
}

// plural counts a noun.
func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "box":
		return thousands(n) + " boxes"
	case noun == "category":
		return thousands(n) + " categories"
	}
	return thousands(n) + " " + noun + "s"
}

// thousands prints 12345 as 12,345.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
