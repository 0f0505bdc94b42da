package nucleus

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"remuda"
	"remuda/api/image"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
)

// refused makes a call that must fail and returns its status and error.
func (a *annotated) refused(method, path, body string) (status int, message string) {
	a.t.Helper()
	status, text := a.send(method, path, "application/json", strings.NewReader(body))
	var object struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil || status < 400 || status >= 500 || object.Error == "" {
		a.t.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	return status, object.Error
}

func (a *annotated) array(method, path, body string) (array []map[string]any) {
	a.t.Helper()
	status, text := a.send(method, path, "application/json", strings.NewReader(body))
	if err := json.Unmarshal([]byte(text), &array); err != nil || status != 200 {
		a.t.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	return array
}

// refs returns the reference ids of items.
func refs(items any) string {
	var found []string
	for _, item := range items.([]any) {
		found = append(found, item.(map[string]any)["reference_id"].(string))
	}
	return strings.Join(found, " ")
}

func (a *annotated) slice(body string) string {
	a.t.Helper()
	return a.json("POST", "dataset/"+a.dataset+"/create_slice", body)["slice_id"].(string)
}

func TestASliceIsMadeReadAndDeleted(t *testing.T) {
	a := newAnnotated(t, "a", "b/1", "c", "d")
	id := a.slice(`{"name":"some","reference_ids":["c","a","c"]}`)
	if !regexp.MustCompile(`^slc_[0-9a-z]{20}$`).MatchString(id) {
		t.Errorf("id %s", id)
	}
	added := a.json("POST", "slice/"+id+"/append", `{"reference_ids":["a","b/1"],"dataset_id":"`+a.dataset+`"}`)
	if added["slice_id"] != id || len(added["new_items"].([]any)) != 1 {
		t.Errorf("appended %v", added)
	}
	all := a.json("GET", "slice/"+id, "")
	if got := refs(all["items"]); got != "c a b/1" {
		t.Errorf("items %s", got)
	}
	for _, item := range all["items"].([]any) {
		if !strings.HasPrefix(item.(map[string]any)["id"].(string), "di_") {
			t.Errorf("item %v", item)
		}
	}
	page := a.json("POST", "slice/"+id+"/itemsPage", `{"pageToken":null,"pageSize":2}`)
	rest := a.json("POST", "slice/"+id+"/itemsPage", fmt.Sprintf(`{"pageToken":%q,"pageSize":2}`, page["nextPageToken"]))
	if token, there := rest["nextPageToken"]; refs(page["items"])+" "+refs(rest["items"]) != "c a b/1" || token != nil || !there {
		t.Errorf("pages %v %v", page, rest)
	}
	info := a.json("GET", "slice/"+id+"/info", "")
	for _, key := range []string{"name", "dataset_id", "created_at", "pending_job_count", "type", "description", "tags", "slice_id"} {
		if _, there := info[key]; !there {
			t.Errorf("the info has no %s", key)
		}
	}
	if info["name"] != "some" || info["dataset_id"] != a.dataset || info["type"] != "dataset_item" || !regexp.MustCompile(`\.\d{3}Z$`).MatchString(info["created_at"].(string)) {
		t.Errorf("info %v", info)
	}
	a.json("POST", "slice/"+id+"/tag", `{"slice_tags":["x","y","x"]}`)
	if info := a.json("GET", "slice/"+id+"/info", ""); len(info["tags"].([]any)) != 2 {
		t.Errorf("tags %v", info["tags"])
	}
	if rows := a.json("GET", "slice/"+id+"/exportForTraining", "")["exportedRows"].([]any); len(rows) != 3 {
		t.Errorf("exported %d rows", len(rows))
	}
	raw := a.json("GET", "slice/"+id+"/exportRawItems", "")["raw_dataset_items"].([]any)
	if first := raw[0].(map[string]any); len(raw) != 3 || first["ref_id"] != "c" || first["original_url"] != "http://images.test/c" {
		t.Errorf("raw %v", raw)
	}
	a.json("DELETE", "slice/"+id, "{}")
	if status, _ := a.refused("GET", "slice/"+id+"/info", ""); status != 404 {
		t.Errorf("deleted: %d", status)
	}
}

func TestUnknownAndTooManyIDsChangeNothing(t *testing.T) {
	a := newAnnotated(t, "a")
	create := "dataset/" + a.dataset + "/create_slice"
	if _, message := a.refused("POST", create, `{"name":"s","reference_ids":["a","nowhere"]}`); !strings.Contains(message, "nowhere") {
		t.Error(message)
	}
	many := `"` + strings.Repeat(`a","`, 10_000) + `a"`
	for _, body := range []string{
		`{"name":"s","reference_ids":[` + many + `]}`, `{"name":"s"}`, `{"name":"","reference_ids":["a"]}`, `{"name":"s","scene_ids":["scn_1"]}`,
		`{"name":"s","dataset_item_ids":["di_nowhere"]}`, `{"name":"s","object_ids":["ann_nowhere"]}`, `{"name":"s","reference_ids":"a"}`,
	} {
		a.refused("POST", create, body)
	}
	if found := a.array("GET", "dataset/"+a.dataset+"/slices", ""); len(found) != 0 {
		t.Errorf("slices %v", found)
	}
	id := a.slice(`{"name":"empty","allow_empty":1}`)
	a.refused("POST", "slice/"+id+"/append", `{"reference_ids":["a","nowhere"]}`)
	if items := a.json("GET", "slice/"+id, "")["items"].([]any); len(items) != 0 {
		t.Errorf("items %v", items)
	}
}

func TestSlicesAreListedByNameAndEitherSpellingOfTheirType(t *testing.T) {
	a := newAnnotated(t, "a")
	a.json("POST", "dataset/"+a.dataset+"/annotate", `{"annotations":[{"type":"box","label":"horse","geometry":{"x":1,"y":2,"width":3,"height":4},"reference_id":"a","annotation_id":"k","metadata":{}}],"update":false}`)
	box := a.json("GET", "dataset/"+a.dataset+"/refloc/a", "")["annotations"].(map[string]any)["box"].([]any)[0].(map[string]any)["id"].(string)
	a.slice(`{"name":"items","reference_ids":["a"]}`)
	objects := a.slice(`{"name":"my boxes","object_ids":["` + box + `"]}`)
	for query, want := range map[string]int{
		"": 2, "?name=items": 1, "?name=nothing": 0, "?type=dataset_item": 1, "?type=SliceType.DATASET_ITEM": 1, "?name=my%20boxes&type=SliceType.OBJECT": 1,
		"?type=object": 1, "?type=SliceType.SCENE": 0, "?name=": 2,
	} {
		if found := a.array("GET", "dataset/"+a.dataset+"/slices"+query, ""); len(found) != want {
			t.Errorf("%s lists %v, want %d", query, found, want)
		}
	}
	a.refused("GET", "dataset/"+a.dataset+"/slices?type=SliceType.CUBE", "")
	items := a.json("GET", "slice/"+objects, "")["items"].([]any)
	if first := items[0].(map[string]any); len(items) != 1 || first["id"] != box || !strings.HasPrefix(box, "ann_") || first["reference_id"] != "a" || first["label"] != "horse" {
		t.Errorf("objects %v", items)
	}
	if found := a.array("GET", "slice/", ""); len(found) != 2 || found[0]["dataset_id"] != a.dataset {
		t.Errorf("all %v", found)
	}
	if labels := a.json("GET", "slice/"+objects+"/class_labels", "")["data"].([]any); len(labels) != 1 || labels[0] != "horse" {
		t.Errorf("labels %v", labels)
	}
	a.json("DELETE", "dataset/"+a.dataset, "{}")
	if found := a.array("GET", "slice/", ""); len(found) != 0 {
		t.Errorf("of a deleted dataset: %v", found)
	}
}

func TestSamplesAreTheSameUnderTheSameName(t *testing.T) {
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("%02d", i))
	}
	a := newAnnotated(t, names...)
	build := func(body string) string {
		id := a.json("POST", "dataset/"+a.dataset+"/build_slice", body)["sliceId"].(string)
		return refs(a.json("GET", "slice/"+id, "")["items"])
	}
	first, again := build(`{"name":"s","sampleSize":7,"sampleMethod":"Random","filters":{}}`), build(`{"name":"s","sampleSize":7,"sampleMethod":"Random","filters":{}}`)
	if len(strings.Fields(first)) != 7 || first != again {
		t.Errorf("%s, then %s", first, again)
	}
	within := a.slice(`{"name":"few","reference_ids":["03","05","07"]}`)
	if got := build(`{"name":"s","sampleSize":100,"sampleMethod":"Uniqueness","filters":{"sliceId":"` + within + `"}}`); got != "03 05 07" {
		t.Errorf("of a slice: %s", got)
	}
	for _, body := range []string{`{"name":"s","sampleSize":0,"sampleMethod":"Random"}`, `{"name":"s","sampleSize":1,"sampleMethod":"Best"}`, `{"name":"s","sampleSize":1,"sampleMethod":"Random","filters":{"autotag":{"autotagId":"tag_1","range":[0,1]}}}`} {
		a.refused("POST", "dataset/"+a.dataset+"/build_slice", body)
	}
}

