package flow

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"remuda"
	"remuda/blob"
	"remuda/store"
)

// signing makes and checks the URLs that authorise by themselves.
type signing struct {
	mu     sync.Mutex
	signer *blob.Signer
}

// Signer returns what makes and checks the URLs that authorise by themselves,
// with a secret that the database keeps.
func (f *Flow) Signer(ctx context.Context) (*blob.Signer, error) {
	f.signing.mu.Lock()
	defer f.signing.mu.Unlock()
	if f.signing.signer != nil {
		return f.signing.signer, nil
	}
	var secret []byte
	err := f.DB.Write(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		secret, err = tx.Secret("urls")
		return err
	})
	if err != nil {
		return nil, err
	}
	f.signing.signer, err = blob.NewSigner(secret, f.now)
	return f.signing.signer, err
}

// now is the time by the flow's clock.
func (f *Flow) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// decoding bounds what decoding takes of memory and time.
type decoding struct {
	mu     sync.Mutex
	pixels *semaphore.Weighted
	once   singleflight.Group
}
