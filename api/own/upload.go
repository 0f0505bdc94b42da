package own

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
	"remuda/flow"
	"remuda/wire"
)

const (
	maxParts    = 1000     // images of one upload
	maxItemPart = 2 << 20  // bytes of what is said of one
	maxKnown    = 16 << 20 // bytes of a question which images are known
)

func (s *Server) uploadRoutes() {
	handle(s, route{
		at: "POST /datasets/{dataset}/items/known", id: "addKnownImages", maxBody: maxKnown, summary: "Add images whose bytes are here, and learn which to send",
		about: "Ask this before an upload: nothing is sent twice, and an upload that was cut off goes on where it was.",
	}, s.addKnown)
	object := func(ref string) *huma.Schema { return &huma.Schema{Ref: "#/components/schemas/" + ref} }
	handle(s, route{
		at: "POST /datasets/{dataset}/items", id: "uploadImages", summary: "Send images",
		about: fmt.Sprintf("Pairs of parts, at most %d: first item, as JSON, then image, the file's bytes. They are stored as they arrive, and never altered. An image that cannot be taken keeps no other from being taken. What was answered is safe.", maxParts),
		body: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"item", "image"},
			Properties: map[string]*huma.Schema{"item": object("UploadPart"), "image": {Type: huma.TypeString, Format: "binary"}},
		}}}},
	}, s.uploadImages)
	s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[wire.UploadPart](), true, "UploadPart")
}

func (s *Server) addKnown(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.KnownImages
},
) (wire.AddedImages, error) {
	images := make([]flow.NewImage, len(in.Body.Images))
	for i, image := range in.Body.Images {
		images[i] = flow.NewImage{ReferenceID: image.ReferenceID, SHA256: image.SHA256, Metadata: image.Metadata}
	}
	return s.storeImages(ctx, c, in.Dataset, images)
}

func (s *Server) storeImages(ctx context.Context, c *call, dataset string, images []flow.NewImage) (out wire.AddedImages, err error) {
	done, job, err := s.Flow.AddImages(ctx, c.caller, dataset, images)
	if err != nil {
		return out, err
	}
	out.Images, out.Job = make([]wire.AddedImage, len(done)), job.ID
	for i, d := range done {
		out.Images[i] = wire.AddedImage{ReferenceID: images[i].ReferenceID, Item: d.Item, Status: string(d.Outcome)}
		if d.Err != nil {
			out.Images[i].Problem = remuda.Sentence(d.Err)
		}
	}
	return out, nil
}

func (s *Server) uploadImages(ctx context.Context, c *call, in *OfDataset) (out wire.AddedImages, err error) {
	if err := c.caller.Need(remuda.Manager); err != nil {
		return out, err
	}
	if _, err := s.Flow.Dataset(ctx, c.caller, in.Dataset); err != nil { // before gigabytes are read
		return out, err
	}
	form, err := c.r.MultipartReader()
	if err != nil {
		return out, remuda.Errorf(remuda.Invalid, "read the upload: %w", err).WithHint("send multipart/form-data with the parts item and image")
	}
	images, err := s.receive(ctx, form)
	if err != nil {
		return out, err
	}
	return s.storeImages(ctx, c, in.Dataset, images)
}

// receive stores the images of a form.
func (s *Server) receive(ctx context.Context, form *multipart.Reader) (images []flow.NewImage, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // what is still being stored when the form turns out to be wrong
	batch := s.Flow.ReceiveImages(ctx)
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		if len(images) == maxParts {
			return nil, remuda.Errorf(remuda.Invalid, "more than %d images came at once", maxParts).WithHint("send them in several calls")
		}
		image, err := itemPart(part)
		if err != nil {
			return nil, err
		}
		if part, err = form.NextPart(); err != nil || part.FormName() != "image" {
			return nil, remuda.Errorf(remuda.Invalid, "no part image follows the part item of %q", image.ReferenceID).WithHint("send them in pairs")
		}
		line := &senderReader{r: part}
		if err := batch.Add(line); err != nil {
			if line.err != nil {
				err = broken(line.err)
			}
			return nil, err
		}
		images = append(images, image)
	}
	stored, err := batch.Wait()
	for i := range stored {
		images[i].Image = &stored[i]
	}
	return images, err
}

// broken is what is said of an upload whose line was cut off.
func broken(err error) error {
	return remuda.Errorf(remuda.Invalid, "read the upload: %w", err).WithHint("send it again")
}

func itemPart(part *multipart.Part) (image flow.NewImage, err error) {
	if part.FormName() != "item" {
		return image, remuda.Errorf(remuda.Invalid, "the part %.80q stands where item is expected", part.FormName()).WithHint("send pairs of the parts item and image")
	}
	text, err := io.ReadAll(io.LimitReader(part, maxItemPart+1))
	if err != nil {
		return image, broken(err)
	}
	var item wire.UploadPart
	if len(text) > maxItemPart {
		return image, remuda.Errorf(remuda.Invalid, "a part item has more than %d bytes", maxItemPart)
	}
	if err := json.Unmarshal(text, &item); err != nil {
		return image, remuda.Errorf(remuda.Invalid, "read a part item: %w", err).WithHint("send {\"reference_id\": \"a.jpg\"}")
	}
	return flow.NewImage{ReferenceID: item.ReferenceID, SHA256: item.SHA256, Metadata: item.Metadata}, nil
}

// senderReader remembers the error of the sender's line.
type senderReader struct {
	r   io.Reader
	err error
}

// Read reads on.
func (s *senderReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
