package imageio

import (
	"os"
	"path/filepath"
	"runtime"
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
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := probe(memory(b))
		if err != nil {
			if m, err := Decode(b); err == nil {
				t.Fatalf("a file whose header is refused gives %d × %d pixels", m.Width, m.Height)
			}
			return
		}
		const pixels, most = 1 << 18, 128 << 20 // bytes: what so many pixels may cost at the worst
		if h.Width*h.Height > pixels {
			return // allowed, and too slow to fuzz
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := decodeUnguarded(b, h)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			t.Fatalf("%d × %d pixels cost %d bytes", h.Width, h.Height, used)
		}
		if err != nil {
			return
		}
		if m.Width != h.StoredWidth || m.Height != h.StoredHeight || len(m.Pix) != 3*m.Width*m.Height {
			t.Fatalf("header says %d × %d, decoded %d × %d with %d bytes", h.StoredWidth, h.StoredHeight, m.Width, m.Height, len(m.Pix))
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
		info, err := probe(memory(b))
		if err == nil && (info.Width < 1 || info.Height < 1 || info.Width > MaxSide || info.Height > MaxSide || info.Width*info.Height > MaxPixels) {
			t.Fatalf("accepted %+v", info)
		}
	})
}
