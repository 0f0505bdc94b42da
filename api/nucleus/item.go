package nucleus

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func itemRoutes() map[string]handler {
	return map[string]handler{
		"GET dataset/{ds}/datasetItems":       allItems,
		"POST dataset/{ds}/itemsPage":         itemsPage,
		"GET dataset/{ds}/refloc/{ref...}":    itemBy(func(r *request) (flow.ItemChoice, error) { return flow.ItemChoice{Reference: r.param("ref")}, nil }),
		"GET dataset/{ds}/loc/{di}":           itemBy(func(r *request) (flow.ItemChoice, error) { return flow.ItemChoice{ID: r.param("di")}, nil }),
		"GET dataset/{ds}/iloc/{n}":           itemBy(itemNumber),
		"DELETE dataset/{ds}/refloc/{ref...}": deleteItem,
	}
}

// wireItem is an item as clients read it.
type wireItem struct {
	ID            string          `json:"id"`
	DatasetItemID string          `json:"dataset_item_id"`
	RefID         string          `json:"ref_id"`
	ReferenceID   string          `json:"reference_id"`
	ImageURL      string          `json:"image_url"`
	ProcessedURL  string          `json:"processed_url,omitempty"`
	Metadata      json.RawMessage `json:"metadata"`
	PHash         string          `json:"phash,omitempty"`
	Width         int             `json:"width,omitempty"`
	Height        int             `json:"height,omitempty"`
}

// itemJSON writes an item. Its image_url is what the user gave, if that is a
// URL, else one of this server's; with mirror, processed_url is this server's too.
func (s *Server) itemJSON(r *request, item store.Item, mirror bool) (wireItem, error) {
	wire := wireItem{
		ID: item.ID, DatasetItemID: item.ID, RefID: item.ReferenceID, ReferenceID: item.ReferenceID,
		ImageURL: item.ImageURL, Metadata: item.Metadata, Width: item.Width, Height: item.Height,
	}
	if item.PHash != nil {
		wire.PHash = fmt.Sprintf("%064b", *item.PHash)
	}
	local := !flow.IsRemote(item)
	if !local && !mirror {
		return wire, nil
	}
	path, err := s.Flow.ImageURL(r.Context(), item)
	if err != nil || path == "" {
		return wire, err
	}
	if local {
		wire.ImageURL = s.PublicURL(r.Request) + path
	}
	if mirror {
		wire.ProcessedURL = s.PublicURL(r.Request) + path
	}
	return wire, nil
}

// itemsJSON writes items in order.
func (s *Server) itemsJSON(r *request, items []store.Item) ([]wireItem, error) {
	wire := make([]wireItem, len(items))
	for i, item := range items {
		var err error
		if wire[i], err = s.itemJSON(r, item, false); err != nil {
			return nil, err
		}
	}
	return wire, nil
}

func allItems(s *Server, r *request) (any, error) {
	return stream(func(out *bufio.Writer) error {
		out.WriteString(`{"dataset_items":`)
		err := writeAll(out, func(after int64) ([]store.Item, error) {
			return s.Flow.Items(r.Context(), r.caller, r.param("ds"), after, window)
		}, func(item store.Item) (any, int64, error) {
			wire, err := s.itemJSON(r, item, false)
			return wire, item.Position, err
		})
		out.WriteString("}")
		return err
	}), nil
}

func itemsPage(s *Server, r *request) (any, error) {
	after, size, err := r.page()
	if err != nil {
		return nil, err
	}
	items, err := s.Flow.Items(r.Context(), r.caller, r.param("ds"), after, size+1)
	if err != nil {
		return nil, err
	}
	items, next := pageOf(items, size, func(item store.Item) string { return at(item.Position) })
	wire, err := s.itemsJSON(r, items)
	return map[string]any{"items": wire, "nextPageToken": next}, err
}

// itemBy answers with an item, found as choose says, and its ground truth.
func itemBy(choose func(*request) (flow.ItemChoice, error)) handler {
	return func(s *Server, r *request) (any, error) {
		choice, err := choose(r)
		if err != nil {
			return nil, err
		}
		found, err := s.Flow.Item(r.Context(), r.caller, r.param("ds"), choice)
		if err != nil {
			return nil, err
		}
		if found.Annotations, err = s.withMasks(r, found.Annotations); err != nil {
			return nil, err
		}
		wire, err := s.itemJSON(r, found.Item, false)
		return map[string]any{"item": wire, "annotations": annotationsByType(found.Annotations, found.Item.ReferenceID)}, err
	}
}

func itemNumber(r *request) (flow.ItemChoice, error) {
	n, err := strconv.ParseInt(r.param("n"), 10, 64)
	if err != nil {
		return flow.ItemChoice{}, remuda.Errorf(remuda.Invalid, "%.80q is no number of an item", r.param("n")).WithHint("items are counted from 0")
	}
	return flow.ItemChoice{Number: &n}, nil
}

func deleteItem(s *Server, r *request) (any, error) {
	if err := s.Flow.DeleteItem(r.Context(), r.caller, r.param("ds"), flow.ItemChoice{Reference: r.param("ref")}); err != nil {
		return nil, err
	}
	return map[string]any{"dataset_id": r.param("ds"), "reference_id": r.param("ref"), "message": "Item deleted."}, nil
}
