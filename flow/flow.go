package flow

import (
	"context"
	"io"
	"log/slog"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

// Fetched is what is known of a fetched file.
type Fetched struct {
	ContentType string
	Bytes       int64
}

// Fetcher gets what a user's URL names, guarded against addresses of the
// server's own network.
type Fetcher interface {
	Fetch(ctx context.Context, url string, w io.Writer, maxBytes int64) (Fetched, error)
}

// Queue ends work that was put into it; [store.Enqueuer] puts it there.
type Queue interface {
	// Cancel ends a piece of work by the queue's number of it; not_found if there is none.
	Cancel(ctx context.Context, id int64) error
}

// Flow carries out the verbs. Its fields are set once, before the first call.
type Flow struct {
	DB       *store.DB
	Blobs    *blob.Store
	Fetcher  Fetcher
	Queue    Queue
	Embedder Embedder // nil without an engine
	Log      *slog.Logger
	Now      func() time.Time
	Limits   Limits

	Poster       Poster                             // nil sends no callbacks
	CallbackBody func(CallbackView) ([]byte, error) // in the words of the API that callbacks belong to

	signing  signing
	decoding decoding
	access   access
}

// Limits bound what users send.
type Limits struct {
	ImageBytes int64 // of one image file
}

// DefaultLimits are those of a server that nobody has told otherwise.
func DefaultLimits() Limits { return Limits{ImageBytes: 100 << 20} }

// read returns what do finds in one state of the database, for a caller who
// may read data: a reviewer at least.
func read[T any](ctx context.Context, f *Flow, caller remuda.Caller, do func(*store.Tx) (T, error)) (found T, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return found, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = do(tx)
		return err
	})
	return found, err
}

// write returns what do makes in one transaction, for a caller who may change
// data: a manager at least. do has no other effects, since it may run twice.
func write[T any](ctx context.Context, f *Flow, caller remuda.Caller, do func(*store.Tx) (T, error)) (made T, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		made, err = do(tx)
		return err
	})
	return made, err
}
