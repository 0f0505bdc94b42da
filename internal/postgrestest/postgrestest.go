// Package postgrestest runs a PostgreSQL server for tests.
package postgrestest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// New returns the URL of an empty database, dropped when the test ends. The
// first call in a test binary starts a server on a loopback port, in a
// temporary folder and without fsync; it ends with the binary, however that
// ends. A machine without PostgreSQL fails the test, unless
// REMUDA_SKIP_POSTGRES=1 is set.
func New(t testing.TB) string {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_POSTGRES") == "1" {
		t.Skip("REMUDA_SKIP_POSTGRES=1")
	}
	running, err := server()
	if err != nil {
		t.Fatal(err)
	}
	port := running.port
	name := "test_" + strings.ToLower(rand.Text()[:12])
	if err := query(t.Context(), port, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := query(context.Background(), port, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return address(port, name)
}

func address(port int, database string) string {
	return fmt.Sprintf("postgres://remuda@127.0.0.1:%d/%s?sslmode=disable", port, database)
}

func query(ctx context.Context, port int, sql string) error {
	conn, err := pgx.Connect(ctx, address(port, "postgres"))
	if err != nil {
		return fmt.Errorf("connect to the test server: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// instance is a running server.
type instance struct {
	port  int
	stdin io.Closer // held, since the server ends when it is closed, by the garbage collector too
}

// server starts the binary's server once.
var server = sync.OnceValues(func() (instance, error) {
	bin, err := programs()
	if err != nil {
		return instance{}, err
	}
	for try := 1; ; try++ { // another process may take the free port before the server does
		running, err := start(bin)
		if err == nil || try == 3 {
			return running, err
		}
	}
})

// programs returns the folder of the newest PostgreSQL.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		version := func(path string) int {
			n, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0, the oldest, when it is no number
			return n
		}
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL is not installed; script/bootstrap installs it, REMUDA_SKIP_POSTGRES=1 leaves its tests out")
}

// supervisor runs the server until its standard input closes, which the death
// of the test binary does too, then removes its folder.
const supervisor = `
cd "$1" || exit
"$2/initdb" -D data -U remuda -A trust -N -E UTF8 --locale=C --no-instructions >log 2>&1 &&
"$2/pg_ctl" -D data -l log -w -o "-p $3 -h 127.0.0.1 -k '' -F -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB" start >>log 2>&1 &&
echo ready || tail -n 5 log
cat >/dev/null
"$2/pg_ctl" -D data -m immediate stop >>log 2>&1
cd / && rm -rf "$1"
`

func start(bin string) (instance, error) {
	port, err := freePort()
	if err != nil {
		return instance{}, err
	}
	dir, err := os.MkdirTemp("", "postgrestest")
	if err != nil {
		return instance{}, err
	}
	cmd := exec.Command("/bin/sh", "-c", supervisor, "sh", dir, bin, strconv.Itoa(port))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is not for it
	if err := unprivileged(cmd, dir); err != nil {
		return instance{}, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return instance{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return instance{}, err
	}
	if err := cmd.Start(); err != nil {
		return instance{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	said := make([]string, 0, 5)
	for lines := bufio.NewScanner(out); lines.Scan() && len(said) < cap(said); {
		if lines.Text() == "ready" {
			return instance{port, stdin}, nil
		}
		said = append(said, lines.Text())
	}
	return instance{}, fmt.Errorf("start PostgreSQL: %s", strings.Join(said, "; "))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// unprivileged makes a command run as the user postgres when this process is
// root, which PostgreSQL refuses to run as, and gives it the folder.
func unprivileged(cmd *exec.Cmd, dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	postgres, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("start PostgreSQL as root: %w", err)
	}
	uid, err := strconv.ParseUint(postgres.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(postgres.Gid, 10, 32)
	if err != nil {
		return err
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(dir, int(uid), int(gid))
}
