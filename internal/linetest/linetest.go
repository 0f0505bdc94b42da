// Package linetest is a line to another server that tests can cut: what a
// program does when its database or its bucket is gone for a while.
package linetest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// Line carries TCP connections to a server on this machine.
type Line struct {
	Addr string // where it begins, host:port
	to   string

	mu    sync.Mutex
	cut   bool
	gate  chan struct{} // closed while bytes pass
	conns map[net.Conn]bool
}

// New returns a line to an address, which ends with the test.
func New(t testing.TB, to string) *Line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{Addr: listener.Addr().String(), to: to, gate: make(chan struct{}), conns: make(map[net.Conn]bool)}
	close(l.gate)
	t.Cleanup(func() {
		_ = listener.Close()
		l.Cut()
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(conn)
		}
	}()
	return l
}

// Through returns a URL of the line's other end with the line in between.
func (l *Line) Through(url string) string { return strings.Replace(url, l.to, l.Addr, 1) }

// Cut ends all connections, and new ones as soon as they begin.
func (l *Line) Cut() { l.set(true, true) }

// Silence keeps connections, and takes new ones, but carries nothing.
func (l *Line) Silence() { l.set(false, false) }

// Mend lets everything pass again.
func (l *Line) Mend() { l.set(false, true) }

func (l *Line) set(cut, passes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	select {
	case <-l.gate:
		if !passes {
			l.gate = make(chan struct{})
		}
	default:
		if passes {
			close(l.gate)
		}
	}
	if cut {
		for conn := range l.conns {
			_ = conn.Close()
		}
	}
}

// passing returns what is closed while bytes pass.
func (l *Line) passing() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gate
}

// keep notes a connection; one that comes while the line is cut is closed.
func (l *Line) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		_ = conn.Close()
		return false
	}
	l.conns[conn] = true
	return true
}

func (l *Line) forget(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = conn.Close()
	delete(l.conns, conn)
}

func (l *Line) connect(near net.Conn) {
	if !l.keep(near) {
		return
	}
	defer l.forget(near)
	far, err := net.Dial("tcp", l.to)
	if err != nil || !l.keep(far) {
		return
	}
	defer l.forget(far)
	var both sync.WaitGroup
	both.Go(func() { l.carry(near, far) })
	both.Go(func() { l.carry(far, near) })
	both.Wait()
}

// carry moves bytes until either end is closed, and then closes the other.
func (l *Line) carry(from, to net.Conn) {
	defer to.Close()
	piece := make([]byte, 64<<10)
	for {
		n, err := from.Read(piece)
		<-l.passing()
		if n > 0 {
			if _, err := to.Write(piece[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
