package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"remuda"
	"remuda/wire"
)

// Options say how a Client introduces itself.
type Options struct {
	Key     string       // an API key
	Session *http.Cookie // a session, if there is no key
	World   string       // in which a session works; "" is live. A key says its own
	Agent   string       // the User-Agent
	HTTP    *http.Client // nil for one of its own
	// Pause waits between two attempts; nil for the clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// Client talks to one server. It may be used by several goroutines at once.
type Client struct {
	base string // ends in /api/v1
	root string // the server's URL
	o    Options
}

const prefix = "/api/v1"

// New returns a client of the server at a URL.
func New(server string, o Options) (*Client, error) {
	if !strings.Contains(server, "://") {
		server = "http://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, remuda.Errorf(remuda.Invalid, "%q is no server's URL", server).WithHint("write it like https://remuda.example.org")
	}
	if o.HTTP == nil {
		transport, ok := http.DefaultTransport.(*http.Transport)
		if ok {
			transport = transport.Clone()
			transport.MaxIdleConnsPerHost = 16
			transport.ResponseHeaderTimeout = 10 * time.Minute
			o.HTTP = &http.Client{Transport: transport, CheckRedirect: sameHost}
		}
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	if o.Pause == nil {
		o.Pause = pause
	}
	root := strings.TrimRight(u.Scheme+"://"+u.Host+u.Path, "/")
	return &Client{base: root + prefix, root: root, o: o}, nil
}

// sameHost lets a server redirect to itself, over TLS for example, and nowhere else.
func sameHost(r *http.Request, via []*http.Request) error {
	if r.URL.Hostname() != via[0].URL.Hostname() || len(via) > 3 || r.Method != via[0].Method {
		return http.ErrUseLastResponse
	}
	return nil
}

// Server returns the server's URL.
func (c *Client) Server() string { return c.root }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// request is one call of the API.
type request struct {
	method string
	path   string // below the API's prefix, escaped
	query  url.Values
	body   any                               // sent as JSON
	stream func() (io.ReadCloser, error)     // or the body itself, made anew for each attempt
	media  string                            // of the stream
	safe   bool                              // may be sent again if nobody knows what became of it
	take   func(answer *http.Response) error // reads the answer; nil reads JSON into out
	out    any
}

// attempts is how often a call is sent at most: over about half a minute.
const attempts = 7

// do sends a call, again if that is safe and may help.
func (c *Client) do(ctx context.Context, r request) error {
	var text []byte
	if r.body != nil {
		var err error
		if text, err = json.Marshal(r.body); err != nil {
			return remuda.Errorf(remuda.Invalid, "write the request %s %s: %w", r.method, r.path, err)
		}
	}
	for attempt := 1; ; attempt++ {
		again, err := c.once(ctx, r, text)
		if err == nil || ctx.Err() != nil || attempt == attempts || again == never || again == ifSafe && !r.safe {
			if ctx.Err() != nil && err != nil {
				return context.Cause(ctx)
			}
			return err
		}
		wait := 250 * time.Millisecond << (attempt - 1)
		wait = wait/2 + rand.N(wait) // lest all callers come back at once
		if err := c.o.Pause(ctx, wait); err != nil {
			return err
		}
	}
}

// again says whether a call may be sent again.
type again int

const (
	never  again = iota // the server has decided
	ifSafe              // nobody knows whether the server has carried it out
	always              // the server has not
)

func (c *Client) once(ctx context.Context, r request, text []byte) (again, error) {
	h, err := c.newRequest(ctx, r, text)
	if err != nil {
		return never, err
	}
	answer, err := c.o.HTTP.Do(h)
	if ours, ok := errors.AsType[*remuda.Error](err); ok { // what was to be sent can't be read
		return never, ours
	}
	if err != nil {
		return ifSafe, c.unreachable(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return c.refused(answer)
	}
	if r.take != nil {
		return ifSafe, r.take(answer)
	}
	if r.out == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<20)) // keeps the connection
		return never, nil
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return ifSafe, c.unreachable(err)
	}
	if err := json.Unmarshal(body, r.out); err != nil {
		return never, remuda.Errorf(remuda.Unavailable, "read the answer of %s: %w", c.root, err).WithHint("is it a Remuda server, and of this program's version?")
	}
	return never, nil
}

