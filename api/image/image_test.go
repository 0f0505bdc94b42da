package image_test

import (
	"bytes"
	stdimage "image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"remuda"
	"remuda/api/image"
	"remuda/blob"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
)

// served is a server with a dataset of one image.
type served struct {
	t       *testing.T
	flow    *flow.Flow
	caller  remuda.Caller
	dataset string
	item    store.Item
	file    []byte
	url     string
	later   *atomic.Int64 // by how much the server's clock is ahead
}

func newServed(t *testing.T) *served {
	t.Helper()
	f, caller := flowtest.New(t)
	later := &atomic.Int64{}
	f.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	m := stdimage.NewRGBA(stdimage.Rect(0, 0, 600, 300))
	for i := range m.Pix {
		m.Pix[i] = uint8(i * 7)
	}
	m.Set(0, 0, color.White)
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		t.Fatal(err)
	}
	d, err := f.CreateDataset(t.Context(), caller, flow.NewDataset{Name: "horses"})
	if err != nil {
		t.Fatal(err)
	}
	batch := f.ReceiveImages(t.Context())
	if err := batch.Add(bytes.NewReader(file.Bytes())); err != nil {
		t.Fatal(err)
	}
	images, err := batch.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.AppendItems(t.Context(), caller, d.ID, []flow.NewItem{{ReferenceID: "a", ImageURL: "a.png", Image: &images[0]}}); err != nil {
		t.Fatal(err)
	}
	found, err := f.Item(t.Context(), caller, d.ID, flow.ItemChoice{Reference: "a"})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	faces := image.Server{Flow: f, Fail: func(r *http.Request, err error) { t.Errorf("%s: %v", r.URL.Path, err) }}
	for prefix, face := range faces.Faces() {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, face))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &served{t, f, caller, d.ID, found.Item, file.Bytes(), server.URL, later}
}

// get makes a request and returns the answer and its body.
func (s *served) get(method, path string, header map[string]string, body io.Reader) (*http.Response, []byte) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, data
}

func (s *served) imageURL() string {
	s.t.Helper()
	url, err := s.flow.ImageURL(s.t.Context(), s.item)
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}

func (s *served) thumbnailURL(size int) string {
	s.t.Helper()
	url, err := s.flow.ThumbnailURL(s.t.Context(), s.item, size)
	if err != nil {
		s.t.Fatal(err)
	}
	return url
}

func TestAnImageIsServedAsItWasSent(t *testing.T) {
	s := newServed(t)
	url := s.imageURL()
	answer, body := s.get("GET", url, nil, nil)
	if answer.StatusCode != 200 || !bytes.Equal(body, s.file) {
		t.Fatalf("status %d, %d bytes of %d", answer.StatusCode, len(body), len(s.file))
	}
	for name, want := range map[string]string{
		"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Etag": `"` + s.item.Blob + `"`, "Accept-Ranges": "bytes",
	} {
		if got := answer.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := answer.Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control: %q", got)
	}
	if answer, body := s.get("HEAD", url, nil, nil); answer.StatusCode != 200 || len(body) != 0 || answer.ContentLength != int64(len(s.file)) {
		t.Errorf("HEAD: %d, %d bytes, length %d", answer.StatusCode, len(body), answer.ContentLength)
	}
	if answer, body := s.get("GET", url, map[string]string{"Range": "bytes=10-19"}, nil); answer.StatusCode != 206 || !bytes.Equal(body, s.file[10:20]) {
		t.Errorf("a range: %d, %q", answer.StatusCode, body)
	}
	if answer, _ := s.get("GET", url, map[string]string{"If-None-Match": `"` + s.item.Blob + `"`}, nil); answer.StatusCode != 304 {
		t.Errorf("known bytes: %d", answer.StatusCode)
	}
}

