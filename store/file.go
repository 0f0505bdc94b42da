package store

import (
	"encoding/json"
	"time"

	"remuda"
)

// File is a file that was uploaded to be named by tasks.
type File struct {
	ID          string // a UUID
	World       remuda.World
	Blob        string // SHA-256
	Bytes       int64
	MediaType   string
	Width       int // of the upright image; 0 if it is none
	Height      int
	Name        string
	ReferenceID string   // "" if none
	Projects    []string // names
	Metadata    json.RawMessage
	CreatedAt   time.Time
	CreatedBy   string
}

const fileColumns = "id, world, blob, bytes, media_type, width, height, name, reference_id, projects, metadata, created_at, created_by"

func scanFile(row rowScanner) (f File, err error) {
	var projects, metadata string
	var created int64
	err = row.Scan(&f.ID, &f.World, &f.Blob, &f.Bytes, &f.MediaType, &f.Width, &f.Height, &f.Name, &f.ReferenceID, &projects, &metadata, &created, &f.CreatedBy)
	if err != nil {
		return f, err
	}
	f.Metadata, f.CreatedAt = json.RawMessage(metadata), fromMillis(created)
	return f, json.Unmarshal([]byte(projects), &f.Projects)
}

// CreateFile adds a file to the caller's world under the id that it has; conflict if its
// reference id is taken.
func (tx *Tx) CreateFile(f File) (File, error) {
	f.World, f.CreatedAt, f.CreatedBy = tx.Caller.World, tx.Now, tx.Caller.Author()
	if f.Projects == nil {
		f.Projects = []string{}
	}
	projects, err := jsonText(f.Projects)
	if err != nil {
		return f, err
	}
	n, err := tx.exec("INSERT INTO file ("+fileColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
		f.ID, f.World, f.Blob, f.Bytes, f.MediaType, f.Width, f.Height, f.Name, f.ReferenceID, projects, string(orObject(f.Metadata)), millis(f.CreatedAt), f.CreatedBy)
	if err == nil && n == 0 {
		err = remuda.Errorf(remuda.Conflict, "there is a file with the reference_id %q already", f.ReferenceID).WithHint("choose another one")
	}
	return f, err
}

// File returns a file of the caller's world.
func (tx *Tx) File(id string) (File, error) {
	return one(tx, "file "+id, scanFile, "SELECT "+fileColumns+" FROM file WHERE id = $1 AND world = $2", id, tx.Caller.World)
}
