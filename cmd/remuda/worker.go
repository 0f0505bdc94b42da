package main

import (
	"fmt"
	"path/filepath"

	"remuda"
)

type workerCmd struct {
	place
	files
	Workers *int `help:"Jobs to run at once (default: one a processor)." env:"REMUDA_WORKERS" placeholder:"N"`
}

// Run carries out jobs until it is told to stop.
func (c *workerCmd) Run(m *Main) error {
	if workers(c.Workers) == 0 {
		return remuda.Errorf(remuda.Invalid, "a worker with --workers 0 would do nothing").WithHint("give 1 or more")
	}
	if !c.embedded() && c.Bucket == "" {
		return remuda.Errorf(remuda.Invalid, "a worker needs the server's files").WithHint("name the same bucket or shared folder as the server's with --bucket")
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	release, err := lock(dir)
	if err != nil {
		return err
	}
	defer release()
	h, err := c.openHost(m.ctx, dir, c.files, m.logger(), workers(c.Workers))
	if err != nil {
		return err
	}
	defer h.Close()
	h.flow.Embedder = &embedder{m: m, blobs: h.flow.Blobs, scratch: filepath.Join(dir, scratchFolder)}
	stop, err := h.work(m.ctx)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(m.Stdout, "remuda works on jobs, %d at once\n", workers(c.Workers))
	<-m.ctx.Done()
	return nil
}
