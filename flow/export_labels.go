package flow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"remuda"
	"remuda/format"
	"remuda/store"
)

// LabelTaxonomy is the taxonomy of a dataset in which an import leaves the
// categories of its label file in their order, and from which an export takes it.
const LabelTaxonomy = "categories"

// ExportLabels writes the boxes of a source as a COCO json, or as a zip archive
// of Pascal VOC or YOLO labels (kinds of package format), as they all are at
// one time. Before w gets anything, the file has been read again and compared
// with the boxes: what the proof says holds for what was written.
func (f *Flow) ExportLabels(ctx context.Context, caller remuda.Caller, from Source, kind string, w io.Writer) (proof format.Proof, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return proof, err
	}
	folder, err := os.MkdirTemp("", "remuda-export-")
	if err != nil {
		return proof, remuda.Errorf(remuda.Unavailable, "export labels: %w", err).WithHint("make room in the folder of temporary files")
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file, err := os.Create(path.Join(folder, "labels"))
	if err != nil {
		return proof, remuda.Errorf(remuda.Unavailable, "export labels: %w", err).WithHint("make room in the folder of temporary files")
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		proof, err = exportTo(tx, file, from, kind)
		return err
	})
	if err != nil {
		return proof, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return proof, fmt.Errorf("read the export: %w", err)
	}
	_, err = io.Copy(w, file)
	return proof, err
}

// labelExport reads a source as label files have it.
type labelExport struct {
	tx         *store.Tx
	from       Source
	frozen     bool
	objects    map[string]bool // of a slice of objects: only they are read; else nil
	categories map[string]int64
	others     map[string]int // annotations that are no boxes, by type
	counting   bool           // others: on the first of several readings
	renamed    int            // reference ids that are no file names
}

func exportTo(tx *store.Tx, file *os.File, from Source, kind string) (format.Proof, error) {
	x := &labelExport{tx: tx, from: from}
	dataset := from.Dataset
	if from.Slice != "" {
		slice, err := tx.Slice(from.Slice)
		if err != nil {
			return format.Proof{}, err
		}
		dataset, x.frozen = slice.Dataset, slice.Frozen != "" && from.Run == ""
		if slice.Type == store.SliceOfObjects {
			if x.objects, err = objectsOf(tx, slice.ID); err != nil {
				return format.Proof{}, err
			}
		}
	}
	categories, err := x.listCategories(dataset)
	if err != nil {
		return format.Proof{}, err
	}
	x.categories = make(map[string]int64, len(categories))
	for _, c := range categories {
		x.categories[c.Name] = c.ID
	}
	proof, err := format.Export(file, kind, categories, x.rows)
	for _, typ := range slices.Sorted(maps.Keys(x.others)) {
		proof.Losses = append(proof.Losses, fmt.Sprintf("label files have boxes only; annotations of type %s left out: %d", typ, x.others[typ]))
	}
	if x.renamed > 0 {
		proof.Losses = append(proof.Losses, fmt.Sprintf("reference ids that are no file names were changed into some: %d", x.renamed))
	}
	return proof, err
}

// listCategories returns a dataset's categories, numbered from 1: those of the
// label files it came from in their order, then others by name. They are the
// same for all slices of a dataset.
func (x *labelExport) listCategories(dataset string) ([]remuda.Category, error) {
	tx := x.tx
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	names, err := tx.ClassLabels(dataset, x.from.Run != "")
	if err != nil {
		return nil, err
	}
	if x.frozen {
		old, err := tx.FrozenCategories(x.from.Slice)
		if err != nil {
			return nil, err
		}
		names = slices.Compact(slices.Sorted(slices.Values(append(names, old...))))
	}
	listed, err := tx.Taxonomy(dataset, LabelTaxonomy)
	if err != nil && remuda.CodeOf(err) != remuda.NotFound {
		return nil, err
	}
	ordered := slices.Clone(listed.Labels)
	for _, name := range names {
		if !slices.Contains(listed.Labels, name) {
			ordered = append(ordered, name)
		}
	}
	categories := make([]remuda.Category, len(ordered))
	for i, name := range ordered {
		categories[i] = remuda.Category{ID: int64(i + 1), Name: name}
	}
	return categories, nil
}

