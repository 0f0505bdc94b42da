// Package geom treats boxes as numbers: area, overlap, clipping, flipping and
// non-maximum suppression. It knows neither images nor tensors.
package geom

// Box is a rectangle in pixels of the upright image, from the top-left corner
// of the top-left pixel: X0 ≤ X1, Y0 ≤ Y1, width = X1 − X0.
type Box struct {
	X0 float64 `json:"x0"`
	Y0 float64 `json:"y0"`
	X1 float64 `json:"x1"`
	Y1 float64 `json:"y1"`
}

// FromXYWH returns the box with the top-left corner x, y and the given size,
// COCO's convention.
func FromXYWH(x, y, w, h float64) Box { return Box{x, y, x + w, y + h} }

// Width returns X1 − X0.
func (b Box) Width() float64 { return b.X1 - b.X0 }

// Height returns Y1 − Y0.
func (b Box) Height() float64 { return b.Y1 - b.Y0 }

// Area returns the box's area in square pixels, 0 if a side is not positive.
func (b Box) Area() float64 {
	return max(0, b.Width()) * max(0, b.Height())
}

// Empty reports whether the box encloses nothing.
func (b Box) Empty() bool { return !(b.X1 > b.X0 && b.Y1 > b.Y0) }

// Intersect returns the area that two boxes share.
func (b Box) Intersect(o Box) float64 {
	w := min(b.X1, o.X1) - max(b.X0, o.X0)
	h := min(b.Y1, o.Y1) - max(b.Y0, o.Y0)
	return max(0, w) * max(0, h)
}

// IoU returns the area that two boxes share over the area they cover together,
// from 0 to 1, and 0 if both are empty.
func (b Box) IoU(o Box) float64 {
	shared := b.Intersect(o)
	if shared == 0 {
		return 0
	}
	return shared / (b.Area() + o.Area() - shared)
}

// Clip returns the part of the box inside an image of w × h pixels.
func (b Box) Clip(w, h float64) Box {
	return Box{
		X0: min(max(b.X0, 0), w), Y0: min(max(b.Y0, 0), h),
		X1: min(max(b.X1, 0), w), Y1: min(max(b.Y1, 0), h),
	}
}

// FlipX mirrors the box left to right in an image w pixels wide.
func (b Box) FlipX(w float64) Box { return Box{w - b.X1, b.Y0, w - b.X0, b.Y1} }

// Scale returns the box in an image resized by sx across and sy down.
func (b Box) Scale(sx, sy float64) Box {
	return Box{b.X0 * sx, b.Y0 * sy, b.X1 * sx, b.Y1 * sy}
}
