package main

import (
	"context"
	"io"
	"net/netip"
	"sync"

	"remuda/flow"
	"remuda/internal/fetch"
)

// fetcher gets what users' URLs name, for package flow.
type fetcher struct {
	allow []netip.Prefix

	mu      sync.Mutex
	clients map[int64]*fetch.Client // by the most bytes of a file
}

func newFetcher(allow []netip.Prefix) *fetcher {
	return &fetcher{allow: allow, clients: make(map[int64]*fetch.Client)}
}

// Fetch gets one file of at most maxBytes.
func (f *fetcher) Fetch(ctx context.Context, url string, w io.Writer, maxBytes int64) (flow.Fetched, error) {
	info, err := f.client(maxBytes).Get(ctx, url, w)
	return flow.Fetched{ContentType: info.ContentType, Bytes: info.Bytes}, err
}

// callbackBytes bounds nothing: a callback's answer is not kept.
const callbackBytes = 1

// Post sends what a callback tells.
func (f *fetcher) Post(ctx context.Context, url string, header map[string]string, body []byte) (int, error) {
	return f.client(callbackBytes).Post(ctx, url, header, body)
}

func (f *fetcher) client(maxBytes int64) *fetch.Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.clients[maxBytes]
	if !ok {
		c = fetch.New(fetch.Options{Allow: f.allow, MaxBytes: maxBytes})
		f.clients[maxBytes] = c
	}
	return c
}
