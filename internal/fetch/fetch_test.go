package fetch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"remuda"
)

// client returns a Client that may reach 127.0.0.1, retries at once and leaves
// its temporary files where the test sees whether they are removed.
func client(t *testing.T, o Options) *Client {
	t.Helper()
	o.Allow = append(o.Allow, netip.MustParsePrefix("127.0.0.1/32"))
	o.Dir = t.TempDir()
	c := New(o)
	c.backoff = time.Nanosecond
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("temporary files left: %v, %v", left, err)
		}
	})
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// refuse checks that a Get fails with a code and writes nothing.
func refuse(t *testing.T, c *Client, address string, want remuda.Code) error {
	t.Helper()
	var got bytes.Buffer
	_, err := c.Get(t.Context(), address, &got)
	if remuda.CodeOf(err) != want || got.Len() > 0 {
		t.Errorf("%s: %v (%s), %d bytes; want %s", address, err, remuda.CodeOf(err), got.Len(), want)
	}
	return err
}

// Ensure a file arrives through redirects as it is stored there, and that no
// credentials and no address go along.
func TestGetFollowsRedirectsWithoutCredentials(t *testing.T) {
	var seen http.Header
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := strings.TrimPrefix(r.URL.Path, "/"); n > "0" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
			http.Redirect(w, r, fmt.Sprintf("/%c", n[0]-1), http.StatusFound)
			return
		}
		seen = r.Header.Clone()
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "a horse")
	})
	var got bytes.Buffer
	c := client(t, Options{})
	info, err := c.Get(t.Context(), strings.Replace(address, "//", "//me:secret@", 1)+"/5?signature=x", &got)
	if want := (Info{"image/png", 7, address + "/0"}); err != nil || info != want || got.String() != "a horse" {
		t.Fatalf("got %q, %+v, %v; want %+v", got.String(), info, err, want)
	}
	for _, name := range []string{"Authorization", "Referer", "Cookie", "Accept-Encoding"} {
		if v := seen.Get(name); v != "" {
			t.Errorf("%s was sent: %s", name, v)
		}
	}
	refuse(t, c, address+"/6", remuda.Invalid) // one redirect too many
}

// Ensure nothing but the public internet is reached unless it is allowed, and
// that the error says how to allow it.
func TestPrivateAddressIsRefused(t *testing.T) {
	var asked atomic.Int32
	address := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	port := address[strings.LastIndex(address, ":"):]
	c := New(Options{Dir: t.TempDir()})
	for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "localhost"} {
		err := refuse(t, c, "http://"+host+port, remuda.Invalid)
		if !strings.Contains(remuda.HintOf(err), "--allow-fetch ") {
			t.Errorf("%s: hint %q", host, remuda.HintOf(err))
		}
	}
	allowing := client(t, Options{})
	away := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.2"+port, http.StatusFound)
	})
	refuse(t, allowing, away, remuda.Invalid)
	if n := asked.Load(); n > 0 {
		t.Errorf("the server was asked %d times", n)
	}
}

// answering returns a resolver that gives every name the addresses in turn.
func answering(addresses ...string) *net.Resolver {
	var asked atomic.Int32
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			var size [2]byte // a stream has the length before each message
			if _, err := io.ReadFull(theirs, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(theirs, query); err != nil {
				return
			}
			name := bytes.IndexByte(query[12:], 0) + 13 // where the question's name ends
			reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:name+4]...)
			if query[name+1] == 1 { // an IPv4 address is asked for
				ip := netip.MustParseAddr(addresses[min(int(asked.Add(1)), len(addresses))-1]).As4()
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ip[0], ip[1], ip[2], ip[3])
			}
			theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
		}()
		return ours, nil
	}}
}

// Ensure a name that points inside is refused, also when it did not at first.
func TestRebindingIsRefused(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a horse") })
	address = "http://images.example" + address[strings.LastIndex(address, ":"):]
	c := client(t, Options{})
	c.dialer.Resolver = answering("127.0.0.1", "127.0.0.2")
	if _, err := c.Get(t.Context(), address, io.Discard); err != nil {
		t.Fatal(err)
	}
	c.http.CloseIdleConnections()
	err := refuse(t, c, address, remuda.Invalid)
	if hint := remuda.HintOf(err); !strings.Contains(hint, "--allow-fetch 127.0.0.2/32") {
		t.Errorf("hint %q", hint)
	}
}

