package own

import (
	"context"

	"remuda/store"
	"remuda/wire"
)

func (s *Server) auditRoutes() {
	handle(s, route{at: "GET /audit", id: "listAudit", summary: "Who deleted, restored and changed what", about: "For admins. Newest first."}, s.auditLog)
}

func wireAudit(a store.AuditEntry) wire.AuditEntry {
	return wire.AuditEntry{
		ID: a.ID, At: wire.NewTime(a.At), World: string(a.World), User: a.User, Key: a.Key, Name: a.Name, Action: a.Action, Subject: a.Subject, Detail: a.Detail,
	}
}

func (s *Server) auditLog(ctx context.Context, c *call, in *struct {
	Paging
	Subject string `query:"subject" doc:"Only what was done to this id."`
},
) (wire.AuditLog, error) {
	found, err := s.Flow.AuditLog(ctx, c.caller, in.Subject, in.Cursor, in.Limit+1)
	found, more := cut(found, in.Limit)
	out := wire.AuditLog{Entries: list(found, wireAudit)}
	if more {
		out.Next = found[len(found)-1].ID
	}
	return out, err
}
