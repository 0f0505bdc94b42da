package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"remuda"
)

// DefaultGrace is how long a child may take to save its state after SIGTERM.
const DefaultGrace = 60 * time.Second

// Command says how a child is started. Its zero value but for Args is ready.
type Command struct {
	Path  string        // the binary; default this one
	Args  []string      // what makes it a child, its hidden verb first
	Env   []string      // of the child, as "NAME=value"; default the parent's
	Grace time.Duration // from SIGTERM to SIGKILL; default DefaultGrace
}

// Run starts a child, hands it the spec, a single line without its line feed,
// and calls event with each line that it prints, without the line feed and only
// valid until event returns. Run returns when the child has ended.
//
// When ctx is done the child is asked to stop and gets Grace to do so, while its
// events go on arriving; Run then returns the cause of ctx, unless the child
// had finished its work all the same. When event returns an error the child is
// killed and Run returns that error. A child that prints something else than
// JSON objects is killed. A child that ends with another status than 0 gives an
// *ExitError, with code unavailable where memory ran out and internal
// otherwise.
func (c Command) Run(ctx context.Context, spec []byte, event func(line []byte) error) error {
	// A child's death signal is tied to the thread that started it, not to the
	// process, so that thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	path := c.Path
	if path == "" {
		var err error
		if path, err = os.Executable(); err != nil {
			return fmt.Errorf("find this program's own file: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Env = c.Env
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = c.Grace
	if c.Grace == 0 {
		cmd.WaitDelay = DefaultGrace
	}
	words := &tail{limit: lastWords}
	lines := &lineWriter{event: event, kill: func() { cmd.Process.Kill() }}
	cmd.Stdout, cmd.Stderr = lines, words
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start a child process: %w", err)
	}
	kills := oomKills()
	if err := cmd.Start(); err != nil {
		if ctx.Err() != nil { // asked to stop before there was anything to stop
			err = context.Cause(ctx)
		}
		return fmt.Errorf("start a child process: %w", err)
	}
	// A child that dies early leaves the pipe broken; its exit says why.
	go func() { io.WriteString(stdin, string(spec)+"\n") }()
	err = cmd.Wait()
	switch {
	case lines.err != nil:
		return lines.err
	case cmd.ProcessState.Success() && (err == nil || ctx.Err() != nil):
		return lines.finish()
	case ctx.Err() != nil:
		return fmt.Errorf("child process stopped: %w", context.Cause(ctx))
	}
	return exitError(cmd.ProcessState, err, words.String(), kills)
}

// exitError turns the end of a child that nobody asked to end into an error.
func exitError(state *os.ProcessState, cause error, words string, killsBefore int64) error {
	if _, ended := errors.AsType[*exec.ExitError](cause); !ended {
		return fmt.Errorf("wait for the child process: %w", cause)
	}
	e := &ExitError{Status: state.ExitCode(), LastWords: words}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.Signal = status.Signal()
	}
	if e.Signal == syscall.SIGKILL {
		e.Kernel = kernelWords(state.Pid())
		e.OutOfMemory = e.Kernel != "" || oomKills() > killsBefore
	}
	if e.Signal == syscall.SIGKILL || mentionsMemory(words) {
		return remuda.Errorf(remuda.Unavailable, "%w", e).
			WithHint("give it less to do at once (a smaller batch, smaller images, another architecture) or more memory")
	}
	return remuda.Errorf(remuda.Internal, "%w", e)
}
