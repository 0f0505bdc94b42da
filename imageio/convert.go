package imageio

import (
	"image"
	"image/color"
)

// toRGB returns a decoded image as RGB the way Pillow's convert("RGB") does:
// alpha is dropped, not blended; 16-bit colour keeps its high byte, and 16-bit
// grey is clipped to 255 (Pillow has it as I;16, an integer image).
func toRGB(img image.Image) *RGB {
	b := img.Bounds()
	out := NewRGB(b.Dx(), b.Dy())
	switch m := img.(type) {
	case *image.Gray:
		out.rows(m.Pix, m.Stride, 1, func(dst, src []byte) {
			dst[0], dst[1], dst[2] = src[0], src[0], src[0]
		})
	case *image.Gray16:
		out.rows(m.Pix, m.Stride, 2, func(dst, src []byte) {
			v := src[1]
			if src[0] != 0 {
				v = 255
			}
			dst[0], dst[1], dst[2] = v, v, v
		})
	case *image.Paletted:
		palette := paletteRGB(m.Palette)
		out.rows(m.Pix, m.Stride, 1, func(dst, src []byte) { copy(dst[:3], palette[src[0]][:]) })
	case *image.NRGBA:
		out.rows(m.Pix, m.Stride, 4, func(dst, src []byte) { copy(dst[:3], src[:3]) })
	case *image.NRGBA64:
		out.rows(m.Pix, m.Stride, 8, highBytes)
	case *image.RGBA64:
		out.rows(m.Pix, m.Stride, 8, highBytes)
	case *image.RGBA:
		out.rows(m.Pix, m.Stride, 4, unpremultiply)
	case *image.YCbCr:
		return ycbcrToRGB(m)
	case *image.CMYK:
		out.rows(m.Pix, m.Stride, 4, func(dst, src []byte) { cmykToRGB(dst, src[0], src[1], src[2], src[3]) })
	default:
		for y := range out.Height {
			for x := range out.Width {
				c := color.NRGBAModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.NRGBA)
				copy(out.Pix[3*(y*out.Width+x):], []byte{c.R, c.G, c.B})
			}
		}
	}
	return out
}

// rows fills m from an image of `step` bytes a pixel whose rows are stride bytes apart.
func (m *RGB) rows(pix []byte, stride, step int, pixel func(dst, src []byte)) {
	for y := range m.Height {
		src := pix[y*stride : y*stride+m.Width*step]
		dst := m.Pix[3*y*m.Width : 3*(y+1)*m.Width]
		for len(dst) >= 3 {
			pixel(dst, src)
			dst, src = dst[3:], src[step:]
		}
	}
}

func highBytes(dst, src []byte) { dst[0], dst[1], dst[2] = src[0], src[2], src[4] }

// unpremultiply is Pillow's unpacking of associated alpha ("RGBa").
func unpremultiply(dst, src []byte) {
	a := int(src[3])
	switch a {
	case 255:
		copy(dst[:3], src[:3])
	case 0:
		dst[0], dst[1], dst[2] = 0, 0, 0
	default:
		for i := range 3 {
			dst[i] = byte(min(255, int(src[i])*255/a))
		}
	}
}

// cmykToRGB is Pillow's conversion: each ink takes its share of what black leaves.
func cmykToRGB(dst []byte, c, m, y, k byte) {
	paper := 255 - int(k)
	for i, ink := range [3]byte{c, m, y} {
		t := int(ink)*paper + 128 // rounded division by 255
		dst[i] = byte(max(0, paper-((t>>8)+t)>>8))
	}
}

// paletteRGB returns a palette's colours without their alpha, black beyond its end.
func paletteRGB(p color.Palette) (out [256][3]byte) {
	for i, c := range p {
		if i == len(out) {
			break
		}
		n, ok := c.(color.NRGBA) // as PNG has it; conversion would lose transparent colours
		if !ok {
			n = color.NRGBAModel.Convert(c).(color.NRGBA)
		}
		out[i] = [3]byte{n.R, n.G, n.B}
	}
	return out
}
