package own

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
	"remuda/wire"
)

// newAPI returns an API without routes.
func newAPI(s *Server) huma.API {
	c := huma.DefaultConfig("Remuda", "1")
	c.Info.Description = "Datasets, annotations, slices, runs and models of a Remuda server. Errors are application/problem+json with a code and, where someone can act, a hint. " +
		"Boxes are float pixels of the upright image, from the top-left corner of its top-left pixel."
	c.Servers = []*huma.Server{{URL: Prefix}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key":     {Type: "http", Scheme: "bearer", Description: "An API key. It may also be sent as the user name of HTTP Basic with an empty password."},
		"session": {Type: "apiKey", In: "cookie", Name: "remuda_session", Description: "What POST /session sets; called __Host-remuda_session over TLS. The header X-Remuda-World chooses live or test."},
	}
	c.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.Transformers = []huma.Transformer{asProblem}
	return huma.NewAPI(c, &adapter{s})
}

// finish makes the document say what is true of all answers: errors are
// problems, and lists are never null. Requests may leave lists null, as Go's
// clients do.
func finish(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas
	schemas.Schema(reflect.TypeFor[wire.Problem](), true, "Problem")
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
	sent, answered := make(map[string]bool), make(map[string]bool)
	for _, path := range doc.Paths {
		for _, o := range operations(path) {
			if o.RequestBody != nil {
				reach(schemas, o.RequestBody.Content, sent)
			}
			for _, response := range o.Responses {
				reach(schemas, response.Content, answered)
			}
		}
	}
	for name := range answered {
		for _, property := range schemas.Map()[name].Properties {
			if property.Type == huma.TypeArray && !sent[name] {
				property.Nullable = false
			}
		}
	}
}

// reach collects the names of the schemas that a body leads to.
func reach(schemas huma.Registry, content map[string]*huma.MediaType, found map[string]bool) {
	var visit func(*huma.Schema)
	visit = func(schema *huma.Schema) {
		if schema == nil {
			return
		}
		if name := strings.TrimPrefix(schema.Ref, "#/components/schemas/"); name != schema.Ref && !found[name] {
			found[name] = true
			visit(schemas.Map()[name])
		}
		visit(schema.Items)
		for _, property := range schema.Properties {
			visit(property)
		}
	}
	for _, media := range content {
		visit(media.Schema)
	}
}

// documentRoutes adds the OpenAPI document and the page to read it in, for
// whoever asks: they hold nothing of anyone's.
func (s *Server) documentRoutes() error {
	text, err := json.MarshalIndent(s.api.OpenAPI(), "", " ")
	if err != nil {
		return remuda.Errorf(remuda.Internal, "write the OpenAPI document: %w", err)
	}
	if s.page, err = documentPage(s.api.OpenAPI()); err != nil {
		return err
	}
	send := func(mediaType string, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			_, _ = w.Write(body) // the caller may be gone
		}
	}
	s.mux.HandleFunc("GET /openapi.json", send("application/openapi+json", text))
	s.mux.HandleFunc("GET /docs", send("text/html; charset=utf-8", s.page))
	return nil
}
