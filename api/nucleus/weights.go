package nucleus

import (
	"remuda"
	"remuda/flow"
	"remuda/store"
)

func weightsRoutes() map[string]handler {
	return map[string]handler{
		"POST model/{prj}/weights/presign":  presignWeights,
		"POST model/{prj}/weights/finalize": finalizeWeights,
		"GET model/{prj}/weights":           getWeights,
		"GET model/{prj}/weights/download":  downloadWeights,
		"DELETE model/{prj}/weights":        deleteWeights,
	}
}

func presignWeights(s *Server, r *request) (any, error) {
	var body struct {
		Bytes     int64  `json:"declaredSizeBytes"`
		Filename  string `json:"originalFilename"`
		MediaType string `json:"contentType"`
		SHA256    string `json:"checksumSha256"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	u, err := s.Flow.PresignWeights(r.Context(), r.caller, r.param("prj"), flow.NewWeights{Bytes: body.Bytes, Filename: body.Filename, MediaType: body.MediaType, SHA256: body.SHA256})
	if err != nil {
		return nil, err
	}
	base := s.PublicURL(r.Request)
	if len(u.Parts) == 1 {
		return map[string]any{"uploadId": u.ID, "uploadUrl": base + u.Parts[0], "requiredHeaders": map[string]string{}}, nil
	}
	parts := make([]map[string]any, len(u.Parts))
	for i, path := range u.Parts {
		parts[i] = map[string]any{"partNumber": i + 1, "url": base + path}
	}
	return map[string]any{"uploadId": u.ID, "partSizeBytes": u.PartBytes, "parts": parts}, nil
}

func finalizeWeights(s *Server, r *request) (any, error) {
	var body struct {
		Upload string `json:"uploadId"`
		Parts  []struct {
			Number int    `json:"partNumber"`
			ETag   string `json:"eTag"`
		} `json:"parts"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	parts := make([]flow.SentPart, len(body.Parts))
	for i, part := range body.Parts {
		parts[i] = flow.SentPart{Number: part.Number, Tag: part.ETag}
	}
	w, err := s.Flow.FinalizeWeights(r.Context(), r.caller, r.param("prj"), body.Upload, parts)
	if err != nil {
		return nil, err
	}
	return s.weightsJSON(r, &w)
}

func (s *Server) weightsJSON(r *request, w *store.Weights) (any, error) {
	if w == nil {
		return map[string]any{"modelProjectId": r.param("prj"), "present": false}, nil
	}
	path, err := s.Flow.WeightsURL(r.Context(), *w)
	return map[string]any{
		"modelProjectId": w.Model, "present": true, "status": "ready", "sizeBytes": w.Bytes, "originalFilename": w.Filename, "contentType": w.MediaType,
		"downloadUrl": s.PublicURL(r.Request) + path,
	}, err
}

func getWeights(s *Server, r *request) (any, error) {
	w, err := s.Flow.Weights(r.Context(), r.caller, r.param("prj"))
	if err != nil {
		return nil, err
	}
	return s.weightsJSON(r, w)
}

func downloadWeights(s *Server, r *request) (any, error) {
	asJSON := r.URL.Query().Get("json") == "1"
	w, err := s.Flow.Weights(r.Context(), r.caller, r.param("prj"))
	if err == nil && w == nil && asJSON {
		return map[string]any{"url": ""}, nil // the client has an error of its own for this
	}
	if err == nil && w == nil {
		err = remuda.Errorf(remuda.NotFound, "model %s has no weights", r.param("prj")).WithHint("upload them first")
	}
	if err != nil {
		return nil, err
	}
	path, err := s.Flow.WeightsURL(r.Context(), *w)
	if err != nil {
		return nil, err
	}
	url := s.PublicURL(r.Request) + path
	if asJSON {
		return map[string]any{"url": url}, nil
	}
	return redirect(url), nil
}

func deleteWeights(s *Server, r *request) (any, error) {
	had, err := s.Flow.DeleteWeights(r.Context(), r.caller, r.param("prj"))
	return map[string]any{"deleted": had}, err
}
