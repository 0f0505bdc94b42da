package imageio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"remuda"
)

// pillowImage is what Pillow makes of a file.
type pillowImage struct {
	Width, Height int
	RGB           string // base64
}

// pillowFiles returns the recorded answers by path; nil where Pillow refuses.
func pillowFiles(t testing.TB) map[string]*pillowImage {
	t.Helper()
	b, err := os.ReadFile("testdata/pillow.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct{ Files map[string]*pillowImage }
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*pillowImage)
	for name, r := range recorded.Files {
		files[filepath.Join("testdata/pillow", name)] = r
	}
	if len(files) == 0 {
		t.Fatal("no recorded files")
	}
	return files
}

func (p *pillowImage) pixels(t testing.TB) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(p.RGB)
	if err != nil || len(b) != 3*p.Width*p.Height {
		t.Fatalf("recorded pixels are broken: %v", err)
	}
	return b
}

// difference returns the mean and the largest difference of two images' bytes.
func difference(a, b []byte) (mean float64, largest int) {
	for i := range a {
		d := int(a[i]) - int(b[i])
		d = max(d, -d)
		mean += float64(d) / float64(len(a))
		largest = max(largest, d)
	}
	return mean, largest
}

// Ensure every kind of file gives the very pixels that Pillow gives, and that
// what Pillow refuses is refused. Without libjpeg-turbo, JPEG may differ as far
// as another inverse DCT rounds.
func TestDecodeGivesPillowsPixels(t *testing.T) {
	for path, want := range pillowFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			got, err := Open(path)
			if want == nil {
				if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), path) {
					t.Fatalf("Open gives %v, want an invalid file named", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Width != want.Width || got.Height != want.Height {
				t.Fatalf("size %d × %d, want %d × %d", got.Width, got.Height, want.Width, want.Height)
			}
			mean, largest := difference(got.Pix, want.pixels(t))
			if strings.HasSuffix(path, ".jpg") && JPEGDecoder() != "libjpeg-turbo" {
				if mean > stdMean {
					t.Errorf("differs by %.2f levels in the mean", mean)
				}
			} else if largest > 0 {
				t.Errorf("differs by up to %d levels, %.3f in the mean", largest, mean)
			}
		})
	}
}

// stdMean bounds the standard library's difference from Pillow, in levels.
const stdMean = 0.5

