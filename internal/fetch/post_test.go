package fetch

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"remuda"
)

func TestPostSendsOnceAndTellsTheStatus(t *testing.T) {
	var got, header string
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, header = string(text), r.Header.Get("scale-callback-auth")
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	client := New(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	status, err := client.Post(t.Context(), server.URL+"/x", map[string]string{"scale-callback-auth": "key"}, []byte(`{"a":1}`))
	if err != nil || status != http.StatusTeapot || got != `{"a":1}` || header != "key" || calls != 1 {
		t.Errorf("%d %v, %d calls, got %q with %q", status, err, calls, got, header)
	}
	if status, err := client.Post(t.Context(), server.URL+"/moved", nil, nil); err != nil || status != http.StatusFound || calls != 2 {
		t.Errorf("a redirect: %d %v after %d calls", status, err, calls)
	}
}

func TestPostIsGuarded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was called") }))
	defer server.Close()
	for _, address := range []string{server.URL, "ftp://example.org", "http://169.254.169.254/latest", "://"} {
		if _, err := New(Options{}).Post(t.Context(), address, nil, nil); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("%s: %v", address, err)
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	client := New(Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if _, err := client.Post(t.Context(), closed.URL, nil, nil); remuda.CodeOf(err) != remuda.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
}
