package store

import (
	"encoding/json"
	"time"

	"remuda/label"
)

// Attempt is an attempt, a review or an audit that was handed in, with the task
// it was for.
type Attempt struct {
	Task      string
	ProjectID string
	BatchID   string
	Kind      label.Kind // of the task
	label.Work
}

const attemptColumns = "task, project, batch, kind, stage, person, round, since, at, submission"

func scanAttempt(row rowScanner) (a Attempt, err error) {
	var since, at int64
	var submission string
	if err = row.Scan(&a.Task, &a.ProjectID, &a.BatchID, &a.Kind, &a.Stage, &a.By, &a.Round, &since, &at, &submission); err != nil {
		return a, err
	}
	a.Since, a.At = fromMillis(since), fromMillis(at)
	return a, json.Unmarshal([]byte(submission), &a.Submission)
}

// addAttempts adds what was handed in since the task was read. That its lease
// is the key keeps anything from counting twice.
func (tx *Tx) addAttempts(before, t Task) error {
	for _, w := range t.Work[min(len(before.Work), len(t.Work)):] {
		submission, err := jsonText(w.Submission)
		if err != nil {
			return err
		}
		_, err = tx.exec(`INSERT INTO attempt (task, lease, world, project, batch, kind, stage, person, round, since, at, active, instruction, taxonomy, submission)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			t.ID, w.Lease, t.World, t.ProjectID, t.BatchID, t.Kind, w.Stage, w.By, w.Round, millis(w.Since), millis(w.At),
			w.Active.Milliseconds(), w.Instruction, w.Taxonomy, submission)
		if err != nil {
			return err
		}
	}
	return nil
}

// AttemptFilter chooses what was handed in; zero fields choose all.
type AttemptFilter struct {
	ProjectID, BatchID, Person string
	Stage                      label.Stage
	From, To                   time.Time // of handing in
}

// Attempts hands those of the caller's world that the filter chooses to do,
// oldest first.
func (tx *Tx) Attempts(f AttemptFilter, do func(Attempt) error) error {
	where := conditions{args: []any{tx.Caller.World}}
	where.equal("project", f.ProjectID)
	where.equal("batch", f.BatchID)
	where.equal("person", f.Person)
	where.equal("stage", string(f.Stage))
	where.span("at", f.From, f.To)
	return each(tx, scanAttempt, do, "SELECT "+attemptColumns+" FROM attempt WHERE world = $1"+where.text()+" ORDER BY at, task, lease", where.args...)
}
