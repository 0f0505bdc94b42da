package imageio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"remuda"
)

// Limits on what is decoded at all, checked on the header.
const (
	MaxPixels = 100_000_000 // width × height
	MaxSide   = 30_000      // pixels across or down
)

// Info is what an image file's header says.
type Info struct {
	Format        string // jpeg, png, webp, gif, bmp or tiff
	Width, Height int    // pixels of the upright image
	// Size as it is stored, before Orientation turns it.
	StoredWidth, StoredHeight int
	Orientation               int // EXIF's, 1 (upright) to 8
}

// Probe reads a file's header only. Errors are coded: not_found, or invalid
// for empty, unknown, cut and too large files.
func Probe(path string) (Info, error) {
	f, err := os.Open(path)
	if err != nil {
		return Info{}, openError(path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Info{}, openError(path, err)
	}
	if st.IsDir() {
		return Info{}, remuda.Errorf(remuda.Invalid, "read image %s: it is a folder", path)
	}
	h, err := probe(source{f, st.Size()})
	if err != nil {
		return Info{}, fmt.Errorf("read image %s: %w", path, err)
	}
	return h.Info, nil
}

// ProbeReader is Probe on size bytes that are not a file.
func ProbeReader(r io.ReaderAt, size int64) (Info, error) {
	h, err := probe(source{r, size})
	return h.Info, err
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return remuda.Errorf(remuda.NotFound, "read image %s: there is no such file", path)
	}
	return remuda.Errorf(remuda.Invalid, "read image: %w", err)
}

// header is Info and what the decoders need besides.
type header struct {
	Info
	components int // of a JPEG: 1 grey, 3 colour, 4 CMYK
}

// probe finds out the format by its first bytes and reads the header.
func probe(s source) (header, error) {
	if s.size == 0 {
		return header{}, remuda.Errorf(remuda.Invalid, "the file is empty (0 bytes)").WithHint("copy the image again or remove it")
	}
	head := make([]byte, 32)
	n, err := s.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return header{}, remuda.Errorf(remuda.Invalid, "read its header: %w", err)
	}
	name, read := sniff(head[:n])
	if read == nil {
		return header{}, remuda.Errorf(remuda.Invalid, "this is no image of a known format").
			WithHint("convert it to JPEG, PNG, WebP, GIF, BMP or TIFF, or remove it")
	}
	h, err := read(s)
	if err != nil {
		return header{}, invalid(name, err)
	}
	h.Format = name
	if h.Orientation < 1 || h.Orientation > 8 {
		h.Orientation = 1
	}
	h.Width, h.Height = uprightSize(h.StoredWidth, h.StoredHeight, h.Orientation)
	return h, checkSize(h.StoredWidth, h.StoredHeight)
}

// invalid codes a decoder's error, unless it is coded already.
func invalid(format string, err error) error {
	if _, ok := errors.AsType[*remuda.Error](err); ok {
		return err
	}
	return remuda.Errorf(remuda.Invalid, "decode %s: %w", format, err).WithHint("copy the image again or remove it")
}

func checkSize(w, h int) error {
	switch {
	case w < 1 || h < 1:
		return remuda.Errorf(remuda.Invalid, "the image has no pixels (%d × %d)", w, h).WithHint("copy the image again or remove it")
	case w > MaxSide || h > MaxSide:
		return remuda.Errorf(remuda.Invalid, "the image is %d × %d pixels, more than %d a side", w, h, MaxSide).WithHint("scale it down or cut it into tiles")
	case w*h > MaxPixels:
		return remuda.Errorf(remuda.Invalid, "the image is %d × %d pixels, more than %d in all", w, h, MaxPixels).WithHint("scale it down or cut it into tiles")
	}
	return nil
}

// sniff names a format by a file's first bytes and returns its header's reader.
func sniff(b []byte) (string, func(source) (header, error)) {
	has := func(at int, magic string) bool {
		return len(b) >= at+len(magic) && string(b[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return "jpeg", probeJPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return "png", probePNG
	case has(0, "RIFF") && has(8, "WEBP"):
		return "webp", probeWebP
	case has(0, "GIF87a") || has(0, "GIF89a"):
		return "gif", probeGIF
	case has(0, "II*\x00") || has(0, "MM\x00*"):
		return "tiff", probeTIFF
	case has(0, "BM"):
		return "bmp", probeBMP
	}
	return "", nil
}

func probeBMP(s source) (h header, err error) {
	b, err := s.bytes(0, 26)
	if err != nil {
		return h, err
	}
	if binary.LittleEndian.Uint32(b[14:]) < 40 {
		return h, errors.New("it is of OS/2's kind, which is not read")
	}
	h.StoredWidth = int(int32(binary.LittleEndian.Uint32(b[18:])))
	h.StoredHeight = int(int32(binary.LittleEndian.Uint32(b[22:])))
	if h.StoredHeight < 0 { // rows from the top
		h.StoredHeight = -h.StoredHeight
	}
	return h, nil
}