// rows hands out the source, page by page; see format.Rows.
func (x *labelExport) rows(do func(remuda.Item, []remuda.Annotation) error) error {
	x.renamed = 0
	if x.others == nil {
		x.others, x.counting = make(map[string]int), true
	}
	defer func() { x.counting = false }()
	for after := int64(-1); ; {
		items, boxes, err := x.page(after)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			name := FileName(item)
			if name != item.ReferenceID {
				x.renamed++
			}
			list := make([]remuda.Annotation, len(boxes[item.ID]))
			for i, b := range boxes[item.ID] {
				list[i] = remuda.Annotation{CategoryID: x.categories[b.Category], Box: b.Box, Area: b.Area, Crowd: b.Crowd}
			}
			if err := do(remuda.Item{File: name, Width: item.Width, Height: item.Height}, list); err != nil {
				return err
			}
		}
		after = items[len(items)-1].Position
	}
}

// items reads some items of the source.
func (x *labelExport) items(after int64) ([]store.Item, error) {
	if x.from.Slice != "" {
		return x.tx.SliceItemsAfter(x.from.Slice, after, exportPage)
	}
	return queried(x.tx, x.from, after, exportPage)
}

// page reads some items and their boxes, and counts what else they have.
func (x *labelExport) page(after int64) (items []store.Item, boxes map[string][]store.BoxRow, err error) {
	if items, err = x.items(after); err != nil || len(items) == 0 {
		return nil, nil, err
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	if x.frozen {
		boxes, err = x.frozenBoxes(ids)
		return items, boxes, err
	}
	if boxes, err = x.tx.BoxesOf(ids, x.from.Run); err != nil {
		return nil, nil, err
	}
	if x.objects != nil {
		for id, list := range boxes {
			boxes[id] = slices.DeleteFunc(list, func(b store.BoxRow) bool { return !x.objects[b.ID] })
		}
	}
	if x.objects != nil || !x.counting {
		return items, boxes, nil
	}
	others, err := x.tx.CountOthers(ids, x.from.Run)
	for typ, n := range others {
		x.others[typ] += n
	}
	return items, boxes, err
}

func (x *labelExport) frozenBoxes(ids []string) (map[string][]store.BoxRow, error) {
	frozen, err := x.tx.FrozenAnnotations(x.from.Slice, ids)
	if err != nil {
		return nil, err
	}
	boxes := make(map[string][]store.BoxRow, len(frozen))
	for item, list := range frozen {
		for _, a := range list {
			if a.Type != store.TypeBox || a.Box == nil {
				if x.counting {
					x.others[a.Type]++
				}
				continue
			}
			boxes[item] = append(boxes[item], store.BoxRow{ID: a.ID, Item: item, Category: a.Category, Box: *a.Box, Crowd: a.Crowd, Area: store.AreaOf(a.Body)})
		}
	}
	return boxes, nil
}

// FileName is what an item is called in label files: its reference id, made a
// relative path with an image's extension if it is none.
func FileName(item store.Item) string {
	name := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\\' || r == ':' || r == 0xFFFE || r == 0xFFFF || r >= 0x80 && r < 0xa0 {
			return '_'
		}
		return r
	}, item.ReferenceID)
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if name = strings.TrimSpace(name); name == "" {
		name = item.ID
	}
	if item.Format != "" && !isImageName(name) {
		name += "." + map[string]string{"jpeg": "jpg"}[item.Format]
		if strings.HasSuffix(name, ".") {
			name += item.Format
		}
	}
	return name
}

// isImageName says whether a file name has the extension of an image.
func isImageName(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif":
		return true
	}
	return false
}
