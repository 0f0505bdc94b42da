package api

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"remuda/internal/httpx"
)

// know finds out where a request comes from.
func (s *Server) know(r *http.Request) *httpx.Request {
	peer := peerOf(r)
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	address := peer
	if s.trusts(peer) {
		address = s.forwardedFor(r, peer)
		if proto := last(r.Header, "X-Forwarded-Proto"); proto == "http" || proto == "https" {
			scheme = proto
		}
		if forwarded := last(r.Header, "X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}
	known := &httpx.Request{ID: requestID(r), Address: address.String(), Secure: scheme == "https", BaseURL: scheme + "://" + host}
	if s.o.PublicURL != "" {
		known.BaseURL = s.o.PublicURL
	}
	return known
}

// peerOf is the other end of the connection.
func peerOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, _ := netip.ParseAddr(host) // the zero address if it is none, which nobody trusts
	return addr.Unmap().WithZone("")
}

func (s *Server) trusts(addr netip.Addr) bool {
	for _, p := range s.o.Proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// forwardedFor is the last address in X-Forwarded-For that is no trusted proxy:
// what stands before it, anyone may have written.
func (s *Server) forwardedFor(r *http.Request, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		peer = addr.Unmap().WithZone("")
		if !s.trusts(peer) {
			break
		}
	}
	return peer
}

// local says whether a request was sent on this machine, and not handed on by
// a proxy that runs here.
func local(r *http.Request) bool {
	for _, name := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	return peerOf(r).IsLoopback()
}

// last is the last value of a header that lists several: the nearest proxy's.
func last(h http.Header, name string) string {
	values := strings.Split(strings.Join(h.Values(name), ","), ",")
	return strings.TrimSpace(values[len(values)-1])
}

// requestID takes the id that a request bears, if it is a sane one, or makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	odd := func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:", c))
	}
	if id == "" || len(id) > 64 || strings.ContainsFunc(id, odd) {
		return rand.Text()
	}
	return id
}
