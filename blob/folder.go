package blob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"remuda"
)

const (
	temp     = "temp/"
	lockFile = "lock"
)

// folder is a medium on a disk. A draft is a file in temp/; committing it
// flushes its bytes, renames it and flushes the folder that has the new name,
// in that order, so that at no moment a power loss leaves the name with less
// than the bytes, and none after it takes the name away.
type folder struct {
	fs   fileSystem
	root string

	mu sync.Mutex
	// known are the folders that this process has seen on disk together with
	// their names in their parents; one that is merely there may have been made
	// by a process that died before it flushed the parent.
	known map[string]bool
}

// openFolder makes what is missing of the folders. An existing one that cannot
// be written can be read.
func openFolder(fsys fileSystem, root string) (*folder, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("find the folder %s: %w", root, err)
	}
	f := &folder{fs: fsys, root: abs, known: make(map[string]bool)}
	for _, dir := range []string{blobs, derived, temp} {
		if err := f.makeDir(f.path(dir)); err != nil {
			return nil, f.failed("open", err)
		}
	}
	return f, nil
}

// path returns a key's place on disk.
func (f *folder) path(key string) string { return filepath.Join(f.root, filepath.FromSlash(key)) }

// makeDir makes a folder and those above it, each with its name flushed.
func (f *folder) makeDir(dir string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.makeDirLocked(dir)
}

func (f *folder) makeDirLocked(dir string) error {
	if f.known[dir] {
		return nil
	}
	parent := filepath.Dir(dir)
	info, err := f.fs.stat("make folder", dir)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
	case err == nil:
		if err := f.syncDir(parent); err != nil && !cannotWrite(err) {
			return err
		}
	case errors.Is(err, fs.ErrNotExist) && parent != dir:
		if err := f.makeDirLocked(parent); err != nil {
			return err
		}
		if err := f.fs.mkdir("make folder", dir); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := f.syncDir(parent); err != nil {
			return err
		}
	default:
		return err
	}
	f.known[dir] = true
	return nil
}

// forget makes sure that a folder is looked at again: it may be gone.
func (f *folder) forget(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, dir)
}

// syncDir flushes a folder's names. File systems without that notion say
// EINVAL or ENOTSUP; nothing better can be done there.
func (f *folder) syncDir(dir string) error {
	d, err := f.fs.open("sync folder", dir, os.O_RDONLY)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// locked runs what must not happen in the middle of another process's doing.
// It is held for a rename, or for a look and a removal, and never while
// waiting for the disk.
func (f *folder) locked(exclusive bool, do func() error) error {
	l, err := f.fs.open("lock", f.path(lockFile), os.O_RDWR|os.O_CREATE) // NFS wants writers for exclusive locks
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.lock(exclusive); err != nil {
		return err
	}
	return do()
}

func (f *folder) create(context.Context) (draft, error) {
	path := f.path(temp + rand.Text())
	file, err := f.fs.open("create", path, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, f.failed("write to", err)
	}
	return &folderDraft{folder: f, file: file, path: path}, nil
}

// folderDraft is a file in temp/.
type folderDraft struct {
	folder *folder
	file   file
	path   string
}

func (d *folderDraft) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	if err != nil {
		err = d.folder.failed("write to", err)
	}
	return n, err
}

func (d *folderDraft) discard() {
	d.file.Close()
	d.folder.fs.remove("discard", d.path) // what stays is a sweep's
}

func (d *folderDraft) commit(ctx context.Context, key string, durable bool) error {
	err := d.place(ctx, d.folder.path(key), durable)
	if err != nil {
		d.folder.fs.remove("discard", d.path)
		d.folder.forget(filepath.Dir(d.folder.path(key)))
		return d.folder.failed("write to", err)
	}
	return nil
}

