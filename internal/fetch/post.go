package fetch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"remuda"
)

// maxPostAnswer is how many bytes of an answer are read, so that the connection can be used again.
const maxPostAnswer = 64 << 10

// Post sends JSON with headers to an http or https address, once, and returns
// the status of the answer, whatever it is. Redirects are not followed: they are
// an answer. The error's code is invalid for an address that is refused and
// unavailable where there was no answer.
func (c *Client) Post(ctx context.Context, address string, header map[string]string, body []byte) (status int, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, remuda.Errorf(remuda.Invalid, "call an address: it cannot be read")
	}
	if err := checkURL(u); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.Idle, fmt.Errorf("nothing came for %v", c.o.Idle))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, remuda.Errorf(remuda.Invalid, "call %s: the address cannot be used", shown(u))
	}
	req.Header.Set("User-Agent", "remuda")
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	once := http.Client{Transport: c.http.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Do(req)
	if err != nil {
		failed := c.failed(ctx, u, err)
		if temporary, ok := failed.(*again); ok {
			return 0, remuda.Errorf(remuda.Unavailable, "call %s: %w", shown(u), temporary.err)
		}
		return 0, failed
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxPostAnswer)) // what it says is not asked for
	return resp.StatusCode, nil
}
