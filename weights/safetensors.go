package weights

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math"
	"slices"

	"remuda/internal/disk"
)

// The limits of a safetensors header. The format's own is 100 MB; a detector
// needs less than 100 kB.
const (
	maxHeader     = 16 << 20
	metadataEntry = "__metadata__"
)

// tensorEntry is one line of a safetensors header.
type tensorEntry struct {
	DType   dtype    `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // [begin, end) in bytes after the header
}

// parseSafetensors reads the header: an 8-byte little-endian length, that many
// bytes of JSON, then the data, which the arrays must cover without gap or
// overlap (https://github.com/huggingface/safetensors, "Format").
func (f *File) parseSafetensors(size int64) error {
	var prefix [8]byte
	if _, err := f.data.ReadAt(prefix[:], 0); err != nil {
		return fmt.Errorf("read the header's length: %w", err)
	}
	length := binary.LittleEndian.Uint64(prefix[:])
	if length > maxHeader {
		return fmt.Errorf("its header claims %d bytes, %d are allowed", length, maxHeader)
	}
	if length > uint64(size-8) {
		return fmt.Errorf("it is truncated: its header has %d bytes, %d are there", length, size-8)
	}
	header := make([]byte, length)
	if _, err := f.data.ReadAt(header, 8); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the header: %w", err)
	}
	entries, err := f.decodeHeader(header)
	if err != nil {
		return err
	}
	return f.layOut(entries, 8+int64(length), size)
}

// decodeHeader walks the JSON by hand, because a decoder into a map would let
// one of two equal names win.
func (f *File) decodeHeader(header []byte) (map[string]tensorEntry, error) {
	decoder := json.NewDecoder(bytes.NewReader(header))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("its header is not a JSON object")
	}
	entries := make(map[string]tensorEntry)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("decode the header: %w", err)
		}
		name := token.(string) // a key of an object is always a string
		if name == metadataEntry {
			err = decoder.Decode(&f.metadata)
		} else if _, twice := entries[name]; twice {
			err = fmt.Errorf("array %q appears twice", name)
		} else {
			var entry tensorEntry
			err = decoder.Decode(&entry)
			entries[name] = entry
		}
		if err != nil {
			return nil, fmt.Errorf("decode the header: %w", err)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("decode the header: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("its header goes on after the JSON object")
	}
	return entries, nil
}

// layOut checks the entries against the file and enters them.
func (f *File) layOut(entries map[string]tensorEntry, start, size int64) error {
	names := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	end := int64(0)
	for _, name := range names {
		entry := entries[name]
		width := int64(entry.DType.width())
		if width == 0 {
			return fmt.Errorf("array %q has the type %q, which is not supported", name, entry.DType)
		}
		n, err := elements(entry.Shape)
		if err != nil {
			return fmt.Errorf("array %q: %w", name, err)
		}
		if entry.Offsets[0] != end || entry.Offsets[1]-end != n*width {
			return fmt.Errorf("array %q of shape %v lies at bytes %d to %d, where %d to %d are expected",
				name, entry.Shape, entry.Offsets[0], entry.Offsets[1], end, end+n*width)
		}
		end = entry.Offsets[1]
		if end > size-start {
			return fmt.Errorf("it is truncated: array %q ends at byte %d, the file at %d", name, start+end, size)
		}
		shape := append([]int{}, entry.Shape...)
		if err := f.add(name, array{dtype: entry.DType, shape: shape, offset: start + entry.Offsets[0]}, start, size); err != nil {
			return err
		}
	}
	if end != size-start {
		return fmt.Errorf("%d bytes follow its last array", size-start-end)
	}
	return nil
}

// ArchEntry is where the metadata of a file of weights may say its architecture.
const ArchEntry = "arch"

// Array is a named array to be written. Read is called once, when its turn
// comes, so that only one array has to be in memory.
type Array struct {
	Name  string
	Shape []int
	Read  func() ([]float32, error) // values in row-major order, as many as Shape says
}

// WriteSafetensors writes arrays as float32 in order of their names, and
// returns the file's SHA-256 in hex. The same arrays and metadata give the same
// bytes. Either the whole file appears at path or none: it is written beside
// it, flushed to disk and renamed. A full disk is an error with code
// unavailable that leaves an older file at path as it was.
func WriteSafetensors(path string, arrays []Array, metadata map[string]string) (string, error) {
	arrays = slices.SortedFunc(slices.Values(arrays), func(a, b Array) int { return cmp.Compare(a.Name, b.Name) })
	header, err := encodeHeader(arrays, metadata)
	if err != nil {
		return "", fmt.Errorf("write weights %s: %w", path, err)
	}
	sum := sha256.New()
	err = disk.Replace(path, func(w io.Writer) error { return writeArrays(w, sum, header, arrays) })
	if err != nil {
		return "", diskError(err, "write weights %s", path)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func encodeHeader(arrays []Array, metadata map[string]string) ([]byte, error) {
	entries := make(map[string]any, len(arrays)+1) // encoding/json sorts keys
	end := int64(0)
	for _, a := range arrays {
		if _, twice := entries[a.Name]; twice || a.Name == metadataEntry {
			return nil, fmt.Errorf("two arrays are called %q", a.Name)
		}
		n, err := elements(a.Shape)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", a.Name, err)
		}
		entries[a.Name] = tensorEntry{DType: float32Type, Shape: append([]int{}, a.Shape...), Offsets: [2]int64{end, end + 4*n}}
		end += 4 * n
	}
	if len(metadata) > 0 {
		entries[metadataEntry] = metadata
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(entries); err != nil {
		return nil, fmt.Errorf("encode the header: %w", err)
	}
	encoded := bytes.TrimRight(text.Bytes(), "\n")
	padding := (8 - len(encoded)%8) % 8 // so that the data is aligned
	encoded = append(encoded, bytes.Repeat([]byte(" "), padding)...)
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(encoded))), encoded...), nil
}

func writeArrays(w io.Writer, sum hash.Hash, header []byte, arrays []Array) error {
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<18)
	if _, err := out.Write(header); err != nil {
		return err
	}
	for _, a := range arrays {
		values, err := a.Read()
		if err != nil {
			return fmt.Errorf("read array %q: %w", a.Name, err)
		}
		if n, err := elements(a.Shape); err != nil || n != int64(len(values)) {
			return fmt.Errorf("array %q has %d values for the shape %v", a.Name, len(values), a.Shape)
		}
		var raw [4]byte
		for _, v := range values {
			binary.LittleEndian.PutUint32(raw[:], math.Float32bits(v))
			if _, err := out.Write(raw[:]); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
