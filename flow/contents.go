package flow

import (
	"context"

	"remuda"
	"remuda/store"
)

// Contents counts what the server holds, for its metrics.
func (f *Flow) Contents(ctx context.Context) (c store.Contents, err error) {
	err = f.DB.Read(ctx, remuda.Caller{}, func(tx *store.Tx) (err error) {
		c, err = tx.Contents()
		return err
	})
	return c, err
}
