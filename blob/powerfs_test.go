package blob

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// powerFS is a disk in memory that knows, beside what processes see on it, what
// a power loss would leave: the bytes of a file as of its last Sync and the
// names in a folder as of the folder's. Whatever is younger may be there, be
// absent or, of bytes, be in part there; each name and each file on its own,
// which is harder than any journaling file system is on us.
type powerFS struct {
	mu   sync.Mutex
	root *node
	now  time.Time
}

// node is a file or a folder.
type node struct {
	dir bool
	mod time.Time

	data, synced []byte // of a file: as seen, as flushed
	dirty        bool
	failedSync   bool // of a file: what is dirty was given up, and the next Sync says nothing of it

	names, flushed map[string]*node // of a folder: as seen, as flushed

	lock sync.RWMutex
}

func newPowerFS() *powerFS {
	return &powerFS{root: newFolder(time.Time{}), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

func newFolder(mod time.Time) *node {
	return &node{dir: true, mod: mod, names: make(map[string]*node), flushed: make(map[string]*node)}
}

// tick returns a time that is later than any before.
func (p *powerFS) tick() time.Time {
	p.now = p.now.Add(time.Second)
	return p.now
}

func (p *powerFS) find(path string) (*node, error) {
	n := p.root
	for _, name := range strings.FieldsFunc(path, func(c rune) bool { return c == filepath.Separator }) {
		if !n.dir {
			return nil, syscall.ENOTDIR
		}
		if n = n.names[name]; n == nil {
			return nil, syscall.ENOENT
		}
	}
	return n, nil
}

// parent returns the folder that path's name is in.
func (p *powerFS) parent(path string) (dir *node, name string, err error) {
	dir, err = p.find(filepath.Dir(path))
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return dir, filepath.Base(path), err
}

// afterPowerLoss returns one of the disks that the next start may find.
func (p *powerFS) afterPowerLoss(rng *rand.Rand) *powerFS {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &powerFS{root: p.root.survivor(rng, make(map[*node]*node)), now: p.now}
}

func (n *node) survivor(rng *rand.Rand, done map[*node]*node) *node {
	if s := done[n]; s != nil {
		return s
	}
	if !n.dir {
		data := n.survivingBytes(rng)
		done[n] = &node{mod: n.mod, data: data, synced: bytes.Clone(data)}
		return done[n]
	}
	s := newFolder(n.mod)
	done[n] = s
	all := maps.Clone(n.flushed)
	maps.Copy(all, n.names)
	for _, name := range sortedKeys(all) {
		child := n.names[name]
		if old := n.flushed[name]; old != child && rng.IntN(2) == 0 {
			child = old
		}
		if child != nil {
			s.names[name] = child.survivor(rng, done)
		}
	}
	s.flushed = maps.Clone(s.names)
	return s
}

func (n *node) survivingBytes(rng *rand.Rand) []byte {
	if !n.dirty {
		return bytes.Clone(n.synced)
	}
	data := bytes.Clone(n.data)
	at := rng.IntN(len(data) + 1)
	switch rng.IntN(4) {
	case 0:
		return bytes.Clone(n.synced)
	case 1:
		return data[:at]
	case 2: // the length was written, the bytes were not
		clear(data[at:])
	}
	return data
}

// process is one program's view of a powerFS. Each operation that changes the
// disk is counted, and fault may fail it.
type process struct {
	disk *powerFS
	// fault is asked with the disk locked before the nth change, from 1. An
	// error is what the operation returns, without effect except that half of
	// the bytes of a write are written.
	fault func(n int, op string) error
	// lies, if set, names operations whose Sync does nothing.
	lies    func(op string) bool
	changes int
	// looking and locking, if set, are called without the disk's lock after a
	// stat and before waiting for a lock.
	looking func(op string)
	locking func()
}

func (p *process) change(op string) error {
	p.changes++
	if p.fault == nil {
		return nil
	}
	return p.fault(p.changes, op)
}

func (p *process) open(op, path string, flag int) (file, error) {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	wrap := func(err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }
	n, err := p.disk.find(path)
	switch {
	case err == nil && flag&os.O_EXCL != 0:
		return nil, wrap(syscall.EEXIST)
	case err == syscall.ENOENT && flag&os.O_CREATE != 0:
		dir, name, err := p.disk.parent(path)
		if err != nil {
			return nil, wrap(err)
		}
		if err := p.change(op); err != nil {
			return nil, wrap(err)
		}
		n = &node{mod: p.disk.tick()}
		dir.names[name] = n
	case err != nil:
		return nil, wrap(err)
	}
	return &handle{process: p, node: n, op: op, name: filepath.Base(path)}, nil
}

func (p *process) mkdir(op, path string) error {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	dir, name, err := p.disk.parent(path)
	if err == nil && dir.names[name] != nil {
		err = syscall.EEXIST
	}
	if err == nil {
		err = p.change(op)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	dir.names[name] = newFolder(p.disk.tick())
	return nil
}

func (p *process) rename(op, from, to string) error {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	source, sourceName, err := p.disk.parent(from)
	if err == nil && source.names[sourceName] == nil {
		err = syscall.ENOENT
	}
	target, targetName, targetErr := p.disk.parent(to)
	if err == nil {
		err = targetErr
	}
	if err == nil {
		err = p.change(op)
	}
	if err != nil {
		return &os.LinkError{Op: op, Old: from, New: to, Err: err}
	}
	target.names[targetName] = source.names[sourceName]
	delete(source.names, sourceName)
	return nil
}

func (p *process) remove(op, path string) error {
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	dir, name, err := p.disk.parent(path)
	if err == nil && dir.names[name] == nil {
		err = syscall.ENOENT
	}
	if err == nil {
		err = p.change(op)
	}
	if err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	delete(dir.names, name)
	return nil
}

func (p *process) stat(op, path string) (fs.FileInfo, error) {
	if p.looking != nil {
		defer p.looking(op)
	}
	p.disk.mu.Lock()
	defer p.disk.mu.Unlock()
	n, err := p.disk.find(path)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: path, Err: err}
	}
	return n.info(filepath.Base(path)), nil
}

// handle is an open file or folder.
type handle struct {
	*process
	node     *node
	op, name string
	pos      int
	unlock   func()
}

func (h *handle) Write(b []byte) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	err := h.change(h.op + ": write")
	if err != nil {
		b = b[:len(b)/2]
	}
	h.node.data = append(h.node.data, b...)
	h.node.dirty, h.node.failedSync, h.node.mod = true, false, h.disk.tick()
	return len(b), err
}

