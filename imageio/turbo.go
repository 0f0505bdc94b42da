//go:build darwin || linux

package imageio

import (
	"errors"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// TurboJPEG's constants (turbojpeg.h).
const (
	tjRGB        = 0     // TJPF_RGB
	tjCMYK       = 11    // TJPF_CMYK
	tjLimitScans = 32768 // TJFLAG_LIMITSCANS: a progressive file with more than 500 scans is an attack
	tjWarning    = 0     // TJERR_WARNING
)

// turboLib is the part of the TurboJPEG API that decodes. Its defaults (accurate
// DCT, smooth upsampling of colour) are Pillow's.
type turboLib struct {
	open       func() uintptr
	close      func(handle uintptr) int32
	decompress func(handle uintptr, jpeg *byte, size uint, dst *byte, width, pitch, height, format, flags int32) int32
	errorCode  func(handle uintptr) int32
	errorText  func(handle uintptr) string
}

// turbo returns the system's libjpeg-turbo, nil where there is none.
var turbo = sync.OnceValue(openTurbo)

func openTurbo() *turboLib {
	for _, name := range []string{"libturbojpeg.so.0", "libturbojpeg.0.dylib", "/opt/homebrew/lib/libturbojpeg.0.dylib", "/usr/local/lib/libturbojpeg.0.dylib"} {
		lib, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			continue
		}
		var t turboLib
		for symbol, f := range map[string]any{
			"tjInitDecompress": &t.open, "tjDestroy": &t.close, "tjDecompress2": &t.decompress,
			"tjGetErrorCode": &t.errorCode, "tjGetErrorStr2": &t.errorText,
		} {
			address, err := purego.Dlsym(lib, symbol)
			if err != nil {
				return nil // older than 1.5: it can't tell a warning from an error
			}
			purego.RegisterFunc(f, address)
		}
		return &t
	}
	return nil
}

func (t *turboLib) decode(b []byte, h header) (*RGB, error) {
	handle := t.open()
	if handle == 0 {
		return nil, errors.New("open libjpeg-turbo: out of memory")
	}
	defer t.close(handle)
	format, channels := int32(tjRGB), 3
	if h.components == 4 {
		format, channels = tjCMYK, 4
	}
	w, height := h.StoredWidth, h.StoredHeight
	pix := make([]byte, w*height*channels)
	// The library refuses to write more than the given width and height.
	rc := t.decompress(handle, &b[0], uint(len(b)), &pix[0], int32(w), int32(w*channels), int32(height), format, tjLimitScans)
	if rc != 0 {
		if t.errorCode(handle) != tjWarning {
			return nil, errors.New(strings.TrimSpace(t.errorText(handle)))
		}
		if !complete(b) {
			return nil, errCut()
		}
	}
	out := &RGB{Width: w, Height: height, Pix: pix}
	if channels == 4 {
		out = NewRGB(w, height)
		out.rows(pix, 4*w, 4, func(dst, src []byte) { cmykToRGB(dst, 255-src[0], 255-src[1], 255-src[2], 255-src[3]) })
	}
	return out, nil
}
