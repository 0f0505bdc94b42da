package nucleus

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"remuda/internal/flowtest"
)

// list makes a call that must succeed and returns its array.
func (a *annotated) list(method, path, body string) (array []any) {
	a.t.Helper()
	status, text := a.send(method, path, "application/json", strings.NewReader(body))
	if status != http.StatusOK {
		a.t.Fatalf("%s %s: status %d: %s", method, path, status, text)
	}
	if err := json.Unmarshal([]byte(text), &array); err != nil || array == nil {
		a.t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return array
}

// refuse makes a call that must fail with a status and a text in its error.
func (a *annotated) refuse(status int, part, method, path, body string) {
	a.t.Helper()
	got, text := a.send(method, path, "application/json", strings.NewReader(body))
	if got != status || !strings.HasPrefix(text, `{"error":"`) || !strings.Contains(text, part) {
		a.t.Errorf("%s %s: %d %s, want %d with %q", method, path, got, text, status, part)
	}
}

func (a *annotated) model(ref string) string {
	a.t.Helper()
	return a.json("POST", "models/add", fmt.Sprintf(`{"name":"model %[1]s","reference_id":%[1]q,"metadata":{}}`, ref))["model_id"].(string)
}

// itemID returns the id of an item.
func (a *annotated) itemID(ref string) string {
	a.t.Helper()
	return a.json("GET", "dataset/"+a.dataset+"/refloc/"+ref, "{}")["item"].(map[string]any)["dataset_item_id"].(string)
}

// boxOn is a box, or a prediction with a confidence.
func boxOn(ref, key, label string, x, y, w, h float64, more string) string {
	return fmt.Sprintf(`{"label":%q,"type":"box","geometry":{"x":%g,"y":%g,"width":%g,"height":%g},"reference_id":%q,"annotation_id":%q,"metadata":{}%s}`, label, x, y, w, h, ref, key, more)
}

func predictions(update bool, list ...string) string {
	return fmt.Sprintf(`{"update":%t,"annotations":[%s]}`, update, strings.Join(list, ","))
}

func TestModelsAreKept(t *testing.T) {
	a := newAnnotated(t, "h")
	slice := a.json("POST", "dataset/"+a.dataset+"/create_slice", `{"name":"some","reference_ids":["h"]}`)["slice_id"].(string)
	made := a.json("POST", "models/add", `{"name":"first","reference_id":"m/1","metadata":{"a":[1,null]},"tags":["b","a"],"trained_slice_ids":["`+slice+`"]}`)
	id, _ := made["model_id"].(string)
	if !strings.HasPrefix(id, "prj_") || made["error"] != nil {
		t.Fatal(made)
	}
	want := map[string]any{"id": id, "name": "first", "ref_id": "m/1", "metadata": map[string]any{"a": []any{1.0, nil}}, "tags": []any{"a", "b"}, "trained_slice_ids": []any{slice}}
	if got := a.json("GET", "model/"+id, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
	run := a.json("POST", "model/"+id+"/modelRun/create", `{"name":"r","reference_id":null,"metadata":{}}`)["model_run_id"].(string)
	if got := a.json("GET", "model/"+run, ""); !reflect.DeepEqual(got, want) {
		t.Errorf("by its run: %v", got)
	}
	plain := a.model("plain")
	models := a.json("GET", "models/", "")["models"].([]any)
	if len(models) != 2 || models[1].(map[string]any)["id"] != plain || !reflect.DeepEqual(models[0], any(want)) {
		t.Errorf("%v", models)
	}
	a.refuse(http.StatusConflict, "m/1", "POST", "models/add", `{"name":"again","reference_id":"m/1","metadata":{}}`)
	a.refuse(http.StatusBadRequest, "name", "POST", "models/add", `{"name":" ","reference_id":"x","metadata":{}}`)
	a.refuse(http.StatusBadRequest, "name", "POST", "models/add", `{"name":"a\u0000","reference_id":"x","metadata":{}}`)
	a.refuse(http.StatusBadRequest, "reference id", "POST", "models/add", `{"name":"a","reference_id":"\u0000","metadata":{}}`)
	a.refuse(http.StatusBadRequest, "metadata", "POST", "models/add", `{"name":"a","reference_id":"x","metadata":[]}`)
	a.refuse(http.StatusBadRequest, "NUL", "GET", "model/%00", "")
	a.refuse(http.StatusNotFound, "slc_none", "POST", "models/add", `{"name":"x","reference_id":"x","metadata":{},"trained_slice_ids":["slc_none"]}`)
	a.refuse(http.StatusNotFound, "prj_none", "GET", "model/prj_none", "")

	if got := a.json("DELETE", "model/"+id, "{}")["msg"]; got != "Model deletion running in an async job" {
		t.Error(got)
	}
	a.refuse(http.StatusNotFound, id, "GET", "model/"+id, "")
	a.refuse(http.StatusNotFound, run, "GET", "modelRun/"+run+"/info", "")
	flowtest.Drain(t, a.flow)
	if models := a.json("GET", "models/", "")["models"].([]any); len(models) != 1 {
		t.Errorf("%v", models)
	}
	a.json("POST", "models/add", `{"name":"again","reference_id":"m/1","metadata":null}`)
}

func TestModelTagsAndTrainedSlices(t *testing.T) {
	a := newAnnotated(t, "h")
	slice := a.json("POST", "dataset/"+a.dataset+"/create_slice", `{"name":"some","reference_ids":["h"]}`)["slice_id"].(string)
	id := a.model("m")
	a.json("POST", "model/"+id+"/tag", `{"tags":["x","y"]}`)
	a.json("POST", "model/"+id+"/tag", `{"tags":["x"]}`)
	a.json("DELETE", "model/"+id+"/tag", `{"tags":["x","unknown"]}`)
	status, text := a.send("DELETE", "model/"+id+"/tag", "application/json", strings.NewReader(`{"tags":["unknown"]}`))
	if status != http.StatusBadRequest || text != `{"error":"Deleted 0 tags from model. The specified tag(s) were not found."}` {
		t.Errorf("%d %s", status, text)
	}
	a.json("POST", "model/"+id+"/trainedSliceId", `{"trained_slice_ids":["`+slice+`"]}`)
	a.refuse(http.StatusNotFound, "slc_none", "POST", "model/"+id+"/trainedSliceId", `{"trained_slice_ids":["slc_none"]}`)
	got := a.json("GET", "model/"+id, "")
	if !reflect.DeepEqual(got["tags"], []any{"y"}) || !reflect.DeepEqual(got["trained_slice_ids"], []any{slice}) {
		t.Errorf("%v", got)
	}
	if got := a.json("DELETE", "model/"+id+"/trainedSliceId", `{"trained_slice_ids":["`+slice+`"]}`)["trained_slice_ids"]; !reflect.DeepEqual(got, []any{}) {
		t.Errorf("%v", got)
	}
}

func TestPredictionsComeBackAsTheyWereSent(t *testing.T) {
	const ref = "dir/a horse.jpg"
	a := newAnnotated(t, ref, "empty.jpg")
	a.annotate(false, kinds(ref)["box"])
	model := a.model("m")
	sent := kinds(ref)
	delete(sent, "multicategory")
	var list []string
	for kind, text := range sent {
		sent[kind] = strings.TrimSuffix(text, "}") + `,"confidence":0.25,"class_pdf":{"horse":0.25,"pig":0.75}}`
		list = append(list, sent[kind])
	}
	upload := "dataset/" + a.dataset + "/model/" + model + "/uploadPredictions"
	var run string
	for _, want := range []struct {
		update             bool
		processed, ignored float64
	}{{false, 7, 0}, {false, 0, 7}, {true, 7, 0}} {
		got := a.json("POST", upload, predictions(want.update, list...))
		if got["predictions_processed"] != want.processed || got["predictions_ignored"] != want.ignored || got["dataset_id"] != a.dataset || got["errors"] != nil {
			t.Errorf("update %t: %v", want.update, got)
		}
		if run != "" && got["model_run_id"] != run {
			t.Errorf("another run: %v, not %s", got["model_run_id"], run)
		}
		run = got["model_run_id"].(string)
	}
	check := func(read map[string]any) {
		t.Helper()
		if len(read) != 7 {
			t.Errorf("%d types: %v", len(read), read)
		}
		for kind, text := range sent {
			if list, _ := read[kind].([]any); len(list) == 1 {
				same(t, text, list[0])
			} else {
				t.Errorf("%s: %v", kind, read[kind])
			}
		}
	}
	of := "dataset/" + a.dataset + "/model/" + model
	check(a.json("GET", of+"/export", ""))
	check(a.json("GET", "modelRun/"+run+"/ungrouped", ""))
	for _, path := range []string{of + "/iloc/0", of + "/referenceId/dir/a%20horse.jpg", "modelRun/" + run + "/refloc/dir/a%20horse.jpg", "modelRun/" + run + "/iloc/0", "modelRun/" + run + "/loc/" + a.itemID("dir%2Fa%20horse.jpg")} {
		check(a.json("GET", path, "{}")["annotations"].(map[string]any))
	}
	for _, path := range []string{of + "/iloc/1", "modelRun/" + run + "/refloc/empty.jpg"} {
		if got := a.json("GET", path, "{}")["annotations"].(map[string]any); len(got) != 0 {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, path := range []string{of + "/loc/dir/a%20horse.jpg/p", "modelRun/" + run + "/prediction/loc/dir/a%20horse.jpg/p"} {
		same(t, sent["polygon"], a.json("GET", path, ""))
	}
	a.refuse(http.StatusNotFound, "", "GET", of+"/iloc/2", "")
	a.refuse(http.StatusNotFound, "", "GET", of+"/loc/dir/a%20horse.jpg/none", "")
	a.refuse(http.StatusNotFound, "", "GET", "dataset/"+a.dataset+"/model/prj_none/export", "")
	if got := a.json("GET", "dataset/"+a.dataset+"/model/"+a.model("idle")+"/export", ""); len(got) != 0 {
		t.Errorf("a model that predicted nothing: %v", got)
	}
	if got := a.list("GET", "dataset/"+a.dataset+"/model_runs", ""); !reflect.DeepEqual(got, []any{run}) {
		t.Errorf("runs %v", got)
	}
	if got := a.json("GET", "dataset/"+a.dataset+"/refloc/dir%2Fa%20horse.jpg", "{}")["annotations"].(map[string]any); len(got) != 1 {
		t.Errorf("predictions among the ground truth: %v", got)
	}
}

func TestAnswersOfBatchesAddUp(t *testing.T) {
	a := newAnnotated(t, "h")
	model := a.model("m")
	run := a.json("POST", "model/"+model+"/modelRun/create", `{"name":"r","reference_id":"mine","metadata":{"k":1}}`)["model_run_id"].(string)
	other := a.json("POST", "dataset/"+a.dataset+"/modelRun/create", `{"name":"on","reference_id":"m","metadata":null}`)["model_run_id"].(string)
	for path, keys := range map[string]int{
		"dataset/" + a.dataset + "/model/" + model + "/uploadPredictions":  5,
		"dataset/" + a.dataset + "/modelRun/" + run + "/uploadPredictions": 5,
		"modelRun/" + run + "/uploadPredictions":                           4,
		"modelRun/" + other + "/predict":                                   4,
		"model/" + model + "/predictions":                                  3,
	} {
		got := a.json("POST", path, predictions(true, boxOn("h", "k", "horse", 1, 2, 3, 4, `,"confidence":0.5`), boxOn("lost", "k", "horse", 1, 2, 3, 4, "")))
		errors, _ := got["errors"].([]any)
		if len(got) != keys || got["predictions_processed"] != 1.0 || got["predictions_ignored"] != 0.0 || len(errors) != 1 || !strings.Contains(errors[0].(string), "lost") {
			t.Errorf("%s: %v", path, got)
		}
		for key, value := range got {
			switch value.(type) {
			case float64, []any:
			case string:
				if key != "dataset_id" && key != "model_run_id" {
					t.Errorf("%s: the client would add up %s", path, key)
				}
			default:
				t.Errorf("%s: the client can't add up %s, %v", path, key, value)
			}
		}
		if got := a.json("POST", path, predictions(false)); got["errors"] != nil {
			t.Errorf("%s: %v", path, got)
		}
	}
	for _, path := range []string{"dataset/ds_none/model/" + model + "/uploadPredictions", "dataset/" + a.dataset + "/model/prj_none/uploadPredictions", "modelRun/run_none/predict", "model/prj_none/predictions"} {
		a.refuse(http.StatusNotFound, "_none", "POST", path, predictions(false))
	}
	got := a.json("POST", "model/"+model+"/predictions", predictions(false, `{"labels":["a"],"type":"multicategory","reference_id":"h"}`))
	if errors, _ := got["errors"].([]any); len(errors) != 1 || got["predictions_processed"] != 0.0 {
		t.Errorf("a multicategory is predicted: %v", got)
	}
}

func TestPredictionsOfWhichNoneIsKeptMakeNoRun(t *testing.T) {
	a := newAnnotated(t, "h")
	model := a.model("m")
	lost := boxOn("lost", "k", "horse", 1, 2, 3, 4, "")
	of := "dataset/" + a.dataset + "/model/" + model
	runs := func() int {
		return len(a.list("GET", "dataset/"+a.dataset+"/model_runs", ""))
	}
	for _, path := range []string{of + "/uploadPredictions", "model/" + model + "/predictions"} {
		got := a.json("POST", path, predictions(false, lost, `{"labels":["a"],"type":"multicategory","reference_id":"h"}`, `{"type":"box"}`))
		if errors, _ := got["errors"].([]any); len(errors) != 3 || got["predictions_processed"] != 0.0 || got["model_run_id"] != nil {
			t.Errorf("%s: %v", path, got)
		}
	}
	staged := func(request, lines string) {
		t.Helper()
		if err := a.flow.StageUpload(t.Context(), a.caller.World, a.dataset, request, strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		job := a.json("POST", of+"/uploadPredictions?async=1", `{"requestId":"`+request+`","update":false}`)
		flowtest.Drain(t, a.flow)
		if status := a.json("GET", "job/"+job["job_id"].(string), ""); status["status"] != "Completed" {
			t.Errorf("%s: %v", request, status)
		}
	}
	staged("lost", lost+"\n")
	if n := runs(); n != 0 {
		t.Errorf("%d runs of nothing", n)
	}
	staged("good", lost+"\n"+boxOn("h", "k", "horse", 1, 2, 3, 4, "")+"\n")
	if n := runs(); n != 1 {
		t.Errorf("%d runs once a prediction is kept", n)
	}
	if got := a.json("GET", of+"/iloc/0", "")["annotations"].(map[string]any); len(got) != 1 {
		t.Errorf("kept %v", got)
	}
}

func TestPredictionsNameTheirItemInThreeWays(t *testing.T) {
	a := newAnnotated(t, "h1", "h2")
	model := a.model("m")
	second := a.json("POST", "dataset/create", `{"name":"cows"}`)["dataset_id"].(string)
	a.json("POST", "dataset/"+second+"/append", `{"items":[{"reference_id":"h2","image_url":"http://images.test/c","metadata":{}},{"reference_id":"c","image_url":"http://images.test/c","metadata":{}}],"update":false}`)
	byID := strings.Replace(boxOn("", "by id", "horse", 1, 2, 3, 4, `,"item_id":"`+a.itemID("h1")+`"`), `"reference_id":""`, `"reference_id":null`, 1)
	run := a.json("POST", "model/"+model+"/modelRun/create", `{"name":"r","reference_id":null,"metadata":{}}`)["model_run_id"].(string)
	got := a.json("POST", "modelRun/"+run+"/uploadPredictions", predictions(false,
		byID,
		boxOn("h2", "of the dataset", "horse", 1, 2, 3, 4, `,"dataset_id":"`+second+`"`),
		boxOn("c", "by reference", "cow", 1, 2, 3, 4, ""),
		boxOn("h2", "ambiguous", "cow", 1, 2, 3, 4, ""),
		boxOn("h1", "elsewhere", "cow", 1, 2, 3, 4, `,"dataset_id":"ds_none"`),
	))
	if errors, _ := got["errors"].([]any); got["predictions_processed"] != 3.0 || len(errors) != 2 || !strings.Contains(fmt.Sprint(errors), "in 2 datasets") {
		t.Errorf("%v", got)
	}
	if info := a.json("GET", "modelRun/"+run+"/info", ""); !reflect.DeepEqual(info["dataset_ids"], []any{a.dataset, second}) {
		t.Errorf("%v", info)
	}
	read := a.json("GET", "modelRun/"+run+"/refloc/h1", "{}")["annotations"].(map[string]any)["box"].([]any)[0].(map[string]any)
	if read["annotation_id"] != "by id" || read["dataset_item_id"] != a.itemID("h1") || read["dataset_id"] != a.dataset {
		t.Errorf("%v", read)
	}
	if got := a.json("GET", "modelRun/"+run+"/iloc/2", "{}")["annotations"].(map[string]any)["box"].([]any); got[0].(map[string]any)["annotation_id"] != "of the dataset" {
		t.Errorf("the third item of all: %v", got)
	}
	// Within the datasets of a run, a reference id is looked for first.
	on := a.json("POST", "dataset/"+second+"/modelRun/create", `{"name":"on","reference_id":"m"}`)["model_run_id"].(string)
	if got := a.json("POST", "modelRun/"+on+"/predict", predictions(false, boxOn("h2", "k", "cow", 1, 2, 3, 4, ""))); got["predictions_processed"] != 1.0 {
		t.Errorf("%v", got)
	}
}

func TestPredictionsWithoutARun(t *testing.T) {
	a := newAnnotated(t, "h1", "a/b c", "h3")
	model := a.model("m")
	for _, key := range []string{"k1", "k2"} {
		a.json("POST", "model/"+model+"/predictions", predictions(false, boxOn("a/b c", key, "horse", 1, 2, 3, 4, `,"confidence":0.5`)))
	}
	for _, path := range []string{"loc/" + a.itemID("a%2Fb%20c"), "refloc/a/b%20c", "iloc/0"} {
		list := a.json("GET", "model/"+model+"/predictions/"+path, "")["predictions"].([]any)
		if len(list) != 2 || list[0].(map[string]any)["type"] != "box" || list[1].(map[string]any)["annotation_id"] != "k2" {
			t.Errorf("%s: %v", path, list)
		}
	}
	if list := a.json("GET", "model/"+model+"/predictions/loc/"+a.itemID("h1"), "")["predictions"].([]any); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if got := a.list("GET", "dataset/"+a.dataset+"/model_runs", ""); len(got) != 0 {
		t.Errorf("the hidden run shows: %v", got)
	}
	if got := a.list("GET", "model/"+model+"/modelRun?family=true", ""); len(got) != 0 {
		t.Errorf("the hidden run shows: %v", got)
	}
	run := a.json("POST", "dataset/"+a.dataset+"/modelRun/create", `{"name":"on","reference_id":"m"}`)["model_run_id"].(string)
	a.json("POST", "modelRun/"+run+"/predict", predictions(false, boxOn("h1", "k", "pig", 1, 2, 3, 4, ""), boxOn("a/b c", "k1", "pig", 1, 2, 3, 4, "")))
	for _, copied := range []float64{2, 0} {
		got := a.json("POST", "model/"+model+"/predictions/copyFromRun", `{"model_run_id":"`+run+`"}`)
		if got["predictions_copied"] != copied || !reflect.DeepEqual(got["model_run_ids"], []any{run}) || got["model_id"] != model {
			t.Errorf("%v", got)
		}
	}
	if list := a.json("GET", "model/"+model+"/predictions/refloc/a/b%20c", "")["predictions"].([]any); len(list) != 3 {
		t.Errorf("%v", list)
	}
	if got := a.json("GET", "modelRun/"+run+"/ungrouped", "")["box"].([]any); len(got) != 2 {
		t.Errorf("the source has changed: %v", got)
	}
	a.refuse(http.StatusNotFound, run, "POST", "model/"+a.model("other")+"/predictions/copyFromRun", `{"model_run_id":"`+run+`"}`)
}

func TestStagedPredictionsAreReadByAJob(t *testing.T) {
	a := newAnnotated(t, "h")
	model := a.model("m")
	run := a.json("POST", "dataset/"+a.dataset+"/modelRun/create", `{"name":"on","reference_id":"m"}`)["model_run_id"].(string)
	for i, path := range []string{
		"dataset/" + a.dataset + "/model/" + model + "/uploadPredictions?async=1", "modelRun/" + run + "/predict?async=1",
		"dataset/" + a.dataset + "/modelRun/" + run + "/uploadPredictions?async=1",
	} {
		request := fmt.Sprint("r", i)
		lines := boxOn("h", request, "horse", 1, 2, 3, 4, `,"confidence":0.5`) + "\n" + boxOn("lost", "k", "horse", 1, 2, 3, 4, "") + "\n"
		if err := a.flow.StageUpload(t.Context(), a.caller.World, a.dataset, request, strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		job := a.json("POST", path, `{"requestId":"`+request+`","update":false,"trained_slice_id":null}`)
		if job["job_type"] != "uploadPredictions" || job["job_last_known_status"] != "Running" {
			t.Errorf("%s: %v", path, job)
		}
		flowtest.Drain(t, a.flow)
		id := job["job_id"].(string)
		if status := a.json("GET", "job/"+id, ""); status["status"] != "Completed" {
			t.Errorf("%s: %v", path, status)
		}
		if errors := a.list("GET", "job/"+id+"/errors", ""); len(errors) != 1 || !strings.Contains(errors[0].(string), "Item with id lost doesn") {
			t.Errorf("%s: %v", path, errors)
		}
	}
	if got := a.json("GET", "modelRun/"+run+"/ungrouped", "")["box"].([]any); len(got) != 3 {
		t.Errorf("%v", got)
	}
	a.refuse(http.StatusNotFound, "never put", "POST", "modelRun/"+run+"/predict?async=1", `{"requestId":"never put","update":false}`)
}

func TestPredictedMaskFiles(t *testing.T) {
	a := newAnnotated(t, "h")
	model := a.model("m")
	contentType, body := form(t, `{"segmentations":[{"type":"mask","mask_url":"tests/mask.png","annotations":[{"label":"sky","index":1}],"annotation_id":"s","reference_id":"h"}],"update":false}`, pngHead+"…")
	status, text := a.send("POST", "dataset/"+a.dataset+"/model/"+model+"/uploadPredictions", contentType, body)
	if status != http.StatusOK || !strings.Contains(text, `"predictions_processed":1`) {
		t.Fatalf("%d %s", status, text)
	}
	got := a.json("GET", "dataset/"+a.dataset+"/model/"+model+"/iloc/0", "")["annotations"].(map[string]any)["segmentation"].([]any)[0].(map[string]any)
	if got["mask_url"] != "tests/mask.png" {
		t.Errorf("%v", got)
	}
}

func TestMergedRunsHaveTheUnion(t *testing.T) {
	a := newAnnotated(t, "h1", "h2")
	model := a.model("m")
	make := func(list ...string) string {
		run := a.json("POST", "dataset/"+a.dataset+"/modelRun/create", `{"name":"on","reference_id":"m"}`)["model_run_id"].(string)
		a.json("POST", "modelRun/"+run+"/predict", predictions(false, list...))
		return run
	}
	first := make(boxOn("h1", "same", "horse", 1, 2, 3, 4, ""), boxOn("h1", "clash", "horse", 1, 2, 3, 4, ""))
	second := make(boxOn("h1", "same", "horse", 1, 2, 3, 4, ""), boxOn("h1", "clash", "horse", 9, 2, 3, 4, ""), boxOn("h2", "only", "horse", 1, 2, 3, 4, ""))
	merged := a.json("POST", "modelRun/merge", fmt.Sprintf(`{"model_run_ids":[%q,%q],"name":"both","metadata":{"k":1}}`, first, second))
	if !reflect.DeepEqual(merged["dataset_ids"], []any{a.dataset}) {
		t.Errorf("%v", merged)
	}
	info := a.json("GET", "job/"+merged["job_id"].(string)+"/info", "")
	for _, key := range []string{"job_id", "job_last_known_status", "job_type", "job_creation_time"} {
		if text, _ := info[key].(string); text == "" {
			t.Errorf("%s: %v", key, info)
		}
	}
	flowtest.Drain(t, a.flow)
	run := merged["model_run_id"].(string)
	boxes := a.json("GET", "modelRun/"+run+"/ungrouped", "")["box"].([]any)
	keys := map[string]bool{}
	for _, box := range boxes {
		keys[box.(map[string]any)["annotation_id"].(string)] = true
	}
	if len(boxes) != 4 || len(keys) != 4 || !keys["same"] || !keys["clash"] || !keys["only"] {
		t.Errorf("%v", keys)
	}
	if got := a.json("GET", "modelRun/"+run+"/info", ""); got["name"] != "both" || got["model_id"] != model || !reflect.DeepEqual(got["metadata"], map[string]any{"k": 1.0}) {
		t.Errorf("%v", got)
	}
	for body, status := range map[string]int{
		fmt.Sprintf(`{"model_run_ids":[%q]}`, first):                                       http.StatusBadRequest,
		fmt.Sprintf(`{"model_run_ids":[%q,%q]}`, first, first):                             http.StatusBadRequest,
		fmt.Sprintf(`{"model_run_ids":[%q,"run_none"]}`, first):                            http.StatusNotFound,
		fmt.Sprintf(`{"model_run_ids":[%q,%q]}`, first, a.runOf(a.model("another model"))): http.StatusBadRequest,
	} {
		a.refuse(status, "", "POST", "modelRun/merge", body)
	}
	a.json("DELETE", "modelRun/"+first, "{}")
	a.refuse(http.StatusNotFound, first, "GET", "modelRun/"+first+"/ungrouped", "")
	if got := a.json("POST", "dataset/"+a.dataset+"/model/"+model+"/uploadPredictions", predictions(false)); got["model_run_id"] != second {
		t.Errorf("predictions on the dataset go to %v, not to the run that was made for it", got["model_run_id"])
	}
	flowtest.Drain(t, a.flow)
	if got := a.list("GET", "model/"+model+"/modelRun", ""); !reflect.DeepEqual(got, []any{second, run}) {
		t.Errorf("%v", got)
	}
	if boxes := a.json("GET", "modelRun/"+run+"/ungrouped", "")["box"].([]any); len(boxes) != 4 {
		t.Errorf("the union lost some: %v", boxes)
	}
}

// runOf makes a run of a model.
func (a *annotated) runOf(model string) string {
	a.t.Helper()
	return a.json("POST", "model/"+model+"/modelRun/create", `{"name":"r","reference_id":null,"metadata":{}}`)["model_run_id"].(string)
}

func TestSlicesExportTheirPredictions(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "h3")
	a.annotate(false, boxOn("h1", "truth", "horse", 1, 2, 3, 4, ""))
	model := a.model("m")
	slice := a.json("POST", "dataset/"+a.dataset+"/create_slice", `{"name":"some","reference_ids":["h2","h1"]}`)["slice_id"].(string)
	boxes := func(rows []any) (counts []int) {
		for _, row := range rows {
			object := row.(map[string]any)
			for _, name := range trainingTypes() {
				if _, ok := object[name].([]any); !ok {
					t.Errorf("no %s in %v", name, object)
				}
			}
			counts = append(counts, len(object["box"].([]any)))
		}
		return counts
	}
	of := "slice/" + slice + "/" + model
	if got := boxes(a.json("GET", of+"/exportForTraining", "")["exportedRows"].([]any)); !reflect.DeepEqual(got, []int{0, 0}) {
		t.Errorf("before any prediction: %v", got)
	}
	a.json("POST", "model/"+model+"/predictions", predictions(false, boxOn("h2", "free", "horse", 1, 2, 3, 4, "")))
	if got := boxes(a.json("GET", of+"/exportForTraining", "")["exportedRows"].([]any)); !reflect.DeepEqual(got, []int{1, 0}) {
		t.Errorf("without a run: %v", got)
	}
	a.json("POST", "dataset/"+a.dataset+"/model/"+model+"/uploadPredictions", predictions(false,
		boxOn("h1", "p1", "horse", 1, 2, 3, 4, `,"confidence":0.5,"class_pdf":{"horse":0.5}`), boxOn("h1", "p2", "horse", 1, 2, 3, 4, ""), boxOn("h3", "p3", "horse", 1, 2, 3, 4, "")))
	rows := a.json("GET", of+"/exportForTraining", "")["exportedRows"].([]any)
	if got := boxes(rows); !reflect.DeepEqual(got, []int{0, 2}) {
		t.Errorf("%v", got)
	}
	first := rows[1].(map[string]any)["box"].([]any)[0].(map[string]any)
	if first["confidence"] != 0.5 || !reflect.DeepEqual(first["class_pdf"], map[string]any{"horse": 0.5}) {
		t.Errorf("%v", first)
	}
	page := a.json("POST", of+"/exportForTrainingPage", `{"pageToken":null,"pageSize":1}`)
	if got := boxes(page["data"].([]any)); !reflect.DeepEqual(got, []int{0}) || page["nextPageToken"] == nil {
		t.Errorf("%v", page)
	}
	a.refuse(http.StatusNotFound, "slc_none", "GET", "slice/slc_none/"+model+"/exportForTraining", "")
	a.refuse(http.StatusNotFound, "prj_none", "GET", "slice/"+slice+"/prj_none/exportForTraining", "")
}

func TestWeights(t *testing.T) {
	a := newAnnotated(t)
	model := a.model("m")
	at := "model/" + model + "/weights"
	if got := a.json("GET", at, ""); got["present"] != false || got["modelProjectId"] != model {
		t.Errorf("%v", got)
	}
	if got := a.json("GET", at+"/download?json=1", "")["url"]; got != "" {
		t.Errorf("%v", got)
	}
	a.refuse(http.StatusNotFound, "no weights", "GET", at+"/download", "")
	const file, sum = "the weights", "ad0adc2d02d6e27d4bf1ba9a7a1ee8d0d6a5a3bd3c8f0e8a5a5f6e3f7ef3a1cb"
	wrong := a.json("POST", at+"/presign", fmt.Sprintf(`{"declaredSizeBytes":%d,"originalFilename":"best.pth","checksumSha256":%q}`, len(file), sum))
	if url, _ := wrong["uploadUrl"].(string); !strings.HasPrefix(url, "http://remuda.test/weights-upload/") || wrong["requiredHeaders"] == nil {
		t.Fatal(wrong)
	}
	id := wrong["uploadId"].(string)
	a.refuse(http.StatusConflict, "0 of 1", "POST", at+"/finalize", `{"uploadId":"`+id+`"}`)
	if _, err := a.flow.StoreWeights(t.Context(), id, 1, strings.NewReader("too short")); err == nil {
		t.Error("fewer bytes than announced are taken")
	}
	if _, err := a.flow.StoreWeights(t.Context(), id, 1, strings.NewReader("much too long for it")); err == nil {
		t.Error("more bytes than announced are taken")
	}
	if _, err := a.flow.StoreWeights(t.Context(), id, 1, strings.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	a.refuse(http.StatusBadRequest, "SHA-256", "POST", at+"/finalize", `{"uploadId":"`+id+`"}`)

	right := a.json("POST", at+"/presign", fmt.Sprintf(`{"declaredSizeBytes":%d,"originalFilename":"runs/best.pth","contentType":"application/x-torch"}`, len(file)))["uploadId"].(string)
	tag, err := a.flow.StoreWeights(t.Context(), right, 1, strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	a.refuse(http.StatusNotFound, right, "POST", "model/"+a.model("other")+"/weights/finalize", `{"uploadId":"`+right+`"}`)
	a.refuse(http.StatusBadRequest, "part 1", "POST", at+"/finalize", `{"uploadId":"`+right+`","parts":[{"partNumber":1,"eTag":"abc"}]}`)
	done := a.json("POST", at+"/finalize", `{"uploadId":"`+right+`","parts":[{"partNumber":1,"eTag":"\"`+tag+`\""}]}`)
	if done["present"] != true || done["sizeBytes"] != 11.0 || done["originalFilename"] != "best.pth" || done["contentType"] != "application/x-torch" || done["modelProjectId"] != model {
		t.Errorf("%v", done)
	}
	if url, _ := a.json("GET", at+"/download?json=1", "")["url"].(string); !strings.HasPrefix(url, "http://remuda.test/weights/"+model+"/"+tag+"/best.pth?") {
		t.Errorf("%q", url)
	}
	opened, w, err := a.flow.OpenWeights(t.Context(), model, tag)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if text, err := io.ReadAll(opened); err != nil || string(text) != file || w.Bytes != 11 {
		t.Errorf("%q %v", text, err)
	}
	for _, want := range []bool{true, false} {
		if got := a.json("DELETE", at, "{}")["deleted"]; got != want {
			t.Errorf("deleted %v, want %t", got, want)
		}
	}
	for _, body := range []string{`{"declaredSizeBytes":0}`, `{"declaredSizeBytes":10737418241}`, `{"declaredSizeBytes":1,"checksumSha256":"xyz"}`} {
		a.refuse(http.StatusBadRequest, "weights", "POST", at+"/presign", body)
	}
}

func TestLargeWeightsComeInParts(t *testing.T) {
	a := newAnnotated(t)
	model := a.model("m")
	const part = 64 << 20
	sent := a.json("POST", "model/"+model+"/weights/presign", fmt.Sprintf(`{"declaredSizeBytes":%d,"originalFilename":"w"}`, part+3))
	parts, _ := sent["parts"].([]any)
	if len(parts) != 2 || sent["partSizeBytes"] != float64(part) || sent["uploadUrl"] != nil || parts[1].(map[string]any)["partNumber"] != 2.0 {
		t.Fatal(sent)
	}
	id := sent["uploadId"].(string)
	if _, err := a.flow.StoreWeights(t.Context(), id, 3, strings.NewReader("xyz")); err == nil {
		t.Error("a part that was not announced is taken")
	}
	if _, err := a.flow.StoreWeights(t.Context(), id, 2, strings.NewReader("xyz")); err != nil {
		t.Fatal(err)
	}
	a.refuse(http.StatusConflict, "1 of 2", "POST", "model/"+model+"/weights/finalize", `{"uploadId":"`+id+`"}`)
	if _, err := a.flow.StoreWeights(t.Context(), id, 1, io.LimitReader(zeros{}, part)); err != nil {
		t.Fatal(err)
	}
	if done := a.json("POST", "model/"+model+"/weights/finalize", `{"uploadId":"`+id+`"}`); done["sizeBytes"] != float64(part+3) {
		t.Errorf("%v", done)
	}
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
