// Package disk writes files that appear whole or not at all, and stay.
package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Replace lets fill write a temporary file beside path, flushes it, gives it
// its name, and flushes the folder: once it returns, the file survives a loss
// of power. On an error nothing is left behind and a file already at path stays
// as it was. Errors are the file system's own.
func Replace(path string, fill func(io.Writer) error) error { return replace(path, 0o644, fill) }

// ReplacePrivate is Replace for a file that nobody else may read.
func ReplacePrivate(path string, fill func(io.Writer) error) error {
	return replace(path, 0o600, fill)
}

func replace(path string, mode os.FileMode, fill func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once the file has its name
	if err := errors.Join(fill(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// ReplaceBytes is Replace with a file's whole content.
func ReplaceBytes(path string, data []byte) error {
	return Replace(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// SyncDir makes names in a folder, new and removed, durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Full reports whether something failed for want of space.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Sum returns the SHA-256 of a file's bytes, in lower-case hexadecimal.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
