package blob

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strconv"
	"time"

	"remuda"
)

// minSignerKey is the least length of a key in bytes: that of the hash, as
// RFC 2104, section 3 advises.
const minSignerKey = sha256.Size

const (
	expiresParam   = "expires"
	signatureParam = "signature"
)

// Signer makes URLs that authorise by themselves until they expire, and checks
// them. Whoever has one may do what its path stands for: let the path say all
// of it, reading and writing on different ones.
type Signer struct {
	key []byte
	now func() time.Time
}

// NewSigner returns a signer with a secret key of at least 32 random bytes,
// invalid if there are fewer, and a clock, usually time.Now.
func NewSigner(key []byte, now func() time.Time) (*Signer, error) {
	if len(key) < minSignerKey {
		return nil, remuda.Errorf(remuda.Invalid, "a key for signing URLs has %d bytes", len(key)).
			WithHint("give %d random bytes or more", minSignerKey)
	}
	return &Signer{key: append([]byte(nil), key...), now: now}, nil
}

// Sign returns a path, as it will stand in the request (escaped, without a
// query), with a query that authorises it until expires, in whole seconds.
// Equal arguments give equal URLs: round expires up to a common multiple for
// URLs that caches can keep.
func (s *Signer) Sign(path string, expires time.Time) string {
	at := strconv.FormatInt(expires.Unix(), 10)
	q := url.Values{expiresParam: {at}, signatureParam: {base64.RawURLEncoding.EncodeToString(s.mac(path, at))}}
	return path + "?" + q.Encode()
}

// Verify says whether a request's path (http.Request.URL.EscapedPath) and
// query are those of a URL that Sign made and that has not expired;
// unauthorized if not. Other parameters of the query are not covered.
func (s *Signer) Verify(path string, query url.Values) error {
	at := query.Get(expiresParam)
	mac, err := base64.RawURLEncoding.Strict().DecodeString(query.Get(signatureParam))
	if err != nil || !hmac.Equal(mac, s.mac(path, at)) {
		return remuda.Errorf(remuda.Unauthorized, "this address is not signed for what it names").
			WithHint("copy the whole address, or ask for a new one")
	}
	// What was signed has a number here.
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil || s.now().Unix() >= seconds {
		return remuda.Errorf(remuda.Unauthorized, "this address has expired").WithHint("load what showed it again")
	}
	return nil
}

// mac covers a path and its end. The end has no line break, so that no other
// pair gives the same text.
func (s *Signer) mac(path, expires string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("remuda url\n" + expires + "\n" + path))
	return h.Sum(nil)
}
