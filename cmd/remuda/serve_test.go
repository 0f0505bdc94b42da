package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"remuda/internal/postgrestest"
	"remuda/store"
)

// command is this test binary as remuda.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := exec.LookPath("remuda") // a copy of this binary by the name that its children need too
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	c.Args = append([]string{"remuda"}, args...)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "REMUDA_DATA=", "REMUDA_DATABASE=", "REMUDA_BUCKET=", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret")
	return c
}

// run runs a command to its end and returns its exit status and what it said.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	c := command(t, args...)
	c.Stdout, c.Stderr = &out, &said
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), out.String(), said.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String(), said.String()
}

// must runs a command that has to succeed and returns what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	status, out, said := run(t, args...)
	if status != 0 {
		t.Fatalf("remuda %v: status %d: %s", args, status, said)
	}
	return out
}

// process is a command that goes on.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	line string // the first line of its output
	url  string // in that line
	err  *bytes.Buffer
	done chan error
}

// begin starts a command and waits for its first line.
func begin(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: command(t, args...), err: new(bytes.Buffer), done: make(chan error, 1)}
	p.cmd.Stderr = p.err
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	p.line, _ = lines.ReadString('\n')
	p.url = regexp.MustCompile(`https?://\S+`).FindString(p.line)
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		p.done <- p.cmd.Wait()
	}()
	if p.line == "" {
		t.Fatalf("remuda %v: %v: %s", args, <-p.done, p.err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// end asks the process to stop and waits until it has, without a failure.
func (p *process) end() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	if err := <-p.done; err != nil {
		p.t.Errorf("after SIGTERM: %v: %s", err, p.err)
	}
}

// call makes a request of the dataset API that must succeed.
func call(t *testing.T, client *http.Client, method, url, key, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(key, "")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, url, answer.StatusCode, text, err)
	}
	return string(text)
}

func TestServeFromTheFirstStartToARestoredBackup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := begin(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	login := filepath.Join(dir, loginFile)
	info, err := os.Stat(login)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the first login: %v, %v", info, err)
	}
	text, err := os.ReadFile(login)
	if err != nil || !strings.Contains(string(text), p.url) {
		t.Fatalf("the first login says %q, %v", text, err)
	}
	first := regexp.MustCompile(`live_\w+`).FindString(string(text))
	call(t, http.DefaultClient, "POST", p.url+"/v1/nucleus/dataset/create", first, `{"name":"horses"}`)

	key := strings.TrimSpace(must(t, "key", "create", "--data", dir, "--test", "ci"))
	if !strings.HasPrefix(key, "test_") || strings.ContainsAny(key, " \n") {
		t.Errorf("key create prints %q", key)
	}
	if got := call(t, http.DefaultClient, "GET", p.url+"/v1/nucleus/dataset/details", key, ""); got != "[]" {
		t.Errorf("the test world sees %s", got)
	}
	for _, again := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"worker"}} {
		status, _, said := run(t, append(again, "--data", dir)...)
		if status != 2 || !strings.Contains(said, "another remuda (process ") {
			t.Errorf("a second %s: status %d: %s", again[0], status, said)
		}
	}
	must(t, "user", "add", "--data", dir, "--role", "reviewer", "ada@example.org")
	if got := must(t, "user", "list", "--data", dir); !strings.Contains(got, "ada@example.org") || !strings.Contains(got, "admin") {
		t.Errorf("users: %s", got)
	}
	backup := filepath.Join(t.TempDir(), "backup.tar")
	if got := must(t, "backup", "--data", dir, backup); !strings.Contains(got, "read them again") {
		t.Errorf("backup: %s", got)
	}
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v, %v", info, err)
	}
	if strings.Contains(p.err.String(), first) {
		t.Error("the log has the first key")
	}
	if err := os.Remove(login); err != nil {
		t.Fatal(err)
	}
	p.end()
	begin(t, "serve", "--data", dir, "--listen", "127.0.0.1:0").end()
	if _, err := os.Stat(login); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the second start shows a login again: %v", err)
	}
	testRestore(t, backup, first)
}

// testRestore restores a backup of SQLite into PostgreSQL and serves from there.
func testRestore(t *testing.T, backup, key string) {
	t.Helper()
	dir, database := filepath.Join(t.TempDir(), "other"), postgrestest.New(t)
	place := []string{"--data", dir, "--database", database}
	must(t, append([]string{"restore", backup}, place...)...)
	status, _, said := run(t, append([]string{"restore", backup}, place...)...)
	if status != 2 || !strings.Contains(said, "not empty") {
		t.Errorf("restored twice: status %d: %s", status, said)
	}
	p := begin(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, place...)...)
	if got := call(t, http.DefaultClient, "GET", p.url+"/v1/nucleus/dataset/details", key, ""); !strings.Contains(got, "horses") {
		t.Errorf("restored: %s", got)
	}
	if _, err := os.Stat(filepath.Join(dir, loginFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a restored server makes a first login: %v", err)
	}
	p.end()
}

