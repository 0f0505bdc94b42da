package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Work does what a spec says and reports events, each of which is printed as
// one line of JSON. It stops soon after ctx is done, having saved what it has,
// and then returns the error of ctx.
type Work func(ctx context.Context, spec []byte, emit func(event any) error) error

// Serve is the child's side: it reads the spec from standard input, does the
// work and returns its error. SIGTERM, and SIGINT when run by hand, cancel the
// work's context.
//
// When attached to a parent, the process exits with status 1 as soon as its
// standard input closes, because its parent has gone. By hand, without a
// parent, the spec comes from a file and the end of it means nothing.
func Serve(attached bool, work Work) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	in := bufio.NewReader(os.Stdin)
	spec, err := in.ReadBytes('\n')
	if err != nil && (attached || !errors.Is(err, io.EOF)) {
		return fmt.Errorf("read the spec from standard input: %w", err)
	}
	if attached {
		go func() {
			io.Copy(io.Discard, in)
			os.Exit(1)
		}()
	}
	var mu sync.Mutex
	emit := func(event any) error {
		line, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode an event: %w", err)
		}
		mu.Lock()
		defer mu.Unlock()
		if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("report an event: %w", err)
		}
		return nil
	}
	return work(ctx, spec, emit)
}
