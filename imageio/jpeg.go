package imageio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
)

// JPEG markers (ITU-T T.81, table B.1).
const (
	markerSOF0 = 0xC0
	markerDHT  = 0xC4
	markerJPG  = 0xC8
	markerDAC  = 0xCC
	markerRST0 = 0xD0
	markerRST7 = 0xD7
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerAPP1 = 0xE1
	markerTEM  = 0x01
)

// JPEGDecoder says what decodes JPEG on this machine.
func JPEGDecoder() string {
	if turbo() != nil {
		return "libjpeg-turbo"
	}
	return "Go standard library"
}

// probeJPEG walks the segments before the first scan: the frame header has the
// size, APP1 the orientation.
func probeJPEG(s source) (h header, err error) {
	var exif, xmp int
	for at := int64(2); ; {
		marker, payload, next, err := segment(s, at)
		if err != nil {
			return h, err
		}
		switch {
		case marker == markerSOS || marker == markerEOI:
			if h.components == 0 {
				return h, errors.New("it has no frame header")
			}
			if h.Orientation = exif; exif == 0 {
				h.Orientation = xmp
			}
			return h, nil
		case isFrame(marker) && h.components == 0:
			if len(payload) < 6 {
				return h, errors.New("its frame header is too short")
			}
			if payload[0] != 8 {
				return h, errors.New("it has more than 8 bits a channel, which is not read")
			}
			h.StoredHeight = int(binary.BigEndian.Uint16(payload[1:]))
			h.StoredWidth = int(binary.BigEndian.Uint16(payload[3:]))
			if h.components = int(payload[5]); h.components != 1 && h.components != 3 && h.components != 4 {
				return h, errors.New("it is neither grey nor RGB nor CMYK")
			}
		case marker == markerAPP1 && bytes.HasPrefix(payload, []byte("Exif\x00")) && exif == 0:
			exif = exifOrientation(payload[min(6, len(payload)):])
		case marker == markerAPP1 && bytes.HasPrefix(payload, []byte("http://ns.adobe.com/xap/1.0/\x00")):
			xmp = xmpOrientation(payload)
		}
		at = next
	}
}

// segment reads the marker at or after an offset and its payload, which is
// empty for SOS, EOI and other markers that have none of interest.
func segment(s source, at int64) (marker byte, payload []byte, next int64, err error) {
	for {
		b, err := s.bytes(at, 2)
		if err != nil {
			return 0, nil, 0, err
		}
		if b[0] == 0xFF && b[1] != 0xFF && b[1] != 0 {
			marker = b[1]
			at += 2
			break
		}
		at++ // fill bytes, or garbage that decoders skip too
	}
	switch {
	case marker == markerEOI || marker == markerSOI || marker == markerTEM || marker >= markerRST0 && marker <= markerRST7:
		return marker, nil, at, nil
	}
	size, err := s.bytes(at, 2)
	if err != nil {
		return 0, nil, 0, err
	}
	n := int64(binary.BigEndian.Uint16(size))
	if n < 2 {
		return 0, nil, 0, errors.New("a segment has no length")
	}
	if isFrame(marker) || marker == markerAPP1 {
		if payload, err = s.bytes(at+2, n-2); err != nil {
			return 0, nil, 0, err
		}
	}
	return marker, payload, at + n, nil
}

func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= 0xCF && marker != markerDHT && marker != markerJPG && marker != markerDAC
}

// complete reports whether the file goes on to its EOI marker.
func complete(b []byte) bool {
	s := memory(b)
	for at := int64(2); ; {
		marker, _, next, err := segment(s, at)
		if err != nil {
			return false
		}
		if marker == markerEOI {
			return true
		}
		at = next
		if marker == markerSOS {
			at += scanLength(b[min(at, s.size):])
		}
	}
}

// scanLength returns the length of the entropy-coded data at the start of b:
// up to a marker that is neither a stuffed zero nor a restart.
func scanLength(b []byte) int64 {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], 0xFF)
		if i < 0 || at+i+1 >= len(b) {
			return int64(len(b))
		}
		at += i
		if m := b[at+1]; m != 0 && m != 0xFF && (m < markerRST0 || m > markerRST7) {
			return int64(at)
		}
		at++
	}
}

// errCut returns the error of a JPEG that ends early.
func errCut() error { return fmt.Errorf("the file is cut off: %w", io.ErrUnexpectedEOF) }

// decodeJPEG decodes with libjpeg-turbo or the standard library. Like Pillow,
// it takes CMYK to be stored inverted, as Adobe's programs do, and refuses a
// file that ends early though libjpeg would fill the rest with grey.
func decodeJPEG(b []byte, h header) (*RGB, error) {
	if lib := turbo(); lib != nil {
		return lib.decode(b, h)
	}
	return decodeJPEGStd(b)
}

func decodeJPEGStd(b []byte) (*RGB, error) {
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return toRGB(img), nil
}
