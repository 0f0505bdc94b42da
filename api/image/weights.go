package image

import (
	"mime"
	"net/http"
	"strconv"
	"time"

	"remuda/internal/httpx"
)

// weights sends a model's file of weights: …/MODEL/SHA-256/NAME.
func (s *Server) weights(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 3 {
		return missing(r)
	}
	file, known, err := s.Flow.OpenWeights(r.Context(), path[0], path[1])
	if err != nil {
		return err
	}
	defer file.Close()
	answer(w, known.Blob, known.MediaType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": known.Filename}))
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

// weightsUpload takes a part of a file of weights, …/UPLOAD/PART, and answers
// with the ETag by which its sender names it when all have come.
func (s *Server) weightsUpload(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 2 {
		return missing(r)
	}
	part, err := strconv.Atoi(path[1])
	if err != nil {
		return missing(r)
	}
	tag, err := s.Flow.StoreWeights(r.Context(), path[0], part, r.Body)
	if err != nil {
		return err
	}
	w.Header().Set("Etag", `"`+tag+`"`)
	return httpx.WriteJSON(w, http.StatusOK, struct{}{})
}
