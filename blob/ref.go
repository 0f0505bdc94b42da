package blob

import (
	"crypto/sha256"
	"encoding/hex"

	"remuda"
)

// Ref names bytes by their SHA-256. Refs compare with ==; the zero Ref is used
// for none.
type Ref [sha256.Size]byte

// RefOf returns the ref of bytes.
func RefOf(data []byte) Ref { return sha256.Sum256(data) }

// ParseRef reads what String wrote, 64 lower-case hexadecimal digits; anything
// else is invalid.
func ParseRef(s string) (Ref, error) {
	var r Ref
	if len(s) == hex.EncodedLen(len(r)) {
		if _, err := hex.Decode(r[:], []byte(s)); err == nil && r.String() == s {
			return r, nil
		}
	}
	return Ref{}, remuda.Errorf(remuda.Invalid, "%.80q is no SHA-256", s).WithHint("give 64 digits of 0 to 9 and a to f")
}

// String returns 64 lower-case hexadecimal digits.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// IsZero says whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// MarshalText makes refs strings in JSON.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (r *Ref) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRef(string(text))
	return err
}

const (
	blobs   = "blobs/"
	derived = "derived/"
)

// key is where the bytes lie.
func (r Ref) key() string { return blobs + r.fan() + r.String() }

// fan is the part of a key that spreads refs evenly over 256 folders.
func (r Ref) fan() string { return fan(r[0]) }

func fan(b byte) string { return hex.EncodeToString([]byte{b}) + "/" }
