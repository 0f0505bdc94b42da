package nucleus

import (
	"strings"

	"remuda"
)

// unserved are the routes of the API that this server does not have, by what
// they are about: who calls one reads that, not that it does not exist.
func unserved() map[string][]string {
	return map[string][]string{
		"scenes, video and lidar": {
			"POST {ds}/upload_scenes", "POST {ds}/upload_video_scenes", "GET dataset/{ds}/scenes_list", "POST dataset/{ds}/queryScenesPage",
			"GET dataset/{ds}/scene/{ref...}", "DELETE dataset/{ds}/scene/{ref...}", "POST dataset/{ds}/exportForTrainingByScene",
			"GET dataset/{ds}/tracks", "POST dataset/{ds}/tracks", "DELETE dataset/{ds}/tracks", "GET task/{task}/frame/{n}",
			"POST dataset/{ds}/model/{prj}/pointcloud/{ref}/uploadLSSPrediction",
		},
		"tasks of another labeling service": {
			"POST dataset/create_from_project", "POST dataset/{ds}/ingest_tasks", "GET dataset/{ds}/exportScaleTaskInfo",
			"GET slice/{slc}/exportScaleTaskInfo", "POST slice/{slc}/{project}/send_to_labeling",
		},
		"autotags": {
			"POST dataset/{ds}/autotag/{name}/taggedItems", "GET dataset/{ds}/autotag/{name}/trainingItems", "POST autotag/{tag}", "DELETE autotag/{tag}",
			"GET autotag/{tag}/refinementMetrics",
		},
		"continuous and object indexes": {
			"DELETE indexing/{ds}", "POST indexing/{ds}/setPrimary", "POST indexing/{ds}/setContinuous", "POST indexing/{ds}/internal/object",
		},
		"selection by a model's entropy": {"POST autocurate/{ds}/single_model_entropy/{name...}"},
		"hosted inference":               {"POST model/run/{prj}/"},
		"presets of evaluations": {
			"GET evaluationV2Presets", "POST evaluationV2Presets", "PATCH evaluationV2Presets/{id}", "DELETE evaluationV2Presets/{id}",
		},
		"F1 curves of a leaderboard": {"POST leaderboard/f1Curve"},
		"drafts of benchmarks": {
			"POST benchmarks/{bm}/items", "DELETE benchmarks/{bm}/items", "POST benchmarks/{bm}/finalize",
		},
		"external evaluation functions": {
			"POST validate/eval_fn", "POST validate/scenario_test/upload_results", "POST validate/scenario_test/{id}/set_baseline_model/{prj}",
			"POST validate/{prj}/metrics", "GET validate/scenario_test/{id}",
		},
	}
}

// notServed says that a call is about something that this server does not
// have; nil if it is not.
func notServed(method string, path []string) error {
	for subject, names := range unserved() {
		for _, name := range names {
			theirs, pattern, _ := strings.Cut(name, " ")
			t := route{method: theirs, pattern: strings.Split(pattern, "/")}
			if method == theirs && t.fits(path) {
				return remuda.Errorf(remuda.Invalid, "this server does not have %s", subject).WithHint("nothing was changed")
			}
		}
	}
	return nil
}
