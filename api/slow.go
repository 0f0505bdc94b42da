package api

import (
	"io"
	"net/http"
	"time"
)

// usualStall is how long a client may neither send nor take a byte. A body or an
// answer as a whole may take as long as it likes.
const usualStall = time.Minute

// piece is how much of an answer has to be taken within a stall.
const piece = 256 << 10

// response passes an answer on, knows its status and size, and gives up on a
// client that takes nothing.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int // 0 before the header
	bytes   int64
}

func newResponse(w http.ResponseWriter, stall time.Duration) *response {
	out := &response{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
	_ = out.control.SetWriteDeadline(time.Time{}) // not every writer can: tests' recorders
	return out
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the header.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.patience()
	w.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (w *response) Write(p []byte) (n int, err error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	for first := true; err == nil && (first || n < len(p)); first = false {
		w.patience()
		var sent int
		sent, err = w.ResponseWriter.Write(p[n:min(n+piece, len(p))])
		n += sent
	}
	w.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered.
func (w *response) FlushError() error {
	w.patience()
	return w.control.Flush()
}

// patience begins to wait for the client anew.
func (w *response) patience() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

// fault ends an answer that a fault of the program has cut short.
func (w *response) fault() {
	if w.status != 0 {
		w.status = http.StatusInternalServerError
		_ = w.control.SetWriteDeadline(time.Unix(1, 0)) // the client must not take it for whole
		return
	}
	_ = writeFault(w) // the caller may be gone
}

// end leaves the connection time to send what is buffered.
func (w *response) end() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.status != http.StatusInternalServerError {
		w.patience()
	}
}

// body reads a request's body and gives up on a client that sends nothing.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	stall   time.Duration
}

func newBody(w http.ResponseWriter, r io.ReadCloser, stall time.Duration) io.ReadCloser {
	return &body{http.MaxBytesReader(w, r, maxBody), http.NewResponseController(w), stall}
}

// Read reads on. The deadline is lifted again, since it would also end the
// wait for the client to hang up, and with it the request.
func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.stall))
	n, err := b.ReadCloser.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	return n, err
}
