package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"remuda"
)

// Ensure a job runs once its transaction has committed, and never otherwise.
func TestJobRunsWhenItsTransactionCommits(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		got := make(chan string, 10)
		q := w.started(t, Options{Handlers: map[string]Handler{"note": noting(got)}})
		lost := errors.New("no")
		err := w.tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := q.Enqueue(t.Context(), tx, "note", "rolled back", time.Time{}); err != nil {
				return err
			}
			return lost
		})
		if !errors.Is(err, lost) {
			t.Fatal(err)
		}
		w.enqueue(t, q, "note", "kept ☂ 12345678901234567890")
		quiet(t, q)
		close(got)
		if ran := slices.Collect(seq(got)); !slices.Equal(ran, []string{"kept ☂ 12345678901234567890"}) {
			t.Errorf("ran %q", ran)
		}
	})
}

func seq[T any](c <-chan T) func(func(T) bool) {
	return func(yield func(T) bool) {
		for v := range c {
			if !yield(v) {
				return
			}
		}
	}
}

// Ensure an error's code decides whether a job is tried again, and that the end
// of the last attempt is told.
func TestErrorsDecideOnRetries(t *testing.T) {
	boom := func(code remuda.Code) func() error {
		return func() error { return fmt.Errorf("work: %w", remuda.Errorf(code, "boom")) }
	}
	cases := []struct {
		name     string
		fail     func() error
		good     int // the attempt that succeeds, 0 for none
		attempts int
		failed   bool
	}{
		{"success", nil, 1, 1, false},
		{"invalid", boom(remuda.Invalid), 0, 1, true},
		{"not_found", boom(remuda.NotFound), 0, 1, true},
		{"conflict", boom(remuda.Conflict), 0, 1, true},
		{"unauthorized", boom(remuda.Unauthorized), 0, 1, true},
		{"unavailable", boom(remuda.Unavailable), 3, 3, false},
		{"unavailable-always", boom(remuda.Unavailable), 0, 4, true},
		{"uncoded", func() error { return errors.New("boom") }, 0, 4, true},
		{"panic", func() error { panic(errors.New("boom")) }, 0, 4, true},
		{"panic-once", func() error { panic("boom") }, 2, 2, false},
	}
	each(t, func(t *testing.T, w world) {
		attempts := make(map[string]*atomic.Int32)
		handlers := make(map[string]Handler)
		for _, c := range cases {
			n := new(atomic.Int32)
			attempts[c.name] = n
			handlers[c.name] = func(context.Context, json.RawMessage) error {
				if int(n.Add(1)) == c.good {
					return nil
				}
				return c.fail()
			}
		}
		var failed sync.Map
		q := w.started(t, Options{Handlers: handlers, MaxAttempts: 4, Failed: func(_ context.Context, kind string, args json.RawMessage, err error) error {
			failed.Store(kind, fmt.Sprintf("%s %v", args, err))
			return nil
		}})
		for _, c := range cases {
			w.enqueue(t, q, c.name, 7)
		}
		quiet(t, q)
		for _, c := range cases {
			if got := int(attempts[c.name].Load()); got != c.attempts {
				t.Errorf("%s: %d attempts, want %d", c.name, got, c.attempts)
			}
			if said, ok := failed.Load(c.name); ok != c.failed {
				t.Errorf("%s: told of its failure: %v (%v), want %v", c.name, ok, said, c.failed)
			}
		}
		if said, _ := failed.Load("invalid"); said != "7 work: boom" {
			t.Errorf("told %q", said)
		}
	})
}

// Ensure the delays that are asked for grow with the attempt.
func TestRetriesWaitLongerEachTime(t *testing.T) {
	var got []time.Duration
	for attempt := 1; attempt <= 7; attempt++ {
		got = append(got, defaultRetryDelay(attempt))
	}
	want := []time.Duration{5 * time.Second, 25 * time.Second, 125 * time.Second, 625 * time.Second, 3125 * time.Second, time.Hour, time.Hour}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w := newWorld(t, SQLite)
	asked := make(chan int, 10)
	q := w.started(t, Options{
		Handlers:    map[string]Handler{"fail": func(context.Context, json.RawMessage) error { return errors.New("boom") }},
		MaxAttempts: 3, RetryDelay: func(attempt int) time.Duration { asked <- attempt; return time.Millisecond },
	})
	w.enqueue(t, q, "fail", nil)
	quiet(t, q)
	close(asked)
	if attempts := slices.Collect(seq(asked)); !slices.Equal(attempts, []int{1, 2}) {
		t.Errorf("asked for the delay after attempts %v", attempts)
	}
}

