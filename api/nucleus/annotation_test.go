package nucleus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"reflect"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
)

// annotated is a server with a dataset of items, for one manager.
type annotated struct {
	t       *testing.T
	url     string
	flow    *flow.Flow
	caller  remuda.Caller
	dataset string
}

func newAnnotated(t *testing.T, refs ...string) *annotated {
	t.Helper()
	f, caller := flowtest.New(t)
	return newAnnotatedOn(t, f, caller, refs...)
}

// newAnnotatedOn is newAnnotated on a flow, such as one of flowtest.Open.
func newAnnotatedOn(t *testing.T, f *flow.Flow, caller remuda.Caller, refs ...string) *annotated {
	t.Helper()
	server := httptest.NewServer(New(Server{
		Flow:         f,
		Authenticate: func(*http.Request) (remuda.Caller, error) { return caller, nil },
		PublicURL:    func(*http.Request) string { return "http://remuda.test" },
		Fail:         func(r *http.Request, err error) { t.Errorf("%s %s: %v", r.Method, r.URL, err) },
	}))
	t.Cleanup(server.Close)
	a := &annotated{t: t, url: server.URL, flow: f, caller: caller}
	a.dataset = a.json("POST", "dataset/create", `{"name":"horses"}`)["dataset_id"].(string)
	var items []string
	for _, ref := range refs {
		items = append(items, fmt.Sprintf(`{"reference_id":%q,"image_url":"http://images.test/%s","metadata":{}}`, ref, ref))
	}
	a.json("POST", "dataset/"+a.dataset+"/append", `{"items":[`+strings.Join(items, ",")+`],"update":false}`)
	return a
}

// send makes a call and returns its status and the body's text.
func (a *annotated) send(method, path, contentType string, body io.Reader) (int, string) {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+"/"+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if got := answer.Header.Get("Content-Type"); got != "application/json" {
		a.t.Errorf("%s %s answers with Content-Type %q", method, path, got)
	}
	return answer.StatusCode, string(text)
}

// json makes a call that must succeed and returns its object.
func (a *annotated) json(method, path, body string) (object map[string]any) {
	a.t.Helper()
	status, text := a.send(method, path, "application/json", strings.NewReader(body))
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		a.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return object
}

func (a *annotated) annotate(update bool, annotations ...string) map[string]any {
	a.t.Helper()
	return a.json("POST", "dataset/"+a.dataset+"/annotate", fmt.Sprintf(`{"update":%t,"annotations":[%s]}`, update, strings.Join(annotations, ",")))
}

// kinds is an annotation of every type, as the client sends it.
func kinds(ref string) map[string]string {
	return map[string]string{
		"box": `{"label":"horse","type":"box","geometry":{"x":1.50,"y":2,"width":30.1,"height":40},"reference_id":"` + ref + `","annotation_id":"horse-1.5-2-30.1-40-` + ref +
			`","metadata":{"b":1.0,"a":[null,{"ü":true}]},"embedding_vector":[0.1,2,-3e-9],"track_reference_id":"track","task_id":"task"}`,
		"polygon":       `{"label":"pig","type":"polygon","geometry":{"vertices":[{"x":1,"y":2},{"x":3.25,"y":2},{"x":3,"y":5}]},"reference_id":"` + ref + `","annotation_id":"p","metadata":{},"embedding_vector":null,"track_reference_id":null,"task_id":null}`,
		"line":          `{"label":"rail","type":"line","geometry":{"vertices":[{"x":1,"y":2},{"x":3,"y":5}]},"reference_id":"` + ref + `","annotation_id":"l","metadata":{"k":"v"},"track_reference_id":null,"task_id":"task"}`,
		"keypoints":     `{"label":"face","type":"keypoints","geometry":{"keypoints":[{"x":1,"y":2,"visible":true},{"x":null,"y":null,"visible":false}],"names":["nose","eye"],"skeleton":[[0,1]]},"reference_id":"` + ref + `","annotation_id":"k","metadata":{},"track_reference_id":null,"task_id":null}`,
		"category":      `{"label":"day","type":"category","geometry":{},"reference_id":"` + ref + `","metadata":{"sure":0.5},"taxonomy_name":"time","track_reference_id":"t2","task_id":"task"}`,
		"multicategory": `{"labels":["wet","cold"],"type":"multicategory","geometry":{},"reference_id":"` + ref + `","metadata":{},"taxonomy_name":"weather"}`,
		"cuboid":        `{"label":"cart","type":"cuboid","geometry":{"position":{"x":1,"y":2,"z":3},"dimensions":{"x":4,"y":5,"z":6},"yaw":0.5},"reference_id":"` + ref + `","annotation_id":"c","metadata":{}}`,
		"segmentation":  `{"type":"mask","mask_url":"https://masks.test/m.png","annotations":[{"label":"grass","index":1},{"label":"sky","index":2,"metadata":{"a":1}}],"annotation_id":"m","reference_id":"` + ref + `"}`,
	}
}

