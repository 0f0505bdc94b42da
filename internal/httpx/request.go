package httpx

import (
	"context"
	"net/http"
	"time"

	"remuda"
)

// Request is what the guard in front of the HTTP faces knows of a request, and
// what they tell it for its log.
type Request struct {
	ID      string // for the log and the answer's X-Request-Id
	Address string // who sends it, a proxy's word for it where that is trusted
	Secure  bool   // it came over TLS, to us or to a trusted proxy
	BaseURL string // begins the URLs that answers hold, without a slash at its end

	Caller remuda.Caller // once it is known
	Err    error         // a failure of the server's
}

type requestKey struct{}

// With returns the request with what is known of it.
func With(r *http.Request, known *Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
}

// Of returns what is known of a request; what was never told is empty.
func Of(r *http.Request) *Request {
	if known, ok := r.Context().Value(requestKey{}).(*Request); ok {
		return known
	}
	return &Request{}
}

// The cookie of a session. With the prefix, browsers take it over TLS alone
// and from this host alone (RFC 6265bis, section 4.1.3.2).
const (
	plainCookie  = "remuda_session"
	secureCookie = "__Host-" + plainCookie
)

func cookieName(r *http.Request) string {
	if Of(r).Secure {
		return secureCookie
	}
	return plainCookie
}

// SessionToken returns the token of a request's session, or "".
func SessionToken(r *http.Request) string {
	if c, err := r.Cookie(cookieName(r)); err == nil {
		return c.Value
	}
	return ""
}

// SetSession lets a browser keep the token of a session for so long; none at
// all if the token is "".
func SetSession(w http.ResponseWriter, r *http.Request, token string, keep time.Duration) {
	c := &http.Cookie{
		Name: cookieName(r), Value: token, Path: "/", MaxAge: int(keep.Seconds()),
		HttpOnly: true, Secure: Of(r).Secure, SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
