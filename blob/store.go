package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"time"

	"remuda"
)

// Store keeps bytes by their hash. Its methods may be called from many
// goroutines and, on the same location, from many processes.
type Store struct {
	medium medium
}

// Info is what is known of a blob without reading it.
type Info struct {
	Ref     Ref
	Size    int64     // bytes
	ModTime time.Time // when it was last put or touched
}

// medium is where objects lie, under keys with slashes. Its errors are coded
// and name the location.
type medium interface {
	// create starts a new object.
	create(ctx context.Context) (draft, error)
	// open returns an object's bytes; not_found if it is absent. Reading may go
	// on using ctx.
	open(ctx context.Context, key string) (io.ReadSeekCloser, object, error)
	stat(ctx context.Context, key string) (object, error)
	// touch makes an object as young as one put now, safely against removeBefore.
	touch(ctx context.Context, key string) error
	// removeBefore removes an object unless it was put or touched after the
	// time, and says whether it did; the zero time stands for any age. An
	// object that is absent, or being put while its age counts, stays as it is.
	removeBefore(ctx context.Context, key string, before time.Time) (bool, error)
	// list yields the objects whose keys begin with prefix, which ends with a
	// slash or lies below one that does, in ascending order of keys.
	list(ctx context.Context, prefix string) iter.Seq2[object, error]
}

// draft is an object that nobody sees before it is committed. One of commit
// and discard ends it.
type draft interface {
	io.Writer
	// commit makes the object visible as a whole, in place of one that has the
	// key already. A durable one survives a power loss once commit has returned.
	commit(ctx context.Context, key string, durable bool) error
	discard()
}

// object is one listed or opened object.
type object struct {
	key     string
	size    int64
	modTime time.Time
}

// Put stores what r yields and returns its ref and its size in bytes, once it
// is safe: it survives a kill and a power loss from then on. Bytes that are
// stored already are written anew, which makes their blob as young as any
// other and whole if it was not. maxBytes limits the size, 0 does not; more is
// invalid. An error of r keeps its code. On any error nothing is stored that
// was not before, or it is whole and for Sweep to remove.
func (s *Store) Put(ctx context.Context, r io.Reader, maxBytes int64) (Ref, int64, error) {
	d, err := s.medium.create(ctx)
	if err != nil {
		return Ref{}, 0, fmt.Errorf("store a file: %w", err)
	}
	hash := sha256.New()
	src := &source{ctx: ctx, r: r, left: maxBytes, limit: maxBytes}
	size, err := io.Copy(io.MultiWriter(d, hash), src)
	if err != nil {
		d.discard()
		return Ref{}, 0, fmt.Errorf("store a file: %w", err)
	}
	ref := Ref(hash.Sum(nil))
	if err := d.commit(ctx, ref.key(), true); err != nil {
		return Ref{}, 0, fmt.Errorf("store %s: %w", ref, err)
	}
	return ref, size, nil
}

// source reads up to a limit while its context lives.
type source struct {
	ctx         context.Context
	r           io.Reader
	left, limit int64 // 0 for a limit is none
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if s.limit > 0 && int64(len(p)) > s.left+1 {
		p = p[:s.left+1]
	}
	n, err := s.r.Read(p)
	s.left -= int64(n)
	if s.limit > 0 && s.left < 0 {
		return 0, remuda.Errorf(remuda.Invalid, "it is larger than %d bytes", s.limit).WithHint("send at most %d bytes", s.limit)
	}
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read what was sent: %w", err)
	}
	return n, err
}

// Open returns a blob for reading and seeking; not_found if it is absent. The
// caller closes it. ctx must live as long as the reader is used.
func (s *Store) Open(ctx context.Context, ref Ref) (*Reader, error) {
	body, obj, err := s.medium.open(ctx, ref.key())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", ref, err)
	}
	return newReader(body, Info{ref, obj.size, obj.modTime}), nil
}

// Stat returns what is known of a blob; not_found if it is absent. A blob that
// nothing refers to may be swept at any moment after: see Touch.
func (s *Store) Stat(ctx context.Context, ref Ref) (Info, error) {
	obj, err := s.medium.stat(ctx, ref.key())
	if err != nil {
		return Info{}, fmt.Errorf("look at %s: %w", ref, err)
	}
	return Info{ref, obj.size, obj.modTime}, nil
}

// Touch makes a blob as young as if it had been put now, so that whoever wants
// to refer to bytes without sending them again is safe from a Sweep;
// not_found if it is absent. S3 does that for up to 5 GiB.
func (s *Store) Touch(ctx context.Context, ref Ref) error {
	if err := s.medium.touch(ctx, ref.key()); err != nil {
		return fmt.Errorf("touch %s: %w", ref, err)
	}
	return nil
}

// Delete removes a blob and what is derived from it. One that is absent is no
// error. Nothing may refer to it: blobs are shared by all who put the same
// bytes, so that Sweep is the usual way. A removed blob of a folder may come
// back after a power loss.
func (s *Store) Delete(ctx context.Context, ref Ref) error {
	if _, err := s.medium.removeBefore(ctx, ref.key(), time.Time{}); err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	for obj, err := range s.medium.list(ctx, ref.derivedKey("")) {
		if err == nil {
			_, err = s.medium.removeBefore(ctx, obj.key, time.Time{})
		}
		if err != nil {
			return fmt.Errorf("delete what is derived from %s: %w", ref, err)
		}
	}
	return nil
}

// List yields every blob in ascending order of refs. Blobs that are put or
// removed meanwhile may or may not be among them. An error is the last thing
// that it yields.
func (s *Store) List(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for b := range 256 {
			for info, err := range s.listFan(ctx, byte(b)) {
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}

// listFan lists the blobs whose refs begin with b. Objects that are not ours
// are left alone.
func (s *Store) listFan(ctx context.Context, b byte) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for obj, err := range s.medium.list(ctx, blobs+fan(b)) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Info{}, fmt.Errorf("list files: %w", err))
				return
			}
			ref, err := ParseRef(path.Base(obj.key))
			if err != nil || ref.key() != obj.key {
				continue
			}
			if !yield(Info{ref, obj.size, obj.modTime}, nil) {
				return
			}
		}
	}
}

// Close lets go of the location. Nothing that was acknowledged depends on it.
func (s *Store) Close() error {
	if c, ok := s.medium.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// ErrCorrupt says that stored bytes are not those that were put: the disk or
// someone changed them.
var ErrCorrupt = errors.New("its bytes have changed since they were stored")

func corrupt(ref Ref) error {
	return remuda.Errorf(remuda.Internal, "read %s: %w", ref, ErrCorrupt).
		WithHint("send the same file again, or restore it from a backup: either makes it whole")
}