func TestThumbnailsAreMadeOnceHoweverManyAsk(t *testing.T) {
	s := newServed(t)
	url := s.thumbnailURL(128)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			answer, body := s.get("GET", url, nil, nil)
			m, err := jpeg.Decode(bytes.NewReader(body))
			if err != nil || m.Bounds().Dx() != 128 || m.Bounds().Dy() != 64 || answer.Header.Get("Content-Type") != "image/jpeg" {
				t.Errorf("status %d, %s: %v", answer.StatusCode, answer.Header.Get("Content-Type"), err)
			}
		})
	}
	wait.Wait()
	ref, err := blob.ParseRef(s.item.Blob)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.flow.Blobs.PutDerived(t.Context(), ref, "thumbnail-128.jpg", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	if _, body := s.get("GET", url, nil, nil); string(body) != "kept" {
		t.Errorf("a thumbnail that is there is made again: %d bytes", len(body))
	}
}

func TestNothingIsServedWithoutAGoodSignature(t *testing.T) {
	s := newServed(t)
	url := s.imageURL()
	path, query, _ := strings.Cut(url, "?")
	orphan, _, err := s.flow.Blobs.Put(t.Context(), strings.NewReader("<html><script>alert(1)</script>"), 0)
	if err != nil {
		t.Fatal(err)
	}
	orphanURL, err := s.flow.BlobURL(t.Context(), "/image/"+orphan.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path string
		want               int
	}{
		{"no signature", "GET", path, 403},
		{"another image's signature", "GET", "/image/" + strings.Repeat("0", 64) + "?" + query, 403},
		{"an image's signature for its thumbnail", "GET", "/thumbnail/" + s.item.Blob + "/128?" + query, 403},
		{"a thumbnail's signature for another size", "GET", strings.Replace(s.thumbnailURL(128), "/128?", "/256?", 1), 403},
		{"an orphan", "GET", orphanURL, 404},
		{"a size that there is not", "GET", s.thumbnailURL(7), 404},
		{"another method", "POST", url, 400},
	} {
		answer, body := s.get(c.method, c.path, nil, nil)
		if answer.StatusCode != c.want || answer.Header.Get("Content-Type") != "application/json" || !bytes.HasPrefix(body, []byte(`{"error":"`)) || answer.Header.Get("Cache-Control") != "" {
			t.Errorf("%s: %d, want %d; %v %.100s", c.name, answer.StatusCode, c.want, answer.Header, body)
		}
	}
	s.later.Store(int64(72 * time.Hour))
	if answer, _ := s.get("GET", url, nil, nil); answer.StatusCode != 403 {
		t.Errorf("three days later: %d", answer.StatusCode)
	}
	s.later.Store(int64(23 * time.Hour))
	if answer, _ := s.get("GET", url, nil, nil); answer.StatusCode != 200 {
		t.Errorf("23 hours later: %d", answer.StatusCode)
	}
}

func TestAFileIsPutWithoutALoginToItsSignedURLOnly(t *testing.T) {
	s := newServed(t)
	for _, request := range []string{"0123456789abcdef", "odd id/%2F?"} {
		url, err := s.flow.UploadURL(t.Context(), s.caller, s.dataset, request)
		if err != nil {
			t.Fatal(err)
		}
		answer, body := s.get("PUT", url, nil, strings.NewReader(`{"reference_id":"`+request+`","image_url":"http://images.test/b.jpg"}`+"\n"))
		if answer.StatusCode != 200 {
			t.Fatalf("%s: %d %s", request, answer.StatusCode, body)
		}
		if _, err := s.flow.AppendUpload(t.Context(), s.caller, s.dataset, request, false); err != nil {
			t.Fatal(err)
		}
		if _, err := s.flow.Item(t.Context(), s.caller, s.dataset, flow.ItemChoice{Reference: request}); err != nil {
			t.Error(err)
		}
		if answer, _ := s.get("PUT", url, nil, strings.NewReader("{}")); answer.StatusCode != 409 {
			t.Errorf("put over a file in use: %d", answer.StatusCode)
		}
		if answer, _ := s.get("PUT", strings.Replace(url, "live", "test", 1), nil, strings.NewReader("{}")); answer.StatusCode != 403 {
			t.Errorf("put into the other world: %d", answer.StatusCode)
		}
	}
}
