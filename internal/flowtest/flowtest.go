// Package flowtest gives tests a flow on an empty database, with a folder of
// blobs and a queue whose work is done when a test asks for it.
package flowtest

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/store"
)

// attempts is how often the queue tries a piece of work.
const attempts = 3

// New returns a flow on SQLite and a manager of the live world.
func New(t testing.TB) (*flow.Flow, remuda.Caller) {
	t.Helper()
	return Open(t, filepath.Join(t.TempDir(), "remuda.db"))
}

// Open is New on the database at a location, such as one of postgrestest.New.
func Open(t testing.TB, location string) (*flow.Flow, remuda.Caller) {
	t.Helper()
	return OpenAt(t, location, time.Now)
}

// OpenAt is Open with a clock.
func OpenAt(t testing.TB, location string, now func() time.Time) (*flow.Flow, remuda.Caller) {
	t.Helper()
	db, err := store.Open(t.Context(), location, store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := blob.OpenURL(t.Context(), filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	queue := &queue{}
	db.SetJobs(queue)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := blobs.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &flow.Flow{DB: db, Blobs: blobs, Queue: queue, Log: slog.New(slog.DiscardHandler), Now: now, Limits: flow.DefaultLimits()}
	return f, remuda.Caller{User: "usr_test", Name: "Ada", Role: remuda.Manager, World: remuda.Live}
}

// Drain does all work that the flow's queue holds, in order, also what that
// work adds. Work that fails for a time is tried again at once.
func Drain(t testing.TB, f *flow.Flow) {
	t.Helper()
	q, ok := f.Queue.(*queue)
	if !ok {
		t.Fatalf("drain a queue of type %T", f.Queue)
	}
	handlers := f.JobHandlers()
	for {
		next, ok := q.pop()
		if !ok {
			return
		}
		handle, known := handlers[next.kind]
		if !known {
			t.Fatalf("no one does the work %q", next.kind)
		}
		if err := run(t.Context(), f, handle, next); err != nil {
			t.Fatal(err)
		}
	}
}

func run(ctx context.Context, f *flow.Flow, handle func(context.Context, json.RawMessage) error, w work) error {
	var err error
	for range attempts {
		err = handle(ctx, w.args)
		if remuda.CodeOf(err) != remuda.Unavailable {
			break
		}
	}
	if err == nil || remuda.CodeOf(err) == remuda.NotFound && err.Error() == "there is no job "+w.job {
		return nil // such a job's transaction was undone
	}
	return f.JobFailed(ctx, w.kind, w.args, err)
}

// work is what a queue holds.
type work struct {
	id   int64
	kind string
	job  string
	args json.RawMessage
}

// queue keeps work in memory, whether or not its transaction commits.
type queue struct {
	mu   sync.Mutex
	last int64
	work []work
}

// Enqueue adds a piece of work.
func (q *queue) Enqueue(_ context.Context, _ *sql.Tx, kind string, args any, _ time.Time) (int64, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return 0, err
	}
	var ref store.JobRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return 0, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	q.work = append(q.work, work{q.last, kind, ref.Job, text})
	return q.last, nil
}

// Cancel removes a piece of work.
func (q *queue) Cancel(_ context.Context, id int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work = slices.DeleteFunc(q.work, func(w work) bool { return w.id == id })
	return nil
}

func (q *queue) pop() (work, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.work) == 0 {
		return work{}, false
	}
	next := q.work[0]
	q.work = q.work[1:]
	return next, true
}
