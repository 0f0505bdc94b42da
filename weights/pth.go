package weights

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// legacyMagic is the pickled number that torch.save wrote first before PyTorch
// 1.6 (MAGIC_NUMBER in torch/serialization.py).
const legacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."

// extentOf is where a storage lies in the file, in bytes.
type extentOf struct{ start, end int64 }

// parseZip reads the archive that torch.save writes since PyTorch 1.6:
// NAME/data.pkl, a pickle, and NAME/data/KEY, one uncompressed entry a storage.
func (f *File) parseZip(size int64) error {
	archive, err := zip.NewReader(f.data, size)
	if err != nil {
		return fmt.Errorf("it is truncated or damaged: %w", err)
	}
	entries := make(map[string]*zip.File, len(archive.File))
	var root string
	for _, entry := range archive.File {
		entries[entry.Name] = entry
		if dir, ok := strings.CutSuffix(entry.Name, "data.pkl"); ok {
			root = dir
		}
	}
	pickle, ok := entries[root+"data.pkl"]
	if !ok {
		return errors.New("it is a zip archive without data.pkl, which torch.save did not write")
	}
	if order, ok := entries[root+"byteorder"]; ok {
		if text, err := readEntry(order, 16); err != nil || string(text) != "little" {
			return errors.New("its numbers are in big-endian order, which is not supported")
		}
	}
	text, err := readEntry(pickle, maxPickle)
	if err != nil {
		return err
	}
	whole, err := unpickle(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return err
	}
	return f.enter(whole.value, func(s storage) (extentOf, error) {
		entry, ok := entries[root+"data/"+s.key]
		if !ok {
			return extentOf{}, fmt.Errorf("it is damaged: there is no storage %.40q", s.key)
		}
		return entryExtent(entry, size)
	})
}

func readEntry(entry *zip.File, limit uint64) ([]byte, error) {
	if entry.UncompressedSize64 > limit {
		return nil, fmt.Errorf("its %.40q has %d bytes, %d are allowed", entry.Name, entry.UncompressedSize64, limit)
	}
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("read %.40q: %w", entry.Name, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(limit)))
	if err != nil {
		return nil, fmt.Errorf("read %.40q: %w", entry.Name, err)
	}
	return text, nil
}

func entryExtent(entry *zip.File, size int64) (extentOf, error) {
	if entry.Method != zip.Store || entry.CompressedSize64 != entry.UncompressedSize64 {
		return extentOf{}, errors.New("its arrays are compressed, which torch.save never does")
	}
	start, err := entry.DataOffset()
	if err != nil {
		return extentOf{}, fmt.Errorf("read %.40q: %w", entry.Name, err)
	}
	if start > size || entry.UncompressedSize64 > uint64(size-start) {
		return extentOf{}, fmt.Errorf("it is truncated: its storage %.40q reaches beyond its end", entry.Name)
	}
	return extentOf{start, start + int64(entry.UncompressedSize64)}, nil
}

// parseLegacy reads what torch.save wrote before PyTorch 1.6: pickles of a magic
// number, a version, facts about the machine, the value and the list of storage
// keys, then each storage as an 8-byte count and its numbers.
func (f *File) parseLegacy(size int64) error {
	const version = 1001
	in := bufio.NewReader(io.NewSectionReader(f.data, int64(len(legacyMagic)), size))
	at := int64(len(legacyMagic))
	var parts [4]unpickled
	for i := range parts {
		var err error
		if parts[i], err = unpickle(in); err != nil {
			return err
		}
		at += parts[i].length
	}
	if parts[0].value != int64(version) {
		return errors.New("it is of a version of PyTorch that is not supported")
	}
	if machine, ok := parts[1].value.(*dict); !ok || machine.get("little_endian") != true {
		return errors.New("its numbers are in big-endian order, which is not supported")
	}
	keys, ok := parts[3].value.(*list)
	if !ok {
		return errMalformed
	}
	extents, err := f.legacyExtents(parts[2].types, keys.items, at, size)
	if err != nil {
		return err
	}
	return f.enter(parts[2].value, func(s storage) (extentOf, error) {
		e, ok := extents[s.key]
		if !ok {
			return e, fmt.Errorf("it is damaged: there is no storage %.40q", s.key)
		}
		return e, nil
	})
}

// legacyExtents walks over the storages, each a count and its numbers. How wide
// the numbers are is said in the pickle alone.
func (f *File) legacyExtents(types map[string]dtype, keys []any, at, size int64) (map[string]extentOf, error) {
	extents := make(map[string]extentOf, len(keys))
	for _, item := range keys {
		key, ok := item.(string)
		width := int64(types[key].width())
		if !ok || width == 0 {
			return nil, errMalformed
		}
		var raw [8]byte
		if _, err := f.data.ReadAt(raw[:], at); err != nil {
			return nil, errors.New("it is truncated: its storages break off")
		}
		count := binary.LittleEndian.Uint64(raw[:])
		at += int64(len(raw))
		if count > uint64(size-at)/uint64(width) {
			return nil, errors.New("it is truncated: its storages break off")
		}
		extents[key] = extentOf{at, at + int64(count)*width}
		at = extents[key].end
	}
	return extents, nil
}

// get returns the value last set under a key.
func (d *dict) get(key string) any {
	for i := len(d.keys) - 1; i >= 0; i-- {
		if d.keys[i] == key {
			return d.values[i]
		}
	}
	return nil
}

// stateDict finds the tensors by name: the value itself, or what a training
// script put under one of the customary names.
func stateDict(value any) (*dict, error) {
	d, ok := value.(*dict)
	if !ok {
		return nil, errors.New("it holds something else than arrays by name")
	}
	if d.hasTensors() {
		return d, nil
	}
	for _, name := range []string{"model", "state_dict", "model_state_dict"} {
		if inner, ok := d.get(name).(*dict); ok && inner.hasTensors() {
			return inner, nil
		}
	}
	return nil, errors.New("it holds no arrays by name, neither by itself nor under model, state_dict or model_state_dict")
}

func (d *dict) hasTensors() bool {
	for _, v := range d.values {
		if _, ok := v.(*tensor); ok {
			return true
		}
	}
	return false
}

// enter adds the tensors of a value; find says where a storage lies.
func (f *File) enter(value any, find func(storage) (extentOf, error)) error {
	state, err := stateDict(value)
	if err != nil {
		return err
	}
	for i, v := range state.values {
		t, ok := v.(*tensor)
		if !ok {
			continue
		}
		name, ok := state.keys[i].(string)
		if !ok {
			return errors.New("it holds an array without a name")
		}
		where, err := find(t.storage)
		if err != nil {
			return err
		}
		width := int64(t.storage.dtype.width())
		first := t.storage.offset
		if first > (where.end-where.start)/width || t.storage.length > (where.end-where.start)/width-first {
			return fmt.Errorf("array %.80q: its storage is shorter than it says", name)
		}
		start := where.start + first*width
		a := array{dtype: t.storage.dtype, shape: t.shape, offset: start + t.offset*width}
		if !rowMajor(t.shape, t.strides) {
			a.strides = t.strides
		}
		if err := f.add(name, a, start, start+t.storage.length*width); err != nil {
			return err
		}
	}
	return nil
}

// rowMajor reports whether strides leave no gaps and keep the order; those of
// sizes 0 and 1 don't matter.
func rowMajor(shape, strides []int) bool {
	next := 1
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] > 1 && strides[i] != next {
			return false
		}
		next *= max(shape[i], 1)
	}
	return true
}
