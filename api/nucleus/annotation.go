package nucleus

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func annotationRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/annotate":                       annotate,
		"DELETE annotation/{ds}":                           deleteAnnotations,
		"GET dataset/{ds}/groundTruth/loc/{annotation...}": annotationByKey,
	}
}

// annotationKey is the key under which annotations of a type stand.
func annotationKey(typ string) string {
	if typ == store.TypeMask {
		return "segmentation"
	}
	return typ
}

// annotationJSON writes an annotation or a prediction; ref is what the user calls
// its item. Numbers are as they were sent.
func annotationJSON(a store.Annotation, ref string) json.RawMessage {
	b := make([]byte, 0, 256+len(a.Metadata)+len(a.Body))
	text := func(name, value string) {
		b = append(append(append(b, `,"`...), name...), `":`...)
		b = appendText(b, value)
	}
	b = append(b, `{"id":"`...)
	b = append(append(b, a.ID...), '"')
	text("type", a.Type)
	text("reference_id", ref)
	text("dataset_item_id", a.Item)
	if a.Category != "" {
		text("label", a.Category)
	}
	if a.Key != "" {
		text("annotation_id", a.Key)
	}
	if a.Task != "" {
		text("task_id", a.Task)
	}
	if a.Taxonomy != "" {
		text("taxonomy_name", a.Taxonomy)
	}
	if a.Run != "" {
		text("dataset_id", a.Dataset)
	}
	if a.Confidence != nil {
		b = appendNumber(append(b, `,"confidence":`...), *a.Confidence)
	}
	if a.Crowd {
		b = append(b, `,"crowd":true`...)
	}
	b = append(append(b, `,"metadata":`...), a.Metadata...)
	if a.Type == store.TypeBox && !strings.HasPrefix(string(a.Body), `{"geometry":`) && a.Box != nil {
		for i, v := range [4]float64{a.Box.X0, a.Box.Y0, a.Box.Width(), a.Box.Height()} {
			b = append(b, [4]string{`,"geometry":{"x":`, `,"y":`, `,"width":`, `,"height":`}[i]...)
			b = appendNumber(b, v)
		}
		b = append(b, '}')
	}
	if len(a.Body) > len("{}") {
		return append(append(b, ','), a.Body[1:]...)
	}
	return append(b, '}')
}

// withMasks returns annotations in which uploaded masks have a member
// processed_mask_url, this server's: their mask_url is the path that was sent.
func (s *Server) withMasks(r *request, annotations []store.Annotation) ([]store.Annotation, error) {
	for i, a := range annotations {
		path, err := s.Flow.MaskURL(r.Context(), a)
		if err != nil {
			return nil, err
		}
		if path != "" {
			body := append(bytes.Clone(a.Body[:len(a.Body)-1]), `,"processed_mask_url":`...)
			annotations[i].Body = append(appendText(body, s.PublicURL(r.Request)+path), '}')
		}
	}
	return annotations, nil
}

func appendText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // strings always marshal
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

// appendNumber writes the shortest decimal that reads back as the same float64.
func appendNumber(b []byte, v float64) []byte { return strconv.AppendFloat(b, v, 'g', -1, 64) }

// annotationsByType groups annotations by the keys of the types that occur.
func annotationsByType(annotations []store.Annotation, ref string) map[string][]json.RawMessage {
	groups := make(map[string][]json.RawMessage)
	for _, a := range annotations {
		key := annotationKey(a.Type)
		groups[key] = append(groups[key], annotationJSON(a, ref))
	}
	return groups
}

// sentAnnotations is the body of annotate and of the calls that upload predictions.
type sentAnnotations struct {
	Update         bool              `json:"update"`
	Annotations    []json.RawMessage `json:"annotations"`
	Segmentations  []json.RawMessage `json:"segmentations"`
	TrainedSliceID string            `json:"trained_slice_id"`
	RequestID      string            `json:"requestId"`

	masks []string // blobs of the segmentations, in their order, if they came with their files
}

// all returns the segmentations and annotations.
func (b *sentAnnotations) all() flow.Sent {
	return flow.Sent{Texts: append(b.Segmentations, b.Annotations...), Masks: b.masks}
}

// readAnnotations reads annotations or predictions sent as JSON, or as a form
// of segmentations and their masks' files, which are stored.
func (s *Server) readAnnotations(r *request) (sent sentAnnotations, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return sent, r.json(&sent)
	}
	parts := multipart.NewReader(http.MaxBytesReader(r.w, r.Body, maxForm), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sent, remuda.Errorf(remuda.Invalid, "read the form: %w", err)
		}
		if err := s.readPart(r, part, &sent); err != nil {
			return sent, err
		}
	}
	if len(sent.masks) != len(sent.Segmentations) {
		return sent, remuda.Errorf(remuda.Invalid, "read the form: it has %d masks for %d segmentations", len(sent.masks), len(sent.Segmentations))
	}
	return sent, nil
}

// maxForm is how many bytes a form of masks may have.
const maxForm = 1 << 30

func (s *Server) readPart(r *request, part *multipart.Part, sent *sentAnnotations) error {
	switch part.FormName() {
	case "serialized_request":
		text, err := io.ReadAll(io.LimitReader(part, maxJSON))
		if err != nil {
			return remuda.Errorf(remuda.Invalid, "read the form's request: %w", err)
		}
		if err := json.Unmarshal(text, sent); err != nil {
			return remuda.Errorf(remuda.Invalid, "read the form's request: %w", err)
		}
	case "mask":
		blob, err := s.Flow.StoreMask(r.Context(), r.caller, part)
		if err != nil {
			return err
		}
		sent.masks = append(sent.masks, blob)
	}
	return nil
}

func annotate(s *Server, r *request) (any, error) {
	sent, err := s.readAnnotations(r)
	if err != nil {
		return nil, err
	}
	dataset := r.param("ds")
	if r.URL.Query().Get("async") == "1" {
		job, err := s.Flow.AnnotateAsync(r.Context(), r.caller, dataset, sent.RequestID, sent.Update)
		return jobJSON(job), err
	}
	put, err := s.Flow.Annotate(r.Context(), r.caller, dataset, sent.all(), sent.Update)
	answer := map[string]any{"dataset_id": dataset, "annotations_processed": put.Processed, "annotations_ignored": put.Ignored}
	if len(put.Errors) > 0 {
		answer["errors"] = put.Errors
	}
	return answer, err
}

func deleteAnnotations(s *Server, r *request) (any, error) {
	var body struct {
		References []string `json:"reference_ids"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	job, err := s.Flow.DeleteAnnotations(r.Context(), r.caller, r.param("ds"), body.References)
	return jobJSON(job), err
}

func annotationByKey(s *Server, r *request) (any, error) {
	item, found, err := s.Flow.AnnotationAt(r.Context(), r.caller, r.param("ds"), "", r.param("annotation"))
	if err != nil {
		return nil, err
	}
	return annotationJSON(found, item.ReferenceID), nil
}
