package api

import (
	"net/http"
	"strings"
	"time"

	"remuda"
	"remuda/internal/httpx"
)

// worldHeader lets a session work in the test world; a key says its own.
const worldHeader = "X-Remuda-World"

// authenticate says who sends a request: by an API key as the name of HTTP
// Basic with an empty password, as a Bearer token or as x-limited-access-key,
// or else by the cookie of a session. unauthorized ([remuda.ErrNoLogin]) if nobody is known.
func (s *Server) authenticate(r *http.Request) (caller remuda.Caller, err error) {
	if key := keyOf(r); key != "" {
		caller, err = s.o.Flow.KeyCaller(r.Context(), key)
	} else if token := httpx.SessionToken(r); token != "" {
		world := remuda.World(r.Header.Get(worldHeader))
		if world == "" {
			world = remuda.Live
		}
		caller, err = s.o.Flow.SessionCaller(r.Context(), token, world)
	} else {
		err = remuda.Errorf(remuda.Unauthorized, "%w", remuda.Because(remuda.ErrNoLogin, "no API key came with the request")).
			WithHint("send one as the user name of HTTP Basic with an empty password, or as a Bearer token; `remuda key create` makes one on the server's machine")
	}
	if err != nil {
		return remuda.Caller{}, err
	}
	httpx.Of(r).Caller = caller
	name := caller.Key
	if name == "" {
		name = caller.User
	}
	if !s.rates.Allow(name, time.Now()) { // a status that clients of the dataset API try again after, as they don't after 429
		return remuda.Caller{}, remuda.Errorf(remuda.Unavailable, "more than %d requests a second came with this key", keyRate).WithHint("send fewer at once")
	}
	return caller, nil
}

// keyOf returns the API key that a request bears, or "".
func keyOf(r *http.Request) string {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return r.Header.Get("X-Limited-Access-Key")
	}
	if user, password, ok := r.BasicAuth(); ok {
		if user == "" || password != "" && user != password {
			return "-" // no key, but meant as one
		}
		return user
	}
	scheme, token, _ := strings.Cut(authorization, " ")
	if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
		return token
	}
	return "-"
}