// Ensure a job whose failure could not be recorded is tried again until it is.
func TestUnrecordedFailureIsToldAgain(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		var told, ran atomic.Int32
		q := w.started(t, Options{
			Handlers: map[string]Handler{"fail": func(context.Context, json.RawMessage) error {
				ran.Add(1)
				return remuda.Errorf(remuda.Invalid, "boom")
			}},
			Failed: func(context.Context, string, json.RawMessage, error) error {
				if told.Add(1) < 3 {
					return errors.New("database is locked")
				}
				return nil
			},
		})
		w.enqueue(t, q, "fail", nil)
		quiet(t, q)
		if told.Load() != 3 || ran.Load() != 3 {
			t.Errorf("told %d times, ran %d times", told.Load(), ran.Load())
		}
	})
}

// Ensure a waiting job that is cancelled never runs, and that a running one is
// told and neither retried nor called failed.
func TestCancel(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		runs, got := make(chan context.Context, 9), make(chan string, 9)
		var failed atomic.Int32
		q := w.started(t, Options{Workers: 1, Handlers: map[string]Handler{"wait": until(runs), "note": noting(got)},
			Failed: func(context.Context, string, json.RawMessage, error) error { failed.Add(1); return nil }})
		running := w.enqueue(t, q, "wait", nil)
		<-runs
		waiting := w.enqueue(t, q, "note", "waiting")
		later := w.enqueueAt(t, q, "note", "later", time.Now().Add(time.Hour))
		for _, id := range []int64{waiting, later, running, running} {
			if err := q.Cancel(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		w.enqueue(t, q, "note", "next") // the only worker is free again
		quiet(t, q)
		if text := <-got; text != "next" || len(got) > 0 || len(runs) > 0 || failed.Load() > 0 {
			t.Errorf("%q ran, %d notes more, %d runs more, %d failures told", text, len(got), len(runs), failed.Load())
		}
		if err := q.Cancel(t.Context(), running); err != nil {
			t.Errorf("cancel one that has ended: %v", err)
		}
		if err := q.Cancel(t.Context(), 1<<40); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("cancel an unknown one: %v", err)
		}
	})
}

// Ensure Stop waits for what runs and may be called at any time, and that
// nothing is lost or done twice between a stop and the next start.
func TestStopWaitsForHandlers(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		begun, release, got := make(chan bool), make(chan bool), make(chan string, 9)
		var ended atomic.Bool
		q := w.queue(t, Options{Workers: 1, Handlers: map[string]Handler{"note": noting(got), "slow": func(ctx context.Context, _ json.RawMessage) error {
			begun <- true
			<-release
			ended.Store(ctx.Err() == nil)
			return nil
		}}})
		if err := q.Stop(t.Context()); err != nil {
			t.Fatalf("stop before start: %v", err)
		}
		start(t, q)
		if err := q.Start(t.Context()); remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("start twice: %v", err)
		}
		w.enqueue(t, q, "slow", nil)
		<-begun
		stopped := make(chan error)
		go func() { stopped <- q.Stop(t.Context()) }()
		release <- true
		if err := <-stopped; err != nil || !ended.Load() {
			t.Errorf("stop: %v; the handler ended undisturbed: %v", err, ended.Load())
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Errorf("stop twice: %v", err)
		}
		w.enqueue(t, q, "note", "meanwhile")
		start(t, q)
		quiet(t, q)
		if text := <-got; text != "meanwhile" || len(got) > 0 || len(begun) > 0 {
			t.Errorf("%q ran, %d notes more", text, len(got))
		}
	})
}

// Ensure Stop does not wait for ever for a handler that will not end, and can
// be called again.
func TestStopGivesUpOnStubbornHandler(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		begun, release := make(chan bool), make(chan bool)
		q := w.queue(t, Options{Workers: 1, Handlers: map[string]Handler{"stubborn": func(context.Context, json.RawMessage) error {
			begun <- true
			<-release
			return nil
		}}})
		q.pace.grace = time.Millisecond
		start(t, q)
		w.enqueue(t, q, "stubborn", nil)
		<-begun
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Stop(over); remuda.CodeOf(err) != remuda.Unavailable {
			t.Errorf("stop: %v", err)
		}
		release <- true
		if err := q.Stop(t.Context()); err != nil {
			t.Errorf("stop again: %v", err)
		}
		quiet(t, q) // its end was recorded
	})
}

// Ensure a job stopped in its work runs again at the next start, even on its
// last attempt and whatever its handler returned.
func TestStoppedJobRunsAgain(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		runs, got, failed := make(chan context.Context), make(chan string, 9), new(atomic.Int32)
		o := Options{MaxAttempts: 1, Workers: 2, Handlers: map[string]Handler{"work": until(runs)},
			Failed: func(context.Context, string, json.RawMessage, error) error { failed.Add(1); return nil }}
		q := w.queue(t, o)
		start(t, q)
		w.enqueue(t, q, "work", "again")
		<-runs
		over, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 { // stopped, started and stopped again
			if err := q.Stop(over); err != nil {
				t.Fatal(err)
			}
			start(t, q)
			<-runs
		}
		if err := q.Stop(over); err != nil {
			t.Fatal(err)
		}
		o.Handlers = map[string]Handler{"work": noting(got)}
		quiet(t, w.started(t, o))
		if text := <-got; text != "again" || failed.Load() > 0 {
			t.Errorf("%q ran, %d failures told", text, failed.Load())
		}
	})
}

