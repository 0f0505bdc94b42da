package detect

import (
	"math"

	"remuda/geom"
)

// box is a rectangle in pixels of the resized image. Inside the network boxes
// are float32 and every formula rounds where torchvision's does: a match or a
// suppression decided in float64 would now and then go the other way. Products
// are converted explicitly, which keeps the compiler from fusing them into
// additions and so from rounding less.
type box struct{ x0, y0, x1, y1 float32 }

func (b box) width() float32  { return b.x1 - b.x0 }
func (b box) height() float32 { return b.y1 - b.y0 }
func (b box) area() float32   { return float32(b.width() * b.height()) }

// iou returns the overlap of two boxes, given their areas.
func (b box) iou(area float32, o box, oArea float32) float32 {
	w := min(b.x1, o.x1) - max(b.x0, o.x0)
	h := min(b.y1, o.y1) - max(b.y0, o.y0)
	if w <= 0 || h <= 0 {
		return 0
	}
	shared := float32(w * h)
	return shared / (area + oArea - shared)
}

// clip returns the part of the box inside an image.
func (b box) clip(s Size) box {
	w, h := float32(s.Width), float32(s.Height)
	return box{
		x0: min(max(b.x0, 0), w), y0: min(max(b.y0, 0), h),
		x1: min(max(b.x1, 0), w), y1: min(max(b.y1, 0), h),
	}
}

// resized returns the box in the image resized from one size to another.
func (b box) resized(from, to Size) box {
	rx := float32(to.Width) / float32(from.Width)
	ry := float32(to.Height) / float32(from.Height)
	return box{float32(b.x0 * rx), float32(b.y0 * ry), float32(b.x1 * rx), float32(b.y1 * ry)}
}

func boxOf(g geom.Box) box {
	return box{float32(g.X0), float32(g.Y0), float32(g.X1), float32(g.Y1)}
}

func (b box) geom() geom.Box {
	return geom.Box{X0: float64(b.x0), Y0: float64(b.y0), X1: float64(b.x1), Y1: float64(b.y1)}
}

// exp32, log32 and sigmoid32 are the float32 functions nearest to the exact ones.
func exp32(x float32) float32     { return float32(math.Exp(float64(x))) }
func log32(x float32) float32     { return float32(math.Log(float64(x))) }
func sigmoid32(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }
