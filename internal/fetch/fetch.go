// Package fetch gets files from addresses that users name, without being led
// to what only this machine can reach: the guard looks at each resolved
// address right before it is connected to.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"time"

	"remuda"
)

const (
	maxRedirects  = 5
	maxRetryAfter = 15 * time.Second // a server that asks for more is given up
	idleConns     = 8                // kept to a host, since a data set's images lie together
)

// Options say what may be fetched.
type Options struct {
	Allow    []netip.Prefix // networks that may be fetched from although they are not the public internet
	MaxBytes int64          // of a file; 100 MiB if 0
	Timeout  time.Duration  // of a Get with all its attempts; 2 minutes if 0
	Idle     time.Duration  // without a byte, connecting included; 20 s if 0
	Attempts int            // 3 if 0
	Dir      string         // for the temporary file of an attempt; the system's if empty
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = 100 << 20
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Minute
	}
	if o.Idle == 0 {
		o.Idle = 20 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	return o
}

// Info tells what was fetched.
type Info struct {
	ContentType string // as the server said
	Bytes       int64
	FinalURL    string // after redirects, without a user and password
}

// Client fetches files. It is safe for use by several goroutines.
type Client struct {
	o       Options
	http    *http.Client
	dialer  *net.Dialer
	backoff time.Duration // before the second attempt; doubles
}

// New returns a Client. It uses no proxy of the environment, which would
// connect for it, past the guard.
func New(o Options) *Client {
	c := &Client{o: o.withDefaults(), backoff: 500 * time.Millisecond}
	c.dialer = &net.Dialer{Control: c.control}
	c.http = &http.Client{
		CheckRedirect: redirect,
		Transport: &http.Transport{
			DialContext: c.dialer.DialContext, ForceAttemptHTTP2: true,
			DisableCompression:  true, // the bytes as they are stored there
			MaxIdleConnsPerHost: idleConns, IdleConnTimeout: 30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
	return c
}

var errRedirects = errors.New("too many redirects")

// redirect follows up to five redirects within the web and lets no credentials
// go with them, nor an address that may be signed.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	if err := checkURL(req.URL); err != nil {
		return err
	}
	req.URL.User = nil
	req.Header.Del("Referer")
	return nil
}

func checkURL(u *url.URL) error {
	if (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return remuda.Errorf(remuda.Invalid, "fetch %s: not an http or https address", shown(u)).
			WithHint("give an address that begins with https:// or http://")
	}
	return nil
}

// shown is an address without what may be secret in it.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Get fetches an http or https address and writes it to w, from one whole
// attempt and only when that has succeeded. Failed connections, interrupted
// answers, 429 and 5xx are tried again. The error's code is invalid for an
// address that is refused, for a file that is too large and for an answer that will not
// change, not_found for 404 and 410, unavailable for the rest.
func (c *Client) Get(ctx context.Context, address string, w io.Writer) (Info, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Info{}, remuda.Errorf(remuda.Invalid, "fetch a file: the address cannot be read")
	}
	if err := checkURL(u); err != nil {
		return Info{}, err
	}
	file, err := os.CreateTemp(c.o.Dir, "fetch-*")
	if err != nil {
		return Info{}, remuda.Errorf(remuda.Unavailable, "fetch %s: make a temporary file: %w", shown(u), err)
	}
	defer os.Remove(file.Name())
	defer file.Close()

	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Timeout, fmt.Errorf("it took longer than %v", c.o.Timeout))
	defer cancel()
	info, err := c.attempts(ctx, u, file)
	if err != nil {
		return Info{}, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return Info{}, remuda.Errorf(remuda.Unavailable, "fetch %s: read the temporary file: %w", shown(u), err)
	}
	if _, err := io.Copy(w, file); err != nil {
		return Info{}, fmt.Errorf("fetch %s: store it: %w", shown(u), err)
	}
	return info, nil
}

// again is a failure that another attempt may mend.
type again struct {
	err   error
	after time.Duration // the server asked to wait so long; 0 if it did not
}

// Error is that of the failure.
func (e *again) Error() string { return e.err.Error() }

