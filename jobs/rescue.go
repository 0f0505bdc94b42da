package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// pace is how long things take that tests cannot wait for.
type pace struct {
	grace time.Duration // for handlers to return once their context has ended

	beat     time.Duration // how often a process shows it
	abandon  time.Duration // without having shown it: end what runs here; or claimed here without running: lost
	takeOver time.Duration // without having shown it: dead to the others
}

var usualPace = pace{grace: 10 * time.Second, beat: 10 * time.Second, abandon: 40 * time.Second, takeOver: time.Minute}

const (
	never = 10 * 365 * 24 * time.Hour

	maxCrashes  = 20   // a job that so many processes died of fails for good
	rescueBatch = 1000 // jobs freed in one transaction
	maxBeats    = 10_000

	// rescueLock is the PostgreSQL advisory lock held while jobs are freed: "remuda jb".
	rescueLock = 0x72656d7564616a62
	// beatPrefix starts the name of a process's row among River's queues, whose
	// times River keeps and whose stale rows it removes.
	beatPrefix = "process-"
)

// begin frees what dead processes left, goes on to look for lost jobs and, where
// several processes may live, shows that this one does.
func (s *session) begin(ctx context.Context) error {
	if s.dialect == SQLite {
		if err := s.resignDead(ctx); err != nil {
			return err
		}
	}
	if err := s.beat(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var done sync.WaitGroup
	done.Go(func() { s.beatUntil(ctx) })
	s.closers = append(s.closers, func() { cancel(); done.Wait() })
	return nil
}

// beatUntil shows that this process lives until ctx ends.
func (s *session) beatUntil(ctx context.Context) {
	tick := time.NewTicker(s.pace.beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		attempt, cancel := context.WithTimeout(ctx, s.pace.beat)
		err := s.beat(attempt)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "renew the claim on running jobs", "error", err)
		}
		if time.Since(s.lastBeat) > s.pace.abandon {
			s.abandon()
		}
	}
}

// beat shows that this process lives and frees the jobs of those that don't.
func (s *session) beat(ctx context.Context) (err error) {
	start := time.Now()
	alive, now := func(id string) bool { return id == s.id }, start
	if s.dialect != SQLite {
		if alive, now, err = s.living(ctx); err != nil {
			return err
		}
	}
	s.lastBeat = start
	return s.rescue(ctx, alive, now)
}

// living shows that this process lives, and returns which others do and the
// database's time.
func (s *session) living(ctx context.Context) (alive func(id string) bool, now time.Time, err error) {
	exec := s.driver.GetExecutor()
	own, err := exec.QueueCreateOrSetUpdatedAt(ctx, &riverdriver.QueueCreateOrSetUpdatedAtParams{Name: beatPrefix + s.id, Metadata: []byte("{}")})
	if err != nil {
		return nil, time.Time{}, err
	}
	beats, err := exec.QueueList(ctx, &riverdriver.QueueListParams{Max: maxBeats})
	if err != nil {
		return nil, time.Time{}, err
	}
	ids := make(map[string]bool)
	for _, b := range beats {
		if id, ok := strings.CutPrefix(b.Name, beatPrefix); ok && own.UpdatedAt.Sub(b.UpdatedAt) < s.pace.takeOver {
			ids[id] = true
		}
	}
	return func(id string) bool { return ids[id] }, own.UpdatedAt, nil
}

// rescue makes the running jobs of dead processes available, and those of this
// one that got lost on their way from or to the database. Now is the database's.
func (s *session) rescue(ctx context.Context, alive func(id string) bool, now time.Time) error {
	idle := make(map[int64]time.Time)
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle = idle
	}()
	for after, more := int64(0), true; more; {
		tx, err := s.driver.GetExecutor().Begin(ctx)
		if err != nil {
			return err
		}
		if after, more, err = s.rescueBatch(ctx, tx, after, func(job *rivertype.JobRow) bool { return s.dead(job, alive, idle) }, now); err == nil {
			err = tx.Commit(ctx)
		}
		if err != nil {
			_ = tx.Rollback(context.WithoutCancel(ctx)) // the first error says more
			return err
		}
	}
	return nil
}

