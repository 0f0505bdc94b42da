package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/gif"
	"slices"
)

// gifFrame is where a GIF's first frame lies.
type gifFrame struct {
	screenW, screenH int
	control          int64           // offset of the flags of its graphic control extension, 0 without one
	transparent      int             // index of the transparent colour, −1 without one
	bounds           image.Rectangle // on the screen
}

// firstFrame walks the blocks up to the first image descriptor.
func firstFrame(s source) (f gifFrame, err error) {
	b, err := s.bytes(0, 13)
	if err != nil {
		return f, err
	}
	f.screenW, f.screenH, f.transparent = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:])), -1
	at := int64(13)
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	for {
		kind, err := s.bytes(at, 1)
		if err != nil {
			return f, err
		}
		switch kind[0] {
		case ',':
			d, err := s.bytes(at+1, 8)
			if err != nil {
				return f, err
			}
			x, y := int(binary.LittleEndian.Uint16(d)), int(binary.LittleEndian.Uint16(d[2:]))
			f.bounds = image.Rect(x, y, x+int(binary.LittleEndian.Uint16(d[4:])), y+int(binary.LittleEndian.Uint16(d[6:])))
			return f, nil
		case '!':
			if err := f.extension(s, &at); err != nil {
				return f, err
			}
		default:
			return f, errors.New("it has no image")
		}
	}
}

// extension reads the extension block at *at and moves behind it.
func (f *gifFrame) extension(s source, at *int64) error {
	label, err := s.bytes(*at+1, 1)
	if err != nil {
		return err
	}
	const graphicControl = 0xF9
	if label[0] == graphicControl {
		b, err := s.bytes(*at+2, 5)
		if err != nil {
			return err
		}
		f.control, f.transparent = *at+3, -1
		if b[1]&1 != 0 {
			f.transparent = int(b[4])
		}
	}
	for *at += 2; ; {
		n, err := s.bytes(*at, 1)
		if err != nil {
			return err
		}
		*at += 1 + int64(n[0])
		if n[0] == 0 {
			return nil
		}
	}
}

func probeGIF(s source) (h header, err error) {
	f, err := firstFrame(s)
	// Some files' first frame is larger than their screen; Pillow enlarges the screen.
	h.StoredWidth, h.StoredHeight = max(f.screenW, f.bounds.Max.X), max(f.screenH, f.bounds.Max.Y)
	return h, err
}

// decodeGIF decodes the first frame onto its screen, which is the transparent
// colour, else the palette's first, where the frame doesn't reach.
func decodeGIF(b []byte, h header) (*RGB, error) {
	f, err := firstFrame(memory(b))
	if err != nil {
		return nil, err
	}
	b = slices.Clone(b)
	binary.LittleEndian.PutUint16(b[6:], uint16(min(h.StoredWidth, 1<<16-1)))
	binary.LittleEndian.PutUint16(b[8:], uint16(min(h.StoredHeight, 1<<16-1)))
	if f.control != 0 {
		b[f.control] &^= 1 // else the decoder blackens the transparent colour
	}
	img, err := gif.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	frame, ok := img.(*image.Paletted)
	if !ok {
		return toRGB(img), nil
	}
	palette := paletteRGB(frame.Palette)
	out := NewRGB(h.StoredWidth, h.StoredHeight)
	fill := palette[max(0, f.transparent)]
	for i := 0; i < len(out.Pix); i += 3 {
		copy(out.Pix[i:], fill[:])
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		row := frame.Pix[(y-frame.Rect.Min.Y)*frame.Stride:]
		for x := range frame.Rect.Dx() {
			copy(out.Pix[3*(y*out.Width+frame.Rect.Min.X+x):], palette[row[x]][:])
		}
	}
	return out, nil
}
