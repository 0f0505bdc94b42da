package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"remuda"
	"remuda/api"
	"remuda/flow"
	"remuda/internal/disk"
)

type serveCmd struct {
	place
	files
	Listen       string   `help:"Address to listen on (default: 127.0.0.1:8787)." default:"127.0.0.1:8787" env:"REMUDA_LISTEN" placeholder:"HOST:PORT"`
	PublicURL    string   `name:"public-url" help:"How others reach the server, https://…" env:"REMUDA_PUBLIC_URL" placeholder:"URL"`
	TLSCert      string   `name:"tls-cert" help:"Certificate chain, a PEM file; read again when it changes." env:"REMUDA_TLS_CERT" placeholder:"FILE" and:"tls"`
	TLSKey       string   `name:"tls-key" help:"The certificate's key, a PEM file." env:"REMUDA_TLS_KEY" placeholder:"FILE" and:"tls"`
	TrustProxy   []string `help:"Addresses of proxies whose word is taken for who sends a request." env:"REMUDA_TRUST_PROXY" placeholder:"CIDR"`
	InsecureHTTP bool     `name:"insecure-http" help:"Listen beyond this machine without TLS: passwords and keys can be read on the way." env:"REMUDA_INSECURE_HTTP"`
	Workers      *int     `help:"Jobs to run at once; 0 leaves them to remuda worker (default: one a processor)." env:"REMUDA_WORKERS" placeholder:"N"`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(m *Main) error {
	log := m.logger()
	proxies, err := prefixes("--trust-proxy", c.TrustProxy)
	if err != nil {
		return err
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	dir, err := c.dir()
	if err != nil {
		return err
	}
	release, err := lock(dir)
	if err != nil {
		return err
	}
	defer release()
	listener, err := c.listen(m.ctx)
	if err != nil {
		return err
	}
	defer listener.Close()
	h, err := c.openHost(m.ctx, dir, c.files, log, workers(c.Workers))
	if err != nil {
		return err
	}
	defer h.Close()
	h.flow.Embedder = &embedder{m: m, blobs: h.flow.Blobs, scratch: filepath.Join(dir, scratchFolder)}
	handler, err := api.New(api.Options{Flow: h.flow, Log: log, PublicURL: c.PublicURL, Proxies: proxies})
	if err != nil {
		return err
	}
	first, err := h.flow.FirstStart(m.ctx)
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what hashing the first password took
	address := c.address(listener)
	if err := m.showFirst(first, dir, address); err != nil {
		return err
	}
	if workers(c.Workers) > 0 {
		stop, err := h.work(m.ctx)
		if err != nil {
			return err
		}
		defer stop()
	}
	var tidying sync.WaitGroup
	ctx, cancel := context.WithCancel(m.ctx)
	tidying.Go(func() { h.tidy(ctx) })
	defer tidying.Wait()
	defer cancel()
	fmt.Fprintf(m.Stdout, "remuda serves %s from %s\n", address, dir)
	return serveHTTP(ctx, handler, listener, log)
}

// workers is how many jobs run at once.
func workers(asked *int) int {
	if asked == nil {
		return runtime.NumCPU()
	}
	return *asked
}

// prefixes reads ranges of addresses, and addresses alone.
func prefixes(flag string, texts []string) ([]netip.Prefix, error) {
	var found []netip.Prefix
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "%s takes a range of addresses: %w", flag, err).WithHint("write it like 10.0.0.0/8")
		}
		found = append(found, prefix.Masked())
	}
	return found, nil
}

// checkListen refuses an address that others reach while keys and passwords
// would be readable on the way to it.
func (c *serveCmd) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "--listen takes an address and a port: %w", err).WithHint("write it like 127.0.0.1:8787")
	}
	addr, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && addr.IsLoopback()
	guarded := c.TLSCert != "" || len(c.TrustProxy) > 0 || strings.HasPrefix(c.PublicURL, "https://") || c.InsecureHTTP
	if loopback || guarded {
		return nil
	}
	return remuda.Errorf(remuda.Invalid, "%s is open to other machines, and nothing says that TLS protects what they send", c.Listen).
		WithHint("give --tls-cert and --tls-key, or --trust-proxy or an https --public-url for a proxy that does TLS; --insecure-http goes without")
}

// listen opens the port, with TLS where there is a certificate.
func (c *serveCmd) listen(ctx context.Context) (net.Listener, error) {
	var pair *certificate
	if c.TLSCert != "" {
		pair = &certificate{cert: c.TLSCert, key: c.TLSKey}
		if _, err := pair.get(nil); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the certificate: %w", err).WithHint("--tls-cert and --tls-key take PEM files that belong together")
		}
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		hint := "name another address with --listen"
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "another program listens there: stop it, or name another port with --listen"
		}
		return nil, remuda.Errorf(remuda.Unavailable, "listen on %s: %w", c.Listen, err).WithHint("%s", hint)
	}
	if pair != nil {
		return tls.NewListener(listener, &tls.Config{GetCertificate: pair.get, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}), nil
	}
	return listener, nil
}

// address is how the server is reached.
func (c *serveCmd) address(l net.Listener) string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	if c.TLSCert != "" {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// showFirst shows how to log in for the first time: on a terminal, or in a
// file that only its owner may read.
func (m *Main) showFirst(first *flow.FirstLogin, dir, address string) error {
	if first == nil {
		return nil
	}
	text := fmt.Sprintf("Log in at %s as %s with the password\n\n    %s\n\nPrograms send this API key (admin, live):\n\n    %s\n\nNeither is shown again. `remuda user passwd %s` sets another password,\n`remuda key create NAME` makes another key.\n",
		address, first.Login, first.Password, first.Key, first.Login)
	if terminalWidth(m.Stderr) > 0 {
		fmt.Fprintln(m.Stderr, text)
		return nil
	}
	path := filepath.Join(dir, loginFile)
	err := disk.ReplacePrivate(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	if err != nil {
		return remuda.Errorf(remuda.Unavailable, "write down the first login: %w", err).WithHint("`remuda user passwd %s` sets a password", first.Login)
	}
	fmt.Fprintf(m.Stderr, "remuda: how to log in stands in %s: read it, then remove it\n", path)
	return nil
}

// The server's patience, beside what package api has for bodies.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = time.Minute
	maxHeader     = 64 << 10
)

// serveHTTP answers requests until ctx ends; those that run then may end.
func serveHTTP(ctx context.Context, handler http.Handler, l net.Listener, log *slog.Logger) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err := <-failed:
		return startedError{remuda.Errorf(remuda.Unavailable, "serve: %w", err)}
	case <-ctx.Done():
	}
	log.InfoContext(ctx, "stopping: running requests may end")
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		log.WarnContext(ctx, "some requests were cut off", "error", err)
		_ = server.Close()
	}
	return nil
}