func TestAWorkerDoesTheJobsOfAServerThatHasNone(t *testing.T) {
	database, files := postgrestest.New(t), t.TempDir()
	key := strings.TrimSpace(must(t, "key", "create", "--database", database, "ci"))
	shared := []string{"--database", database, "--bucket", files}
	server := begin(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--workers", "0", "--data", t.TempDir()}, shared...)...)
	created := call(t, http.DefaultClient, "POST", server.url+"/v1/nucleus/dataset/create", key, `{"name":"horses"}`)
	dataset := regexp.MustCompile(`ds_\w+`).FindString(created)
	call(t, http.DefaultClient, "POST", server.url+"/v1/nucleus/dataset/"+dataset+"/append", key, `{"items":[{"reference_id":"a","image_url":"http://127.0.0.1:1/a.jpg","metadata":{}}]}`)
	started := call(t, http.DefaultClient, "DELETE", server.url+"/v1/nucleus/annotation/"+dataset, key, `{}`)
	job := regexp.MustCompile(`job_[0-9a-z]{20}`).FindString(started)
	if got := call(t, http.DefaultClient, "GET", server.url+"/v1/nucleus/job/"+job, key, ""); strings.Contains(got, "Completed") {
		t.Errorf("the server has no workers, and did it: %s", got)
	}
	worker := begin(t, append([]string{"worker", "--data", t.TempDir()}, shared...)...)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		got := call(t, http.DefaultClient, "GET", server.url+"/v1/nucleus/job/"+job, key, "")
		if strings.Contains(got, "Completed") {
			break
		}
		if strings.Contains(got, "Errored") {
			t.Fatal(got)
		}
	}
	worker.end()
	server.end()
}

func TestARunningRequestEndsBeforeTheServer(t *testing.T) {
	dir := t.TempDir()
	key := strings.TrimSpace(must(t, "key", "create", "--data", dir, "ci"))
	p := begin(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
	body, send := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/v1/nucleus/dataset/create", body)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(key, "")
	r.Header.Set("Expect", "100-continue") // the body is asked for by who reads it: then the request runs
	patient := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Hour}}
	answers := make(chan string, 1)
	go func() {
		answer, err := patient.Do(r)
		if err != nil {
			answers <- err.Error()
			return
		}
		answer.Body.Close()
		answers <- answer.Status
	}()
	if _, err := io.WriteString(send, `{"name":`); err != nil { // it has begun
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(p.url, "http://")
	for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C { // until no more connections are taken
		c, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		c.Close()
	}
	if _, err := io.WriteString(send, `"horses"}`); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if got := <-answers; got != "200 OK" {
		t.Errorf("the running request got %s", got)
	}
	if err := <-p.done; err != nil {
		t.Errorf("the server ended with %v: %s", err, p.err)
	}
}

func TestServeOverTLS(t *testing.T) {
	cert, key, pool := selfSigned(t)
	dir := t.TempDir()
	secret := strings.TrimSpace(must(t, "key", "create", "--data", dir, "ci"))
	p := begin(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
	answer, err := client.Get(p.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.ProtoMajor != 2 || answer.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("HTTP/%d, header %v", answer.ProtoMajor, answer.Header)
	}
	call(t, client, "POST", p.url+"/v1/nucleus/dataset/create", secret, `{"name":"horses"}`)
	client.CloseIdleConnections()
	p.end()
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "remuda"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	if err := errors.Join(os.WriteFile(cert, certPEM, 0o600), os.WriteFile(key, keyPEM, 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pool
}

func TestServeSaysInASentenceWhyItCannotStart(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := t.TempDir()
	must(t, "key", "create", "--data", newer, "ci")
	db, err := sql.Open("sqlite", filepath.Join(newer, databaseFile))
	if err == nil {
		_, err = db.Exec("INSERT INTO schema_version (version, name, applied_at) VALUES (9999, 'later.sql', 0)")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, databaseFile), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"port in use":             {[]string{"--listen", busy.Addr().String()}, "another program listens there"},
		"no port":                 {[]string{"--listen", "127.0.0.1"}, "write it like 127.0.0.1:8787"},
		"beyond this machine":     {[]string{"--listen", "0.0.0.0:0"}, "--insecure-http goes without"},
		"on all addresses":        {[]string{"--listen", ":0"}, "--insecure-http goes without"},
		"an insecure public URL":  {[]string{"--listen", ":0", "--public-url", "http://x.example"}, "--insecure-http goes without"},
		"a public URL that isn't": {[]string{"--public-url", "https://"}, "write it like https://"},
		"the folder is a file":    {[]string{"--data", file}, "--data"},
		"a newer schema":          {[]string{"--data", newer}, "start a newer remuda"},
		"no database file":        {[]string{"--data", garbage}, "the file is no database"},
		"no PostgreSQL":           {[]string{"--database", "postgres://remuda:hunter2@127.0.0.1:1/remuda"}, "look whether the database runs"},
		"another database":        {[]string{"--database", "mysql://x"}, "postgres://"},
		"no bucket":               {[]string{"--bucket", "ftp://x"}, "hint:"},
		"certificate alone":       {[]string{"--tls-cert", file}, "tls-key"},
		"no certificate":          {[]string{"--tls-cert", file, "--tls-key", file}, "PEM files"},
		"no range":                {[]string{"--trust-proxy", "here"}, "write it like 10.0.0.0/8"},
		"no range to fetch from":  {[]string{"--allow-fetch", "10.0.0.0/64"}, "write it like 10.0.0.0/8"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, c.args...)
			status, out, said := run(t, args...)
			if status != 2 || out != "" || !strings.Contains(said, c.want) || strings.Count(said, "\n") > 2 {
				t.Errorf("status %d, printed %q, said %q, want %q", status, out, said, c.want)
			}
			if strings.Contains(said, "hunter2") {
				t.Errorf("it tells the database's password: %s", said)
			}
		})
	}
}

