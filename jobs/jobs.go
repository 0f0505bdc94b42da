package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"remuda"
)

// Handler does the work of one kind. It must be safe to run again, and must
// return soon after its context ends. An error with the code invalid,
// not_found, conflict or unauthorized is final; any other, and a panic, is
// retried.
type Handler func(ctx context.Context, args json.RawMessage) error

// Options say what a Queue works on.
type Options struct {
	Dialect string // "sqlite" or "postgres"

	// Handlers by kind. A kind is words of letters and digits, joined by one of
	// - _ . : / each, 2 to 50 characters in all. A Queue that only enqueues
	// needs the same kinds and lanes as those that work.
	Handlers map[string]Handler
	// Failed is told when a job has failed for good, with the last error, and
	// may be nil. It is for setting the state of the row that the job serves. It may
	// be told again after a crash, and is asked again, after the handler, when it fails itself.
	Failed func(ctx context.Context, kind string, args json.RawMessage, err error) error

	Workers int            // jobs that run at once here, 0 to 10,000; a Queue with 0 only enqueues
	Lanes   map[string]int // kind → workers of its own, for long work that must not hold up the rest; counted beside Workers

	MaxAttempts int                             // 5 if 0
	RetryDelay  func(attempt int) time.Duration // after the failed attempt (1, 2, …); 5 s, 25 s, 2 min, 10 min, then an hour if nil
	Logger      *slog.Logger                    // slog.Default() if nil
}

// withDefaults returns the options with what was left out filled in.
func (o Options) withDefaults() Options {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 5
	}
	if o.RetryDelay == nil {
		o.RetryDelay = defaultRetryDelay
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Failed == nil {
		o.Failed = func(context.Context, string, json.RawMessage, error) error { return nil }
	}
	return o
}

var kindPattern = regexp.MustCompile(`^[A-Za-z0-9]+([-_.:/][A-Za-z0-9]+)*$`)

func (o Options) validate() error {
	if o.Workers < 0 || o.MaxAttempts < 0 {
		return remuda.Errorf(remuda.Invalid, "open job queue: workers (%d) and attempts (%d) cannot be negative", o.Workers, o.MaxAttempts)
	}
	for kind := range o.Handlers {
		if len(kind) < 2 || len(kind) > 50 || !kindPattern.MatchString(kind) {
			return remuda.Errorf(remuda.Invalid, "open job queue: %q cannot be a kind", kind)
		}
	}
	for kind := range o.Lanes {
		if _, ok := o.Handlers[kind]; !ok {
			return remuda.Errorf(remuda.Invalid, "open job queue: the lane %q has no handler", kind)
		}
	}
	return nil
}

// defaultRetryDelay grows fivefold from 5 s to an hour.
func defaultRetryDelay(attempt int) time.Duration {
	delay := 5 * time.Second
	for range attempt - 1 {
		delay = min(5*delay, time.Hour)
	}
	return delay
}

// Queue enqueues jobs and, between Start and Stop, runs them.
type Queue struct {
	db      *sql.DB
	o       Options
	driver  riverdriver.Driver[*sql.Tx]
	enqueue *river.Client[*sql.Tx] // never started
	pace    pace

	mu      sync.Mutex
	session *session // nil while stopped
}

// New returns a Queue on a database that [Migrate] has prepared. On SQLite db
// is the pool of the one writing connection.
func New(db *sql.DB, o Options) (*Queue, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	driver, err := driverOf(db, o.Dialect)
	if err != nil {
		return nil, err
	}
	q := &Queue{db: db, o: o, driver: driver, pace: usualPace}
	q.enqueue, err = river.NewClient(driver, &river.Config{
		Workers: q.workers(nil), MaxAttempts: o.MaxAttempts, Logger: riverLogger(o.Logger),
		FetchCooldown: river.FetchCooldownMin, // of two jobs enqueued within it, the second is not announced
	})
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "open job queue: %w", err)
	}
	return q, nil
}

// Enqueue inserts a job of a kind in the caller's transaction and returns its
// id. Args is anything that encodes as JSON. The job runs as soon as the
// transaction commits or, given a time, up to five seconds after that.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, kind string, args any, at time.Time) (int64, error) {
	if _, ok := q.o.Handlers[kind]; !ok {
		return 0, remuda.Errorf(remuda.Internal, "enqueue job: unknown kind %q", kind)
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return 0, remuda.Errorf(remuda.Internal, "enqueue %s job: encode arguments: %w", kind, err)
	}
	inserted, err := q.enqueue.InsertTx(ctx, tx, jobArgs{kind, raw}, &river.InsertOpts{Queue: q.lane(kind), ScheduledAt: at})
	if err != nil {
		return 0, fmt.Errorf("enqueue %s job: %w", kind, err) // the store knows its database's errors
	}
	return inserted.Job.ID, nil
}

// Cancel ends a job: one that waits never runs, the context of a running one is
// cancelled, wherever it runs. One that has ended stays as it is; an id that
// never was, or whose job ended more than a day ago, is not_found. It opens a transaction of its
// own, so on SQLite the caller must not hold one.
func (q *Queue) Cancel(ctx context.Context, id int64) error {
	switch _, err := q.enqueue.JobCancel(ctx, id); {
	case errors.Is(err, rivertype.ErrNotFound):
		return remuda.Errorf(remuda.NotFound, "cancel job %d: there is no such job", id)
	case err != nil:
		return remuda.Errorf(remuda.Internal, "cancel job %d: %w", id, err)
	}
	return nil
}

// Quiet waits until nothing runs, waits for a worker or for its next attempt;
// jobs enqueued for a later time are left out until it has come. It is for
// tests: it asks the database again and again.
func (q *Queue) Quiet(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := q.left(ctx)
		if err == nil && left == 0 {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return remuda.Errorf(remuda.Internal, "wait for jobs: %w", err)
		}
		select {
		case <-ctx.Done():
			return remuda.Errorf(remuda.Unavailable, "wait for jobs: %d are left: %w", left, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// left counts the jobs that Quiet waits for.
func (q *Queue) left(ctx context.Context) (int, error) {
	counts, err := q.driver.GetExecutor().JobCountByAllStates(ctx, &riverdriver.JobCountByAllStatesParams{})
	if err != nil {
		return 0, err
	}
	left := counts[rivertype.JobStateAvailable] + counts[rivertype.JobStateRunning] + counts[rivertype.JobStateRetryable]
	if counts[rivertype.JobStateScheduled] > 0 {
		due, err := q.enqueue.JobList(ctx, river.NewJobListParams().States(rivertype.JobStateScheduled).
			OrderBy(river.JobListOrderByScheduledAt, river.SortOrderAsc).First(1))
		if err != nil {
			return 0, err
		}
		if len(due.Jobs) > 0 && !due.Jobs[0].ScheduledAt.After(time.Now()) {
			left++
		}
	}
	return left, nil
}
