package format

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	"remuda"
)

// cocoStream writes a COCO file a record at a time. Annotations follow all
// images there, so that they wait in a file of their own.
type cocoStream struct {
	categories  []remuda.Category
	file        *os.File
	out         *bufio.Writer
	waiting     *os.File
	annotations *bufio.Writer
	items       int
	boxes       int
	buf         []byte
	at          int64 // where the annotations begin
}

// The lines between the lists of records, each of which stands on a line of its own.
const (
	cocoImages      = `{"images": [`
	cocoAnnotations = "],\n\"annotations\": ["
	cocoCategories  = "],\n\"categories\": ["
	cocoEnd         = "]}"
)

func newCOCOStream(file *os.File, categories []remuda.Category) (*cocoStream, error) {
	waiting, err := os.CreateTemp(filepath.Dir(file.Name()), "annotations-*")
	if err != nil {
		return nil, writeError("labels", filepath.Base(file.Name()), err)
	}
	c := &cocoStream{
		categories: categories, file: file, out: bufio.NewWriterSize(file, 1<<16),
		waiting: waiting, annotations: bufio.NewWriterSize(waiting, 1<<16),
	}
	_, err = c.out.WriteString(cocoImages)
	return c, err
}

// record writes the n-th record of a list, n from 0; w keeps the first error.
func record(w *bufio.Writer, n int, text []byte) {
	if n > 0 {
		w.WriteByte(',')
	}
	w.WriteByte('\n')
	w.Write(text)
}

func (c *cocoStream) row(item remuda.Item, boxes []remuda.Annotation) error {
	c.buf = appendItem(c.buf[:0], item)
	record(c.out, c.items, c.buf)
	c.items++
	for _, a := range boxes {
		c.buf = appendAnnotation(c.buf[:0], a)
		record(c.annotations, c.boxes, c.buf)
		c.boxes++
	}
	_, err := c.out.Write(nil)
	_, waiting := c.annotations.Write(nil)
	return errors.Join(err, waiting)
}

func (c *cocoStream) close() error {
	err := c.finish()
	return errors.Join(err, c.waiting.Close(), os.Remove(c.waiting.Name()))
}

func (c *cocoStream) finish() error {
	c.out.WriteString("\n" + cocoAnnotations)
	if err := errors.Join(c.out.Flush(), c.annotations.Flush()); err != nil {
		return err
	}
	var err error
	if c.at, err = c.file.Seek(0, io.SeekCurrent); err != nil {
		return err
	}
	if _, err := c.waiting.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(c.out, c.waiting); err != nil {
		return err
	}
	c.out.WriteString("\n" + cocoCategories)
	for i, category := range c.categories {
		record(c.out, i, appendCategory(nil, category))
	}
	c.out.WriteString("\n" + cocoEnd + "\n")
	return c.out.Flush()
}

// cocoLines reads records that stand on lines of their own.
type cocoLines struct {
	in   *bufio.Reader
	held []byte // a line that was looked at
}

func linesAt(file io.ReaderAt, from, to int64) *cocoLines {
	return &cocoLines{in: bufio.NewReaderSize(io.NewSectionReader(file, from, to-from), 1<<16)}
}

// line returns the next line without its end; held until it is taken.
func (l *cocoLines) line() ([]byte, error) {
	if l.held != nil {
		return l.held, nil
	}
	text, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		var rest []byte
		text = bytes.Clone(text)
		rest, err = l.in.ReadBytes('\n')
		text = append(text, rest...)
	}
	if err != nil && !(errors.Is(err, io.EOF) && len(text) > 0) {
		return nil, err
	}
	l.held = bytes.TrimSuffix(text, []byte{'\n'})
	return l.held, nil
}

// expect takes lines that must be these.
func (l *cocoLines) expect(lines string) error {
	for want := range bytes.SplitSeq([]byte(lines), []byte{'\n'}) {
		got, err := l.line()
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return remuda.Errorf(remuda.Internal, "found %.40q where %q was written", got, want)
		}
		l.held = nil
	}
	return nil
}

// record reads the record on the next line, with the reader of COCO files.
func (l *cocoLines) record(read func(r *cocoReader)) (*cocoReader, error) {
	text, err := l.line()
	if err != nil {
		return nil, err
	}
	r := &cocoReader{scanner: newScanner(bytes.TrimSuffix(text, []byte{','})), problems: problems{action: "read it again"}}
	read(r)
	r.end()
	if r.scanner.err != nil {
		return nil, r.scanner.err
	}
	return r, r.problems.err()
}

func (c *cocoStream) reread(file *os.File) (func(remuda.Item) (labeledItem, error), func() error, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	images, annotations := linesAt(file, 0, c.at), linesAt(file, c.at, st.Size())
	if err := errors.Join(images.expect(cocoImages), annotations.expect("")); err != nil {
		return nil, nil, err
	}
	names := categoryNames(c.categories)
	next := func(remuda.Item) (labeledItem, error) {
		r, err := images.record(func(r *cocoReader) { r.image("images", 0) })
		if err != nil {
			return labeledItem{}, err
		}
		images.held = nil
		again := labeledItem{item: r.data.Items[0], names: names}
		again.boxes, err = annotations.boxesOf(again.item.ID)
		return again, err
	}
	end := func() error {
		if err := errors.Join(images.expect(cocoAnnotations), annotations.expect(cocoCategories)); err != nil {
			return err
		}
		for _, want := range c.categories {
			r, err := annotations.record(func(r *cocoReader) { r.category("categories", 0) })
			if err != nil {
				return err
			}
			if got := r.data.Categories[0]; got != want {
				return remuda.Errorf(remuda.Internal, "the category %q became %q", want.Name, got.Name)
			}
			annotations.held = nil
		}
		return annotations.expect(cocoEnd)
	}
	return next, end, nil
}

// boxesOf reads the annotations that follow, up to the first of another image.
func (l *cocoLines) boxesOf(image int64) (boxes []remuda.Annotation, err error) {
	for {
		text, err := l.line()
		if err != nil || len(text) == 0 || text[0] != '{' {
			return boxes, err
		}
		r, err := l.record(func(r *cocoReader) { r.annotation("annotations", 0) })
		if err != nil {
			return nil, err
		}
		if a := r.data.Annotations[0]; a.ItemID == image {
			boxes = append(boxes, a)
			l.held = nil
			continue
		}
		return boxes, nil
	}
}
