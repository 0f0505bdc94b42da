package format

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"remuda"
	"remuda/geom"
)

// Proof is what a conversion's re-reading found.
type Proof struct {
	Items             int      `json:"items"`
	Boxes             int      `json:"boxes"`
	LargestDifference float64  `json:"largest_difference"` // of any box's edge, in pixels
	Losses            []string `json:"losses,omitempty"`   // what the target's kind cannot hold, a sentence each
}

// String says it in a line: 1,204 boxes, largest difference 0.000 px.
func (p Proof) String() string {
	digits, what := strconv.Itoa(p.Boxes), "boxes"
	if p.Boxes == 1 {
		what = "box"
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return fmt.Sprintf("%s %s, largest difference %.3f px", digits, what, p.LargestDifference)
}

// tolerance in pixels: what floating point makes of a fraction of an image, a
// thousand times over, and far below what anyone can draw.
const tolerance = 1e-6

// Convert reads label files and writes them as another kind, re-reads what it
// wrote and compares every image, category and box before the target appears
// under its name. kind "" or Auto means COCO for a target that ends in .json.
//
// Errors are those of Read and Write; a target that exists is a conflict.
func Convert(from string, o Options, to, kind string) (Proof, error) {
	if kind == "" || kind == Auto {
		if !strings.EqualFold(filepath.Ext(to), ".json") {
			return Proof{}, remuda.Errorf(remuda.Invalid, "write labels %s: its name doesn't say which format", to).WithHint("say --to coco, --to voc or --to yolo")
		}
		kind = COCO
	}
	if entries, err := os.ReadDir(to); exists(to) && (err != nil || len(entries) > 0) {
		return Proof{}, remuda.Errorf(remuda.Conflict, "write labels %s: it exists already", to).WithHint("choose a new name or remove it first")
	}
	d, err := Read(from, o)
	if err != nil {
		return Proof{}, err
	}
	if kind == YOLO {
		if err := fillSizes(&d, o); err != nil {
			return Proof{}, err
		}
	}
	staged, err := stage(to, kind, d)
	if err != nil {
		return Proof{}, err
	}
	proof, err := prove(staged, kind, d)
	if err != nil {
		os.RemoveAll(staged)
		return Proof{}, fmt.Errorf("check what was written for %s: %w", to, err)
	}
	return proof, publish(staged, to)
}

// fillSizes looks up the sizes that the label files don't have.
func fillSizes(d *remuda.Dataset, o Options) error {
	for i := range d.Items {
		item := &d.Items[i]
		if item.Width > 0 && item.Height > 0 || o.Size == nil || o.Images == "" {
			continue
		}
		w, h, err := o.Size(filepath.Join(o.Images, filepath.FromSlash(item.File)))
		if err != nil {
			return fmt.Errorf("find the image's size: %w", err)
		}
		item.Width, item.Height = w, h
	}
	return nil
}

// prove re-reads staged labels and compares them with what they were made from.
func prove(staged, kind string, d remuda.Dataset) (Proof, error) {
	images := filepath.Join(staged, "images")
	sizes := make(map[string]remuda.Item, len(d.Items))
	for _, item := range d.Items {
		sizes[filepath.Join(images, filepath.FromSlash(item.File))] = item
	}
	back, err := Read(staged, Options{Kind: kind, Images: images, Size: func(file string) (int, int, error) {
		item, ok := sizes[file]
		if !ok {
			return 0, 0, fmt.Errorf("%s was not written", file)
		}
		return item.Width, item.Height, nil
	}})
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{Items: len(back.Items), Boxes: len(back.Annotations), Losses: Losses(kind, d)}
	proof.LargestDifference, err = compare(expected(kind, d), back)
	if err == nil && proof.LargestDifference > tolerance {
		err = remuda.Errorf(remuda.Internal, "a box moved by %g pixels", proof.LargestDifference)
	}
	return proof, err
}

// expected returns what of a dataset a kind can hold.
func expected(kind string, d remuda.Dataset) remuda.Dataset {
	if kind != YOLO {
		return d
	}
	all := d.Annotations
	d.Annotations = nil
	for _, a := range all {
		if !a.Crowd {
			d.Annotations = append(d.Annotations, a)
		}
	}
	return d
}

// Losses says what of a dataset a kind of label file cannot hold, a sentence each.
func Losses(kind string, d remuda.Dataset) []string {
	if kind == COCO {
		return nil
	}
	var crowds, areas, supers int
	for _, a := range d.Annotations {
		if a.Crowd {
			crowds++
		}
		if a.Area != 0 && math.Abs(a.Area-a.Box.Area()) > tolerance*(1+a.Area) {
			areas++
		}
	}
	for _, c := range d.Categories {
		if c.Supercategory != "" {
			supers++
		}
	}
	name := map[string]string{VOC: "Pascal VOC", YOLO: "YOLO"}[kind]
	var losses []string
	say := func(n int, what string) {
		if n > 0 {
			losses = append(losses, fmt.Sprintf("%s has no %s; left out: %d", name, what, n))
		}
	}
	if kind == YOLO {
		say(crowds, "crowds")
	}
	say(areas, "areas of masks")
	say(supers, "supercategories")
	return append(losses, name+" has no ids: images, boxes and categories were numbered anew")
}

// compare returns the largest difference of any box edge, or an error where
// images, categories or boxes are not the same. Ids may differ.
func compare(a, b remuda.Dataset) (float64, error) {
	wrong := func(format string, args ...any) error { return remuda.Errorf(remuda.Internal, format, args...) }
	if len(a.Items) != len(b.Items) || len(a.Annotations) != len(b.Annotations) || len(a.Categories) != len(b.Categories) {
		return 0, wrong("%d images, %d boxes, %d categories became %d, %d, %d",
			len(a.Items), len(a.Annotations), len(a.Categories), len(b.Items), len(b.Annotations), len(b.Categories))
	}
	namesA, namesB := categoryNames(a.Categories), categoryNames(b.Categories)
	ofA, ofB := remuda.ByItem(a.Annotations), remuda.ByItem(b.Annotations)
	files := make(map[string]remuda.Item)
	for _, item := range b.Items {
		files[item.File] = item
	}
	largest := 0.0
	for _, item := range a.Items {
		other := files[item.File]
		difference, err := compareItem(labeledItem{item, ofA[item.ID], namesA}, labeledItem{other, ofB[other.ID], namesB})
		if err != nil {
			return 0, err
		}
		largest = max(largest, difference)
	}
	return largest, nil
}

func categoryNames(categories []remuda.Category) map[int64]string {
	names := make(map[int64]string)
	for _, c := range categories {
		names[c.ID] = c.Name
	}
	return names
}

// labeledItem is an image with its boxes, and what their categories are called.
type labeledItem struct {
	item  remuda.Item
	boxes []remuda.Annotation
	names map[int64]string
}

// compareItem is compare for one image.
func compareItem(a, b labeledItem) (largest float64, err error) {
	wrong := func(format string, args ...any) error { return remuda.Errorf(remuda.Internal, format, args...) }
	if a.item.File != b.item.File || a.item.Width != b.item.Width || a.item.Height != b.item.Height {
		return 0, wrong("the image %s of %d × %d is not there again", a.item.File, a.item.Width, a.item.Height)
	}
	if len(a.boxes) != len(b.boxes) {
		return 0, wrong("%d boxes of %s became %d", len(a.boxes), a.item.File, len(b.boxes))
	}
	for i, x := range a.boxes {
		y := b.boxes[i]
		if a.names[x.CategoryID] != b.names[y.CategoryID] || x.Crowd != y.Crowd {
			return 0, wrong("box %d of %s became another category", i+1, a.item.File)
		}
		largest = max(largest, edgeDifference(x.Box, y.Box))
	}
	return largest, nil
}

func edgeDifference(a, b geom.Box) float64 {
	return max(math.Abs(a.X0-b.X0), math.Abs(a.Y0-b.Y0), math.Abs(a.X1-b.X1), math.Abs(a.Y1-b.Y1))
}
