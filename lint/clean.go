package lint

import (
	"fmt"
	"math"

	"remuda"
	"remuda/geom"
)

// Clean returns a dataset that can be trained on and scored by, and what it
// changed: sizes are those of the upright images, boxes end at the image's
// edge, and boxes without area are gone. Images that lose all boxes stay, as
// background.
//
// Where a label file has the size of the image as it is stored, before EXIF
// turned it, its boxes were drawn on that: they are turned too. Where it has
// any other size, the boxes are taken as they are, since nothing tells whether
// they were scaled as well. images may lack files; their boxes are clipped to
// the label file's size.
func Clean(d remuda.Dataset, images map[string]Facts) (remuda.Dataset, []Finding) {
	clean := remuda.Dataset{Categories: d.Categories, Items: make([]remuda.Item, len(d.Items))}
	byItem := remuda.ByItem(d.Annotations)
	fixed := make(map[int64]remuda.Annotation, len(d.Annotations))
	var found []Finding
	for i, item := range d.Items {
		boxes := byItem[item.ID]
		item, turn, f := uprightItem(item, images[item.File], len(boxes))
		clean.Items[i] = item
		found = append(found, f...)
		boxes, f = cleanBoxes(item, boxes, turn)
		found = append(found, f...)
		for _, a := range boxes {
			fixed[a.ID] = a
		}
	}
	for _, a := range d.Annotations { // in their order
		if kept, ok := fixed[a.ID]; ok {
			clean.Annotations = append(clean.Annotations, kept)
		}
	}
	sortFindings(found)
	return clean, found
}

// uprightItem returns the item with its image's upright size, and the EXIF
// orientation that its boxes have to be turned by, 1 for not at all.
func uprightItem(item remuda.Item, facts Facts, boxes int) (_ remuda.Item, turn int, found []Finding) {
	known, labeled := facts.Width > 0 && facts.Height > 0, item.Width > 0 && item.Height > 0
	said := fmt.Sprintf("the labels say %d × %d pixels, the upright image has %d × %d", item.Width, item.Height, facts.Width, facts.Height)
	turn = 1
	switch {
	case !known && !labeled:
		found = append(found, Finding{Kind: MissingSize, File: item.File, Count: 1, Message: "nothing says how large the image is"})
		return item, turn, found
	case !known || labeled && item.Width == facts.Width && item.Height == facts.Height:
		return item, turn, nil
	case !labeled:
	case item.Width == facts.StoredWidth && item.Height == facts.StoredHeight:
		turn = facts.Orientation
		found = append(found, Finding{Kind: SizeMismatch, File: item.File, Count: boxes,
			Message: said + ": its boxes were drawn before EXIF turned it, and are turned with it"})
	default:
		found = append(found, Finding{Kind: SizeMismatch, File: item.File, Count: boxes,
			Message: said + ": its boxes may be of another image"})
	}
	item.Width, item.Height = facts.Width, facts.Height
	return item, turn, found
}

// cleanBoxes turns and clips an item's boxes and drops those without area.
func cleanBoxes(item remuda.Item, boxes []remuda.Annotation, turn int) (kept []remuda.Annotation, found []Finding) {
	if item.Width == 0 || item.Height == 0 {
		return boxes, nil
	}
	w, h := float64(item.Width), float64(item.Height)
	var outside, empty []int64
	worst := 0.0
	for _, a := range boxes {
		ofBox := math.Abs(a.Area-a.Box.Area()) <= 1e-6*(1+a.Area) // not of a mask
		a.Box = Turn(a.Box, w, h, turn)
		clipped := a.Box.Clip(w, h)
		if beyond := max(-a.Box.X0, -a.Box.Y0, a.Box.X1-w, a.Box.Y1-h); beyond > OutsideBy {
			outside = append(outside, a.ID)
			worst = max(worst, beyond)
		}
		if clipped.Empty() {
			empty = append(empty, a.ID)
			continue
		}
		if a.Box = clipped; a.Area != 0 && ofBox {
			a.Area = clipped.Area()
		}
		kept = append(kept, a)
	}
	if len(outside) > 0 {
		found = append(found, Finding{Kind: Outside, File: item.File, Annotations: outside, Count: len(outside),
			Message: fmt.Sprintf("%s beyond its %d × %d pixels by up to %.4g and %s clipped: %s",
				plural(len(outside), "box reaches", "boxes reach"), item.Width, item.Height, worst, isAre(len(outside)), ids(outside))})
	}
	if len(empty) > 0 {
		found = append(found, Finding{Kind: ZeroArea, File: item.File, Annotations: empty, Count: len(empty),
			Message: fmt.Sprintf("%s no area inside the image and %s dropped: %s", plural(len(empty), "box has", "boxes have"), isAre(len(empty)), ids(empty))})
	}
	return kept, found
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// ids lists annotations for a person, not more than fit a line.
func ids(list []int64) string {
	const most = 8
	text := ""
	for i, id := range list {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(list)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("annotation %d", id)
	}
	return text
}

// Turn turns a box of a stored image by an EXIF orientation; w × h is the
// size of the upright image.
func Turn(b geom.Box, w, h float64, orientation int) geom.Box {
	switch orientation {
	case 2: // mirrored left to right
		return geom.Box{X0: w - b.X1, Y0: b.Y0, X1: w - b.X0, Y1: b.Y1}
	case 3: // upside down
		return geom.Box{X0: w - b.X1, Y0: h - b.Y1, X1: w - b.X0, Y1: h - b.Y0}
	case 4: // mirrored top to bottom
		return geom.Box{X0: b.X0, Y0: h - b.Y1, X1: b.X1, Y1: h - b.Y0}
	case 5: // transposed
		return geom.Box{X0: b.Y0, Y0: b.X0, X1: b.Y1, Y1: b.X1}
	case 6: // a quarter turn clockwise
		return geom.Box{X0: w - b.Y1, Y0: b.X0, X1: w - b.Y0, Y1: b.X1}
	case 7: // transposed along the other diagonal
		return geom.Box{X0: w - b.Y1, Y0: h - b.X1, X1: w - b.Y0, Y1: h - b.X0}
	case 8: // a quarter turn counter-clockwise
		return geom.Box{X0: b.Y0, Y0: h - b.X1, X1: b.Y1, Y1: h - b.X0}
	}
	return b
}