// attempts fetches into the file until it succeeds or trying again is no use.
func (c *Client) attempts(ctx context.Context, u *url.URL, file *os.File) (Info, error) {
	for attempt, wait := 1, c.backoff; ; attempt, wait = attempt+1, 2*wait {
		info, err := c.attempt(ctx, u, file)
		retry, ok := errors.AsType[*again](err)
		if !ok {
			return info, err
		}
		if attempt == c.o.Attempts || retry.after > maxRetryAfter || !sleep(ctx, max(wait, retry.after)) {
			return Info{}, remuda.Errorf(remuda.Unavailable, "fetch %s: attempt %d of %d: %w", shown(u), attempt, c.o.Attempts, retry.err)
		}
	}
}

// sleep waits and says whether ctx lasted so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// attempt fetches into the emptied file once.
func (c *Client) attempt(ctx context.Context, u *url.URL, file *os.File) (Info, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(c.o.Idle, func() { cancel(fmt.Errorf("nothing came for %v", c.o.Idle)) })
	defer idle.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Info{}, remuda.Errorf(remuda.Invalid, "fetch %s: the address cannot be used", shown(u))
	}
	req.Header.Set("User-Agent", "remuda")
	resp, err := c.http.Do(req)
	if err != nil {
		return Info{}, c.failed(ctx, u, err)
	}
	defer resp.Body.Close()
	if err := answer(resp, shown(u)); err != nil {
		return Info{}, err
	}
	if resp.ContentLength > c.o.MaxBytes {
		return Info{}, c.tooLarge(u)
	}
	n, err := c.store(file, &watched{resp.Body, func() { idle.Reset(c.o.Idle) }})
	switch {
	case err != nil && errors.As(err, new(*os.PathError)):
		return Info{}, remuda.Errorf(remuda.Unavailable, "fetch %s: write the temporary file: %w", shown(u), err)
	case err != nil:
		return Info{}, c.failed(ctx, u, err)
	case n > c.o.MaxBytes:
		return Info{}, c.tooLarge(u)
	}
	final := *resp.Request.URL
	final.User = nil
	return Info{ContentType: resp.Header.Get("Content-Type"), Bytes: n, FinalURL: final.String()}, nil
}

// store empties the file and fills it with up to one byte more than is allowed.
func (c *Client) store(file *os.File, body io.Reader) (int64, error) {
	if err := file.Truncate(0); err != nil {
		return 0, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return io.Copy(file, io.LimitReader(body, c.o.MaxBytes+1))
}

// watched calls alive for each piece that is read.
type watched struct {
	io.Reader
	alive func()
}

// Read reads a piece.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.alive()
	}
	return n, err
}

func (c *Client) tooLarge(u *url.URL) error {
	return remuda.Errorf(remuda.Invalid, "fetch %s: the file is larger than %d bytes", shown(u), c.o.MaxBytes)
}

// failed turns a failure of the connection into the error it is to the user.
func (c *Client) failed(ctx context.Context, u *url.URL, err error) error {
	if refused, ok := errors.AsType[*refusedError](err); ok {
		return refused.coded(shown(u))
	}
	if coded, ok := errors.AsType[*remuda.Error](err); ok { // of a redirect
		return coded
	}
	if errors.Is(err, errRedirects) {
		return remuda.Errorf(remuda.Invalid, "fetch %s: more than %d redirects", shown(u), maxRedirects)
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // without the address, which may be signed
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &again{err: err}
}

// answer returns what a status means: nil for 200.
func answer(resp *http.Response, address string) error {
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusTooManyRequests || status >= 500:
		return &again{err: fmt.Errorf("the server answered %s", resp.Status), after: retryAfter(resp.Header.Get("Retry-After"))}
	case status == http.StatusNotFound || status == http.StatusGone:
		return remuda.Errorf(remuda.NotFound, "fetch %s: the server answered %s", address, resp.Status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return remuda.Errorf(remuda.Invalid, "fetch %s: the server answered %s", address, resp.Status).
			WithHint("give an address that needs no login, such as a signed one that has not run out")
	default:
		return remuda.Errorf(remuda.Invalid, "fetch %s: the server answered %s", address, resp.Status)
	}
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(date))
	}
	return 0
}
