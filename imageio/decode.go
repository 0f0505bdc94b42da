package imageio

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"

	"golang.org/x/image/bmp"

	"remuda"
)

// maxFile bounds the bytes of a file that are read into memory: the largest
// allowed image stored without compression at 16 bits a channel, twice over.
const maxFile = 2 * MaxPixels * 8

// Open decodes an image file, upright. Errors name the file and are coded:
// not_found, or invalid for files that are empty, of no known format, cut,
// corrupt or above the limits.
func Open(path string) (*RGB, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("read image %s: %w", path, err)
	}
	return m, nil
}

func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, openError(path, err)
	case st.IsDir():
		return nil, remuda.Errorf(remuda.Invalid, "read image %s: it is a folder", path)
	case !st.Mode().IsRegular():
		return nil, remuda.Errorf(remuda.Invalid, "read image %s: it is no file", path) // but a pipe or a device, which may never end
	case st.Size() > maxFile:
		return nil, remuda.Errorf(remuda.Invalid, "read image %s: it has %d bytes, more than %d", path, st.Size(), int64(maxFile)).
			WithHint("store it compressed")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return b, nil
}

// Decode decodes an image file's bytes, upright. Errors are those of Open.
func Decode(b []byte) (*RGB, error) {
	h, err := probe(memory(b))
	if err != nil {
		return nil, err
	}
	m, err := decode(b, h)
	if err != nil {
		return nil, invalid(h.Format, err)
	}
	return orient(m, h.Orientation), nil
}

// decode decodes without turning. The decoders are other people's and the
// bytes anyone's: a panic in one is an error of the file, not ours to die of.
func decode(b []byte, h header) (m *RGB, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("the file is corrupt: %v", r)
		}
	}()
	return decodeUnguarded(b, h)
}

func decodeUnguarded(b []byte, h header) (*RGB, error) {
	switch h.Format {
	case "jpeg":
		return decodeJPEG(b, h)
	case "webp":
		return decodeWebP(b)
	case "gif":
		return decodeGIF(b, h)
	case "tiff":
		return decodeTIFF(b)
	}
	var img image.Image
	var err error
	switch h.Format {
	case "png":
		img, err = png.Decode(bytes.NewReader(b))
	case "bmp":
		img, err = bmp.Decode(bytes.NewReader(b))
	}
	if err != nil {
		return nil, err
	}
	return toRGB(img), nil
}
