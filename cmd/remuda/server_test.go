package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"remuda/client"
)

// served is a server on a folder, with an admin's key.
type served struct {
	*process
	data string
	key  string
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{data: t.TempDir()}
	s.process = begin(t, "serve", "--data", s.data, "--listen", "127.0.0.1:0")
	s.key = strings.TrimSpace(must(t, "key", "create", "--data", s.data, "--role", "admin", "test"))
	return s
}

// again starts the server anew, at the same address.
func (s *served) again(t *testing.T) {
	t.Helper()
	s.process = begin(t, "serve", "--data", s.data, "--listen", strings.TrimPrefix(s.url, "http://"))
}

// client returns one that asks every few milliseconds while it waits.
func (s *served) client(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.New(s.url, client.Options{Key: s.key})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// env lets a command find the server.
func (s *served) env() []string { return []string{"REMUDA_SERVER=" + s.url, "REMUDA_API_KEY=" + s.key} }

// Scripts of the commands that talk to a server; each has one of its own.
func TestServerScripts(t *testing.T) {
	p := params(t, filepath.Join("testdata", "server", "*.txt"))
	setup := p.Setup
	servers := make(chan *served, len(p.Files))
	passwords := make(map[*served]string)
	for range p.Files { // here, where a failure can end the test
		s := serve(t)
		passwords[s] = strings.TrimSpace(must(t, "user", "add", "--data", s.data, "--role", "reviewer", "ada"))
		servers <- s
	}
	p.Setup = func(env *testscript.Env) error {
		s := <-servers
		env.Defer(s.end)
		env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
		env.Setenv("REMUDA_SERVER", s.url)
		env.Setenv("REMUDA_API_KEY", s.key)
		for name, text := range map[string]string{"key.txt": s.key + "\n", "person.txt": "ada\n" + passwords[s] + "\n"} {
			if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		return setup(env)
	}
	testscript.Run(t, p)
}

// writeJPEGs makes a folder of n small images, no two alike.
func writeJPEGs(t *testing.T, n int) string {
	t.Helper()
	folder := t.TempDir()
	for i := range n {
		m := image.NewGray(image.Rect(0, 0, 32, 32))
		for k := range m.Pix {
			m.Pix[k] = uint8(k*(i+1) + i)
		}
		m.SetGray(i%32, i/32%32, color.Gray{Y: 255})
		var file bytes.Buffer
		if err := jpeg.Encode(&file, m, nil); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.jpg", i)), file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// startUpload begins an upload in a process of its own.
func (s *served) startUpload(t *testing.T, dataset, folder string) (*bytes.Buffer, func() error, func()) {
	t.Helper()
	c := command(t, "dataset", "upload", dataset, folder, "--json", "--connections", "1")
	c.Env = append(c.Env, s.env()...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return &out, c.Wait, func() { _ = c.Process.Kill() }
}

// some waits until a dataset has images, and returns how many.
func some(t *testing.T, c *client.Client, dataset string) int64 {
	t.Helper()
	for {
		n, err := c.CountItems(t.Context(), dataset, client.Search{})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return n
		}
	}
}

func TestAnUploadOutlivesItsServer(t *testing.T) {
	const n = 600
	s := serve(t)
	folder := writeJPEGs(t, n)
	dataset := strings.TrimSpace(s.must(t, "dataset", "create", "many"))
	out, wait, _ := s.startUpload(t, dataset, folder)
	before := some(t, s.client(t), dataset)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.done
	s.again(t)
	if err := wait(); err != nil {
		t.Fatalf("the upload: %v: %s", err, out)
	}
	var report uploadReport
	text := out.String()
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &report); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if report.New+report.There != n || len(report.Problems) > 0 {
		t.Errorf("of %d images: %+v", n, report)
	}
	if before >= n {
		t.Errorf("the server had all %d images before it was killed", before)
	}
	if got, err := s.client(t).CountItems(t.Context(), dataset, client.Search{}); err != nil || got != n {
		t.Errorf("the dataset has %d images of %d: %v", got, n, err)
	}
	s.end()
}

func TestAnUploadThatWasCutOffGoesOnWhereItWas(t *testing.T) {
	const n = 600
	s := serve(t)
	folder := writeJPEGs(t, n)
	dataset := strings.TrimSpace(s.must(t, "dataset", "create", "many"))
	_, wait, kill := s.startUpload(t, dataset, folder)
	before := some(t, s.client(t), dataset)
	kill()
	_ = wait() // killed
	out, wait, _ := s.startUpload(t, dataset, folder)
	if err := wait(); err != nil {
		t.Fatalf("the second upload: %v: %s", err, out)
	}
	var report uploadReport
	text := out.String()
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &report); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if int64(report.There) < before || report.New+report.There != n {
		t.Errorf("%d images were there: %+v", before, report)
	}
	s.end()
}

// must runs a command against the server.
func (s *served) must(t *testing.T, args ...string) string {
	t.Helper()
	c := command(t, args...)
	c.Env = append(c.Env, s.env()...)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("remuda %v: %v", args, err)
	}
	return string(out)
}

// A pipe among the images of a folder is named; nobody waits for what it may say.
func TestAnUploadDoesNotWaitForAPipe(t *testing.T) {
	s := serve(t)
	defer s.end()
	s.must(t, "dataset", "create", "horses")
	folder := writeJPEGs(t, 1)
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := command(t, "dataset", "upload", "horses", folder)
	c.Env = append(c.Env, s.env()...)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "pipe.jpg: this is no file") || !strings.Contains(string(out), "1 image new") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestMomentsAreTimesOrHowLongAgo(t *testing.T) {
	now := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2h": now.Add(-2 * time.Hour), "-90m": now.Add(-90 * time.Minute),
		"2026-01-31T12:00:00Z": time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
	} {
		if got, err := moment(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%s is %v, want %v: %v", text, got, want, err)
		}
	}
}
