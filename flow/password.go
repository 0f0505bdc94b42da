package flow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"remuda"
)

// The cost of a password's hash: argon2id with 19 MiB and 2 passes, the first of
// the OWASP Password Storage Cheat Sheet's equal choices.
const (
	argonKiB    = 19 << 10
	argonPasses = 2
	argonLanes  = 1
	saltBytes   = 16
	hashBytes   = 32
)

// The length of a password, in bytes.
const (
	minPassword = 10
	maxPassword = 1000
)

// passwords makes and checks hashes, one at a time: each takes tens of
// milliseconds of a core and 19 MiB.
type passwords struct{ one sync.Mutex }

// check says whether a password may be chosen.
func checkNewPassword(password string) error {
	if len(password) < minPassword || len(password) > maxPassword {
		return remuda.Errorf(remuda.Invalid, "a password has %d to %d bytes", minPassword, maxPassword).WithHint("choose a longer one: a few words will do")
	}
	return nil
}

// hash returns what a table keeps of a password, in the PHC string format.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: it ends the process if the system has no randomness
	key, err := p.derive(ctx, password, salt, argonKiB, argonPasses, argonLanes, hashBytes)
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonKiB, argonPasses, argonLanes, text(salt), text(key)), err
}

// matches says whether a password is the one of a hash. A hash that isn't one
// matches nothing, in the same time.
func (p *passwords) matches(ctx context.Context, password, hash string) (bool, error) {
	var version int
	var kib, passes uint32
	var lanes uint8
	parts := strings.Split(hash, "$")
	good := len(parts) == 6 && parts[1] == "argon2id"
	if good {
		_, err1 := fmt.Sscanf(parts[2], "v=%d", &version)
		_, err2 := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &kib, &passes, &lanes)
		good = err1 == nil && err2 == nil && version == argon2.Version && passes > 0 && lanes > 0
	}
	salt, want := make([]byte, saltBytes), make([]byte, hashBytes)
	if good {
		var err1, err2 error
		salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
		want, err2 = base64.RawStdEncoding.DecodeString(parts[5])
		good = err1 == nil && err2 == nil && len(want) > 0
	}
	if !good {
		kib, passes, lanes, want = argonKiB, argonPasses, argonLanes, make([]byte, hashBytes)
	}
	got, err := p.derive(ctx, password, salt, kib, passes, lanes, uint32(len(want)))
	return err == nil && good && subtle.ConstantTimeCompare(got, want) == 1, err
}

func (p *passwords) derive(ctx context.Context, password string, salt []byte, kib, passes uint32, lanes uint8, length uint32) ([]byte, error) {
	p.one.Lock()
	defer p.one.Unlock()
	if err := ctx.Err(); err != nil { // it has waited for too long
		return nil, err
	}
	return argon2.IDKey([]byte(password), salt, passes, kib, lanes, length), nil
}
