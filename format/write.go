package format

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"remuda"
	"remuda/geom"
)

// writeFile writes a file beside its place, makes it durable and renames it:
// path never holds half of it. Errors of fill's writes need no looking after,
// the buffered writer keeps the first.
func writeFile(what, path string, fill func(w *bufio.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return writeError(what, path, err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = errors.Join(fill(w), w.Flush(), f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return writeError(what, path, err)
	}
	return nil
}

// writeError codes a failed write: what cannot be written there is the user's
// to change, a full disk is the machine's.
func writeError(what, path string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO):
		return remuda.Errorf(remuda.Unavailable, "write %s %s: %w", what, path, err).WithHint("make room and try again")
	case errors.Is(err, fs.ErrNotExist):
		return remuda.Errorf(remuda.Invalid, "write %s %s: its folder does not exist", what, path).WithHint("create the folder first")
	}
	return remuda.Errorf(remuda.Invalid, "write %s %s: %w", what, path, err).WithHint("choose a place that can be written to")
}

// appendNumber writes the shortest decimal that reads back as the same float64.
func appendNumber(b []byte, v float64) []byte {
	if a := math.Abs(v); v != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendBox writes x, y, width, height.
func appendBox(b []byte, box geom.Box) []byte {
	for i, v := range [4]float64{box.X0, box.Y0, box.Width(), box.Height()} {
		b = append(b, "[,,,"[i])
		b = appendNumber(b, v)
	}
	return append(b, ']')
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // strings always marshal
		return append(b, `""`...)
	}
	return append(b, quoted...)
}
