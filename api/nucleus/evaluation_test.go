package nucleus

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"remuda"
	"remuda/eval"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/slice"
	"remuda/store"
)

// scene is ground truth and predictions on some items, sent to a server and kept aside.
type scene struct {
	*annotated
	model, run string
	truth      remuda.Dataset
	predicted  []remuda.Annotation
}

func newScene(t *testing.T, items int) *scene {
	t.Helper()
	f, caller := flowtest.New(t)
	return newSceneOn(t, f, caller, items)
}

func newSceneOn(t *testing.T, f *flow.Flow, caller remuda.Caller, items int) *scene {
	t.Helper()
	refs := make([]string, items)
	for i := range refs {
		refs[i] = fmt.Sprintf("dir/%03d.jpg", i)
	}
	s := &scene{annotated: newAnnotatedOn(t, f, caller, refs...)}
	s.model = s.annotated.model("m")
	labels := []string{"horse", "pig", "cow"}
	for i, label := range labels {
		s.truth.Categories = append(s.truth.Categories, remuda.Category{ID: int64(i + 1), Name: label})
	}
	random := rand.New(rand.NewPCG(1, 2))
	var truth, predicted []string
	for i, ref := range refs {
		s.truth.Items = append(s.truth.Items, remuda.Item{ID: int64(i + 1)})
		for n := range random.IntN(5) {
			x, y, w, h := random.Float64()*200, random.Float64()*200, 5+random.Float64()*150, 5+random.Float64()*150
			label := random.IntN(3)
			crowd := random.IntN(12) == 0
			box := remuda.Annotation{ID: int64(len(truth) + 1), ItemID: int64(i + 1), CategoryID: int64(label + 1), Box: geom.FromXYWH(x, y, w, h), Crowd: crowd}
			s.truth.Annotations = append(s.truth.Annotations, box)
			truth = append(truth, boxOn(ref, fmt.Sprint(n), labels[label], x, y, w, h, fmt.Sprintf(`,"crowd":%t`, crowd)))
			for range random.IntN(3) {
				dx, dy := random.NormFloat64()*8, random.NormFloat64()*8
				if random.IntN(5) == 0 {
					label = random.IntN(3)
				}
				confidence := random.Float64()
				s.predicted = append(s.predicted, remuda.Annotation{ItemID: int64(i + 1), CategoryID: int64(label + 1), Box: geom.FromXYWH(x+dx, y+dy, w, h), Confidence: confidence})
				predicted = append(predicted, boxOn(ref, fmt.Sprint(len(predicted)), labels[label], x+dx, y+dy, w, h, fmt.Sprintf(`,"confidence":%g`, confidence)))
			}
		}
	}
	s.annotate(false, truth...)
	got := s.json("POST", "dataset/"+s.dataset+"/model/"+s.model+"/uploadPredictions", predictions(false, predicted...))
	if got["predictions_processed"] != float64(len(predicted)) {
		t.Fatal(got)
	}
	s.run = got["model_run_id"].(string)
	return s
}

func (a *annotated) benchmark(body string) string {
	a.t.Helper()
	made := a.json("POST", "benchmarks", body)
	if job, _ := made["job_id"].(string); job == "" {
		a.t.Fatal(made)
	}
	flowtest.Drain(a.t, a.flow)
	return made["benchmark_id"].(string)
}

func (a *annotated) evaluation(path, body string) string {
	a.t.Helper()
	id := a.json("POST", path, body)["evaluation_id"].(string)
	if got := a.json("GET", "evaluationsV2/"+id, "{}"); got["status"] != "pending" {
		a.t.Errorf("before the job: %v", got)
	}
	flowtest.Drain(a.t, a.flow)
	if got := a.json("GET", "evaluationsV2/"+id, "{}"); got["status"] != "succeeded" {
		a.t.Fatalf("%v", got)
	}
	return id
}

func TestEvaluationsHaveTheNumbersOfTheCommandLine(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { numbersOfTheCommandLine(t, newScene(t, 30)) })
	t.Run("postgres", func(t *testing.T) {
		f, caller := flowtest.Open(t, postgrestest.New(t))
		numbersOfTheCommandLine(t, newSceneOn(t, f, caller, 30))
	})
}

