package nucleus

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"remuda"
	"remuda/flow"
)

// wireNewItem is an item as clients send it.
type wireNewItem struct {
	ReferenceID string              `json:"reference_id"`
	ImageURL    string              `json:"image_url"`
	Metadata    json.RawMessage     `json:"metadata"`
	Width       int                 `json:"width"`
	Height      int                 `json:"height"`
	Embedding   *flow.ItemEmbedding `json:"embedding_info"`
	Update      bool                `json:"update"` // of items in a form; else the request's holds for all
}

func (w *wireNewItem) item(update bool) flow.NewItem {
	return flow.NewItem{ReferenceID: w.ReferenceID, ImageURL: w.ImageURL, Metadata: w.Metadata, Width: w.Width, Height: w.Height, Embedding: w.Embedding, Update: update}
}

// appendItems takes items as JSON, as a form with their files, or by the
// request id of a staged upload.
func appendItems(s *Server, r *request) (any, error) {
	dataset := r.param("ds")
	async := r.URL.Query().Get("async") == "1"
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/form-data" {
		return s.appendForm(r, dataset, params["boundary"], async)
	}
	var body struct {
		RequestID string        `json:"requestId"`
		Items     []wireNewItem `json:"items"`
		Update    bool          `json:"update"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.RequestID != "" {
		job, err := s.Flow.AppendUpload(r.Context(), r.caller, dataset, body.RequestID, body.Update)
		return jobJSON(job), err
	}
	if body.Items == nil {
		return nil, remuda.Errorf(remuda.Invalid, "append to dataset %s: the request has neither items nor a requestId", dataset)
	}
	items := make([]flow.NewItem, len(body.Items))
	for i := range body.Items {
		items[i] = body.Items[i].item(body.Update)
	}
	return s.appendAnswer(r, dataset, items, body.Items, async)
}

func (s *Server) appendAnswer(r *request, dataset string, items []flow.NewItem, sent []wireNewItem, async bool) (any, error) {
	done, err := s.Flow.AppendItems(r.Context(), r.caller, dataset, items)
	if err != nil || async {
		return jobJSON(done.Job), err
	}
	counts := done.Counts()
	answer := map[string]any{
		"dataset_id": dataset, "new_items": counts.New, "updated_items": counts.Updated, "ignored_items": counts.Ignored, "upload_errors": counts.Errors,
	}
	if counts.Errors > 0 {
		var refused []map[string]any
		for i, item := range done.Items {
			if item.Err != nil {
				refused = append(refused, map[string]any{
					"reference_id": sent[i].ReferenceID, "image_url": sent[i].ImageURL, "metadata": orEmpty(sent[i].Metadata), "error": item.Err.Error(),
				})
			}
		}
		answer["error_payload"] = refused
	}
	return answer, nil
}

// orEmpty is JSON, or an empty object for none.
func orEmpty(text json.RawMessage) json.RawMessage {
	if len(text) == 0 {
		return json.RawMessage("{}")
	}
	return text
}

const (
	maxFormItems = 1000     // items of a form; the clients send ten
	maxItemsPart = 16 << 20 // bytes of a form's JSON
)

// appendForm takes a form: a part "items" with JSON, then a part "image" for
// each item, in the same order. Files are stored as they come.
func (s *Server) appendForm(r *request, dataset, boundary string, async bool) (any, error) {
	if err := r.caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	if _, err := s.Flow.Dataset(r.Context(), r.caller, dataset); err != nil {
		return nil, err
	}
	sent, images, err := s.readForm(r, multipart.NewReader(http.MaxBytesReader(r.w, r.Body, maxFormItems*s.Flow.Limits.ImageBytes), boundary))
	if err != nil {
		return nil, err
	}
	items := make([]flow.NewItem, len(sent))
	for i := range sent {
		items[i] = sent[i].item(sent[i].Update)
		items[i].Image = &images[i]
	}
	return s.appendAnswer(r, dataset, items, sent, async)
}

// readForm reads a form's items and stores its files.
func (s *Server) readForm(r *request, form *multipart.Reader) ([]wireNewItem, []flow.Image, error) {
	var sent []wireNewItem
	files := 0
	batch := s.Flow.ReceiveImages(r.Context())
	read := func() error {
		for {
			part, err := form.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return formError(err)
			}
			switch part.FormName() {
			case "items":
				if sent != nil {
					return remuda.Errorf(remuda.Invalid, "read the form: it has more than one part \"items\"")
				}
				if sent, err = readItemsPart(part); err != nil {
					return err
				}
			case "image":
				if files++; files > len(sent) {
					return remuda.Errorf(remuda.Invalid, "read the form: it has more images than items").WithHint("send the part \"items\" first, then one part \"image\" for each item")
				}
				if err := batch.Add(part); err != nil {
					return formError(err)
				}
			default:
				return remuda.Errorf(remuda.Invalid, "read the form: it has a part %.80q", part.FormName()).WithHint("its parts are called items and image")
			}
		}
	}
	failed := read()
	images, err := batch.Wait()
	if failed != nil {
		return nil, nil, failed
	}
	if err == nil && sent == nil {
		err = remuda.Errorf(remuda.Invalid, "read the form: it has no part \"items\"")
	}
	if err == nil && len(images) != len(sent) {
		err = remuda.Errorf(remuda.Invalid, "read the form: it has %d images for %d items", len(images), len(sent))
	}
	return sent, images, err
}

func readItemsPart(part io.Reader) ([]wireNewItem, error) {
	text, err := io.ReadAll(io.LimitReader(part, maxItemsPart+1))
	if err != nil {
		return nil, formError(err)
	}
	if len(text) > maxItemsPart {
		return nil, remuda.Errorf(remuda.Invalid, "read the form: its items have more than %d bytes", maxItemsPart)
	}
	sent := []wireNewItem{}
	if err := json.Unmarshal(text, &sent); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read the form's items: %w", err).WithHint("send a JSON array")
	}
	if len(sent) > maxFormItems {
		return nil, remuda.Errorf(remuda.Invalid, "read the form: it has %d items, more than %d", len(sent), maxFormItems).WithHint("send them in several requests")
	}
	return sent, nil
}

// formError codes a failure to read a form, unless it has a code already.
func formError(err error) error {
	if _, coded := errors.AsType[*remuda.Error](err); coded {
		return err
	}
	return remuda.Errorf(remuda.Invalid, "read the form: %w", err)
}
