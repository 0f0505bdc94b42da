package nucleus

import (
	"bufio"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/internal/httpx"
)

// Server is the dataset API as an http.Handler. It sees paths relative to its
// prefix: dataset/create, slice/, …
type Server struct {
	Flow *flow.Flow
	// Authenticate says who sends a request.
	Authenticate func(*http.Request) (remuda.Caller, error)
	// PublicURL begins the URLs that answers hold, without a slash at its end.
	PublicURL func(*http.Request) string
	// Fail is told of errors whose cause is the server's, for its log.
	Fail func(*http.Request, error)

	routes []route
}

// request is what a handler needs of a call.
type request struct {
	*http.Request
	w      http.ResponseWriter
	caller remuda.Caller
	params map[string]string
}

// handler carries out a call; what it returns is sent as JSON, a stream as what it writes.
type handler func(s *Server, r *request) (any, error)

// route is a method and a pattern: segments that match themselves, {name} for
// one segment, unescaped, and {name...} for all that is left, in which escaped
// characters have become themselves.
type route struct {
	method  string
	pattern []string
	handle  handler
}

// maxJSON is how many bytes of JSON a request may have.
const maxJSON = 128 << 20

// New returns the API with all its routes.
func New(s Server) *Server {
	s.routes = nil
	for _, group := range []map[string]handler{
		datasetRoutes(), itemRoutes(), uploadRoutes(), tagRoutes(), jobRoutes(),
		annotationRoutes(), taxonomyRoutes(), exportRoutes(),
		sliceRoutes(), queryRoutes(), embeddingRoutes(),
		modelRoutes(), runRoutes(), predictionRoutes(), weightsRoutes(),
		benchmarkRoutes(), evaluationRoutes(), validateRoutes(),
	} {
		for name, handle := range group {
			method, pattern, _ := strings.Cut(name, " ")
			s.routes = append(s.routes, route{method, strings.Split(pattern, "/"), handle})
		}
	}
	return &s
}

// Routes lists what is served, each a method and a pattern of the path:
// "GET dataset/{ds}/name".
func (s *Server) Routes() []string {
	var names []string
	for _, t := range s.routes {
		names = append(names, t.method+" "+strings.Join(t.pattern, "/"))
	}
	slices.Sort(names)
	return names
}

// stream writes an answer that is too large to be held in memory, as JSON.
type stream func(out *bufio.Writer) error

// redirect is an answer that sends the caller to a URL.
type redirect string

// ServeHTTP answers one call, always with JSON.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := s.call(w, r)
	if write, ok := answer.(stream); ok && err == nil {
		if err = httpx.Spool(w, write); err == nil {
			return
		}
	}
	if to, ok := answer.(redirect); ok && err == nil {
		w.Header().Set("Location", string(to))
		_ = httpx.WriteJSON(w, http.StatusFound, map[string]string{"url": string(to)}) // the caller may be gone
		return
	}
	if err == nil {
		err = httpx.WriteJSON(w, http.StatusOK, answer)
		if err == nil {
			return
		}
	}
	status := httpx.Status(err)
	if status >= http.StatusInternalServerError && s.Fail != nil {
		s.Fail(r, err)
	}
	_ = httpx.WriteJSON(w, status, map[string]string{"error": remuda.Sentence(err)}) // the caller may be gone
}

func (s *Server) call(w http.ResponseWriter, r *http.Request) (any, error) {
	caller, err := s.Authenticate(r)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	found, params, err := s.match(r.Method, strings.Split(path, "/"))
	if err != nil {
		return nil, err
	}
	r.Pattern = strings.Join(found.pattern, "/") // for the log and the metrics
	return found.handle(s, &request{Request: r, w: w, caller: caller, params: params})
}

// match finds the handler of a path: of several, the one whose pattern says
// most, segment by segment.
func (s *Server) match(method string, path []string) (*route, map[string]string, error) {
	var best *route
	known := false
	for i := range s.routes {
		candidate := &s.routes[i]
		if !candidate.fits(path) {
			continue
		}
		known = true
		if candidate.method == method && (best == nil || candidate.before(best)) {
			best = candidate
		}
	}
	if best == nil {
		if err := notServed(method, path); err != nil {
			return nil, nil, err
		}
	}
	if best == nil && known {
		return nil, nil, remuda.Errorf(remuda.Invalid, "%s is not a method of /%s", method, strings.Join(path, "/"))
	}
	if best == nil {
		return nil, nil, remuda.Errorf(remuda.NotFound, "there is no route %s /%s", method, strings.Join(path, "/"))
	}
	params, err := best.params(path)
	return best, params, err
}

func (t *route) fits(path []string) bool {
	for i, segment := range t.pattern {
		if strings.HasSuffix(segment, "...}") {
			return len(path) > i
		}
		if i >= len(path) || !strings.HasPrefix(segment, "{") && segment != path[i] {
			return false
		}
	}
	return len(t.pattern) == len(path)
}

// before says whether t names more than other where they first differ.
func (t *route) before(other *route) bool {
	rank := func(segment string) int {
		switch {
		case strings.HasSuffix(segment, "...}"):
			return 2
		case strings.HasPrefix(segment, "{"):
			return 1
		}
		return 0
	}
	for i := 0; i < len(t.pattern) && i < len(other.pattern); i++ {
		if a, b := rank(t.pattern[i]), rank(other.pattern[i]); a != b {
			return a < b
		}
	}
	return len(t.pattern) > len(other.pattern)
}

func (t *route) params(path []string) (map[string]string, error) {
	params := make(map[string]string)
	for i, segment := range t.pattern {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		name, rest := strings.CutSuffix(strings.Trim(segment, "{}"), "...")
		text := path[i]
		if rest {
			text = strings.Join(path[i:], "/")
		}
		value, err := url.PathUnescape(text)
		if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the path: %w", err)
		}
		if strings.ContainsRune(value, 0) {
			return nil, remuda.Errorf(remuda.Invalid, "read the path: it has a NUL character in it")
		}
		params[name] = value
	}
	return params, nil
}

// json reads the request's body; an empty one leaves into as it is.
func (r *request) json(into any) error { return httpx.ReadJSON(r.w, r.Request, maxJSON, into) }

// param returns what stood in the path for {name}.
func (r *request) param(name string) string { return r.params[name] }
