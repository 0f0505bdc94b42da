package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"remuda/api"
	"remuda/client"
	"remuda/flow"
	"remuda/internal/linetest"
	"remuda/internal/postgrestest"
)

// site is where a server keeps everything: a folder, or PostgreSQL and S3, each
// at the end of a line.
type site struct {
	t                *testing.T
	data             string
	shared           []string // flags that server and workers share
	database, bucket *linetest.Line
	storage          string // where the bucket is, without a line
	key              string
	again            string // at the end of names of what is made a second time
	server           *process
}

// small is a site with the defaults.
func small(t *testing.T) *site { return &site{t: t, data: t.TempDir()} }

// grown is a site that has outgrown them.
func grown(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, data: t.TempDir()}
	address, bucket := postgrestest.New(t), startS3(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s.database, s.bucket, s.storage = linetest.New(t, u.Host), linetest.New(t, bucket), bucket
	s.shared = []string{"--database", s.database.Through(address), "--bucket", "s3://herd?endpoint=http://" + s.bucket.Addr}
	return s
}

// startS3 runs an S3 server with a bucket and returns its address.
func startS3(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("herd"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(gofakes3.New(backend).Server())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the fake writes some headers twice
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// place are the flags of commands that work on the site.
func (s *site) place() []string { return append([]string{"--data", s.data}, s.shared...) }

// serve starts the server, and makes a key the first time.
func (s *site) serve(flags ...string) *site {
	s.t.Helper()
	listen := "127.0.0.1:0"
	if s.server != nil {
		listen = strings.TrimPrefix(s.server.url, "http://")
	}
	s.server = begin(s.t, append(append([]string{"serve", "--listen", listen}, s.place()...), flags...)...)
	if s.key == "" {
		s.key = strings.TrimSpace(must(s.t, append([]string{"key", "create", "--role", "admin", "test"}, s.keys()...)...))
	}
	return s
}

// keys are the flags of commands that need the database alone.
func (s *site) keys() []string {
	return slices.DeleteFunc(s.place(), func(flag string) bool { return flag == "--bucket" || strings.HasPrefix(flag, "s3:") })
}

// worker starts another process for jobs, with a line of its own to the bucket.
func (s *site) worker() (*process, *linetest.Line) {
	s.t.Helper()
	bucket := linetest.New(s.t, s.storage)
	flags := []string{"worker", "--data", s.t.TempDir()}
	for _, flag := range s.shared {
		flags = append(flags, strings.Replace(flag, s.bucket.Addr, bucket.Addr, 1))
	}
	return begin(s.t, flags...), bucket
}

func (s *site) client() *client.Client {
	s.t.Helper()
	c, err := client.New(s.server.url, client.Options{Key: s.key})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// ask makes a request and returns what came.
func (s *site) ask(method, path, body string) (status int, header http.Header, text []byte) {
	s.t.Helper()
	status, header, text, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, header, text
}

// formBoundary parts the bodies that are forms.
const formBoundary = "part"

// form is an upload of one image.
func form(name string, image []byte) string {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.SetBoundary(formBoundary) // a valid one, into memory: nothing fails here
	_ = w.WriteField("item", `{"reference_id":"`+name+`"}`)
	part, _ := w.CreateFormFile("image", name)
	_, _ = part.Write(image)
	_ = w.Close()
	return b.String()
}

// try is ask for requests that may not be answered.
func (s *site) try(method, path, body string) (status int, header http.Header, text []byte, err error) {
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.server.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	switch {
	case strings.HasPrefix(body, "--"+formBoundary):
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+formBoundary)
	case body != "":
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, text, err
}

// json makes a request that must succeed and reads its answer.
func (s *site) json(method, path, body string) map[string]any {
	s.t.Helper()
	status, _, text := s.ask(method, path, body)
	var found map[string]any
	if status != http.StatusOK || json.Unmarshal(text, &found) != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return found
}

// act makes a request that must succeed and has no answer.
func (s *site) act(method, path, body string) {
	s.t.Helper()
	if status, _, text := s.ask(method, path, body); status != http.StatusNoContent {
		s.t.Errorf("%s %s: %d %s", method, path, status, text)
	}
}

// id makes a request and returns the id under a name in its answer.
func (s *site) id(method, path, body, name string) string {
	s.t.Helper()
	found, _ := s.json(method, path, body)[name].(string)
	if found == "" {
		s.t.Fatalf("%s %s: there is no %s", method, path, name)
	}
	return found
}

// wait waits until a job has ended well.
func (s *site) wait(job string) {
	s.t.Helper()
	if _, err := s.client().WaitJob(s.t.Context(), job, nil); err != nil {
		s.t.Fatal(err)
	}
}

var idPattern = regexp.MustCompile(`\b[a-z0-9]{2,6}_[0-9a-hjkmnp-tv-z]{20}\b`)

// everything asks every GET route of every API for each thing that the answers
// name, and returns the answers by path: all that the server shows.
func (s *site) everything() map[string]string {
	s.t.Helper()
	handler, err := api.New(api.Options{Flow: &flow.Flow{}})
	if err != nil {
		s.t.Fatal(err)
	}
	found, ids := make(map[string]string), make(map[string]bool)
	for more := true; more; {
		more = false
		for _, route := range handler.Routes() {
			for _, path := range paths(route, ids) {
				if _, known := found[path]; known {
					continue
				}
				more = true
				found[path] = s.show(path)
				for _, id := range idPattern.FindAllString(found[path], -1) {
					ids[id] = true
				}
			}
		}
	}
	return found
}

// paths are those of a route for ids that are known: none unless it is read
// with GET and takes no more than ids.
func paths(route string, ids map[string]bool) []string {
	path, get := strings.CutPrefix(route, "GET ")
	if !get || strings.Contains(path, "openapi") || strings.Contains(path, "/docs") || strings.Contains(path, "signedUrl") {
		return nil
	}
	found := []string{""}
	for i, segment := range strings.Split(path, "/") {
		var values []string
		switch prefixes, known := idsOf(segment); {
		case !strings.HasPrefix(segment, "{"):
			values = []string{segment}
		case known:
			for id := range ids {
				if prefix, _, _ := strings.Cut(id, "_"); slices.Contains(prefixes, prefix) {
					values = append(values, id)
				}
			}
		case segment == "{n}":
			values = []string{"0"}
		}
		var longer []string
		for _, before := range found {
			for _, value := range values {
				if i > 0 {
					value = "/" + value
				}
				longer = append(longer, before+value)
			}
		}
		found = longer
	}
	for i, path := range found {
		switch {
		case strings.HasSuffix(path, "/labels"):
			found[i] += "?format=coco"
		case strings.HasSuffix(path, "/items") && strings.Contains(path, "/api/v1/datasets/"):
			found[i] += "?limit=1000&annotations=true"
		}
	}
	return found
}

// idsOf returns the prefixes of the ids that a parameter of a path takes.
func idsOf(param string) (prefixes []string, known bool) {
	prefixes, known = map[string][]string{
		"{dataset}": {"ds"}, "{ds}": {"ds"}, "{item}": {"di"}, "{di}": {"di"}, "{slice}": {"slc"}, "{slc}": {"slc"},
		"{job}": {"job"}, "{model}": {"prj"}, "{prj}": {"prj"}, "{run}": {"run"}, "{bm}": {"bm"},
		"{evaluation}": {"evalv2"}, "{id}": {"evalv2", "sct", "sev"}, "{project}": {"prj"}, "{batch}": {"bat"}, "{task}": {"task"},
	}[param]
	return prefixes, known
}

// show returns what stands at a path, without what depends on the time and the address.
func (s *site) show(path string) string {
	s.t.Helper()
	status, header, text := s.ask(http.MethodGet, path, "")
	if status >= http.StatusInternalServerError {
		s.t.Errorf("%s: %d %s", path, status, text)
	}
	text = bytes.ReplaceAll(text, []byte(s.server.url), []byte("SERVER"))
	text = regexp.MustCompile(`(\?|&|\\u0026)(expires|signature)=[^"\\&]*`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`"(used_at|seen_at)":"[^"]*",?`).ReplaceAll(text, nil)
	return fmt.Sprintf("%d %s %s", status, header.Get("Content-Type"), text)
}
