package own

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"remuda"
)

// call is a request under way.
type call struct {
	caller remuda.Caller
	r      *http.Request
	w      http.ResponseWriter
}

type callKey struct{}

// callOf returns the call that a context belongs to.
func callOf(ctx context.Context) *call {
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok {
		return &call{}
	}
	return c
}

// adapter brings huma's operations to the standard library's mux, knows who
// asks before an operation begins, and answers for paths that nothing is at.
type adapter struct{ server *Server }

// Handle adds an operation.
func (a *adapter) Handle(o *huma.Operation, do func(huma.Context)) {
	a.server.mux.HandleFunc(o.Method+" "+o.Path, func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		if open, _ := o.Metadata[openRoute].(bool); !open {
			var err error
			if c.caller, err = a.server.Authenticate(r); err != nil {
				a.server.refuse(w, r, err)
				return
			}
		}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		do(&humaContext{inner: humago.NewContext(o, r, w), out: &patientWriter{w: w}})
	})
}

// ServeHTTP answers one call.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.server.ServeHTTP(w, r) }

// ServeHTTP answers one call. Paths are taken as they came: the mux would
// redirect one that is not clean to a place below another prefix.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := s.mux.Handler(r); pattern != "" && clean(r.URL.EscapedPath()) {
		s.mux.ServeHTTP(w, r)
		_, r.Pattern, _ = strings.Cut(pattern, " /") // for the log and the metrics
		return
	}
	known := &methods{header: http.Header{}}
	s.mux.ServeHTTP(known, r)
	r.Pattern = ""
	path := r.URL.EscapedPath()
	if allow := known.header.Get("Allow"); allow != "" && clean(path) {
		w.Header().Set("Allow", allow)
		s.refuse(w, r, remuda.Errorf(remuda.Invalid, "%s is not a method of %s%.200s", r.Method, Prefix, path).WithHint("use %s", allow))
		return
	}
	s.refuse(w, r, remuda.Errorf(remuda.NotFound, "there is nothing at %s%.200s", Prefix, path).WithHint("%s/docs lists what there is", Prefix))
}

// clean says whether a path is one that the mux would not redirect.
func clean(path string) bool {
	for _, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}

// methods takes the mux's answer to a method that a path hasn't.
type methods struct{ header http.Header }

// Header returns the answer's header.
func (m *methods) Header() http.Header { return m.header }

// Write forgets.
func (m *methods) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader forgets.
func (m *methods) WriteHeader(int) {}

// inner has another name than its method Context.
type inner = huma.Context

// humaContext is humago's, with our status for invalid requests and without
// panics when a caller has gone.
type humaContext struct {
	inner
	out *patientWriter
}

// SetStatus begins the answer. Huma tells requests that make no sense from
// those that break a schema; our code for both is invalid.
func (c *humaContext) SetStatus(status int) {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	c.inner.SetStatus(status)
}

// BodyWriter is where the answer goes.
func (c *humaContext) BodyWriter() io.Writer { return c.out }

// Unwrap returns the context beneath.
func (c *humaContext) Unwrap() huma.Context { return c.inner }

// patientWriter writes until that fails, and then as if it didn't: nobody
// reads any more.
type patientWriter struct {
	w   io.Writer
	err error
}

// Write writes on, if the caller is still there.
func (p *patientWriter) Write(b []byte) (int, error) {
	if p.err == nil {
		_, p.err = p.w.Write(b)
	}
	return len(b), nil
}
