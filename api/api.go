// Package api joins the HTTP faces of the server and guards them: it finds out
// who sends a request and from where, bounds what slow or wrong clients cost,
// and writes the log and the metrics. Paths are handed on as they came,
// neither cleaned nor redirected.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"remuda"
	"remuda/api/image"
	"remuda/api/nucleus"
	"remuda/api/own"
	"remuda/api/scale"
	"remuda/flow"
	"remuda/internal/httpx"
	"remuda/internal/ratelimit"
)

// Options say what a Server serves, and to whom.
type Options struct {
	Flow      *flow.Flow
	Log       *slog.Logger
	PublicURL string         // how others reach the server; "" if as their requests say
	Proxies   []netip.Prefix // whose word is taken for who sends a request and whether over TLS
}

// maxBody is how many bytes a request's body may have at most; most routes take less.
const maxBody = 2 << 30

// keyRate is how many requests a second one key or user may send for long: more
// than a loop sends that waits for each answer.
const keyRate = 5000

// Server is all HTTP faces behind their guard, as an http.Handler.
type Server struct {
	o       Options
	faces   []face // the longest prefix first
	cross   *http.CrossOriginProtection
	rates   *ratelimit.Limiter // requests, by key or user
	metrics *metrics
	health  health
	stall   time.Duration
}

// face is what serves the paths below a prefix, and sees them without it.
type face struct {
	prefix  string // no slash at its end
	handler http.Handler
	routes  []string // "GET dataset/{ds}/name"; none if all its paths are alike
	refuse  func(http.ResponseWriter, *http.Request, error)
}

// New returns the server. A PublicURL that is none is invalid.
func New(o Options) (*Server, error) {
	s := &Server{o: o, cross: http.NewCrossOriginProtection(), rates: ratelimit.New(keyRate, 2*keyRate), metrics: newMetrics(o.Flow), stall: usualStall}
	if o.PublicURL != "" {
		u, err := url.Parse(o.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
			return nil, remuda.Errorf(remuda.Invalid, "%q cannot be the server's public URL", o.PublicURL).WithHint("write it like https://remuda.example.org")
		}
		s.o.PublicURL = strings.TrimRight(o.PublicURL, "/")
		if err := s.cross.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "take the public URL: %w", err)
		}
	}
	datasets := nucleus.New(nucleus.Server{
		Flow: o.Flow, Authenticate: s.authenticate, Fail: fail,
		PublicURL: func(r *http.Request) string { return httpx.Of(r).BaseURL },
	})
	labeling := scale.New(scale.Server{
		Flow: o.Flow, Authenticate: s.authenticate, Fail: fail,
		PublicURL: func(r *http.Request) string { return httpx.Of(r).BaseURL },
	})
	ours, err := own.New(own.Server{Flow: o.Flow, Authenticate: s.authenticate, Fail: fail})
	if err != nil {
		return nil, err
	}
	s.faces = []face{
		{own.Prefix, ours, ours.Routes(), ours.Refuse},
		{"/v1/nucleus", datasets, datasets.Routes(), answer},
		{"/v1", labeling, labeling.Routes(), labeling.Refuse},
		{"/healthz", http.HandlerFunc(s.serveHealth), nil, answer},
		{"/metrics", http.HandlerFunc(s.serveMetrics), nil, answer},
	}
	signed := image.Server{Flow: o.Flow, Fail: fail}
	for prefix, handler := range signed.Faces() {
		s.faces = append(s.faces, face{prefix, handler, nil, answer})
	}
	slices.SortFunc(s.faces, func(a, b face) int { return len(b.prefix) - len(a.prefix) })
	return s, nil
}

// Routes lists all that is served: a method and a pattern of the path, or the
// method * and a prefix whose paths are all alike.
func (s *Server) Routes() []string {
	var names []string
	for _, f := range s.faces {
		if f.routes == nil {
			names = append(names, "* "+f.prefix)
		}
		for _, name := range f.routes {
			method, pattern, _ := strings.Cut(name, " ")
			names = append(names, method+" "+f.prefix+"/"+pattern)
		}
	}
	slices.Sort(names)
	return names
}

// fail notes a failure of the server's for the log.
func fail(r *http.Request, err error) { httpx.Of(r).Err = err }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	known := s.know(r)
	out := newResponse(w, s.stall)
	r = httpx.With(r, known)
	r.Pattern = ""
	r.Body = newBody(w, r.Body, s.stall)
	done := s.metrics.begin()
	defer func() {
		if fault := recover(); fault != nil {
			known.Err = remuda.Errorf(remuda.Internal, "a fault of the program: %v\n%s", fault, debug.Stack())
			out.fault()
		}
		out.end()
		took := time.Since(begun)
		done(r, out.status, took)
		s.log(r, known, out, took)
	}()
	s.headers(out.Header(), known)
	s.serve(out, r)
}

// serve finds the face of a path and lets it answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for _, f := range s.faces {
		rest, below := strings.CutPrefix(path, f.prefix)
		if !below || rest != "" && rest[0] != '/' {
			continue
		}
		r.Pattern = f.prefix
		inner := relative(r, rest)
		if err := s.crossed(r); err != nil {
			f.refuse(w, inner, err)
			return
		}
		f.handler.ServeHTTP(w, inner)
		if inner.Pattern != "" {
			r.Pattern += "/" + inner.Pattern
		}
		return
	}
	answer(w, r, remuda.Errorf(remuda.NotFound, "there is nothing at %.200s", path).WithHint("our own API is at %s, the dataset API at /v1/nucleus, the labeling API at /v1", own.Prefix))
}

// crossed refuses what another site's page makes a browser send: it adds the
// cookie of a session by itself, but never a key.
func (s *Server) crossed(r *http.Request) error {
	if keyOf(r) != "" {
		return nil
	}
	if err := s.cross.Check(r); err != nil {
		return remuda.Errorf(remuda.Unauthorized, "%w", remuda.Because(err, "the request comes from another site's page")).
			WithHint("behind a proxy that changes the Host header, start the server with --public-url")
	}
	return nil
}

// relative returns a request whose path is rest, an escaped one.
func relative(r *http.Request, rest string) *http.Request {
	rest = "/" + strings.TrimLeft(rest, "/")
	inner := *r
	u := *r.URL
	inner.URL = &u
	inner.Pattern = ""
	u.RawPath = rest
	u.Path, _ = url.PathUnescape(rest) // it was read already
	return &inner
}

// answer sends an error as all faces but our own API do.
func answer(w http.ResponseWriter, _ *http.Request, err error) {
	_ = httpx.WriteJSON(w, httpx.Status(err), map[string]string{"error": remuda.Sentence(err)}) // the caller may be gone
}

// headers sets what every answer bears.
func (s *Server) headers(h http.Header, known *httpx.Request) {
	h.Set("X-Request-Id", known.ID)
	h.Set("Cache-Control", "no-store") // unless a face knows better
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	if known.Secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}
