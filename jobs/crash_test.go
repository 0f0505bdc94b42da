package jobs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"remuda"
)

// quickPace makes a test of dead processes short.
var quickPace = pace{grace: 2 * time.Second, beat: 100 * time.Millisecond, abandon: 2 * time.Second, takeOver: 4 * time.Second}

// TestMain makes the test binary a process that can be killed at its work.
func TestMain(m *testing.M) {
	if os.Getenv("JOBS_CHILD") == "" {
		os.Exit(m.Run())
	}
	if err := work(os.Getenv("JOBS_CHILD"), os.Getenv("JOBS_ADDRESS")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work takes jobs, says so, and never ends them.
func work(dialect, address string) error {
	db, err := openAs(dialect, address)
	if err != nil {
		return err
	}
	q, err := New(db, Options{Dialect: dialect, Workers: 1, Handlers: map[string]Handler{"work": func(context.Context, json.RawMessage) error {
		fmt.Println("running")
		select {}
	}}})
	if err != nil {
		return err
	}
	q.pace = quickPace
	if err := q.Start(context.Background()); err != nil {
		return err
	}
	_, err = os.Stdin.Read(make([]byte, 1)) // ends when the test does
	return err
}

// Ensure a job whose process is killed at its work runs again, and that the
// kill is not counted as one of its two attempts.
func TestKilledJobRunsAgain(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		got := make(chan string, 9)
		var ran, failed atomic.Int32
		o := Options{MaxAttempts: 2, Workers: 1, Handlers: map[string]Handler{"work": func(ctx context.Context, args json.RawMessage) error {
			if ran.Add(1) == 1 {
				return errors.New("boom")
			}
			return noting(got)(ctx, args)
		}},
			Failed: func(context.Context, string, json.RawMessage, error) error { failed.Add(1); return nil }}
		q := w.queue(t, o)
		q.pace = quickPace
		w.enqueue(t, q, "work", "never lost")
		if w.dialect == SQLite { // one process at a time
			w.db.Close()
		}
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "JOBS_CHILD="+w.dialect, "JOBS_ADDRESS="+w.address)
		child.Stderr = os.Stderr
		if _, err := child.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		defer child.Process.Kill()
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "running\n" {
			t.Fatalf("the child said %q: %v", line, err)
		}
		if w.dialect == Postgres { // a second process leaves the first one's job alone while that lives
			start(t, q)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait() // it was killed; its state says nothing more
		if w.dialect == SQLite {
			w = open(t, w.dialect, w.address)
			q = w.queue(t, o)
			start(t, q)
		}
		quiet(t, q)
		if ran.Load() != 2 || len(got) != 1 || failed.Load() > 0 {
			t.Fatalf("ran %d times, succeeded %d times, %d failures told", ran.Load(), len(got), failed.Load())
		}
		if text := <-got; text != "never lost" {
			t.Errorf("got %q", text)
		}
	})
}

// Ensure a living process keeps its job, however long that runs.
func TestLivingProcessKeepsItsJob(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Postgres)
	runs, freed := make(chan context.Context, 9), make(chan error)
	o := Options{Workers: 1, Handlers: map[string]Handler{"work": until(runs)}}
	first, second := w.queue(t, o), w.queue(t, o)
	first.pace, second.pace = quickPace, quickPace
	start(t, first)
	id := w.enqueue(t, first, "work", nil)
	<-runs
	start(t, second)
	own := second.session
	go func() { // fifty looks for jobs of the dead, one by one
		for range 50 {
			if err := own.rescue(t.Context(), own.aliveFor(t), time.Now()); err != nil {
				freed <- err
				return
			}
		}
		freed <- nil
	}()
	if err := <-freed; err != nil {
		t.Fatal(err)
	}
	if err := second.Cancel(t.Context(), id); err != nil { // reaches the other process
		t.Fatal(err)
	}
	quiet(t, second)
	if len(runs) > 0 {
		t.Error("the job ran twice")
	}
}

// aliveFor returns what the session knows of the living.
func (s *session) aliveFor(t *testing.T) func(string) bool {
	t.Helper()
	alive, _, err := s.living(t.Context())
	if err != nil {
		t.Error(err)
	}
	return alive
}

