//go:build !(darwin || linux)

package imageio

import "errors"

// turboLib is never there on systems without dlopen.
type turboLib struct{}

func turbo() *turboLib { return nil }

func (*turboLib) decode([]byte, header) (*RGB, error) {
	return nil, errors.New("libjpeg-turbo is not read on this system")
}
