package blob

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"remuda"
)

// usualPatience is how long a storage service may take for its next byte, or for
// an answer: without it, one that takes connections but answers nothing would
// hold requests and jobs for ever. A copy within it sends nothing meanwhile.
const (
	usualPatience = time.Minute
	copying       = 10 // times that
)

// errSilent is why calls end that a service does not answer.
var errSilent = errors.New("it has not answered in time")

// wait is a call of a service under way.
type wait struct {
	bucket *bucket
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// wait returns the context of a call that waits from now on.
func (b *bucket) wait(ctx context.Context) (context.Context, *wait) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &wait{b, ctx, cancel, time.AfterFunc(b.patience, func() { cancel(errSilent) })}
}

// ask waits anew.
func (w *wait) ask() { w.timer.Reset(w.bucket.patience) }

// copy waits for a copy within the service.
func (w *wait) copy() { w.timer.Reset(copying * w.bucket.patience) }

// answered stops waiting until ask is called.
func (w *wait) answered() { w.timer.Stop() }

func (w *wait) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// silent says whether a context has ended because a service was silent.
func silent(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errSilent) }

// patientBody is an object's bytes on their way here.
type patientBody struct {
	io.ReadSeekCloser
	wait *wait
}

// Read reads on.
func (b *patientBody) Read(p []byte) (int, error) {
	b.wait.ask()
	n, err := b.ReadSeekCloser.Read(p)
	b.wait.answered()
	if err != nil && silent(b.wait.ctx) {
		err = b.wait.bucket.unanswered("read from", err)
	}
	return n, err
}

// Close ends reading.
func (b *patientBody) Close() error {
	b.wait.end()
	return b.ReadSeekCloser.Close()
}

// patientFile is a file on its way to a service: each piece that is read from
// it shows that the service takes them.
type patientFile struct {
	file *os.File
	wait *wait
}

// Read reads on.
func (f *patientFile) Read(p []byte) (int, error) {
	f.wait.ask()
	return f.file.Read(p)
}

// ReadAt reads what is somewhere.
func (f *patientFile) ReadAt(p []byte, at int64) (int, error) {
	f.wait.ask()
	return f.file.ReadAt(p, at)
}

// Seek moves to where the next Read begins.
func (f *patientFile) Seek(offset int64, whence int) (int64, error) {
	return f.file.Seek(offset, whence)
}

// unanswered is the error of a service that was silent.
func (b *bucket) unanswered(action string, err error) error {
	return b.unavailable(action, remuda.Because(err, "%v", errSilent)).
		WithHint("check that its service can be reached and is not overloaded, then try again")
}
