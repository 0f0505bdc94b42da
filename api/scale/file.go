package scale

import (
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func fileRoutes() map[string]handler {
	return map[string]handler{
		"POST files/upload": uploadFile,
		"POST files/import": importFile,
	}
}

func fileJSON(f store.File) map[string]any {
	made := map[string]any{
		"id": f.ID, "attachment_url": flow.FileURL(f), "created_at": remuda.FormatTime(f.CreatedAt), "updated_at": remuda.FormatTime(f.CreatedAt),
		"mime_type": f.MediaType, "size": f.Bytes, "project_names": f.Projects, "display_name": f.Name, "metadata": f.Metadata,
	}
	if f.Projects == nil {
		made["project_names"] = []string{}
	}
	if f.ReferenceID != "" {
		made["reference_id"] = f.ReferenceID
	}
	return made
}

const (
	maxForm      = 88 << 20 // bytes of a form: a file and what is said of it
	maxFormField = 64 << 10
)

// uploadFile takes a form: fields in any order, and a part "file".
func uploadFile(r *request) (any, error) {
	if err := r.caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	r.Body = http.MaxBytesReader(r.w, r.Body, maxForm)
	form, err := r.MultipartReader()
	if err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read the form: %w", err).WithHint("send multipart/form-data with a part \"file\"")
	}
	// What is said of a file may come after it, so the file is stored first and
	// its row made when the form has ended.
	var n flow.NewFile
	var stored *flow.StoredFile
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the form: %w", err)
		}
		if part.FormName() == "file" && stored == nil {
			if n.Name == "" {
				n.Name = part.FileName()
			}
			n.MediaType = part.Header.Get("Content-Type")
			if stored, err = r.server.Flow.StoreFile(r.Context(), r.caller, part); err != nil {
				return nil, err
			}
			continue
		}
		if err := readField(part, &n); err != nil {
			return nil, err
		}
	}
	if stored == nil {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"file\" is required")
	}
	made, err := r.server.Flow.AddFile(r.Context(), r.caller, n, *stored)
	return fileJSON(made), err
}

// readField reads what is said of a file; fields that mean nothing are passed over.
func readField(part *multipart.Part, n *flow.NewFile) error {
	text, err := io.ReadAll(io.LimitReader(part, maxFormField+1))
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "read the form: %w", err)
	}
	if len(text) > maxFormField {
		return remuda.Errorf(remuda.Invalid, "the form's field %.80q has more than %d bytes", part.FormName(), maxFormField)
	}
	switch part.FormName() {
	case "project_name":
		n.Project = string(text)
	case "display_name":
		n.Name = string(text)
	case "reference_id":
		n.ReferenceID = string(text)
	case "metadata":
		n.Metadata = text
	}
	return nil
}

func importFile(r *request) (any, error) {
	var body struct {
		URL       string          `json:"file_url"`
		Project   string          `json:"project_name"`
		Name      string          `json:"display_name"`
		Reference string          `json:"reference_id"`
		Metadata  json.RawMessage `json:"metadata"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.URL == "" {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"file_url\" is required")
	}
	var text string
	if json.Unmarshal(body.Metadata, &text) == nil && text != "" { // JSON in a text, as in forms
		body.Metadata = json.RawMessage(text)
	}
	made, err := r.server.Flow.ImportFile(r.Context(), r.caller, flow.NewFile{Name: body.Name, Project: body.Project, ReferenceID: body.Reference, Metadata: body.Metadata}, body.URL)
	return fileJSON(made), err
}
