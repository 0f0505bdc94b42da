package flow

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"

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
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process if the system has no randomness
	return asUUID(b)
}

// asUUID writes bytes that look random, the first 16 of them, as a UUID.
func asUUID(b [32]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// FileURL returns what tasks name a file by.
func FileURL(file store.File) string { return fileScheme + "remuda/" + file.ID }

// isWeb says whether an address is one of the web.
func isWeb(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// StoredFile is the bytes of a file that nothing names yet.
type StoredFile struct {
	ref  blob.Ref
	size int64
}

// StoreFile stores the bytes of a file, for AddFile; managers only.
func (f *Flow) StoreFile(ctx context.Context, caller remuda.Caller, r io.Reader) (*StoredFile, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	line := &senderReader{r: r}
	ref, size, err := f.Blobs.Put(ctx, line, maxFileBytes)
	if line.err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read the file: %w", line.err)
	}
	return &StoredFile{ref, size}, err
}

// ImportFile makes a file of what a URL names, fetched while the caller waits;
// managers only. conflict if its reference id is taken.
func (f *Flow) ImportFile(ctx context.Context, caller remuda.Caller, n NewFile, url string) (made store.File, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if !isWeb(url) {
		return made, remuda.Errorf(remuda.Invalid, "%.200q cannot be fetched", url).WithHint("give an address that begins with https:// or http://")
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
	stored, err := f.StoreFile(ctx, caller, out)
	if err != nil {
		return made, err
	}
	return f.AddFile(ctx, caller, n, *stored)
}

// AddFile makes a file, which tasks can name, of stored bytes; managers only.
// conflict if its reference id is taken.
func (f *Flow) AddFile(ctx context.Context, caller remuda.Caller, n NewFile, stored StoredFile) (made store.File, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	made = store.File{ID: newUUID(), Blob: stored.ref.String(), Bytes: stored.size, MediaType: "application/octet-stream", Name: n.Name, ReferenceID: n.ReferenceID}
	if kind, _, err := mime.ParseMediaType(n.MediaType); err == nil {
		made.MediaType = kind
	}
	if made.Metadata, err = checkMetadata(n.Metadata); err != nil {
		return made, err
	}
	if err := checkWords("reference_id", n.ReferenceID); err != nil {
		return made, err
	}
	if err := checkWords("display_name", n.Name); err != nil {
		return made, err
	}
	file, err := f.Blobs.Open(ctx, stored.ref)
	if err != nil {
		return made, err
	}
	defer file.Close()
	info, err := imageio.ProbeReader(&headed{rest: file}, stored.size)
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
