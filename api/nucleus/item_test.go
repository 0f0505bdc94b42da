package nucleus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
)

// photo returns a small JPEG file that no other seed gives.
func photo(t testing.TB, seed int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 32, 24))
	for y := range 24 {
		for x := range 32 {
			m.Set(x, y, color.RGBA{uint8(x * seed), uint8(y * 9), uint8(seed), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// clientForm is a form of items and their files as the Python client writes
// it: in each part Content-Type comes first, and file names are quoted whole.
func clientForm(items string, paths []string, files [][]byte) (contentType string, body []byte) {
	const boundary = "0b3c8f1f6a9d4e0f8f0f0f0f0f0f0f0f"
	var form bytes.Buffer
	fmt.Fprintf(&form, "--%s\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"items\"\r\n\r\n%s\r\n", boundary, items)
	for i, file := range files {
		fmt.Fprintf(&form, "--%s\r\nContent-Type: image/%s\r\nContent-Disposition: form-data; name=\"image\"; filename=\"%s\"\r\n\r\n",
			boundary, strings.TrimPrefix(filepath.Ext(paths[i]), "."), url.QueryEscape(paths[i]))
		form.Write(file)
		form.WriteString("\r\n")
	}
	fmt.Fprintf(&form, "--%s--\r\n", boundary)
	return "multipart/form-data; boundary=" + boundary, form.Bytes()
}

// payloads is the part "items" of a form.
func payloads(update bool, refs, paths []string) string {
	items := make([]map[string]any, len(refs))
	for i := range refs {
		items[i] = map[string]any{"metadata": map[string]any{"i": i}, "reference_id": refs[i], "image_url": paths[i], "update": update}
	}
	text, _ := json.Marshal(items) // of plain values
	return string(text)
}

// form sends a form to append.
func (a *annotated) form(query, items string, paths []string, files [][]byte) (int, map[string]any) {
	a.t.Helper()
	contentType, body := clientForm(items, paths, files)
	status, text := a.send("POST", "dataset/"+a.dataset+"/append"+query, contentType, bytes.NewReader(body))
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		a.t.Fatalf("%v in %s", err, text)
	}
	return status, object
}

func TestFilesOfAFormAreItemsAsSoonAsItIsAnswered(t *testing.T) {
	a := newAnnotated(t)
	refs := []string{"tests/test img.jpg", "b", "same file again", "broken"}
	paths := []string{"tests/test img.jpg", "b.JPG", "tests/test img.jpg", "broken.png"}
	files := [][]byte{photo(t, 1), photo(t, 2), photo(t, 1), []byte("no image at all")}
	status, job := a.form("?async=1", payloads(false, refs, paths), paths, files)
	if status != 200 {
		t.Fatalf("status %d: %v", status, job)
	}
	for _, key := range []string{"job_id", "job_last_known_status", "job_type", "job_creation_time"} {
		if text, ok := job[key].(string); !ok || text == "" {
			t.Errorf("the job has no %s: %v", key, job)
		}
	}
	if job["job_last_known_status"] != "Running" || job["job_type"] != "uploadDatasetItems" {
		t.Errorf("job %v", job)
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`).MatchString(job["job_creation_time"].(string)) {
		t.Errorf("time %v", job["job_creation_time"])
	}
	for n, ref := range refs[:3] {
		object := a.json("GET", fmt.Sprintf("dataset/%s/iloc/%d", a.dataset, n), "")
		item := object["item"].(map[string]any)
		if item["ref_id"] != ref || item["reference_id"] != ref || item["id"] != item["dataset_item_id"] || !strings.HasPrefix(item["id"].(string), "di_") {
			t.Errorf("item %d is %v", n, item)
		}
		if !strings.HasPrefix(item["image_url"].(string), "http://remuda.test/image/") || item["metadata"].(map[string]any)["i"] != float64(n) {
			t.Errorf("item %d is %v", n, item)
		}
	}
	path := "job/" + job["job_id"].(string)
	if before := a.json("GET", path, "{}"); before["status"] != "Running" {
		t.Errorf("before its end: %v", before)
	}
	flowtest.Drain(t, a.flow)
	after := a.json("GET", path, "{}")
	if after["status"] != "Completed" || after["job_progress"] != "1.00" || after["completed_steps"] != after["total_steps"] {
		t.Errorf("after its end: %v", after)
	}
	if _, text := a.send("GET", path+"/errors", "application/json", nil); !strings.Contains(text, "broken") {
		t.Errorf("errors %s", text)
	}
	if phash := a.json("GET", "dataset/"+a.dataset+"/iloc/0", "")["item"].(map[string]any)["phash"]; !regexp.MustCompile(`^[01]{64}$`).MatchString(phash.(string)) {
		t.Errorf("phash %v", phash)
	}
}

func TestAFormOfOldClientsIsAnsweredWithCounts(t *testing.T) {
	a := newAnnotated(t, "a")
	paths := []string{"a.jpg", "b.jpg", "c.jpg"}
	status, counts := a.form("", payloads(true, []string{"a", "b", "c"}, paths), paths, [][]byte{photo(t, 1), photo(t, 2), []byte("GIF89a")})
	want := map[string]any{"dataset_id": a.dataset, "new_items": 1.0, "updated_items": 1.0, "ignored_items": 0.0, "upload_errors": 1.0}
	for key, value := range want {
		if counts[key] != value {
			t.Errorf("%s is %v, want %v", key, counts[key], value)
		}
	}
	refused, _ := counts["error_payload"].([]any)
	if status != 200 || len(refused) != 1 || refused[0].(map[string]any)["reference_id"] != "c" {
		t.Errorf("status %d, refused %v", status, refused)
	}
	if _, again := a.form("", payloads(false, []string{"a"}, paths[:1]), paths[:1], [][]byte{photo(t, 1)}); again["ignored_items"] != 1.0 || again["error_payload"] != nil {
		t.Errorf("sent again: %v", again)
	}
}

func TestBrokenFormsAreRefusedAndChangeNothing(t *testing.T) {
	a := newAnnotated(t)
	paths := []string{"a.jpg"}
	good := payloads(false, []string{"a"}, paths)
	_, whole := clientForm(good, paths, [][]byte{photo(t, 1)})
	contentType, _ := clientForm("", nil, nil)
	_, surplus := clientForm(good, []string{"a.jpg", "b.jpg"}, [][]byte{photo(t, 1), photo(t, 2)})
	_, missing := clientForm(good, nil, nil)
	_, object := clientForm(`{"reference_id":"a"}`, paths, [][]byte{photo(t, 1)})
	for name, c := range map[string]struct{ contentType, body string }{
		"cut off":             {contentType, string(whole[:len(whole)/2])},
		"more images":         {contentType, string(surplus)},
		"fewer images":        {contentType, string(missing)},
		"items no array":      {contentType, string(object)},
		"empty":               {contentType, ""},
		"no boundary":         {"multipart/form-data", string(whole)},
		"image first":         {contentType, strings.Replace(string(whole), `name="items"`, `name="image"`, 1)},
		"another part":        {contentType, strings.Replace(string(whole), `name="items"`, `name="things"`, 1)},
		"neither form nor ID": {"application/json", `{}`},
		"no JSON":             {"application/json", `{"items":`},
		"wrong types":         {"application/json", `{"items":[{"reference_id":7}]}`},
	} {
		status, text := a.send("POST", "dataset/"+a.dataset+"/append?async=1", c.contentType, strings.NewReader(c.body))
		if status != 400 || !strings.HasPrefix(text, `{"error":"`) {
			t.Errorf("%s: status %d: %s", name, status, text)
		}
	}
	if size := a.json("GET", "dataset/"+a.dataset+"/size", ""); size["count"] != 0.0 {
		t.Errorf("%v items", size["count"])
	}
}

func TestAStagedUploadIsAppendedOnce(t *testing.T) {
	a := newAnnotated(t)
	const request = "0123456789abcdef0123456789abcdef"
	signed := a.json("GET", "dataset/"+a.dataset+"/signedUrl/"+request+"?s3Endpoint=http%3A%2F%2Fx", "")["signed_url"].(string)
	if !strings.HasPrefix(signed, "http://remuda.test/upload/live/"+a.dataset+"/"+request+"?") {
		t.Fatalf("signed URL %s", signed)
	}
	body := `{"requestId":"` + request + `","update":false}`
	if status, text := a.send("POST", "dataset/"+a.dataset+"/append?async=1", "application/json", strings.NewReader(body)); status != 404 {
		t.Errorf("before the file is there: %d %s", status, text)
	}
	lines := `{"metadata":{},"reference_id":"s3 \u00fc","image_url":"s3://bucket/x.jpg"}` + "\n"
	if err := a.flow.StageUpload(t.Context(), remuda.Live, a.dataset, request, strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	first := a.json("POST", "dataset/"+a.dataset+"/append?async=1", body)
	second := a.json("POST", "dataset/"+a.dataset+"/append?async=1", body)
	if first["job_id"] != second["job_id"] || first["job_last_known_status"] != "Running" {
		t.Errorf("asked twice: %v and %v", first, second)
	}
	item := a.json("GET", "dataset/"+a.dataset+"/refloc/s3%20%C3%BC", "")["item"].(map[string]any)
	if item["image_url"] != "s3://bucket/x.jpg" || item["processed_url"] != nil {
		t.Errorf("item %v", item)
	}
}

func TestReferenceIDsOfAllKindsAreFoundAndDeleted(t *testing.T) {
	refs := []string{"a b.jpg", "ü.jpg", "100%.jpg", "dir/sub/x.jpg", "a//b", "s3://b/x.jpg", "a%20b", "q?x=1", "h#y", "../up", "[z]-$1", "/", ".", "%2F"}
	a := newAnnotated(t, refs...)
	for _, ref := range refs {
		path := "dataset/" + a.dataset + "/refloc/" + url.PathEscape(ref)
		object := a.json("GET", path, "")
		if got := object["item"].(map[string]any)["reference_id"]; got != ref {
			t.Errorf("%s gives %v", ref, got)
		}
		if annotations, ok := object["annotations"].(map[string]any); !ok || len(annotations) != 0 {
			t.Errorf("%s has annotations %v, want an empty object", ref, object["annotations"])
		}
		a.json("DELETE", path, "{}")
		if status, _ := a.send("GET", path, "application/json", nil); status != 404 {
			t.Errorf("%s after its deletion: %d", ref, status)
		}
	}
}

func TestPagesCoverAllItemsInOrder(t *testing.T) {
	var refs []string
	for i := range 7 {
		refs = append(refs, fmt.Sprint("i", i))
	}
	a := newAnnotated(t, refs...)
	for _, size := range []int{1, 3, 7, 100_000} {
		var got []string
		token := any(nil)
		for pages := 0; ; pages++ {
			body, err := json.Marshal(map[string]any{"pageToken": token, "pageSize": size})
			if err != nil || pages > len(refs) {
				t.Fatal(err, pages)
			}
			page := a.json("POST", "dataset/"+a.dataset+"/itemsPage", string(body))
			for _, item := range page["items"].([]any) {
				got = append(got, item.(map[string]any)["ref_id"].(string))
			}
			next, there := page["nextPageToken"]
			if !there {
				t.Fatal("a page has no nextPageToken")
			}
			if token = next; token == nil {
				break
			}
		}
		if !slices.Equal(got, refs) {
			t.Errorf("pages of %d: %q", size, got)
		}
	}
	for _, body := range []string{`{"pageToken":"x"}`, `{"pageToken":"-2"}`, `{"pageToken":{}}`, `{"pageSize":-1}`, `{"pageSize":"1"}`, `[]`} {
		if status, text := a.send("POST", "dataset/"+a.dataset+"/itemsPage", "application/json", strings.NewReader(body)); status != 400 {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	empty := newAnnotated(t)
	if page := empty.json("POST", "dataset/"+empty.dataset+"/itemsPage", `{}`); page["items"] == nil || page["nextPageToken"] != nil {
		t.Errorf("of an empty dataset: %v", page)
	}
}

func TestADatasetTellsAboutItself(t *testing.T) {
	a := newAnnotated(t, "a", "b")
	ds := "dataset/" + a.dataset
	a.json("POST", ds+"/tags", `{"tags":["y","x"]}`)
	if tags := a.json("DELETE", ds+"/tags", `{"tags":["y","none"]}`)["tags"]; fmt.Sprint(tags) != "[x]" {
		t.Errorf("tags %v", tags)
	}
	info := a.json("GET", ds+"/info", "")
	for key, want := range map[string]any{"dataset_id": a.dataset, "name": "horses", "length": 2.0} {
		if info[key] != want {
			t.Errorf("%s is %v", key, info[key])
		}
	}
	for _, key := range []string{"model_run_ids", "slice_ids", "tags"} {
		if _, ok := info[key].([]any); !ok {
			t.Errorf("%s is %v, want a list", key, info[key])
		}
	}
	for path, want := range map[string]string{
		"/model_runs": "[]", "/use_privacy_mode": `{"use_privacy_mode":false}`, "/is_scene": `{"is_scene":false}`, "/size": `{"count":2}`, "/name": `{"name":"horses"}`, "/tags": `{"tags":["x"]}`,
	} {
		if _, text := a.send("GET", ds+path, "application/json", nil); text != want {
			t.Errorf("%s: %s", path, text)
		}
	}
	if status, text := a.send("DELETE", ds, "application/json", strings.NewReader("{}")); status != 200 || text != `{"message":"Beginning dataset deletion..."}` {
		t.Errorf("deleted: %d %s", status, text)
	}
	for _, path := range []string{"/info", "/size", "/iloc/0", "/datasetItems", "/tags", "/signedUrl/x"} {
		if status, _ := a.send("GET", ds+path, "application/json", nil); status != 404 {
			t.Errorf("%s of a deleted dataset: %d", path, status)
		}
	}
	if _, text := a.send("GET", "dataset/details", "application/json", nil); text != "[]" {
		t.Errorf("details after the deletion: %s", text)
	}
}

func TestMetadataIsMerged(t *testing.T) {
	a := newAnnotated(t, "a", "b")
	path := "dataset/" + a.dataset + "/metadata?async="
	a.json("POST", path+"0", `{"metadata":[{"reference_id":"a","metadata":{"x":{"deep":1},"y":2}}],"level":"item"}`)
	done := a.json("POST", path+"0", `{"metadata":[{"reference_id":"a","metadata":{"x":3}},{"reference_id":"none","metadata":{}},{"reference_id":"b","metadata":[]}],"level":"item"}`)
	if done["updated"] != 1.0 || len(done["errors"].([]any)) != 2 {
		t.Errorf("done %v", done)
	}
	job := a.json("POST", path+"1", `{"metadata":[{"reference_id":"a","metadata":{"z":null}},{"reference_id":"none","metadata":{}}],"level":"item"}`)
	flowtest.Drain(t, a.flow)
	if after := a.json("GET", "job/"+job["job_id"].(string), ""); after["status"] != "Completed" {
		t.Errorf("job %v", after)
	}
	_, text := a.send("GET", "dataset/"+a.dataset+"/refloc/a", "application/json", nil)
	if !strings.Contains(text, `"metadata":{"x":3,"y":2,"z":null}`) {
		t.Errorf("item %s", text)
	}
	if status, _ := a.send("POST", path+"0", "application/json", strings.NewReader(`{"metadata":[],"level":"scene"}`)); status != 400 {
		t.Errorf("of scenes: %d", status)
	}
}

func TestJobsAreListed(t *testing.T) {
	a := newAnnotated(t, "a")
	list := func(body string) int {
		t.Helper()
		status, text := a.send("POST", "jobs/", "application/json", strings.NewReader(body))
		var jobs []map[string]any
		if err := json.Unmarshal([]byte(text), &jobs); status != 200 || err != nil {
			t.Fatalf("%s: %d %s", body, status, text)
		}
		return len(jobs)
	}
	all := `"from_date":null,"to_date":null,"limit":50000`
	for _, c := range []struct {
		body          string
		before, after int
	}{
		{`{"dataset_id":null,"job_types":[],` + all + `,"show_completed":false}`, 1, 0},
		{`{"dataset_id":null,"job_types":[],` + all + `,"show_completed":true}`, 1, 1},
		{`{"dataset_id":"` + a.dataset + `","job_types":["uploadDatasetItems"],` + all + `,"show_completed":true}`, 1, 1},
		{`{"job_types":["uploadPredictions"],` + all + `,"show_completed":true}`, 0, 0},
		{`{"job_types":[],"from_date":"2021-11-05","to_date":"2021-11-05 00:00:00","show_completed":true}`, 0, 0},
		{`{"job_types":[],"from_date":"2021-11-05","show_completed":true}`, 1, 1},
	} {
		if n := list(c.body); n != c.before {
			t.Errorf("before: %s lists %d", c.body, n)
		}
		defer func() {
			if n := list(c.body); n != c.after {
				t.Errorf("after: %s lists %d", c.body, n)
			}
		}()
	}
	flowtest.Drain(t, a.flow)
	for _, body := range []string{`{"from_date":"yesterday"}`, `{"limit":0}`, `{"limit":"x"}`} {
		if status, _ := a.send("POST", "jobs/", "application/json", strings.NewReader(body)); status != 400 {
			t.Errorf("%s: %d", body, status)
		}
	}
	if status, _ := a.send("GET", "job/job_none", "application/json", nil); status != 404 {
		t.Errorf("an unknown job: %d", status)
	}
}

func TestWhatThereIsNotSaysSo(t *testing.T) {
	a := newAnnotated(t, "a")
	for _, c := range []struct {
		method, path string
		status       int
		want         string
	}{
		{"POST", a.dataset + "/upload_scenes?async=1", 400, "scenes"},
		{"GET", "dataset/" + a.dataset + "/scene/a%2Fb", 400, "scenes"},
		{"POST", "dataset/create_from_project", 400, "labeling service"},
		{"POST", "model/run/prj_x/", 400, "inference"},
		{"GET", "dataset/" + a.dataset + "/nothing", 404, "no route"},
		{"PATCH", "dataset/" + a.dataset + "/size", 400, "PATCH"},
	} {
		status, text := a.send(c.method, c.path, "application/json", strings.NewReader("{}"))
		if status != c.status || !strings.HasPrefix(text, `{"error":"`) || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, text)
		}
	}
}

func FuzzAppendForm(f *testing.F) {
	contentType, whole := clientForm(payloads(false, []string{"a"}, []string{"a.jpg"}), []string{"a.jpg"}, [][]byte{photo(f, 1)})
	f.Add(contentType, whole)
	f.Add(contentType, whole[:100])
	f.Add("multipart/form-data; boundary=\"\"", whole)
	flowUnder, caller := flowtest.New(f)
	server := fuzzServer(flowUnder, caller)
	d, err := flowUnder.CreateDataset(f.Context(), caller, flow.NewDataset{Name: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r, err := http.NewRequest("POST", "/dataset/"+d.ID+"/append?async=1", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", contentType)
		checkAnswer(t, server, r)
	})
}

func FuzzPath(f *testing.F) {
	flowUnder, caller := flowtest.New(f)
	server := fuzzServer(flowUnder, caller)
	d, err := flowUnder.CreateDataset(f.Context(), caller, flow.NewDataset{Name: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range []string{"dataset/DS/refloc/%2F", "dataset/DS/refloc/..%2F..", "dataset/DS/refloc/a//b", "dataset/DS/loc/di_x", "dataset/DS/iloc/-1", "dataset/DS/iloc/99999999999999999999", "job/%00", "dataset/%ff/info", "//", "dataset/DS/refloc/"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		path = "/" + strings.ReplaceAll(path, "DS", d.ID)
		u, err := url.Parse("http://remuda.test" + path)
		if err != nil {
			return
		}
		for _, method := range []string{"GET", "DELETE"} {
			r := &http.Request{Method: method, URL: u, Header: http.Header{}, Body: http.NoBody}
			checkAnswer(t, server, r.WithContext(t.Context()))
		}
	})
}

func fuzzServer(f *flow.Flow, caller remuda.Caller) *Server {
	return New(Server{
		Flow: f, PublicURL: func(*http.Request) string { return "http://remuda.test" },
		Authenticate: func(*http.Request) (remuda.Caller, error) { return caller, nil },
	})
}

// checkAnswer fails the test if an answer is not JSON or blames the server.
func checkAnswer(t *testing.T, server *Server, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	if w.Code >= 500 || w.Header().Get("Content-Type") != "application/json" || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s: %d %v %.200s", r.Method, r.URL, w.Code, w.Header(), w.Body)
	}
}
