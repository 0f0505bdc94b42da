// Command remuda takes labeled images to a detector: it trains, evaluates,
// predicts, compares and converts, on files alone, and it serves.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"remuda"
	"remuda/internal/disk"
	"remuda/weights"
)

// version is set by the linker: -X main.version=…
var version = "devel"

func main() {
	m := NewMain()
	os.Exit(m.Run(os.Args[1:]))
}

// Main is the program: its flags, its streams and what a signal means.
type Main struct {
	Stdout io.Writer
	Stderr io.Writer
	cli    cli
	remote bool            // the verb asks a server
	ctx    context.Context // done once somebody asks the program to stop
}

// cli is the command line. Settings that come from the environment stand here
// and nowhere else.
type cli struct {
	Train    trainCmd    `cmd:"" help:"Train a detector on labeled images."`
	Eval     evalCmd     `cmd:"" help:"Score a model, or a file of predictions, on labeled images."`
	Predict  predictCmd  `cmd:"" help:"Find objects on images."`
	Compare  compareCmd  `cmd:"" help:"Compare two evaluations of the same images."`
	Curve    curveCmd    `cmd:"" help:"Train on growing parts of the data and show how much more labels would bring."`
	Convert  convertCmd  `cmd:"" help:"Convert label files between COCO, Pascal VOC and YOLO."`
	Serve    serveCmd    `cmd:"" help:"Serve datasets, labels and models to people and programs."`
	Worker   workerCmd   `cmd:"" help:"Carry out a server's jobs on another machine."`
	User     userCmd     `cmd:"" help:"Add, list and change a server's users, on its own machine."`
	Key      keyCmd      `cmd:"" help:"Make, list and revoke a server's API keys, on its own machine."`
	Backup   backupCmd   `cmd:"" help:"Write all that a server holds into one file, while it runs."`
	Restore  restoreCmd  `cmd:"" help:"Fill an empty server with a backup."`
	Login    loginCmd    `cmd:"" help:"Log in to a server, for the commands that follow."`
	Logout   logoutCmd   `cmd:"" help:"Log out of a server."`
	Dataset  datasetCmd  `cmd:"" help:"Make, fill, look at and export datasets on a server."`
	Slice    sliceCmd    `cmd:"" help:"Make, look at, freeze and export slices on a server."`
	Project  projectCmd  `cmd:"" help:"Say what people draw and how, and who does, on a server."`
	Batch    batchCmd    `cmd:"" help:"Give people images to draw on, and see how well they do and what it costs."`
	Task     taskCmd     `cmd:"" help:"Look at single tasks, and have them drawn anew."`
	Callback callbackCmd `cmd:"" help:"See what programs were told of tasks and batches, and say who is told."`
	Weights  weightsCmd  `cmd:"" help:"Show and download pre-trained weights."`
	Engine   engineCmd   `cmd:"" help:"Build the engine that trains and predicts."`
	Doctor   doctorCmd   `cmd:"" help:"Show what was found on this machine."`
	Version  versionCmd  `cmd:"" help:"Show the version."`
	Work     workCmd     `cmd:"" hidden:"" help:"Carry out a spec from standard input."`

	Cache      string `help:"Folder of downloaded weights and the built engine (default: remuda in the user's cache)." env:"REMUDA_CACHE" placeholder:"DIR"`
	Torch      string `help:"Folder of libtorch (default: python3's torch, then the system's)." env:"REMUDA_TORCH" placeholder:"DIR"`
	WeightsURL string `name:"weights-url" hidden:"" env:"REMUDA_WEIGHTS_URL"`
}

// NewMain returns the program on the process's own streams.
func NewMain() *Main { return &Main{Stdout: forTerminal(os.Stdout), Stderr: os.Stderr} }

// Run parses the arguments, carries out the verb and returns the exit status.
func (m *Main) Run(args []string) (exit int) {
	defer func() { // Go's own exit status after a panic would say bad input
		if fault := recover(); fault != nil {
			fmt.Fprintf(m.Stderr, "remuda: a fault of the program: %v\n%s", fault, debug.Stack())
			exit = exitFailed
		}
	}()
	parser, err := kong.New(&m.cli,
		kong.Name("remuda"),
		kong.Description("From labeled images to a detector you can trust. Exit status: 0 done, 1 failed, 2 bad input, 130 interrupted."),
		kong.Writers(m.Stdout, m.Stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return m.fail(err)
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return m.fail(usageError(err))
	}
	stop := m.listen(chosen.Command() != "work")
	defer stop()
	err = chosen.Run(m)
	if errors.Is(err, context.Canceled) && m.ctx.Err() != nil {
		err = context.Cause(m.ctx)
	}
	if m.remote && remuda.CodeOf(err) == remuda.Unavailable {
		err = startedError{err} // a server that is away or full is not the user's mistake
	}
	return m.fail(err)
}

// usageError says where the flags are explained.
func usageError(err error) error {
	help := "remuda --help"
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		if selected := parse.Context.Selected(); selected != nil {
			help = "remuda " + selected.Path() + " --help"
		}
	}
	return remuda.Errorf(remuda.Invalid, "%w", err).WithHint("`%s` explains the flags", help)
}

// errInterrupted is why the program's context ends.
var errInterrupted = errors.New("interrupted")

// listen lets the first signal end the context, so that the verb can save what
// it has, and the second the process. A child listens for itself.
func (m *Main) listen(parent bool) (stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	m.ctx = ctx
	if !parent {
		return func() { cancel(nil) }
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel(errInterrupted)
		fmt.Fprintln(m.Stderr, "\nremuda: stopping; press Ctrl-C again to stop at once")
		<-signals
		os.Exit(exitInterrupted)
	}()
	return func() { signal.Stop(signals); cancel(nil) }
}

// The exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitBadInput    = 2
	exitInterrupted = 130
)

// startedError is a failure after the work had begun: it is never bad input.
type startedError struct{ error }

func (e startedError) Unwrap() error { return e.error }

// fail prints an error with its hint and returns the exit status.
func (m *Main) fail(err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(m.Stderr, "remuda: %v\n", err)
	if hint := remuda.HintOf(err); hint != "" {
		fmt.Fprintf(m.Stderr, "hint: %s\n", hint)
	}
	return status(err)
}

func status(err error) int {
	_, started := errors.AsType[startedError](err)
	switch code := remuda.CodeOf(err); {
	case err == nil:
		return exitDone
	case errors.Is(err, errInterrupted):
		return exitInterrupted
	case started || code == remuda.Internal || disk.Full(err):
		return exitFailed
	}
	return exitBadInput
}

// cacheDir returns a folder inside the cache.
func (m *Main) cacheDir(name string) (string, error) {
	root := m.cli.Cache
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", remuda.Errorf(remuda.Invalid, "find the user's cache folder: %w", err).WithHint("name a folder with --cache or REMUDA_CACHE")
		}
		root = filepath.Join(user, "remuda")
	}
	return filepath.Join(root, name), nil
}

// weightsCache returns the cache of pre-trained weights.
func (m *Main) weightsCache() (weights.Cache, error) {
	dir, err := m.cacheDir("weights")
	return weights.Cache{Dir: dir, URL: m.cli.WeightsURL}, err
}
