package servertest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// answer is what came of a call.
type answer struct {
	status int
	text   []byte
	err    error
}

func got(status int, text []byte, err error) answer { return answer{status, text, err} }

// trouble expects an error of the server's that says what to do, and that the API's clients can read.
func (a answer) trouble(t *testing.T, words ...string) {
	t.Helper()
	if a.err != nil || a.status != http.StatusServiceUnavailable || !bytes.HasPrefix(a.text, []byte(`{"error":"`)) {
		t.Errorf("got %d %.300s, %v", a.status, a.text, a.err)
	}
	for _, word := range words {
		if !strings.Contains(string(a.text), word) {
			t.Errorf("%s does not say %q", a.text, word)
		}
	}
}

func (a answer) ok() bool { return a.err == nil && a.status == http.StatusOK }

// fine expects success.
func (a answer) fine(t *testing.T) {
	t.Helper()
	if !a.ok() {
		t.Fatalf("got %d %s, %v", a.status, a.text, a.err)
	}
}

// put uploads an image and draws a box on it, and notes both in the ledger.
func (l *ledger) put(t *testing.T, c caller, dataset, ref string, size int) answer {
	t.Helper()
	l.image[ref] = picture(t, uint64(len(l.image)), size)
	a := got(c.upload(t.Context(), dataset, ref, l.image[ref], false))
	if a.ok() {
		l.acked[ref], l.boxes[ref] = true, &width{}
	}
	return a
}

func (l *ledger) draw(t *testing.T, c caller, dataset, ref string) answer {
	t.Helper()
	w := l.boxes[ref]
	w.sent++
	a := got(c.annotate(t.Context(), dataset, ref, ref, w.sent))
	if a.ok() {
		w.acked = w.sent
	}
	return a
}

// smallDisk is a command that runs the program with a disk of some megabytes
// in the folder, which only it sees.
func smallDisk(t *testing.T, megabytes int, folder string, program ...string) *exec.Cmd {
	t.Helper()
	script := fmt.Sprintf(`mount -t tmpfs -o size=%dm tmpfs "$0" && exec "$@"`, megabytes)
	return exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", append([]string{"-rm", "sh", "-c", script, folder}, program...)...)
}

// namespaces fails where no process may have a disk of its own, unless
// REMUDA_SKIP_NAMESPACES=1 is set.
func namespaces(t *testing.T) {
	t.Helper()
	if os.Getenv("REMUDA_SKIP_NAMESPACES") == "1" {
		t.Skip("REMUDA_SKIP_NAMESPACES=1")
	}
	if out, err := smallDisk(t, 1, t.TempDir(), "true").CombinedOutput(); err != nil {
		t.Fatalf("mount a small disk: %v: %s; REMUDA_SKIP_NAMESPACES=1 leaves out the tests that need one", err, out)
	}
}

func TestFullDiskLosesNothing(t *testing.T) {
	namespaces(t)
	p := Build(t)
	dir := t.TempDir()
	cmd := smallDisk(t, 32, dir, p.Path, "serve", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	s, err := Begin(t, cmd)
	if err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join("/proc", fmt.Sprint(s.PID()), "root", dir) // the disk, seen from outside
	login, err := os.ReadFile(filepath.Join(inside, "data", "first-login.txt"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(login, []byte("live_"))
	c := newCaller(s.URL, string(bytes.Fields(login[at:])[0]))
	l, dataset := newLedger(), c.dataset(t)
	l.put(t, c, dataset, "first", 100).fine(t)
	l.draw(t, c, dataset, "first").fine(t)

	reserve := filepath.Join(inside, "reserve")
	if err := os.WriteFile(reserve, make([]byte, 6<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	full := 0
	for n := 0; full < 3; n++ { // large images fill it, and go on failing
		if a := l.put(t, c, dataset, fmt.Sprint("large", n), 1<<20); !a.ok() {
			full++
			a.trouble(t, "the disk is full")
		}
	}
	fillUp(t, filepath.Join(inside, "filler"))
	refused := 0
	for n := 0; n < 2000 && refused == 0; n++ { // the database has some room of its own until its log has to grow
		if a := l.draw(t, c, dataset, "first"); !a.ok() {
			refused++
			a.trouble(t, "the disk is full")
		}
	}
	if refused == 0 {
		t.Error("2000 saves went to a disk that is full")
	}
	l.check(t, c, dataset, nil) // it goes on reading

	if err := os.Remove(reserve); err != nil {
		t.Fatal(err)
	}
	l.draw(t, c, dataset, "first").fine(t)
	l.put(t, c, dataset, "after", 100).fine(t)
	l.check(t, c, dataset, nil)
	s.Kill()
}

// fillUp writes a file until the disk has no byte left.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

func TestLockedDatabaseIsWaitedForThenRefused(t *testing.T) {
	p := Build(t)
	dir := filepath.Join(t.TempDir(), "data")
	key := p.Key(t, []string{"--data", dir}, "lock")
	s := p.Serve(t, "--data", dir)
	c := newCaller(s.URL, key)
	l, dataset := newLedger(), c.dataset(t)
	l.put(t, c, dataset, "a", 100).fine(t)

	db, err := sql.Open("sqlite", filepath.Join(dir, "remuda.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	held, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"PRAGMA busy_timeout = 20000", "BEGIN IMMEDIATE"} {
		if _, err := held.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	l.draw(t, c, dataset, "a").trouble(t, "another program holds the database")
	l.check(t, c, dataset, nil) // readers do not wait
	if _, err := held.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	l.draw(t, c, dataset, "a").fine(t)
	l.check(t, c, dataset, nil)
	s.Stop(t)
}

func TestFilesThatAreGoneAreMissedAndComeBack(t *testing.T) {
	p := Build(t)
	dir := filepath.Join(t.TempDir(), "data")
	key := p.Key(t, []string{"--data", dir}, "gone")
	s := p.Serve(t, "--data", dir)
	c := newCaller(s.URL, key)
	l, dataset := newLedger(), c.dataset(t)
	l.put(t, c, dataset, "a", 100).fine(t)
	settled(t, c, dataset)
	signed := c.export(t, dataset)["a"].Item.URL

	files := filepath.Join(dir, "files")
	if err := os.Rename(files, files+".away"); err != nil {
		t.Fatal(err)
	}
	l.put(t, c, dataset, "b", 100).trouble(t, "put it back")
	got(c.bytes(t.Context(), signed)).trouble(t, "put it back")
	l.draw(t, c, dataset, "a").fine(t) // boxes need no bytes
	if _, err := os.Stat(files); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the server makes an empty folder in the place of the one that is gone: %v", err)
	}
	if err := os.Rename(files+".away", files); err != nil {
		t.Fatal(err)
	}
	l.put(t, c, dataset, "b", 100).fine(t)
	l.check(t, c, dataset, nil)
	s.Stop(t)
}

func TestReadOnlyFolderIsRefusedInASentence(t *testing.T) {
	namespaces(t)
	p := Build(t)
	dir := t.TempDir()
	key := p.Key(t, []string{"--data", dir}, "read only")
	s := p.Serve(t, "--data", dir)
	newCaller(s.URL, key).dataset(t)
	s.Stop(t)
	script := `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", "-rm", "sh", "-c", script, dir, p.Path, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if !failed || exit.ExitCode() != 2 || !strings.Contains(string(out), "read-only") || !strings.Contains(string(out), "hint:") {
		t.Errorf("a server in a folder that is read-only: %v, %s", err, out)
	}
	p.Serve(t, "--data", dir).Stop(t)
}
