package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"remuda"
	"remuda/lint"
	"remuda/store"
)

// Imported says what became of label files.
type Imported struct {
	Items   int // of the files that were found in the dataset
	Boxes   int // on them
	Added   int
	Ignored int // the item has the very box already
	Turned  int // items whose boxes were drawn before EXIF turned the image, and were turned with it

	Unknown   []string // files that the dataset has no item for
	Ambiguous []string // files that may be several items, which differ in their folders
	Resized   []string // files whose labels are of another size than the item's image: their boxes were taken as they are
}

// ImportLabels adds the boxes of label files, as package format reads them, to
// a dataset's items; managers only. A file is the item whose reference id is its
// name or, where only one has it, whose reference id ends in the same name, with
// or without the image's extension. Boxes are kept to the last bit, also those
// outside of their image. A box that an item has already is ignored, so that an
// import that was cut off can be repeated; one transaction has whole items.
func (f *Flow) ImportLabels(ctx context.Context, caller remuda.Caller, dataset string, labels remuda.Dataset) (done Imported, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return done, err
	}
	names, err := categoriesByID(labels.Categories)
	if err != nil {
		return done, err
	}
	var items map[string]store.Item
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		done = Imported{}
		if err := listLabels(tx, dataset, labels.Categories); err != nil {
			return err
		}
		items, err = matchFiles(tx, dataset, labels.Items, &done)
		return err
	})
	if err != nil {
		return done, err
	}
	im := &importer{flow: f, caller: caller, names: names, done: &done}
	byItem := remuda.ByItem(labels.Annotations)
	for _, file := range labels.Items {
		if item, known := items[file.File]; known {
			if err := im.item(ctx, item, file, byItem[file.ID]); err != nil {
				return done, err
			}
		}
	}
	if err := im.flush(ctx); err != nil {
		return done, err
	}
	f.countGrown(ctx)
	return done, nil
}

func categoriesByID(categories []remuda.Category) (map[int64]string, error) {
	names := make(map[int64]string, len(categories))
	for _, c := range categories {
		if strings.TrimSpace(c.Name) == "" || strings.ContainsRune(c.Name, 0) {
			return nil, remuda.Errorf(remuda.Invalid, "import labels: the category %d is called %q", c.ID, c.Name).WithHint("name every category")
		}
		names[c.ID] = c.Name
	}
	return names, nil
}

// listLabels notes the order of a label file's categories; see LabelTaxonomy.
func listLabels(tx *store.Tx, dataset string, categories []remuda.Category) error {
	if err := tx.LockDataset(dataset); err != nil {
		return err
	}
	t, err := tx.Taxonomy(dataset, LabelTaxonomy)
	if remuda.CodeOf(err) == remuda.NotFound {
		t, err = store.Taxonomy{Dataset: dataset, Name: LabelTaxonomy, Type: store.TypeCategory}, nil
	}
	if err != nil {
		return err
	}
	before := len(t.Labels)
	for _, c := range categories {
		if !slices.Contains(t.Labels, c.Name) {
			t.Labels = append(t.Labels, c.Name)
		}
	}
	if len(t.Labels) == before {
		return nil
	}
	return tx.PutTaxonomy(t)
}

// matchFiles finds the item of each file.
func matchFiles(tx *store.Tx, dataset string, files []remuda.Item, done *Imported) (map[string]store.Item, error) {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = file.File
	}
	items, err := tx.ItemsByReference(dataset, names)
	if err != nil {
		return nil, err
	}
	var rest []string
	for _, name := range names {
		if _, found := items[name]; !found {
			rest = append(rest, name)
		}
	}
	if len(rest) == 0 {
		return items, nil
	}
	byBase, err := itemsByBase(tx, dataset)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string][]string) // files by the id of the item they may be
	for _, name := range rest {
		switch found := byBase.of(name); len(found) {
		case 0:
			done.Unknown = append(done.Unknown, name)
		case 1:
			wanted[found[0]] = append(wanted[found[0]], name)
		default:
			done.Ambiguous = append(done.Ambiguous, name)
		}
	}
	return items, addMatches(tx, items, wanted, done)
}

// addMatches adds files that are the only ones to be their item.
func addMatches(tx *store.Tx, items map[string]store.Item, wanted map[string][]string, done *Imported) error {
	taken := make(map[string]bool, len(items))
	for _, item := range items {
		taken[item.ID] = true
	}
	var ids []string
	for id, files := range wanted {
		if len(files) > 1 || taken[id] {
			done.Ambiguous = append(done.Ambiguous, files...)
			continue
		}
		ids = append(ids, id)
	}
	slices.Sort(done.Ambiguous)
	found, err := tx.ItemsByID(ids)
	for id, item := range found {
		items[wanted[id][0]] = item
	}
	return err
}

