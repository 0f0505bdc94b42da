package nucleus

func tagRoutes() map[string]handler {
	return map[string]handler{
		"GET dataset/{ds}/tags":    datasetTags,
		"POST dataset/{ds}/tags":   addDatasetTags,
		"DELETE dataset/{ds}/tags": removeDatasetTags,
	}
}

// sentTags is the body of calls that change tags.
type sentTags struct {
	Tags []string `json:"tags"`
}

func datasetTags(s *Server, r *request) (any, error) {
	tags, err := s.Flow.DatasetTags(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"tags": tags}, err
}

func addDatasetTags(s *Server, r *request) (any, error) {
	var body sentTags
	if err := r.json(&body); err != nil {
		return nil, err
	}
	tags, err := s.Flow.ChangeDatasetTags(r.Context(), r.caller, r.param("ds"), body.Tags, nil)
	return map[string]any{"tags": tags}, err
}

func removeDatasetTags(s *Server, r *request) (any, error) {
	var body sentTags
	if err := r.json(&body); err != nil {
		return nil, err
	}
	tags, err := s.Flow.ChangeDatasetTags(r.Context(), r.caller, r.param("ds"), nil, body.Tags)
	return map[string]any{"tags": tags}, err
}
