package own

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
	"remuda/flow"
)

// Prefix begins the paths of the API.
const Prefix = "/api/v1"

// Server answers the paths below Prefix, which it sees without it.
type Server struct {
	Flow *flow.Flow
	// Authenticate says who sends a request.
	Authenticate func(*http.Request) (remuda.Caller, error)
	// Fail is told of errors whose cause is the server's, for its log.
	Fail func(*http.Request, error)

	mux  *http.ServeMux
	api  huma.API
	page []byte // the document for people
}

// New returns the API with all its routes.
func New(s Server) (*Server, error) {
	s.mux = http.NewServeMux()
	s.api = newAPI(&s)
	for _, routes := range []func(*Server){
		(*Server).sessionRoutes, (*Server).datasetRoutes, (*Server).itemRoutes, (*Server).uploadRoutes, (*Server).annotationRoutes,
		(*Server).labelRoutes, (*Server).sliceRoutes, (*Server).modelRoutes, (*Server).evaluationRoutes, (*Server).taxonomyRoutes, (*Server).jobRoutes, (*Server).userRoutes, (*Server).keyRoutes, (*Server).auditRoutes,
		(*Server).projectRoutes, (*Server).batchRoutes, (*Server).taskRoutes, (*Server).callbackRoutes, (*Server).workRoutes, (*Server).qualityRoutes, (*Server).reportRoutes,
	} {
		routes(&s)
	}
	finish(s.api.OpenAPI())
	return &s, s.documentRoutes()
}

// Routes lists what is served, each a method and a pattern of the path below
// Prefix: "GET datasets/{dataset}".
func (s *Server) Routes() []string {
	names := []string{"GET openapi.json", "GET docs"}
	for path, item := range s.api.OpenAPI().Paths {
		for method := range operations(item) {
			names = append(names, method+" "+path[1:])
		}
	}
	slices.Sort(names)
	return names
}

// operations returns those of a path, by method.
func operations(item *huma.PathItem) map[string]*huma.Operation {
	all := map[string]*huma.Operation{
		http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
	}
	maps.DeleteFunc(all, func(_ string, o *huma.Operation) bool { return o == nil })
	return all
}

// route is one operation of the API.
type route struct {
	at      string // method and path
	id      string // of the operation: a verb and a noun
	summary string
	about   string            // what the summary doesn't say
	maxBody int64             // bytes of a JSON body; 0 for maxJSON
	body    *huma.RequestBody // of requests that are no JSON
	open    bool              // whoever asks
}

// maxJSON is how many bytes of JSON a request has at most, unless its route says otherwise.
const maxJSON = 4 << 20

// answer is what is sent as JSON.
type answer[T any] struct{ Body T }

// handle adds a route whose answer is JSON.
func handle[I, T any](s *Server, r route, do func(ctx context.Context, c *call, in *I) (T, error)) {
	huma.Register(s.api, operation(r, http.StatusOK), func(ctx context.Context, in *I) (*answer[T], error) {
		c := callOf(ctx)
		out, err := do(ctx, c, in)
		if err != nil {
			return nil, s.problem(c.r, err)
		}
		return &answer[T]{Body: out}, nil
	})
	if r.body != nil { // huma would read a body that it knows of
		method, path, _ := strings.Cut(r.at, " ")
		operations(s.api.OpenAPI().Paths[path])[method].RequestBody = r.body
	}
}

// act adds a route that has no answer.
func act[I any](s *Server, r route, do func(ctx context.Context, c *call, in *I) error) {
	huma.Register(s.api, operation(r, http.StatusNoContent), func(ctx context.Context, in *I) (*struct{}, error) {
		c := callOf(ctx)
		if err := do(ctx, c, in); err != nil {
			return nil, s.problem(c.r, err)
		}
		return nil, nil
	})
}

// operation is a route as huma knows it.
func operation(r route, status int) huma.Operation {
	method, path, _ := strings.Cut(r.at, " ")
	noun, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	o := huma.Operation{
		Method: method, Path: path, OperationID: r.id, Summary: r.summary, Description: r.about, Tags: []string{noun},
		DefaultStatus: status, MaxBodyBytes: r.maxBody, BodyReadTimeout: -1, RejectUnknownQueryParameters: true,
		Responses: map[string]*huma.Response{"default": {
			Description: "What failed, and what to do about it.",
			Content:     map[string]*huma.MediaType{problemType: {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}}},
		}},
	}
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = maxJSON
	}
	if r.open {
		o.Security = []map[string][]string{}
		o.Metadata = map[string]any{openRoute: true}
	}
	return o
}

// openRoute marks operations that need no login.
const openRoute = "open"
