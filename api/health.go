package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/internal/httpx"
)

// health remembers for a moment what was found, so that asking costs little.
type health struct {
	mu              sync.Mutex
	at              time.Time
	database, files error
}

// fresh is how long what was found holds.
const fresh = 2 * time.Second

// serveHealth says whether database and files answer: 200, or 503 if not.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		answer(w, r, remuda.Errorf(remuda.Invalid, "%s is not a method of /healthz", r.Method))
		return
	}
	database, files := s.check(r.Context())
	status := http.StatusOK
	if database != nil || files != nil {
		status = http.StatusServiceUnavailable
		fail(r, remuda.Errorf(remuda.Unavailable, "unwell: database: %v, files: %v", database, files))
	}
	word := func(err error) string {
		if err != nil {
			return "does not answer"
		}
		return "ok"
	}
	_ = httpx.WriteJSON(w, status, map[string]string{"database": word(database), "files": word(files)})
}

func (s *Server) check(ctx context.Context) (database, files error) {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) < fresh {
		return h.database, h.files
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	h.database = s.o.Flow.DB.Ping(ctx)
	_, h.files = s.o.Flow.Blobs.Stat(ctx, blob.RefOf(nil))
	if remuda.CodeOf(h.files) == remuda.NotFound {
		h.files = nil // it has answered
	}
	h.at = time.Now()
	return h.database, h.files
}
