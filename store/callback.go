package store

import (
	"time"

	"remuda"
	"remuda/label"
)

// CallbackStatus is how far a callback is.
type CallbackStatus string

// The states of a callback.
const (
	CallbackWaiting CallbackStatus = "waiting"
	CallbackDone    CallbackStatus = "done"   // the address answered that it has it
	CallbackFailed  CallbackStatus = "failed" // given up
)

// Callback is something that an address the user gave is told.
type Callback struct {
	ID        string
	World     remuda.World
	BatchID   string
	Task      string // id; "" where the batch is what is told of
	Event     label.EventKind
	URL       string
	Status    CallbackStatus
	Attempts  int
	NextAt    time.Time // of the next attempt; zero when there will be none
	Answer    string    // to the last attempt: a status, or why there was none
	CreatedAt time.Time
	UpdatedAt time.Time
}

const callbackColumns = "id, world, batch, task, event, url, status, attempts, next_at, answer, created_at, updated_at"

func scanCallback(row rowScanner) (c Callback, err error) {
	var next, created, updated int64
	err = row.Scan(&c.ID, &c.World, &c.BatchID, &c.Task, &c.Event, &c.URL, &c.Status, &c.Attempts, &next, &c.Answer, &created, &updated)
	if next != 0 {
		c.NextAt = fromMillis(next)
	}
	c.CreatedAt, c.UpdatedAt = fromMillis(created), fromMillis(updated)
	return c, err
}

// CallbackRef is what the queue carries of a callback: the row says the rest.
type CallbackRef struct {
	Callback string `json:"callback"`
	Attempt  int    `json:"attempt"` // from 1; another one is out of date
}

// AddCallback adds a callback with a new id and puts its first attempt into the
// queue as work of a kind, both when this transaction commits; nothing is
// queued of one that has failed already.
func (tx *Tx) AddCallback(kind string, c Callback) (Callback, error) {
	c.ID, c.World, c.CreatedAt, c.UpdatedAt = tx.NewID("cb"), tx.Caller.World, tx.Now, tx.Now
	next := int64(0)
	if c.Status != CallbackFailed {
		c.Status, c.NextAt, next = CallbackWaiting, tx.Now, millis(tx.Now)
	}
	_, err := tx.exec("INSERT INTO callback ("+callbackColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
		c.ID, c.World, c.BatchID, c.Task, c.Event, c.URL, c.Status, c.Attempts, next, c.Answer, millis(c.CreatedAt), millis(c.UpdatedAt))
	if err != nil || c.Status == CallbackFailed {
		return c, err
	}
	return c, tx.Enqueue(kind, CallbackRef{c.ID, 1}, time.Time{})
}

// AnyCallback returns a callback of either world: for the worker that sends it.
func (tx *Tx) AnyCallback(id string) (Callback, error) {
	return one(tx, "callback "+id, scanCallback, "SELECT "+callbackColumns+" FROM callback WHERE id = $1", id)
}

// Callback returns a callback of the caller's world.
func (tx *Tx) Callback(id string) (Callback, error) {
	return one(tx, "callback "+id, scanCallback, "SELECT "+callbackColumns+" FROM callback WHERE id = $1 AND world = $2", id, tx.Caller.World)
}

// UpdateCallback writes how a callback went; where it waits, its next attempt is
// put into the queue as work of a kind, at its time.
func (tx *Tx) UpdateCallback(kind string, c Callback) error {
	var next int64
	if c.Status == CallbackWaiting {
		next = millis(c.NextAt)
	}
	_, err := tx.exec("UPDATE callback SET status = $2, attempts = $3, next_at = $4, answer = $5, updated_at = $6 WHERE id = $1",
		c.ID, c.Status, c.Attempts, next, c.Answer, millis(tx.Now))
	if err != nil || c.Status != CallbackWaiting {
		return err
	}
	return tx.Enqueue(kind, CallbackRef{c.ID, c.Attempts + 1}, c.NextAt)
}

// SetCallbackOK notes with the task, or the batch, whether its last callback arrived.
func (tx *Tx) SetCallbackOK(c Callback, ok bool) error {
	if c.Task != "" {
		_, err := tx.exec("UPDATE task SET callback_ok = $2 WHERE id = $1", c.Task, ok)
		return err
	}
	_, err := tx.exec("UPDATE batch SET callback_ok = $2 WHERE id = $1", c.BatchID, ok)
	return err
}

// CallbackFilter chooses callbacks; zero fields choose all.
type CallbackFilter struct {
	Task, BatchID string
	Status        CallbackStatus
	Before        string // id of the callback after the first one
	Limit         int
}

// Callbacks returns those of the caller's world that the filter chooses, newest first.
func (tx *Tx) Callbacks(f CallbackFilter) ([]Callback, error) {
	where := conditions{args: []any{tx.Caller.World}}
	if f.Task != "" {
		where.add("task = ? AND task <> ''", f.Task)
	}
	if f.BatchID != "" {
		where.add("batch = ?", f.BatchID)
	}
	if f.Status != "" {
		where.add("status = ?", f.Status)
	}
	if f.Before != "" {
		where.add("id < ?", f.Before)
	}
	where.args = append(where.args, limit(f.Limit))
	return all(tx, scanCallback, "SELECT "+callbackColumns+" FROM callback WHERE world = $1"+where.text()+" ORDER BY id DESC LIMIT "+placeholder(len(where.args)), where.args...)
}