// same says whether got has everything that was sent, nulls aside.
func same(t *testing.T, sent string, got any) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(sent), &want); err != nil {
		t.Fatal(err)
	}
	object, _ := got.(map[string]any)
	for key, value := range want {
		if value != nil && !reflect.DeepEqual(object[key], value) {
			t.Errorf("%s: sent %v, got %v", key, value, object[key])
		}
	}
	if object["id"] == nil || object["dataset_item_id"] == nil {
		t.Errorf("no id or dataset_item_id in %v", object)
	}
}

func TestEveryTypeComesBackAsItWasSent(t *testing.T) {
	const ref = "dir/a horse.jpg"
	a := newAnnotated(t, ref, "empty.jpg")
	sent := kinds(ref)
	var list []string
	for _, text := range sent {
		list = append(list, text)
	}
	for _, want := range []struct {
		update             bool
		processed, ignored float64
	}{{false, 8, 0}, {false, 0, 8}, {true, 8, 0}} {
		got := a.annotate(want.update, list...)
		if got["annotations_processed"] != want.processed || got["annotations_ignored"] != want.ignored || got["dataset_id"] != a.dataset || got["errors"] != nil {
			t.Errorf("update %t: %v", want.update, got)
		}
	}
	read := a.json("GET", "dataset/"+a.dataset+"/refloc/dir%2Fa%20horse.jpg", "{}")["annotations"].(map[string]any)
	if len(read) != 8 {
		t.Errorf("%d types, want 8: %v", len(read), read)
	}
	for kind, text := range sent {
		if list, _ := read[kind].([]any); len(list) == 1 {
			same(t, text, list[0])
		} else {
			t.Errorf("%s: %v", kind, read[kind])
		}
	}
	if empty := a.json("GET", "dataset/"+a.dataset+"/refloc/empty.jpg", "{}")["annotations"].(map[string]any); len(empty) != 0 {
		t.Errorf("an item without annotations has %v", empty)
	}
}

