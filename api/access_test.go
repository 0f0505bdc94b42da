package api

import (
	"bufio"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
)

// rule is a line of testdata/access.txt.
type rule struct {
	least, method, pattern, body string
	both                         bool // what it names belongs to both worlds
}

func rules(t *testing.T) map[string]rule {
	t.Helper()
	file, err := os.Open("testdata/access.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found := make(map[string]rule)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := append(strings.Fields(line), "", "")
		least, both := strings.CutSuffix(fields[0], ",both")
		r := rule{least, fields[1], fields[2], "{}", both}
		if _, body, ok := strings.Cut(line, " {\""); ok {
			r.body = `{"` + body
		} else if _, body, ok := strings.Cut(line, " ["); ok {
			r.body = "[" + body
		}
		route := r.method + " " + r.pattern
		if _, twice := found[route]; twice {
			t.Errorf("%s stands there twice", route)
		}
		found[route] = r
	}
	return found
}

// site is a server with users of every role.
type site struct {
	*Server
	keys map[string]string // by role, "test" for an admin of the test world, "revoked"
}

func newSite(t testing.TB, o Options) *site {
	t.Helper()
	if o.Flow == nil {
		o.Flow, _ = flowtest.New(t)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	server, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{server, make(map[string]string)}
	for _, role := range remuda.Roles() {
		s.keys[string(role)] = s.key(t, remuda.Live, role)
	}
	s.keys["test"] = s.key(t, remuda.Test, remuda.Admin)
	s.keys["revoked"] = s.key(t, remuda.Live, remuda.Admin)
	local := flow.Local(remuda.Live)
	keys, err := o.Flow.Keys(t.Context(), local)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Flow.RevokeKey(t.Context(), local, keys[len(keys)-1].ID); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) key(t testing.TB, world remuda.World, role remuda.Role) string {
	t.Helper()
	key, _, err := s.o.Flow.CreateKey(t.Context(), flow.Local(world), flow.NewKey{Name: string(role), World: world, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// call sends a request from elsewhere, with a key unless that is "".
func (s *site) call(ctx context.Context, method, path, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1234"
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.SetBasicAuth(key, "")
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// things makes one of everything that paths name, in the live world, and
// returns their ids by the names of the paths' parts.
func (s *site) things(t testing.TB) map[string]string {
	t.Helper()
	manager := remuda.Caller{User: "usr_test", Role: remuda.Manager, World: remuda.Live}
	d, err := s.o.Flow.CreateDataset(t.Context(), manager, flow.NewDataset{Name: "horses"})
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{"ds": d.ID, "ref...": "a.jpg", "n": "0", "annotation...": "a.jpg/none", "name...": "colors", "request": "0123456789abcdef"}
	ids["dataset"], ids["taxonomy"], ids["autotag"] = d.ID, "colors", "night"
	err = s.o.Flow.DB.Write(t.Context(), manager, func(tx *store.Tx) error {
		added, err := tx.AddItems(d.ID, []store.Item{{ReferenceID: "a.jpg"}}, false)
		if err != nil {
			return err
		}
		ids["di"], ids["item"] = added[0].ID, added[0].ID
		u, err := tx.CreateUser(store.User{Login: d.ID, Name: "Ada", Role: remuda.Labeler})
		if err != nil {
			return err
		}
		k, err := tx.CreateKey(store.Key{Hash: d.ID, Name: "a", World: remuda.Live, Role: remuda.Labeler})
		if err != nil {
			return err
		}
		ids["user"], ids["key"] = u.ID, k.ID
		job, err := tx.NewJob("metadataUpdate", d.ID, nil, 1)
		if err != nil {
			return err
		}
		ids["job"] = job.ID
		slice, err := tx.CreateSlice(store.Slice{Dataset: d.ID, Name: "some", Type: "dataset_item"})
		if err != nil {
			return err
		}
		ids["slc"], ids["slice"] = slice.ID, slice.ID
		if err := labelThings(tx, ids); err != nil {
			return err
		}
		model, err := tx.CreateModel(store.Model{Name: "some", ReferenceID: d.ID})
		if err != nil {
			return err
		}
		run, err := tx.CreateRun(store.Run{Model: model.ID, Name: "some", ReferenceID: d.ID})
		if err != nil {
			return err
		}
		ids["prj"], ids["model"], ids["run"] = model.ID, model.ID, run.ID
		return judgements(tx, ids)
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// judgements makes what models are held against.
func judgements(tx *store.Tx, ids map[string]string) error {
	benchmark, err := tx.CreateBenchmark(store.Benchmark{Name: "some", VersionMajor: 1})
	if err != nil {
		return err
	}
	evaluation, err := tx.CreateEvaluation(store.Evaluation{Name: "some", Model: ids["prj"], Run: ids["run"], Benchmark: benchmark.ID, Job: ids["job"]})
	if err != nil {
		return err
	}
	scenario, err := tx.CreateScenario(store.Scenario{Name: ids["ds"], Slice: ids["slc"]})
	if err != nil {
		return err
	}
	measured, err := tx.CreateScenarioRun(store.ScenarioRun{Test: scenario.ID, Function: "bbox_iou", Model: ids["prj"], Job: ids["job"]})
	ids["bm"], ids["ef"], ids["evaluationsV2/id"], ids["eval/id"] = benchmark.ID, "ef_bbox_iou", evaluation.ID, measured.ID
	ids["evaluation"] = evaluation.ID
	ids["scenario_test/id"], ids["set_threshold/id"] = scenario.ID, scenario.ID
	return err
}

// fillPath fills a pattern with ids: by a name, or where that says too little
// by the segment before it as well.
func fillPath(t *testing.T, pattern string, ids map[string]string) string {
	t.Helper()
	segments := strings.Split(pattern, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			id, known := ids[name]
			if !known {
				id, known = ids[segments[i-1]+"/"+name]
			}
			if !known {
				t.Fatalf("%s: things makes nothing for {%s}", pattern, name)
			}
			segments[i] = id
		}
	}
	return strings.Join(segments, "/")
}

func TestEveryRouteIsForWhomTheTableSays(t *testing.T) {
	s := newSite(t, Options{})
	table := rules(t)
	for _, route := range s.Routes() {
		if _, known := table[route]; !known {
			t.Errorf("%s is missing in testdata/access.txt", route)
		}
	}
	for route, r := range table {
		if !slices.Contains(s.Routes(), route) {
			t.Errorf("%s stands in testdata/access.txt and is not served", route)
			continue
		}
		t.Run(route, func(t *testing.T) {
			switch r.least {
			case "public":
				s.expect(t, r, r.pattern, "", http.StatusOK)
			case "open":
				if got := s.call(t.Context(), r.method, r.pattern, "", r.body); got.Code == http.StatusForbidden || got.Code >= 500 {
					t.Errorf("nobody gets %d: %s", got.Code, got.Body)
				}
			case "signed":
				s.expect(t, r, r.pattern+"/x", "admin", http.StatusForbidden)
			case "local":
				s.expect(t, r, r.pattern, "", http.StatusUnauthorized)
				s.expect(t, r, r.pattern, "manager", http.StatusForbidden)
				s.expect(t, r, r.pattern, "admin", http.StatusOK)
			default:
				s.walk(t, r)
			}
		})
	}
}

// walk calls a route as nobody, as each role, and from the other world.
func (s *site) walk(t *testing.T, r rule) {
	least, err := remuda.ParseRole(r.least)
	if err != nil {
		t.Fatal(err)
	}
	ids := s.things(t)
	path := fillPath(t, r.pattern, ids)
	s.expect(t, r, path, "", http.StatusUnauthorized)
	s.expect(t, r, path, "revoked", http.StatusUnauthorized)
	roles := remuda.Roles()
	slices.Reverse(roles)
	for _, role := range roles {
		if !role.AtLeast(least) {
			s.expect(t, r, path, string(role), http.StatusForbidden)
		}
	}
	if strings.Contains(r.pattern, "{") && !r.both {
		s.expect(t, r, path, "test", http.StatusNotFound)
	}
	for _, role := range roles {
		if !role.AtLeast(least) {
			continue
		}
		got := s.call(t.Context(), r.method, path, s.keys[string(role)], r.body)
		if got.Code == http.StatusUnauthorized || got.Code == http.StatusForbidden || got.Code >= 500 {
			t.Errorf("a %s gets %d: %s", role, got.Code, got.Body)
		}
	}
}

func (s *site) expect(t *testing.T, r rule, path, who string, want int) {
	t.Helper()
	method := r.method
	if method == "*" {
		method = http.MethodGet
		if strings.Contains(path, "upload") {
			method = http.MethodPut
		}
	}
	got := s.call(t.Context(), method, path, s.keys[who], r.body)
	if got.Code != want {
		t.Errorf("%q gets %d, want %d: %s", who, got.Code, want, got.Body)
	}
}