// Ensure a Queue without workers enqueues, cancels and refuses what none could
// run, for workers in another process.
func TestQueueWithoutWorkersOnlyEnqueues(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		got := make(chan string, 9)
		o := Options{Handlers: map[string]Handler{"note": noting(got)}}
		q := w.queue(t, o)
		if err := q.Start(t.Context()); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("start: %v", err)
		}
		w.enqueue(t, q, "note", "for another")
		if err := q.Cancel(t.Context(), w.enqueue(t, q, "note", "not for another")); err != nil {
			t.Error(err)
		}
		err := w.tx(t.Context(), func(tx *sql.Tx) error {
			_, err := q.Enqueue(t.Context(), tx, "fly", nil, time.Time{})
			return err
		})
		if err == nil {
			t.Error("enqueued an unknown kind")
		}
		quiet(t, w.started(t, o))
		if text := <-got; text != "for another" || len(got) > 0 {
			t.Errorf("%q ran, and %d more", text, len(got))
		}
	})
}

// Ensure a job of a later time waits for it, and Quiet does not wait for the job.
func TestJobWaitsForItsTime(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		ran := make(chan time.Time, 9)
		q := w.started(t, Options{Handlers: map[string]Handler{"note": func(context.Context, json.RawMessage) error {
			ran <- time.Now()
			return nil
		}}})
		w.enqueueAt(t, q, "note", nil, time.Now().Add(time.Hour))
		quiet(t, q)
		soon := time.Now().Add(time.Second)
		w.enqueueAt(t, q, "note", nil, soon)
		if at := <-ran; at.Before(soon) {
			t.Errorf("ran %v too early", soon.Sub(at))
		}
		quiet(t, q)
		if len(ran) > 0 {
			t.Error("the job of a later time ran")
		}
	})
}

// Ensure long work in a lane of its own does not hold up the rest.
func TestLaneLeavesOthersTheirWorkers(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		runs, got := make(chan context.Context, 9), make(chan string, 9)
		q := w.started(t, Options{Workers: 1, Lanes: map[string]int{"model.trainBest": 1},
			Handlers: map[string]Handler{"model.trainBest": until(runs), "note": noting(got)}})
		first, second := w.enqueue(t, q, "model.trainBest", nil), w.enqueue(t, q, "model.trainBest", nil)
		<-runs
		w.enqueue(t, q, "note", "meanwhile")
		<-got
		if len(runs) > 0 {
			t.Error("two trainings ran at once in a lane for one")
		}
		for _, id := range []int64{second, first} {
			if err := q.Cancel(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
		quiet(t, q)
	})
}

// Ensure handlers, callers and the queue itself share a pool of one connection.
func TestManyWritersShareTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		if _, err := w.db.Exec("CREATE TABLE done (id bigint)"); err != nil {
			t.Fatal(err)
		}
		q := w.started(t, Options{Workers: 8, Handlers: map[string]Handler{"write": func(ctx context.Context, args json.RawMessage) error {
			return w.tx(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, "INSERT INTO done VALUES ("+string(args)+")")
				return err
			})
		}}})
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				for j := range 10 {
					err := w.tx(t.Context(), func(tx *sql.Tx) error {
						_, err := q.Enqueue(t.Context(), tx, "write", 10*i+j, time.Time{})
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		quiet(t, q)
		var rows, distinct int
		if err := w.db.QueryRow("SELECT count(*), count(DISTINCT id) FROM done").Scan(&rows, &distinct); err != nil || rows != 100 || distinct != 100 {
			t.Errorf("%d rows, %d jobs, %v; want 100", rows, distinct, err)
		}
	})
}

// Ensure wrong options are refused with a sentence.
func TestWrongOptionsAreRefused(t *testing.T) {
	w := newWorld(t, SQLite)
	note := map[string]Handler{"note": noting(nil)}
	for name, o := range map[string]Options{
		"dialect":            {Dialect: "oracle", Handlers: note},
		"negative workers":   {Dialect: SQLite, Handlers: note, Workers: -1},
		"unknown lane":       {Dialect: SQLite, Handlers: note, Lanes: map[string]int{"fly": 1}},
		"kind with spaces":   {Dialect: SQLite, Handlers: map[string]Handler{"take notes": noting(nil)}},
		"kind of one letter": {Dialect: SQLite, Handlers: map[string]Handler{"x": noting(nil)}},
		"kind with two dots": {Dialect: SQLite, Handlers: map[string]Handler{"take..notes": noting(nil)}},
	} {
		if _, err := New(w.db, o); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
