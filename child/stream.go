package child

import (
	"bytes"
	"encoding/json"
	"fmt"

	"remuda"
)

const (
	lastWords = 8 << 10  // bytes of standard error that are kept
	maxLine   = 64 << 20 // bytes of one event
)

// tail is a writer that keeps the last limit bytes.
type tail struct {
	limit int
	kept  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > t.limit {
		p = p[n-t.limit:]
	}
	if drop := len(t.kept) + len(p) - t.limit; drop > 0 {
		t.kept = append(t.kept[:0], t.kept[drop:]...)
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

func (t *tail) String() string { return string(bytes.ToValidUTF8(t.kept, []byte("?"))) }

// lineWriter cuts a stream into lines and hands on those that are JSON objects.
// At the first trouble it kills the child and remembers why.
type lineWriter struct {
	event   func(line []byte) error
	kill    func()
	pending []byte
	err     error
}

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for w.err == nil {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		line := p[:i]
		if len(w.pending) > 0 {
			line = append(w.pending, line...)
			w.pending = w.pending[:0]
		}
		w.take(line)
		p = p[i+1:]
	}
	if w.err == nil && len(w.pending)+len(p) > maxLine {
		w.fail(remuda.Errorf(remuda.Internal, "the child process printed a line of more than %d bytes", maxLine))
	}
	if w.err != nil {
		return 0, w.err
	}
	w.pending = append(w.pending, p...)
	return n, nil
}

func (w *lineWriter) take(line []byte) {
	if len(line) == 0 || line[0] != '{' || !json.Valid(line) {
		shown := line[:min(len(line), 80)]
		w.fail(remuda.Errorf(remuda.Internal, "the child process printed %q where an event was expected", shown))
		return
	}
	if err := w.event(line); err != nil {
		w.fail(err)
	}
}

func (w *lineWriter) fail(err error) {
	w.err = err
	w.kill()
}

// finish reports an event that was cut off by the end of the stream.
func (w *lineWriter) finish() error {
	if len(w.pending) > 0 {
		return fmt.Errorf("the child process ended in the middle of the event %q", w.pending[:min(len(w.pending), 80)])
	}
	return nil
}
