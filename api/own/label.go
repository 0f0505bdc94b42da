package own

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"remuda"
	"remuda/flow"
	"remuda/internal/httpx"
	"remuda/wire"
)

// aboutExport describes the routes that send label files.
const aboutExport = "COCO json, or a zip archive of Pascal VOC or YOLO labels. It was read again and compared with the boxes before it is sent; the trailer " + wire.ProofHeader + " says what was compared."

func (s *Server) labelRoutes() {
	streamed(s, route{at: "GET /datasets/{dataset}/labels", id: "exportDataset", summary: "Export a dataset's boxes as label files", about: aboutExport}, func(in *struct {
		OfDataset
		LabelFormat
	},
	) (flow.Source, string) {
		return flow.Source{Dataset: in.Dataset}, in.Format
	})
	handle(s, route{
		at: "POST /datasets/{dataset}/labels", id: "importLabels", summary: "Import label files",
		about: "COCO json, or a zip archive of a folder of Pascal VOC or YOLO labels. Files find their items by name; boxes that are there already are ignored, so that it can be repeated.",
		body:  &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}},
	}, s.importLabels)
	handle(s, route{at: "GET /datasets/{dataset}/findings", id: "lintDataset", summary: "What is wrong with a dataset's ground truth"}, func(ctx context.Context, c *call, in *OfDataset) (wire.Findings, error) {
		report, err := s.Flow.Lint(ctx, c.caller, flow.Source{Dataset: in.Dataset})
		return wireFindings(report), err
	})
	handle(s, route{at: "POST /datasets/{dataset}/findings/fix", id: "fixFindings", summary: "Mend findings", about: "By new revisions."}, s.fix)
}

// LabelFormat chooses the kind of label files.
type LabelFormat struct {
	Format string `query:"format" enum:"coco,voc,yolo" default:"coco"`
}

// streamed adds a route that answers with the label files of a source.
func streamed[I any](s *Server, r route, source func(in *I) (flow.Source, string)) {
	o := operation(r, http.StatusOK)
	o.Responses["200"] = &huma.Response{Description: "The label files.", Content: map[string]*huma.MediaType{
		"application/json": {}, "application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		c := callOf(ctx)
		if err := c.caller.Need(remuda.Reviewer); err != nil {
			return nil, s.problem(c.r, err)
		}
		from, kind := source(in)
		return &huma.StreamResponse{Body: func(huma.Context) { s.export(ctx, c, from, kind) }}, nil
	})
}

// export sends label files. Until the first byte, a failure is answered as one;
// after it, the answer is cut off.
func (s *Server) export(ctx context.Context, c *call, from flow.Source, kind string) {
	mediaType := "application/json"
	if kind != "coco" {
		mediaType = "application/zip"
	}
	begun := false
	out := bufio.NewWriterSize(writerFunc(func(p []byte) (int, error) {
		if !begun {
			begun = true
			c.w.Header().Set("Content-Type", mediaType)
			c.w.Header().Set("Trailer", wire.ProofHeader)
		}
		return c.w.Write(p)
	}), 64<<10)
	proof, err := s.Flow.ExportLabels(ctx, c.caller, from, kind, out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil && !begun {
		s.refuse(c.w, c.r, err)
		return
	}
	if err != nil {
		httpx.Of(c.r).Err = err
		return // without its trailer nobody takes it for whole
	}
	text, err := json.Marshal(wire.Proof{Items: proof.Items, Boxes: proof.Boxes, LargestDifference: proof.LargestDifference, Losses: proof.Losses})
	if err == nil {
		c.w.Header().Set(wire.ProofHeader, string(text))
	}
}

type writerFunc func([]byte) (int, error)

// Write calls the function.
func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var _ io.Writer = writerFunc(nil)

func (s *Server) importLabels(ctx context.Context, c *call, in *struct {
	OfDataset
	LabelFormat
},
) (wire.Imported, error) {
	done, err := s.Flow.ImportLabelFile(ctx, c.caller, in.Dataset, in.Format, c.r.Body)
	return wire.Imported{
		Items: done.Items, Boxes: done.Boxes, Added: done.Added, Ignored: done.Ignored, Turned: done.Turned,
		Unknown: done.Unknown, Ambiguous: done.Ambiguous, Resized: done.Resized,
	}, err
}

func wireFindings(report flow.LintReport) wire.Findings {
	out := wire.Findings{Counts: make(map[string]int, len(report.Counts))}
	for kind, n := range report.Counts {
		out.Counts[string(kind)] = n
	}
	out.Findings = list(report.Findings, func(f flow.Finding) wire.Finding {
		return wire.Finding{
			ID: f.ID, Kind: string(f.Kind), Item: f.Item, ReferenceID: f.ReferenceID, Annotations: f.Annotations, Other: f.Other,
			Count: f.Count, Message: f.Message, Fix: f.Fix,
		}
	})
	return out
}

func (s *Server) fix(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.FixFindings
},
) (out wire.Fixed, err error) {
	if err := c.caller.Need(remuda.Manager); err != nil {
		return out, err
	}
	if _, err := s.Flow.Dataset(ctx, c.caller, in.Dataset); err != nil {
		return out, err
	}
	for _, finding := range in.Body.Findings {
		switch err := s.Flow.Fix(ctx, c.caller, in.Dataset, finding); remuda.CodeOf(err) {
		case "":
			out.Fixed++
		case remuda.Conflict, remuda.NotFound: // mended by someone else
			out.Problems = append(out.Problems, wire.Mistake{Location: finding, Message: remuda.Sentence(err)})
		default:
			return out, err
		}
	}
	return out, nil
}
