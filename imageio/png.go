package imageio

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
)

// probePNG reads IHDR and looks for the orientation in all chunks: eXIf may
// follow the pixels.
func probePNG(s source) (h header, err error) {
	first, err := s.bytes(8, 16)
	if err != nil {
		return h, err
	}
	if string(first[4:8]) != "IHDR" {
		return h, errors.New("it doesn't begin with IHDR")
	}
	// uint32 sides beyond int32 are caught by the limits
	h.StoredWidth, h.StoredHeight = int(binary.BigEndian.Uint32(first[8:])), int(binary.BigEndian.Uint32(first[12:]))
	var profile, xmp int
	for at := int64(8); ; {
		chunk, err := s.bytes(at, 8)
		if err != nil {
			break // a missing end is the decoder's business
		}
		size := int64(binary.BigEndian.Uint32(chunk))
		switch kind := string(chunk[4:]); kind {
		case "eXIf":
			if data, err := s.bytes(at+8, size); err == nil && h.Orientation == 0 {
				h.Orientation = exifOrientation(data)
			}
		case "tEXt", "zTXt", "iTXt":
			if data, err := s.bytes(at+8, size); err == nil {
				switch key, text := pngText(kind, data); key {
				case "Raw profile type exif": // of ImageMagick
					profile = exifOrientation(rawProfile(text))
				case "XML:com.adobe.xmp":
					xmp = xmpOrientation(text)
				}
			}
		}
		at += 12 + size
	}
	for _, other := range []int{profile, xmp} {
		if h.Orientation == 0 {
			h.Orientation = other
		}
	}
	return h, nil
}

// pngText returns the keyword and the text of a text chunk (PNG, section 11.3.3).
func pngText(kind string, data []byte) (key string, text []byte) {
	name, text, ok := bytes.Cut(data, []byte{0})
	if !ok || len(text) == 0 {
		return "", nil
	}
	compressed := kind == "zTXt"
	switch kind {
	case "zTXt":
		text = text[1:] // the method, of which there is one
	case "iTXt":
		if len(text) < 2 {
			return "", nil
		}
		compressed, text = text[0] == 1, text[2:]
		for range 2 { // language, translated keyword
			_, text, _ = bytes.Cut(text, []byte{0})
		}
	}
	if compressed {
		const most = 1 << 20 // bytes; EXIF data have at most 64 KiB, twice that in hex
		r, err := zlib.NewReader(bytes.NewReader(text))
		if err != nil {
			return "", nil
		}
		if text, err = io.ReadAll(io.LimitReader(r, most)); err != nil {
			return "", nil
		}
	}
	return string(name), text
}

// rawProfile decodes ImageMagick's way to put binary data into text: a name, a
// length and hexadecimal digits, on lines of their own.
func rawProfile(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 {
		return nil
	}
	data, err := hex.DecodeString(strings.Join(lines[3:], ""))
	if err != nil {
		return nil
	}
	return data
}