func TestQueriesFindItemsInPages(t *testing.T) {
	a := newAnnotated(t)
	var items, boxes []string
	for i := range 30 {
		animal := []string{"dog", "horse", "cat"}[i%3]
		items = append(items, fmt.Sprintf(`{"reference_id":"%02d","image_url":"http://images.test/x","metadata":{"animal":%q,"frame_number":%d}}`, i, animal, i))
		for k := range i % 8 {
			boxes = append(boxes, fmt.Sprintf(`{"type":"box","label":"horse","geometry":{"x":1,"y":2,"width":%d,"height":4},"reference_id":"%02d","annotation_id":"%d","metadata":{}}`, k+1, i, k))
		}
	}
	a.json("POST", "dataset/"+a.dataset+"/append", `{"items":[`+strings.Join(items, ",")+`],"update":false}`)
	a.json("POST", "dataset/"+a.dataset+"/annotate", `{"annotations":[`+strings.Join(boxes, ",")+`],"update":false}`)
	for query, want := range map[string]string{
		`metadata.animal = "dog"`:       "00 03 06 09 12 15 18 21 24 27",
		`metadata.frame_number % 5 = 0`: "00 05 10 15 20 25",
		`annotations.count > 6`:         "07 15 23",
		`annotations.horse >= 7`:        "07 15 23",
		``:                              "",
		`metadata.animal = "unicorn"`:   "",
		`any annotation (width >= 7)`:   "07 15 23",
		`reference_id starts with "2"`:  "20 21 22 23 24 25 26 27 28 29",
	} {
		var got []string
		for token := any(nil); ; {
			text, _ := json.Marshal(map[string]any{"query": query, "pageToken": token, "pageSize": 4}) // of plain values
			page := a.json("POST", "dataset/"+a.dataset+"/queryItemsPage", string(text))
			if r := refs(page["items"]); r != "" {
				got = append(got, r)
			}
			next, there := page["nextPageToken"]
			if !there {
				t.Fatal("no nextPageToken")
			}
			if token = next; token == nil {
				break
			}
		}
		if query == "" {
			if n := len(strings.Fields(strings.Join(got, " "))); n != 30 {
				t.Errorf("no query finds %d", n)
			}
			continue
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s finds %s, want %s", query, got, want)
		}
	}
	if _, message := a.refused("POST", "dataset/"+a.dataset+"/queryItemsPage", `{"query":"metadata.animal = "}`); !strings.Contains(message, "column") {
		t.Error(message)
	}
	found := 0
	for token := any(nil); ; {
		text, _ := json.Marshal(map[string]any{"query": "x1 = 4", "patch_mode": "ground_truth_only", "model_run_id": nil, "pageToken": token, "pageSize": 4})
		page := a.json("POST", "dataset/"+a.dataset+"/queryObjectsPage", string(text))
		for _, box := range page["items"].([]any) {
			if box.(map[string]any)["annotation_id"] != "2" {
				t.Errorf("box %v", box)
			}
			found++
		}
		if token = page["nextPageToken"]; token == nil {
			break
		}
	}
	if found != 18 { // of 30 items those with more than two, 5 in 8 and 3 of the last 6
		t.Errorf("%d boxes", found)
	}
	for _, body := range []string{`{"query":"","patch_mode":"iou","model_run_id":null}`, `{"query":"","patch_mode":"all"}`, `{"query":"","patch_mode":"iou","model_run_id":"run_nothing"}`} {
		a.refused("POST", "dataset/"+a.dataset+"/queryObjectsPage", body)
	}
	if rows := a.json("POST", "dataset/"+a.dataset+"/exportForTrainingPage", `{"pageToken":null,"pageSize":100,"query":"annotations.count > 6","chip":false,"onlyMostRecentTask":false}`)["data"].([]any); len(rows) != 3 {
		t.Errorf("a query exports %d rows", len(rows))
	}
}

