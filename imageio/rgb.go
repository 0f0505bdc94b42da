package imageio

import (
	"image"
	"image/color"
)

// RGB is an upright image of 8 bits a channel: Pix holds 3·Width·Height bytes,
// red, green, blue, row by row from the top left.
type RGB struct {
	Width, Height int
	Pix           []byte
}

// NewRGB returns a black image.
func NewRGB(width, height int) *RGB {
	return &RGB{Width: width, Height: height, Pix: make([]byte, 3*width*height)}
}

// Image returns a view of m for the standard library's image packages; it
// shares m's pixels and can be drawn on.
func (m *RGB) Image() image.Image { return view{m} }

// view is RGB as a draw.Image.
type view struct{ *RGB }

func (v view) ColorModel() color.Model { return color.RGBAModel }
func (v view) Bounds() image.Rectangle { return image.Rect(0, 0, v.Width, v.Height) }

func (v view) At(x, y int) color.Color { return v.RGBAAt(x, y) }

// RGBAAt lets the standard JPEG encoder and image/draw skip the boxing of colours.
func (v view) RGBAAt(x, y int) color.RGBA {
	if !(image.Point{X: x, Y: y}).In(v.Bounds()) {
		return color.RGBA{}
	}
	p := v.Pix[3*(y*v.Width+x):]
	return color.RGBA{R: p[0], G: p[1], B: p[2], A: 255}
}

func (v view) RGBA64At(x, y int) color.RGBA64 {
	c := v.RGBAAt(x, y)
	return color.RGBA64{R: uint16(c.R) * 257, G: uint16(c.G) * 257, B: uint16(c.B) * 257, A: uint16(c.A) * 257}
}

func (v view) Set(x, y int, c color.Color) {
	if !(image.Point{X: x, Y: y}).In(v.Bounds()) {
		return
	}
	rgba := color.RGBAModel.Convert(c).(color.RGBA)
	copy(v.Pix[3*(y*v.Width+x):], []byte{rgba.R, rgba.G, rgba.B})
}

// Flip mirrors m left to right, in place.
func Flip(m *RGB) {
	for y := range m.Height {
		row := m.Pix[3*y*m.Width : 3*(y+1)*m.Width]
		for l, r := 0, len(row)-3; l < r; l, r = l+3, r-3 {
			row[l], row[r] = row[r], row[l]
			row[l+1], row[r+1] = row[r+1], row[l+1]
			row[l+2], row[r+2] = row[r+2], row[l+2]
		}
	}
}

// orient turns m upright; orientation is EXIF's, 1 to 8. It returns m itself
// where nothing is to be done.
func orient(m *RGB, orientation int) *RGB {
	if orientation <= 1 || orientation > 8 {
		return m
	}
	w, h := uprightSize(m.Width, m.Height, orientation)
	out := NewRGB(w, h)
	// Where the upright image's first pixel lies in the stored one, and the
	// steps to its right and lower neighbours, in pixels of the stored one.
	sw, sh := m.Width, m.Height
	var start, right, down int
	switch orientation {
	case 2:
		start, right, down = sw-1, -1, sw
	case 3:
		start, right, down = sw*sh-1, -1, -sw
	case 4:
		start, right, down = sw*(sh-1), 1, -sw
	case 5:
		start, right, down = 0, sw, 1
	case 6:
		start, right, down = sw*(sh-1), -sw, 1
	case 7:
		start, right, down = sw*sh-1, -sw, -1
	case 8:
		start, right, down = sw-1, sw, -1
	}
	i := 0
	for y := range h {
		from := start + y*down
		for range w {
			p := m.Pix[3*from : 3*from+3]
			out.Pix[i], out.Pix[i+1], out.Pix[i+2] = p[0], p[1], p[2]
			i += 3
			from += right
		}
	}
	return out
}

// uprightSize returns the size of a stored image once it has been turned.
func uprightSize(w, h, orientation int) (int, int) {
	if orientation >= 5 && orientation <= 8 {
		return h, w
	}
	return w, h
}
