package format

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"remuda"
)

// Kinds of label files. Auto finds out by looking.
const (
	Auto = "auto"
	COCO = "coco"
	VOC  = "voc"
	YOLO = "yolo"
)

// Options say how label files are to be read.
type Options struct {
	Kind string // one of the kinds; "" is Auto
	// Images is the folder of images, which Item.File is relative to. YOLO needs
	// it unless the data.yaml leads to it; VOC matches its names against it; COCO
	// ignores it.
	Images string
	// Size returns the upright size in pixels of an image file. YOLO's fractions
	// mean nothing without it.
	Size func(file string) (w, h int, err error)
	// Split names the part of a YOLO data.yaml to read: train, val or test; "" is
	// all of them. Other labels, and a data.yaml that names no parts, have none
	// and are read whole.
	Split string
}

// Read reads label files: a COCO json, a VOC folder or image set list, a YOLO
// folder or data.yaml. Boxes are as the file has them: outside the image and
// empty ones too, which is lint's business. A category's id is COCO's, or
// counts from 1 in the order of YOLO's names or VOC's sorted names.
//
// Errors are coded not_found, or invalid.
func Read(path string, o Options) (remuda.Dataset, error) {
	kind := o.Kind
	if kind == "" || kind == Auto {
		var err error
		if kind, err = Detect(path); err != nil {
			return remuda.Dataset{}, err
		}
	}
	switch kind {
	case COCO:
		return readCOCO(path)
	case VOC:
		return readVOC(path, o)
	case YOLO:
		return readYOLO(path, o)
	}
	return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "no label format is called %q", kind).WithHint("choose auto, coco, voc or yolo")
}

// Detect finds out the kind of label files by looking at what is there.
func Detect(path string) (string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return "", openError("labels", path, err)
	}
	if st.IsDir() {
		return detectFolder(path)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		return COCO, nil
	case ".yaml", ".yml":
		return YOLO, nil
	case ".xml":
		return VOC, nil
	case ".txt":
		if imageSetRoot(path) != "" {
			return VOC, nil
		}
	}
	return "", remuda.Errorf(remuda.Invalid, "read labels %s: it is of no known format", path).
		WithHint("give a COCO .json, a folder of Pascal VOC .xml files or one of its ImageSets lists, a YOLO folder or its data.yaml")
}

// RequireBoxes returns an error if a dataset has no image, or no box to learn
// from or to score by. path is for the message.
func RequireBoxes(path string, d remuda.Dataset) error {
	if len(d.Items) == 0 {
		return remuda.Errorf(remuda.Invalid, "read labels %s: it lists no images", path).WithHint("give a file with labeled images")
	}
	for _, a := range d.Annotations {
		if !a.Crowd {
			return nil
		}
	}
	return remuda.Errorf(remuda.Invalid, "read labels %s: there is no box on its %d images", path, len(d.Items)).WithHint("label some of them first")
}

func openError(what, path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return remuda.Errorf(remuda.NotFound, "read %s %s: there is no such file", what, path).WithHint("check the path")
	}
	return remuda.Errorf(remuda.Invalid, "read %s: %w", what, err)
}
