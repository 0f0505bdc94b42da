package contract

import (
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"remuda/api/nucleus"
	"remuda/internal/postgrestest"
	"remuda/internal/servertest"
)

// environment returns the Python of a virtual environment that
// script/bootstrap --tests makes.
func environment(t testing.TB, name string) string {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_CONTRACT") == "1" {
		t.Skip("REMUDA_SKIP_CONTRACT=1")
	}
	python, err := filepath.Abs(filepath.Join("..", "..", ".cache", "venv", name, "bin", "python"))
	if err == nil {
		_, err = os.Stat(python)
	}
	if err != nil {
		t.Fatalf("%v; script/bootstrap --tests installs the clients, REMUDA_SKIP_CONTRACT=1 leaves their tests out", err)
	}
	return python
}

// report is what pytest writes of a run.
type report struct {
	Cases []struct {
		Class   string    `xml:"classname,attr"`
		Name    string    `xml:"name,attr"`
		Failure []message `xml:"failure"`
		Error   []message `xml:"error"`
		Skipped []message `xml:"skipped"`
	} `xml:"testsuite>testcase"`
}

type message struct {
	Short string `xml:"message,attr"`
	Text  string `xml:",chardata"`
}

// pytest runs the tests of a folder in testdata and shows each as one of t's.
func pytest(t *testing.T, python, folder string, env []string, args ...string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "report.xml")
	args = append([]string{"-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--junitxml", out}, args...)
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Dir = filepath.Join("testdata", folder)
	cmd.Env = append(os.Environ(), env...)
	said, failed := cmd.CombinedOutput()
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("pytest: %v: %s", failed, said)
	}
	var all report
	if err := xml.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Cases) == 0 {
		t.Fatalf("pytest found no tests: %s", said)
	}
	for _, c := range all.Cases {
		t.Run(strings.TrimPrefix(c.Class, "test_")+"/"+strings.TrimPrefix(c.Name, "test_"), func(t *testing.T) {
			for _, m := range append(c.Failure, c.Error...) {
				t.Errorf("%s\n%s", m.Short, m.Text)
			}
			for _, m := range c.Skipped {
				t.Skip(m.Short)
			}
		})
	}
	if failed != nil && !t.Failed() {
		t.Errorf("pytest: %v: %s", failed, said)
	}
}

// site is a server, and what a client finds in its environment.
type site struct {
	*servertest.Server
	env   []string
	admin string
}

func serve(t *testing.T, p servertest.Program, place ...string) site {
	t.Helper()
	live, test := p.Key(t, place, "contract"), p.Key(t, place, "contract", "--test")
	admin := p.Key(t, place, "metrics", "--role", "admin")
	s := p.Serve(t, append([]string{"--allow-fetch", "127.0.0.0/8"}, place...)...)
	return site{s, []string{"NUCLEUS_ENDPOINT=" + s.URL + "/v1/nucleus", "NUCLEUS_API_KEY=" + live, "REMUDA_TEST_WORLD_KEY=" + test}, admin}
}

// metrics returns what the server counts.
func (s site) metrics(t testing.TB) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(s.admin, "")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s %s %v", answer.Status, text, err)
	}
	return string(text)
}

func TestDatasetsWithTheirPythonClient(t *testing.T) {
	current, old := environment(t, "nucleus"), environment(t, "nucleus-0.18")
	p := servertest.Build(t)
	t.Run("SQLite", func(t *testing.T) {
		s := serve(t, p, "--data", filepath.Join(t.TempDir(), "data"))
		t.Run("current", func(t *testing.T) { pytest(t, current, "nucleus", s.env, "-n", "2") })
		t.Run("0.18", func(t *testing.T) {
			pytest(t, old, "nucleus", s.env, "-n", "2", "test_dataset.py", "test_item.py", "test_annotation.py", "test_slice.py")
		})
		asked := s.metrics(t)
		for _, name := range nucleus.New(nucleus.Server{}).Routes() {
			method, pattern, _ := strings.Cut(name, " ")
			if !countedRoute(asked, method, "/v1/nucleus/"+pattern) {
				t.Errorf("no test asks for %s", name)
			}
		}
		s.Stop(t)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s := serve(t, p, "--data", filepath.Join(t.TempDir(), "data"), "--database", postgrestest.New(t))
		pytest(t, current, "nucleus", s.env, "-n", "2")
		s.Stop(t)
	})
}

// countedRoute says whether metrics have a request of a route.
func countedRoute(metrics, method, route string) bool {
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "remuda_http_requests_total{") && strings.Contains(line, `method="`+method+`"`) && strings.Contains(line, `route="`+route+`"`) {
			return true
		}
	}
	return false
}
