package label

import (
	"fmt"
	"math"

	"remuda/internal/stat"
)

// Bias is how far the edges of a person's boxes lie from the true ones on
// average, in pixels: above 0 outside the object (loose), below 0 inside it.
// It is over boxes that overlap a true one, whatever their category.
//
// Where the truth began as the person's own answer and an auditor only mended
// it, what the auditor let pass counts as no difference: the bias is then
// larger than it looks.
type Bias struct {
	Left   Mean `json:"left"`
	Top    Mean `json:"top"`
	Right  Mean `json:"right"`
	Bottom Mean `json:"bottom"`
}

// Clear says in words which edges are off by a pixel or more and not by
// chance: their interval leaves out 0.
func (b Bias) Clear() (sentences []string) {
	for _, e := range []struct {
		side string
		off  Mean
	}{{"left", b.Left}, {"top", b.Top}, {"right", b.Right}, {"bottom", b.Bottom}} {
		i := e.off.Interval
		if i == nil || math.Abs(e.off.Value) < 1 || i[0] <= 0 && i[1] >= 0 {
			continue
		}
		if e.off.Value > 0 {
			sentences = append(sentences, fmt.Sprintf("%.1f px loose at the %s (%.1f to %.1f)", e.off.Value, e.side, i[0], i[1]))
		} else {
			sentences = append(sentences, fmt.Sprintf("%.1f px inside at the %s (%.1f to %.1f)", -e.off.Value, e.side, -i[1], -i[0]))
		}
	}
	return sentences
}

// outward is how far every edge of a drawn box lies outside the true one.
func outward(drawn, truth Box) Edges {
	return Edges{
		Left: truth.Box.X0 - drawn.Box.X0, Top: truth.Box.Y0 - drawn.Box.Y0,
		Right: drawn.Box.X1 - truth.Box.X1, Bottom: drawn.Box.Y1 - truth.Box.Y1,
	}
}

// within reports whether no edge is off by more than so many pixels.
func (e Edges) within(pixels float64) bool {
	return max(math.Abs(e.Left), math.Abs(e.Top), math.Abs(e.Right), math.Abs(e.Bottom)) <= pixels
}

// The columns of what an image adds to a report's means.
const (
	columnScore = iota
	columnStrict
	columnIoU
	columnSize
	columnLeft
	columnTop
	columnRight
	columnBottom
	columns
)

// place adds a located box to the means over boxes.
func place(row []stat.Ratio, drawn, truth Box, iou float64) {
	off := outward(drawn, truth)
	add := func(column int, value float64) { sum(&row[column], stat.Ratio{Over: value, Under: 1}) }
	add(columnIoU, iou)
	add(columnSize, math.Log(drawn.Box.Area()/truth.Box.Area()))
	add(columnLeft, off.Left)
	add(columnTop, off.Top)
	add(columnRight, off.Right)
	add(columnBottom, off.Bottom)
}
