package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/internal/httpx"
	"remuda/internal/ratelimit"
)

// get sends a request whose header and address a test sets.
func (s *site) get(path string, set func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.RemoteAddr = "192.0.2.1:1234"
	set(r)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestKeysComeInEveryWayThatClientsSendThem(t *testing.T) {
	s := newSite(t, Options{})
	key := s.keys["reviewer"]
	for name, c := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"basic":             {func(r *http.Request) { r.SetBasicAuth(key, "") }, 200},
		"bearer":            {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+key) }, 200},
		"bearer small":      {func(r *http.Request) { r.Header.Set("Authorization", "bearer "+key) }, 200},
		"limited":           {func(r *http.Request) { r.Header.Set("x-limited-access-key", key) }, 200},
		"none":              {func(*http.Request) {}, 401},
		"as password":       {func(r *http.Request) { r.SetBasicAuth("", key) }, 401},
		"with a password":   {func(r *http.Request) { r.SetBasicAuth(key, "x") }, 401},
		"another scheme":    {func(r *http.Request) { r.Header.Set("Authorization", "Digest "+key) }, 401},
		"empty bearer":      {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, 401},
		"wrong and limited": {func(r *http.Request) { r.SetBasicAuth("live_x", ""); r.Header.Set("x-limited-access-key", key) }, 401},
	} {
		if got := s.get("/v1/nucleus/dataset/details", c.set); got.Code != c.want || got.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
}

