package own

import (
	"context"
	"encoding/json"

	"remuda/flow"
	"remuda/geom"
	"remuda/store"
	"remuda/wire"
)

// maxSave is how many bytes the ground truth of one item may have when it is saved.
const maxSave = 32 << 20

func (s *Server) annotationRoutes() {
	handle(s, route{
		at: "GET /datasets/{dataset}/boxes", id: "listBoxes", summary: "List boxes that a filter of boxes chooses",
		about: "Annotations and predictions, item by item, a page at a time.",
	}, s.boxes)
	handle(s, route{at: "GET /datasets/{dataset}/boxes/count", id: "countBoxes", summary: "How many boxes a filter of boxes chooses"}, func(ctx context.Context, c *call, in *BoxSearch) (wire.Count, error) {
		n, err := s.Flow.CountBoxes(ctx, c.caller, in.search())
		return wire.Count{Count: n}, err
	})
	handle(s, route{
		at: "GET /items/{item}/annotations", id: "listAnnotations", summary: "An item's ground truth, now or as it was at a time",
	}, s.annotations)
	handle(s, route{
		at: "PUT /items/{item}/annotations", id: "saveAnnotations", maxBody: maxSave, summary: "Save an item's ground truth",
		about: "The list is what is there then. It names the item's revision that it was made on: if someone else has saved since, that is a conflict, and nothing changes. Replaced revisions stay in the history.",
	}, s.saveAnnotations)
	handle(s, route{at: "GET /items/{item}/history", id: "listHistory", summary: "Every revision of an item's ground truth", about: "In the order in which they were made."}, s.history)
	handle(s, route{
		at: "POST /items/{item}/restore", id: "restoreItem", summary: "Make an item's ground truth what it was at a time",
		about: "By new revisions; nothing of what was there since is lost.",
	}, s.restoreItem)
}

// BoxSearch chooses boxes of a dataset.
type BoxSearch struct {
	OfDataset
	Filter string `query:"filter" maxLength:"10000" doc:"Which boxes, in the filter language, such as: category = horse and width > 0.5 * item.width"`
	Slice  string `query:"slice" doc:"Only those on members of this slice of the dataset."`
}

func (b BoxSearch) search() flow.Search {
	return flow.Search{Dataset: b.Dataset, Slice: b.Slice, Filter: b.Filter}
}

func (s *Server) boxes(ctx context.Context, c *call, in *struct {
	BoxSearch
	Paging
},
) (out wire.Boxes, err error) {
	after, err := in.place()
	if err != nil {
		return out, err
	}
	found, items, err := s.Flow.FilterBoxes(ctx, c.caller, in.search(), after, in.Limit+1)
	if err != nil {
		return out, err
	}
	found, more := cut(found, in.Limit)
	if more {
		last := found[len(found)-1]
		out.Next = cursorOf(store.BoxCursor{Position: last.Position, ID: last.Annotation.ID})
	}
	out.Boxes, out.Items = make([]wire.Annotation, len(found)), make(map[string]wire.Item, len(items))
	for i, b := range found {
		out.Boxes[i] = wireAnnotation(b.Annotation)
		item := b.Annotation.Item
		if _, there := out.Items[item]; there {
			continue
		}
		if out.Items[item], err = s.wireItem(ctx, items[item]); err != nil {
			return out, err
		}
	}
	return out, nil
}

func wireAnnotation(a store.Annotation) wire.Annotation {
	out := wire.Annotation{
		ID: a.ID, Revision: a.Revision, Item: a.Item, Run: a.Run, Type: a.Type, Category: a.Category, Key: a.Key, Task: a.Task, Taxonomy: a.Taxonomy,
		Crowd: a.Crowd, Confidence: a.Confidence, Metadata: filled(a.Metadata), Body: filled(a.Body), Source: a.Source,
		CreatedAt: wire.NewTime(a.CreatedAt), CreatedBy: a.CreatedBy, EndedAt: wire.OptionalTime(a.EndedAt), EndedBy: a.EndedBy,
	}
	if a.Box != nil {
		out.Box = &wire.Box{X0: a.Box.X0, Y0: a.Box.Y0, X1: a.Box.X1, Y1: a.Box.Y1}
	}
	return out
}

// filled leaves out an object that has nothing in it.
func filled(text json.RawMessage) json.RawMessage {
	if string(text) == "{}" {
		return nil
	}
	return text
}

func (s *Server) annotations(ctx context.Context, c *call, in *struct {
	OfItem
	At wire.Time `query:"at" format:"date-time" doc:"As it was then."`
},
) (out wire.Annotations, err error) {
	if in.At == "" {
		item, err := s.item(ctx, c, &in.OfItem)
		return wire.Annotations{Revision: item.Revision, Annotations: item.Annotations}, err
	}
	at, err := timeOf(in.At)
	if err != nil {
		return out, err
	}
	found, err := s.Flow.AnnotationsAsOf(ctx, c.caller, in.Item, at)
	out.Annotations = list(found, wireAnnotation)
	return out, err
}

func (s *Server) saveAnnotations(ctx context.Context, c *call, in *struct {
	OfItem
	Body wire.SaveAnnotations
},
) (wire.Annotations, error) {
	if _, err := s.Flow.SaveAnnotations(ctx, c.caller, in.Item, in.Body.Base, list(in.Body.Annotations, drawn)); err != nil {
		return wire.Annotations{}, err
	}
	item, err := s.item(ctx, c, &in.OfItem)
	return wire.Annotations{Revision: item.Revision, Annotations: item.Annotations}, err
}

func drawn(d wire.Drawn) store.Annotation {
	a := store.Annotation{ID: d.ID, Type: d.Type, Category: d.Category, Crowd: d.Crowd, Confidence: d.Confidence, Metadata: d.Metadata, Body: d.Body}
	if a.Type == "" {
		a.Type = store.TypeBox
	}
	if d.Box != nil {
		a.Box = &geom.Box{X0: d.Box.X0, Y0: d.Box.Y0, X1: d.Box.X1, Y1: d.Box.Y1}
	}
	return a
}

func (s *Server) history(ctx context.Context, c *call, in *OfItem) (wire.Annotations, error) {
	found, err := s.Flow.History(ctx, c.caller, in.Item)
	if err != nil {
		return wire.Annotations{}, err
	}
	name, err := s.Flow.Names(ctx, c.caller)
	if err != nil {
		return wire.Annotations{}, err
	}
	out := wire.Annotations{Annotations: list(found, wireAnnotation), Names: map[string]string{}}
	for _, a := range found {
		out.Names[a.CreatedBy] = name(a.CreatedBy)
		if a.EndedBy != "" {
			out.Names[a.EndedBy] = name(a.EndedBy)
		}
	}
	return out, nil
}

func (s *Server) restoreItem(ctx context.Context, c *call, in *struct {
	OfItem
	Body wire.Restore
},
) (wire.Restored, error) {
	at, err := timeOf(in.Body.At)
	if err != nil {
		return wire.Restored{}, err
	}
	changed, err := s.Flow.RestoreItem(ctx, c.caller, in.Item, at)
	return wire.Restored{Changed: changed}, err
}
