package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"remuda"
	"remuda/internal/disk"
)

// writeFile makes a file appear whole or not at all.
func writeFile(path string, data []byte) error {
	if err := disk.ReplaceBytes(path, data); err != nil {
		return writeError(path, err)
	}
	return nil
}

// writable fails for a folder in which no file can be made.
func writable(dir string) error {
	temp, err := os.CreateTemp(dir, ".remuda.*.tmp")
	if err != nil {
		return writeError(dir, err)
	}
	return errors.Join(temp.Close(), os.Remove(temp.Name()))
}

func writeError(path string, err error) error {
	if disk.Full(err) {
		return remuda.Errorf(remuda.Unavailable, "write %s: the disk is full: %w", path, err).WithHint("free some space and try again")
	}
	return remuda.Errorf(remuda.Invalid, "write %s: %w", path, err).WithHint("name a place that can be written")
}

// outFolder is a folder of results. They are written beside it and moved in
// together, so that it never holds half of them.
type outFolder struct {
	path, temp string
}

// newOutFolder prepares the folder. One that exists already is only taken when
// it is empty or holds mark, an earlier result of the same kind.
func newOutFolder(path, mark string) (*outFolder, error) {
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(path, mark)); err != nil {
			return nil, remuda.Errorf(remuda.Conflict, "%s exists and holds something else", path).WithHint("give --out a new folder")
		}
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, remuda.Errorf(remuda.Conflict, "%s is no folder", path).WithHint("give --out a new folder")
	}
	parent := filepath.Dir(filepath.Clean(path))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, writeError(path, err)
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, writeError(path, err)
	}
	return &outFolder{path, temp}, nil
}

// create opens a file of the folder for writing.
func (o *outFolder) create(name string) (io.WriteCloser, error) {
	f, err := os.Create(filepath.Join(o.temp, name))
	if err != nil {
		return nil, writeError(filepath.Join(o.path, name), err)
	}
	return f, nil
}

// fill writes one file of the folder.
func (o *outFolder) fill(name string, write func(io.Writer) error) error {
	f, err := o.create(name)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return writeError(filepath.Join(o.path, name), err)
	}
	return nil
}

// keep moves the files to their place, the one called last after the others,
// and flushes them to disk.
func (o *outFolder) keep(last string) error {
	if err := os.MkdirAll(o.path, 0o755); err != nil {
		return writeError(o.path, err)
	}
	entries, err := os.ReadDir(o.temp)
	if err != nil {
		return fmt.Errorf("move results to %s: %w", o.path, err)
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != last {
			names = append(names, entry.Name())
		}
	}
	for _, name := range append(names, last) {
		from := filepath.Join(o.temp, name)
		if err := errors.Join(syncFile(from), os.Rename(from, filepath.Join(o.path, name))); err != nil {
			return writeError(filepath.Join(o.path, name), err)
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// discard removes what was not kept.
func (o *outFolder) discard() { os.RemoveAll(o.temp) }