// Ensure a process that cannot reach the database ends its jobs before another
// may take them over.
func TestProcessWithoutDatabaseEndsItsJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Postgres)
	runs := make(chan context.Context, 9)
	q := w.queue(t, Options{Workers: 1, Handlers: map[string]Handler{"work": until(runs)}})
	q.pace = quickPace
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.enqueue(t, q, "work", nil)
	ctx := <-runs
	w.db.Close()
	<-ctx.Done() // the test's own time limit is the bound
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Stop(over); err != nil && remuda.CodeOf(err) != remuda.Unavailable { // the job's end cannot be recorded
		t.Error(err)
	}
}

// Ensure a job that the database handed to this process while the line between
// them broke, so that it never came to run, is made available again.
func TestJobLostOnItsWayIsFreed(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		q := w.queue(t, Options{Workers: 1, Lanes: map[string]int{"lost": 0}, Handlers: map[string]Handler{"lost": noting(nil)}})
		q.pace = quickPace
		start(t, q)
		id := w.enqueue(t, q, "lost", "x")
		exec := q.driver.GetExecutor()
		taken, err := exec.JobGetAvailable(t.Context(), &riverdriver.JobGetAvailableParams{
			ClientID: q.session.id, MaxAttemptedBy: 100, MaxToLock: 10, Queue: "lane_lost",
		})
		if err != nil || len(taken.Jobs) != 1 {
			t.Fatalf("took %v: %v", taken, err)
		}
		for { // the test's own time limit is the bound
			job, err := exec.JobGetByID(t.Context(), &riverdriver.JobGetByIDParams{ID: id})
			if err != nil {
				t.Fatal(err)
			}
			if job.State == rivertype.JobStateAvailable {
				if job.Attempt != 0 {
					t.Errorf("attempt %d was counted", job.Attempt)
				}
				return
			}
		}
	})
}

// Ensure a job that process after process dies of fails for good.
func TestJobThatKillsEveryProcessFails(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		got, failed := make(chan string, 9), make(chan error, 9)
		q := w.queue(t, Options{Workers: 1, Handlers: map[string]Handler{"work": noting(got)},
			Failed: func(_ context.Context, _ string, _ json.RawMessage, err error) error { failed <- err; return nil }})
		w.enqueue(t, q, "work", "deadly")
		dead := &session{dialect: w.dialect, driver: q.driver, log: q.o.Logger}
		for range maxCrashes {
			taken, err := q.driver.GetExecutor().JobGetAvailable(t.Context(), &riverdriver.JobGetAvailableParams{
				ClientID: "dead", MaxAttemptedBy: 100, MaxToLock: 10, Queue: river.QueueDefault,
			})
			if err != nil || len(taken.Jobs) != 1 {
				t.Fatalf("took %v: %v", taken, err)
			}
			if err := dead.rescue(t.Context(), func(string) bool { return false }, taken.Jobs[0].AttemptedAt.UTC()); err != nil {
				t.Fatal(err)
			}
		}
		start(t, q)
		quiet(t, q)
		if err := <-failed; remuda.CodeOf(err) != remuda.Conflict || len(got) > 0 || len(failed) > 0 {
			t.Errorf("failed with %v, ran %d times, %d failures more", err, len(got), len(failed))
		}
	})
}

// Ensure a new process leads at once when the one that led has died.
func TestDeadLeaderResigns(t *testing.T) {
	w := newWorld(t, SQLite)
	q := w.queue(t, Options{Workers: 1, Handlers: map[string]Handler{"work": noting(nil)}})
	exec := q.driver.GetExecutor()
	if _, err := exec.LeaderAttemptElect(t.Context(), &riverdriver.LeaderElectParams{LeaderID: "dead", TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	next := &session{dialect: w.dialect, driver: q.driver, log: q.o.Logger, pace: usualPace}
	defer next.close()
	for range 2 { // and none that led is fine too
		if err := next.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if leader, err := exec.LeaderGetElectedLeader(t.Context(), &riverdriver.LeaderGetElectedLeaderParams{}); !errors.Is(err, rivertype.ErrNotFound) {
			t.Errorf("%+v leads, %v", leader, err)
		}
	}
}