// bases are the ids of items by the last part of their reference ids, whole and without an image's extension.
type bases struct{ whole, bare map[string][]string }

func itemsByBase(tx *store.Tx, dataset string) (bases, error) {
	b := bases{make(map[string][]string), make(map[string][]string)}
	err := tx.ItemNames(dataset, func(item store.ItemName) error {
		base := path.Base(item.ReferenceID)
		b.whole[base] = append(b.whole[base], item.ID)
		b.bare[bareName(base)] = append(b.bare[bareName(base)], item.ID)
		return nil
	})
	return b, err
}

func (b bases) of(file string) []string {
	base := path.Base(file)
	if found := b.whole[base]; len(found) > 0 {
		return found
	}
	return b.bare[bareName(base)]
}

func bareName(name string) string {
	if isImageName(name) {
		return strings.TrimSuffix(name, path.Ext(name))
	}
	return name
}

// importer writes boxes, some items at a time.
type importer struct {
	flow   *Flow
	caller remuda.Caller
	names  map[int64]string
	done   *Imported

	held  []heldItem
	boxes int
}

type heldItem struct {
	item string
	put  []store.Annotation
}

func (im *importer) item(ctx context.Context, item store.Item, file remuda.Item, boxes []remuda.Annotation) error {
	turn := im.turnOf(item, file)
	im.done.Items++
	im.done.Boxes += len(boxes)
	held := heldItem{item: item.ID}
	repeated := make(map[string]int)
	for _, b := range boxes {
		if turn > 1 {
			b.Box = lint.Turn(b.Box, float64(item.Width), float64(item.Height), turn)
		}
		name, known := im.names[b.CategoryID]
		if !known {
			return remuda.Errorf(remuda.Invalid, "import labels: a box of %s has the category %d, which is not listed", file.File, b.CategoryID)
		}
		key := boxKey(name, b)
		repeated[key]++
		if n := repeated[key]; n > 1 {
			key += "#" + strconv.Itoa(n)
		}
		held.put = append(held.put, store.Annotation{
			Type: store.TypeBox, Category: name, Key: key, Box: &b.Box, Crowd: b.Crowd, Body: areaBody(b), Source: store.SourceImport,
		})
	}
	im.held = append(im.held, held)
	if im.boxes += len(boxes); im.boxes < putAtOnce && len(im.held) < putAtOnce {
		return nil
	}
	return im.flush(ctx)
}

// turnOf returns the EXIF orientation that a file's boxes are to be turned by: that of
// the image, if the labels' size is the one it has on the disk.
func (im *importer) turnOf(item store.Item, file remuda.Item) int {
	if item.Width == 0 || file.Width == 0 || file.Width == item.Width && file.Height == item.Height {
		return 1
	}
	const firstSideways = 5 // orientations from here on swap width and height
	if item.Orientation >= firstSideways && file.Width == item.Height && file.Height == item.Width {
		im.done.Turned++
		return item.Orientation
	}
	im.done.Resized = append(im.done.Resized, file.File)
	return 1
}

// boxKey names a box by what it says, so that the same is found again.
func boxKey(category string, b remuda.Annotation) string {
	key := category
	for _, v := range [4]float64{b.Box.X0, b.Box.Y0, b.Box.X1, b.Box.Y1} {
		key += "-" + strconv.FormatFloat(v, 'f', -1, 64)
	}
	if b.Crowd {
		key += "-crowd"
	}
	return key
}

// areaBody keeps an area that is not that of the box: of an object's mask.
func areaBody(b remuda.Annotation) json.RawMessage {
	const rounding = 1e-6
	if box := b.Box.Area(); b.Area == 0 || b.Area >= box*(1-rounding)-rounding && b.Area <= box*(1+rounding)+rounding {
		return nil
	}
	return json.RawMessage(fmt.Sprintf(`{"area":%s}`, strconv.FormatFloat(b.Area, 'g', -1, 64)))
}

// flush writes what is held.
func (im *importer) flush(ctx context.Context) error {
	if len(im.held) == 0 {
		return nil
	}
	slices.SortFunc(im.held, func(a, b heldItem) int { return strings.Compare(a.item, b.item) })
	var put Put
	err := im.flow.DB.Write(ctx, im.caller, func(tx *store.Tx) error {
		put = Put{}
		for _, held := range im.held {
			processed, ignored, err := tx.PutAnnotations(held.item, "", held.put, false)
			if err != nil {
				return err
			}
			put.Processed, put.Ignored = put.Processed+processed, put.Ignored+ignored
		}
		return nil
	})
	im.done.Added, im.done.Ignored = im.done.Added+put.Processed, im.done.Ignored+put.Ignored
	im.held, im.boxes = im.held[:0], 0
	return err
}
