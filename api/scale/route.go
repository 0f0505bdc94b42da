package scale

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/internal/httpx"
)

// Server is the labeling API as an http.Handler. It sees paths relative to its
// prefix: projects, task/{id}/cancel, …
type Server struct {
	Flow *flow.Flow
	// Authenticate says who sends a request.
	Authenticate func(*http.Request) (remuda.Caller, error)
	// PublicURL begins the URLs that answers hold, without a slash at its end.
	PublicURL func(*http.Request) string
	// Fail is told of errors whose cause is the server's, for its log.
	Fail func(*http.Request, error)

	mux    *http.ServeMux
	routes []string
}

// request is what a handler needs of a call.
type request struct {
	*http.Request
	server *Server
	w      http.ResponseWriter
	caller remuda.Caller
	object bool // the body was a JSON object: clients read theirs again when they are told of a conflict
}

// handler carries out a call; what it returns is sent as JSON, always with the
// status 200.
type handler func(r *request) (any, error)

// maxJSON is how many bytes of JSON a request may have.
const maxJSON = 8 << 20

// New returns the API with all its routes.
func New(s Server) *Server {
	s.mux, s.routes = http.NewServeMux(), nil
	for _, group := range []map[string]handler{
		projectRoutes(), batchRoutes(), taskRoutes(), qualityRoutes(), fileRoutes(), teamRoutes(), studioRoutes(),
	} {
		for name, handle := range group {
			method, pattern, _ := strings.Cut(name, " ")
			s.routes = append(s.routes, name)
			s.mux.HandleFunc(method+" /"+pattern, func(w http.ResponseWriter, r *http.Request) {
				r.Pattern = pattern // for the log and the metrics
				s.serve(w, r, handle)
			})
		}
	}
	slices.Sort(s.routes)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = ""
		s.serve(w, r, func(r *request) (any, error) {
			return nil, remuda.Errorf(remuda.NotFound, "there is no route %s /%.200s", r.Method, strings.TrimPrefix(r.URL.EscapedPath(), "/"))
		})
	})
	return &s
}

// Routes lists what is served, each a method and a pattern of the path:
// "GET projects/{project}".
func (s *Server) Routes() []string { return s.routes }

// ServeHTTP answers one call, always with JSON. Slashes that follow each other
// count as one: a base URL may end in one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	u := *r.URL
	u.RawPath = "/" + strings.TrimLeft(path, "/")
	u.Path, _ = url.PathUnescape(u.RawPath) // it was read already
	inner := *r
	inner.URL = &u
	s.mux.ServeHTTP(w, &inner)
	r.Pattern = inner.Pattern
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, handle handler) {
	call := &request{Request: r, server: s, w: w}
	answer, err := s.call(call, handle)
	if err == nil {
		if err = httpx.WriteJSON(w, http.StatusOK, answer); err == nil {
			return
		}
	}
	s.refuse(w, r, statusOf(call, err), err)
}

// Refuse answers with an error.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, r, httpx.Status(err), err)
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	if status >= http.StatusInternalServerError && s.Fail != nil {
		s.Fail(r, err)
	}
	_ = httpx.WriteJSON(w, status, map[string]any{"status_code": status, "error": remuda.Sentence(err)}) // the caller may be gone
}

func (s *Server) call(r *request, handle handler) (_ any, err error) {
	if r.caller, err = s.Authenticate(r.Request); err != nil {
		return nil, err
	}
	return handle(r)
}

// statusOf is the status of an error. Clients told of a conflict look for a
// unique_id in the JSON object that they sent and fall over where they sent none.
func statusOf(r *request, err error) int {
	status := httpx.Status(err)
	if status == http.StatusConflict && !r.object && !strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/"), "files/") {
		return http.StatusBadRequest
	}
	return status
}

// body reads the request's body; nothing if it is empty, as clients send empty
// objects and lists.
func (r *request) body() (json.RawMessage, error) {
	text, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxJSON))
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read the request's body: %w", err)
	}
	text = bytes.TrimSpace(text)
	if len(text) > 0 && !json.Valid(text) {
		return nil, remuda.Errorf(remuda.Invalid, "the request's body is no JSON")
	}
	r.object = len(text) > 0 && text[0] == '{'
	return text, nil
}

// json reads the request's body; an empty one leaves into as it is.
func (r *request) json(into any) error {
	text, err := r.body()
	if err != nil || len(text) == 0 {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q cannot be a %s", wrong.Field, wrong.Value)
		}
		return remuda.Errorf(remuda.Invalid, "read the request's JSON: %w", err)
	}
	return nil
}

// objectBody reads a body that is an object, or empty.
func (r *request) objectBody() (json.RawMessage, error) {
	text, err := r.body()
	if err == nil && len(text) > 0 && !r.object {
		err = remuda.Errorf(remuda.Invalid, "the request's body is no JSON object")
	}
	return text, err
}
