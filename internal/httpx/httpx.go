// Package httpx has what the three HTTP faces share: the status of an error,
// the reading of bodies, the writing of answers, and what the guard in front of
// them knows of a request.
package httpx

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"

	"remuda"
)

// Status returns the HTTP status of an error's code.
func Status(err error) int {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return http.StatusRequestEntityTooLarge
	}
	switch {
	case errors.Is(err, remuda.ErrNoLogin):
		return http.StatusUnauthorized
	case errors.Is(err, remuda.ErrTooFast):
		return http.StatusTooManyRequests
	}
	switch remuda.CodeOf(err) {
	case "":
		return http.StatusOK
	case remuda.Invalid:
		return http.StatusBadRequest
	case remuda.NotFound:
		return http.StatusNotFound
	case remuda.Conflict:
		return http.StatusConflict
	case remuda.Unauthorized:
		return http.StatusForbidden
	case remuda.Unavailable:
		return http.StatusServiceUnavailable
	case remuda.Internal:
	}
	return http.StatusInternalServerError
}

// ReadJSON reads one JSON value of at most maxBytes from a request's body; an
// empty body leaves into as it is.
func ReadJSON(w http.ResponseWriter, r *http.Request, maxBytes int64, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBytes))
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "read the request's body: %w", err)
	}
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return remuda.Errorf(remuda.Invalid, "read the request's JSON: %w", err)
	}
	return nil
}

// WriteJSON answers with a status and a JSON value.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return remuda.Errorf(remuda.Internal, "write an answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(text)
	return err
}

// Spool answers with the JSON that write writes, which may be too large to be
// held in memory. It lies in a temporary file until it is whole: what reads a
// database never waits for a client, and an error has its own status.
func Spool(w http.ResponseWriter, write func(*bufio.Writer) error) error {
	file, err := os.CreateTemp("", "remuda-answer-")
	if err != nil {
		return spoolFailed(err)
	}
	defer file.Close()
	if err := os.Remove(file.Name()); err != nil { // so that nothing stays, however this process ends
		return spoolFailed(err)
	}
	out := bufio.NewWriterSize(file, 64<<10) // it keeps its first error
	if err := write(out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return spoolFailed(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return spoolFailed(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.Copy(w, file) // the caller may be gone
	return nil
}

func spoolFailed(err error) error {
	return remuda.Errorf(remuda.Unavailable, "keep an answer until it is whole: %w", err).WithHint("make room in the server's folder of temporary files")
}
