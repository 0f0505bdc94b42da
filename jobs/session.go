package jobs

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"

	"remuda"
)

const (
	// fetchCooldown is the least time between two looks for jobs after one was
	// found or announced. It bounds throughput: workers per cooldown.
	fetchCooldown = 5 * time.Millisecond
	// fetchPoll is how often to look unannounced, as for a retry that falls due.
	fetchPoll = 500 * time.Millisecond
)

// session is a Queue between Start and Stop.
type session struct {
	id       string // this process to the others
	dialect  string
	client   *river.Client[*sql.Tx]
	driver   riverdriver.Driver[*sql.Tx]
	log      *slog.Logger
	closers  []func() // in order of opening
	pace     pace
	lastBeat time.Time

	mu      sync.Mutex
	cancels map[int64]context.CancelCauseFunc // of running jobs, by id
	idle    map[int64]time.Time               // jobs that this process has claimed and does not run, by id: since when
}

// Start frees the jobs of dead processes and returns when the workers run. They
// run until Stop, whatever becomes of ctx.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.session != nil {
		return remuda.Errorf(remuda.Conflict, "start jobs: they run already")
	}
	lanes := q.lanes()
	if len(lanes) == 0 {
		return remuda.Errorf(remuda.Invalid, "start jobs: there are no workers").WithHint("set the number of workers to 1 or more")
	}
	s := &session{
		id: rand.Text(), dialect: q.o.Dialect, driver: q.driver, log: q.o.Logger, pace: q.pace,
		cancels: make(map[int64]context.CancelCauseFunc), lastBeat: time.Now(),
	}
	if err := q.open(ctx, s, lanes); err != nil {
		s.close()
		return remuda.Errorf(remuda.Unavailable, "start jobs: %w", err)
	}
	q.session = s
	return nil
}

// open does what Start says.
func (q *Queue) open(ctx context.Context, s *session, lanes map[string]river.QueueConfig) error {
	driver, closeListener, err := listeningDriver(ctx, q.db, q.o.Dialect)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, closeListener)
	s.client, err = river.NewClient(driver, &river.Config{
		ID: s.id, Queues: lanes, Workers: q.workers(s), Logger: riverLogger(q.o.Logger),
		JobTimeout: -1, RescueStuckJobsAfter: never, // ours, in rescue.go, knows whose process died
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll,
		FetchOnlyKnownKinds: true, // another process may be of a newer version
		MaxAttempts:         q.o.MaxAttempts, RetryPolicy: retryPolicy(q.o.RetryDelay),
	})
	if err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	return s.client.Start(context.WithoutCancel(ctx))
}

// Stop takes no more jobs and waits for those that run. When ctx ends their
// contexts end too, and they have ten seconds to return; they run again at the
// next start, and that attempt is not counted. It may be called before Start,
// more than once, and again when it has failed because handlers did not return.
func (q *Queue) Stop(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.session
	if s == nil {
		return nil
	}
	if err := s.client.Stop(ctx); err != nil {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.pace.grace)
		defer cancel()
		if err := s.client.StopAndCancel(grace); err != nil {
			return remuda.Errorf(remuda.Unavailable, "stop jobs: some have not ended %v after they were told to: %w", s.pace.grace, err)
		}
	}
	s.close()
	q.session = nil
	return nil
}

func (s *session) close() {
	for i := len(s.closers) - 1; i >= 0; i-- {
		s.closers[i]()
	}
}

// errLost is why jobs end when other processes may have taken them over.
var errLost = errors.New("the database was out of reach for too long")

// guard returns a job's context, which ends early when abandon is called, and
// what to call when the job has ended.
func (s *session) guard(ctx context.Context, job int64) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancels[job] = cancel
	return ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancels, job)
		cancel(nil)
	}
}

// abandon ends the contexts of all running jobs.
func (s *session) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.cancels {
		cancel(errLost)
	}
}
