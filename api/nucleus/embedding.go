package nucleus

import (
	"bufio"

	"remuda"
	"remuda/store"
)

func embeddingRoutes() map[string]handler {
	return map[string]handler{
		"GET {ds}/list_autotags":                           listAutotags,
		"POST dataset/{ds}/autotag/{autotag}/taggedItems":  noAutotag,
		"GET dataset/{ds}/autotag/{autotag}/trainingItems": noAutotag,
		"GET dataset/{ds}/embeddings":                      embeddings("ds"),
		"GET slice/{slc}/embeddings":                       embeddings("slc"),
		"POST dataset/{ds}/async_export_embeddings":        exportEmbeddings, // {ds} may be a slice
		"GET dataset/{ds}/embeddingIndexes":                embeddingIndexes,
		"POST indexing/{ds}":                               indexCustom,
		"DELETE indexing/{ds}":                             refuse("the deletion of embedding indexes"),
		"POST indexing/{ds}/setPrimary":                    refuse("the choice of a primary embedding index: the newest is"),
		"POST indexing/{ds}/setContinuous":                 refuse("continuous indexing"),
		"POST indexing/{ds}/internal/image":                indexImages,
		"POST indexing/{ds}/internal/object":               refuse("the indexing of objects"),
		"POST dataset/{ds}/indexingStatus":                 indexingStatus,
	}
}

// listAutotags answers that there are none.
func listAutotags(s *Server, r *request) (any, error) {
	_, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"autotags": []any{}}, err
}

func noAutotag(s *Server, r *request) (any, error) {
	if _, err := s.Flow.Dataset(r.Context(), r.caller, r.param("ds")); err != nil {
		return nil, err
	}
	return nil, remuda.Errorf(remuda.NotFound, "The autotag %s was not found in dataset %s", r.param("autotag"), r.param("ds"))
}

func embeddings(of string) handler {
	return func(s *Server, r *request) (any, error) {
		return stream(func(w *bufio.Writer) error { return s.Flow.WriteEmbeddings(r.Context(), r.caller, r.param(of), w) }), nil
	}
}

func exportEmbeddings(s *Server, r *request) (any, error) {
	job, err := s.Flow.ExportEmbeddings(r.Context(), r.caller, r.param("ds"), s.PublicURL(r.Request))
	return jobJSON(job), err
}

func embeddingIndexes(s *Server, r *request) (any, error) {
	found, err := s.Flow.EmbeddingIndexes(r.Context(), r.caller, r.param("ds"))
	return map[string]any{"embedding_indexes": list(found, func(x store.EmbeddingIndex) map[string]any {
		return map[string]any{
			"id": x.ID, "status": indexStatus(x.Status), "index_type": x.Type, "index_level": "Image",
			"embedding_type": x.Type, "embedding_dimension": x.Dimension,
		}
	})}, err
}

func indexStatus(status store.JobStatus) string {
	switch status {
	case store.JobCompleted:
		return "Completed"
	case store.JobFailed, store.JobCancelled:
		return "Errored"
	case store.JobWaiting, store.JobRunning:
	}
	return "Started"
}

func indexCustom(s *Server, r *request) (any, error) {
	var body struct {
		URLs      []string `json:"embeddings_urls"`
		Dimension int      `json:"embedding_dimension"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	job, err := s.Flow.IndexCustom(r.Context(), r.caller, r.param("ds"), body.URLs, body.Dimension)
	return jobJSON(job), err
}

func indexImages(s *Server, r *request) (any, error) {
	job, err := s.Flow.IndexImages(r.Context(), r.caller, r.param("ds"))
	return jobJSON(job), err
}

func indexingStatus(s *Server, r *request) (any, error) {
	var body struct {
		Image bool `json:"image"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	status, err := s.Flow.IndexingStatus(r.Context(), r.caller, r.param("ds"))
	if err != nil {
		return nil, err
	}
	if !body.Image {
		return map[string]any{"embedding_count": 0, "object_count": 0, "percent_indexed": 0, "additional_context": "Objects are not indexed."}, nil
	}
	percent := 0.0
	if status.Images > 0 {
		percent = 100 * float64(status.Embeddings) / float64(status.Images)
	}
	note := "There is no index."
	if status.Index.ID != "" {
		note = "The newest index is " + status.Index.ID + madeWith(status.Index) + "."
	}
	return map[string]any{"embedding_count": status.Embeddings, "image_count": status.Images, "percent_indexed": percent, "additional_context": note}, nil
}

// madeWith says whose vectors an index has, where the engine made them.
func madeWith(x store.EmbeddingIndex) string {
	if x.Model == "" {
		return ""
	}
	return ", made with the weights " + x.Model
}