func numbersOfTheCommandLine(t *testing.T, s *scene) {
	t.Helper()
	all := 0.0
	want, err := eval.Evaluate(s.truth, s.predicted, eval.Options{Threshold: &all, Bootstrap: -1})
	if err != nil {
		t.Fatal(err)
	}
	bm := s.benchmark(`{"name":"all","dataset_id":"` + s.dataset + `"}`)
	onBenchmark := s.evaluation("benchmarks/"+bm+"/evaluationsV2", `{"model_run_id":"`+s.run+`","name":"first"}`)
	onRun := s.evaluation("modelRun/"+s.run+"/evaluationsV2", `{}`)
	near := func(what string, got any, want float64) {
		t.Helper()
		if v, ok := got.(float64); !ok || math.Abs(v-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	for _, id := range []string{onBenchmark, onRun} {
		c := s.json("POST", "evaluationsV2/"+id+"/charts", `{"iouThreshold":0.5}`)
		m, size, counts := c["mapSummary"].(map[string]any), c["apBySize"].(map[string]any), c["totalCounts"].(map[string]any)
		near("mAP", m["mapAt5095"], want.AP)
		near("AP50", m["mapAt50"], want.AP50)
		near("AP75", m["mapAt75"], want.AP75)
		near("small", size["small"], want.APSmall)
		near("medium", size["medium"], want.APMedium)
		near("large", size["large"], want.APLarge)
		near("TP", counts["tp"], float64(want.TP))
		near("FP", counts["fp"], float64(want.FP))
		near("FN", counts["fn"], float64(want.FN))
		near("predictions", counts["predsWithConfidence"], float64(want.TP+want.FP))
		for i, class := range c["perClassAp"].([]any) {
			name := class.(map[string]any)["classLabel"]
			for _, category := range want.Categories {
				if category.Name == name {
					near("AP50 of "+category.Name, class.(map[string]any)["ap"], category.AP50)
				}
			}
			if i > 2 {
				t.Errorf("class %v", name)
			}
		}
	}
	ranked := s.list("POST", "leaderboard/ranking", `{"metric_type":"F1","benchmark_ids":["`+bm+`"],"confidence_threshold":0.4}`)
	threshold := 0.4
	if want, err = eval.Evaluate(s.truth, s.predicted, eval.Options{Threshold: &threshold, Bootstrap: -1}); err != nil {
		t.Fatal(err)
	}
	row := ranked[0].(map[string]any)
	near("F1 at 0.4", row["score"], want.F1)
	if row["evaluation_id"] != onBenchmark || row["rank"] != 1.0 || row["model_id"] != s.model || row["evaluation_name"] != "first" {
		t.Errorf("%v", row)
	}
}

func TestChartsHaveEveryKeyByGetAndByPost(t *testing.T) {
	s := newScene(t, 8)
	id := s.evaluation("modelRun/"+s.run+"/evaluationsV2", `{"name":null,"allowed_label_matches":[{"ground_truth_label":"horse","model_prediction_label":"pig"}]}`)
	filters := `{"confidenceRange":{"min":0.3},"gtLabels":["horse"]}`
	posted := s.json("POST", "evaluationsV2/"+id+"/charts", `{"iouThreshold":0.6,"filters":`+filters+`}`)
	got := s.json("GET", "evaluationsV2/"+id+"/charts?iouThreshold=0.6&query=&filters="+url.QueryEscape(filters), "{}")
	if !reflect.DeepEqual(posted, got) {
		t.Errorf("by POST %v\nby GET %v", posted, got)
	}
	for key, keys := range map[string][]string{
		"mapSummary": {"mapAt50", "mapAt75", "mapAt5095"}, "perClassAp": nil, "confusionMatrix": nil, "scoreHistogram": nil, "computedIouRanges": nil,
		"totalCounts": {"tp", "fp", "fn", "predsWithConfidence"}, "apBySize": {"small", "medium", "large"}, "prCurve": nil,
		"tideAttribution": {"truePositive", "localization", "classification", "both", "duplicate", "background", "missed"},
	} {
		object, _ := got[key].(map[string]any)
		if _, list := got[key].([]any); keys == nil && !list {
			t.Errorf("%s is %v, no list", key, got[key])
		}
		for _, inner := range keys {
			if _, ok := object[inner]; !ok {
				t.Errorf("%s has no %s: %v", key, inner, object)
			}
		}
	}
	if all := s.json("POST", "evaluationsV2/"+id+"/charts", `{}`); reflect.DeepEqual(all, got) {
		t.Error("the filter changes nothing")
	}
	for body, part := range map[string]string{
		`{"iouThreshold":2}`: "IoU", `{"filters":{"labelEquality":"GE"}}`: "labelEquality", `{"filters":{"itemMetadata":[{"key":"a","op":"LIKE","value":1}]}}`: "LIKE",
		`{"filters":{"confidenceRange":5}}`: "JSON", `{"query":"metadata ="}`: "",
	} {
		s.refuse(http.StatusBadRequest, part, "POST", "evaluationsV2/"+id+"/charts", body)
	}
	s.refuse(http.StatusBadRequest, "iouThreshold", "GET", "evaluationsV2/"+id+"/charts?iouThreshold=x", "")
	s.refuse(http.StatusNotFound, "evalv2_none", "GET", "evaluationsV2/evalv2_none/charts", "")
}

func TestExamplesAreSortedPagedAndFiltered(t *testing.T) {
	s := newScene(t, 20)
	bm := s.benchmark(`{"name":"all","dataset_id":"` + s.dataset + `"}`)
	id := s.evaluation("benchmarks/"+bm+"/evaluationsV2", `{"model_run_id":"`+s.run+`"}`)
	counts := s.json("POST", "evaluationsV2/"+id+"/charts", `{"iouThreshold":0.5}`)["totalCounts"].(map[string]any)
	total := 0.0
	for match, key := range map[string]string{"TP": "tp", "FP": "fp", "FN": "fn"} {
		page := s.json("POST", "evaluationsV2/"+id+"/examples", `{"limit":50,"offset":0,"match_type":"`+match+`"}`)
		if page["total"] != counts[key] || page["total"] == 0.0 {
			t.Errorf("%v examples of %s, %v counted", page["total"], match, counts[key])
		}
		total += counts[key].(float64)
		for _, row := range page["rows"].([]any) {
			object := row.(map[string]any)
			if object["match_type"] != match || object["true_positive"] != (match == "TP") || object["evaluation_id"] != id || object["id"] == nil || object["dataset_item_id"] == nil {
				t.Errorf("%v", object)
			}
			if prediction, truth := object["prediction_row"] != nil, object["annotation_row"] != nil; prediction != (match != "FN") || match != "FP" && !truth {
				t.Errorf("%s with prediction %t and truth %t", match, prediction, truth)
			}
		}
	}
	var seen []float64
	ids := map[any]bool{}
	for offset := 0; ; offset += 7 {
		page := s.json("POST", "evaluationsV2/"+id+"/examples", fmt.Sprintf(`{"limit":7,"offset":%d,"sort_by":"iou","sort_order":"DESC"}`, offset))
		if page["total"] != total {
			t.Fatalf("%v of %v", page["total"], total)
		}
		for _, row := range page["rows"].([]any) {
			seen = append(seen, row.(map[string]any)["iou"].(float64))
			ids[row.(map[string]any)["id"]] = true
		}
		if len(page["rows"].([]any)) < 7 {
			break
		}
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] > seen[i-1] {
			t.Fatalf("not in order: %v", seen)
		}
	}
	if len(ids) != int(total) {
		t.Errorf("%d different rows of %v", len(ids), total)
	}
	count := func(filters string) float64 {
		t.Helper()
		return s.json("POST", "evaluationsV2/"+id+"/examples", `{"filters":`+filters+`}`)["total"].(float64)
	}
	if a, b := count(`{"hasGroundTruth":true}`), count(`{"hasGroundTruth":false}`); a+b != total || a == 0 {
		t.Errorf("%v with and %v without ground truth of %v", a, b, total)
	}
	if a, b := count(`{"tideBackground":true}`), count(`{"tideBackground":false}`); a+b != total {
		t.Errorf("%v on the background and %v not of %v", a, b, total)
	}
	if a, b := count(`{"gtLabels":["horse"]}`), count(`{"gtLabels":["none"]}`); a == 0 || b != 0 {
		t.Errorf("%v horses, %v of no such label", a, b)
	}
	if got := s.json("POST", "evaluationsV2/"+id+"/examples", `{"match_type":"TP","filters":{"iouRange":{"min":0.5,"max":1},"labelEquality":"EQ"}}`)["total"]; got != counts["tp"] {
		t.Errorf("%v, want the true positives", got)
	}
	if a, b := count(`{"labelEquality":"NEQ"}`), count(`{"iouRange":{"max":0.4999}}`); a == 0 || b == 0 || a+b >= total {
		t.Errorf("%v of two labels, %v that overlap less, of %v", a, b, total)
	}
	chosen := s.json("POST", "dataset/"+s.dataset+"/create_slice", `{"name":"few","reference_ids":["dir/000.jpg","dir/001.jpg"]}`)["slice_id"].(string)
	if got := count(`{"sliceIds":["` + chosen + `"]}`); got == 0 || got >= total {
		t.Errorf("%v in the slice of %v", got, total)
	}
	s.json("POST", "dataset/"+s.dataset+"/metadata?async=0", `{"metadata":[{"reference_id":"dir/000.jpg","metadata":{"sun":{"low":true},"n":3}},{"reference_id":"dir/001.jpg","metadata":{"n":5}}],"level":"item"}`)
	both := count(`{"itemMetadata":[{"key":"n","op":"GT","value":2}]}`)
	one := count(`{"itemMetadata":[{"key":"sun.low","op":"EQ","value":true}]}`)
	if other := count(`{"itemMetadata":[{"key":"n","op":"IN","value":[5,6]}]}`); both != one+other || both == 0 {
		t.Errorf("%v, %v and %v by metadata", both, one, other)
	}
	if got := s.json("POST", "evaluationsV2/"+id+"/examples", `{"query":"metadata.n > 2"}`)["total"]; got != both {
		t.Errorf("%v by a query, want %v", got, both)
	}
	if got := count(`{"predictionMetadata":[{"key":"n","op":"EQ","value":1}]}`); got != count(`{"confidenceRange":{"min":1,"max":1}}`) {
		t.Errorf("%v without any prediction", got)
	}
	schema := s.json("GET", "evaluationsV2/"+id+"/filterSchema", "{}")
	if want := []any{
		map[string]any{"key": "n", "value_type": "number", "values": []any{}}, map[string]any{"key": "sun.low", "value_type": "boolean", "values": []any{}},
	}; !reflect.DeepEqual(schema["gt_labels"], []any{"cow", "horse", "pig"}) || !reflect.DeepEqual(schema["metadata_fields"], want) || schema["pred_labels"] == nil {
		t.Errorf("%v", schema)
	}
	for _, body := range []string{`{"sort_by":"id"}`, `{"sort_order":"up"}`, `{"match_type":"TN"}`, `{"limit":-1}`, `{"offset":-1}`} {
		s.refuse(http.StatusBadRequest, "", "POST", "evaluationsV2/"+id+"/examples", body)
	}
}

func TestFiltersFindTheErrorsOfAnEvaluation(t *testing.T) {
	s := newScene(t, 20)
	id := s.evaluation("modelRun/"+s.run+"/evaluationsV2", `{"name":"yesterday"}`)
	counts := s.json("POST", "evaluationsV2/"+id+"/charts", `{}`)["totalCounts"].(map[string]any)
	for text, want := range map[string]any{"fp": counts["fp"], "missed": counts["fn"], "tp": 2 * counts["tp"].(float64)} {
		filter, err := slice.Parse(`match(yesterday) = `+text, slice.Boxes)
		if err != nil {
			t.Fatal(err)
		}
		err = s.flow.DB.Read(t.Context(), s.caller, func(tx *store.Tx) error {
			n, err := tx.CountFiltered(s.dataset, "", filter)
			if float64(n) != want {
				t.Errorf("%s: %d boxes, want %v", text, n, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLifeOfAnEvaluation(t *testing.T) {
	s := newScene(t, 6)
	bm := s.benchmark(`{"name":"all","dataset_id":"` + s.dataset + `"}`)
	path := "benchmarks/" + bm + "/evaluationsV2"
	waiting := s.json("POST", path, `{"model_run_id":"`+s.run+`"}`)["evaluation_id"].(string)
	s.refuse(http.StatusConflict, "pending", "POST", "evaluationsV2/"+waiting+"/charts", `{}`)
	s.refuse(http.StatusConflict, "not failed", "POST", "evaluationsV2/"+waiting+"/retry", `{}`)
	s.json("POST", "evaluationsV2/"+waiting+"/cancel", `{}`)
	if got := s.json("GET", "evaluationsV2/"+waiting, "{}")["status"]; got != "cancelled" {
		t.Errorf("%v", got)
	}
	again := s.json("POST", "evaluationsV2/"+waiting+"/retry", `{}`)["evaluation_id"].(string)
	flowtest.Drain(t, s.flow)
	got := s.json("GET", "evaluationsV2/"+again, "{}")
	if again == waiting || got["status"] != "succeeded" || got["benchmark_id"] != bm || got["model_run_id"] != s.run || got["model_id"] != s.model || got["name"] != "model m on all" {
		t.Errorf("%v", got)
	}
	for _, key := range []string{"model_run_id", "dataset_id", "slice_id", "temporal_workflow_id", "error_message", "created_at", "rollup_groups", "exclusion_rules", "exclusion_stats", "allowed_label_matches_id", "allowed_label_matches", "allowed_label_matches_name"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s in %v", key, got)
		}
	}
	s.refuse(http.StatusConflict, "succeeded", "POST", "evaluationsV2/"+again+"/cancel", `{}`)
	doomed := s.json("POST", path, `{"model_run_id":"`+s.run+`"}`)["evaluation_id"].(string)
	s.json("DELETE", "benchmarks/"+bm, "{}")
	flowtest.Drain(t, s.flow)
	if got := s.json("GET", "evaluationsV2/"+doomed, "{}"); got["status"] != "failed" || !strings.Contains(got["error_message"].(string), bm) {
		t.Errorf("%v", got)
	}
	if got := s.json("POST", "evaluationsV2/"+again+"/charts", `{}`); len(got) != 9 {
		t.Errorf("without its benchmark: %v", got)
	}
	var ids []any
	for _, e := range s.list("GET", "model/"+s.model+"/evaluationsV2", "{}") {
		ids = append(ids, e.(map[string]any)["id"])
	}
	if !reflect.DeepEqual(ids, []any{doomed, again, waiting}) {
		t.Errorf("%v", ids)
	}
	if list := s.list("GET", "modelRun/"+s.run+"/evaluationsV2", "{}"); len(list) != 3 {
		t.Errorf("%v", list)
	}
	s.json("DELETE", "evaluationsV2/"+again, "{}")
	s.refuse(http.StatusNotFound, again, "GET", "evaluationsV2/"+again, "{}")
	s.json("DELETE", "model/"+s.model, "{}")
	s.refuse(http.StatusNotFound, doomed, "GET", "evaluationsV2/"+doomed, "{}")
	flowtest.Drain(t, s.flow)
}

func TestEvaluationsGoByTheirRules(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "h3")
	a.annotate(false, boxOn("h1", "a", "pony", 0, 0, 50, 50, ""), boxOn("h2", "b", "horse", 0, 0, 50, 50, ""), boxOn("h2", "tiny", "horse", 100, 100, 3, 3, ""), boxOn("h3", "c", "sheep", 0, 0, 50, 50, ""))
	model := a.model("m")
	a.json("POST", "model/"+model+"/predictions", predictions(false, boxOn("h1", "a", "horse", 0, 0, 50, 50, ""), boxOn("h2", "b", "horse", 0, 0, 50, 50, "")))
	a.json("POST", "dataset/"+a.dataset+"/metadata?async=0", `{"metadata":[{"reference_id":"h3","metadata":{"dark":true}}],"level":"item"}`)
	bm := a.benchmark(`{"name":"all","dataset_id":"` + a.dataset + `"}`)
	counts := func(benchmark, body string) [3]float64 {
		t.Helper()
		id := a.evaluation("benchmarks/"+benchmark+"/evaluationsV2", `{"model_id":"`+model+`"`+body+`}`)
		c := a.json("POST", "evaluationsV2/"+id+"/charts", `{}`)["totalCounts"].(map[string]any)
		return [3]float64{c["tp"].(float64), c["fp"].(float64), c["fn"].(float64)}
	}
	for body, want := range map[string][3]float64{
		``: {1, 1, 3},
		`,"rollupGroups":[{"class_name":"equine","labels":["horse","pony"]}]`:                                               {2, 0, 2},
		`,"exclusionRules":[{"type":"metadata","scope":"item","key":"dark","op":"EQ","value":true}]`:                        {1, 1, 2},
		`,"exclusionRules":[{"type":"labels","scope":"item","target":"groundTruth","labels":["pony"]}]`:                     {1, 0, 2},
		`,"exclusionRules":[{"type":"boxArea","scope":"annotation","target":"groundTruth","min":100}]`:                      {1, 1, 2},
		`,"exclusionRules":[{"type":"boxArea","scope":"annotation","target":"prediction","max":100}]`:                       {0, 0, 4},
		`,"exclusionRules":[{"type":"labels","scope":"annotation","target":"prediction","labels":["horse"]}],"name":"none"`: {0, 0, 4},
	} {
		if got := counts(bm, body); got != want {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
	agnostic := a.benchmark(`{"name":"any label","dataset_ids":["` + a.dataset + `"],"class_agnostic":true}`)
	if got := counts(agnostic, ""); got != [3]float64{2, 0, 2} {
		t.Errorf("class-agnostic: %v", got)
	}
	for _, rule := range []string{
		`{}`, `{"type":"metadata","scope":"annotation","key":"a","op":"EQ","value":1}`, `{"type":"metadata","scope":"item","key":"a","op":"??","value":1}`,
		`{"type":"metadata","scope":"item","op":"EQ","value":1}`, `{"type":"labels","scope":"item","labels":["a"]}`, `{"type":"labels","scope":"item","target":"groundTruth"}`,
		`{"type":"boxArea","scope":"item","target":"groundTruth"}`, `{"type":"size","scope":"item","target":"groundTruth"}`, `5`,
		`{"type":"metadata","scope":"item","key":"a","op":"IN","value":1}`, `{"type":"metadata","scope":"item","key":"a","op":"GT","value":true}`,
	} {
		a.refuse(http.StatusBadRequest, "", "POST", "benchmarks/"+bm+"/evaluationsV2", `{"model_id":"`+model+`","exclusionRules":[`+rule+`]}`)
	}
	run := a.runOf(model)
	for body, status := range map[string]int{
		`{}`: http.StatusBadRequest, `{"model_id":"` + model + `","model_run_id":"` + run + `"}`: http.StatusBadRequest, `{"model_id":"prj_none"}`: http.StatusNotFound,
		`{"model_id":"` + model + `","rollupGroups":[{"class_name":"a","labels":["x"]},{"class_name":"b","labels":["x"]}]}`: http.StatusBadRequest,
		`{"model_id":"` + model + `","allowed_label_matches_id":"alm_x"}`:                                                   http.StatusNotFound,
	} {
		a.refuse(status, "", "POST", "benchmarks/"+bm+"/evaluationsV2", body)
	}
	a.refuse(http.StatusBadRequest, "no predictions", "POST", "modelRun/"+run+"/evaluationsV2", `{}`)
}

func TestEvaluationMetricsAreComputed(t *testing.T) {
	s := newScene(t, 6)
	path := "dataset/" + s.dataset + "/model/" + s.model + "/calculateEvaluationMetrics"
	for body, agnostic := range map[string]bool{
		`{}`: true, `{"class_agnostic":false}`: false, `{"allowed_label_matches":[{"ground_truth_label":"pig","model_prediction_label":"cow"}]}`: false,
	} {
		id := s.json("POST", path, body)["evaluation_id"].(string)
		flowtest.Drain(t, s.flow)
		if got := s.json("GET", "evaluationsV2/"+id, "{}"); got["status"] != "succeeded" || got["class_agnostic"] != agnostic || got["dataset_id"] != s.dataset || got["model_run_id"] != s.run {
			t.Errorf("%s: %v", body, got)
		}
	}
	done := s.json("POST", "modelRun/"+s.run+"/commit", `{"class_agnostic":true}`)
	if done["model_run_id"] != s.run || done["evaluation_id"] == nil {
		t.Errorf("%v", done)
	}
	if info := s.json("GET", "modelRun/"+s.run+"/info", ""); info["status"] != "completed" || info["model_id"] != s.model || info["name"] != "model m" {
		t.Errorf("%v", info)
	}
	s.refuse(http.StatusNotFound, "no predictions", "POST", "dataset/"+s.dataset+"/model/"+s.annotated.model("idle")+"/calculateEvaluationMetrics", `{}`)
}

func TestBenchmarksKeepTheGroundTruthTheyWereMadeWith(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "empty")
	a.annotate(false, boxOn("h1", "a", "horse", 0, 0, 50, 50, ""), boxOn("h2", "b", "horse", 0, 0, 50, 50, ""))
	second := a.json("POST", "dataset/create", `{"name":"cows"}`)["dataset_id"].(string)
	a.json("POST", "dataset/"+second+"/append", `{"items":[{"reference_id":"c","image_url":"http://images.test/c","metadata":{}}],"update":false}`)
	a.json("POST", "dataset/"+second+"/annotate", `{"update":false,"annotations":[`+boxOn("c", "c", "cow", 0, 0, 50, 50, "")+`]}`)
	chosen := a.json("POST", "dataset/"+a.dataset+"/create_slice", `{"name":"few","reference_ids":["h2","empty"]}`)["slice_id"].(string)
	h1 := a.itemID("h1")
	body := fmt.Sprintf(`{"name":"mixed","item_ids":[%q],"items":[{"dataset_id":%q,"ref_id":"c"},{"dataset_id":%q,"ref_id":"h1"}],"slice_id":%q,"description":"d","metadata":{"k":1},"version_label":"v"}`, h1, second, a.dataset, chosen)
	made := a.json("POST", "benchmarks", body)
	bm := made["benchmark_id"].(string)
	if got := a.json("GET", "benchmarks/"+bm, "{}"); got["status"] != "building" {
		t.Errorf("%v", got)
	}
	model := a.model("m")
	a.refuse(http.StatusConflict, "building", "POST", "benchmarks/"+bm+"/evaluationsV2", `{"model_id":"`+model+`"}`)
	flowtest.Drain(t, a.flow)
	if got := a.json("GET", "job/"+made["job_id"].(string), ""); got["status"] != "Completed" {
		t.Errorf("%v", got)
	}
	got := a.json("GET", "benchmarks/"+bm, "{}")
	for key, want := range map[string]any{
		"benchmark_id": bm, "name": "mixed", "description": "d", "metadata": map[string]any{"k": 1.0}, "status": "ready", "item_count": 3.0, "dataset_count": 2.0,
		"skipped_items_without_ground_truth": 1.0, "version_major": 1.0, "version_minor": 0.0, "version_label": "v", "parent_benchmark_id": nil, "class_agnostic": false,
	} {
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
	items := a.json("GET", "benchmarks/"+bm+"/items", "{}")
	if list := items["item_ids"].([]any); items["total"] != 3.0 || len(list) != 3 || list[0] != h1 {
		t.Errorf("%v", items)
	}
	if page := a.json("GET", "benchmarks/"+bm+"/items?limit=1&offset=2", "{}")["item_ids"].([]any); !reflect.DeepEqual(page, []any{a.itemID("h2")}) {
		t.Errorf("%v", page)
	}
	a.refuse(http.StatusConflict, "mixed", "DELETE", "dataset/"+a.dataset+"/refloc/h1", "{}")

	a.annotate(true, boxOn("h1", "a", "horse", 500, 500, 50, 50, ""))
	a.json("POST", "model/"+model+"/predictions", predictions(false, boxOn("h1", "p", "horse", 0, 0, 50, 50, "")))
	id := a.evaluation("benchmarks/"+bm+"/evaluationsV2", `{"model_id":"`+model+`"}`)
	if c := a.json("POST", "evaluationsV2/"+id+"/charts", `{}`)["totalCounts"].(map[string]any); c["tp"] != 1.0 || c["fn"] != 2.0 {
		t.Errorf("not the ground truth that it was made with: %v", c)
	}
	next := a.benchmark(fmt.Sprintf(`{"name":"next","parent_benchmark_id":%q,"bump_type":"major","removed_item_ids":[%q]}`, bm, h1))
	if got := a.json("GET", "benchmarks/"+next, "{}"); got["item_count"] != 2.0 || got["parent_benchmark_id"] != bm || got["version_major"] != 2.0 {
		t.Errorf("%v", got)
	}
	changed := a.json("PATCH", "benchmarks/"+bm, `{"name":"renamed","description":null}`)
	if changed["name"] != "renamed" || changed["description"] != nil || !reflect.DeepEqual(changed["metadata"], map[string]any{"k": 1.0}) || changed["status"] != "ready" {
		t.Errorf("%v", changed)
	}
	a.refuse(http.StatusConflict, "draft", "PATCH", "benchmarks/"+bm, `{"allowed_label_matches_id":null}`)
	if list := a.list("GET", "benchmarks", "{}"); len(list) != 2 || list[0].(map[string]any)["benchmark_id"] != next {
		t.Errorf("%v", list)
	}
	a.json("DELETE", "benchmarks/"+bm, "{}")
	a.json("DELETE", "benchmarks/"+next, "{}")
	a.json("DELETE", "dataset/"+a.dataset+"/refloc/h1", "{}")
}

func TestBenchmarksThatCannotBe(t *testing.T) {
	a := newAnnotated(t, "h")
	for body, status := range map[string]int{
		`{"name":"x"}`: http.StatusBadRequest, `{"name":"","dataset_id":"` + a.dataset + `"}`: http.StatusBadRequest,
		`{"name":"x","dataset_id":"ds_none"}`: http.StatusNotFound, `{"name":"x","slice_ids":["slc_none"]}`: http.StatusNotFound,
		`{"name":"x","item_ids":["di_none"]}`: http.StatusNotFound, `{"name":"x","items":[{"dataset_id":"` + a.dataset + `","ref_id":"lost"}]}`: http.StatusNotFound,
		`{"name":"x","parent_benchmark_id":"bm_none"}`: http.StatusNotFound, `{"name":"x","draft":true}`: http.StatusBadRequest,
		`{"name":"x","dataset_id":"` + a.dataset + `","bump_type":"huge"}`:                                                       http.StatusBadRequest,
		`{"name":"x","dataset_id":"` + a.dataset + `","class_agnostic":true,"rollupGroups":[{"class_name":"a","labels":["b"]}]}`: http.StatusBadRequest,
		`{"name":"x","dataset_id":"` + a.dataset + `","allowed_label_matches_id":"alm_x"}`:                                       http.StatusNotFound,
	} {
		a.refuse(status, "", "POST", "benchmarks", body)
	}
	bm := a.benchmark(`{"name":"no truth","dataset_id":"` + a.dataset + `"}`)
	if got := a.json("GET", "benchmarks/"+bm, "{}"); got["status"] != "failed" || !strings.Contains(got["error_message"].(string), "ground truth") {
		t.Errorf("%v", got)
	}
	for _, path := range []string{"POST benchmarks/" + bm + "/items", "DELETE benchmarks/" + bm + "/items", "POST benchmarks/" + bm + "/finalize", "GET evaluationV2Presets", "POST leaderboard/f1Curve"} {
		method, path, _ := strings.Cut(path, " ")
		a.refuse(http.StatusBadRequest, "does not have", method, path, "{}")
	}
}

func TestLeaderboards(t *testing.T) {
	a := newAnnotated(t, "h1", "h2")
	a.annotate(false, boxOn("h1", "a", "horse", 0, 0, 50, 50, ""), boxOn("h2", "b", "horse", 0, 0, 50, 50, ""))
	bm := a.benchmark(`{"name":"all","dataset_id":"` + a.dataset + `"}`)
	good, poor := a.model("good"), a.model("poor")
	a.json("POST", "model/"+poor+"/predictions", predictions(false, boxOn("h1", "p", "horse", 0, 0, 50, 50, "")))
	a.json("POST", "model/"+good+"/predictions", predictions(false, boxOn("h1", "p", "horse", 0, 0, 50, 50, ""), boxOn("h2", "p", "horse", 0, 0, 50, 50, "")))
	for _, model := range []string{poor, good, poor} {
		a.evaluation("benchmarks/"+bm+"/evaluationsV2", `{"model_id":"`+model+`"}`)
	}
	models := func(more string) (ids []any) {
		t.Helper()
		for i, row := range a.list("POST", "leaderboard/ranking", `{"metric_type":"RECALL","benchmark_ids":["`+bm+`"]`+more+`}`) {
			object := row.(map[string]any)
			if object["rank"] != float64(i+1) || object["score"] == nil || object["evaluation_id"] == nil || object["model_run_id"] != nil {
				t.Errorf("%v", object)
			}
			ids = append(ids, object["model_id"])
		}
		return ids
	}
	for more, want := range map[string][]any{
		``: {good, poor}, `,"collapse":"allEvaluations"`: {good, poor, poor}, `,"model_ids":["` + poor + `"]`: {poor}, `,"scope":"mine"`: {good, poor},
	} {
		if got := models(more); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", more, got, want)
		}
	}
	for body, status := range map[string]int{
		`{"metric_type":"MAP","benchmark_ids":["` + bm + `"]}`: http.StatusBadRequest, `{"metric_type":"F1","benchmark_ids":[]}`: http.StatusBadRequest,
		`{"metric_type":"F1","benchmark_ids":["bm_none"]}`: http.StatusNotFound, `{"metric_type":"F1","benchmark_ids":["` + bm + `"],"scope":"us"}`: http.StatusBadRequest,
		`{"metric_type":"F1","benchmark_ids":["` + bm + `"],"collapse":"some"}`: http.StatusBadRequest,
	} {
		a.refuse(status, "", "POST", "leaderboard/ranking", body)
	}
}

func TestValidateMeasuresModels(t *testing.T) {
	a := newAnnotated(t, "h1", "h2", "elsewhere")
	a.annotate(false, boxOn("h1", "a", "horse", 0, 0, 50, 50, ""), boxOn("h2", "b", "horse", 0, 0, 50, 50, ""))
	chosen := a.json("POST", "dataset/"+a.dataset+"/create_slice", `{"name":"few","reference_ids":["h1","h2"]}`)["slice_id"].(string)
	model := a.model("m")
	a.json("POST", "dataset/"+a.dataset+"/model/"+model+"/uploadPredictions", predictions(false, boxOn("h1", "p", "horse", 0, 0, 50, 50, ""), boxOn("elsewhere", "p", "horse", 0, 0, 50, 50, "")))
	names := map[string]string{}
	for _, f := range a.json("GET", "validate/eval_fn", "{}")["eval_functions"].([]any) {
		object := f.(map[string]any)
		if object["is_public"] != true || object["user_id"] == nil {
			t.Errorf("%v", object)
		}
		names[object["name"].(string)] = object["id"].(string)
	}
	for _, name := range []string{"bbox_iou", "bbox_map", "bbox_precision", "bbox_recall"} {
		if !strings.HasPrefix(names[name], "ef_") {
			t.Errorf("%s has the id %q", name, names[name])
		}
	}
	settings := `{"enforce_label_match":true,"iou_threshold":0.6,"confidence_threshold":0,"annotation_filters":null,"prediction_filters":null}`
	test := a.json("POST", "validate/scenario_test", fmt.Sprintf(`{"name":"night","slice_id":%q,"evaluation_functions":[{"id":%q,"eval_func_arguments":%s}]}`, chosen, names["bbox_recall"], settings))["scenario_test_id"].(string)
	if info := a.json("GET", "validate/scenario_test/"+test+"/info", "{}"); info["name"] != "night" || info["slice_id"] != chosen {
		t.Errorf("%v", info)
	}
	if list := a.list("GET", "validate/scenario_test/details", "{}"); len(list) != 1 || list[0].(map[string]any)["id"] != test || list[0].(map[string]any)["baseline_model_id"] != nil {
		t.Errorf("%v", list)
	}
	added := a.json("POST", "validate/scenario_test_eval_function", `{"scenario_test_name":"night","eval_function_id":"`+names["bbox_precision"]+`"}`)
	if want := map[string]any{"scenario_test_id": test, "eval_function_id": names["bbox_precision"], "threshold": nil, "threshold_comparison": "greater_than_equal_to"}; !reflect.DeepEqual(added, want) {
		t.Errorf("%v", added)
	}
	if got := a.json("POST", "validate/metric/set_threshold/"+test+"/"+names["bbox_recall"], `{"threshold":0.75}`)["threshold"]; got != 0.75 {
		t.Errorf("%v", got)
	}
	var arguments any
	if err := json.Unmarshal([]byte(settings), &arguments); err != nil {
		t.Fatal(err)
	}
	want := []any{
		map[string]any{"scenario_test_id": test, "eval_function_id": names["bbox_recall"], "threshold": 0.75, "threshold_comparison": "greater_than_equal_to", "eval_func_arguments": arguments},
		map[string]any{"scenario_test_id": test, "eval_function_id": names["bbox_precision"], "threshold": nil, "threshold_comparison": "greater_than_equal_to", "eval_func_arguments": map[string]any{}},
	}
	if got := a.json("GET", "validate/scenario_test/"+test+"/metrics", "{}")["scenario_test_metrics"]; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("%v", got)
	}
	if items := a.json("GET", "validate/scenario_test/"+test+"/items", "{}")["dataset_items"].([]any); len(items) != 2 {
		t.Errorf("%v", items)
	}
	job := a.json("POST", "validate/"+model+"/evaluate", `{"test_names":["night"]}`)
	if job["job_type"] != "testEvaluation" {
		t.Errorf("%v", job)
	}
	path := "validate/scenario_test/" + test + "/eval_history/details"
	if before := a.list("GET", path, "{}"); len(before) != 2 || before[0].(map[string]any)["status"] != "pending" {
		t.Errorf("%v", before)
	}
	flowtest.Drain(t, a.flow)
	for i, want := range []struct {
		value  float64
		passed bool
		items  []any
	}{{0.5, false, []any{1.0, 0.0}}, {1, true, []any{1.0, nil}}} {
		row := a.list("GET", path, "{}")[i].(map[string]any)
		if row["status"] != "completed" || row["result"] != want.value || row["pass"] != want.passed || row["model_id"] != model || row["scenario_test_id"] != test {
			t.Errorf("%v", row)
		}
		var values []any
		for _, item := range a.json("GET", "validate/eval/"+row["id"].(string)+"/info", "{}")["scenario_test_item_evaluations"].([]any) {
			object := item.(map[string]any)
			if object["evaluation_id"] != row["id"] || object["dataset_item_id"] == nil || object["eval_function_id"] != row["eval_function_id"] {
				t.Errorf("%v", object)
			}
			values = append(values, object["result"])
		}
		if !reflect.DeepEqual(values, want.items) {
			t.Errorf("%v on the items, want %v", values, want.items)
		}
	}
	for path, body := range map[string]string{
		"validate/scenario_test":                                          `{"name":"x","slice_id":"` + chosen + `","evaluation_functions":[{"id":"ef_none","eval_func_arguments":{}}]}`,
		"validate/scenario_test_eval_function":                            `{"scenario_test_name":"none","eval_function_id":"` + names["bbox_map"] + `"}`,
		"validate/" + model + "/evaluate":                                 `{"test_names":["none"]}`,
		"validate/prj_none/evaluate":                                      `{"test_names":["night"]}`,
		"validate/metric/set_threshold/" + test + "/" + names["bbox_map"]: `{"threshold":1}`,
	} {
		a.refuse(http.StatusNotFound, "", "POST", path, body)
	}
	a.refuse(http.StatusBadRequest, "filters", "POST", "validate/scenario_test", `{"name":"x","slice_id":"`+chosen+`","evaluation_functions":[{"id":"`+names["bbox_iou"]+`","eval_func_arguments":{"annotation_filters":[[{"key":"a"}]]}}]}`)
	a.refuse(http.StatusBadRequest, "does not have", "POST", "validate/scenario_test/"+test+"/set_baseline_model/"+model, `{}`)
	if got := a.json("DELETE", "validate/scenario_test/"+test, "{}")["success"]; got != true {
		t.Errorf("%v", got)
	}
	a.refuse(http.StatusNotFound, test, "GET", "validate/scenario_test/"+test+"/info", "{}")
}