func (d *folderDraft) place(ctx context.Context, path string, durable bool) error {
	var err error
	if durable {
		err = d.file.Sync()
	}
	if err := errors.Join(err, d.file.Close(), ctx.Err()); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := d.folder.makeDir(dir); err != nil {
		return err
	}
	if err := d.folder.locked(false, func() error { return d.folder.fs.rename("commit", d.path, path) }); err != nil {
		return err
	}
	if durable {
		return d.folder.syncDir(dir)
	}
	return nil
}

func (f *folder) open(_ context.Context, key string) (io.ReadSeekCloser, object, error) {
	file, err := f.fs.open("open", f.path(key), os.O_RDONLY)
	if err != nil {
		return nil, object{}, f.absent("read from", err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, object{}, f.failed("read from", err)
	}
	return file, object{key, info.Size(), info.ModTime()}, nil
}

func (f *folder) stat(_ context.Context, key string) (object, error) {
	info, err := f.fs.stat("stat", f.path(key))
	if err != nil {
		return object{}, f.absent("read from", err)
	}
	return object{key, info.Size(), info.ModTime()}, nil
}

func (f *folder) touch(_ context.Context, key string) error {
	err := f.locked(false, func() error {
		file, err := f.fs.open("touch", f.path(key), os.O_RDONLY)
		if err != nil {
			return err
		}
		return errors.Join(file.touch(), file.Close())
	})
	if err != nil {
		return f.absent("write to", err)
	}
	return nil
}

func (f *folder) removeBefore(_ context.Context, key string, before time.Time) (removed bool, err error) {
	path := f.path(key)
	err = f.locked(true, func() error {
		info, err := f.fs.stat("remove", path)
		if err != nil || !before.IsZero() && !info.ModTime().Before(before) {
			return err
		}
		removed = true
		return f.fs.remove("remove", path)
	})
	if err != nil {
		err = f.absent("remove from", err)
	}
	return removed && err == nil, unlessNotFound(err)
}

// list reads the one folder that holds all keys with the prefix.
func (f *folder) list(ctx context.Context, prefix string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		dir := prefix[:strings.LastIndex(prefix, "/")+1]
		entries, err := f.entries(dir)
		if err != nil {
			yield(object{}, f.failed("read from", err))
			return
		}
		for _, e := range entries {
			key := dir + e.Name()
			if !strings.HasPrefix(key, prefix) || e.IsDir() {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				yield(object{}, f.failed("read from", err))
				return
			}
			if !yield(object{key, info.Size(), info.ModTime()}, nil) {
				return
			}
		}
	}
}

// entries returns what lies in a folder, by name; nothing if the folder was
// not needed yet.
func (f *folder) entries(dir string) ([]fs.DirEntry, error) {
	d, err := f.fs.open("list", f.path(dir), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) && f.there() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// there says whether the folder is where it was, so that an absent file is no
// sign of a disk that was unmounted.
func (f *folder) there() bool {
	_, err := f.fs.stat("look for the folder", f.path(blobs))
	return err == nil
}

// absent tells a file that is not there from other failures.
func (f *folder) absent(action string, err error) error {
	if errors.Is(err, fs.ErrNotExist) && f.there() {
		return remuda.Errorf(remuda.NotFound, "%w", remuda.Inside("it is not there", fmt.Errorf("it is not in %s: %w", f.root, err)))
	}
	return f.failed(action, err)
}

// failed gives an error of the disk its code and says what to do.
func (f *folder) failed(action string, err error) error {
	if isContext(err) {
		return err
	}
	e := remuda.Errorf(remuda.Unavailable, "%w", remuda.Inside(action+" the server's files", fmt.Errorf("%s the folder %s: %w", action, f.root, err)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.WithHint("the folder or a part of it is gone: mount its disk or put it back, then start again")
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		return e.WithHint("the disk is full: free some space on it and try again")
	case cannotWrite(err):
		return e.WithHint("give the user who runs this the right to read and write there, and mount the disk writable")
	}
	return e
}

func cannotWrite(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

func unlessNotFound(err error) error {
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil
	}
	return err
}

func isContext(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
