package nucleus

import (
	"encoding/json"

	"remuda/flow"
)

func modelRoutes() map[string]handler {
	return map[string]handler{
		"POST models/add":                   createModel,
		"GET models/":                       listModels,
		"GET model/{prj}":                   getModel,
		"DELETE model/{prj}":                deleteModel,
		"POST model/{prj}/tag":              addModelTags,
		"DELETE model/{prj}/tag":            removeModelTags,
		"POST model/{prj}/trainedSliceId":   addTrainedSlices,
		"DELETE model/{prj}/trainedSliceId": removeTrainedSlices,
	}
}

func createModel(s *Server, r *request) (any, error) {
	var body struct {
		Name          string          `json:"name"`
		ReferenceID   string          `json:"reference_id"`
		Metadata      json.RawMessage `json:"metadata"`
		Tags          []string        `json:"tags"`
		TrainedSlices []string        `json:"trained_slice_ids"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	made, err := s.Flow.CreateModel(r.Context(), r.caller, flow.NewModel{
		Name: body.Name, ReferenceID: body.ReferenceID, Metadata: body.Metadata, Tags: body.Tags, TrainedSlices: body.TrainedSlices,
	})
	return map[string]any{"model_id": made.ID}, err
}

func modelJSON(m flow.ModelOverview) map[string]any {
	return map[string]any{
		"id": m.ID, "name": m.Name, "ref_id": m.ReferenceID, "metadata": m.Metadata, "tags": orNone(m.Tags), "trained_slice_ids": orNone(m.TrainedSlices),
	}
}

// orNone is a list that is never null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func listModels(s *Server, r *request) (any, error) {
	models, err := s.Flow.Models(r.Context(), r.caller)
	return map[string]any{"models": list(models, modelJSON)}, err
}

func getModel(s *Server, r *request) (any, error) {
	model, err := s.Flow.Model(r.Context(), r.caller, r.param("prj"))
	return modelJSON(model), err
}

func deleteModel(s *Server, r *request) (any, error) {
	job, err := s.Flow.DeleteModel(r.Context(), r.caller, r.param("prj"))
	answer := jobJSON(job)
	answer["msg"] = "Model deletion running in an async job"
	return answer, err
}

func addModelTags(s *Server, r *request) (any, error) {
	return s.changeModelTags(r, func(tags []string) (add, remove []string) { return tags, nil })
}

func removeModelTags(s *Server, r *request) (any, error) {
	return s.changeModelTags(r, func(tags []string) (add, remove []string) { return nil, tags })
}

func (s *Server) changeModelTags(r *request, change func([]string) (add, remove []string)) (any, error) {
	var body sentTags
	if err := r.json(&body); err != nil {
		return nil, err
	}
	add, remove := change(body.Tags)
	tags, err := s.Flow.ChangeModelTags(r.Context(), r.caller, r.param("prj"), add, remove)
	return map[string]any{"model_id": r.param("prj"), "tags": orNone(tags)}, err
}

func addTrainedSlices(s *Server, r *request) (any, error) {
	return s.changeTrainedSlices(r, func(ids []string) (add, remove []string) { return ids, nil })
}

func removeTrainedSlices(s *Server, r *request) (any, error) {
	return s.changeTrainedSlices(r, func(ids []string) (add, remove []string) { return nil, ids })
}

func (s *Server) changeTrainedSlices(r *request, change func([]string) (add, remove []string)) (any, error) {
	var body struct {
		IDs []string `json:"trained_slice_ids"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	add, remove := change(body.IDs)
	ids, err := s.Flow.ChangeTrainedSlices(r.Context(), r.caller, r.param("prj"), add, remove)
	return map[string]any{"model_id": r.param("prj"), "trained_slice_ids": orNone(ids)}, err
}
