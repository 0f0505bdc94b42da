package imageio

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// The tags of TIFF's first directory, which is also EXIF's, that matter here.
const (
	tagWidth       = 256
	tagHeight      = 257
	tagOrientation = 274
)

// directory reads the first directory of a TIFF stream, which is what EXIF
// data are: its tags with one whole number each. ok is false if it is none.
func directory(s source) (tags map[uint16]int, ok bool) {
	head, err := s.bytes(0, 8)
	if err != nil {
		return nil, false
	}
	var order binary.ByteOrder
	switch string(head[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return nil, false
	}
	at := int64(order.Uint32(head[4:]))
	count, err := s.bytes(at, 2)
	if err != nil {
		return nil, false
	}
	tags = make(map[uint16]int)
	for i := range int64(order.Uint16(count)) {
		entry, err := s.bytes(at+2+12*i, 12)
		if err != nil {
			break // a cut directory still has its first entries
		}
		const short, long = 3, 4
		switch kind := order.Uint16(entry[2:]); {
		case order.Uint32(entry[4:]) < 1:
		case kind == short:
			tags[order.Uint16(entry)] = int(order.Uint16(entry[8:]))
		case kind == long:
			tags[order.Uint16(entry)] = int(order.Uint32(entry[8:]))
		}
	}
	return tags, true
}

// exifOrientation returns the orientation in EXIF data (with or without their
// "Exif\0\0" prefix), 0 where they don't say.
func exifOrientation(data []byte) int {
	data = bytes.TrimPrefix(data, []byte("Exif\x00\x00"))
	tags, _ := directory(memory(data))
	return tags[tagOrientation]
}

// xmpOrientation returns the orientation in an XMP packet, 0 where it doesn't
// say. Pillow asks it when the EXIF data don't know.
func xmpOrientation(packet []byte) int {
	m := regexp.MustCompile(`tiff:Orientation(?:="|>)([0-9])`).FindSubmatch(packet)
	if m == nil {
		return 0
	}
	return int(m[1][0] - '0')
}
