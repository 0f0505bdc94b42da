package own_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"remuda"
	"remuda/api/own"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/wire"
)

// site is the API, for whoever sends the header X-Role.
type site struct {
	*own.Server
	t      testing.TB
	ctx    context.Context
	flow   *flow.Flow
	caller remuda.Caller
	failed []error
}

func newSite(t testing.TB) *site {
	t.Helper()
	f, caller := flowtest.New(t)
	s := &site{t: t, ctx: t.Context(), flow: f, caller: caller}
	server, err := own.New(own.Server{
		Flow: f,
		Authenticate: func(r *http.Request) (remuda.Caller, error) {
			role := r.Header.Get("X-Role")
			if role == "" {
				return remuda.Caller{}, remuda.Errorf(remuda.Unauthorized, "%w", remuda.Because(remuda.ErrNoLogin, "no API key came with the request")).WithHint("send one")
			}
			named := caller
			named.Role = remuda.Role(role)
			return named, nil
		},
		Fail: func(_ *http.Request, err error) { s.failed = append(s.failed, err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = server
	return s
}

// call sends a request as a manager.
func (s *site) call(method, path, media, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(s.ctx, method, path, strings.NewReader(body))
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	r.Header.Set("X-Role", "manager")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s *site) dataset() string {
	s.t.Helper()
	d, err := s.flow.CreateDataset(s.t.Context(), s.caller, flow.NewDataset{Name: "horses"})
	if err != nil {
		s.t.Fatal(err)
	}
	return d.ID
}

// problem checks that an answer is an error as all are.
func problem(t *testing.T, w *httptest.ResponseRecorder, status int, code remuda.Code) wire.Problem {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d %s: %s: %v", w.Code, w.Header().Get("Content-Type"), w.Body, err)
	}
	if w.Code != status || p.Status != status || p.Code != string(code) || p.Detail == "" || p.Title == "" {
		t.Errorf("%d %+v, want %d %s", w.Code, p, status, code)
	}
	return p
}

func TestRequestsThatMakeNoSenseSayWhy(t *testing.T) {
	s := newSite(t)
	d := s.dataset()
	const media = "application/json"
	for name, c := range map[string]struct {
		method, path, media, body string
		status                    int
		code                      remuda.Code
		says                      string
	}{
		"malformed JSON":      {"POST", "/datasets", media, `{"name":`, 400, remuda.Invalid, "JSON"},
		"no JSON at all":      {"POST", "/datasets", media, ``, 400, remuda.Invalid, "body"},
		"another type":        {"POST", "/datasets", media, `{"name":7}`, 400, remuda.Invalid, "body.name"},
		"an unknown field":    {"POST", "/datasets", media, `{"name":"a","colour":"red"}`, 400, remuda.Invalid, "colour"},
		"a missing field":     {"POST", "/datasets", media, `{}`, 400, remuda.Invalid, "name"},
		"an empty name":       {"POST", "/datasets", media, `{"name":""}`, 400, remuda.Invalid, "name"},
		"another media type":  {"POST", "/datasets", "text/xml", `<a/>`, 415, remuda.Invalid, ""},
		"a huge body":         {"POST", "/datasets", media, `{"name":"` + strings.Repeat("a", 5<<20) + `"}`, 413, remuda.Invalid, ""},
		"an unknown question": {"GET", "/datasets/" + d + "/items?filtre=1", "", "", 400, remuda.Invalid, "filtre"},
		"a wrong filter":      {"GET", "/datasets/" + d + "/items?filter=widht%20%3E%203", "", "", 400, remuda.Invalid, "column 1"},
		"a wrong limit":       {"GET", "/datasets/" + d + "/items?limit=many", "", "", 400, remuda.Invalid, "limit"},
		"a wrong cursor":      {"GET", "/datasets/" + d + "/items?cursor=x", "", "", 400, remuda.Invalid, "cursor"},
		"a wrong time":        {"POST", "/datasets/" + d + "/restore", media, `{"at":"tomorrow"}`, 400, remuda.Invalid, "at"},
		"the future":          {"POST", "/datasets/" + d + "/restore", media, `{"at":"2999-01-01T00:00:00Z"}`, 400, remuda.Invalid, "future"},
		"an unknown id":       {"GET", "/datasets/ds_none", "", "", 404, remuda.NotFound, "ds_none"},
		"an unknown place":    {"GET", "/horses", "", "", 404, remuda.NotFound, "/api/v1/horses"},
		"an unclean path":     {"GET", "//datasets", "", "", 404, remuda.NotFound, ""},
		"a way up":            {"GET", "/datasets/../datasets", "", "", 404, remuda.NotFound, ""},
		"an escaped way up":   {"GET", "/datasets/%2e%2e%2fdatasets", "", "", 404, remuda.NotFound, ""},
		"another method":      {"PATCH", "/datasets", media, `{}`, 400, remuda.Invalid, "use GET"},
		"an unknown format":   {"GET", "/datasets/" + d + "/labels?format=csv", "", "", 400, remuda.Invalid, "format"},
		"labels of nothing":   {"POST", "/datasets/" + d + "/labels?format=coco", "", "{", 400, remuda.Invalid, ""},
		"no form":             {"POST", "/datasets/" + d + "/items", media, `{}`, 400, remuda.Invalid, "multipart"},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.call(c.method, c.path, c.media, c.body)
			if p := problem(t, w, c.status, c.code); !strings.Contains(p.Detail+p.Hint, c.says) {
				t.Errorf("it says %q, %q", p.Detail, p.Hint)
			}
		})
	}
	if len(s.failed) > 0 {
		t.Errorf("counted as the server's failures: %v", s.failed)
	}
	found, err := s.flow.Datasets(t.Context(), s.caller)
	if err != nil || len(found) != 1 || found[0].Name != "horses" {
		t.Errorf("something has changed: %+v, %v", found, err)
	}
}

func TestWhoeverIsUnknownIsAskedToLogIn(t *testing.T) {
	s := newSite(t)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/datasets", nil))
	if p := problem(t, w, 401, remuda.Unauthorized); p.Hint == "" || w.Header().Get("WWW-Authenticate") == "" {
		t.Errorf("%+v, %v", p, w.Header())
	}
}

// form writes a form of parts: names and texts.
func form(t *testing.T, parts ...string) (media, body string) {
	t.Helper()
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		part, err := w.CreateFormFile(parts[i], "file")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, parts[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), out.String()
}

func TestAFormThatMakesNoSenseAddsNothing(t *testing.T) {
	s := newSite(t)
	d := s.dataset()
	const item = `{"reference_id":"a.jpg"}`
	var many []string
	for i := range 1001 {
		many = append(many, "item", fmt.Sprintf(`{"reference_id":"%d.jpg"}`, i), "image", "x")
	}
	for name, parts := range map[string][]string{
		"an image alone":     {"image", "x"},
		"an item alone":      {"item", item},
		"two items":          {"item", item, "item", item},
		"an item of no JSON": {"item", "a.jpg", "image", "x"},
		"other parts":        {"file", "x"},
		"a huge item":        {"item", `{"reference_id":"` + strings.Repeat("a", 3<<20) + `"}`, "image", "x"},
		"too many":           many,
	} {
		t.Run(name, func(t *testing.T) {
			media, body := form(t, parts...)
			problem(t, s.call("POST", "/datasets/"+d+"/items", media, body), 400, remuda.Invalid)
		})
	}
	t.Run("a cut-off form", func(t *testing.T) {
		media, body := form(t, "item", item, "image", "x")
		problem(t, s.call("POST", "/datasets/"+d+"/items", media, body[:len(body)-20]), 400, remuda.Invalid)
	})
	if n, err := s.flow.CountItems(t.Context(), s.caller, d); err != nil || n != 0 {
		t.Errorf("%d items were added: %v", n, err)
	}
	media, body := form(t, "item", item, "image", "x", "item", `{"reference_id":""}`, "image", "")
	w := s.call("POST", "/datasets/"+d+"/items", media, body)
	var done wire.AddedImages
	if err := json.Unmarshal(w.Body.Bytes(), &done); err != nil || w.Code != 200 || len(done.Images) != 2 || done.Images[0].Status != "refused" || done.Images[1].Status != "refused" {
		t.Errorf("what is no image is refused by itself: %d %s", w.Code, w.Body)
	}
}

func TestPagesNeitherRepeatNorSkip(t *testing.T) {
	s := newSite(t)
	d := s.dataset()
	var items []flow.NewItem
	for i := range 25 {
		items = append(items, flow.NewItem{ReferenceID: fmt.Sprintf("%02d", i), ImageURL: "https://images.example/x"})
	}
	if _, err := s.flow.AppendItems(t.Context(), s.caller, d, items); err != nil {
		t.Fatal(err)
	}
	var got []string
	for cursor := ""; ; {
		w := s.call("GET", "/datasets/"+d+"/items?limit=10&annotations=true&cursor="+cursor, "", "")
		var page wire.Items
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, item.ReferenceID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(got) != 25 || got[0] != "00" || got[24] != "24" {
		t.Errorf("the pages have %v", got)
	}
	if w := s.call("GET", "/datasets/"+d+"/items?limit=25", "", ""); strings.Contains(w.Body.String(), `"next"`) {
		t.Error("the last page has a next one")
	}
}

func TestTheDocumentDescribesEveryRoute(t *testing.T) {
	s := newSite(t)
	w := s.call("GET", "/openapi.json", "", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Responses   map[string]any
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("OpenAPI %q: %v", doc.OpenAPI, err)
	}
	seen := make(map[string]bool)
	for path, methods := range doc.Paths {
		for method, o := range methods {
			if o.OperationID == "" || seen[o.OperationID] || o.Summary == "" || o.Responses["default"] == nil || len(o.Responses) < 2 {
				t.Errorf("%s %s: %+v", method, path, o)
			}
			seen[o.OperationID] = true
		}
	}
	if want := len(s.Routes()) - 2; len(seen) != want { // without the document and its page
		t.Errorf("%d operations of %d routes", len(seen), want)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("there is no schema %s", ref[1])
		}
	}
	for _, none := range []string{"ErrorModel", "ErrorDetail"} {
		if doc.Components.Schemas[none] != nil {
			t.Errorf("the schema %s is nobody's", none)
		}
	}
	if items := fmt.Sprint(doc.Components.Schemas["Items"]); !strings.Contains(items, "type:array") {
		t.Errorf("a list may be null: %s", items)
	}
}

func TestThePageLoadsNothing(t *testing.T) {
	s := newSite(t)
	w := s.call("GET", "/docs", "", "")
	text := w.Body.String()
	for _, outside := range []string{"<script", "src=", "@import", "url(", "<link", "http://", "https://"} {
		if strings.Contains(text, outside) {
			t.Errorf("the page has %q", outside)
		}
	}
	for _, has := range []string{"listItems", "GET", "/datasets/{dataset}/items", "SaveAnnotations", "openapi.json"} {
		if !strings.Contains(text, has) {
			t.Errorf("the page lacks %q", has)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
}