// Ensure a proxy of the environment is not used.
func TestProxyIsNotUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a horse") })
	c := client(t, Options{Attempts: 1})
	c.dialer.Resolver = answering("127.0.0.1")
	if _, err := c.Get(t.Context(), "http://images.example"+address[strings.LastIndex(address, ":"):], io.Discard); err != nil {
		t.Error(err)
	}
}

// Ensure only the web is fetched from.
func TestOtherSchemesAreRefused(t *testing.T) {
	c := client(t, Options{})
	for _, address := range []string{"", "horse.jpg", "//example.com/horse.jpg", "file:///etc/passwd", "ftp://example.com/", "data:,x", "http://", "http:///x", "https://%zz/", "http://[::1"} {
		refuse(t, c, address, remuda.Invalid)
		if address == "" {
			continue
		}
		from := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", address)
			w.WriteHeader(http.StatusFound)
		})
		if u, err := url.Parse(address); err == nil && u.Scheme != "" { // the others are relative, or unreadable to the client
			refuse(t, c, from, remuda.Invalid)
		}
	}
}

// Ensure a file that is too large is refused, whether its size is told or not.
func TestLargeFileIsRefused(t *testing.T) {
	c := client(t, Options{MaxBytes: 10})
	for size, want := range map[int]remuda.Code{10: "", 11: remuda.Invalid, 1 << 20: remuda.Invalid} {
		for _, told := range []bool{true, false} {
			address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if told {
					w.Header().Set("Content-Length", fmt.Sprint(size))
				} else {
					w.(http.Flusher).Flush()
				}
				w.Write(make([]byte, size))
			})
			if _, err := c.Get(t.Context(), address, io.Discard); remuda.CodeOf(err) != want {
				t.Errorf("%d bytes, told: %v: %v, want %q", size, told, err, want)
			}
		}
	}
}

// Ensure failures that may pass are tried again, and that what arrives is of
// one attempt.
func TestPassingFailuresAreTriedAgain(t *testing.T) {
	var asked atomic.Int32
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 1:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		case 3: // cut off, and longer than what is good
			w.Header().Set("Content-Length", "100000")
			w.Write(bytes.Repeat([]byte("bad"), 1000))
		case 4:
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, "a horse")
		}
	})
	var got bytes.Buffer
	if info, err := client(t, Options{Attempts: 5}).Get(t.Context(), address, &got); err != nil || got.String() != "a horse" || info.Bytes != 7 {
		t.Errorf("got %.20q, %+v, %v", got.String(), info, err)
	}
	asked.Store(0)
	refuse(t, client(t, Options{Attempts: 4}), address, remuda.Unavailable)
	if n := asked.Load(); n != 4 {
		t.Errorf("asked %d times for 4 attempts", n)
	}
	refuse(t, client(t, Options{}), "http://127.0.0.1:1/", remuda.Unavailable) // nobody listens there
}

// Ensure an answer that will not change is not asked for twice, and that the
// error does not give away what signs an address.
func TestLastingFailuresAreNotTriedAgain(t *testing.T) {
	for status, want := range map[int]remuda.Code{
		204: remuda.Invalid, 304: remuda.Invalid, 400: remuda.Invalid, 401: remuda.Invalid, 403: remuda.Invalid, 404: remuda.NotFound, 408: remuda.Invalid, 410: remuda.NotFound,
	} {
		var asked atomic.Int32
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		err := refuse(t, client(t, Options{}), address+"/horse.jpg?signature=secret", want)
		if n := asked.Load(); n != 1 {
			t.Errorf("%d: asked %d times", status, n)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "/horse.jpg")) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

// Ensure a server that asks to be left alone for long is, at once.
func TestLongRetryAfterGivesUp(t *testing.T) {
	for _, after := range []string{"3600", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)} {
		var asked atomic.Int32
		address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusTooManyRequests)
		})
		refuse(t, client(t, Options{}), address, remuda.Unavailable)
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	}
}

// Ensure a server that stalls, drips or is no longer wanted does not hold the
// caller.
func TestSlowServerIsLeft(t *testing.T) {
	stall := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("a"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	drip := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.Write([]byte("a"))
			w.(http.Flusher).Flush()
		}
	})
	for address, o := range map[string]Options{
		stall:  {Idle: 30 * time.Millisecond, Attempts: 2},
		silent: {Idle: 30 * time.Millisecond, Attempts: 2},
		drip:   {Timeout: 100 * time.Millisecond, MaxBytes: 1 << 40},
	} {
		refuse(t, client(t, o), address, remuda.Unavailable)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, Options{}).Get(ctx, stall, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("after it was cancelled: %v", err)
	}
}
