package format

import (
	"bufio"
	"io"
	"strconv"

	"remuda"
)

// ReadPredictions reads a COCO results file, a list of {image_id, category_id,
// bbox, score}, for the items and categories of a dataset. Annotations are
// numbered from 1 in the file's order, as pycocotools does, and their Area is
// width × height as the file has them.
//
// Errors are coded not_found, or invalid.
func ReadPredictions(path string, d remuda.Dataset) ([]remuda.Annotation, error) {
	b, err := readWhole("predictions", path)
	if err != nil {
		return nil, err
	}
	return parsePredictions(path, b, d)
}

// predictionReader reads one record after the other, checking as it goes.
type predictionReader struct {
	cocoReader
	items, categories map[int64]bool
}

func parsePredictions(path string, b []byte, d remuda.Dataset) ([]remuda.Annotation, error) {
	r := newPredictionReader(path, b, d)
	const want = "a file of predictions is a list of {image_id, category_id, bbox, score}"
	if c := r.peek(); r.scanner.err == nil && c != '[' {
		return nil, remuda.Errorf(remuda.Invalid, "read predictions %s: it is no list; label files look like that", path).WithHint(want)
	}
	const bytesARecord = 80
	list := make([]remuda.Annotation, 0, len(b)/bytesARecord)
	r.array(func(i int) {
		if c := r.peek(); r.scanner.err == nil && c != '{' {
			r.skip()
			r.add(want, "[%d] is no object", i)
			return
		}
		a := r.prediction(i)
		a.ID = int64(i + 1)
		list = append(list, a)
	})
	r.end()
	if r.scanner.err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "read predictions %s: %w", path, r.scanner.err).WithHint("it is no whole JSON file: write it again")
	}
	return list, r.problems.err()
}

func newPredictionReader(path string, b []byte, d remuda.Dataset) *predictionReader {
	r := &predictionReader{
		cocoReader: cocoReader{scanner: newScanner(b), problems: problems{action: "read predictions " + path}},
		items:      make(map[int64]bool, len(d.Items)),
		categories: make(map[int64]bool, len(d.Categories)),
	}
	for _, item := range d.Items {
		r.items[item.ID] = true
	}
	for _, c := range d.Categories {
		r.categories[c.ID] = true
	}
	return r
}

// fields of a prediction that have been seen, as bits.
const (
	hasItem = 1 << iota
	hasCategory
	hasBox
	hasScore
	hasAll = 1<<iota - 1
)

func (r *predictionReader) prediction(i int) (a remuda.Annotation) {
	has := 0
	r.object(func(field string) {
		switch field {
		case "image_id":
			a.ItemID = r.whole("", i, field)
			has |= hasItem
		case "category_id":
			a.CategoryID = r.whole("", i, field)
			has |= hasCategory
		case "bbox":
			a.Box, a.Area = r.box("", i)
			has |= hasBox
		case "score":
			a.Confidence = r.score(i)
			has |= hasScore
		default:
			r.skip()
		}
	})
	if r.scanner.err != nil {
		return a
	}
	if has != hasAll {
		for bit, name := range []string{"image_id", "category_id", "bbox", "score"} {
			if has&(1<<bit) == 0 {
				r.add("a prediction has an image_id, a category_id, a bbox and a score", "[%d] has no %s", i, name)
			}
		}
		return a
	}
	if !r.items[a.ItemID] {
		r.add("give the labels that the predictions were made for", "[%d]: there is no image with the id %d in the labels", i, a.ItemID)
	}
	if !r.categories[a.CategoryID] {
		r.add("give the labels that the predictions were made for", "[%d]: there is no category with the id %d in the labels", i, a.CategoryID)
	}
	return a
}

func (r *predictionReader) score(i int) float64 {
	r.peek()
	start := r.at
	v, ok := r.number()
	if r.scanner.err == nil && (!ok || v < 0 || v > 1) {
		r.add("a score is a number from 0 to 1", "[%d]: score is %s where a number from 0 to 1 belongs", i, r.describe(start))
	}
	return v
}

// WritePredictions writes a COCO results file. It is written beside and then
// renamed, so that path holds the old file or the whole new one.
func WritePredictions(path string, predictions []remuda.Annotation) error {
	return writeFile("predictions", path, func(w *bufio.Writer) error {
		w.WriteString("[")
		var buf []byte
		for i, a := range predictions {
			buf = append(buf[:0], '\n')
			if i > 0 {
				buf = append(buf[:0], ",\n"...)
			}
			buf = append(buf, `{"image_id":`...)
			buf = strconv.AppendInt(buf, a.ItemID, 10)
			buf = append(buf, `,"category_id":`...)
			buf = strconv.AppendInt(buf, a.CategoryID, 10)
			buf = append(buf, `,"bbox":`...)
			buf = appendBox(buf, a.Box)
			buf = append(buf, `,"score":`...)
			buf = appendNumber(buf, a.Confidence)
			buf = append(buf, '}')
			w.Write(buf)
		}
		_, err := io.WriteString(w, "\n]\n")
		return err
	})
}
