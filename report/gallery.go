package report

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/geom"
	"remuda/imageio"
)

// A report carries its images in itself: this many bytes of them at most, so
// that the file opens quickly anywhere and travels by mail.
const (
	imageBudget  = 6 << 20 // bytes of base64
	thumbSide    = 480     // pixels of the longer side
	thumbQuality = 74
)

// gallery hands out pictures, each of them stored once however often it is shown.
type gallery struct {
	items    map[int64]remuda.Item
	boxes    map[int64][]eval.Match // for the size of items that don't tell theirs
	open     Opener
	left     int // bytes of the budget
	pictures map[int64]*picture
	Pictures []*picture // those that have pixels, in the order of their first use
	Failed   []string   // files that could not be read
}

// picture is an image in the report, referred to by its Name.
type picture struct {
	Name          string
	File          string
	Width, Height float64      // of the upright image, pixels
	Data          template.URL // "" without pixels
}

func newGallery(truth remuda.Dataset, open Opener, matches []eval.Match) *gallery {
	g := &gallery{items: map[int64]remuda.Item{}, boxes: map[int64][]eval.Match{}, open: open, left: imageBudget, pictures: map[int64]*picture{}}
	for _, i := range truth.Items {
		g.items[i.ID] = i
	}
	for _, m := range matches {
		g.boxes[m.ItemID] = append(g.boxes[m.ItemID], m)
	}
	return g
}

// picture returns an item's picture, or nil when the budget is spent.
func (g *gallery) picture(item int64) *picture {
	if p, ok := g.pictures[item]; ok {
		return p
	}
	if g.left <= 0 {
		return nil
	}
	i := g.items[item]
	p := &picture{Name: fmt.Sprintf("p%d", len(g.pictures)), File: i.File, Width: float64(i.Width), Height: float64(i.Height)}
	g.pictures[item] = p
	if g.open != nil {
		if err := g.load(p, i); err != nil {
			g.Failed = append(g.Failed, i.File)
		}
	}
	for _, m := range g.boxes[item] {
		if i.Width == 0 && p.Data == "" {
			p.Width, p.Height = max(p.Width, math.Ceil(m.Box.X1)), max(p.Height, math.Ceil(m.Box.Y1))
		}
	}
	p.Width, p.Height = max(p.Width, 1), max(p.Height, 1)
	return p
}