func TestPathsAreHandedOnAsTheyCame(t *testing.T) {
	s := newSite(t, Options{})
	ids := s.things(t)
	for path, want := range map[string]int{
		"/v1/nucleus/dataset/" + ids["ds"] + "/refloc/a.jpg":        200,
		"/v1/nucleus//dataset/" + ids["ds"] + "/refloc/a.jpg":       200, // an endpoint with a slash at its end
		"/v1/nucleus/dataset/" + ids["ds"] + "/refloc/b%2F..%2Fa":   404, // never a redirect
		"/v1/nucleus/dataset/" + ids["ds"] + "/refloc/s3://b/a.jpg": 404,
		"/v1/nucleus/dataset/" + ids["ds"] + "/refloc/../a.jpg":     404,
		"/v1/nucleus":                   404,
		"/v1/nucleusx/y":                404,
		"/v1%2Fnucleus/dataset/details": 404,
		"/nothing":                      404,
	} {
		got := s.get(path, func(r *http.Request) { r.SetBasicAuth(s.keys["reviewer"], "") })
		if got.Code != want {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
		var body map[string]any
		if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// login returns a server and the token of an admin's session.
func login(t *testing.T, o Options) (*site, string) {
	t.Helper()
	o.Flow, _ = flowtest.New(t)
	s := newSite(t, o)
	_, password, err := o.Flow.CreateUser(t.Context(), flow.Local(remuda.Live), flow.NewUser{Login: "ada", Role: remuda.Manager})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := o.Flow.Login(t.Context(), "ada", password, "::1")
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

func TestASessionWritesFromItsOwnPagesOnly(t *testing.T) {
	s, token := login(t, Options{PublicURL: "https://remuda.example.org"})
	create := func(set func(http.Header)) int {
		r := httptest.NewRequest(http.MethodPost, "/v1/nucleus/dataset/create", strings.NewReader(`{"name":"x"}`))
		r.AddCookie(&http.Cookie{Name: "remuda_session", Value: token})
		set(r.Header)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	for name, c := range map[string]struct {
		set  func(http.Header)
		want int
	}{
		"same origin": {func(h http.Header) { h.Set("Sec-Fetch-Site", "same-origin") }, 200},
		"no browser":  {func(http.Header) {}, 200},
		"the public URL": {func(h http.Header) {
			h.Set("Origin", "https://remuda.example.org")
			h.Set("Sec-Fetch-Site", "cross-site")
		}, 200},
		"another site":     {func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"another origin":   {func(h http.Header) { h.Set("Origin", "https://evil.example") }, 403},
		"a sibling":        {func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site") }, 403},
		"an old browser":   {func(h http.Header) { h.Set("Origin", "http://example.com") }, 200},
		"the test world":   {func(h http.Header) { h.Set("X-Remuda-World", "test") }, 200},
		"an unknown world": {func(h http.Header) { h.Set("X-Remuda-World", "both") }, 400},
		"a key, another site": {func(h http.Header) {
			h.Set("Sec-Fetch-Site", "cross-site")
			h.Set("x-limited-access-key", s.keys["manager"])
		}, 200},
	} {
		if got := create(c.set); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/api/v1/datasets", strings.NewReader(`{"name":"x"}`))
	r.AddCookie(&http.Cookie{Name: "remuda_session", Value: token})
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
		t.Errorf("our own API refuses with %d %s %s", w.Code, w.Header(), w.Body)
	}
}

func TestTheCookieOfASecureSessionIsBoundToTLS(t *testing.T) {
	s, token := login(t, Options{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for name, c := range map[string]struct {
		cookie, proto string
		want          int
	}{
		"plain":                  {"remuda_session", "", 200},
		"over TLS":               {"__Host-remuda_session", "https", 200},
		"plain cookie over TLS":  {"remuda_session", "https", 401},
		"secure cookie in clear": {"__Host-remuda_session", "", 401},
	} {
		got := s.get("/v1/nucleus/dataset/details", func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: c.cookie, Value: token})
			if c.proto != "" {
				r.Header.Set("X-Forwarded-Proto", c.proto)
			}
		})
		if got.Code != c.want {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
		if hsts := got.Header().Get("Strict-Transport-Security") != ""; hsts != (c.proto == "https") {
			t.Errorf("%s: Strict-Transport-Security is there: %v", name, hsts)
		}
	}
	w := httptest.NewRecorder()
	r := httpx.With(httptest.NewRequest(http.MethodPost, "/", nil), &httpx.Request{Secure: true})
	httpx.SetSession(w, r, "token", flow.SessionMax)
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("the cookie: %+v", cookie)
	}
}

func TestOnlyTrustedProxiesSayWhoSends(t *testing.T) {
	proxied := &Server{o: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for name, c := range map[string]struct {
		peer, forwarded, proto, host string
		address, base                string
	}{
		"directly":                  {"192.0.2.9:1", "", "", "", "192.0.2.9", "http://remuda.test"},
		"a liar":                    {"192.0.2.9:1", "127.0.0.1", "https", "evil.example", "192.0.2.9", "http://remuda.test"},
		"one proxy":                 {"10.0.0.1:1", "192.0.2.9", "https", "", "192.0.2.9", "https://remuda.test"},
		"two proxies":               {"10.0.0.1:1", "192.0.2.9, 10.0.0.2", "https", "shown.example", "192.0.2.9", "https://shown.example"},
		"a liar behind a proxy":     {"10.0.0.1:1", "127.0.0.1, 192.0.2.9", "", "", "192.0.2.9", "http://remuda.test"},
		"nonsense behind a proxy":   {"10.0.0.1:1", "192.0.2.9, what", "gopher", "", "10.0.0.1", "http://remuda.test"},
		"an IPv6 proxy":             {"[fd00::1]:1", "2001:db8::5", "", "", "2001:db8::5", "http://remuda.test"},
		"an IPv4 in IPv6's clothes": {"[::ffff:10.0.0.1]:1", "192.0.2.9", "", "", "192.0.2.9", "http://remuda.test"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://remuda.test/", nil)
		r.RemoteAddr = c.peer
		for header, value := range map[string]string{"X-Forwarded-For": c.forwarded, "X-Forwarded-Proto": c.proto, "X-Forwarded-Host": c.host} {
			if value != "" {
				r.Header.Set(header, value)
			}
		}
		if got := proxied.know(r); got.Address != c.address || got.BaseURL != c.base {
			t.Errorf("%s: %s at %s, want %s at %s", name, got.Address, got.BaseURL, c.address, c.base)
		}
	}
}

func TestMetricsAreForThisMachineAndAdmins(t *testing.T) {
	s := newSite(t, Options{})
	for name, c := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"this machine":            {func(r *http.Request) { r.RemoteAddr = "127.0.0.1:5" }, 200},
		"this machine, IPv6":      {func(r *http.Request) { r.RemoteAddr = "[::1]:5" }, 200},
		"a proxy on this machine": {func(r *http.Request) { r.RemoteAddr = "127.0.0.1:5"; r.Header.Set("X-Forwarded-For", "192.0.2.1") }, 401},
		"another machine":         {func(*http.Request) {}, 401},
		"a reviewer here":         {func(r *http.Request) { r.RemoteAddr = "127.0.0.1:5"; r.SetBasicAuth(s.keys["reviewer"], "") }, 403},
		"an admin elsewhere":      {func(r *http.Request) { r.SetBasicAuth(s.keys["admin"], "") }, 200},
	} {
		got := s.get("/metrics", c.set)
		if got.Code != c.want {
			t.Errorf("%s: %d", name, got.Code)
		}
		if got.Code == 200 && !strings.Contains(got.Body.String(), `remuda_rows{kind="items"} 0`) {
			t.Errorf("%s: no rows are counted:\n%s", name, got.Body)
		}
	}
}

func TestTheLogNamesRequestsAndNoSecrets(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	key := s.keys["manager"]
	got := s.get("/v1/nucleus/dataset/details?signature=SECRET", func(r *http.Request) {
		r.SetBasicAuth(key, "")
		r.Header.Set("X-Request-Id", "from-the-client_1")
		r.AddCookie(&http.Cookie{Name: "remuda_session", Value: "SECRET"})
	})
	if got.Code != 200 || got.Header().Get("X-Request-Id") != "from-the-client_1" {
		t.Errorf("answer: %d, %v", got.Code, got.Header())
	}
	var line map[string]any
	if err := json.Unmarshal(log.Bytes(), &line); err != nil {
		t.Fatalf("the log: %s: %v", &log, err)
	}
	for field, want := range map[string]any{
		"id": "from-the-client_1", "method": "GET", "route": "/v1/nucleus/dataset/details", "path": "/v1/nucleus/dataset/details",
		"status": 200., "address": "192.0.2.1", "world": "live",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if strings.Contains(log.String(), "SECRET") || strings.Contains(log.String(), key) {
		t.Errorf("the log tells secrets: %s", &log)
	}
	for _, id := range []string{"a b", "a\"b", strings.Repeat("x", 65), "ü", ""} {
		got := s.get("/healthz", func(r *http.Request) { r.Header["X-Request-Id"] = []string{id} })
		if back := got.Header().Get("X-Request-Id"); back == id || back == "" {
			t.Errorf("the request id %q became %q", id, back)
		}
	}
}

func TestAFaultOfTheProgramCostsOneAnswer(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, Options{Log: slog.New(slog.NewJSONHandler(&log, nil))})
	var nothing *site
	s.faces = append(s.faces,
		face{"/at-once", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { _ = nothing.keys }), nil, answer},
		face{"/midway", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
			_ = nothing.keys
		}), nil, answer})
	server := httptest.NewServer(s)
	defer server.Close()
	answer, err := http.Get(server.URL + "/at-once")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if answer.StatusCode != 500 || err != nil || strings.Contains(string(text), "nil pointer") {
		t.Errorf("%d %s %v", answer.StatusCode, text, err)
	}
	answer, err = http.Get(server.URL + "/midway")
	if err == nil {
		_, err = io.ReadAll(answer.Body)
		answer.Body.Close()
	}
	if err == nil {
		t.Error("half an answer passes for a whole one")
	}
	answer, err = http.Get(server.URL + "/healthz")
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("afterwards: %v, %v", answer, err)
	}
	answer.Body.Close()
	if n := strings.Count(log.String(), "guard_test.go"); n < 2 {
		t.Errorf("the log has no stacks: %s", &log)
	}
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	f, _ := flowtest.New(t)
	s := newSite(t, Options{Flow: f})
	if got := s.get("/healthz", func(*http.Request) {}); got.Code != 200 || got.Body.String() != `{"database":"ok","files":"ok"}` {
		t.Errorf("well: %d %s", got.Code, got.Body)
	}
	closed, _ := flowtest.New(t)
	if err := closed.DB.Close(); err != nil {
		t.Fatal(err)
	}
	s.health.at = s.health.at.Add(-fresh)
	s.o.Flow = &flow.Flow{DB: closed.DB, Blobs: f.Blobs}
	if got := s.get("/healthz", func(*http.Request) {}); got.Code != 503 || got.Body.String() != `{"database":"does not answer","files":"ok"}` {
		t.Errorf("without its database: %d %s", got.Code, got.Body)
	}
}

func TestAPublicURLMustBeOne(t *testing.T) {
	f, _ := flowtest.New(t)
	for _, url := range []string{"remuda.example.org", "ftp://x", "https://", "https://x/?a", "://"} {
		if _, err := New(Options{Flow: f, PublicURL: url}); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestHugeBodiesAndManyRequestsAreRefused(t *testing.T) {
	s := newSite(t, Options{})
	s.rates = ratelimit.New(0.001, 3)
	for i := range 5 {
		got := s.call(t.Context(), "GET", "/v1/nucleus/dataset/details", s.keys["admin"], "")
		if (got.Code == http.StatusServiceUnavailable) != (i >= 3) {
			t.Errorf("request %d of 3 that are let through: %d %s", i+1, got.Code, got.Body)
		}
	}
	if got := s.call(t.Context(), "GET", "/v1/nucleus/dataset/details", s.keys["manager"], ""); got.Code != 200 {
		t.Errorf("others pay for it: %d", got.Code)
	}
	r := httptest.NewRequest(http.MethodPost, "/v1/nucleus/dataset/create", io.LimitReader(neverEnding{}, 1<<40))
	r.SetBasicAuth(s.keys["manager"], "")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge body: %d", w.Code)
	}
}

// neverEnding is a body of spaces.
type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestAClientThatStallsIsGivenUp(t *testing.T) {
	s := newSite(t, Options{})
	s.stall = 50 * time.Millisecond
	server := httptest.NewServer(s)
	defer server.Close()
	body, send := io.Pipe()
	defer send.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/nucleus/dataset/create", body)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(s.keys["manager"], "")
	go func() { _, _ = io.WriteString(send, `{"name":`) }() // and nothing after it
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return // the connection was cut: as good
	}
	answer.Body.Close()
	if answer.StatusCode < 400 {
		t.Errorf("half a body was taken: %d", answer.StatusCode)
	}
}

func TestAClientThatTakesNothingIsGivenUp(t *testing.T) {
	s := newSite(t, Options{})
	s.stall = 50 * time.Millisecond
	gave := make(chan error, 1)
	s.faces = append(s.faces, face{"/endless", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.Copy(w, neverEnding{})
		gave <- err
	}), nil, answer})
	server := httptest.NewServer(s)
	defer server.Close()
	answer, err := http.Get(server.URL + "/endless")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := <-gave; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the answer ended with %v", err)
	}
}
