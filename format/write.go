package format

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"remuda"
	"remuda/geom"
	"remuda/internal/disk"
)

// Write writes a dataset as a COCO file, or as a new folder of Pascal VOC or
// YOLO labels. It is written beside and then renamed: path holds nothing, the
// old file, or the whole new one. What a kind cannot hold is left out; Losses
// says what that is.
//
// Errors are coded conflict for a folder that exists and is not empty,
// unavailable for a full disk, else invalid.
func Write(path, kind string, d remuda.Dataset) error {
	staged, err := stage(path, kind, d)
	if err != nil {
		return err
	}
	return publish(staged, path)
}

// stage writes a dataset beside path and returns where.
func stage(path, kind string, d remuda.Dataset) (string, error) {
	write := writeVOC
	switch kind {
	case COCO:
		staged := besides(path)
		if err := create(staged, true, func(w *bufio.Writer) error { return writeCOCO(w, d) }); err != nil {
			return "", writeError("labels", path, err)
		}
		return staged, nil
	case VOC:
	case YOLO:
		write = writeYOLO
	default:
		return "", remuda.Errorf(remuda.Invalid, "no label format is called %q", kind).WithHint("choose coco, voc or yolo")
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 || err != nil && exists(path) {
		return "", remuda.Errorf(remuda.Conflict, "write labels %s: it exists already", path).WithHint("choose a new folder")
	}
	staged := besides(path)
	if err := os.Mkdir(staged, 0o755); err != nil {
		return "", writeError("labels", path, err)
	}
	if err := write(staged, d); err != nil {
		os.RemoveAll(staged)
		return "", writeError("labels", path, err)
	}
	return staged, nil
}

// besides returns a hidden name in path's folder that nothing has.
func besides(path string) string {
	return filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%016x", filepath.Base(path), rand.Uint64()))
}

// publish renames what was staged and makes the new name durable.
func publish(staged, path string) error {
	err := os.Rename(staged, path)
	if err != nil {
		os.RemoveAll(staged)
		return writeError("labels", path, err)
	}
	if err := disk.SyncDir(filepath.Dir(path)); err != nil {
		return writeError("labels", path, err)
	}
	return nil
}

// writeFile writes a file beside its place and renames it.
func writeFile(what, path string, fill func(w *bufio.Writer) error) error {
	staged := besides(path)
	if err := create(staged, true, fill); err != nil {
		return writeError(what, path, err)
	}
	return publish(staged, path)
}

// create writes a new file, or leaves none. The buffered writer keeps the
// first error, so that fill needn't look after its writes. What is durable
// survives a loss of power once create has returned.
func create(path string, durable bool, fill func(w *bufio.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = errors.Join(fill(w), w.Flush())
	if err == nil && durable {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path)
	}
	return err
}

// writeError codes a failed write: what cannot be written there is the user's
// to change, a full disk is the machine's. A coded error is passed on.
func writeError(what, path string, err error) error {
	coded, ok := errors.AsType[*remuda.Error](err)
	switch {
	case ok:
		return remuda.Errorf(coded.Code, "write %s %s: %w", what, path, err)
	case disk.Full(err) || errors.Is(err, syscall.EIO):
		return remuda.Errorf(remuda.Unavailable, "write %s %s: %w", what, path, err).WithHint("make room and try again")
	case errors.Is(err, fs.ErrNotExist):
		return remuda.Errorf(remuda.Invalid, "write %s %s: its folder does not exist", what, path).WithHint("create the folder first")
	}
	return remuda.Errorf(remuda.Invalid, "write %s %s: %w", what, path, err).WithHint("choose a place that can be written to")
}

// writeCOCO writes COCO's three lists, a record on each line.
func writeCOCO(w *bufio.Writer, d remuda.Dataset) error {
	var buf []byte
	list := func(key string, n int, record func(i int)) {
		buf = append(append(buf, '"'), key...)
		buf = append(buf, `": [`...)
		for i := range n {
			if i > 0 {
				buf = append(buf, ',')
			}
			buf = append(buf, '\n')
			record(i)
			w.Write(buf)
			buf = buf[:0]
		}
		buf = append(buf, "\n]"...)
	}
	buf = append(buf, '{')
	list("images", len(d.Items), func(i int) {
		buf = appendItem(buf, d.Items[i])
	})
	buf = append(buf, ",\n"...)
	list("annotations", len(d.Annotations), func(i int) {
		buf = appendAnnotation(buf, d.Annotations[i])
	})
	buf = append(buf, ",\n"...)
	list("categories", len(d.Categories), func(i int) {
		buf = appendCategory(buf, d.Categories[i])
	})
	_, err := w.Write(append(buf, "}\n"...))
	return err
}

func appendItem(b []byte, item remuda.Item) []byte {
	b = fmt.Appendf(b, `{"id": %d, "file_name": %s`, item.ID, appendText(nil, item.File))
	if item.Width > 0 && item.Height > 0 {
		b = fmt.Appendf(b, `, "width": %d, "height": %d`, item.Width, item.Height)
	}
	return append(b, '}')
}

func appendCategory(b []byte, c remuda.Category) []byte {
	b = fmt.Appendf(b, `{"id": %d, "name": %s`, c.ID, appendText(nil, c.Name))
	if c.Supercategory != "" {
		b = fmt.Appendf(b, `, "supercategory": %s`, appendText(nil, c.Supercategory))
	}
	return append(b, '}')
}

func appendAnnotation(b []byte, a remuda.Annotation) []byte {
	crowd, area := 0, a.Area
	if a.Crowd {
		crowd = 1
	}
	if area == 0 {
		area = a.Box.Area()
	}
	b = fmt.Appendf(b, `{"id": %d, "image_id": %d, "category_id": %d, "bbox": `, a.ID, a.ItemID, a.CategoryID)
	b = appendBox(b, a.Box)
	b = append(b, `, "area": `...)
	b = appendNumber(b, area)
	return fmt.Appendf(b, `, "iscrowd": %d}`, crowd)
}

// appendNumber writes the shortest decimal that reads back as the same float64.
func appendNumber(b []byte, v float64) []byte {
	if a := math.Abs(v); v != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendBox writes x, y, width, height.
func appendBox(b []byte, box geom.Box) []byte {
	for i, v := range [4]float64{box.X0, box.Y0, box.Width(), box.Height()} {
		b = append(b, "[,,,"[i])
		b = appendNumber(b, v)
	}
	return append(b, ']')
}

// appendText writes a JSON string.
func appendText(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // strings always marshal
		return append(b, `""`...)
	}
	return append(b, quoted...)
}
