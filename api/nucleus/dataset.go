package nucleus

import (
	"encoding/json"

	"remuda/flow"
)

func datasetRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/create":       createDataset,
		"GET dataset/details":       listDatasets,
		"GET dataset/{ds}/name":     datasetName,
		"GET dataset/{ds}/is_scene": datasetIsScene,
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
	rows := make([]map[string]any, len(found))
	for i, d := range found {
		rows[i] = map[string]any{"id": d.ID, "name": d.Name, "is_public": false}
	}
	return rows, err
}

func datasetName(s *Server, r *request) (any, error) {
	d, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"name": d.Name}, err
}

func datasetIsScene(s *Server, r *request) (any, error) {
	d, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"is_scene": d.IsScene}, err
}
