package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestReplaceLeavesTheOldFileWhenFillFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := ReplaceBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := Replace(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("half")); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "old" {
		t.Errorf("the file holds %q, %v", data, err)
	}
	if left := names(t, filepath.Dir(path)); len(left) != 1 {
		t.Errorf("the folder holds %v", left)
	}
}

func TestReplaceOverwritesAndIsReadableByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, text := range []string{"longer text", "new"} {
		if err := ReplaceBytes(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if data, _ := os.ReadFile(path); string(data) != text {
			t.Errorf("the file holds %q, want %q", data, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestReplaceInNoFolderIsTheFileSystemsError(t *testing.T) {
	if err := ReplaceBytes(filepath.Join(t.TempDir(), "no", "a"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFullSeesThroughWrapping(t *testing.T) {
	if !Full(fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})) || Full(fs.ErrExist) || Full(nil) {
		t.Error("a full disk is ENOSPC or EDQUOT, however deep, and nothing else")
	}
}
