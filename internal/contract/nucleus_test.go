package contract

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"remuda/internal/postgrestest"
	"remuda/internal/servertest"
)

// environment returns the Python of a virtual environment that
// script/bootstrap --tests makes.
func environment(t *testing.T, name string) string {
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

// serve starts a server with a key of each world, and returns what a client
// finds in its environment.
func serve(t *testing.T, p servertest.Program, place []string) []string {
	t.Helper()
	live, test := p.Key(t, place, "contract"), p.Key(t, place, "contract", "--test")
	s := p.Serve(t, append([]string{"--allow-fetch", "127.0.0.0/8"}, place...)...)
	return []string{"NUCLEUS_ENDPOINT=" + s.URL + "/v1/nucleus", "NUCLEUS_API_KEY=" + live, "REMUDA_TEST_WORLD_KEY=" + test, "REMUDA_METRICS=" + s.URL + "/metrics"}
}

func TestDatasetsWithTheirPythonClient(t *testing.T) {
	current, old := environment(t, "nucleus"), environment(t, "nucleus-0.18")
	p := servertest.Build(t)
	t.Run("SQLite", func(t *testing.T) {
		env := serve(t, p, []string{"--data", filepath.Join(t.TempDir(), "data")})
		t.Run("current", func(t *testing.T) { pytest(t, current, "nucleus", env, "-n", "2") })
		t.Run("0.18", func(t *testing.T) {
			pytest(t, old, "nucleus", env, "-n", "2", "test_dataset.py", "test_item.py", "test_annotation.py", "test_slice.py", "test_old.py")
		})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		env := serve(t, p, []string{"--data", filepath.Join(t.TempDir(), "data"), "--database", postgrestest.New(t)})
		pytest(t, current, "nucleus", env, "-n", "2")
	})
}
