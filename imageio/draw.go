package imageio

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"remuda/geom"
)

// Drawn is a box to draw.
type Drawn struct {
	Box   geom.Box
	Label string // "" for none
	Color color.RGBA
}

// DrawBoxes draws boxes with their labels on m. Lines and letters grow with
// the image; a label stands above its box, or inside where there is no room,
// and never beyond the image's edge.
func DrawBoxes(m *RGB, boxes []Drawn) error {
	shorter := float64(min(m.Width, m.Height))
	thick := max(1, int(math.Round(shorter/240)))
	face, err := labelFace(min(max(shorter/28, 11), 64))
	if err != nil {
		return err
	}
	defer face.Close()
	canvas := view{m}
	for _, d := range boxes {
		drawFrame(canvas, d.Box, thick, d.Color)
	}
	for _, d := range boxes { // above all frames
		if d.Label != "" {
			drawLabel(canvas, d, face)
		}
	}
	return nil
}

func labelFace(size float64) (font.Face, error) {
	f, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, fmt.Errorf("parse the font of labels: %w", err)
	}
	const pixelsAPoint = 72
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: pixelsAPoint, Hinting: font.HintingFull})
	if err != nil {
		return nil, fmt.Errorf("scale the font of labels: %w", err)
	}
	return face, nil
}

// drawFrame draws a box's outline, inside its edges.
func drawFrame(v view, b geom.Box, thick int, c color.RGBA) {
	w, h := float64(v.Width), float64(v.Height)
	b = b.Clip(w, h)
	r := image.Rect(int(math.Round(b.X0)), int(math.Round(b.Y0)), int(math.Round(b.X1)), int(math.Round(b.Y1)))
	for _, side := range []image.Rectangle{
		image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+thick),
		image.Rect(r.Min.X, r.Max.Y-thick, r.Max.X, r.Max.Y),
		image.Rect(r.Min.X, r.Min.Y, r.Min.X+thick, r.Max.Y),
		image.Rect(r.Max.X-thick, r.Min.Y, r.Max.X, r.Max.Y),
	} {
		v.fill(side, c)
	}
}

func (v view) fill(r image.Rectangle, c color.RGBA) {
	r = r.Intersect(v.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := v.Pix[3*(y*v.Width+r.Min.X) : 3*(y*v.Width+r.Max.X)]
		for ; len(row) >= 3; row = row[3:] {
			row[0], row[1], row[2] = c.R, c.G, c.B
		}
	}
}

func drawLabel(v view, d Drawn, face font.Face) {
	metrics := face.Metrics()
	height := metrics.Ascent.Ceil() + metrics.Descent.Ceil()
	pad := max(2, height/6)
	width := font.MeasureString(face, d.Label).Ceil() + 2*pad
	x := max(0, min(int(math.Round(d.Box.X0)), v.Width-width))
	y := int(math.Round(d.Box.Y0)) - height
	if y < 0 {
		y = max(0, int(math.Round(d.Box.Y0)))
	}
	y = max(0, min(y, v.Height-height))
	v.fill(image.Rect(x, y, x+width, y+height), d.Color)
	pen := font.Drawer{
		Dst:  v,
		Src:  image.NewUniform(readable(d.Color)),
		Face: face,
		Dot:  fixed.P(x+pad, y+metrics.Ascent.Ceil()),
	}
	pen.DrawString(d.Label)
}

// readable returns black or white, whichever stands out on c.
func readable(c color.RGBA) color.Color {
	if 299*int(c.R)+587*int(c.G)+114*int(c.B) > 140_000 {
		return color.Black
	}
	return color.White
}

var _ draw.Image = view{}
