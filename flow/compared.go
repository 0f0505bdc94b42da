package flow

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"io"
	"slices"

	"remuda"
	"remuda/blob"
	"remuda/eval"
	"remuda/geom"
	"remuda/store"
)

// compared is what an evaluation compares: the boxes of items as they were
// when it was computed, or a benchmark's ground truth. It is kept as one file
// of columns, because a million rows would be slow to read each time.
type compared struct {
	Items       []string // ids; boxes name them by their places
	Truth       boxColumns
	Predictions boxColumns
}

// boxColumns are boxes, one a place in each column.
type boxColumns struct {
	Labels     []string // that occur
	ID         []string
	Revision   []int64
	Item       []int32 // places in compared.Items
	Label      []int32 // places in Labels
	Corners    []float64
	Area       []float64
	Crowd      []bool
	Confidence []float64

	labels map[string]int32
}

func (c *boxColumns) len() int { return len(c.ID) }

// add adds a box of the item at a place.
func (c *boxColumns) add(item int, b store.RankedBox) {
	if c.labels == nil {
		c.labels = make(map[string]int32)
		for i, label := range c.Labels {
			c.labels[label] = int32(i)
		}
	}
	label, known := c.labels[b.Category]
	if !known {
		label = int32(len(c.Labels))
		c.labels[b.Category], c.Labels = label, append(c.Labels, b.Category)
	}
	c.ID, c.Revision, c.Item, c.Label = append(c.ID, b.ID), append(c.Revision, b.Revision), append(c.Item, int32(item)), append(c.Label, label)
	c.Corners = append(c.Corners, b.Box.X0, b.Box.Y0, b.Box.X1, b.Box.Y1)
	c.Area, c.Crowd, c.Confidence = append(c.Area, b.Area), append(c.Crowd, b.Crowd), append(c.Confidence, b.Confidence)
}

// keep returns the boxes whose places keep says yes to, with their items
// renumbered by place.
func (c *boxColumns) keep(keep func(i int) bool, place []int32) (kept boxColumns) {
	kept.Labels = c.Labels
	for i := range c.ID {
		if !keep(i) {
			continue
		}
		kept.ID, kept.Revision, kept.Label = append(kept.ID, c.ID[i]), append(kept.Revision, c.Revision[i]), append(kept.Label, c.Label[i])
		kept.Item, kept.Corners = append(kept.Item, place[c.Item[i]]), append(kept.Corners, c.Corners[4*i:4*i+4]...)
		kept.Area, kept.Crowd, kept.Confidence = append(kept.Area, c.Area[i]), append(kept.Crowd, c.Crowd[i]), append(kept.Confidence, c.Confidence[i])
	}
	return kept
}

func (c *boxColumns) box(i int) geom.Box {
	return geom.Box{X0: c.Corners[4*i], Y0: c.Corners[4*i+1], X1: c.Corners[4*i+2], Y1: c.Corners[4*i+3]}
}

// area is a box's size in square pixels.
func (c *boxColumns) area(i int) float64 {
	if c.Area[i] != 0 {
		return c.Area[i]
	}
	b := c.box(i)
	return b.Width() * b.Height()
}

func (c *boxColumns) labeled() []eval.Labeled {
	list := make([]eval.Labeled, c.len())
	for i := range list {
		list[i] = eval.Labeled{
			Item: int(c.Item[i]), Label: c.Labels[c.Label[i]], Box: c.box(i), Area: c.Area[i], Crowd: c.Crowd[i], Confidence: c.Confidence[i],
		}
	}
	return list
}

// boxes returns what package eval compares, place by place the same boxes.
func (c *compared) boxes() eval.Boxes {
	return eval.Boxes{Items: len(c.Items), Truth: c.Truth.labeled(), Predictions: c.Predictions.labeled()}
}

// only returns what is compared on some of the items.
func (c *compared) only(keep func(item int) bool) *compared {
	place := make([]int32, len(c.Items))
	kept := &compared{}
	for i, id := range c.Items {
		place[i] = -1
		if keep(i) {
			place[i], kept.Items = int32(len(kept.Items)), append(kept.Items, id)
		}
	}
	kept.Truth = c.Truth.keep(func(i int) bool { return place[c.Truth.Item[i]] >= 0 }, place)
	kept.Predictions = c.Predictions.keep(func(i int) bool { return place[c.Predictions.Item[i]] >= 0 }, place)
	return kept
}

// readTruth adds the ground truth of some of the items: as it is now, or as a
// slice was frozen with it.
func (c *compared) readTruth(tx *store.Tx, ids []string, frozen string) error {
	return c.read(tx, &c.Truth, ids, "", frozen)
}

// readPredictions adds what a run predicted on all items.
func (c *compared) readPredictions(tx *store.Tx, run string) error {
	return c.read(tx, &c.Predictions, c.Items, run, "")
}

func (c *compared) read(tx *store.Tx, into *boxColumns, ids []string, run, frozen string) error {
	place := make(map[string]int, len(c.Items))
	for i, id := range c.Items {
		place[id] = i
	}
	for chunk := range slices.Chunk(ids, exportPage) {
		err := tx.RankedBoxesOf(chunk, run, frozen, func(b store.RankedBox) error {
			into.add(place[b.Item], b)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putCompared stores what is compared and returns its blob.
func (f *Flow) putCompared(ctx context.Context, c *compared) (string, error) {
	out, in := io.Pipe()
	defer out.Close()
	go func() {
		buffered := bufio.NewWriterSize(in, 1<<16)
		err := gob.NewEncoder(buffered).Encode(c)
		in.CloseWithError(errors.Join(err, buffered.Flush())) // nil is the end of the file
	}()
	ref, _, err := f.Blobs.Put(ctx, out, 0)
	return ref.String(), err
}

// compared reads what is compared.
func (f *Flow) compared(ctx context.Context, hash string) (*compared, error) {
	ref, err := blob.ParseRef(hash)
	if err != nil {
		return nil, err
	}
	file, err := f.Blobs.Open(ctx, ref)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	c := &compared{}
	if err := gob.NewDecoder(bufio.NewReaderSize(file, 1<<16)).Decode(c); err != nil {
		return nil, remuda.Errorf(remuda.Internal, "read the boxes of an evaluation: %w", err)
	}
	return c, nil
}
