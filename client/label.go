package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"remuda"
	"remuda/wire"
)

// ExportDataset writes the boxes of a dataset as label files: COCO json, or a
// zip archive for voc and yolo. An error leaves w with a part.
func (c *Client) ExportDataset(ctx context.Context, dataset, kind string, w io.Writer) (wire.Proof, error) {
	return c.export(ctx, "/datasets"+id(dataset), kind, w)
}

// ExportSlice is ExportDataset for a slice.
func (c *Client) ExportSlice(ctx context.Context, slice, kind string, w io.Writer) (wire.Proof, error) {
	return c.export(ctx, "/slices"+id(slice), kind, w)
}

func (c *Client) export(ctx context.Context, of, kind string, w io.Writer) (proof wire.Proof, err error) {
	err = c.do(ctx, request{method: http.MethodGet, path: of + "/labels", query: url.Values{"format": {kind}}, take: func(answer *http.Response) error {
		if _, err := io.Copy(w, answer.Body); err != nil {
			return c.unreachable(err)
		}
		text := answer.Trailer.Get(wire.ProofHeader)
		if text == "" || json.Unmarshal([]byte(text), &proof) != nil {
			return remuda.Errorf(remuda.Unavailable, "export labels: the answer was cut off").WithHint("export again")
		}
		return nil
	}})
	return proof, err
}

// ImportLabels imports a label file: COCO json, or a zip archive for voc and
// yolo. open is called once for each attempt.
func (c *Client) ImportLabels(ctx context.Context, dataset, kind string, open func() (io.ReadCloser, error)) (out wire.Imported, err error) {
	err = c.do(ctx, request{
		method: http.MethodPost, path: "/datasets" + id(dataset) + "/labels", query: url.Values{"format": {kind}},
		safe: true, out: &out, media: "application/octet-stream", stream: open,
	})
	return out, err
}

// LintDataset lists what is wrong with a dataset's ground truth.
func (c *Client) LintDataset(ctx context.Context, dataset string) (wire.Findings, error) {
	return get[wire.Findings](ctx, c, "/datasets"+id(dataset)+"/findings", nil)
}

// LintSlice is LintDataset for a slice. If train is a slice, it lists the images
// that are in both instead.
func (c *Client) LintSlice(ctx context.Context, slice, train string) (wire.Findings, error) {
	return get[wire.Findings](ctx, c, "/slices"+id(slice)+"/findings", set(url.Values{}, "train", train))
}

// FixFindings mends findings, at most 1000 at once.
func (c *Client) FixFindings(ctx context.Context, dataset string, fix wire.FixFindings) (wire.Fixed, error) {
	return send[wire.Fixed](ctx, c, http.MethodPost, "/datasets"+id(dataset)+"/findings/fix", fix, false)
}
