package flow

import (
	"context"

	"remuda"
	"remuda/store"
)

// AuditLog returns n entries of the audit log, newest first: those before the
// entry with an id, or the newest if it is ""; of one subject unless that is
// "". Admins only.
func (f *Flow) AuditLog(ctx context.Context, caller remuda.Caller, subject, before string, n int) (found []store.AuditEntry, err error) {
	if err := caller.Need(remuda.Admin); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		found, err = tx.AuditBefore(subject, before, n)
		return err
	})
	return found, err
}
