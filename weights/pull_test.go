package weights

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"remuda"
)

// published is a file on a test's server, named by its sum as torchvision does.
type published struct {
	source Source
	data   []byte
}

func publish(size int) published {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	sum := sha256.Sum256(data)
	return published{Source{COCO, remuda.ResNet50FPN, "test-" + hex.EncodeToString(sum[:4]) + ".pth", ""}, data}
}

// serve starts a server and a cache that downloads from it without pauses.
func serve(t *testing.T, handler http.HandlerFunc) Cache {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Cache{
		Dir: filepath.Join(t.TempDir(), "weights"), URL: server.URL, Client: server.Client(),
		wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
}

// whole answers as a good server does, ranges included.
func (p published) whole(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", `"v1"`)
	http.ServeContent(w, r, p.source.File, time.Time{}, bytes.NewReader(p.data))
}

// broken claims the whole file and drops the line after n bytes.
func (p published) broken(w http.ResponseWriter, n int) {
	w.Header().Set("ETag", `"v1"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(p.data)))
	w.Write(p.data[:n])
	panic(http.ErrAbortHandler)
}

// expect checks that the cache holds exactly the file and its sum.
func (p published) expect(t *testing.T, c Cache, path string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, p.data) {
		t.Errorf("the cache has %d bytes, %v; want the %d published ones", len(got), err, len(p.data))
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{p.source.File, p.source.File + ".lock", p.source.File + ".sha256"}; !slices.Equal(names, want) {
		t.Errorf("the cache holds %v, want %v", names, want)
	}
}

func TestAFileIsDownloadedOnceAndChecked(t *testing.T) {
	p := publish(100_000)
	var requests atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); p.whole(w, r) })
	var last, total int64
	path, err := c.Pull(t.Context(), p.source, func(d, n int64) { last, total = d, n })
	p.expect(t, c, path, err)
	if last != 100_000 || total != 100_000 {
		t.Errorf("progress ended at %d of %d", last, total)
	}
	if _, err := c.Pull(t.Context(), p.source, nil); err != nil || requests.Load() != 1 {
		t.Errorf("a second pull made %d requests in all, %v", requests.Load(), err)
	}
	if got, cached, err := c.Path(p.source); got != path || !cached || err != nil {
		t.Errorf("Path gives %s, %v, %v", got, cached, err)
	}
}

func TestADroppedLineIsTakenUpWhereItStopped(t *testing.T) {
	p := publish(100_000)
	var ranges []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")+" "+r.Header.Get("If-Range"))
		if len(ranges) == 1 {
			p.broken(w, 40_000)
		}
		p.whole(w, r)
	})
	path, err := c.Pull(t.Context(), p.source, nil)
	p.expect(t, c, path, err)
	if want := []string{" ", `bytes=40000- "v1"`}; !slices.Equal(ranges, want) {
		t.Errorf("requests asked for %q, want %q", ranges, want)
	}
}

func TestAStoppedDownloadGoesOnInALaterCall(t *testing.T) {
	p := publish(100_000)
	ctx, stop := context.WithCancel(t.Context())
	var requests atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			p.broken(w, 50_000)
		}
		p.whole(w, r)
	})
	c.wait = func(ctx context.Context, _ time.Duration) error { stop(); return ctx.Err() }
	if _, err := c.Pull(ctx, p.source, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if got := c.List(); got[0].Cached {
		t.Error("half a file counts as cached")
	}
	if n := sizeOf(c.path(p.source) + ".part"); n != 50_000 {
		t.Errorf("%d bytes were kept", n)
	}
	path, err := c.Pull(t.Context(), p.source, nil)
	p.expect(t, c, path, err)
}

func TestAServerWithoutRangesStartsAnew(t *testing.T) {
	p := publish(100_000)
	var requests atomic.Int64
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) == 1 {
			p.broken(w, 40_000)
		}
		w.Write(p.data)
	})
	path, err := c.Pull(t.Context(), p.source, nil)
	p.expect(t, c, path, err)
}

func TestAFileThatChangedInBetweenIsDownloadedAnew(t *testing.T) {
	p := publish(100_000)
	cases := map[string]func(w http.ResponseWriter, r *http.Request){
		"the server notices": p.whole, // the unfinished file carries another tag
		"the server goes on": func(w http.ResponseWriter, r *http.Request) { r.Header.Del("If-Range"); p.whole(w, r) },
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			c := serve(t, handler)
			part := c.path(p.source) + ".part"
			err := errors.Join(os.MkdirAll(c.Dir, 0o755), os.WriteFile(part, make([]byte, 500), 0o644), os.WriteFile(part+".tag", []byte(`"v0"`), 0o644))
			if err != nil {
				t.Fatal(err)
			}
			path, err := c.Pull(t.Context(), p.source, nil)
			p.expect(t, c, path, err)
		})
	}
}

func TestAnUnfinishedFileThatIsCompleteOrTooLongEndsWell(t *testing.T) {
	p := publish(100_000)
	for _, have := range [][]byte{p.data, append(slices.Clone(p.data), "more"...)} {
		c := serve(t, p.whole)
		part := c.path(p.source) + ".part"
		if err := errors.Join(os.MkdirAll(c.Dir, 0o755), os.WriteFile(part, have, 0o644), os.WriteFile(part+".tag", []byte(`"v1"`), 0o644)); err != nil {
			t.Fatal(err)
		}
		path, err := c.Pull(t.Context(), p.source, nil)
		p.expect(t, c, path, err)
	}
}

func TestFailuresOfADownload(t *testing.T) {
	p := publish(1000)
	cases := []struct {
		name     string
		handler  http.HandlerFunc
		code     remuda.Code
		want     string
		requests int64
	}{
		{"no such file", http.NotFound, remuda.NotFound, "no such file", 1},
		{"other bytes", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>log in first</html>")) }, remuda.Invalid, "SHA-256", 1},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, remuda.Unavailable, "403", 1},
		{"server down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, remuda.Unavailable, "502", maxTries},
		{"line always drops", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, remuda.Unavailable, "EOF", maxTries},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int64
			cache := serve(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); c.handler(w, r) })
			_, err := cache.Pull(t.Context(), p.source, nil)
			if remuda.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) || !strings.Contains(remuda.HintOf(err), "--from FILE") {
				t.Errorf("got %v (%s), want code %s and %q", err, remuda.HintOf(err), c.code, c.want)
			}
			if requests.Load() != c.requests {
				t.Errorf("%d requests, want %d", requests.Load(), c.requests)
			}
			if _, cached, _ := cache.Path(p.source); cached || sizeOf(cache.path(p.source)+".part") != 0 {
				t.Error("something was kept")
			}
		})
	}
}

func TestAMachineWithoutANetworkIsToldAtOnce(t *testing.T) {
	tries := 0
	c := serve(t, http.NotFound)
	c.Client = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		tries++
		return nil, &net.DNSError{Err: "no such host", Name: "example.org", IsNotFound: true}
	})}
	_, err := c.Pull(t.Context(), publish(10).source, nil)
	if remuda.CodeOf(err) != remuda.Unavailable || !strings.Contains(err.Error(), "no such host") || tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
	if strings.Count(err.Error(), "http") != 1 {
		t.Errorf("%q names the address more than once", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestASilentLineIsDropped(t *testing.T) {
	p := publish(1000)
	var requests atomic.Int64
	done := make(chan struct{})
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			p.whole(w, r)
			return
		}
		w.Header().Set("Content-Length", "1000")
		w.Write(p.data[:10])
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	defer close(done)
	c.quiet = 50 * time.Millisecond
	path, err := c.Pull(t.Context(), p.source, nil)
	p.expect(t, c, path, err)
}

// fullDisk takes some bytes and then no more.
type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.left {
		return d.left, &os.PathError{Op: "write", Path: "weights", Err: syscall.ENOSPC}
	}
	d.left -= len(p)
	return len(p), nil
}
func (d *fullDisk) Sync() error  { return nil }
func (d *fullDisk) Close() error { return nil }

func TestAFullDiskEndsADownload(t *testing.T) {
	p := publish(100_000)
	var requests atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { requests.Add(1); p.whole(w, r) })
	c.part = func(string) (partFile, error) { return &fullDisk{left: 1000}, nil }
	_, err := c.Pull(t.Context(), p.source, nil)
	if remuda.CodeOf(err) != remuda.Unavailable || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk is full") || requests.Load() != 1 {
		t.Errorf("got %v after %d requests", err, requests.Load())
	}
}

func TestTwoPullsAtOnceDownloadOnce(t *testing.T) {
	p := publish(100_000)
	var requests atomic.Int64
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		p.whole(w, r)
	})
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { _, errs[i] = c.Pull(context.Background(), p.source, nil) })
	}
	wg.Wait()
	path, err := c.Pull(t.Context(), p.source, nil)
	p.expect(t, c, path, errors.Join(err, errors.Join(errs...)))
	if requests.Load() != 1 {
		t.Errorf("%d requests", requests.Load())
	}
}

func TestALocalFileIsImportedAfterTheSameCheck(t *testing.T) {
	p := publish(1000)
	c := Cache{Dir: filepath.Join(t.TempDir(), "weights")}
	local := filepath.Join(t.TempDir(), "downloaded")
	if err := os.WriteFile(local, p.data, 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := c.Import(t.Context(), p.source, local)
	p.expect(t, c, path, err)

	other := publish(999)
	if _, err := c.Import(t.Context(), other.source, local); remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), local) {
		t.Errorf("another file was imported: %v", err)
	}
	if _, err := c.Import(t.Context(), p.source, local+"x"); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("a missing file was imported: %v", err)
	}
}

func TestACachedFileThatChangedIsNotUsed(t *testing.T) {
	p := publish(1000)
	c := serve(t, p.whole)
	path, err := c.Pull(t.Context(), p.source, nil)
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Repeat("0", 64)
	for file, text := range map[string]string{path: "damaged", path + ".sha256": sum + "  x\n"} {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(file, []byte(text), 0o644)
		if _, cached, err := c.Path(p.source); cached || remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), path) {
			t.Errorf("with %s changed: %v, %v", filepath.Base(file), cached, err)
		}
		os.WriteFile(file, before, 0o644)
	}
}

func TestTheCatalogueServesEveryArchitecture(t *testing.T) {
	for _, arch := range remuda.Architectures {
		for _, name := range []string{COCO, ImageNet} {
			s, err := Find(name, arch)
			if err != nil || s.Arch != arch || len(s.Prefix()) != 8 || strings.Trim(s.Prefix(), "0123456789abcdef") != "" {
				t.Errorf("%s for %s: %+v, %v", name, arch, s, err)
			}
			if byFile, err := Find(s.File, ""); err != nil || byFile.File != s.File {
				t.Errorf("%s by its file's name: %+v, %v", s.File, byFile, err)
			}
		}
	}
	if s, ok := Known("258fb6c6"+strings.Repeat("0", 56), remuda.ResNet50FPN); !ok || s.Name != COCO {
		t.Errorf("a known sum gives %+v, %v", s, ok)
	}
	if _, ok := Known(strings.Repeat("0", 64), remuda.ResNet50FPN); ok {
		t.Error("an unknown sum is known")
	}
	if _, err := Find("jft", remuda.DefaultArch); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("got %v", err)
	}
}

func TestTheStarterIsPartOfTheProgram(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "weights")}
	path, err := c.WriteStarter()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if first, err := f.Read("features.0.0.weight"); err != nil || len(first) != 16*3*3*3 {
		t.Errorf("%d values, %v", len(first), err)
	}
	if err := StarterFor(remuda.ResNet50FPN); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("the starter fits a ResNet: %v", err)
	}
}
