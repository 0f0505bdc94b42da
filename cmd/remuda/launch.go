package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"remuda"
	"remuda/child"
)

// launch carries out a spec in a child process and hands on its events. A
// failure once the work has started is a startedError.
func (m *Main) launch(spec remuda.Spec, on func(event remuda.Event, line []byte) error) error {
	return launch(m.ctx, child.DefaultGrace, spec, on)
}

// launch is Main's until ctx ends, after which the child has some time to stop.
func launch(ctx context.Context, grace time.Duration, spec remuda.Spec, on func(event remuda.Event, line []byte) error) error {
	encoded, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("encode the spec: %w", err)
	}
	var failure *remuda.FailEvent
	started, done := false, false
	err = child.Command{Args: []string{"work", "--attached"}, Grace: grace}.Run(ctx, encoded, func(line []byte) error {
		var event remuda.Event
		if err := json.Unmarshal(line, &event); err != nil {
			return fmt.Errorf("decode an event of the child process: %w", err)
		}
		switch {
		case event.Fail != nil:
			failure = event.Fail
		case event.Start != nil:
			started = true
		case event.Done != nil:
			done = true
		}
		return on(event, line)
	})
	_, died := errors.AsType[*child.ExitError](err)
	switch {
	case failure != nil:
		err = &remuda.Error{Code: failure.Code, Hint: failure.Hint, Err: errors.New(failure.Message)}
	case errors.Is(err, errInterrupted):
		return errInterrupted
	case err == nil && !done:
		err = errors.New("the child process ended before its work was done")
	case err == nil:
		return nil
	case died: // without a word, wherever it was: the input is not known to be bad
		started = true
	}
	if started {
		return startedError{err}
	}
	return err
}