// What an evaluation found is browsed by its kinds.
func TestMatchesOfARunAreFound(t *testing.T) {
	a := newAnnotated(t, "a", "b")
	var run string
	err := a.flow.DB.Write(t.Context(), a.caller, func(tx *store.Tx) error {
		m, err := tx.CreateModel(store.Model{Name: "m", ReferenceID: "m"})
		if err != nil {
			return err
		}
		made, err := tx.CreateRun(store.Run{Model: m.ID, Name: "r"})
		run = made.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	box := func(ref, key string) string {
		return fmt.Sprintf(`{"type":"box","label":"horse","geometry":{"x":1,"y":2,"width":30,"height":40},"reference_id":%q,"annotation_id":%q,"metadata":{},"confidence":0.9}`, ref, key)
	}
	a.json("POST", "dataset/"+a.dataset+"/annotate", `{"annotations":[`+box("a", "g1")+","+box("b", "g2")+`],"update":false}`)
	a.json("POST", "modelRun/"+run+"/predict", `{"annotations":[`+box("a", "p1")+","+box("a", "p2")+`],"update":false}`)
	err = a.flow.DB.Write(t.Context(), a.caller, func(tx *store.Tx) error { return matchAll(tx, a.dataset, run) })
	if err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[string]string{"iou": "true a a", "false_positive": "false a -", "false_negative": "false - b"} {
		page := a.json("POST", "dataset/"+a.dataset+"/queryObjectsPage", `{"query":"","patch_mode":"`+mode+`","model_run_id":"`+run+`","pageToken":null,"pageSize":10}`)
		items := page["items"].([]any)
		if len(items) != 1 {
			t.Fatalf("%s finds %v", mode, items)
		}
		m := items[0].(map[string]any)
		prediction, truth := m["model_prediction_id"] != nil, m["ground_truth_annotation_id"] != nil
		if m["model_run_id"] != run || m["iou"] == nil || m["dataset_item_id"] == nil || m["true_positive"] != strings.HasPrefix(want, "true") ||
			prediction != !strings.Contains(want, " - ") || truth == strings.HasSuffix(want, "-") {
			t.Errorf("%s finds %v", mode, m)
		}
	}
	if found := a.json("POST", "dataset/"+a.dataset+"/queryObjectsPage", `{"query":"","patch_mode":"predictions_only","model_run_id":"`+run+`"}`)["items"].([]any); len(found) != 2 {
		t.Errorf("predictions %v", found)
	}
	if found := a.json("POST", "dataset/"+a.dataset+"/queryItemsPage", `{"query":"any box (match(\"test\") = missed)"}`); refs(found["items"]) != "b" {
		t.Errorf("missed %v", found)
	}
}

// matchAll writes an evaluation: p1 found g1, p2 is wrong, g2 was missed.
func matchAll(tx *store.Tx, dataset, run string) error {
	items, err := tx.ItemsAfter(dataset, -1, 0)
	if err != nil {
		return err
	}
	ids := []string{items[0].ID, items[1].ID}
	truth, err := tx.AnnotationsOf(ids, "")
	if err != nil {
		return err
	}
	predicted, err := tx.AnnotationsOf(ids, run)
	if err != nil {
		return err
	}
	r, err := tx.Run(run)
	if err != nil {
		return err
	}
	e, err := tx.CreateEvaluation(store.Evaluation{Name: "test", Model: r.Model, Run: run, Boxes: strings.Repeat("0", 64)})
	if err != nil {
		return err
	}
	g1, g2, p1, p2 := truth[ids[0]][0].ID, truth[ids[1]][0].ID, predicted[ids[0]][0].ID, predicted[ids[0]][1].ID
	return tx.AddMatches(e.ID, 0, []store.Match{
		{Item: ids[0], Kind: store.MatchFound, Annotation: p1, Revision: 1, Other: g1, OtherRevision: 1, IoU: 1},
		{Item: ids[0], Kind: store.MatchFound, Annotation: g1, Revision: 1, Other: p1, OtherRevision: 1, IoU: 1},
		{Item: ids[0], Kind: store.MatchWrong, Annotation: p2, Revision: 1},
		{Item: ids[1], Kind: store.MatchMissed, Annotation: g2, Revision: 1},
	})
}

func TestNearDuplicatesGo(t *testing.T) {
	a := newAnnotated(t)
	paths := []string{"1.jpg", "again.jpg", "2.jpg", "3.jpg"}
	if status, _ := a.form("?async=1", payloads(false, []string{"1", "again", "2", "3"}, paths), paths, [][]byte{photo(t, 1), photo(t, 1), photo(t, 37), photo(t, 101)}); status != 200 {
		t.Fatal(status)
	}
	looks, err := a.flow.Jobs(t.Context(), a.caller, store.JobFilter{Dataset: a.dataset})
	if err != nil {
		t.Fatal(err)
	}
	for _, look := range looks { // nobody has looked at the images when near-duplicates are sought
		if _, err := a.flow.CancelJob(t.Context(), a.caller, look.ID); err != nil {
			t.Fatal(err)
		}
	}
	dedup := func(body string) map[string]any {
		id := a.json("POST", "dataset/"+a.dataset+"/deduplicate_async", body)["job_id"].(string)
		flowtest.Drain(t, a.flow)
		job := a.json("GET", "job/"+id, "{}")
		if job["status"] != "Completed" {
			t.Fatalf("job %v", job)
		}
		return job["message"].(map[string]any)
	}
	all := dedup(`{"threshold":0}`)
	stats := all["stats"].(map[string]any)
	if len(all["unique_item_ids"].([]any)) != 3 || len(all["unique_reference_ids"].([]any)) != 3 || stats["threshold"] != 0.0 || stats["original_count"] != 4.0 || stats["deduplicated_count"] != 3.0 {
		t.Errorf("found %v", all)
	}
	ids, _ := json.Marshal(all["unique_item_ids"]) // of texts
	if again := dedup(`{"threshold":0,"dataset_item_ids":` + string(ids) + `}`); fmt.Sprint(again["unique_item_ids"]) != fmt.Sprint(all["unique_item_ids"]) {
		t.Errorf("of the survivors stay %v", again)
	}
	if few := dedup(`{"threshold":64,"reference_ids":["2","3"]}`); len(few["unique_item_ids"].([]any)) != 1 {
		t.Errorf("at 64 bits stay %v", few)
	}
	for _, body := range []string{`{"threshold":-1}`, `{"threshold":65}`, `{"threshold":10.5}`, `{}`, `{"threshold":1,"reference_ids":["nowhere"]}`, `{"threshold":1,"dataset_item_ids":["di_nonexistent"]}`} {
		a.refused("POST", "dataset/"+a.dataset+"/deduplicate_async", body)
	}
	groups, err := a.flow.DuplicateGroups(t.Context(), a.caller, a.dataset, 0)
	if err != nil || len(groups) != 1 || groups[0].Keep.Reference != "1" || len(groups[0].Others) != 1 || groups[0].Others[0].Reference != "again" {
		t.Errorf("groups %v, %v", groups, err)
	}
	empty := newAnnotated(t)
	job := empty.json("POST", "dataset/"+empty.dataset+"/deduplicate_async", `{"threshold":3}`)
	flowtest.Drain(t, empty.flow)
	if found := empty.json("GET", "job/"+job["job_id"].(string), "")["message"].(map[string]any); len(found["unique_item_ids"].([]any)) != 0 {
		t.Errorf("of nothing: %v", found)
	}
}

// vectors is a web of one file.
type vectors struct{ text string }

func (v vectors) Fetch(_ context.Context, _ string, w io.Writer, _ int64) (flow.Fetched, error) {
	_, err := io.Copy(w, strings.NewReader(v.text))
	return flow.Fetched{ContentType: "application/json"}, err
}

func TestEmbeddingsAreIndexedAndExported(t *testing.T) {
	a := newAnnotated(t, "a", "b", "c")
	flowtest.Drain(t, a.flow)
	a.flow.Fetcher = vectors{`{"a":[1,2.5],"b":[3,4],"nowhere":[5,6],"c":[7]}`}
	if list := a.json("GET", a.dataset+"/list_autotags", ""); len(list["autotags"].([]any)) != 0 {
		t.Errorf("autotags %v", list)
	}
	id := a.json("POST", "indexing/"+a.dataset, `{"embeddings_urls":["https://files.test/v.json"],"embedding_dimension":2}`)["job_id"].(string)
	flowtest.Drain(t, a.flow)
	if job := a.json("GET", "job/"+id, "{}"); job["status"] != "Completed" {
		t.Fatalf("job %v", job)
	}
	if _, text := a.send("GET", "job/"+id+"/errors", "application/json", nil); !strings.Contains(text, "Item with id nowhere doesn") || !strings.Contains(text, "vector of c") {
		t.Errorf("errors %s", text)
	}
	index := a.json("GET", "dataset/"+a.dataset+"/embeddingIndexes", "{}")["embedding_indexes"].([]any)[0].(map[string]any)
	for key, want := range map[string]any{"status": "Completed", "index_type": "Custom", "index_level": "Image", "embedding_dimension": 2.0} {
		if index[key] != want {
			t.Errorf("%s is %v", key, index[key])
		}
	}
	status := a.json("POST", "dataset/"+a.dataset+"/indexingStatus", `{"image":true}`)
	if _, both := status["object_count"]; status["embedding_count"] != 2.0 || status["image_count"] != 3.0 || both {
		t.Errorf("status %v", status)
	}
	if found := a.array("GET", "dataset/"+a.dataset+"/embeddings", ""); len(found) != 2 || found[0]["reference_id"] != "a" || fmt.Sprint(found[0]["embedding_vector"]) != "[1 2.5]" {
		t.Errorf("embeddings %v", found)
	}
	within := a.slice(`{"name":"s","reference_ids":["b"]}`)
	if found := a.array("GET", "slice/"+within+"/embeddings", ""); len(found) != 1 || found[0]["reference_id"] != "b" {
		t.Errorf("of a slice %v", found)
	}
	export := a.json("POST", "dataset/"+within+"/async_export_embeddings", "{}")["job_id"].(string) // a slice where a dataset stands
	flowtest.Drain(t, a.flow)
	url := a.json("GET", "job/"+export, "{}")["message"].(map[string]any)["result"].([]any)[0].(string)
	path, signed := strings.CutPrefix(url, "http://remuda.test/embeddings")
	signedURLs := image.Server{Flow: a.flow}
	w := httptest.NewRecorder()
	signedURLs.Faces()["/embeddings"].ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if !signed || w.Code != 200 || strings.TrimSpace(w.Body.String()) != `[{"reference_id":"b","embedding_vector":[3,4]}]` {
		t.Errorf("%s gives %d %s", url, w.Code, w.Body)
	}
}

func TestAnIndexOfImagesWithoutAnEngineSaysHowToGetOne(t *testing.T) {
	a := newAnnotated(t, "a")
	flowtest.Drain(t, a.flow)
	id := a.json("POST", "indexing/"+a.dataset+"/internal/image", "{}")["job_id"].(string)
	flowtest.Drain(t, a.flow)
	job := a.json("GET", "job/"+id, "{}")
	if job["status"] != "Errored" || !strings.Contains(job["message"].(string), "remuda engine build") {
		t.Errorf("job %v", job)
	}
	for _, path := range []string{"/setPrimary", "/setContinuous", "/internal/object"} {
		a.refused("POST", "indexing/"+a.dataset+path, "{}")
	}
	if _, message := a.refused("POST", "dataset/"+a.dataset+"/autotag/night/taggedItems", `{"score_threshold":0}`); !strings.Contains(message, "The autotag night was not found in dataset "+a.dataset) {
		t.Error(message)
	}
}

func TestAFrozenSliceIsReadAsItWas(t *testing.T) {
	a := newAnnotated(t)
	paths := []string{"1.jpg", "2.jpg"}
	if status, _ := a.form("?async=1", payloads(false, []string{"1", "2"}, paths), paths, [][]byte{photo(t, 1), photo(t, 2)}); status != 200 {
		t.Fatal(status)
	}
	flowtest.Drain(t, a.flow)
	annotate := func(width int) {
		a.json("POST", "dataset/"+a.dataset+"/annotate", fmt.Sprintf(`{"annotations":[{"type":"box","label":"horse","geometry":{"x":1,"y":2,"width":%d,"height":4},"reference_id":"1","annotation_id":"k","metadata":{}}],"update":true}`, width))
	}
	annotate(3)
	id := a.slice(`{"name":"s","reference_ids":["1","2"]}`)
	before := a.json("GET", "slice/"+id+"/exportForTraining", "")
	hash, err := a.flow.Freeze(t.Context(), a.caller, id)
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(hash) {
		t.Fatal(hash, err)
	}
	annotate(30)
	again, err := a.flow.Freeze(t.Context(), a.caller, id)
	if err != nil || again != hash {
		t.Errorf("frozen again: %s, %v", again, err)
	}
	first, _ := json.Marshal(before["exportedRows"])
	second, _ := json.Marshal(a.json("GET", "slice/"+id+"/exportForTraining", "")["exportedRows"])
	if strip := regexp.MustCompile(`"image_url":"[^"]*"`); !bytes.Equal(strip.ReplaceAll(first, nil), strip.ReplaceAll(second, nil)) {
		t.Errorf("was %s\nis %s", first, second)
	}
	rows, err := a.flow.ReadFrozen(t.Context(), a.caller, id, -1, 0)
	if err != nil || len(rows) != 2 || rows[0].Annotations[0].Box.Width() != 3 || rows[0].Annotations[0].Revision != 1 {
		t.Errorf("read %v, %v", rows, err)
	}
	if status, message := a.refused("POST", "slice/"+id+"/append", `{"reference_ids":["1"]}`); status != 409 || !strings.Contains(message, "copy") {
		t.Errorf("append: %d %s", status, message)
	}
	if status, _ := a.refused("DELETE", "dataset/"+a.dataset+"/refloc/1", "{}"); status != 409 {
		t.Errorf("an item of a frozen slice is deleted: %d", status)
	}
	other, err := a.flow.CreateSlice(t.Context(), a.caller, a.dataset, flow.NewSlice{Name: "copy", Choice: flow.SliceChoice{Combine: &flow.Combination{Op: "union", Slices: []string{id}}}})
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := a.flow.Freeze(t.Context(), a.caller, other.ID); err != nil || changed == hash {
		t.Errorf("a copy after the change has the hash %s, %v", changed, err)
	}
	if _, err := a.flow.ReadFrozen(t.Context(), a.caller, a.slice(`{"name":"t","reference_ids":["1"]}`), -1, 0); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a slice that is not frozen: %v", err)
	}
}
