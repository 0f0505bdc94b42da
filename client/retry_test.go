package client_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"remuda"
	"remuda/client"
	"remuda/wire"
)

// disturb lets the first n requests fail.
func (s *site) disturb(n int, fail func(w http.ResponseWriter)) *atomic.Int64 {
	var seen atomic.Int64
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if seen.Add(1) > int64(n) {
			return false
		}
		fail(w)
		return true
	}
	return &seen
}

// busy answers as a server that is overloaded does.
func busy(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, `{"title":"Service Unavailable","status":503,"detail":"the database is busy","code":"unavailable","hint":"try again"}`)
}

// cutOff ends the connection without an answer.
func cutOff(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func TestCallsAreRepeatedWhereThatIsSafe(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter)
		call func(s *site, d string) error
		want int64 // requests sent
		code remuda.Code
	}{
		"a read, busy":    {busy, func(s *site, d string) error { _, err := s.Dataset(s.t.Context(), d); return err }, 3, ""},
		"a read, cut off": {cutOff, func(s *site, d string) error { _, err := s.Dataset(s.t.Context(), d); return err }, 3, ""},
		"a new thing, busy": {busy, func(s *site, _ string) error {
			_, err := s.CreateDataset(s.t.Context(), wire.NewDataset{Name: "a"})
			return err
		}, 3, ""},
		"a new thing, cut off": {cutOff, func(s *site, _ string) error {
			_, err := s.CreateDataset(s.t.Context(), wire.NewDataset{Name: "a"})
			return err
		}, 1, remuda.Unavailable},
		"an upload, cut off": {cutOff, func(s *site, d string) error {
			_, err := s.UploadImages(s.t.Context(), d, []client.Upload{upload("z.jpg", picture(s.t, 50))})
			return err
		}, 3, ""},
		"a save, cut off": {cutOff, func(s *site, d string) error {
			_, err := s.SaveAnnotations(s.t.Context(), s.items(d)[0].ID, wire.SaveAnnotations{})
			return err
		}, 0, remuda.Unavailable},
		"a refusal is an answer": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusTeapot) }, func(s *site, d string) error { _, err := s.Dataset(s.t.Context(), d); return err }, 1, remuda.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			d := s.dataset("a.jpg")
			if c.want == 0 { // the call reads first
				item := s.items(d)[0].ID
				c.want, c.call = 1, func(s *site, _ string) error {
					_, err := s.SaveAnnotations(s.t.Context(), item, wire.SaveAnnotations{})
					return err
				}
			}
			seen := s.disturb(2, c.fail)
			err := c.call(s, d)
			if remuda.CodeOf(err) != c.code || seen.Load() != c.want {
				t.Errorf("%d requests, want %d: %v", seen.Load(), c.want, err)
			}
			if err != nil && remuda.HintOf(err) == "" {
				t.Errorf("no hint: %v", err)
			}
		})
	}
}

func TestAServerThatStaysAwayIsGivenUp(t *testing.T) {
	s := newSite(t)
	seen := s.disturb(1000, busy)
	if _, err := s.Me(t.Context()); remuda.CodeOf(err) != remuda.Unavailable || err.Error() != "the database is busy" || remuda.HintOf(err) != "try again" {
		t.Errorf("after %d requests: %v", seen.Load(), err)
	}
	if seen.Load() < 4 || seen.Load() > 20 {
		t.Errorf("%d requests were sent", seen.Load())
	}
}

func TestErrorsComeBackAsTheyWere(t *testing.T) {
	s := newSite(t)
	d := s.dataset("a.jpg")
	_, err := s.Items(t.Context(), d, client.Search{Filter: "widht > 3"}, client.Page{}, false)
	if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), "column 1") {
		t.Errorf("a wrong filter: %v, %s", err, remuda.HintOf(err))
	}
	if _, err := s.Items(t.Context(), d, client.Search{}, client.Page{Cursor: "??"}, false); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a wrong cursor: %v", err)
	}
	if _, err := s.Items(t.Context(), d, client.Search{}, client.Page{Limit: 100_000}, false); remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), "limit") {
		t.Errorf("a wrong limit: %v", err)
	}
	_, err = s.client(client.Options{Key: "live_none"}).Me(t.Context())
	if !errors.Is(err, remuda.ErrNoLogin) {
		t.Errorf("a wrong key: %v", err)
	}
	unreadable := client.Upload{UploadPart: wire.UploadPart{ReferenceID: "b.jpg"}, Open: func() (io.ReadCloser, error) { return nil, errors.New("gone") }}
	seen := s.disturb(0, nil)
	if _, err := s.UploadImages(t.Context(), d, []client.Upload{unreadable}); remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), "b.jpg") || seen.Load() > 1 {
		t.Errorf("an unreadable file, %d requests: %v", seen.Load(), err)
	}
	damaged := upload("c.jpg", picture(t, 1))
	damaged.SHA256 = strings.Repeat("0", 64)
	done, err := s.UploadImages(t.Context(), d, []client.Upload{damaged, upload("text.jpg", []byte("this is no image")), upload("ok.jpg", picture(t, 3))})
	if err != nil || done.Images[0].Status != "refused" || done.Images[1].Status != "refused" || done.Images[1].Problem == "" || done.Images[2].Status != "new" {
		t.Errorf("damaged, no image, good: %+v, %v", done, err)
	}
}

func TestKeysOfOneWorldDoNotSeeTheOther(t *testing.T) {
	s := newSite(t)
	d := s.dataset("a.jpg")
	key := must[wire.MadeKey](t)(s.CreateKey(t.Context(), wire.NewKey{Name: "other", Role: "admin", World: "test"}))
	other := s.client(client.Options{Key: key.Secret})
	if _, err := other.Dataset(t.Context(), d); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("the other world's dataset: %v", err)
	}
	own := must[wire.Dataset](t)(other.CreateDataset(t.Context(), wire.NewDataset{Name: "b"}))
	image := s.items(d)[0]
	known := must[wire.AddedImages](t)(other.AddKnownImages(t.Context(), own.ID, wire.KnownImages{Images: []wire.KnownImage{{ReferenceID: "a.jpg", SHA256: image.SHA256}}}))
	if known.Images[0].Status != "send" {
		t.Errorf("an image of the other world is %s", known.Images[0].Status)
	}
}
