package store

import (
	"remuda/label"
)

// OwnTasks returns the tasks of the caller's world that a person holds, that
// are only for them and wait, or that wait and they have a draft of: at most n
// of them, in this order of importance, pending ones and audits alike.
func (tx *Tx) OwnTasks(person string, n int) ([]Task, error) {
	ids, err := all(tx, scalar[string], `SELECT id FROM (
		SELECT id, 1 AS place FROM task WHERE holder = $1 AND holder <> '' AND world = $2
		UNION ALL SELECT id, 2 FROM task WHERE only_for = $1 AND only_for <> '' AND status = 'pending' AND world = $2
		UNION ALL SELECT t.id, 3 FROM draft d JOIN task t ON t.id = d.task WHERE d.person = $1 AND t.status = 'pending' AND t.world = $2
		) AS own GROUP BY id ORDER BY MIN(place), id LIMIT $3`, person, tx.Caller.World, limit(n))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return tx.Tasks(ids)
}

// QueuedTasks returns the first n of a batch's tasks that wait for a stage and
// that nobody holds and a person has neither worked on nor skipped: by
// priority, highest first, then age. In PostgreSQL it locks them and passes over
// those that others have locked, lest all who ask at once be given the same.
func (tx *Tx) QueuedTasks(batch string, stage label.Stage, person string, n int) ([]Task, error) {
	order := "t.priority DESC, t.id"
	if stage == label.Auditing {
		order = "t.completed_at, t.id"
	}
	query := `SELECT t.id FROM task t WHERE t.batch = $1 AND t.queue = $2 AND t.queue <> '' AND t.lease_until <= $3 AND t.seen NOT LIKE $4 ESCAPE '\'
		ORDER BY ` + order + ` LIMIT $5`
	if tx.dialect == Postgres {
		query += " FOR UPDATE SKIP LOCKED"
	}
	ids, err := all(tx, scalar[string], query, batch, stage, millis(tx.Now), "% "+likeMark(person)+"%", limit(n))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return tx.Tasks(ids)
}

// SampledTasks returns the first n completed tasks of the caller's world, or of
// a batch, that were chosen to be audited and have not been, that nobody holds
// and a person has not worked on: the oldest result first.
func (tx *Tx) SampledTasks(batch, person string, n int) ([]Task, error) {
	query := `SELECT t.id FROM task t WHERE t.world = $1 AND t.queue = 'audit' AND (t.batch = $2 OR $3 = '') AND t.lease_until <= $4 AND t.seen NOT LIKE $5 ESCAPE '\'
		ORDER BY t.completed_at, t.id LIMIT $6`
	if tx.dialect == Postgres {
		query += " FOR UPDATE SKIP LOCKED"
	}
	ids, err := all(tx, scalar[string], query, tx.Caller.World, batch, batch, millis(tx.Now), "% "+likeMark(person)+"%", limit(n))
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	return tx.Tasks(ids)
}

// BatchTasksAfter returns the tasks of a batch that have a status and an id
// above one, the instances of quality tasks too, in the order of ids.
func (tx *Tx) BatchTasksAfter(batch string, status label.Status, id string, n int) ([]Task, error) {
	return all(tx, scanTask, taskSelect+"WHERE t.world = $1 AND t.batch = $2 AND t.status = $3 AND t.id > $4 ORDER BY t.id LIMIT $5",
		tx.Caller.World, batch, status, id, limit(n))
}

// CompletedTaskIDs returns the ids of a batch's real completed tasks.
func (tx *Tx) CompletedTaskIDs(batch string) ([]string, error) {
	return all(tx, scalar[string], "SELECT id FROM task WHERE world = $1 AND batch = $2 AND status = 'completed' AND kind = '' ORDER BY id", tx.Caller.World, batch)
}
