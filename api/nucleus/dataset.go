package nucleus

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func datasetRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/create":               createDataset,
		"GET dataset/details":               listDatasets,
		"GET dataset/{ds}/name":             datasetName,
		"GET dataset/{ds}/is_scene":         datasetIsScene,
		"GET dataset/":                      listDatasetIDs,
		"DELETE dataset/{ds}":               deleteDataset,
		"GET dataset/{ds}/use_privacy_mode": datasetPrivacy,
		"GET dataset/{ds}/size":             datasetSize,
		"GET dataset/{ds}/info":             datasetInfo,
		"GET dataset/{ds}/model_runs":       datasetRuns,
		"POST dataset/{ds}/metadata":        mergeMetadata,
	}
}

func createDataset(s *Server, r *request) (any, error) {
	var body struct {
		Name             string          `json:"name"`
		IsScene          bool            `json:"is_scene"`
		PrivacyMode      bool            `json:"use_privacy_mode"`
		AnnotationSchema json.RawMessage `json:"annotation_metadata_schema"`
		ItemSchema       json.RawMessage `json:"item_metadata_schema"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	made, err := s.Flow.CreateDataset(r.Context(), r.caller, flow.NewDataset{
		Name: body.Name, IsScene: body.IsScene, PrivacyMode: body.PrivacyMode, ItemSchema: body.ItemSchema, AnnotationSchema: body.AnnotationSchema,
	})
	return map[string]any{"dataset_id": made.ID}, err
}

func listDatasets(s *Server, r *request) (any, error) {
	found, err := s.Flow.Datasets(r.Context(), r.caller)
	return list(found, func(d store.Dataset) map[string]any {
		return map[string]any{"id": d.ID, "name": d.Name, "is_public": false}
	}), err
}

func datasetName(s *Server, r *request) (any, error) {
	d, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"name": d.Name}, err
}

func datasetIsScene(s *Server, r *request) (any, error) {
	d, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"is_scene": d.IsScene}, err
}

func listDatasetIDs(s *Server, r *request) (any, error) {
	found, err := s.Flow.Datasets(r.Context(), r.caller)
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	return map[string]any{"dataset_ids": ids}, err
}

func deleteDataset(s *Server, r *request) (any, error) {
	_, err := s.Flow.DeleteDataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"message": "Beginning dataset deletion..."}, err
}

func datasetPrivacy(s *Server, r *request) (any, error) {
	d, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"use_privacy_mode": d.PrivacyMode}, err
}

func datasetSize(s *Server, r *request) (any, error) {
	n, err := s.Flow.CountItems(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"count": n}, err
}

func datasetInfo(s *Server, r *request) (any, error) {
	o, err := s.Flow.DatasetOverview(r.Context(), r.caller, r.param("ds"))
	return map[string]any{
		"dataset_id": o.Dataset.ID, "name": o.Dataset.Name, "length": o.Items, "model_run_ids": o.Runs, "slice_ids": o.Slices, "tags": o.Tags,
		"annotation_metadata_schema": o.Dataset.AnnotationSchema, "item_metadata_schema": o.Dataset.ItemSchema,
	}, err
}

func datasetRuns(s *Server, r *request) (any, error) {
	o, err := s.Flow.DatasetOverview(r.Context(), r.caller, r.param("ds"))
	return o.Runs, err
}

// maxMetadata is how many items' metadata may be changed while the caller waits.
const maxMetadata = 500

func mergeMetadata(s *Server, r *request) (any, error) {
	var body struct {
		Metadata []flow.MetadataChange `json:"metadata"`
		Level    string                `json:"level"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Level != "" && body.Level != "item" {
		return nil, remuda.Errorf(remuda.Invalid, "metadata of the level %.80q can't be changed", body.Level).WithHint("name items: this server keeps no scenes")
	}
	if r.URL.Query().Get("async") == "1" {
		job, err := s.Flow.MergeMetadataLater(r.Context(), r.caller, r.param("ds"), body.Metadata)
		return jobJSON(job), err
	}
	if len(body.Metadata) > maxMetadata {
		return nil, remuda.Errorf(remuda.Invalid, "change the metadata of %d items: more than %d at once", len(body.Metadata), maxMetadata).WithHint("ask for it asynchronously")
	}
	return s.Flow.MergeMetadata(r.Context(), r.caller, r.param("ds"), body.Metadata)
}
