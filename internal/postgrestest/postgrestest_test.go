package postgrestest

import (
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Ensure each test has a database of its own.
func TestDatabasesAreSeparate(t *testing.T) {
	for range 2 {
		conn, err := pgx.Connect(t.Context(), New(t))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE TABLE horses (name text)"); err != nil {
			t.Error(err)
		}
	}
}

// Ensure the server dies with its test binary, even when that is killed.
func TestServerDiesWithTheBinary(t *testing.T) {
	if os.Getenv("POSTGRESTEST_CHILD") == "1" {
		os.Stdout.WriteString(New(t) + "\n")
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt) // waiting for anything else alone is a deadlock, which ends the process
		<-stop                            // until killed
	}
	New(t) // skips or fails where there is none
	child := exec.Command(os.Args[0], "-test.run=TestServerDiesWithTheBinary")
	child.Env = append(os.Environ(), "POSTGRESTEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	said := make([]byte, 200)
	n, err := out.Read(said)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), strings.TrimSpace(string(said[:n])))
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // it was killed; its state says nothing more
	// The server ends this connection; the test's own time limit is the bound.
	if _, err := conn.Exec(t.Context(), "SELECT pg_sleep(3600)"); err == nil {
		t.Error("the server outlived the process that started it")
	}
}
