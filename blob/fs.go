package blob

import (
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// fileSystem is what a folder needs of the disk. op names the call site, so
// that a test can make exactly one of them fail.
type fileSystem interface {
	// open opens a file or a folder; flag is as for os.OpenFile. A new file is
	// its owner's alone, and once closed not writable if flag had os.O_EXCL.
	open(op, path string, flag int) (file, error)
	mkdir(op, path string) error
	rename(op, from, to string) error
	remove(op, path string) error
	stat(op, path string) (fs.FileInfo, error)
}

// file is an open file or folder.
type file interface {
	fs.ReadDirFile
	io.Writer
	io.Seeker
	// Sync returns when the file's bytes, or the folder's names, are on disk.
	Sync() error
	// lock waits for the file to be free and holds it until it is closed,
	// alone or with others that share it.
	lock(exclusive bool) error
	// touch sets the time of the last change to now.
	touch() error
}

// disk is the real file system.
type disk struct{}

func (disk) open(_, path string, flag int) (file, error) {
	perm := fs.FileMode(0o600)
	if flag&os.O_EXCL != 0 {
		perm = 0o400 // what was put is never altered, not even by mistake
	}
	f, err := os.OpenFile(path, flag, perm)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

func (disk) mkdir(_, path string) error               { return os.Mkdir(path, 0o700) }
func (disk) rename(_, from, to string) error          { return os.Rename(from, to) }
func (disk) remove(_, path string) error              { return os.Remove(path) }
func (disk) stat(_, path string) (fs.FileInfo, error) { return os.Stat(path) }

type diskFile struct{ *os.File }

func (f diskFile) lock(exclusive bool) error {
	how := syscall.LOCK_SH
	if exclusive {
		how = syscall.LOCK_EX
	}
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

func (f diskFile) touch() error {
	now := time.Now()
	return os.Chtimes(f.Name(), now, now)
}