func TestUsersAndKeysAreManagedOnTheServersMachine(t *testing.T) {
	dir := t.TempDir()
	at := func(args ...string) []string { return append(args, "--data", dir) }
	if password := must(t, at("user", "add", "root", "--role", "admin")...); len(strings.TrimSpace(password)) < 15 {
		t.Errorf("a new user's password: %q", password)
	}
	must(t, at("user", "add", "ada")...)
	if status, _, said := run(t, "key", "list", "--data", t.TempDir()); status != 2 || !strings.Contains(said, "there is no server") {
		t.Errorf("keys of a folder without a server: status %d: %s", status, said)
	}
	must(t, at("user", "role", "ada", "manager")...)
	must(t, at("user", "disable", "ada")...)
	must(t, at("user", "enable", "ADA")...)
	if a, b := must(t, at("user", "passwd", "ada")...), must(t, at("user", "passwd", "ada")...); a == b || a == "" {
		t.Errorf("passwords %q and %q", a, b)
	}
	c := command(t, at("user", "passwd", "ada", "--password-stdin")...)
	c.Stdin = strings.NewReader("short\n")
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "longer") {
		t.Errorf("a short password: %s, %v", out, err)
	}
	for _, bad := range [][]string{{"user", "role", "root", "labeler"}, {"user", "disable", "root"}, {"user", "role", "nobody", "labeler"}, {"user", "add", "ada"}, {"key", "create", "x", "--user", "nobody"}} {
		if status, _, said := run(t, at(bad...)...); status != 2 {
			t.Errorf("%v: status %d: %s", bad, status, said)
		}
	}
	key := strings.TrimSpace(must(t, at("key", "create", "--user", "ada", "--role", "admin", "laptop")...))
	listed := must(t, at("key", "list")...)
	if !strings.Contains(listed, "laptop") || strings.Contains(listed, key) || !strings.Contains(listed, key[:11]) {
		t.Errorf("keys: %s", listed)
	}
	must(t, at("key", "revoke", regexp.MustCompile(`key_\w+`).FindString(listed))...)
	twins := must(t, at("key", "create", "script")...) + must(t, at("key", "create", "script")...)
	if status, _, said := run(t, at("key", "revoke", "script")...); status != 2 || !strings.Contains(said, `2 keys are called "script"`) {
		t.Errorf("revoking one of two keys by their name: status %d: %s", status, said)
	}
	listed = must(t, at("key", "list")...)
	must(t, at("key", "revoke", regexp.MustCompile(`(key_\w+)  ` + twins[:11]).FindStringSubmatch(listed)[1])...)
	for range 2 { // the one that is left, and again
		must(t, at("key", "revoke", "script")...)
	}
	if listed = must(t, at("key", "list")...); len(regexp.MustCompile(`(?m)^key_.* -$`).FindAllString(listed, -1)) > 0 {
		t.Errorf("keys that still open something: %s", listed)
	}
	if status, _, said := run(t, at("key", "revoke", "nobody")...); status != 2 || !strings.Contains(said, "remuda key list") {
		t.Errorf("revoking no key: status %d: %s", status, said)
	}
	if db, err := store.Open(t.Context(), filepath.Join(dir, databaseFile), store.Options{}); err != nil {
		t.Error(err)
	} else if err := db.Close(); err != nil {
		t.Error(err)
	}
}
