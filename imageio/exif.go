package imageio

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// directory is the first directory of a TIFF stream, which is what EXIF data
// are: numbers by tag.
type directory struct {
	s       source
	order   binary.ByteOrder
	entries map[uint16]entry
}

// entry is a tag's field type, its number of values, and the four bytes that
// hold them or say where they are.
type entry struct {
	kind  uint16
	count uint32
	value [4]byte
}

// The field types of whole numbers.
const (
	kindByte  = 1
	kindShort = 3
	kindLong  = 4
)

const tagOrientation = 274

// readDirectory reads the first directory; ok is false if there is none.
func readDirectory(s source) (d directory, ok bool) {
	head, err := s.bytes(0, 8)
	if err != nil {
		return d, false
	}
	d = directory{s: s, entries: make(map[uint16]entry)}
	switch string(head[:4]) {
	case "II*\x00":
		d.order = binary.LittleEndian
	case "MM\x00*":
		d.order = binary.BigEndian
	default:
		return d, false
	}
	at := int64(d.order.Uint32(head[4:]))
	count, err := s.bytes(at, 2)
	if err != nil {
		return d, false
	}
	for i := range int64(d.order.Uint16(count)) {
		b, err := s.bytes(at+2+12*i, 12)
		if err != nil {
			break // a cut directory still has its first entries
		}
		d.entries[d.order.Uint16(b)] = entry{d.order.Uint16(b[2:]), d.order.Uint32(b[4:]), [4]byte(b[8:])}
	}
	return d, true
}

// number returns a tag's first value, otherwise if the tag isn't there.
func (d directory) number(tag uint16, otherwise int) int {
	if e, ok := d.entries[tag]; ok {
		e.count = min(e.count, 1)
		if list, err := d.values(e); err == nil && len(list) > 0 {
			return list[0]
		}
	}
	return otherwise
}

// numbers returns all of a tag's values, none if the tag isn't there.
func (d directory) numbers(tag uint16) ([]int, error) { return d.values(d.entries[tag]) }

func (d directory) values(e entry) ([]int, error) {
	size, ok := map[uint16]int64{kindByte: 1, kindShort: 2, kindLong: 4}[e.kind]
	if !ok {
		return nil, nil
	}
	n := size * int64(e.count)
	b := e.value[:]
	if n > int64(len(b)) {
		var err error
		if b, err = d.s.bytes(int64(d.order.Uint32(b)), n); err != nil {
			return nil, err
		}
	}
	list := make([]int, e.count)
	for i := range list {
		switch at := int64(i) * size; e.kind {
		case kindByte:
			list[i] = int(b[at])
		case kindShort:
			list[i] = int(d.order.Uint16(b[at:]))
		default:
			list[i] = int(d.order.Uint32(b[at:]))
		}
	}
	return list, nil
}

// exifOrientation returns the orientation in EXIF data (with or without their
// "Exif\0\0" prefix), 0 where they don't say.
func exifOrientation(data []byte) int {
	data = bytes.TrimPrefix(data, []byte("Exif\x00\x00"))
	d, _ := readDirectory(memory(data))
	return d.number(tagOrientation, 0)
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
