// Package image serves what needs no login because its URL authorises whoever
// has it, until it expires: images, their thumbnails, exported embeddings, and
// the places to which files are put for a job.
package image

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/internal/httpx"
)

// cached lets browsers keep what a URL gave as long as the URL itself is good:
// a hash never gets other bytes.
const cached = "private, max-age=86400, immutable"

// Server serves these URLs over a flow.
type Server struct {
	Flow *flow.Flow
	// Fail is told of errors whose cause is the server's, for its log; it may be nil.
	Fail func(*http.Request, error)
}

// Faces returns the handlers by the prefix of their paths; each sees the path
// without it.
func (s *Server) Faces() map[string]http.Handler {
	return map[string]http.Handler{
		"/image":      s.face("/image", s.image, http.MethodGet, http.MethodHead),
		"/thumbnail":  s.face("/thumbnail", s.thumbnail, http.MethodGet, http.MethodHead),
		"/upload":     s.face("/upload", s.upload, http.MethodPut, http.MethodPost),
		"/embeddings": s.face("/embeddings", s.embeddings, http.MethodGet),

		"/weights":        s.face("/weights", s.weights, http.MethodGet, http.MethodHead),
		"/weights-upload": s.face("/weights-upload", s.weightsUpload, http.MethodPut, http.MethodPost),
	}
}

// face checks a request's method and signature and splits its path.
func (s *Server) face(prefix string, serve func(http.ResponseWriter, *http.Request, []string) error, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err := s.check(prefix, r, methods)
		if err == nil {
			err = serve(w, r, strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/"))
		}
		if err == nil {
			return
		}
		status := httpx.Status(err)
		if status >= http.StatusInternalServerError && s.Fail != nil {
			s.Fail(r, err)
		}
		for _, header := range []string{"Cache-Control", "Etag", "Content-Type", "Content-Security-Policy"} {
			w.Header().Del(header)
		}
		_ = httpx.WriteJSON(w, status, map[string]string{"error": remuda.Sentence(err)}) // the caller may be gone
	})
}

func (s *Server) check(prefix string, r *http.Request, methods []string) error {
	known := false
	for _, method := range methods {
		known = known || r.Method == method
	}
	if !known {
		return remuda.Errorf(remuda.Invalid, "%s is not a method of %s", r.Method, prefix).WithHint("use %s", strings.Join(methods, " or "))
	}
	signer, err := s.Flow.Signer(r.Context())
	if err != nil {
		return err
	}
	return signer.Verify(prefix+r.URL.EscapedPath(), r.URL.Query())
}

// answer sends an immutable thing, or the part of it that is asked for.
func answer(w http.ResponseWriter, tag, mediaType string) {
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Etag", `"`+tag+`"`)
	h.Set("Cache-Control", cached)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox") // whatever the bytes are, nothing in them runs
}

func (s *Server) image(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 1 {
		return missing(r)
	}
	file, mediaType, err := s.Flow.OpenImage(r.Context(), path[0])
	if err != nil {
		return err
	}
	defer file.Close()
	answer(w, path[0], mediaType)
	http.ServeContent(w, r, "", time.Time{}, file)
	return nil
}

func (s *Server) thumbnail(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 2 {
		return missing(r)
	}
	size, err := strconv.Atoi(path[1])
	if err != nil {
		return missing(r)
	}
	data, err := s.Flow.Thumbnail(r.Context(), path[0], size)
	if err != nil {
		return err
	}
	answer(w, path[0]+"-"+path[1], "image/jpeg")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 3 {
		return missing(r)
	}
	request, err := url.PathUnescape(path[2])
	if err != nil {
		return missing(r)
	}
	if err := s.Flow.StageUpload(r.Context(), remuda.World(path[0]), path[1], request, r.Body); err != nil {
		return err
	}
	return httpx.WriteJSON(w, http.StatusOK, struct{}{})
}

// embeddings sends the vectors of a dataset or a slice as a JSON array.
func (s *Server) embeddings(w http.ResponseWriter, r *http.Request, path []string) error {
	if len(path) != 2 {
		return missing(r)
	}
	return httpx.Spool(w, func(w *bufio.Writer) error {
		return s.Flow.WriteSignedEmbeddings(r.Context(), remuda.World(path[0]), path[1], w)
	})
}

func missing(r *http.Request) error {
	return remuda.Errorf(remuda.NotFound, "there is nothing at %.200s", r.URL.EscapedPath())
}
