package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"

	"remuda"
	"remuda/wire"
)

// Upload is an image file to send.
type Upload struct {
	wire.UploadPart
	Open func() (io.ReadCloser, error) // is called once for each attempt
}

// AddKnownImages adds images whose bytes are on the server, and says of each
// other whether to send it.
func (c *Client) AddKnownImages(ctx context.Context, dataset string, images wire.KnownImages) (wire.AddedImages, error) {
	return send[wire.AddedImages](ctx, c, http.MethodPost, "/datasets"+id(dataset)+"/items/known", images, true)
}

// UploadImages sends images, at most 1000 at once. Sent again they are not
// added again, so that this is repeated when the line breaks.
func (c *Client) UploadImages(ctx context.Context, dataset string, images []Upload) (out wire.AddedImages, err error) {
	boundary := multipart.NewWriter(io.Discard).Boundary()
	err = c.do(ctx, request{
		method: http.MethodPost, path: "/datasets" + id(dataset) + "/items", safe: true, out: &out, media: "multipart/form-data; boundary=" + boundary,
		stream: func() (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() { w.CloseWithError(writeForm(w, boundary, images)) }()
			return r, nil
		},
	})
	return out, err
}

func writeForm(w io.Writer, boundary string, images []Upload) error {
	form := multipart.NewWriter(w)
	if err := form.SetBoundary(boundary); err != nil {
		return err
	}
	for _, image := range images {
		if err := writeImage(form, image); err != nil {
			return err
		}
	}
	return form.Close()
}

func writeImage(form *multipart.Writer, image Upload) error {
	text, err := json.Marshal(image.UploadPart)
	if err != nil {
		return fmt.Errorf("write what is said of %s: %w", image.ReferenceID, err)
	}
	item, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="item"`}, "Content-Type": {"application/json"},
	})
	if err != nil {
		return err
	}
	if _, err := item.Write(text); err != nil {
		return err
	}
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="image"; filename="image"`}, "Content-Type": {"application/octet-stream"},
	})
	if err != nil {
		return err
	}
	file, err := image.Open()
	if err != nil {
		return remuda.Errorf(remuda.Invalid, "open %s: %w", image.ReferenceID, err)
	}
	defer file.Close()
	_, err = io.Copy(part, file)
	return err
}
