package main

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files that is read again when one has changed, so
// that renewing it needs no restart.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	looked time.Time
	made   [2]time.Time // when the files were last changed
	pair   *tls.Certificate
}

// lookEvery is how often the files' times are looked at.
const lookEvery = 10 * time.Second

// get returns the certificate for a connection. While the files can't be read
// or don't belong together, it is the one before.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pair != nil && time.Since(c.looked) < lookEvery {
		return c.pair, nil
	}
	c.looked = time.Now()
	made := [2]time.Time{changed(c.cert), changed(c.key)}
	if c.pair != nil && made == c.made {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.pair != nil {
			return c.pair, nil
		}
		return nil, err
	}
	c.pair, c.made = &pair, made
	return c.pair, nil
}

func changed(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
