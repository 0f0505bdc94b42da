package imageio

import (
	"bytes"
	"fmt"
	"io"
)

// source is a file or a byte slice of which headers are read piece by piece.
type source struct {
	io.ReaderAt
	size int64
}

func memory(b []byte) source { return source{bytes.NewReader(b), int64(len(b))} }

// bytes returns the n bytes at offset off, or an error if the source ends before.
func (s source) bytes(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > s.size || n > s.size-off {
		return nil, fmt.Errorf("the file ends after %d bytes: %w", s.size, io.ErrUnexpectedEOF)
	}
	b := make([]byte, n)
	if _, err := s.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read %d bytes: %w", n, err)
	}
	return b, nil
}
