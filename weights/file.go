package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"remuda"
)

// File is an open file of named arrays. Values are read from disk when they are
// asked for. It may be used from several goroutines at once.
type File struct {
	path     string
	data     io.ReaderAt
	close    func() error
	arrays   map[string]array
	metadata map[string]string
}

// array says where the values of one name lie. Its extent has been checked
// against the file.
type array struct {
	dtype   dtype
	shape   []int
	strides []int // in elements; nil for row-major order without gaps
	offset  int64 // of the first element, in bytes from the file's start
}

// maxElements bounds one array, so that products of sizes cannot overflow.
const maxElements = 1 << 40

// Open opens a file of weights and reads its table of contents. What kind of
// file it is is found out by looking: safetensors, or what torch.save writes
// (the zip archive of PyTorch 1.6 and later, and the format before it, which
// torchvision's ResNet-50 detector is published in).
//
// It fails with code not_found when there is no such file and with invalid when
// the file is truncated, inconsistent, of another kind, or holds something else
// than tensors.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, remuda.Errorf(remuda.NotFound, "read weights: %w", err).WithHint("check the path")
	} else if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "open weights: %w", err).WithHint("give a file that can be read")
	}
	opened, err := open(path, f)
	if err != nil {
		f.Close()
		return nil, err
	}
	opened.close = f.Close
	return opened, nil
}

func open(path string, f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, remuda.Errorf(remuda.Invalid, "%s is not a file", path).WithHint("give a .safetensors or .pth file")
	}
	return parse(path, f, info.Size())
}

// parse reads the table of contents of size bytes; path is for messages only.
func parse(path string, data io.ReaderAt, size int64) (*File, error) {
	head := make([]byte, min(size, 512))
	if _, err := data.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	file := &File{path: path, data: data, close: func() error { return nil }}
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		err = file.parseZip(size)
	case bytes.HasPrefix(head, []byte(legacyMagic)):
		err = file.parseLegacy(size)
	case len(head) > 8 && head[8] == '{':
		err = file.parseSafetensors(size)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		err = errors.New("it is in the tar format of PyTorch before 0.2, which is not supported")
	case size == 0:
		err = errors.New("the file is empty")
	default:
		err = errors.New("this is neither safetensors nor what torch.save writes")
	}
	if err == nil {
		return file, nil
	}
	wrapped := remuda.Errorf(remuda.Invalid, "read weights %s: %w", path, err)
	if remuda.HintOf(err) == "" {
		wrapped = wrapped.WithHint("get the file again, or give another .safetensors or .pth file")
	}
	return nil, wrapped
}

// Close closes the file; nothing can be read from it afterwards.
func (f *File) Close() error { return f.close() }

// Names lists the arrays in alphabetical order.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.arrays)) }

// Has reports whether there is an array of that name.
func (f *File) Has(name string) bool {
	_, ok := f.arrays[name]
	return ok
}

// Shape returns the sizes of an array, outermost first: an empty slice for a
// scalar, nil when there is no array of that name.
func (f *File) Shape(name string) []int { return slices.Clone(f.arrays[name].shape) }

// Shapes returns the sizes of every array by name.
func (f *File) Shapes() map[string][]int {
	shapes := make(map[string][]int, len(f.arrays))
	for name, a := range f.arrays {
		shapes[name] = slices.Clone(a.shape)
	}
	return shapes
}

// Metadata returns the words that a safetensors file carries; never nil.
func (f *File) Metadata() map[string]string {
	if f.metadata == nil {
		return map[string]string{}
	}
	return maps.Clone(f.metadata)
}

// Read returns the values of an array in row-major order, as float32 whatever
// type they have in the file. It fails with code not_found when there is no
// array of that name.
func (f *File) Read(name string) ([]float32, error) {
	a, ok := f.arrays[name]
	if !ok {
		return nil, remuda.Errorf(remuda.NotFound, "%s has no array called %q", f.path, name)
	}
	values, err := a.read(f.data)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, f.path, err)
	}
	return values, nil
}

// add enters an array after checking that it lies within [start, end) of the
// file, for which start is where its storage begins.
func (f *File) add(name string, a array, start, end int64) error {
	n, err := elements(a.shape)
	if err != nil {
		return fmt.Errorf("array %q: %w", name, err)
	}
	if f.Has(name) {
		return fmt.Errorf("array %q appears twice", name)
	}
	span := n
	if a.strides != nil {
		if span, err = extent(a.shape, a.strides); err != nil {
			return fmt.Errorf("array %q: %w", name, err)
		}
	}
	width := int64(a.dtype.width())
	if a.offset < start || a.offset > end || span > (end-a.offset)/width || n > (end-start)/width {
		return fmt.Errorf("array %q of shape %v reaches beyond its data", name, a.shape)
	}
	if f.arrays == nil {
		f.arrays = make(map[string]array)
	}
	f.arrays[name] = a
	return nil
}

// elements returns the product of sizes.
func elements(shape []int) (int64, error) {
	n := int64(1)
	for _, size := range shape {
		if size < 0 {
			return 0, fmt.Errorf("its shape %v has a negative size", shape)
		}
		if size > 0 && n > maxElements/int64(size) {
			return 0, fmt.Errorf("its shape %v is too large", shape)
		}
		n *= int64(size)
	}
	return n, nil
}

// extent returns how many elements of storage a strided array spans.
func extent(shape, strides []int) (int64, error) {
	if len(shape) != len(strides) {
		return 0, fmt.Errorf("it has %d sizes and %d strides", len(shape), len(strides))
	}
	if slices.Contains(shape, 0) {
		return 0, nil
	}
	span := int64(1)
	for i, size := range shape {
		stride := strides[i]
		if stride < 0 || stride > maxElements || size > 1 && int64(stride) > maxElements/int64(size) {
			return 0, fmt.Errorf("its strides %v are out of range", strides)
		}
		if span += int64(size-1) * int64(stride); span > maxElements {
			return 0, fmt.Errorf("its strides %v are too large", strides)
		}
	}
	return span, nil
}

func (a array) read(data io.ReaderAt) ([]float32, error) {
	n, err := elements(a.shape)
	if err != nil {
		return nil, err
	}
	values := make([]float32, n)
	if a.strides == nil {
		return values, a.dtype.readInto(values, data, a.offset)
	}
	span, err := extent(a.shape, a.strides)
	if err != nil {
		return nil, err
	}
	storage := make([]float32, span)
	if err := a.dtype.readInto(storage, data, a.offset); err != nil {
		return nil, err
	}
	gather(values, storage, a.shape, a.strides)
	return values, nil
}

// gather copies a strided array into row-major order, counting its index up
// like an odometer.
func gather(dst, storage []float32, shape, strides []int) {
	index := make([]int, len(shape))
	at := 0
	for i := range dst {
		dst[i] = storage[at]
		for d := len(shape) - 1; d >= 0; d-- {
			index[d]++
			at += strides[d]
			if index[d] < shape[d] {
				break
			}
			at -= index[d] * strides[d]
			index[d] = 0
		}
	}
}
