package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// indexer is a server with a dataset of the bundled photos.
type indexer struct {
	*served
	flags   []string
	dataset string
}

// newIndexer starts a server with an engine, and gives it so many photos.
func newIndexer(t *testing.T, photos int) *indexer {
	t.Helper()
	shim, dir := sharedShim(t), t.TempDir()
	if err := prepare(dir, shim); err != nil {
		t.Fatal(err)
	}
	x := &indexer{served: &served{data: t.TempDir()}, flags: []string{"--cache", filepath.Join(dir, "cache"), "--workers", "1"}}
	x.start(t)
	x.key = strings.TrimSpace(must(t, "key", "create", "--data", x.data, "--role", "admin", "test"))
	x.fill(t, photos)
	return x
}

func (x *indexer) start(t *testing.T) {
	t.Helper()
	x.process = begin(t, append([]string{"serve", "--data", x.data, "--listen", "127.0.0.1:0"}, x.flags...)...)
}

// fill makes the dataset.
func (x *indexer) fill(t *testing.T, photos int) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join("..", "..", "demo", "raccoon", "images", "*.jpg"))
	if err != nil || len(all) < photos {
		t.Fatalf("%d photos are bundled, %v", len(all), err)
	}
	folder := t.TempDir()
	for _, path := range all[:photos] {
		bytes, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, filepath.Base(path)), bytes, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var made struct {
		ID string `json:"dataset_id"`
	}
	x.ask(t, "POST", "dataset/create", `{"name":"raccoons"}`, &made)
	x.dataset = made.ID
	x.must(t, "dataset", "upload", x.dataset, folder)
}

// ask makes a request of the dataset API.
func (x *indexer) ask(t *testing.T, method, path, body string, into any) {
	t.Helper()
	text := call(t, http.DefaultClient, method, x.url+"/v1/nucleus/"+path, x.key, body)
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v: %s", path, err, text)
	}
}

// index starts a job and returns its id.
func (x *indexer) index(t *testing.T) string {
	t.Helper()
	var job struct {
		ID string `json:"job_id"`
	}
	x.ask(t, "POST", "indexing/"+x.dataset+"/internal/image", "{}", &job)
	return job.ID
}

type indexState struct {
	Status  string          `json:"status"`
	Message json.RawMessage `json:"message"`
}

// ended waits for a job and returns how it ended.
func (x *indexer) ended(t *testing.T, job string) (s indexState) {
	t.Helper()
	x.until(t, func() bool {
		x.ask(t, "GET", "job/"+job, "", &s)
		return s.Status != "Running" && s.Status != "Started"
	})
	return s
}

func (x *indexer) until(t *testing.T, what func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); !what(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("this does not end: %s", x.err)
		}
	}
}

// count returns how many photos have a vector in the newest index.
func (x *indexer) count(t *testing.T) int {
	t.Helper()
	var status struct {
		Embeddings int    `json:"embedding_count"`
		Note       string `json:"additional_context"`
	}
	x.ask(t, "POST", "dataset/"+x.dataset+"/indexingStatus", `{"image":true}`, &status)
	return status.Embeddings
}

func TestAnIndexOfImagesIsMadeByTheEngine(t *testing.T) {
	x := newIndexer(t, 12)
	if s := x.ended(t, x.index(t)); s.Status != "Completed" {
		t.Fatalf("%s: %s", s.Status, s.Message)
	}
	var indexes struct {
		Found []struct {
			Status    string `json:"status"`
			Type      string `json:"index_type"`
			Dimension int    `json:"embedding_dimension"`
		} `json:"embedding_indexes"`
	}
	x.ask(t, "GET", "dataset/"+x.dataset+"/embeddingIndexes", "", &indexes)
	if len(indexes.Found) != 1 || indexes.Found[0].Status != "Completed" || indexes.Found[0].Type != "Internal" || indexes.Found[0].Dimension != 960 {
		t.Errorf("indexes %+v", indexes)
	}
	var vectors []struct {
		Reference string    `json:"reference_id"`
		Vector    []float64 `json:"embedding_vector"`
	}
	x.ask(t, "GET", "dataset/"+x.dataset+"/embeddings", "", &vectors)
	for _, v := range vectors {
		sum := 0.0
		for _, n := range v.Vector {
			sum += n * n
		}
		if math.Abs(sum-1) > 1e-5 || len(v.Vector) != 960 {
			t.Errorf("%s: %d numbers, squares add up to %v", v.Reference, len(v.Vector), sum)
		}
	}
	if n := x.count(t); n != 12 || len(vectors) != 12 {
		t.Errorf("%d vectors, %d counted", len(vectors), n)
	}
	x.end()
}

