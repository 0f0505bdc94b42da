package detect

import (
	"math"

	"remuda/imageio"
)

// Size is an image's height and width in pixels.
type Size struct{ Height, Width int }

// Batch is images made ready for the network: resized, normalized by
// ImageNet's mean and deviation, and padded with zeros at the right and the
// bottom to one size, a multiple of 32.
type Batch struct {
	Pixels    []float32 // N, height, width, RGB
	Padded    Size      // of every image in Pixels
	Sizes     []Size    // of each resized image, without its padding
	Originals []Size    // of each image as it came
}

// padMultiple is what the sides of a batch are multiples of, the stride of the
// last backbone stage.
const padMultiple = 32

// Transform makes a batch of images, resized so that the short side has the
// configured size unless the long side would be too long. zoom, where given,
// holds one factor for each image that multiplies both limits; without it, or
// with 1, it is what torchvision does.
func Transform(c Config, images []*imageio.RGB, zoom ...float64) Batch {
	minSize, maxSize := c.sizes()
	b := Batch{}
	for i, m := range images {
		lo, hi := minSize, maxSize
		if i < len(zoom) {
			lo, hi = int(math.Round(float64(lo)*zoom[i])), int(math.Round(float64(hi)*zoom[i]))
		}
		original := Size{m.Height, m.Width}
		resized := resizedSize(original, lo, hi)
		b.Originals = append(b.Originals, original)
		b.Sizes = append(b.Sizes, resized)
		b.Padded.Height = max(b.Padded.Height, roundUp(resized.Height))
		b.Padded.Width = max(b.Padded.Width, roundUp(resized.Width))
	}
	stride := 3 * b.Padded.Height * b.Padded.Width
	b.Pixels = make([]float32, len(images)*stride)
	for i, m := range images {
		resize(b.Pixels[i*stride:(i+1)*stride], 3*b.Padded.Width, m, b.Sizes[i])
	}
	return b
}

func roundUp(n int) int { return (n + padMultiple - 1) / padMultiple * padMultiple }

// resizedSize returns the size of an image after resizing. The scale is a
// float32 quotient computed as torch does it, reciprocal first: at 600 pixels
// that is the difference between 800 and 799.
func resizedSize(s Size, minSize, maxSize int) Size {
	short, long := float32(min(s.Height, s.Width)), float32(max(s.Height, s.Width))
	scale := float64(min(float32(float32(1/short)*float32(minSize)), float32(float32(1/long)*float32(maxSize))))
	return Size{
		Height: max(1, int(float64(s.Height)*scale)),
		Width:  max(1, int(float64(s.Width)*scale)),
	}
}

// tap says which two source pixels an output pixel is made of.
type tap struct {
	at, next int     // positions
	share    float32 // of next
}

// taps are those of one axis: bilinear without antialiasing, pixel centres at
// half pixels (torch's align_corners=false), edges repeated. The scale is a
// float32, as torch has it; positions are not rounded further.
func taps(from, to int) []tap {
	out := make([]tap, to)
	scale := float64(float32(from) / float32(to))
	for i := range out {
		at := max(scale*(float64(i)+0.5)-0.5, 0)
		floor := min(int(at), from-1)
		out[i] = tap{at: floor, next: min(floor+1, from-1), share: float32(at - float64(floor))}
	}
	return out
}

// resize writes m, resized to size and normalized, into rows of stride floats.
func resize(dst []float32, stride int, m *imageio.RGB, size Size) {
	across, down := taps(m.Width, size.Width), taps(m.Height, size.Height)
	n := 3 * size.Width
	upper, lower := make([]float32, n), make([]float32, n)
	upperRow, lowerRow := -1, -1
	for y, t := range down {
		if t.at == lowerRow { // the walk goes down: what was below is now above
			upper, lower = lower, upper
			upperRow, lowerRow = lowerRow, upperRow
		}
		if t.at != upperRow {
			upperRow = t.at
			resizeRow(upper, m.Pix[3*m.Width*t.at:], across)
		}
		row := dst[y*stride:][:n]
		if t.share == 0 || t.next == t.at {
			copy(row, upper)
			continue
		}
		if t.next != lowerRow {
			lowerRow = t.next
			resizeRow(lower, m.Pix[3*m.Width*t.next:], across)
		}
		u, l := upper[:n], lower[:n]
		keep, share := 1-t.share, t.share
		for i := range row {
			row[i] = keep*u[i] + share*l[i]
		}
	}
}

// resizeRow resizes one row of pixels across and normalizes it: (v/255 − mean)
// / deviation for each channel, ImageNet's. Interpolation's shares add up to
// one, so it may come before or after.
func resizeRow(dst []float32, src []byte, across []tap) {
	const (
		r, g, b    = 1 / (255 * 0.229), 1 / (255 * 0.224), 1 / (255 * 0.225)
		r0, g0, b0 = 0.485 / 0.229, 0.456 / 0.224, 0.406 / 0.225
	)
	for x, t := range across {
		p, q := src[3*t.at:][:3], src[3*t.next:][:3]
		d := dst[3*x:][:3]
		keep, share := 1-t.share, t.share
		d[0] = (keep*float32(p[0])+share*float32(q[0]))*r - r0
		d[1] = (keep*float32(p[1])+share*float32(q[1]))*g - g0
		d[2] = (keep*float32(p[2])+share*float32(q[2]))*b - b0
	}
}
