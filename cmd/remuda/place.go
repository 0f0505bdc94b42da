package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"remuda"
	"remuda/api/scale"
	"remuda/blob"
	"remuda/flow"
	"remuda/jobs"
	"remuda/store"
)

// place is where a server keeps everything.
type place struct {
	Data     string `help:"Folder of the server (default: remuda in the user's data folder)." env:"REMUDA_DATA" placeholder:"DIR"`
	Database string `help:"Address of a PostgreSQL database, postgres://… (default: a file in the folder)." env:"REMUDA_DATABASE" placeholder:"URL"`
}

// files is where a server keeps the bytes of images, and where it may get them.
type files struct {
	Bucket     string   `help:"Bucket or folder of the images, s3://NAME?region=… (default: in the folder)." env:"REMUDA_BUCKET" placeholder:"URL"`
	AllowFetch []string `help:"Private addresses that image URLs may name." env:"REMUDA_ALLOW_FETCH" placeholder:"CIDR"`
}

// What stands in a server's folder.
const (
	databaseFile = "remuda.db"
	filesFolder  = "files"
	lockFile     = "server.lock"
	loginFile    = "first-login.txt"
)

// dir returns the server's folder and makes it if it is missing. What is made
// in it from now on is its owner's alone.
func (p place) dir() (string, error) {
	dir := p.Data
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", remuda.Errorf(remuda.Invalid, "find the user's home folder: %w", err).WithHint("name a folder with --data")
		}
		dir = filepath.Join(home, ".local", "share", "remuda")
	}
	syscall.Umask(0o077)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", remuda.Errorf(remuda.Unavailable, "make the server's folder: %w", err).WithHint("name a folder that you may write to with --data")
	}
	return dir, nil
}

// database returns the location of the database.
func (p place) database(dir string) string {
	if p.Database != "" {
		return p.Database
	}
	return filepath.Join(dir, databaseFile)
}

// embedded says whether the database is a file in the folder.
func (p place) embedded() bool { return p.Database == "" }

// checkDatabase refuses what is no address of a database.
func (p place) checkDatabase() error {
	if p.Database != "" && !strings.HasPrefix(p.Database, "postgres://") && !strings.HasPrefix(p.Database, "postgresql://") {
		return remuda.Errorf(remuda.Invalid, "--database takes the address of a PostgreSQL database").WithHint("write it like postgres://user:password@host/remuda, or leave it out for a file in --data")
	}
	return nil
}

// lock keeps other servers and workers away from a folder.
func lock(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, remuda.Errorf(remuda.Unavailable, "open the server's folder: %w", err).WithHint("name a folder that you may write to with --data")
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 20)) // only to be helpful
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, remuda.Errorf(remuda.Conflict, "another remuda (process %s) works in %s", strings.TrimSpace(string(holder)), dir).
				WithHint("stop it first, or name another folder with --data; key, user and backup work beside it")
		}
		return nil, remuda.Errorf(remuda.Unavailable, "lock the server's folder: %w", err).WithHint("the folder must lie on a file system that knows locks")
	}
	err = errors.Join(f.Truncate(0), func() error { _, err := fmt.Fprintln(f, os.Getpid()); return err }())
	if err != nil {
		_ = f.Close()
		return nil, remuda.Errorf(remuda.Unavailable, "write to the server's folder: %w", err).WithHint("look whether the disk has room")
	}
	return func() { _ = f.Close() }, nil
}

// openDatabase opens the database alone: for what works beside a server. One
// that is missing is not_found, unless it may be made.
func (p place) openDatabase(ctx context.Context, mayMake bool) (*flow.Flow, func(), error) {
	if err := p.checkDatabase(); err != nil {
		return nil, nil, err
	}
	dir := ""
	if p.embedded() {
		var err error
		if dir, err = p.dir(); err != nil {
			return nil, nil, err
		}
		if _, err := os.Stat(p.database(dir)); err != nil && !mayMake {
			return nil, nil, remuda.Errorf(remuda.NotFound, "there is no server in %s: %w", dir, err).WithHint("name the server's folder with --data")
		}
	}
	db, err := store.Open(ctx, p.database(dir), store.Options{})
	if err != nil {
		return nil, nil, unopened(err)
	}
	return &flow.Flow{DB: db, Now: time.Now, Limits: flow.DefaultLimits()}, func() { _ = db.Close() }, nil
}

