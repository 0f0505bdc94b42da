package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"remuda"
	"remuda/internal/disk"
)

// lockFile is held by the process that writes to a run's folder.
const lockFile = "lock"

// folder is a run's folder, locked by this process until closed.
type folder struct {
	path   string
	lock   *os.File
	events *eventLog
}

// Create makes a new run's folder with the spec in it. An existing folder is a
// conflict unless it is empty.
func Create(spec remuda.TrainSpec) error {
	if err := CheckOut(spec.Out); err != nil {
		return err
	}
	if err := os.MkdirAll(spec.Out, 0o755); err != nil {
		return diskError("create the run's folder", err)
	}
	if err := writeJSON(filepath.Join(spec.Out, remuda.SpecFile), spec); err != nil {
		os.Remove(spec.Out) // which holds nothing
		return err
	}
	return nil
}

// CheckOut fails where Create would refuse the folder for what is there.
func CheckOut(out string) error {
	if out == "" {
		return remuda.Errorf(remuda.Invalid, "the run's folder has no name").WithHint("give --out a new folder")
	}
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return remuda.Errorf(remuda.Conflict, "%s is a file", out).WithHint("give --out another name")
	case err == nil && len(entries) > 0:
		if _, err := os.Stat(filepath.Join(out, remuda.SpecFile)); err == nil {
			return remuda.Errorf(remuda.Conflict, "%s holds a run already", out).
				WithHint("go on with it by `remuda train --out %s --resume`, or give --out another name", out)
		}
		return remuda.Errorf(remuda.Conflict, "%s exists and is no run", out).WithHint("give --out a new or an empty folder")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return remuda.Errorf(remuda.Invalid, "read the run's folder: %w", err).WithHint("give --out a folder that can be read and written")
	}
	return nil
}

// ReadSpec returns the spec of the run in a folder.
func ReadSpec(out string) (remuda.TrainSpec, error) {
	var spec remuda.TrainSpec
	data, err := os.ReadFile(filepath.Join(out, remuda.SpecFile))
	if err != nil {
		return spec, remuda.Errorf(remuda.NotFound, "%s is no run: %w", out, err).WithHint("name the folder that was --out when the run was started")
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		return spec, remuda.Errorf(remuda.Invalid, "read %s: %w", filepath.Join(out, remuda.SpecFile), err).
			WithHint("start another run with another --out: this one can't go on")
	}
	spec.Out = out // the folder may have been moved
	return spec, nil
}

// openFolder locks a run's folder, so that no second process writes to it.
func openFolder(path string) (*folder, error) {
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, diskError("lock the run's folder", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, remuda.Errorf(remuda.Conflict, "another process is training in %s", path).WithHint("wait for it, or give --out another name")
	}
	return &folder{path: path, lock: lock}, nil
}

func (f *folder) file(name string) string { return filepath.Join(f.path, name) }

func (f *folder) close() error {
	var err error
	if f.events != nil {
		err = f.events.close()
	}
	return errors.Join(err, f.lock.Close())
}

// writeJSON replaces a file as a whole: what was there stays until all of the
// new one is on disk.
func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return writeFile(path, append(data, '\n'))
}

// writeFile replaces a file as a whole.
func writeFile(path string, data []byte) error {
	if err := disk.ReplaceBytes(path, data); err != nil {
		return diskError("write "+path, err)
	}
	return nil
}

// diskError gives an error of the file system its code and the way out.
func diskError(action string, err error) error {
	e := remuda.Errorf(remuda.Unavailable, "%s: %w", action, err)
	if disk.Full(err) {
		return e.WithHint("free some space")
	}
	return e.WithHint("give --out a place that can be written")
}
