package weights

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"remuda"
)

// writeAtomically lets write fill a temporary file beside path, flushes it to
// disk and gives it its name. On an error nothing is left behind and a file
// already at path stays as it was.
func writeAtomically(path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once the file has its name
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename inside the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// diskError says what to do when there is no space left; other errors keep
// their code.
func diskError(err error, format string, args ...any) error {
	action := fmt.Sprintf(format, args...)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return remuda.Errorf(remuda.Unavailable, "%s: the disk is full: %w", action, err).WithHint("free some space and try again")
	}
	return fmt.Errorf("%s: %w", action, err)
}
