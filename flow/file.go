package flow

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"slices"

	"remuda"
	"remuda/blob"
	"remuda/imageio"
	"remuda/store"
)

// NewFile is what is said of a file that is uploaded or imported.
type NewFile struct {
	Name        string // display name, or the file's own
	MediaType   string // as its sender says; what an image is shows in its bytes
	ReferenceID string // "" for none
	Project     string // name or id; may be ""
	Metadata    json.RawMessage
}

// maxFileBytes is how many bytes a file may have.
const maxFileBytes = 80 << 20

// newUUID returns a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process if the system has no randomness
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// FileURL returns what tasks name a file by.
func FileURL(file store.File) string { return fileScheme + "remuda/" + file.ID }

// UploadFile stores a file that tasks can name; managers only. conflict if its
// reference id is taken.
func (f *Flow) UploadFile(ctx context.Context, caller remuda.Caller, n NewFile, r io.Reader) (made store.File, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	line := &senderReader{r: r}
	ref, size, err := f.Blobs.Put(ctx, line, maxFileBytes)
	if line.err != nil {
		return made, remuda.Errorf(remuda.Invalid, "read the upload: %w", line.err)
	}
	if err != nil {
		return made, err
	}
	return f.addFile(ctx, caller, n, ref, size)
}

// ImportFile is UploadFile of what a URL names, fetched while the caller waits.
func (f *Flow) ImportFile(ctx context.Context, caller remuda.Caller, n NewFile, url string) (made store.File, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if f.Fetcher == nil {
		return made, remuda.Errorf(remuda.Unavailable, "fetch %.200s: this server fetches nothing", url)
	}
	out, in := io.Pipe()
	defer out.Close()
	go func() {
		_, err := f.Fetcher.Fetch(ctx, url, in, maxFileBytes)
		in.CloseWithError(err) // nil is the end of the file
	}()
	line := &senderReader{r: out}
	ref, size, err := f.Blobs.Put(ctx, line, maxFileBytes)
	if line.err != nil {
		return made, remuda.Errorf(remuda.Invalid, "import a file: %w", line.err)
	}
	if err != nil {
		return made, err
	}
	return f.addFile(ctx, caller, n, ref, size)
}

// addFile makes the row of a file whose bytes are stored.
func (f *Flow) addFile(ctx context.Context, caller remuda.Caller, n NewFile, ref blob.Ref, size int64) (made store.File, err error) {
	made = store.File{ID: newUUID(), Blob: ref.String(), Bytes: size, MediaType: "application/octet-stream", Name: n.Name, ReferenceID: n.ReferenceID}
	if kind, _, err := mime.ParseMediaType(n.MediaType); err == nil {
		made.MediaType = kind
	}
	if made.Metadata, err = checkMetadata(n.Metadata); err != nil {
		return made, err
	}
	if len(n.ReferenceID) > maxUniqueID || len(n.Name) > maxUniqueID {
		return made, remuda.Errorf(remuda.Invalid, "a reference_id or a name of more than %d bytes", maxUniqueID)
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return made, err
	}
	defer file.Close()
	info, err := imageio.ProbeReader(&headed{rest: file}, size)
	switch {
	case err == nil:
		made.MediaType, made.Width, made.Height = "image/"+info.Format, info.Width, info.Height
	case remuda.CodeOf(err) != remuda.Invalid:
		return made, err
	case slices.Contains([]string{"image/jpeg", "image/png", "image/webp", "image/gif"}, made.MediaType):
		made.MediaType = "application/octet-stream" // it says so and isn't
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if n.Project != "" {
			p, err := findProject(tx, n.Project)
			if err != nil {
				return err
			}
			made.Projects = []string{p.Name}
		}
		made, err = tx.CreateFile(made)
		return err
	})
	return made, err
}
