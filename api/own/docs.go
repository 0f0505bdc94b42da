package own

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
)

//go:embed docs.html
var docsHTML string

// documented is an operation as the page shows it.
type documented struct {
	Method, Path string
	*huma.Operation
	Request string            // its JSON's schema
	Answers map[string]string // schemas by status
}

// documentPage writes the OpenAPI document for people: one file that loads nothing.
func documentPage(doc *huma.OpenAPI) ([]byte, error) {
	page, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "read the template of the API's page: %w", err)
	}
	groups := make(map[string][]documented)
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		byMethod := operations(doc.Paths[path])
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			if o := byMethod[method]; o != nil {
				groups[o.Tags[0]] = append(groups[o.Tags[0]], document(method, path, o))
			}
		}
	}
	schemas := make(map[string]string)
	for name, schema := range doc.Components.Schemas.Map() {
		schemas[name] = indented(schema)
	}
	var out bytes.Buffer
	err = page.Execute(&out, map[string]any{"Info": doc.Info, "Prefix": Prefix, "Groups": groups, "Schemas": schemas})
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write the API's page: %w", err)
	}
	return out.Bytes(), nil
}

func document(method, path string, o *huma.Operation) documented {
	d := documented{Method: method, Path: path, Operation: o, Answers: make(map[string]string)}
	if o.RequestBody != nil {
		d.Request = contents(o.RequestBody.Content)
	}
	for status, response := range o.Responses {
		if status != "default" {
			d.Answers[status] = contents(response.Content)
		}
	}
	return d
}

// contents names what a body is: a schema's name, or its media type.
func contents(content map[string]*huma.MediaType) string {
	text := ""
	for _, mediaType := range slices.Sorted(maps.Keys(content)) {
		if text != "" {
			text += " or "
		}
		if schema := content[mediaType].Schema; schema != nil && schema.Ref != "" {
			text += schema.Ref[len("#/components/schemas/"):]
			continue
		}
		text += mediaType
	}
	return text
}

func indented(schema *huma.Schema) string {
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(text)
}
