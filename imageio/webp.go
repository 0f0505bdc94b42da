package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"golang.org/x/image/vp8"
	"golang.org/x/image/vp8l"
)

// webpFrame is a WebP file's picture, or the first of its animation.
type webpFrame struct {
	canvasW, canvasH int // of the whole picture
	x, y             int // where the frame lies on it
	w, h             int // size of the frame
	orientation      int
	lossless         bool
	at, size         int64 // of its VP8 or VP8L data
}

// parseWebP walks the RIFF chunks. Alpha is of no interest here, so that its
// chunk is passed over.
func parseWebP(s source) (f webpFrame, err error) {
	var xmp int
	end := s.size
	if b, err := s.bytes(4, 4); err == nil {
		end = min(end, 8+int64(binary.LittleEndian.Uint32(b)))
	}
	for at := int64(12); at+8 <= end; {
		b, err := s.bytes(at, 8)
		if err != nil {
			return f, err
		}
		at += 8
		size := int64(binary.LittleEndian.Uint32(b[4:]))
		next := at + size + size&1
		switch id := string(b[:4]); id {
		case "VP8X":
			if b, err = s.bytes(at, 10); err != nil {
				return f, err
			}
			f.canvasW, f.canvasH = 1+uint24(b[4:]), 1+uint24(b[7:])
		case "ANMF":
			if f.size == 0 {
				if b, err = s.bytes(at, 16); err != nil {
					return f, err
				}
				f.x, f.y = 2*uint24(b), 2*uint24(b[3:])
				next = at + 16 // go on with the chunks inside
			}
		case "VP8 ", "VP8L":
			if f.size == 0 {
				if err := f.picture(s, at, size, id == "VP8L"); err != nil {
					return f, err
				}
			}
		case "EXIF":
			if data, err := s.bytes(at, size); err == nil && f.orientation == 0 {
				f.orientation = exifOrientation(data)
			}
		case "XMP ":
			if data, err := s.bytes(at, size); err == nil {
				xmp = xmpOrientation(data)
			}
		}
		at = next
	}
	if f.size == 0 {
		return f, errors.New("it has no picture")
	}
	if f.orientation == 0 {
		f.orientation = xmp
	}
	if f.canvasW == 0 {
		f.canvasW, f.canvasH = f.w, f.h
	}
	if f.x+f.w > f.canvasW || f.y+f.h > f.canvasH {
		return f, fmt.Errorf("its frame of %d × %d doesn't fit its canvas of %d × %d", f.w, f.h, f.canvasW, f.canvasH)
	}
	return f, nil
}

// picture reads the size in a VP8 or VP8L chunk's header (RFC 6386 section
// 9.1; WebP lossless bitstream, section 3).
func (f *webpFrame) picture(s source, at, size int64, lossless bool) error {
	f.at, f.size, f.lossless = at, size, lossless
	b, err := s.bytes(at, 10)
	if err != nil {
		return err
	}
	if lossless {
		bits := binary.LittleEndian.Uint32(b[1:])
		f.w, f.h = 1+int(bits&0x3FFF), 1+int(bits>>14&0x3FFF)
		return nil
	}
	f.w, f.h = int(binary.LittleEndian.Uint16(b[6:])&0x3FFF), int(binary.LittleEndian.Uint16(b[8:])&0x3FFF)
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func probeWebP(s source) (h header, err error) {
	f, err := parseWebP(s)
	h.StoredWidth, h.StoredHeight, h.Orientation = f.canvasW, f.canvasH, f.orientation
	return h, err
}

func decodeWebP(b []byte) (*RGB, error) {
	f, err := parseWebP(memory(b))
	if err != nil {
		return nil, err
	}
	data, err := memory(b).bytes(f.at, f.size)
	if err != nil {
		return nil, err
	}
	frame, err := f.decode(data)
	if err != nil {
		return nil, err
	}
	if f.canvasW == f.w && f.canvasH == f.h {
		return frame, nil
	}
	out := NewRGB(f.canvasW, f.canvasH)
	for y := range f.h {
		copy(out.Pix[3*((f.y+y)*out.Width+f.x):], frame.Pix[3*y*f.w:3*(y+1)*f.w])
	}
	return out, nil
}

func (f webpFrame) decode(data []byte) (*RGB, error) {
	if f.lossless {
		img, err := vp8l.Decode(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return toRGB(img), nil
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(data), len(data))
	if _, err := d.DecodeFrameHeader(); err != nil {
		return nil, err
	}
	img, err := d.DecodeFrame()
	if err != nil {
		return nil, err
	}
	return fancyUpsample(img), nil
}

// fancyUpsample converts 4:2:0 to RGB as libwebp does: each chroma sample is
// ¾ ¼ interpolated with its neighbour both ways (weights 9 3 3 1, rounded),
// and colour is ITU-R BT.601 of limited range in fixed point.
func fancyUpsample(m *image.YCbCr) *RGB {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	cw, ch := (w+1)/2, (h+1)/2
	out := NewRGB(w, h)
	u, v := make([]byte, 2*cw), make([]byte, 2*cw)
	for y := range h {
		near := y / 2 * m.CStride
		far := min(max(y/2+2*(y&1)-1, 0), ch-1) * m.CStride
		widenMixed(u, m.Cb[near:near+cw], m.Cb[far:far+cw])
		widenMixed(v, m.Cr[near:near+cw], m.Cr[far:far+cw])
		dst := out.Pix[3*y*w : 3*(y+1)*w]
		for x, luma := range m.Y[y*m.YStride:][:w] {
			yuvToRGB(dst[3*x:3*x+3], int32(luma), int32(u[x]), int32(v[x]))
		}
	}
	return out
}

// widenMixed doubles a row of chroma, given the nearest row and the next.
func widenMixed(dst, near, far []byte) {
	last := len(near) - 1
	for x := range near {
		l, r := max(x-1, 0), min(x+1, last)
		dst[2*x] = mixChroma(near[x], near[l], far[x], far[l])
		dst[2*x+1] = mixChroma(near[x], near[r], far[x], far[r])
	}
}

// mixChroma weighs the near sample, its neighbours across and down, and the
// diagonal one 9 3 3 1, with libwebp's two-step rounding.
func mixChroma(near, across, down, diagonal byte) byte {
	n, a, d, g := int32(near), int32(across), int32(down), int32(diagonal)
	diag := (n + a + d + g + 8 + 2*(a+d)) >> 3 // along the diagonal that n isn't on
	return byte((diag + n) >> 1)
}

func yuvToRGB(dst []byte, y, u, v int32) {
	luma := y * 19077 >> 8
	dst[0] = clip6(luma + v*26149>>8 - 14234)
	dst[1] = clip6(luma - u*6419>>8 - v*13320>>8 + 8708)
	dst[2] = clip6(luma + u*33050>>8 - 17685)
}

// clip6 drops the six fraction bits and clips to a byte.
func clip6(v int32) byte { return byte(min(max(v>>6, 0), 255)) }
