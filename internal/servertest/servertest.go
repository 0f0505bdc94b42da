// Package servertest runs the real program as a server for tests: what it
// leaves on the disk, and what it says when it is killed, no other test sees.
package servertest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Program is a built remuda.
type Program struct{ Path string }

// Build builds the program into a folder that is removed when the test ends.
func Build(t testing.TB) Program {
	t.Helper()
	mod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("find the module: %v", err)
	}
	path := filepath.Join(t.TempDir(), "remuda")
	build := exec.Command("go", "build", "-o", path, "./cmd/remuda")
	build.Dir = filepath.Dir(strings.TrimSpace(string(mod)))
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build remuda: %v\n%s", err, out)
	}
	return Program{path}
}

// Command is a call of the program whose home is empty.
func (p Program) Command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(context.WithoutCancel(t.Context()), p.Path, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "REMUDA_DATA=", "REMUDA_DATABASE=", "REMUDA_BUCKET=")
	return c
}

// Run calls the program and returns what it printed; a failure ends the test.
func (p Program) Run(t testing.TB, args ...string) string {
	t.Helper()
	c := p.Command(t, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		t.Fatalf("remuda %s: %v: %s", strings.Join(args, " "), err, &said)
	}
	return strings.TrimSpace(string(out))
}

// Key makes an API key; place are the flags that say where the data are.
func (p Program) Key(t testing.TB, place []string, args ...string) string {
	t.Helper()
	return p.Run(t, append(append([]string{"key", "create"}, args...), place...)...)
}

// Server is a running `remuda serve`.
type Server struct {
	URL string
	cmd *exec.Cmd
	log *output
	end sync.Once
	err error
}

// output keeps what a process says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// Serve starts a server on a free loopback port and waits until it takes
// requests. It is killed when the test ends, unless it was stopped before.
func (p Program) Serve(t testing.TB, args ...string) *Server {
	t.Helper()
	s, err := p.Start(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Start is Serve for a server that may fail to start; the error holds what it said.
func (p Program) Start(t testing.TB, args ...string) (*Server, error) {
	t.Helper()
	return Begin(t, p.Command(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...))
}

// Begin starts a command that ends up as a server, which may be a wrapper of one.
func Begin(t testing.TB, cmd *exec.Cmd) (*Server, error) {
	t.Helper()
	s := &Server{cmd: cmd, log: new(output)}
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(s.Kill)
	lines := bufio.NewReader(out)
	line, _ := lines.ReadString('\n') // none if it ends before
	s.URL = regexp.MustCompile(`https?://\S+`).FindString(line)
	if s.URL == "" {
		s.wait()
		return nil, errors.New("remuda serve said: " + line + s.Log())
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return s, nil
}

// Log is what the server has said so far.
func (s *Server) Log() string {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.text.String()
}

// PID is the number of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

func (s *Server) wait() error {
	s.end.Do(func() { s.err = s.cmd.Wait() })
	return s.err
}

// Kill ends the server at once, as a crash does; it may have ended before.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.wait() // it was killed
}

// Stop asks the server to end, and fails the test if it ends badly.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(); err != nil {
		t.Errorf("remuda serve, told to stop: %v: %s", err, s.Log())
	}
}
