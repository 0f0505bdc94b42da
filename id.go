package remuda

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"sync"
	"time"
)

// crockford is the alphabet of Douglas Crockford's base 32 in lower case: no i, l, o or u.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// IDs makes ids that sort by the time at which they were made: rows that are
// made together lie together in an index.
type IDs struct {
	mu   sync.Mutex
	last [idBytes]byte
	now  func() time.Time
	text *base32.Encoding
}

// An id's bytes: milliseconds since 1970, then random ones, counted up within a millisecond.
const (
	idBytes   = 12
	timeBytes = 6
)

// NewIDs returns a maker of ids with a clock, usually time.Now.
func NewIDs(now func() time.Time) *IDs {
	return &IDs{now: now, text: base32.NewEncoding(crockford).WithPadding(base32.NoPadding)}
}

// New returns prefix, an underscore and 20 characters of lower-case Crockford
// base 32. Ids of one maker ascend.
func (ids *IDs) New(prefix string) string {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	next := stamped(ids.now())
	if string(next[:timeBytes]) > string(ids.last[:timeBytes]) {
		_, _ = rand.Read(next[timeBytes:]) // never fails: it ends the process if the system has no randomness
		next[timeBytes] &= 0x7f            // room to count up
	} else {
		next = ids.last
		for i := idBytes - 1; i >= 0; i-- {
			next[i]++
			if next[i] != 0 {
				break
			}
		}
	}
	ids.last = next
	return prefix + "_" + ids.text.EncodeToString(next[:])
}

// At returns an id as New would have made it at a time, with random bytes of its
// own: to stand among others of that time.
func (ids *IDs) At(prefix string, t time.Time) string {
	id := stamped(t)
	_, _ = rand.Read(id[timeBytes:]) // never fails: it ends the process if the system has no randomness
	id[timeBytes] &= 0x7f
	return prefix + "_" + ids.text.EncodeToString(id[:])
}

// IDTime returns when an id was made, to the millisecond; the zero time if it is
// none that New makes.
func IDTime(id string) time.Time {
	_, text, _ := strings.Cut(id, "_")
	bytes, err := base32.NewEncoding(crockford).WithPadding(base32.NoPadding).DecodeString(text)
	if err != nil || len(bytes) != idBytes {
		return time.Time{}
	}
	var stamp [8]byte
	copy(stamp[8-timeBytes:], bytes)
	return time.UnixMilli(int64(binary.BigEndian.Uint64(stamp[:]))).UTC()
}

// FirstID returns the least id with a prefix that could have been made at a
// time, or in the rest of its millisecond, or later.
func FirstID(prefix string, t time.Time) string {
	id := stamped(t)
	return prefix + "_" + base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(id[:])
}

// stamped returns an id's bytes with a time and no random ones.
func stamped(t time.Time) (id [idBytes]byte) {
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], uint64(max(t.UnixMilli(), 0)))
	copy(id[:timeBytes], stamp[8-timeBytes:])
	return id
}