// rescueBatch goes through the running jobs with an id above after, and returns
// the last id seen and whether there may be more.
func (s *session) rescueBatch(ctx context.Context, tx riverdriver.ExecutorTx, after int64, dead func(*rivertype.JobRow) bool, now time.Time) (int64, bool, error) {
	if s.dialect != SQLite { // which has one writer at a time
		if _, err := tx.PGAdvisoryXactLock(ctx, rescueLock); err != nil {
			return after, false, err
		}
	}
	running, err := tx.JobGetStuck(ctx, &riverdriver.JobGetStuckParams{AfterID: after, Max: rescueBatch, StuckHorizon: now.Add(time.Hour)})
	if err != nil {
		return after, false, err
	}
	var free riverdriver.JobSetStateIfRunningManyParams
	for _, job := range running {
		after = job.ID
		if !dead(job) {
			continue
		}
		s.log.WarnContext(ctx, "run again the job of a process that died, or lost it", "kind", job.Kind, "job", job.ID)
		freeJob(&free, job, now)
	}
	if len(free.ID) > 0 {
		_, err = tx.JobSetStateIfRunningMany(ctx, &free)
	}
	return after, len(running) == rescueBatch, err
}

// dead says whether nobody works on a running job: its process has died, or it is
// this one, which does not work on it and did not a while ago. The database went
// away while it handed the job out, or when it should have learned of its end.
func (s *session) dead(job *rivertype.JobRow, alive func(id string) bool, idle map[int64]time.Time) bool {
	by := ""
	if n := len(job.AttemptedBy); n > 0 {
		by = job.AttemptedBy[n-1]
	}
	if by != s.id {
		return !alive(by)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, runs := s.cancels[job.ID]; runs {
		return false
	}
	since, known := s.idle[job.ID]
	if !known {
		since = time.Now()
	}
	idle[job.ID] = since
	return time.Since(since) > s.pace.abandon
}

// freeJob adds a job to those made available: the attempt is not counted, the
// crash is.
func freeJob(to *riverdriver.JobSetStateIfRunningManyParams, job *rivertype.JobRow, now time.Time) {
	attempt := max(job.Attempt-1, 0)
	counted, _ := json.Marshal(metadata{Crashes: crashes(job.Metadata) + 1}) // an int cannot fail to encode
	to.ID = append(to.ID, job.ID)
	to.Attempt = append(to.Attempt, &attempt)
	to.ErrData = append(to.ErrData, nil)
	to.FinalizedAt = append(to.FinalizedAt, nil)
	to.MetadataDoMerge = append(to.MetadataDoMerge, true)
	to.MetadataUpdates = append(to.MetadataUpdates, counted)
	to.ScheduledAt = append(to.ScheduledAt, &now)
	to.State = append(to.State, rivertype.JobStateAvailable)
}

// metadata is what this package keeps beside a job.
type metadata struct {
	Crashes int `json:"crashes"`
}

// crashes returns how many processes died while a job ran.
func crashes(raw []byte) int {
	var m metadata
	if json.Unmarshal(raw, &m) != nil {
		return 0 // not ours
	}
	return m.Crashes
}

// resignDead takes River's leadership from the process that died with it, so
// that scheduled jobs need not wait for it to run out.
func (s *session) resignDead(ctx context.Context) error {
	exec := s.driver.GetExecutor()
	leader, err := exec.LeaderGetElectedLeader(ctx, &riverdriver.LeaderGetElectedLeaderParams{})
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = exec.LeaderResign(ctx, &riverdriver.LeaderResignParams{ElectedAt: leader.ElectedAt, LeaderID: leader.LeaderID, LeadershipTopic: "river_leadership"})
	return err
}