func (h *handle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	n := h.node
	if err := h.change(h.op + ": sync"); err != nil {
		n.failedSync = true
		return err
	}
	switch {
	case h.lies != nil && h.lies(h.op):
	case n.dir:
		n.flushed = maps.Clone(n.names)
	case !n.failedSync:
		n.synced, n.dirty = bytes.Clone(n.data), false
	}
	return nil
}

func (h *handle) Read(b []byte) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if h.pos >= len(h.node.data) {
		return 0, io.EOF
	}
	n := copy(b, h.node.data[h.pos:])
	h.pos += n
	return n, nil
}

func (h *handle) Seek(offset int64, whence int) (int64, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += int64(h.pos)
	case io.SeekEnd:
		offset += int64(len(h.node.data))
	}
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	h.pos = int(offset)
	return offset, nil
}

func (h *handle) Stat() (fs.FileInfo, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return h.node.info(h.name), nil
}

func (h *handle) ReadDir(int) ([]fs.DirEntry, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	var entries []fs.DirEntry
	for name, n := range h.node.names {
		entries = append(entries, fs.FileInfoToDirEntry(n.info(name)))
	}
	return entries, nil
}

// Close works after a kill too, as the system closes a dead process's files.
func (h *handle) Close() error {
	if h.unlock != nil {
		h.unlock()
	}
	return nil
}

func (h *handle) lock(exclusive bool) error {
	if h.locking != nil {
		h.locking()
	}
	if exclusive {
		h.node.lock.Lock()
		h.unlock = h.node.lock.Unlock
	} else {
		h.node.lock.RLock()
		h.unlock = h.node.lock.RUnlock
	}
	return nil
}

func (h *handle) touch() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if err := h.change(h.op); err != nil {
		return err
	}
	h.node.mod = h.disk.tick()
	return nil
}

type nodeInfo struct {
	name string
	size int64
	dir  bool
	mod  time.Time
}

func (n *node) info(name string) fs.FileInfo {
	return nodeInfo{name, int64(len(n.data)), n.dir, n.mod}
}

func (i nodeInfo) Name() string       { return i.name }
func (i nodeInfo) Size() int64        { return i.size }
func (i nodeInfo) IsDir() bool        { return i.dir }
func (i nodeInfo) ModTime() time.Time { return i.mod }
func (i nodeInfo) Sys() any           { return nil }
func (i nodeInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o400
}
