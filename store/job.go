package store

import (
	"encoding/json"
	"strings"
	"time"

	"remuda"
)

// JobStatus says how far a job is.
type JobStatus string

// The states of a job: waiting → running → completed, failed or cancelled. A
// job whose server died goes back to waiting.
const (
	JobWaiting   JobStatus = "waiting"
	JobRunning   JobStatus = "running"
	JobCompleted JobStatus = "completed"
	JobFailed    JobStatus = "failed"
	JobCancelled JobStatus = "cancelled"
)

// Ended says whether nothing will change any more.
func (s JobStatus) Ended() bool { return s == JobCompleted || s == JobFailed || s == JobCancelled }

// Job is a piece of background work as users see it.
type Job struct {
	ID        string
	World     remuda.World
	Type      string // also the kind of work in the queue
	Dataset   string // "" if it is of none
	Status    JobStatus
	Args      json.RawMessage
	Result    json.RawMessage // "null" until completed
	Problem   string          // why it failed, a sentence
	Done      int64           // steps of Total
	Total     int64
	QueueID   int64
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
}

const jobColumns = "id, world, type, dataset, status, args, result, problem, done, total, queue_id, created_at, created_by, updated_at"

func scanJob(row rowScanner) (j Job, err error) {
	var args, result string
	var created, updated int64
	err = row.Scan(&j.ID, &j.World, &j.Type, &j.Dataset, &j.Status, &args, &result, &j.Problem, &j.Done, &j.Total, &j.QueueID, &created, &j.CreatedBy, &updated)
	j.Args, j.Result, j.CreatedAt, j.UpdatedAt = json.RawMessage(args), json.RawMessage(result), fromMillis(created), fromMillis(updated)
	return j, err
}

// JobRef is what the queue carries: the row says the rest.
type JobRef struct {
	Job string `json:"job"`
}

// NewJob adds a job and puts it into the queue, both when this transaction commits.
func (tx *Tx) NewJob(kind, dataset string, args any, total int64) (Job, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return Job{}, remuda.Errorf(remuda.Internal, "write the arguments of a job: %w", err)
	}
	j := Job{
		ID: tx.NewID("job"), World: tx.Caller.World, Type: kind, Dataset: dataset, Status: JobWaiting, Args: text, Result: json.RawMessage("null"),
		Total: total, CreatedAt: tx.Now, CreatedBy: tx.Caller.Author(), UpdatedAt: tx.Now,
	}
	if j.QueueID, err = tx.enqueue(kind, JobRef{Job: j.ID}, time.Time{}); err != nil {
		return Job{}, err
	}
	_, err = tx.exec(`INSERT INTO job (`+jobColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		j.ID, j.World, j.Type, j.Dataset, j.Status, string(j.Args), string(j.Result), j.Problem, j.Done, j.Total, j.QueueID, millis(j.CreatedAt), j.CreatedBy, millis(j.UpdatedAt))
	return j, err
}

// Enqueue puts work into the queue that has no job's row, since a row of
// another table says how far it is: due at a time or, if that is zero, now.
func (tx *Tx) Enqueue(kind string, args any, at time.Time) error {
	_, err := tx.enqueue(kind, args, at)
	return err
}

func (tx *Tx) enqueue(kind string, args any, at time.Time) (int64, error) {
	tx.watch.ask()
	defer tx.watch.answered()
	number, err := tx.db.jobs.Enqueue(tx.ctx, tx.sql, kind, args, at)
	return number, failure("queue a job", err)
}

// Job returns a job of the caller's world.
func (tx *Tx) Job(id string) (Job, error) {
	return one(tx, "job "+id, scanJob, "SELECT "+jobColumns+" FROM job WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// AnyJob returns a job of either world: for the worker that carries it out.
func (tx *Tx) AnyJob(id string) (Job, error) {
	return one(tx, "job "+id, scanJob, "SELECT "+jobColumns+" FROM job WHERE id = $1", id)
}

// JobFilter chooses jobs; zero fields choose all.
type JobFilter struct {
	Dataset    string
	Types      []string
	From, To   time.Time // of their creation
	Unfinished bool      // only those that have not ended
	Limit      int
}

// Jobs returns those of the caller's world that the filter chooses, newest
// first, without their arguments, which can be long.
func (tx *Tx) Jobs(f JobFilter) ([]Job, error) {
	var where strings.Builder
	args := []any{tx.Caller.World}
	add := func(condition string, arg any) {
		args = append(args, arg)
		where.WriteString(strings.ReplaceAll(condition, "?", placeholder(len(args))))
	}
	if f.Dataset != "" {
		add(" AND dataset = ?", f.Dataset)
	}
	if !f.From.IsZero() {
		add(" AND created_at >= ?", millis(f.From))
	}
	if !f.To.IsZero() {
		add(" AND created_at <= ?", millis(f.To))
	}
	if f.Unfinished {
		where.WriteString(" AND status IN ('waiting', 'running')")
	}
	if len(f.Types) > 0 {
		marks := make([]string, len(f.Types))
		for i, kind := range f.Types {
			args = append(args, kind)
			marks[i] = placeholder(len(args))
		}
		where.WriteString(" AND type IN (" + strings.Join(marks, ", ") + ")")
	}
	args = append(args, limit(f.Limit))
	return all(tx, scanJob, "SELECT "+strings.Replace(jobColumns, " args", " 'null'", 1)+" FROM job WHERE world = $1"+where.String()+" ORDER BY id DESC LIMIT "+placeholder(len(args)), args...)
}

// UpdateJob writes a job's status, result, problem and progress; one that has
// ended, cancelled while it ran for instance, stays as it is.
func (tx *Tx) UpdateJob(j Job) error {
	_, err := tx.exec("UPDATE job SET status = $2, result = $3, problem = $4, done = $5, total = $6, updated_at = $7 WHERE id = $1 AND status IN ('waiting', 'running')",
		j.ID, j.Status, string(orNull(j.Result)), j.Problem, j.Done, j.Total, millis(tx.Now))
	return err
}

// maxJobErrors is how many messages of single rows a job keeps.
const maxJobErrors = 10_000

// AddJobErrors notes what was wrong with single rows of a job.
func (tx *Tx) AddJobErrors(job string, messages []string) error {
	n, err := one(tx, "job "+job, scalar[int64], "SELECT COALESCE(MAX(number), 0) FROM job_error WHERE job = $1", job)
	if err != nil {
		return err
	}
	messages = messages[:min(int64(len(messages)), max(0, maxJobErrors-n))]
	rows := make([][]any, len(messages))
	for i, message := range messages {
		rows[i] = []any{job, n + int64(i) + 1, strings.ToValidUTF8(strings.ReplaceAll(message, "\x00", ""), "�")}
	}
	return tx.insert("job_error", "job, number, message", "", rows)
}

// ClearJobErrors forgets the messages of a job that begins again.
func (tx *Tx) ClearJobErrors(job string) error {
	_, err := tx.exec("DELETE FROM job_error WHERE job = $1", job)
	return err
}

// JobErrors returns what was wrong with single rows of a job of the caller's world.
func (tx *Tx) JobErrors(id string) ([]string, error) {
	if _, err := tx.Job(id); err != nil {
		return nil, err
	}
	return all(tx, scalar[string], "SELECT message FROM job_error WHERE job = $1 ORDER BY number", id)
}
