package blob

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"remuda"
)

const maxDerivedName = 64

// derivedKey is where what is derived from r lies; with an empty name, what
// all such keys begin with.
func (r Ref) derivedKey(name string) string { return derived + r.fan() + r.String() + "." + name }

// checkName keeps names to what is the same in every file system and bucket.
func checkName(name string) error {
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_')
	}
	if name == "" || len(name) > maxDerivedName || strings.ContainsFunc(name, odd) {
		return remuda.Errorf(remuda.Invalid, "%.80q cannot name a derived object", name).
			WithHint("use 1 to %d of a to z, 0 to 9, dot, dash and underscore", maxDerivedName)
	}
	return nil
}

// PutDerived stores something small that was made from a blob, such as a
// thumbnail, in place of what had the name. It is whole or absent but may be
// lost in a power loss: whoever wants it makes it again then. It goes when its
// blob goes.
func (s *Store) PutDerived(ctx context.Context, ref Ref, name string, data []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	d, err := s.medium.create(ctx)
	if err != nil {
		return fmt.Errorf("store %s of %s: %w", name, ref, err)
	}
	sum := sha256.Sum256(data)
	for _, part := range [][]byte{sum[:], data} {
		if _, err := d.Write(part); err != nil {
			d.discard()
			return fmt.Errorf("store %s of %s: %w", name, ref, err)
		}
	}
	if err := d.commit(ctx, ref.derivedKey(name), false); err != nil {
		return fmt.Errorf("store %s of %s: %w", name, ref, err)
	}
	return nil
}

// Derived returns what PutDerived stored; not_found if it is absent or was
// torn by a power loss.
func (s *Store) Derived(ctx context.Context, ref Ref, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	body, _, err := s.medium.open(ctx, ref.derivedKey(name))
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, ref, err)
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", name, ref, err)
	}
	if len(data) < sha256.Size || Ref(data[:sha256.Size]) != RefOf(data[sha256.Size:]) {
		return nil, remuda.Errorf(remuda.NotFound, "read %s of %s: it was lost", name, ref)
	}
	return data[sha256.Size:], nil
}
