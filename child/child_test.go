package child_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"remuda"
	"remuda/child"
)

// The test binary plays both parents and children: with an argument that names
// a role it does that instead of running tests.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "play" {
		os.Exit(play(os.Args[2]))
	}
	os.Exit(m.Run())
}

// message is the only event of these tests.
type message struct {
	Text string `json:"text"`
}

func play(role string) int {
	switch role {
	case "parent": // runs a child for ever, handing on its events
		err := child.Command{Args: []string{"play", "stubborn"}}.Run(context.Background(), []byte(os.Getenv("TEST_LOCK")), func(line []byte) error {
			_, err := fmt.Println(string(line))
			return err
		})
		fmt.Fprintln(os.Stderr, err)
		return 1
	case "crash":
		fmt.Fprintln(os.Stderr, "reading layer 3\npanic: the layer is gone\n\ngoroutine 1 [running]:\nmain.main()")
		return 2
	case "killed":
		fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'std::bad_alloc'")
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "chatter":
		for i := range 20_000 {
			fmt.Fprintf(os.Stderr, "line %d\n", i)
		}
		return 3
	case "garbage":
		fmt.Println(`{"text":"one"}`)
		fmt.Println("Intel MKL WARNING: something")
		select {}
	case "half":
		fmt.Print(`{"text":"one"}` + "\n" + `{"text":`)
		return 0
	}
	if err := child.Serve(true, works[role]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

var works = map[string]child.Work{
	"echo": func(_ context.Context, spec []byte, emit func(any) error) error {
		return errors.Join(emit(message{string(bytes.TrimSpace(spec))}), emit(message{"done"}))
	},
	"polite": func(ctx context.Context, _ []byte, emit func(any) error) error {
		emit(message{"ready"})
		<-ctx.Done()
		emit(message{"saved"})
		return ctx.Err()
	},
	"finishing": func(ctx context.Context, _ []byte, emit func(any) error) error {
		emit(message{"ready"})
		<-ctx.Done()
		return nil
	},
	"stubborn": func(_ context.Context, spec []byte, emit func(any) error) error {
		if path := strings.TrimSpace(string(spec)); path != "" {
			f, err := os.Create(path)
			if err != nil {
				return err
			}
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
				return err
			}
			defer f.Close()
		}
		emit(message{"ready"})
		select {}
	},
}

// run collects the texts of a child's events.
func run(ctx context.Context, c child.Command, spec string, on func(text string) error) ([]string, error) {
	var texts []string
	err := c.Run(ctx, []byte(spec), func(line []byte) error {
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return err
		}
		texts = append(texts, m.Text)
		if on != nil {
			return on(m.Text)
		}
		return nil
	})
	return texts, err
}

func role(name string) child.Command { return child.Command{Args: []string{"play", name}} }

func TestAChildGetsItsSpecAndReportsEvents(t *testing.T) {
	spec := strings.Repeat("x", 1<<20) // larger than a pipe holds
	texts, err := run(t.Context(), role("echo"), spec, nil)
	if err != nil || len(texts) != 2 || texts[0] != spec || texts[1] != "done" {
		t.Errorf("got %d events, %v", len(texts), err)
	}
}

func TestTheEndOfAChildIsToldInASentence(t *testing.T) {
	cases := []struct {
		role string
		code remuda.Code
		want []string
	}{
		{"crash", remuda.Internal, []string{"ended with status 2", "panic: the layer is gone"}},
		{"killed", remuda.Unavailable, []string{"was killed", "memory", "bad_alloc"}},
		{"chatter", remuda.Internal, []string{"ended with status 3", "line 19999"}},
		{"garbage", remuda.Internal, []string{`"Intel MKL WARNING: something"`, "an event was expected"}},
		{"half", remuda.Internal, []string{"in the middle of the event"}},
	}
	for _, c := range cases {
		t.Run(c.role, func(t *testing.T) {
			_, err := run(t.Context(), role(c.role), "", nil)
			if remuda.CodeOf(err) != c.code {
				t.Fatalf("got %v with code %s, want %s", err, remuda.CodeOf(err), c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 600 {
				t.Errorf("%q is more than a sentence", err)
			}
			if exit, ok := errors.AsType[*child.ExitError](err); ok && len(exit.LastWords) > 8<<10 {
				t.Errorf("%d bytes of last words were kept", len(exit.LastWords))
			}
		})
	}
}

func TestACancelledChildSavesFirst(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("somebody pressed Ctrl-C")
	texts, err := run(ctx, role("polite"), "", func(text string) error {
		if text == "ready" {
			cancel(cause)
		}
		return nil
	})
	if !errors.Is(err, cause) || len(texts) != 2 || texts[1] != "saved" {
		t.Errorf("got %v, %v; want the event of the save and the cause", texts, err)
	}
}

func TestAChildThatIsStoppedBeforeItStartsTellsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("somebody pressed Ctrl-C")
	cancel(cause)
	if _, err := run(ctx, role("echo"), "", nil); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestAChildThatFinishesWhileCancelledHasFinished(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := run(ctx, role("finishing"), "", func(string) error { cancel(); return nil })
	if err != nil {
		t.Errorf("got %v", err)
	}
}

func TestAStubbornChildIsKilledAfterTheGrace(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	command := role("stubborn")
	command.Grace = time.Millisecond
	_, err := run(ctx, command, "", func(string) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAnEventThatIsNotAcceptedEndsTheChild(t *testing.T) {
	full := errors.New("cannot store the event")
	_, err := run(t.Context(), role("stubborn"), "", func(string) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

func TestKillingTheParentLeavesNoOrphan(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	parent := exec.Command(os.Args[0], "play", "parent")
	parent.Env = append(os.Environ(), "TEST_LOCK="+lock)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("got %q, %v", line, err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait()
	waitForUnlock(t, lock)
}

func TestAChildEndsWhenItsStandardInputCloses(t *testing.T) {
	lock := filepath.Join(t.TempDir(), "lock")
	orphan := exec.Command(os.Args[0], "play", "stubborn")
	in, err := orphan.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := orphan.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	io.WriteString(in, lock+"\n")
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("got %q, %v", line, err)
	}
	in.Close()
	if err := orphan.Wait(); err == nil {
		t.Error("the child ended as if it had done its work")
	}
	waitForUnlock(t, lock)
}

// waitForUnlock returns once the process that held the lock is gone: the kernel
// releases it then, even while nobody has collected the exit status. A child
// that lives on makes the test time out.
func waitForUnlock(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

func TestANonExistingProgramIsAnError(t *testing.T) {
	_, err := run(t.Context(), child.Command{Path: filepath.Join(t.TempDir(), "none")}, "", nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
