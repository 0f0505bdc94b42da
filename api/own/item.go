package own

import (
	"context"
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/store"
	"remuda/wire"
)

// OfItem names an item in the path.
type OfItem struct {
	Item string `path:"item" doc:"The item's id."`
}

// Search chooses items of a dataset.
type Search struct {
	OfDataset
	Filter string `query:"filter" maxLength:"10000" doc:"Which items, in the filter language, such as: any annotation (category = horse) and width > 640"`
	Slice  string `query:"slice" doc:"Only members of this slice of the dataset."`
}

func (s Search) search() flow.Search {
	return flow.Search{Dataset: s.Dataset, Slice: s.Slice, Filter: s.Filter}
}

func (s *Server) itemRoutes() {
	handle(s, route{
		at: "GET /datasets/{dataset}/items", id: "listItems", summary: "List items that a filter chooses",
		about: "In the order in which they were added, a page at a time.",
	}, s.items)
	handle(s, route{at: "GET /datasets/{dataset}/items/count", id: "countItems", summary: "How many items a filter chooses"}, func(ctx context.Context, c *call, in *Search) (wire.Count, error) {
		n, err := s.Flow.CountFiltered(ctx, c.caller, in.search())
		return wire.Count{Count: n}, err
	})
	handle(s, route{at: "GET /items/{item}", id: "getItem", summary: "An item with its ground truth"}, s.item)
	handle(s, route{at: "PATCH /items/{item}/metadata", id: "setMetadata", summary: "Set keys of an item's metadata", about: "Other keys stay."}, s.setMetadata)
	act(s, route{at: "DELETE /items/{item}", id: "deleteItem", summary: "Delete an item with its annotations", about: "One that a frozen slice holds is a conflict."}, func(ctx context.Context, c *call, in *OfItem) error {
		return s.Flow.DeleteItem(ctx, c.caller, "", flow.ItemChoice{ID: in.Item})
	})
}

// wireItem is an item with URLs of its image.
func (s *Server) wireItem(ctx context.Context, item store.Item) (out wire.Item, err error) {
	out = wire.Item{
		ID: item.ID, Dataset: item.Dataset, ReferenceID: item.ReferenceID, File: flow.FileName(item), SHA256: item.Blob, Problem: item.Problem, Format: item.Format, Bytes: item.Bytes,
		Width: item.Width, Height: item.Height, Orientation: item.Orientation, Metadata: item.Metadata, Revision: item.Revision,
		CreatedAt: wire.NewTime(item.CreatedAt), CreatedBy: item.CreatedBy, UpdatedAt: wire.NewTime(item.UpdatedAt),
	}
	if out.ImageURL, err = s.Flow.ImageURL(ctx, item); err != nil {
		return out, err
	}
	out.Thumbnail, err = s.Flow.ThumbnailURL(ctx, item, thumbnailSize)
	return out, err
}

// thumbnailSize is the one that is made when an image arrives.
const thumbnailSize = 256

func (s *Server) items(ctx context.Context, c *call, in *struct {
	Search
	Paging
	Annotations bool `query:"annotations" doc:"With their ground truth."`
},
) (out wire.Items, err error) {
	after, err := in.position()
	if err != nil {
		return out, err
	}
	found, err := s.Flow.FilterItems(ctx, c.caller, in.search(), after, in.Limit+1)
	if err != nil {
		return out, err
	}
	return s.itemPage(ctx, c, found, in.Limit, in.Annotations)
}

// itemPage sends a page of items, of which one more than limit was read.
func (s *Server) itemPage(ctx context.Context, c *call, found []store.Item, limit int, annotated bool) (out wire.Items, err error) {
	found, more := cut(found, limit)
	if more {
		out.Next = cursorAt(found[len(found)-1].Position)
	}
	out.Items = make([]wire.Item, len(found))
	ids := make([]string, len(found))
	for i, item := range found {
		ids[i] = item.ID
		if out.Items[i], err = s.wireItem(ctx, item); err != nil {
			return out, err
		}
	}
	if !annotated {
		return out, nil
	}
	annotations, err := s.Flow.Annotations(ctx, c.caller, ids)
	for i := range out.Items {
		out.Items[i].Annotations = list(annotations[out.Items[i].ID], wireAnnotation)
	}
	return out, err
}

func (s *Server) item(ctx context.Context, c *call, in *OfItem) (wire.Item, error) {
	found, err := s.Flow.Item(ctx, c.caller, "", flow.ItemChoice{ID: in.Item})
	if err != nil {
		return wire.Item{}, err
	}
	out, err := s.wireItem(ctx, found.Item)
	out.Annotations = list(found.Annotations, wireAnnotation)
	return out, err
}

func (s *Server) setMetadata(ctx context.Context, c *call, in *struct {
	OfItem
	Body wire.Metadata
},
) (out wire.Item, err error) {
	if err := c.caller.Need(remuda.Manager); err != nil {
		return out, err
	}
	found, err := s.Flow.Item(ctx, c.caller, "", flow.ItemChoice{ID: in.Item})
	if err != nil {
		return out, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(in.Body.Metadata, &object) != nil || object == nil {
		return out, remuda.Errorf(remuda.Invalid, "set metadata: it is no object").WithHint("send {\"metadata\": {\"key\": value}}")
	}
	change := []flow.MetadataChange{{ReferenceID: found.Item.ReferenceID, Metadata: in.Body.Metadata}}
	if _, err := s.Flow.MergeMetadata(ctx, c.caller, found.Item.Dataset, change); err != nil {
		return out, err
	}
	return s.item(ctx, c, &in.OfItem)
}