// unopened makes a sentence of a fault at the start, with what to do.
func unopened(err error) error {
	hint := remuda.HintOf(err)
	if hint == "" {
		hint = "look whether --data and --database name what they should"
	}
	lines := strings.Fields(strings.ReplaceAll(err.Error(), ":\n", ": "))
	return remuda.Errorf(remuda.CodeOf(err), "%w", remuda.Because(err, "%s", strings.Join(lines, " "))).WithHint("%s", hint)
}

// host is everything that requests and jobs need.
type host struct {
	flow  *flow.Flow
	queue *jobs.Queue
	log   *slog.Logger
	close []func()
}

// openHost opens database, files and queue with so many workers.
func (p place) openHost(ctx context.Context, dir string, bytes files, log *slog.Logger, workers int) (*host, error) {
	return p.openHostAt(ctx, dir, bytes, log, workers, 0)
}

// openHostAt is openHost with tables of an older schema, or the newest if it is 0.
func (p place) openHostAt(ctx context.Context, dir string, bytes files, log *slog.Logger, workers int, schema int64) (h *host, err error) {
	h = &host{log: log}
	defer func() {
		if err != nil {
			h.Close()
			err = unopened(err)
		}
	}()
	if err := p.checkDatabase(); err != nil {
		return h, err
	}
	allow, err := prefixes("--allow-fetch", bytes.AllowFetch)
	if err != nil {
		return h, err
	}
	db, err := store.Open(ctx, p.database(dir), store.Options{Logger: log, Schema: schema})
	if err != nil {
		return h, err
	}
	h.close = append(h.close, func() { _ = db.Close() })
	if err := jobs.Migrate(ctx, db.Writer(), string(db.Dialect())); err != nil {
		return h, err
	}
	blobs, err := blob.OpenURL(ctx, bucketOr(bytes.Bucket, dir))
	if err != nil {
		return h, err
	}
	h.close = append(h.close, func() { _ = blobs.Close() })
	web := newFetcher(allow)
	h.flow = &flow.Flow{DB: db, Blobs: blobs, Fetcher: web, Poster: web, CallbackBody: scale.CallbackBody, Log: log, Now: time.Now, Limits: flow.DefaultLimits()}
	handlers := make(map[string]jobs.Handler)
	for kind, handle := range h.flow.JobHandlers() {
		handlers[kind] = handle
	}
	h.queue, err = jobs.New(db.Writer(), jobs.Options{Dialect: string(db.Dialect()), Handlers: handlers, Failed: h.flow.JobFailed, Workers: workers, Lanes: h.flow.JobLanes(), Logger: log})
	if err != nil {
		return h, err
	}
	db.SetJobs(h.queue)
	h.flow.Queue = h.queue
	return h, nil
}

// Close lets go of everything, in the opposite order.
func (h *host) Close() {
	for i := len(h.close) - 1; i >= 0; i-- {
		h.close[i]()
	}
}

// jobGrace is how long running jobs may go on when the program stops.
const jobGrace = 2 * time.Second

// tidyEvery is how often files that nothing names any more are looked for.
const tidyEvery = 6 * time.Hour

// work starts the workers; the returned function stops them. Jobs that don't
// end soon run again at the next start.
func (h *host) work(ctx context.Context) (stop func(), err error) {
	if err := h.queue.Start(ctx); err != nil {
		return nil, err
	}
	return func() {
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), jobGrace)
		defer end()
		if err := h.queue.Stop(grace); err != nil {
			h.log.ErrorContext(ctx, "stop the jobs", "error", err)
		}
	}, nil
}

// tidy removes what nothing names any more, now and then, until ctx ends. One
// process does it: the server.
func (h *host) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		swept, err := h.flow.Tidy(ctx)
		if err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "remove files that nothing names", "error", err)
		} else if swept.Removed > 0 {
			h.log.InfoContext(ctx, "removed files that nothing names", "files", swept.Removed, "bytes", swept.Bytes)
		}
	}
}

// logger writes lines for people on a terminal, JSON elsewhere.
func (m *Main) logger() *slog.Logger {
	if terminalWidth(m.Stderr) > 0 {
		return slog.New(slog.NewTextHandler(m.Stderr, nil))
	}
	return slog.New(slog.NewJSONHandler(m.Stderr, nil))
}
