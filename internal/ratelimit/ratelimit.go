// Package ratelimit bounds how often something happens for one name: a key, a
// login, an address.
package ratelimit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxNames is how many names are remembered at once.
const maxNames = 10_000

// Limiter lets each name do something burst times at once and then so many
// times a second.
type Limiter struct {
	perSecond rate.Limit
	burst     int

	mu    sync.Mutex
	names map[string]*rate.Limiter
}

// New returns a limiter.
func New(perSecond float64, burst int) *Limiter {
	return &Limiter{perSecond: rate.Limit(perSecond), burst: burst, names: make(map[string]*rate.Limiter)}
}

// Allow says whether name may do it once more now, and counts it if so.
func (l *Limiter) Allow(name string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, known := l.names[name]
	if !known {
		if len(l.names) >= maxNames {
			l.forget(now)
		}
		one = rate.NewLimiter(l.perSecond, l.burst)
		l.names[name] = one
	}
	return one.AllowN(now, 1)
}

// forget drops names that may do as much as new ones, and, if there are none, any.
func (l *Limiter) forget(now time.Time) {
	for name, one := range l.names {
		if one.TokensAt(now) >= float64(l.burst) {
			delete(l.names, name)
		}
	}
	for name := range l.names {
		if len(l.names) < maxNames {
			return
		}
		delete(l.names, name)
	}
}
