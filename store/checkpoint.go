package store

import (
	"context"
	"database/sql"
	"log/slog"
)

// Pages of 4 kB in SQLite's log, which commits add to.
const (
	moveAt   = 4_000  // are moved into the database's file
	fullAt   = 16_000 // are moved by the commit itself, lest a writer who never rests fill the disk
	moveOnce = 3      // goes at the log: what came during one falls to the next
)

// checkpoints moves what SQLite's log holds into the database's file. It does
// so beside the commits, which would otherwise do it in turn and wait for the
// disk: each has its own sync of the log, and needs no more to be durable.
type checkpoints struct {
	beside *sql.DB // a connection of its own: it takes no lock that a writer or a reader needs
	log    *slog.Logger
	wake   chan struct{}
	cancel context.CancelFunc
	ended  chan struct{}
}

func newCheckpoints(beside *sql.DB, log *slog.Logger) *checkpoints {
	ctx, cancel := context.WithCancel(context.Background())
	c := &checkpoints{beside: beside, log: log, wake: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{})}
	go c.run(ctx)
	return c
}

// written is called after a commit.
func (c *checkpoints) written() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// close ends it; the last connection that closes moves what is left.
func (c *checkpoints) close() error {
	c.cancel()
	<-c.ended
	return c.beside.Close()
}

func (c *checkpoints) run(ctx context.Context) {
	defer close(c.ended)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		if err := c.move(ctx); err != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "move the log into the database's file", "error", err)
		}
	}
}

func (c *checkpoints) move(ctx context.Context) error {
	pages, moved, err := checkpoint(ctx, c.beside, "NOOP")
	if pages-moved < moveAt {
		return err
	}
	for try := 0; try < moveOnce && moved < pages && err == nil; try++ {
		pages, moved, err = checkpoint(ctx, c.beside, "PASSIVE")
	}
	return err
}

// checkpoint returns how many pages the log has, and how many of them the
// database's file has too. The mode NOOP does no more than that.
func checkpoint(ctx context.Context, db *sql.DB, mode string) (pages, moved int64, err error) {
	var busy int64
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &pages, &moved)
	return pages, moved, err
}
