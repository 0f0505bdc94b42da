package own

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
	"remuda/internal/httpx"
	"remuda/wire"
)

const problemType = "application/problem+json"

// failure is a Problem as huma sends it.
type failure struct{ wire.Problem }

// GetStatus returns the HTTP status.
func (f *failure) GetStatus() int { return f.Status }

// Error returns what failed.
func (f *failure) Error() string { return f.Detail }

// ContentType is the media type, whatever was asked for.
func (f *failure) ContentType(string) string { return problemType }

// problem is an error as it is answered with; those of the server are noted.
func (s *Server) problem(r *http.Request, err error) *failure {
	status := httpx.Status(err)
	if status >= http.StatusInternalServerError && s.Fail != nil {
		s.Fail(r, err)
	}
	return &failure{wire.Problem{
		Title: http.StatusText(status), Status: status, Detail: remuda.Told(err), Code: string(remuda.CodeOf(err)), Hint: remuda.HintOf(err),
	}}
}

// refuse answers a request that no operation has seen.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r, err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="remuda"`)
	}
	text, err := json.Marshal(p)
	if err != nil { // texts and numbers always marshal
		text = nil
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(text) // the caller may be gone
}

// asProblem turns what huma finds wrong with a request into a Problem.
func asProblem(_ huma.Context, status string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	n, err := strconv.Atoi(status)
	if err != nil || n == http.StatusUnprocessableEntity {
		n = http.StatusBadRequest
	}
	p := wire.Problem{Title: http.StatusText(n), Status: n, Detail: model.Detail, Code: string(remuda.Invalid), Hint: "see " + Prefix + "/docs for what the request takes"}
	if n >= http.StatusInternalServerError {
		p.Code, p.Hint = string(remuda.Internal), "the server's log says more"
	}
	for _, e := range model.Errors {
		if e != nil {
			p.Errors = append(p.Errors, wire.Mistake{Location: e.Location, Message: e.Message})
		}
	}
	if len(p.Errors) > 0 && p.Code == string(remuda.Invalid) {
		p.Detail = "the request is wrong"
		for _, e := range p.Errors {
			p.Detail += ": " + e.Location + ": " + e.Message
			break
		}
	}
	return &failure{p}, nil
}
