package imageio

import (
	"context"
	"iter"
	"sync"
)

// Result is a decoded image, or why there is none.
type Result struct {
	Image *RGB
	Err   error // of Open, or the context's
}

// Stream decodes files on several goroutines and yields them in order with
// their index. At most ahead images, and one for each worker, wait for the
// loop, however slow it is. A broken file yields its error and the rest go on;
// when ctx ends, its error is yielded once as the last result. No goroutine
// outlives the loop.
func Stream(ctx context.Context, paths []string, workers, ahead int) iter.Seq2[int, Result] {
	return ordered(ctx, paths, workers, ahead, func(path string, err error) Result {
		if err != nil {
			return Result{Err: err}
		}
		m, err := Open(path)
		return Result{m, err}
	})
}

// ordered calls work for each path on several goroutines and yields what it
// returns in order. work gets an error instead of a path where ctx has ended.
func ordered(ctx context.Context, paths []string, workers, ahead int, work func(path string, err error) Result) iter.Seq2[int, Result] {
	return func(yield func(int, Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()

		type job struct {
			path string
			done chan Result
		}
		jobs := make(chan job)
		order := make(chan chan Result, max(ahead, 1))
		running.Go(func() {
			defer close(jobs)
			for _, path := range paths {
				done := make(chan Result, 1)
				if !send(ctx, order, done) || !send(ctx, jobs, job{path, done}) {
					return
				}
			}
		})
		for range max(workers, 1) {
			running.Go(func() {
				for j := range jobs {
					j.done <- work(j.path, nil)
				}
			})
		}
		for i := range paths {
			done, err := receive(ctx, order)
			var result Result
			if err == nil {
				result, err = receive(ctx, done)
			}
			if err != nil {
				yield(i, work("", err))
				return
			}
			if !yield(i, result) {
				return
			}
		}
	}
}

// send reports whether v was taken before ctx ended.
func send[T any](ctx context.Context, c chan<- T, v T) bool {
	select {
	case c <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

func receive[T any](ctx context.Context, c <-chan T) (v T, err error) {
	if ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	select {
	case v = <-c:
		return v, nil
	case <-ctx.Done():
		return v, context.Cause(ctx)
	}
}
