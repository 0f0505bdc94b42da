package blob

import (
	"crypto/sha256"
	"hash"
	"io"

	"remuda"
)

// Reader reads one blob. A reader that goes from the first byte to the last,
// in one sweep or with detours, gets ErrCorrupt in place of the last bytes if
// they are not those that were put; parts alone cannot be checked.
type Reader struct {
	body   io.ReadSeekCloser
	info   Info
	pos    int64
	hash   hash.Hash
	hashed int64 // bytes from the start that hash has seen
	err    error // once the whole was found wrong
}

func newReader(body io.ReadSeekCloser, info Info) *Reader {
	return &Reader{body: body, info: info, hash: sha256.New()}
}

// Info returns what is known of the blob.
func (r *Reader) Info() Info { return r.info }

// Read reads on. Bytes that complete a wrong whole are withheld.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(p)
	end := r.pos + int64(n)
	if r.pos <= r.hashed && end > r.hashed {
		r.hash.Write(p[r.hashed-r.pos : n])
		r.hashed = end
	}
	r.pos = end
	wrongEnd := err == io.EOF && end != r.info.Size && r.hashed == end
	wrongSum := (n > 0 || err == io.EOF) && end == r.info.Size && r.hashed == end && Ref(r.hash.Sum(nil)) != r.info.Ref
	if wrongEnd || wrongSum || r.hashed > r.info.Size {
		r.err = corrupt(r.info.Ref)
		return 0, r.err
	}
	if err != nil && err != io.EOF && !isContext(err) {
		err = remuda.Errorf(remuda.Unavailable, "read %s: %w", r.info.Ref, err)
	}
	return n, err
}

// Seek moves to where the next Read begins.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	pos, err := r.body.Seek(offset, whence)
	if err == nil {
		r.pos = pos
	}
	return pos, err
}

// Close ends reading.
func (r *Reader) Close() error { return r.body.Close() }
