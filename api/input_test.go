package api

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"remuda/internal/flowtest"
)

// wantedBodies are good bodies of the dataset API's routes that read one, or
// near enough to good that each of their keys is looked at. Routes that are
// not here, and whose line in access.txt has no body, need none.
var wantedBodies = map[string]string{
	"POST dataset/{ds}/itemsPage":                              `{"pageToken":"1","pageSize":5}`,
	"POST dataset/{ds}/metadata":                               `{"metadata":[{"reference_id":"a.jpg","metadata":{"a":1}}],"level":"item"}`,
	"POST dataset/{ds}/annotate":                               `{"annotations":[],"segmentations":[],"update":false}`,
	"POST dataset/{ds}/tags":                                   `{"tags":["a"]}`,
	"DELETE dataset/{ds}/tags":                                 `{"tags":["a"]}`,
	"DELETE annotation/{ds}":                                   `{"reference_ids":["a.jpg"]}`,
	"POST jobs/":                                               `{"dataset_id":"ds","job_types":["x"],"from_date":"2026-01-01","to_date":"2026-01-01","limit":5,"show_completed":true}`,
	"POST dataset/{ds}/exportForTrainingPage":                  `{"pageToken":"1","pageSize":5,"query":"metadata.a = 1","chip":false,"onlyMostRecentTask":true}`,
	"POST slice/{slc}/exportForTrainingPage":                   `{"pageToken":"1","pageSize":5,"chip":false}`,
	"POST slice/{slc}/itemsPage":                               `{"pageToken":"1","pageSize":5}`,
	"POST slice/{slc}/{prj}/exportForTrainingPage":             `{"pageToken":"1","pageSize":5}`,
	"POST dataset/{ds}/queryItemsPage":                         `{"pageToken":"1","pageSize":5,"query":"metadata.a = 1"}`,
	"POST dataset/{ds}/queryObjectsPage":                       `{"pageToken":"1 x","pageSize":5,"query":"metadata.a = 1","patch_mode":"ground_truth_only"}`,
	"POST models/add":                                          `{"name":"a","reference_id":"b","metadata":{},"tags":["a"],"trained_slice_ids":["slc_x"]}`,
	"POST model/{prj}/tag":                                     `{"tags":["a"]}`,
	"DELETE model/{prj}/tag":                                   `{"tags":["a"]}`,
	"POST model/{prj}/trainedSliceId":                          `{"trained_slice_ids":["slc_x"]}`,
	"DELETE model/{prj}/trainedSliceId":                        `{"trained_slice_ids":["slc_x"]}`,
	"POST dataset/{ds}/modelRun/create":                        `{"name":"a","reference_id":"b","metadata":{}}`,
	"POST model/{prj}/modelRun/create":                         `{"name":"a","reference_id":"b","metadata":{}}`,
	"POST modelRun/merge":                                      `{"model_run_ids":["run_x","run_y"],"name":"a","metadata":{}}`,
	"POST model/{prj}/predictions":                             `{"annotations":[],"update":false}`,
	"POST model/{prj}/predictions/copyFromRun":                 `{"model_run_id":"run_x"}`,
	"POST dataset/{ds}/model/{prj}/uploadPredictions":          `{"annotations":[],"segmentations":[],"update":false}`,
	"POST dataset/{ds}/modelRun/{run}/uploadPredictions":       `{"annotations":[],"segmentations":[],"update":false}`,
	"POST modelRun/{run}/uploadPredictions":                    `{"annotations":[],"update":false}`,
	"POST modelRun/{run}/predict":                              `{"annotations":[],"segmentations":[],"update":false}`,
	"POST model/{prj}/weights/finalize":                        `{"uploadId":"x","parts":[{"partNumber":1,"eTag":"x"}]}`,
	"POST dataset/{ds}/indexingStatus":                         `{"image":true}`,
	"POST benchmarks":                                          `{"name":"a","item_ids":["di_x"],"description":"a","metadata":{},"rollupGroups":[{"class_name":"a","labels":["b"]}]}`,
	"PATCH benchmarks/{bm}":                                    `{"name":"a","description":"b","metadata":{}}`,
	"POST benchmarks/{bm}/evaluationsV2":                       `{"model_id":"prj_x","name":"a","rollupGroups":[],"exclusionRules":[]}`,
	"POST modelRun/{run}/evaluationsV2":                        `{"name":"a","allowed_label_matches":[]}`,
	"POST evaluationsV2/{id}/charts":                           `{"iouThreshold":0.5,"filters":{},"query":"a"}`,
	"POST evaluationsV2/{id}/examples":                         `{"limit":5,"offset":0,"match_type":"TP","sort_by":"iou","sort_order":"ASC","filters":{},"query":"a"}`,
	"POST dataset/{ds}/model/{prj}/calculateEvaluationMetrics": `{"class_agnostic":true,"allowed_label_matches":[]}`,
	"POST leaderboard/ranking":                                 `{"metric_type":"F1","benchmark_ids":["bm_x"],"confidence_threshold":0.5,"model_ids":["prj_x"],"scope":"mine"}`,
	"POST validate/scenario_test_eval_function":                `{"scenario_test_name":"a","eval_function_id":"ef_x"}`,
	"POST validate/metric/set_threshold/{id}/{ef}":             `{"threshold":0.5}`,
}

