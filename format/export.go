package format

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"remuda"
)

// Rows hands every image of a dataset with its boxes to do, in the same order
// each time it is called, and ends with do's first error.
type Rows func(do func(item remuda.Item, boxes []remuda.Annotation) error) error

// Export writes a dataset that need not fit into memory into an empty file: a
// COCO json, or a zip archive of a folder of Pascal VOC or YOLO labels. Then it
// reads the file again and compares every image and box with rows, which is
// called twice. Ids are numbered anew, from 1 in the order of rows. Not durable
// until the file is synced.
//
// Errors are those of [Write].
func Export(file *os.File, kind string, categories []remuda.Category, rows Rows) (Proof, error) {
	x := &export{kind: kind, categories: categories, names: categoryNames(categories), proof: Proof{}}
	p := problems{action: "write labels"}
	checkCategories(&p, categories, func(i int) string { return fmt.Sprintf("category %d", i+1) })
	if err := p.err(); err != nil {
		return Proof{}, err
	}
	written, err := x.writer(file)
	if err != nil {
		return Proof{}, err
	}
	err = x.each(rows, func(item remuda.Item, boxes []remuda.Annotation) error { return written.row(item, boxes) })
	if err = errors.Join(err, written.close()); err != nil {
		return Proof{}, writeError("labels", filepath.Base(file.Name()), err)
	}
	if err := x.prove(file, written, rows); err != nil {
		return Proof{}, fmt.Errorf("check what was written: %w", err)
	}
	return x.proof, nil
}

// export is an export under way.
type export struct {
	kind       string
	categories []remuda.Category
	names      map[int64]string
	proof      Proof
}

// rowWriter writes image by image.
type rowWriter interface {
	row(item remuda.Item, boxes []remuda.Annotation) error
	close() error
	// reread returns what reads the rows again, and what checks that nothing follows them.
	reread(file *os.File) (next func(item remuda.Item) (labeledItem, error), end func() error, err error)
}

func (x *export) writer(file *os.File) (rowWriter, error) {
	switch x.kind {
	case COCO:
		return newCOCOStream(file, x.categories)
	case VOC:
		return newVOCArchive(file, x.categories)
	case YOLO:
		return newYOLOArchive(file, x.categories)
	}
	return nil, remuda.Errorf(remuda.Invalid, "no label format is called %q", x.kind).WithHint("choose coco, voc or yolo")
}

// each numbers rows and leaves out what the kind cannot hold.
func (x *export) each(rows Rows, do func(remuda.Item, []remuda.Annotation) error) error {
	items, ids, crowds := int64(0), int64(0), 0
	var areas int
	err := rows(func(item remuda.Item, boxes []remuda.Annotation) error {
		items++
		item.ID = items
		kept := make([]remuda.Annotation, 0, len(boxes))
		for _, a := range boxes {
			if a.Area != 0 {
				areas++
			}
			if x.kind == YOLO && a.Crowd {
				crowds++
				continue
			}
			ids++
			a.ID, a.ItemID = ids, items
			kept = append(kept, a)
		}
		return do(item, kept)
	})
	x.proof.Items, x.proof.Boxes, x.proof.Losses = int(items), int(ids), nil
	for _, loss := range []struct {
		n    int
		what string
	}{{crowds, "YOLO has no crowds; left out: %d"}, {areas, "areas of masks are in COCO files only; left out: %d"}} {
		if loss.n > 0 && x.kind != COCO {
			x.proof.Losses = append(x.proof.Losses, fmt.Sprintf(loss.what, loss.n))
		}
	}
	return err
}

// prove reads what was written beside the rows.
func (x *export) prove(file *os.File, written rowWriter, rows Rows) error {
	next, end, err := written.reread(file)
	if err != nil {
		return err
	}
	err = x.each(rows, func(item remuda.Item, boxes []remuda.Annotation) error {
		again, err := next(item)
		if err != nil {
			return fmt.Errorf("%s: %w", item.File, err)
		}
		difference, err := compareItem(labeledItem{item, boxes, x.names}, again)
		x.proof.LargestDifference = max(x.proof.LargestDifference, difference)
		if err == nil && difference > tolerance {
			err = remuda.Errorf(remuda.Internal, "a box of %s moved by %g pixels", item.File, difference)
		}
		return err
	})
	if err != nil {
		return err
	}
	return end()
}

// archive is a zip of label files, one for each image in their order, behind
// first files of the kind's own.
type archive struct {
	out    *bufio.Writer
	zip    *zip.Writer
	owners labelOwners
	names  []string // of the images' label files
	images []string
	first  int // how many files stand before those of the images
}

func newArchive(file io.Writer) archive {
	out := bufio.NewWriterSize(file, 1<<16)
	return archive{out: out, zip: zip.NewWriter(out), owners: make(labelOwners)}
}

// put adds a file.
func (z *archive) put(name string, fill func(w *bufio.Writer) error) error {
	f, err := z.zip.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(fill(w), w.Flush())
}

// putFirst adds a file of the kind's own.
func (z *archive) putFirst(name string, fill func(w *bufio.Writer) error) error {
	z.first++
	return z.put(name, fill)
}

// image adds an image's label file.
func (z *archive) image(folder, extension string, item remuda.Item, fill func(w *bufio.Writer) error) error {
	name, err := z.owners.file(item.File, extension)
	if err != nil {
		return err
	}
	z.names, z.images = append(z.names, folder+name), append(z.images, item.File)
	return z.put(folder+name, fill)
}

