package wire

// AuditEntry says who did what to what.
type AuditEntry struct {
	ID      string `json:"id"`
	At      Time   `json:"at" format:"date-time"`
	World   string `json:"world,omitempty" doc:"Absent where none is concerned."`
	User    string `json:"user,omitempty" doc:"Who; absent for a key of no user and for the server's own machine."`
	Key     string `json:"key,omitempty"`
	Name    string `json:"name" doc:"Theirs, then."`
	Action  string `json:"action" doc:"A noun and a verb, such as dataset.delete."`
	Subject string `json:"subject" doc:"An id."`
	Detail  string `json:"detail,omitempty"`
}

// AuditLog is a page of the audit log, newest first.
type AuditLog struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty" doc:"Cursor of the next page; absent on the last."`
}
