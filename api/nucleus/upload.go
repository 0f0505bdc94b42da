package nucleus

func uploadRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/append":             appendItems,
		"GET dataset/{ds}/signedUrl/{request}": signedURL,
	}
}

func signedURL(s *Server, r *request) (any, error) {
	path, err := s.Flow.UploadURL(r.Context(), r.caller, r.param("ds"), r.param("request"))
	return map[string]any{"signed_url": s.PublicURL(r.Request) + path}, err
}
