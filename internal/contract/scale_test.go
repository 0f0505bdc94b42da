package contract

import (
	"path/filepath"
	"strings"
	"testing"

	"remuda/api/scale"
	"remuda/internal/postgrestest"
	"remuda/internal/servertest"
)

// serveScale starts a server and returns it with what the labeling API's client
// finds in its environment.
func serveScale(t testing.TB, p servertest.Program, place ...string) site {
	t.Helper()
	live, test := p.Key(t, place, "contract"), p.Key(t, place, "contract", "--test")
	admin := p.Key(t, place, "metrics", "--role", "admin")
	s := p.Serve(t, append([]string{"--allow-fetch", "127.0.0.0/8"}, place...)...)
	return site{s, []string{"SCALE_ENDPOINT=" + s.URL + "/v1", "REMUDA_URL=" + s.URL, "SCALE_LIVE_KEY=" + live, "SCALE_TEST_KEY=" + test}, admin}
}

func TestLabelingWithItsPythonClient(t *testing.T) {
	python := environment(t, "scale")
	p := servertest.Build(t)
	t.Run("SQLite", func(t *testing.T) {
		s := serveScale(t, p, "--data", filepath.Join(t.TempDir(), "data"))
		pytest(t, python, "scale", s.env, "-n", "2")
		asked := s.metrics(t)
		for _, name := range scale.New(scale.Server{}).Routes() {
			method, pattern, _ := strings.Cut(name, " ")
			if !countedRoute(asked, method, "/v1/"+pattern) {
				t.Errorf("no test asks for %s", name)
			}
		}
		s.Stop(t)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		s := serveScale(t, p, "--data", filepath.Join(t.TempDir(), "data"), "--database", postgrestest.New(t))
		pytest(t, python, "scale", s.env, "-n", "2")
		s.Stop(t)
	})
}
