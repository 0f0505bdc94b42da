package imageio

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// seed adds every recorded file to a fuzzer's corpus.
func seed(f *testing.F) {
	files, err := filepath.Glob("testdata/pillow/*")
	if err != nil || len(files) == 0 {
		f.Fatalf("no recorded files: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// Ensure whatever is decoded has the size that its header says, and that no
// bytes crash a decoder or cost more memory than the limits allow.
func FuzzDecode(f *testing.F) {
	seed(f)
	const limit = 2 << 30
	debug.SetMemoryLimit(limit)
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := ProbeBytes(b)
		if err != nil {
			if m, err := Decode(b); err == nil {
				t.Fatalf("a file whose header is refused gives %d × %d pixels", m.Width, m.Height)
			}
			return
		}
		if info.Width*info.Height > 1<<22 {
			return // allowed, and too slow to fuzz
		}
		m, err := Decode(b)
		if err != nil {
			return
		}
		if m.Width != info.Width || m.Height != info.Height || len(m.Pix) != 3*m.Width*m.Height {
			t.Fatalf("header says %d × %d, decoded %d × %d with %d bytes", info.Width, info.Height, m.Width, m.Height, len(m.Pix))
		}
	})
}

// Ensure the standard library's JPEG decoder meets the same promise; FuzzDecode
// doesn't reach it where libjpeg-turbo is found.
func FuzzStandardJPEG(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := probe(memory(b))
		if err != nil || h.Format != "jpeg" || h.Width*h.Height > 1<<22 {
			return
		}
		m, err := decodeJPEGStd(b)
		if err == nil && (m.Width != h.StoredWidth || m.Height != h.StoredHeight) {
			t.Fatalf("header says %d × %d, decoded %d × %d", h.StoredWidth, h.StoredHeight, m.Width, m.Height)
		}
	})
}

// Ensure a header's reader never gives a size beyond the limits.
func FuzzProbe(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		info, err := ProbeBytes(b)
		if err == nil && (info.Width < 1 || info.Height < 1 || info.Width > MaxSide || info.Height > MaxSide || info.Width*info.Height > MaxPixels) {
			t.Fatalf("accepted %+v", info)
		}
	})
}
