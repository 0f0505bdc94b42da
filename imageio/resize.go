package imageio

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
)

// Thumbnail returns m shrunk so that its longer side is maxSide pixels, each
// pixel the mean of the area it covers, so that fine detail doesn't alias. A
// smaller image is returned as a copy.
func Thumbnail(m *RGB, maxSide int) *RGB {
	longer := max(m.Width, m.Height)
	if longer <= maxSide {
		return &RGB{Width: m.Width, Height: m.Height, Pix: bytes.Clone(m.Pix)}
	}
	side := func(n int) int { return max(1, (n*maxSide+longer/2)/longer) }
	w, h := side(m.Width), side(m.Height)
	out := NewRGB(w, h)
	means(m, w, h, func(y int, row []float32) {
		for i, v := range row {
			out.Pix[3*y*w+i] = byte(v + 0.5)
		}
	})
	return out
}

// span is the part of a line that one output pixel covers: whole samples from
// first on, the outer two weighted by how far they are covered.
type span struct {
	first   int
	weights []float32 // sum to 1
}

// spans divides n samples among out pixels.
func spans(n, out int) []span {
	list := make([]span, out)
	for i := range list {
		from, to := i*n, (i+1)*n // in 1/out of a sample, exact
		first := from / out
		s := span{first: first}
		for k := first; k*out < to; k++ {
			covered := min(to, (k+1)*out) - max(from, k*out)
			s.weights = append(s.weights, float32(covered)/float32(n))
		}
		list[i] = s
	}
	return list
}

// means calls row for each of h rows of w pixels that divide m evenly, with
// the mean red, green and blue, 0 to 255, of what each covers.
func means(m *RGB, w, h int, row func(y int, pix []float32)) {
	across := spans(m.Width, w)
	line := make([]float32, 3*m.Width)
	out := make([]float32, 3*w)
	for y, down := range spans(m.Height, h) {
		clear(line)
		for k, weight := range down.weights {
			src := m.Pix[3*(down.first+k)*m.Width:][:len(line)]
			for i, v := range src {
				line[i] += weight * float32(v)
			}
		}
		for x, s := range across {
			var r, g, b float32
			src := line[3*s.first:]
			for k, weight := range s.weights {
				r += weight * src[3*k]
				g += weight * src[3*k+1]
				b += weight * src[3*k+2]
			}
			out[3*x], out[3*x+1], out[3*x+2] = r, g, b
		}
		row(y, out)
	}
}

// EncodeJPEG returns m as a JPEG file; quality is 1 to 100.
func EncodeJPEG(m *RGB, quality int) ([]byte, error) {
	rgba := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height)) // the encoder's fast path
	for i, j := 0, 0; i < len(m.Pix); i, j = i+3, j+4 {
		rgba.Pix[j], rgba.Pix[j+1], rgba.Pix[j+2], rgba.Pix[j+3] = m.Pix[i], m.Pix[i+1], m.Pix[i+2], 255
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, rgba, &jpeg.Options{Quality: quality}); err != nil {
		return nil, fmt.Errorf("encode jpeg of %d × %d: %w", m.Width, m.Height, err)
	}
	return b.Bytes(), nil
}