func TestAnIndexThatWasCutOffGoesOnAndCanBeCancelled(t *testing.T) {
	x := newIndexer(t, 150)
	job := x.index(t)
	x.until(t, func() bool { return x.count(t) > 0 })
	if err := x.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-x.done
	x.start(t)
	before := x.count(t)
	if s := x.ended(t, job); s.Status != "Completed" {
		t.Fatalf("%s: %s", s.Status, s.Message)
	}
	if n := x.count(t); before < 50 || n != 150 {
		t.Errorf("%d photos have a vector, %d had one when the server was killed", n, before)
	}

	job = x.index(t)
	x.until(t, func() bool { return x.count(t) < 150 }) // it has begun another index
	call(t, http.DefaultClient, "POST", x.url+"/api/v1/jobs/"+job+"/cancel", x.key, "")
	if s := x.ended(t, job); s.Status == "Completed" || !strings.Contains(string(s.Message), "cancelled") {
		t.Errorf("%s: %s", s.Status, s.Message)
	}
	if s := x.ended(t, x.index(t)); s.Status != "Completed" { // its lane is free
		t.Errorf("%s: %s", s.Status, s.Message)
	}
	if _, err := os.Stat(filepath.Join(x.data, scratchFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copies of images stay: %v", err)
	}
	x.end()
}

func TestWithoutAnEngineAnIndexEndsWithHowToGetOne(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		says  string
	}{
		"no libtorch":             {[]string{"--torch", filepath.Join(t.TempDir(), "none")}, "look for libtorch in"},
		"an engine not yet built": {nil, "run remuda engine build"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.flags == nil {
				sharedShim(t) // there is a libtorch
			}
			x := &indexer{served: &served{data: t.TempDir()}, flags: append(c.flags, "--cache", t.TempDir())}
			x.start(t)
			x.key = strings.TrimSpace(must(t, "key", "create", "--data", x.data, "--role", "admin", "test"))
			x.fill(t, 1)
			s := x.ended(t, x.index(t))
			if said := string(s.Message); s.Status != "Errored" || !strings.Contains(said, c.says) || !strings.Contains(said, "remuda doctor") {
				t.Errorf("%s: %s", s.Status, said)
			}
			x.end()
		})
	}
}

func TestImagesInABucketAreCopiedForTheEngine(t *testing.T) {
	shim, dir := sharedShim(t), t.TempDir()
	if err := prepare(dir, shim); err != nil {
		t.Fatal(err)
	}
	bucket := s3mem.New()
	if err := bucket.CreateBucket("herd"); err != nil {
		t.Fatal(err)
	}
	s3 := httptest.NewUnstartedServer(gofakes3.New(bucket).Server())
	s3.Config.ErrorLog = log.New(io.Discard, "", 0) // the fake writes some headers twice
	s3.Start()
	t.Cleanup(s3.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")

	x := &indexer{served: &served{data: t.TempDir()}, flags: []string{"--cache", filepath.Join(dir, "cache"), "--bucket", "s3://herd?endpoint=" + s3.URL}}
	x.start(t)
	x.key = strings.TrimSpace(must(t, "key", "create", "--data", x.data, "--role", "admin", "test"))
	x.fill(t, 3)
	stored, err := bucket.ListBucket("herd", &gofakes3.Prefix{HasPrefix: true, Prefix: "blobs/"}, gofakes3.ListBucketPage{})
	if err != nil || len(stored.Contents) != 3 {
		t.Fatalf("the bucket has %v, %v", stored, err)
	}
	if _, err := bucket.DeleteObject("herd", stored.Contents[1].Key); err != nil {
		t.Fatal(err)
	}
	job := x.index(t)
	if s := x.ended(t, job); s.Status != "Completed" || x.count(t) != 2 {
		t.Errorf("%s: %s; %d have a vector", s.Status, s.Message, x.count(t))
	}
	if got := call(t, http.DefaultClient, "GET", x.url+"/v1/nucleus/job/"+job+"/errors", x.key, ""); !strings.Contains(got, "it is not there") {
		t.Errorf("errors %s", got)
	}
	if _, err := os.Stat(filepath.Join(x.data, scratchFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("copies of images stay: %v", err)
	}
	x.end()
}
