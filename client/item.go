package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"remuda"
	"remuda/wire"
)

// Search chooses items of a dataset; empty fields choose all.
type Search struct {
	Filter string // in the filter language
	Slice  string // id
}

func (s Search) query(q url.Values) url.Values {
	return set(set(q, "filter", s.Filter), "slice", s.Slice)
}

func number(name string, n int) url.Values { return url.Values{name: {strconv.Itoa(n)}} }

// Items returns a page of items.
func (c *Client) Items(ctx context.Context, dataset string, search Search, page Page, annotations bool) (wire.Items, error) {
	return get[wire.Items](ctx, c, "/datasets"+id(dataset)+"/items", withAnnotations(search.query(page.query()), annotations))
}

func withAnnotations(q url.Values, annotations bool) url.Values {
	if annotations {
		q.Set("annotations", "true")
	}
	return q
}

// EachItem hands items to do, page by page, until there are no more.
func EachItem(ctx context.Context, next func(ctx context.Context, page Page) (wire.Items, error), do func(wire.Item) error) error {
	for page := (Page{Limit: 1000}); ; {
		found, err := next(ctx, page)
		if err != nil {
			return err
		}
		for _, item := range found.Items {
			if err := do(item); err != nil {
				return err
			}
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			return nil
		}
	}
}

// CountItems returns how many items a search chooses.
func (c *Client) CountItems(ctx context.Context, dataset string, search Search) (int64, error) {
	n, err := get[wire.Count](ctx, c, "/datasets"+id(dataset)+"/items/count", search.query(url.Values{}))
	return n.Count, err
}

// Item returns an item with its ground truth.
func (c *Client) Item(ctx context.Context, item string) (wire.Item, error) {
	return get[wire.Item](ctx, c, "/items"+id(item), nil)
}

// SetMetadata sets keys of an item's metadata.
func (c *Client) SetMetadata(ctx context.Context, item string, m wire.Metadata) (wire.Item, error) {
	return send[wire.Item](ctx, c, http.MethodPatch, "/items"+id(item)+"/metadata", m, true)
}

// DeleteItem removes an item with its annotations.
func (c *Client) DeleteItem(ctx context.Context, item string) error {
	return c.do(ctx, request{method: http.MethodDelete, path: "/items" + id(item)})
}

// Image writes the bytes that an item's URL names, such as its ImageURL, to a
// place that is made anew for each attempt.
func (c *Client) Image(ctx context.Context, path string, to func() (io.WriteCloser, error)) error {
	image := *c
	image.base = c.root
	return image.do(ctx, request{method: http.MethodGet, path: path, safe: true, take: func(answer *http.Response) error {
		w, err := to()
		if err != nil {
			return err
		}
		_, err = io.Copy(w, answer.Body)
		if err != nil {
			err = remuda.Errorf(remuda.Unavailable, "fetch an image: %w", err).WithHint("try again")
		}
		return errors.Join(err, w.Close())
	}})
}
