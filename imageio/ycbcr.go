package imageio

import "image"

// ycbcrToRGB converts what the standard library's JPEG decoder gives as
// libjpeg does: halved chroma is interpolated from its two nearest samples
// each way, ¾ and ¼ ("fancy upsampling"), not repeated. With it the standard
// library's pixels are within a level or two of libjpeg's.
func ycbcrToRGB(m *image.YCbCr) *RGB {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	out := NewRGB(w, h)
	cb, cr := newChroma(m, m.Cb), newChroma(m, m.Cr)
	for y := range h {
		u, v := cb.row(y), cr.row(y)
		luma := m.Y[y*m.YStride:]
		for x := range w {
			ycbcrPixel(out.Pix[3*(y*w+x):], int32(luma[x]), int32(u[x])-128, int32(v[x])-128)
		}
	}
	return out
}

// ycbcrPixel is JFIF's colour conversion in libjpeg's 16-bit fixed point.
func ycbcrPixel(dst []byte, y, cb, cr int32) {
	const half = 1 << 15
	dst[0] = clip8(y + (91881*cr+half)>>16)           // 1.402
	dst[1] = clip8(y + (-22554*cb-46802*cr+half)>>16) // 0.344136, 0.714136
	dst[2] = clip8(y + (116130*cb+half)>>16)          // 1.772
}

func clip8(v int32) byte { return byte(min(max(v, 0), 255)) }

// chroma is a plane of chroma samples that is read row by row at the size of
// the luma plane.
type chroma struct {
	pix          []byte
	stride       int
	w, h         int // of the plane, in samples
	across, down int // luma samples a chroma sample, each way
	smooth       bool
	sums         []int32
	line         []byte
}

func newChroma(m *image.YCbCr, pix []byte) *chroma {
	across, down := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		across = 2
	case image.YCbCrSubsampleRatio420:
		across, down = 2, 2
	case image.YCbCrSubsampleRatio440:
		down = 2
	case image.YCbCrSubsampleRatio411:
		across = 4
	case image.YCbCrSubsampleRatio410:
		across, down = 4, 2
	}
	c := &chroma{pix: pix, stride: m.CStride, across: across, down: down}
	c.w, c.h = (m.Rect.Dx()+across-1)/across, (m.Rect.Dy()+down-1)/down
	c.smooth = across == 2 && c.w > 2 || across == 1 // libjpeg repeats the samples of narrower planes
	c.sums = make([]int32, c.w)
	c.line = make([]byte, c.w*across)
	return c
}

// row returns the plane's samples at luma row y.
func (c *chroma) row(y int) []byte {
	near := c.pix[y/c.down*c.stride:][:c.w]
	switch {
	case c.across == 1 && c.down == 1:
		return near
	case !c.smooth:
		for x := range c.line {
			c.line[x] = near[x/c.across]
		}
		return c.line
	case c.down == 1:
		for x, v := range near {
			c.sums[x] = int32(v)
		}
		widen(c.line, c.sums, 1, 2, 2)
		return c.line
	}
	other := min(max(y/2+2*(y&1)-1, 0), c.h-1)
	far := c.pix[other*c.stride:][:c.w]
	if c.across == 1 {
		for x := range c.line {
			c.line[x] = byte((3*int32(near[x]) + int32(far[x]) + 1 + int32(y&1)) >> 2)
		}
		return c.line
	}
	for x := range c.sums {
		c.sums[x] = 3*int32(near[x]) + int32(far[x])
	}
	widen(c.line, c.sums, 8, 7, 4)
	return c.line
}

// widen doubles a row: each sample gives one pixel leaning to its left
// neighbour and one to its right. The two roundings differ, so that the means
// don't drift.
func widen(dst []byte, src []int32, left, right int32, shift uint) {
	last := len(src) - 1
	for x, v := range src {
		l, r := src[max(x-1, 0)], src[min(x+1, last)]
		dst[2*x] = byte((3*v + l + left) >> shift)
		dst[2*x+1] = byte((3*v + r + right) >> shift)
	}
}