func TestNumbersKeepTheirText(t *testing.T) {
	a := newAnnotated(t, "h")
	a.annotate(false, kinds("h")["box"])
	_, text := a.send("GET", "dataset/"+a.dataset+"/refloc/h", "application/json", strings.NewReader("{}"))
	for _, want := range []string{`"geometry":{"x":1.50,"y":2,"width":30.1,"height":40}`, `"metadata":{"b":1.0,"a":[null,{"ü":true}]}`, `"embedding_vector":[0.1,2,-3e-9]`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

func TestEveryExportRowHasAllArrays(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "h3")
	for _, text := range kinds("h1") {
		a.annotate(false, text)
	}
	check := func(row any, full bool) {
		t.Helper()
		object := row.(map[string]any)
		for _, name := range []string{"box", "polygon", "line", "keypoints", "cuboid", "category", "multicategory"} {
			list, ok := object[name].([]any)
			if !ok || len(list) != map[bool]int{true: 1}[full] {
				t.Errorf("%s: %v", name, object[name])
			}
		}
		mask, ok := object["segmentation"]
		if _, single := mask.(map[string]any); !ok || single != full {
			t.Errorf("segmentation: %v", mask)
		}
		if object["item"].(map[string]any)["reference_id"] == nil {
			t.Errorf("item: %v", object["item"])
		}
	}
	rows := a.json("GET", "dataset/"+a.dataset+"/exportForTraining", "")["exportedRows"].([]any)
	if len(rows) != 3 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, row := range rows {
		check(row, i == 0)
	}
	token, pages := any(nil), 0
	for ; pages == 0 || token != nil; pages++ {
		body, err := json.Marshal(map[string]any{"pageToken": token, "pageSize": 1, "query": nil, "chip": false, "onlyMostRecentTask": false})
		if err != nil {
			t.Fatal(err)
		}
		page := a.json("POST", "dataset/"+a.dataset+"/exportForTrainingPage", string(body))
		next, present := page["nextPageToken"]
		if list := page["data"].([]any); !present || len(list) != 1 {
			t.Fatalf("page %d: %v", pages, page)
		} else {
			check(list[0], pages == 0)
		}
		token = next
	}
	if pages != 3 {
		t.Errorf("%d pages of one row", pages)
	}
	empty := newAnnotated(t)
	if rows := empty.json("GET", "dataset/"+empty.dataset+"/exportForTraining", "")["exportedRows"].([]any); len(rows) != 0 {
		t.Errorf("an empty dataset has the rows %v", rows)
	}
}

func TestOnlyTheMostRecentTask(t *testing.T) {
	a := newAnnotated(t, "h")
	box := func(id, task string) string {
		return fmt.Sprintf(`{"label":"horse","type":"box","geometry":{"x":1,"y":2,"width":3,"height":4},"reference_id":"h","annotation_id":%q,"task_id":%s}`, id, task)
	}
	a.annotate(false, box("old", `"t1"`), box("free", "null"))
	a.annotate(false, box("new", `"t2"`))
	page := a.json("POST", "dataset/"+a.dataset+"/exportForTrainingPage", `{"pageToken":null,"pageSize":10,"onlyMostRecentTask":true}`)
	var ids []any
	for _, box := range page["data"].([]any)[0].(map[string]any)["box"].([]any) {
		ids = append(ids, box.(map[string]any)["annotation_id"])
	}
	if !reflect.DeepEqual(ids, []any{"free", "new"}) {
		t.Errorf("annotations %v", ids)
	}
}

func TestWrongAnnotationsAreErrorsInsideSuccess(t *testing.T) {
	a := newAnnotated(t, "h")
	good := kinds("h")["box"]
	for name, wrong := range map[string]string{
		"Item with id lost doesn't exist": kinds("lost")["box"],
		"no annotation type":              `{"label":"x","type":"blob","reference_id":"h"}`,
		"needs a label":                   `{"type":"box","geometry":{"x":1,"y":2,"width":3,"height":4},"reference_id":"h"}`,
		"x, y, width and height":          `{"label":"x","type":"box","geometry":{"x":1,"y":2,"width":3},"reference_id":"h"}`,
		"geometry is not":                 `{"label":"x","type":"box","geometry":{"x":"1","y":2,"width":3,"height":4},"reference_id":"h"}`,
		"beyond any image":                `{"label":"x","type":"box","geometry":{"x":1e99,"y":2,"width":3,"height":4},"reference_id":"h"}`,
		"the box has the size":            `{"label":"x","type":"box","geometry":{"x":1,"y":2,"width":-3,"height":4},"reference_id":"h"}`,
		"metadata is not an object":       `{"label":"x","type":"box","geometry":{"x":1,"y":2,"width":3,"height":4},"reference_id":"h","metadata":[]}`,
		"no JSON object":                  `"box"`,
		"vertices":                        `{"label":"x","type":"polygon","geometry":{},"reference_id":"h"}`,
		"whether it is visible":           `{"label":"x","type":"keypoints","geometry":{"keypoints":[{"x":1,"y":2}],"names":["a"]},"reference_id":"h"}`,
		"mask_url":                        `{"type":"mask","annotations":[],"reference_id":"h"}`,
		"needs labels":                    `{"type":"multicategory","reference_id":"h"}`,
		"NUL":                             `{"label":"x\u0000","type":"category","reference_id":"h"}`,
	} {
		got := a.annotate(true, wrong, good)
		errors, _ := got["errors"].([]any)
		if got["annotations_processed"] != 1.0 || got["annotations_ignored"] != 0.0 || len(errors) != 1 || !strings.Contains(fmt.Sprint(errors...), name) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := a.annotate(false, kinds("lost")["line"])["errors"].([]any); !strings.Contains(got[0].(string), "lost") {
		t.Errorf("the item's id is not named: %v", got)
	}
}

func TestAnnotatingWhatIsNotThere(t *testing.T) {
	a := newAnnotated(t, "h")
	for path, body := range map[string]string{
		"dataset/ds_none/annotate":                   `{"update":false,"annotations":[]}`,
		"dataset/ds_none/annotate?async=1":           `{"requestId":"x","update":false}`,
		"dataset/" + a.dataset + "/annotate?async=1": `{"requestId":"never put","update":false}`,
	} {
		if status, text := a.send("POST", path, "application/json", strings.NewReader(body)); status != http.StatusNotFound || !strings.HasPrefix(text, `{"error":"`) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for _, body := range []string{`{`, `[]`, `{"annotations":{}}`, `{"update":"yes"}`} {
		if status, text := a.send("POST", "dataset/"+a.dataset+"/annotate", "application/json", strings.NewReader(body)); status != http.StatusBadRequest || !strings.HasPrefix(text, `{"error":"`) {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
}

func TestAnnotationsAreFoundWhateverTheSlashes(t *testing.T) {
	refs := []string{"a/b", "a", "s3://bucket/x.jpg", "100%.jpg"}
	a := newAnnotated(t, refs...)
	find := map[string]string{ // path to reference id
		"a/b/k": "a/b", "a/c/k": "a", "s3://bucket/x.jpg/k": "s3://bucket/x.jpg", "100%25.jpg/k/a/b": "100%.jpg",
	}
	for _, sent := range [][2]string{{"a/b", "k"}, {"a", "c/k"}, {"s3://bucket/x.jpg", "k"}, {"100%.jpg", "k/a/b"}} {
		got := a.annotate(false, fmt.Sprintf(`{"label":"horse","type":"box","geometry":{"x":1,"y":2,"width":3,"height":4},"reference_id":%q,"annotation_id":%q}`, sent[0], sent[1]))
		if got["annotations_processed"] != 1.0 {
			t.Fatal(got)
		}
	}
	for path, ref := range find {
		if got := a.json("GET", "dataset/"+a.dataset+"/groundTruth/loc/"+path, ""); got["reference_id"] != ref || got["type"] != "box" {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, path := range []string{"a/k", "nothing", "a/b/", "/a/b/k"} {
		if status, text := a.send("GET", "dataset/"+a.dataset+"/groundTruth/loc/"+path, "application/json", http.NoBody); status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
}

const pngHead = "\x89PNG\r\n\x1a\n"

// form is a form of one segmentation and its masks.
func form(t *testing.T, request string, masks ...string) (contentType string, body io.Reader) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part := func(name, filename, kind, text string) {
		disposition := fmt.Sprintf(`form-data; name=%q`, name)
		if filename != "" {
			disposition += fmt.Sprintf(`; filename=%q`, filename)
		}
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {kind}, "Content-Disposition": {disposition}})
		if err == nil {
			_, err = p.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	part("serialized_request", "", "application/json", request)
	for _, mask := range masks {
		part("mask", "tests%2Fmask.png", "image/png", mask)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), &b
}

func TestMaskFilesKeepTheirLocalPath(t *testing.T) {
	a := newAnnotated(t, "h")
	request := `{"segmentations":[{"type":"mask","mask_url":"tests/mask.png","annotations":[{"label":"sky","index":1}],"annotation_id":null,"reference_id":"h"}],"update":false}`
	contentType, body := form(t, request, pngHead+"…")
	status, text := a.send("POST", "dataset/"+a.dataset+"/annotate", contentType, body)
	if status != http.StatusOK || !strings.Contains(text, `"annotations_processed":1`) {
		t.Fatalf("%d %s", status, text)
	}
	read := a.json("GET", "dataset/"+a.dataset+"/iloc/0", "{}")["annotations"].(map[string]any)["segmentation"].([]any)
	if got := read[0].(map[string]any); got["mask_url"] != "tests/mask.png" || got["reference_id"] != "h" {
		t.Errorf("%v", got)
	} else if url, _ := got["processed_mask_url"].(string); !strings.HasPrefix(url, "http://remuda.test/image/") {
		t.Errorf("the real mask is at %q", url)
	} else {
		hash := strings.TrimPrefix(url, "http://remuda.test/image/")[:64]
		file, kind, err := a.flow.OpenImage(t.Context(), hash)
		if err != nil || kind != "image/png" {
			t.Fatal(kind, err)
		}
		defer file.Close()
		if text, err := io.ReadAll(file); err != nil || string(text) != pngHead+"…" {
			t.Errorf("the mask became %q, %v", text, err)
		}
	}
	for name, masks := range map[string][]string{"no mask": nil, "two masks": {pngHead, pngHead}, "no PNG": {"\xff\xd8\xff"}} {
		contentType, body := form(t, request, masks...)
		if status, text := a.send("POST", "dataset/"+a.dataset+"/annotate", contentType, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
}

func TestStagedAnnotationsAreReadByAJob(t *testing.T) {
	a := newAnnotated(t, "h")
	lines := kinds("h")["box"] + "\n" + kinds("h")["segmentation"] + "\n" + kinds("lost")["line"] + "\n"
	if err := a.flow.StageUpload(t.Context(), a.caller.World, a.dataset, "r1", strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
	job := a.json("POST", "dataset/"+a.dataset+"/annotate?async=1", `{"requestId":"r1","update":false}`)
	if job["job_type"] != "uploadAnnotations" || job["job_last_known_status"] != "Running" {
		t.Errorf("%v", job)
	}
	flowtest.Drain(t, a.flow)
	status := a.json("GET", "job/"+job["job_id"].(string), "")
	upload := status["message"].(map[string]any)["annotation_upload"]
	want := map[string]any{"total": 3.0, "errored": 1.0, "ignored": 0.0, "processed": 2.0, "datasetId": a.dataset}
	if status["status"] != "Completed" || !reflect.DeepEqual(upload, want) {
		t.Errorf("%v", status)
	}
	if _, text := a.send("GET", "job/"+job["job_id"].(string)+"/errors", "application/json", http.NoBody); !strings.Contains(text, "Item with id lost doesn") {
		t.Errorf("errors: %s", text)
	}
}

func TestDeletedAnnotationsStayInTheHistory(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "h3")
	for _, ref := range []string{"h1", "h2", "h3"} {
		a.annotate(false, kinds(ref)["box"], kinds(ref)["category"])
	}
	count := func() (n int) {
		for _, row := range a.json("GET", "dataset/"+a.dataset+"/exportForTraining", "")["exportedRows"].([]any) {
			n += len(row.(map[string]any)["box"].([]any)) + len(row.(map[string]any)["category"].([]any))
		}
		return n
	}
	if job := a.json("DELETE", "annotation/"+a.dataset, `{"keep_history":true,"reference_ids":["h1","lost"]}`); job["job_type"] != "annotationDeletion" {
		t.Errorf("%v", job)
	}
	flowtest.Drain(t, a.flow)
	if n := count(); n != 4 {
		t.Errorf("%d annotations are left, want 4", n)
	}
	a.json("DELETE", "annotation/"+a.dataset, `{"keep_history":false,"reference_ids":[]}`)
	flowtest.Drain(t, a.flow)
	if n := count(); n != 0 {
		t.Errorf("%d annotations are left", n)
	}
	item, err := a.flow.Item(t.Context(), a.caller, a.dataset, flow.ItemChoice{Reference: "h1"})
	if err != nil {
		t.Fatal(err)
	}
	history, err := a.flow.History(t.Context(), a.caller, item.Item.ID)
	if err != nil || len(history) != 2 || history[0].EndedAt == nil {
		t.Errorf("history %+v, %v", history, err)
	}
}

func TestTaxonomies(t *testing.T) {
	a := newAnnotated(t, "h")
	add := func(body string) any { return a.json("POST", "dataset/"+a.dataset+"/add_taxonomy", body)["status"] }
	if got := add(`{"taxonomy_name":"time/of day","type":"category","labels":["day"],"update":false}`); got != "Taxonomy created" {
		t.Error(got)
	}
	if got := add(`{"taxonomy_name":"time/of day","type":"category","labels":["night"],"update":false}`); got != "Taxonomy already exists" {
		t.Error(got)
	}
	if got := add(`{"taxonomy_name":"time/of day","type":"category","labels":["night"],"update":true}`); got != "Taxonomy updated" {
		t.Error(got)
	}
	a.annotate(false, `{"label":"day","type":"category","reference_id":"h","taxonomy_name":"time/of day"}`, `{"label":"dusk","type":"category","reference_id":"h","taxonomy_name":null}`,
		kinds("h")["multicategory"], kinds("h")["segmentation"])
	if got := a.json("GET", "dataset/"+a.dataset+"/class_labels", "")["data"]; !reflect.DeepEqual(got, []any{"cold", "day", "dusk", "grass", "sky", "wet"}) {
		t.Errorf("class labels %v", got)
	}
	if got := a.json("DELETE", "dataset/"+a.dataset+"/taxonomy/time/of%20day", "{}")["status"]; got != "Taxonomy successfully deleted" {
		t.Error(got)
	}
	schema := a.json("GET", "dataset/"+a.dataset+"/labelSchema", "{}")
	if !reflect.DeepEqual(schema["gt_labels"], []any{"cold", "dusk", "grass", "sky", "wet"}) || !reflect.DeepEqual(schema["prediction_labels"], []any{}) {
		t.Errorf("labels after the taxonomy's deletion: %v", schema)
	}
	if status, text := a.send("DELETE", "dataset/"+a.dataset+"/taxonomy/none", "application/json", strings.NewReader("{}")); status != http.StatusNotFound {
		t.Errorf("an unknown taxonomy: %d %s", status, text)
	}
}
