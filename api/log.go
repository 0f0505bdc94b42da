package api

import (
	"log/slog"
	"net/http"
	"time"

	"remuda"
	"remuda/internal/httpx"
)

// maxLoggedPath is how many bytes of a path a log line holds.
const maxLoggedPath = 300

// log writes the line of a request. Queries are left out: they may authorise.
func (s *Server) log(r *http.Request, known *httpx.Request, out *response, took time.Duration) {
	level := slog.LevelInfo
	if known.Err != nil {
		level = slog.LevelError
	}
	path := r.URL.EscapedPath()
	fields := []slog.Attr{
		slog.String("id", known.ID),
		slog.String("method", method(r)),
		slog.String("route", r.Pattern),
		slog.String("path", path[:min(len(path), maxLoggedPath)]),
		slog.Int("status", out.status),
		slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", out.bytes),
		slog.String("address", known.Address),
	}
	if who := known.Caller.Author(); who != "" {
		fields = append(fields, slog.String("caller", who), slog.String("world", string(known.Caller.World)))
	}
	if known.Err != nil {
		fields = append(fields, slog.String("error", known.Err.Error()))
	}
	s.o.Log.LogAttrs(r.Context(), level, "request", fields...)
}

// method is a request's method, or OTHER for one that HTTP doesn't name: logs
// and metrics must not grow with what anyone invents.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "OTHER"
}

// writeFault answers for a fault of the program.
func writeFault(w http.ResponseWriter) error {
	err := remuda.Errorf(remuda.Internal, "a fault of the program").WithHint("its log says more, under this answer's X-Request-Id")
	return httpx.WriteJSON(w, http.StatusInternalServerError, map[string]string{"error": remuda.Sentence(err)})
}
