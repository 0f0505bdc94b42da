package store

import (
	"context"
	"errors"
	"time"

	"remuda"
)

// Patience is how long a transaction waits for PostgreSQL: without it, one that
// runs but no longer answers would hold requests and jobs for ever. SQLite, a
// file on this machine, needs none.
type Patience struct {
	Begin time.Duration // for a connection and the transaction's begin
	Step  time.Duration // for a statement's next row, or its end
}

// usualPatience leaves a statement far more time than any of ours takes.
var usualPatience = Patience{Begin: 15 * time.Second, Step: 2 * time.Minute}

// errSilent is why transactions end whose database does not answer.
var errSilent = errors.New("it has not answered in time")

// watch ends a transaction's context when the database keeps it waiting for
// too long. The time that we take between two answers doesn't count.
type watch struct {
	cancel context.CancelCauseFunc
	timer  *time.Timer // nil has all the time in the world
	step   time.Duration
}

// watched returns a context for a transaction, which waits for its begin.
func (db *DB) watched(ctx context.Context) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{cancel: cancel, step: db.patience.Step}
	if db.dialect == Postgres {
		w.timer = time.AfterFunc(db.patience.Begin, func() { cancel(errSilent) })
	}
	return ctx, w
}

// ask is called before the database is waited for.
func (w *watch) ask() {
	if w.timer != nil {
		w.timer.Reset(w.step)
	}
}

// answered is called after that.
func (w *watch) answered() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watch) end() {
	w.answered()
	w.cancel(nil)
}

// silent says of an error that it came from a database that doesn't answer.
func silent(ctx context.Context, err error) error {
	if err == nil || !errors.Is(context.Cause(ctx), errSilent) {
		return err
	}
	return remuda.Errorf(remuda.Unavailable, "wait for the database: %w", remuda.Because(err, "%v", errSilent)).
		WithHint("look whether it is overloaded or its network is down, then try again")
}
