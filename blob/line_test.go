package blob_test

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/internal/linetest"
)

// Ensure a service that cannot be reached, or that no longer answers, costs a
// bounded time and no blob.
func TestABucketBehindALineThatFails(t *testing.T) {
	for name, fail := range map[string]func(*linetest.Line){"cut": (*linetest.Line).Cut, "silent": (*linetest.Line).Silence} {
		t.Run(name, func(t *testing.T) {
			server := startS3(t)
			u, err := url.Parse(strings.TrimPrefix(server.url, "s3://"+s3Bucket+"?endpoint="))
			if err != nil {
				t.Fatal(err)
			}
			line := linetest.New(t, u.Host)
			store := mustOpen(t, line.Through(server.url))
			small, big := mustPut(t, store, []byte("x")), mustPut(t, store, noise(1, 20<<20))
			reader, err := store.Open(t.Context(), big)
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			if _, err := io.CopyN(io.Discard, reader, 1000); err != nil {
				t.Fatal(err)
			}
			fail(line)
			blob.SetPatience(store, 100*time.Millisecond)
			ctx := t.Context()
			_, readErr := io.Copy(io.Discard, reader)
			_, openErr := store.Open(ctx, small)
			_, statErr := store.Stat(ctx, small)
			_, _, putErr := store.Put(ctx, strings.NewReader("y"), 0)
			_, _, bigErr := store.Put(ctx, strings.NewReader(string(noise(2, 20<<20))), 0)
			var listErr error
			for _, err := range store.List(ctx) {
				listErr = err
			}
			for what, err := range map[string]error{
				"read on": readErr, "open": openErr, "stat": statErr, "put": putErr, "put much": bigErr, "list": listErr, "delete": store.Delete(ctx, small),
			} {
				if remuda.CodeOf(err) != remuda.Unavailable {
					t.Errorf("%s: got %v, code %q", what, err, remuda.CodeOf(err))
				}
			}
			line.Mend()
			blob.SetPatience(store, time.Minute)
			mustHave(t, store, []byte("x"))
			mustHave(t, store, noise(1, 20<<20))
			mustPut(t, store, []byte("y"))
		})
	}
}