// inputSite is a site whose database a test can look into.
type inputSite struct {
	*site
	ids map[string]string
	db  *sql.DB
}

func newInputSite(t testing.TB) *inputSite {
	t.Helper()
	path := filepath.Join(t.TempDir(), "remuda.db")
	f, _ := flowtest.Open(t, path)
	s := newSite(t, Options{Flow: f})
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &inputSite{s, s.things(t), db}
}

// contents is a hash of every row there is, but for when keys were used.
func (s *inputSite) contents(t testing.TB) string {
	t.Helper()
	names := s.column(t, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('api_key', 'session') ORDER BY name")
	sum := sha256.New()
	for _, name := range names {
		columns := s.column(t, "SELECT name FROM pragma_table_info('"+name+"')")
		quoted := make([]string, len(columns))
		for i, c := range columns {
			quoted[i] = `quote("` + c + `")`
		}
		if len(columns) == 0 {
			continue
		}
		fmt.Fprintln(sum, name, s.column(t, "SELECT "+strings.Join(quoted, "||','||")+` FROM "`+name+`" ORDER BY 1`))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func (s *inputSite) column(t testing.TB, query string) []string {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// refused sends a call that must fail: with the API's own error, a sentence, and a status of the caller's fault.
func (s *inputSite) refused(t *testing.T, method, path, body string, statuses ...int) {
	t.Helper()
	got := s.call(t.Context(), method, path, s.keys["manager"], body)
	what := fmt.Sprintf("%s %.200s %.200s", method, path, body)
	if wrong := wrongError(got); wrong != "" {
		t.Errorf("%s: %d %s: %s", what, got.Code, wrong, got.Body)
	} else if !slices.Contains(statuses, got.Code) {
		t.Errorf("%s: status %d, want one of %v: %s", what, got.Code, statuses, got.Body)
	}
}

// wrongError says what is wrong with the answer to a call that had to fail.
func wrongError(got *httptest.ResponseRecorder) string {
	var body map[string]string
	switch err := json.Unmarshal(got.Body.Bytes(), &body); {
	case got.Code < 400:
		return "it succeeds"
	case got.Code >= 500:
		return "it is taken for the server's fault"
	case got.Header().Get("Content-Type") != "application/json":
		return "it is no JSON"
	case err != nil || len(body) != 1 || len(body["error"]) < 10:
		return "it has not the shape of an error"
	case !strings.HasPrefix(got.Body.String(), `{"error":"`):
		return "it is not compact"
	}
	return ""
}

// nucleusRules are the dataset API's lines of access.txt, with bodies.
func nucleusRules(t *testing.T) map[string]rule {
	t.Helper()
	found := make(map[string]rule)
	for route, r := range rules(t) {
		short, ours := strings.CutPrefix(r.pattern, "/v1/nucleus/")
		if !ours {
			continue
		}
		if body, known := wantedBodies[r.method+" "+short]; known {
			r.body = body
		}
		found[route] = r
	}
	for name := range wantedBodies {
		method, pattern, _ := strings.Cut(name, " ")
		if _, known := found[method+" /v1/nucleus/"+pattern]; !known {
			t.Errorf("no route %s", name)
		}
	}
	return found
}

func TestNoBadBodyIsTaken(t *testing.T) {
	s := newInputSite(t)
	for route, r := range nucleusRules(t) {
		if r.body == "{}" || r.method == http.MethodGet {
			continue
		}
		t.Run(route, func(t *testing.T) {
			path := fillPath(t, r.pattern, s.ids)
			before := s.contents(t)
			for _, body := range []string{"{", `{"name":`, "nul", `"text"`, "[1]", "7", "\xff\xfe", `{"a":1}{"b":2}`, strings.Repeat("[", 20000), `{"a":` + strings.Repeat("[", 20000)} {
				s.refused(t, r.method, path, body, 400, 404, 413)
			}
			for _, body := range mutants(t, r.body) {
				s.refused(t, r.method, path, body, 400, 404, 409)
			}
			if s.contents(t) != before {
				t.Error("a call that failed has changed something")
			}
		})
	}
}

// mutants are a body with one value at a time of a type that it cannot have:
// an object for a text, a text for a number, a number for a list.
func mutants(t *testing.T, body string) []string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	var all []string
	for key, value := range fields {
		var wrong []any
		switch value.(type) {
		case string:
			if key == "pageToken" { // the client sends back what it got
				wrong = []any{map[string]any{"a": 1}, []any{1}}
				break
			}
			wrong = []any{5, map[string]any{"a": 1}, []any{1}, true}
		case float64, bool:
			wrong = []any{"x", map[string]any{}, []any{1}}
		case []any:
			wrong = []any{5, "x", map[string]any{"a": 1}}
			if key != "annotations" && key != "segmentations" { // wrong rows among those are counted, not refused
				wrong = append(wrong, []any{5}, []any{[]any{}})
			}
		case map[string]any:
			wrong = []any{5, "x", []any{1}}
		}
		for _, w := range wrong {
			changed := maps.Clone(fields)
			changed[key] = w
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(text))
		}
	}
	return all
}

// oddIDs are ids that nothing has, as they stand in a path.
var oddIDs = []string{
	"ds_00000000000000000000", "di_zzzzzzzzzzzzzzzzzzzz", "x", "%20", "%00", "%ff", "..", "%2e%2e", "a%2Fb", "%2F%2F", "'%20OR%201=1--", "%F0%9F%90%B4", strings.Repeat("a", 3000),
	"%25", "null", "-1", "9223372036854775808", "$1", "%0A",
}

func TestNoUnknownIDIsTaken(t *testing.T) {
	s := newInputSite(t)
	before := s.contents(t)
	for route, r := range nucleusRules(t) {
		if !strings.Contains(r.pattern, "{") {
			continue
		}
		t.Run(route, func(t *testing.T) {
			for name := range s.ids {
				if !strings.Contains(r.pattern, "{"+name+"}") || name == "request" && len(s.ids) > 0 || name == "autotag" {
					continue // a request's id is the caller's own
				}
				for _, id := range oddIDs {
					ids := maps.Clone(s.ids)
					ids[name] = id
					s.refused(t, r.method, fillPath(t, r.pattern, ids), r.body, 400, 404, 409)
				}
			}
		})
	}
	if s.contents(t) != before {
		t.Error("a call with an unknown id has changed something")
	}
}

func TestNoHugeBodyIsTaken(t *testing.T) {
	s := newInputSite(t)
	before := s.contents(t)
	for _, path := range []string{"dataset/create", "dataset/" + s.ids["ds"] + "/annotate", "dataset/" + s.ids["ds"] + "/append", "models/add"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/nucleus/"+path, io.MultiReader(strings.NewReader(`{"name":"`), io.LimitReader(letters{}, 3<<30)))
		r.SetBasicAuth(s.keys["manager"], "")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusRequestEntityTooLarge || wrongError(w) != "" {
			t.Errorf("%s: %d %.200s", path, w.Code, w.Body)
		}
	}
	if s.contents(t) != before {
		t.Error("a huge body has changed something")
	}
}

// letters is a reader of the letter a without end.
type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// FuzzPaths asks for paths of all kinds: no answer is a redirect, a fault of
// the server's, or anything but JSON.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{"dataset/details", "slice/", "dataset//name", "dataset/x/refloc/a%2Fb", "dataset/x/refloc/..%2f..", "dataset/../details", "%2e%2e/x", "dataset/\u99ac/loc/%00", "models/?a=%zz", "dataset/x/slices?name=%&type=", "job/%25/errors"} {
		f.Add(path)
	}
	s := newInputSite(f)
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI("/v1/nucleus/" + path)
		if err != nil || strings.ContainsAny(path, " \r\n") {
			t.Skip("no client can send this")
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL, r.RequestURI = u, u.RequestURI()
		r.SetBasicAuth(s.keys["manager"], "")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code >= 500 || w.Code >= 300 && w.Code < 400 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	})
}