func (z *archive) close() error { return errors.Join(z.zip.Close(), z.out.Flush()) }

// open opens what was written; last is how many files of the kind's own stand at its end.
func (z *archive) open(file *os.File, last int) (*zip.Reader, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r, err := zip.NewReader(file, st.Size())
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	if len(r.File) != z.first+len(z.names)+last {
		return nil, remuda.Errorf(remuda.Internal, "the archive has %d files of %d", len(r.File), z.first+len(z.names)+last)
	}
	return r, nil
}

// readEntry returns the bytes of the i-th file of an archive, which must have a name.
func readEntry(r *zip.Reader, i int, name string) ([]byte, error) {
	if r.File[i].Name != name {
		return nil, remuda.Errorf(remuda.Internal, "the archive has %s where %s was written", r.File[i].Name, name)
	}
	f, err := r.File[i].Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// readRow returns the name and the bytes of the i-th image's label file.
func (z *archive) readRow(r *zip.Reader, i int) (string, []byte, error) {
	if i >= len(z.names) {
		return "", nil, remuda.Errorf(remuda.Internal, "only %d images were written", len(z.names))
	}
	b, err := readEntry(r, z.first+i, z.names[i])
	return z.names[i], b, err
}

// allRead says whether n images are all that were written.
func (z *archive) allRead(n int) error {
	if n != len(z.names) {
		return remuda.Errorf(remuda.Internal, "%d images were written, where there are %d", len(z.names), n)
	}
	return nil
}

// vocArchive is a zip of labelmap.txt and Annotations/*.xml.
type vocArchive struct {
	archive
	categories map[int64]string
}

func newVOCArchive(file io.Writer, categories []remuda.Category) (*vocArchive, error) {
	z := &vocArchive{archive: newArchive(file), categories: categoryNames(categories)}
	return z, z.putFirst(labelMap, func(w *bufio.Writer) error { return writeLabelMap(w, categories) })
}

func (z *vocArchive) row(item remuda.Item, boxes []remuda.Annotation) error {
	return z.image("Annotations/", ".xml", item, func(w *bufio.Writer) error { return writeVOCFile(w, item, boxes, z.categories) })
}

func (z *vocArchive) reread(file *os.File) (func(remuda.Item) (labeledItem, error), func() error, error) {
	r, err := z.open(file, 0)
	if err != nil {
		return nil, nil, err
	}
	i := 0
	next := func(remuda.Item) (labeledItem, error) {
		name, b, err := z.readRow(r, i)
		if err != nil {
			return labeledItem{}, err
		}
		voc := vocReader{problems: problems{action: "read it again"}, categories: make(map[string]int64), files: make(map[string]string)}
		voc.parse(name[len("Annotations/"):], b)
		i++
		if err := voc.problems.err(); err != nil {
			return labeledItem{}, err
		}
		return labeledItem{voc.data.Items[0], voc.data.Annotations, categoryNames(voc.data.Categories)}, nil
	}
	return next, func() error { return z.allRead(i) }, nil
}

// yoloArchive is a zip of data.yaml, labels/*.txt and, behind them, the list of images.
type yoloArchive struct {
	archive
	categories []remuda.Category
	classes    map[int64]int
}

const yoloList = "train.txt"

func newYOLOArchive(file io.Writer, categories []remuda.Category) (*yoloArchive, error) {
	classes, config, err := yoloClasses(categories)
	if err != nil {
		return nil, err
	}
	z := &yoloArchive{archive: newArchive(file), categories: categories, classes: classes}
	return z, z.putFirst("data.yaml", func(w *bufio.Writer) error { _, err := w.Write(config); return err })
}

func (z *yoloArchive) row(item remuda.Item, boxes []remuda.Annotation) error {
	return z.image("labels/", ".txt", item, func(w *bufio.Writer) error { return writeYOLOFile(w, item, boxes, z.classes) })
}

func (z *yoloArchive) close() error {
	err := z.put(yoloList, func(w *bufio.Writer) error {
		for _, image := range z.images {
			fmt.Fprintf(w, "./images/%s\n", image)
		}
		return nil
	})
	return errors.Join(err, z.archive.close())
}

func (z *yoloArchive) reread(file *os.File) (func(remuda.Item) (labeledItem, error), func() error, error) {
	r, err := z.open(file, 1)
	if err != nil {
		return nil, nil, err
	}
	config, err := readEntry(r, 0, "data.yaml")
	if err != nil {
		return nil, nil, err
	}
	var set yoloSet
	if err := set.parse("data.yaml", config, Options{}); err != nil {
		return nil, nil, err
	}
	var categories []remuda.Category
	for i, name := range set.names {
		categories = append(categories, remuda.Category{ID: int64(i + 1), Name: name})
	}
	listed, err := readEntry(r, len(r.File)-1, yoloList)
	if err != nil {
		return nil, nil, err
	}
	i := 0
	next := func(item remuda.Item) (labeledItem, error) {
		name, b, err := z.readRow(r, i)
		if err != nil {
			return labeledItem{}, err
		}
		line, rest, _ := bytes.Cut(listed, []byte{'\n'})
		listed = rest
		again := remuda.Item{ID: 1, File: string(bytes.TrimPrefix(line, []byte("./images/"))), Width: item.Width, Height: item.Height}
		yolo := yoloReader{problems: problems{action: "read it again"}, names: set.names}
		yolo.parse(name, b, again)
		i++
		return labeledItem{again, yolo.data.Annotations, categoryNames(categories)}, yolo.problems.err()
	}
	return next, func() error { return z.allRead(i) }, nil
}