// Ensure machines without libjpeg-turbo read the same JPEG files, CMYK too,
// but for the rounding of the inverse DCT.
func TestStandardLibraryReadsTheSameJPEG(t *testing.T) {
	for path, want := range pillowFiles(t) {
		if !strings.HasSuffix(path, ".jpg") {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h, err := probe(memory(b))
		if err != nil {
			if want != nil {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		m, err := decodeJPEGStd(b)
		if (err == nil) != (want != nil) {
			t.Errorf("%s: gives %v, Pillow reads it: %v", path, err, want != nil)
		}
		if err != nil || want == nil {
			continue
		}
		if mean, _ := difference(orient(m, h.Orientation).Pix, want.pixels(t)); mean > stdMean {
			t.Errorf("%s: differs by %.2f levels in the mean", path, mean)
		}
	}
}

// Ensure a header alone gives the size that decoding gives.
func TestProbeAgreesWithDecode(t *testing.T) {
	for path, want := range pillowFiles(t) {
		if want == nil {
			continue
		}
		info, err := Probe(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if info.Width != want.Width || info.Height != want.Height {
			t.Errorf("%s: Probe says %d × %d, want %d × %d", path, info.Width, info.Height, want.Width, want.Height)
		}
		if w, h := uprightSize(info.StoredWidth, info.StoredHeight, info.Orientation); w != info.Width || h != info.Height {
			t.Errorf("%s: stored %d × %d turned by %d is not %d × %d", path, info.StoredWidth, info.StoredHeight, info.Orientation, info.Width, info.Height)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := probe(memory(b)); err != nil || same.Info != info {
			t.Errorf("%s: of its bytes probe gives %+v, %v, want %+v", path, same, err, info)
		}
	}
}

// bigHeader returns a file's bytes with another size written in its header.
func bigHeader(t *testing.T, name string, w, h int) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata/pillow", name))
	if err != nil {
		t.Fatal(err)
	}
	switch filepath.Ext(name) {
	case ".jpg":
		i := bytes.Index(b, []byte{0xFF, 0xC0})
		binary.BigEndian.PutUint16(b[i+5:], uint16(h))
		binary.BigEndian.PutUint16(b[i+7:], uint16(w))
	case ".png":
		binary.BigEndian.PutUint32(b[16:], uint32(w))
		binary.BigEndian.PutUint32(b[20:], uint32(h))
	case ".gif":
		binary.LittleEndian.PutUint16(b[6:], uint16(w))
		binary.LittleEndian.PutUint16(b[8:], uint16(h))
	case ".bmp":
		binary.LittleEndian.PutUint32(b[18:], uint32(w))
		binary.LittleEndian.PutUint32(b[22:], uint32(h))
	}
	return b
}

// Ensure files that would need too much memory are refused by their headers,
// with the numbers, before anything is allocated for their pixels.
func TestDecodeRefusesHugeImages(t *testing.T) {
	for _, c := range []struct {
		file string
		w, h int
		want string
	}{
		{"color-420.jpg", 65500, 65500, "65500 × 65500 pixels, more than 30000 a side"},
		{"color-420.jpg", 12000, 12000, "12000 × 12000 pixels, more than 100000000 in all"},
		{"color.png", 1 << 31, 1, "2147483648 × 1 pixels, more than 30000 a side"},
		{"color.png", 10001, 10000, "10001 × 10000 pixels, more than 100000000 in all"},
		{"color.png", 0, 10, "no pixels"},
		{"palette.gif", 30001, 2, "30001 × 13 pixels, more than 30000 a side"},
		{"color.bmp", 1 << 30, 1 << 30, "more than 30000 a side"},
	} {
		b := bigHeader(t, c.file, c.w, c.h)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b)
		runtime.ReadMemStats(&after)
		if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %d × %d: got %v, want %q", c.file, c.w, c.h, err, c.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s of %d × %d: refused only after allocating %d bytes", c.file, c.w, c.h, used)
		}
	}
}

// Ensure errors say which file and what to do.
func TestOpenNamesTheFile(t *testing.T) {
	for _, c := range []struct {
		path string
		code remuda.Code
		want string
	}{
		{"testdata/pillow/absent.jpg", remuda.NotFound, "there is no such file"},
		{"testdata/pillow", remuda.Invalid, "it is a folder"},
		{"testdata/pillow/empty.bad.jpg", remuda.Invalid, "empty (0 bytes)"},
		{"testdata/pillow/text.bad.jpg", remuda.Invalid, "no image of a known format"},
	} {
		_, err := Open(c.path)
		_, probeErr := Probe(c.path)
		for _, err := range []error{err, probeErr} {
			if remuda.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v (%s), want %s and %q", c.path, err, remuda.CodeOf(err), c.code, c.want)
			}
		}
	}
}

// Ensure a JPEG that ends early is an error at whatever byte it ends.
func TestDecodeRefusesEveryCutJPEG(t *testing.T) {
	for _, name := range []string{"color-420.jpg", "grey.jpg", "restarts.jpg", "progressive.jpg"} {
		b, err := os.ReadFile(filepath.Join("testdata/pillow", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(b) {
			if _, err := Decode(b[:n]); err == nil {
				t.Fatalf("%s cut after %d of %d bytes was decoded", name, n, len(b))
			}
		}
	}
}

// Ensure the end of a file is told from other faults.
func TestCutFileIsUnexpectedEOF(t *testing.T) {
	_, err := Open("testdata/pillow/cut.bad.jpg")
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}