// load makes the thumbnail.
func (g *gallery) load(p *picture, i remuda.Item) error {
	m, err := g.open(i)
	if err != nil {
		return err
	}
	p.Width, p.Height = float64(m.Width), float64(m.Height)
	file, err := imageio.EncodeJPEG(imageio.Thumbnail(m, thumbSide), thumbQuality)
	if err != nil {
		return err
	}
	p.Data = template.URL("data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(file))
	g.left -= len(p.Data)
	g.Pictures = append(g.Pictures, p)
	return nil
}

// card is a picture, or a part of it, with boxes and words.
type card struct {
	Picture *picture
	View    string  // viewBox, in pixels of the image
	Ratio   float64 // width over height of the view
	Boxes   []shape
	Title   string
	Notes   []string
	Badge   string // class and words of the card's mark; the explorer words its own
	Scored  bool   // has a Score, for the explorer
	Score   float64
}

// shape is a box on a card.
type shape struct {
	X, Y, W, H float64
	Class      string // truth, tp, fp, missed, ignored
	Label      string
	LabelX     float64
	LabelY     float64
	Size       float64 // of the letters
	Tip        string
}

// whole returns a card of a whole image with all boxes that count, nil when
// the budget is spent.
func (g *gallery) whole(item int64, names map[int64]string) *card {
	p := g.picture(item)
	if p == nil {
		return nil
	}
	c := &card{Picture: p, View: fmt.Sprintf("0 0 %g %g", p.Width, p.Height), Ratio: p.Width / p.Height, Title: p.File}
	letters := 11 * max(p.Width/300, p.Height/225) // 11 pixels on a card of 300 by 225
	for _, m := range g.boxes[item] {
		if m.Outcome != eval.Below {
			s := newShape(m, names)
			s.label(m, names, letters, p)
			c.Boxes = append(c.Boxes, s)
		}
	}
	slices.SortStableFunc(c.Boxes, func(a, b shape) int { return cmp.Compare(order(a.Class), order(b.Class)) })
	return c
}

// order tells which boxes lie on top.
func order(class string) int {
	return slices.Index([]string{"ignored", "truth", "tp", "missed", "fp"}, class)
}

// crop returns a card of one box and a little around it, with the other boxes
// there.
func (g *gallery) crop(m eval.Match, names map[int64]string) *card {
	p := g.picture(m.ItemID)
	if p == nil {
		return nil
	}
	side := max(m.Box.Width(), m.Box.Height())*1.5 + 16
	x := around(m.Box.X0, m.Box.X1, side, p.Width)
	y := around(m.Box.Y0, m.Box.Y1, side, p.Height)
	view := geom.Box{X0: x, Y0: y, X1: x + side, Y1: y + side}
	c := &card{Picture: p, View: fmt.Sprintf("%.1f %.1f %.1f %.1f", x, y, side, side), Ratio: 1, Title: p.File}
	for _, other := range g.boxes[m.ItemID] {
		same := other.Prediction == m.Prediction && other.AnnotationID == m.AnnotationID
		if !same && !other.Prediction && other.Box.Intersect(view) > 0 {
			c.Boxes = append(c.Boxes, newShape(other, names))
		}
	}
	own := newShape(m, names)
	own.Class += " own"
	c.Boxes = append(c.Boxes, own)
	return c
}

// around returns where a view of some side begins so that lo to hi is in its
// middle. It stays on the image where that is large enough and holds the box.
func around(lo, hi, side, length float64) float64 {
	begin, end := min(lo, 0), max(hi, length)
	if side >= end-begin {
		return (begin + end - side) / 2
	}
	return min(max((lo+hi-side)/2, begin), end-side)
}

// newShape returns a box without a label.
func newShape(m eval.Match, names map[int64]string) shape {
	s := shape{X: m.Box.X0, Y: m.Box.Y0, W: m.Box.Width(), H: m.Box.Height(), Class: string(m.Outcome), Tip: names[m.CategoryID] + ": " + tip(m)}
	if !m.Prediction && m.Outcome == eval.Found {
		s.Class = "truth"
	}
	return s
}

// label writes a box's category and confidence inside the image.
func (s *shape) label(m eval.Match, names map[int64]string, letters float64, p *picture) {
	s.Size = letters
	switch {
	case m.Prediction:
		s.Label = fmt.Sprintf("%s %.2f", clipped(names[m.CategoryID]), m.Confidence)
	case m.Outcome == eval.Missed:
		s.Label = clipped(names[m.CategoryID]) + " missed"
	}
	if len(names) == 1 { // the only category goes without saying
		s.Label = ""
		if m.Prediction {
			s.Label = fmt.Sprintf("%.2f", m.Confidence)
		} else if m.Outcome == eval.Missed {
			s.Label = "missed"
		}
	}
	s.LabelX = min(max(s.X, 0)+letters*0.25, p.Width)
	s.LabelY = max(s.Y, 0) + letters
	if m.Outcome == eval.Missed { // at the other end, where a prediction's label isn't
		s.LabelY = min(s.Y+s.H, p.Height) - letters*0.35
	}
}

// clipped shortens a name for a label on an image.
func clipped(name string) string {
	const letters = 14
	if r := []rune(name); len(r) > letters {
		return string(r[:letters-1]) + "…"
	}
	return name
}

// tip words what became of a box.
func tip(m eval.Match) string {
	switch {
	case m.Outcome == eval.Ignored && !m.Prediction:
		return "crowd region, ignored"
	case m.Outcome == eval.Ignored:
		return fmt.Sprintf("confidence %.3f, ignored", m.Confidence)
	case !m.Prediction && m.Outcome == eval.Found:
		return fmt.Sprintf("ground truth, found with IoU %.2f", m.IoU)
	case !m.Prediction:
		return fmt.Sprintf("ground truth, missed; best overlap %.2f", m.IoU)
	case m.Matched:
		return fmt.Sprintf("confidence %.3f, IoU %.2f", m.Confidence, m.IoU)
	}
	return fmt.Sprintf("confidence %.3f, best overlap %.2f", m.Confidence, m.IoU)
}
