package blob_test

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"remuda/blob"
)

func folderWorld(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	store := mustOpen(t, dir)
	return world{store, func(t *testing.T, ref blob.Ref, data []byte) {
		t.Helper()
		path := filepath.Join(dir, "blobs", ref.String()[:2], ref.String())
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}}
}

func mustOpen(t testing.TB, location string) *blob.Store {
	t.Helper()
	store, err := blob.OpenURL(t.Context(), location)
	if err != nil {
		t.Fatalf("open %s: %v", location, err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return store
}

func s3World(t *testing.T) world {
	t.Helper()
	server := startS3(t)
	return world{mustOpen(t, server.url), func(t *testing.T, ref blob.Ref, data []byte) {
		t.Helper()
		key := "blobs/" + ref.String()[:2] + "/" + ref.String()
		if _, err := server.backend.PutObject(s3Bucket, key, map[string]string{}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
			t.Fatal(err)
		}
	}}
}

const s3Bucket = "herd"

// s3Server is an S3 server in this process.
type s3Server struct {
	backend *s3mem.Backend
	url     string // of its bucket, for OpenURL
	// before, if set, may answer a request in place of the server.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
}

func startS3(t testing.TB) *s3Server {
	t.Helper()
	s := &s3Server{backend: s3mem.New()}
	if err := s.backend.CreateBucket(s3Bucket); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(s.backend).Server()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.before == nil || !s.before(w, r) {
			inner.ServeHTTP(w, r)
		}
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the fake writes some headers twice
	server.Start()
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "key")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	s.url = "s3://" + s3Bucket + "?endpoint=" + server.URL
	return s
}
