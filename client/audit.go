package client

import (
	"context"

	"remuda/wire"
)

// Audit returns a page of the audit log, newest first; of one subject unless that is "".
func (c *Client) Audit(ctx context.Context, subject string, page Page) (wire.AuditLog, error) {
	return get[wire.AuditLog](ctx, c, "/audit", set(page.query(), "subject", subject))
}