func (c *Client) newRequest(ctx context.Context, r request, text []byte) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if text != nil {
		body = bytes.NewReader(text)
	} else if r.stream != nil {
		stream, err := r.stream()
		if err != nil {
			return nil, err
		}
		body = stream
	}
	h, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "make the request %s %s: %w", r.method, r.path, err)
	}
	if text != nil {
		h.Header.Set("Content-Type", "application/json")
	} else if r.media != "" {
		h.Header.Set("Content-Type", r.media)
	}
	c.introduce(h)
	return h, nil
}

// introduce says who asks.
func (c *Client) introduce(h *http.Request) {
	if c.o.Agent != "" {
		h.Header.Set("User-Agent", c.o.Agent)
	}
	switch {
	case c.o.Key != "":
		h.Header.Set("Authorization", "Bearer "+c.o.Key)
	case c.o.Session != nil:
		h.AddCookie(&http.Cookie{Name: c.o.Session.Name, Value: c.o.Session.Value})
		if c.o.World != "" {
			h.Header.Set("X-Remuda-World", c.o.World)
		}
	}
}

func (c *Client) unreachable(err error) error {
	if urlError, ok := errors.AsType[*url.Error](err); ok {
		err = urlError.Err // without the method and the whole URL
	}
	return remuda.Errorf(remuda.Unavailable, "reach the server at %s: %w", c.root, err).WithHint("does it run, and is the address right?")
}

// maxProblem is how many bytes of an error are read.
const maxProblem = 1 << 20

// refused reads an error.
func (c *Client) refused(answer *http.Response) (again, error) {
	repeat := never
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		repeat = always
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		repeat = ifSafe
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil {
		return ifSafe, c.unreachable(err)
	}
	var p wire.Problem
	media, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" || json.Unmarshal(body, &p) != nil || p.Code == "" {
		return repeat, remuda.Errorf(remuda.Unavailable, "%s answered %s", c.root, answer.Status).WithHint("is it a Remuda server?")
	}
	cause := errors.New(p.Detail)
	switch answer.StatusCode {
	case http.StatusUnauthorized:
		cause = remuda.Because(remuda.ErrNoLogin, "%s", p.Detail)
	case http.StatusTooManyRequests:
		cause = remuda.Because(remuda.ErrTooFast, "%s", p.Detail)
	}
	failed := remuda.Errorf(remuda.Code(p.Code), "%w", cause)
	if p.Hint != "" {
		failed = failed.WithHint("%s", p.Hint)
	}
	return repeat, failed
}

// get asks for JSON.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (out T, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: path, query: query, safe: true, out: &out})
	return out, err
}

// send sends JSON and reads JSON. A call is safe if sending it twice does no more than sending it once.
func send[T any](ctx context.Context, c *Client, method, path string, body any, safe bool) (out T, err error) {
	err = c.do(ctx, request{method: method, path: path, body: body, safe: safe, out: &out})
	return out, err
}

// id escapes an id for a path.
func id(text string) string { return "/" + url.PathEscape(text) }

// Page chooses a page of a list.
type Page struct {
	Cursor string // what the page before gave as Next; "" for the first
	Limit  int    // 0 for 100; at most 1000
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.Cursor != "" {
		q.Set("cursor", p.Cursor)
	}
	if p.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.Limit))
	}
	return q
}

// set sets what is not empty.
func set(q url.Values, name, value string) url.Values {
	if value != "" {
		q.Set(name, value)
	}
	return q
}
