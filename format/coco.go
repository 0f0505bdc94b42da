package format

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"remuda"
	"remuda/geom"
)

// maxLabelFile bounds a label file, which is read as a whole.
const maxLabelFile = 4 << 30

func readWhole(what, path string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, openError(what, path, err)
	case st.IsDir():
		return nil, remuda.Errorf(remuda.Invalid, "read %s %s: it is a folder", what, path).WithHint("give a file")
	case !st.Mode().IsRegular():
		return nil, remuda.Errorf(remuda.Invalid, "read %s %s: it is no file", what, path).WithHint("give a file") // but a pipe or a device, which may never end
	case st.Size() == 0:
		return nil, remuda.Errorf(remuda.Invalid, "read %s %s: the file is empty (0 bytes)", what, path).WithHint("export it again")
	case st.Size() > maxLabelFile:
		return nil, remuda.Errorf(remuda.Invalid, "read %s %s: it has %d bytes, more than %d", what, path, st.Size(), int64(maxLabelFile)).
			WithHint("split it")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, openError(what, path, err)
	}
	return b, nil
}

func readCOCO(path string) (remuda.Dataset, error) {
	b, err := readWhole("labels", path)
	if err != nil {
		return remuda.Dataset{}, err
	}
	return parseCOCO(path, b)
}

// cocoReader fills a dataset from a COCO file in one pass; what refers to
// records that may come later is checked at the end.
type cocoReader struct {
	*scanner
	problems
	data        remuda.Dataset
	annotatedID []bool // whether annotation i has an id of its own
}

func parseCOCO(path string, b []byte) (remuda.Dataset, error) {
	r := &cocoReader{scanner: newScanner(b), problems: problems{action: "read labels " + path}}
	if r.peek() == '[' {
		return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "read labels %s: it is a list, as COCO files of predictions are, where labels belong", path).
			WithHint("give a COCO file with images, annotations and categories")
	}
	seen := make(map[string]bool)
	r.object(func(key string) {
		if seen[key] && (key == "images" || key == "annotations" || key == "categories") {
			r.add("join the two lists", "it has %q twice", key)
		}
		seen[key] = true
		switch key {
		case "images":
			r.records(key, r.image)
		case "annotations":
			r.records(key, r.annotation)
		case "categories":
			r.records(key, r.category)
		default:
			r.skip()
		}
	})
	r.end()
	if r.scanner.err != nil {
		return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "read labels %s: %w", path, r.scanner.err).WithHint("it is no whole JSON file: export it again")
	}
	for _, key := range []string{"images", "annotations", "categories"} {
		if !seen[key] {
			r.add("give a COCO file with images, annotations and categories", "it has no %q", key)
		}
	}
	if len(r.list) == 0 {
		r.check()
	}
	if err := r.problems.err(); err != nil {
		return remuda.Dataset{}, err
	}
	slices.SortStableFunc(r.data.Categories, func(a, b remuda.Category) int { return cmp.Compare(a.ID, b.ID) })
	return r.data, nil
}

// records reads a list of objects.
func (r *cocoReader) records(key string, read func(where string, i int)) {
	if r.peek() != '[' {
		r.add("give a COCO file with images, annotations and categories", "%q is no list", key)
		r.skip()
		return
	}
	r.array(func(i int) {
		if r.peek() != '{' {
			r.add("each record is an object", "%s[%d] is no object", key, i)
			r.skip()
			return
		}
		read(key, i)
	})
}

func (r *cocoReader) image(key string, i int) {
	var item remuda.Item
	var hasID, hasName bool
	r.object(func(field string) {
		switch field {
		case "id":
			item.ID, hasID = r.whole(key, i, field), true
		case "width":
			item.Width = r.side(key, i, field)
		case "height":
			item.Height = r.side(key, i, field)
		case "file_name":
			item.File, hasName = r.text(key, i, field), true
		default:
			r.skip()
		}
	})
	if !hasID || !hasName {
		r.add("every image has an id and a file_name", "%s[%d] has no %s", key, i, missing(hasID, "id", "file_name"))
	} else if clean, wrong := cleanName(item.File); wrong != "" {
		r.add(nameHint, "%s[%d] (id %d): file_name %q %s", key, i, item.ID, item.File, wrong)
	} else {
		item.File = strings.Clone(clean)
	}
	r.data.Items = append(r.data.Items, item)
}

func missing(hasFirst bool, first, second string) string {
	if hasFirst {
		return second
	}
	return first
}

func (r *cocoReader) category(key string, i int) {
	var c remuda.Category
	var hasID, hasName bool
	r.object(func(field string) {
		switch field {
		case "id":
			c.ID, hasID = r.whole(key, i, field), true
		case "name":
			c.Name, hasName = r.text(key, i, field), true
		case "supercategory":
			if r.peek() == '"' {
				c.Supercategory = strings.Clone(r.rawText())
			} else {
				r.skip()
			}
		default:
			r.skip()
		}
	})
	if !hasID || !hasName {
		r.add("every category has an id and a name", "%s[%d] has no %s", key, i, missing(hasID, "id", "name"))
	}
	r.data.Categories = append(r.data.Categories, c)
}

func (r *cocoReader) annotation(key string, i int) {
	var a remuda.Annotation
	var hasID, hasItem, hasCategory, hasBox bool
	r.object(func(field string) {
		switch field {
		case "id":
			a.ID, hasID = r.whole(key, i, field), true
		case "image_id":
			a.ItemID, hasItem = r.whole(key, i, field), true
		case "category_id":
			a.CategoryID, hasCategory = r.whole(key, i, field), true
		case "bbox":
			a.Box, _ = r.box(key, i)
			hasBox = true
		case "area":
			a.Area = r.area(key, i)
		case "iscrowd":
			a.Crowd = r.flag(key, i, field)
		default:
			r.skip()
		}
	})
	for _, f := range []struct {
		has  bool
		name string
	}{{hasItem, "image_id"}, {hasCategory, "category_id"}, {hasBox, "bbox"}} {
		if !f.has {
			r.add("every annotation has an image_id, a category_id and a bbox", "%s[%d] has no %s", key, i, f.name)
		}
	}
	r.data.Annotations = append(r.data.Annotations, a)
	r.annotatedID = append(r.annotatedID, hasID)
}

// whole reads a whole number, 1.0 included, which some exporters write.
func (r *cocoReader) whole(key string, i int, field string) int64 {
	r.peek()
	start := r.at
	if n, ok := r.digits(); ok {
		return n
	}
	v, ok := r.number()
	if r.scanner.err != nil {
		return 0
	}
	const exact = 1 << 53 // float64 holds every whole number up to here
	if !ok || v != math.Trunc(v) || math.Abs(v) > exact {
		belongs := "a whole number"
		if ok && v == math.Trunc(v) {
			belongs += " of at most 15 digits"
		}
		r.add("write a whole number", "%s[%d]: %s is %s where %s belongs", key, i, field, r.describe(start), belongs)
		return 0
	}
	return int64(v)
}

func (r *cocoReader) side(key string, i int, field string) int {
	v := r.whole(key, i, field)
	if v < 0 || v > math.MaxInt32 {
		r.add("write the image's size in pixels, or leave it out", "%s[%d]: %s is %d", key, i, field, v)
	}
	return int(v)
}

func (r *cocoReader) text(key string, i int, field string) string {
	kind, start := r.peek(), r.at
	if kind != '"' {
		r.skip()
		r.add("write text in quotes", "%s[%d]: %s is %s where text belongs", key, i, field, r.describe(start))
		return "?"
	}
	return strings.Clone(r.rawText())
}

func (r *cocoReader) area(key string, i int) float64 {
	kind, start := r.peek(), r.at
	if kind == 'n' {
		r.skip()
		return 0
	}
	v, ok := r.number()
	if r.scanner.err == nil && (!ok || v < 0) {
		r.add("write the area in square pixels, or leave it out", "%s[%d]: area is %s where a number from 0 up belongs", key, i, r.describe(start))
	}
	return v
}

// flag reads 0, 1, false or true.
func (r *cocoReader) flag(key string, i int, field string) bool {
	r.peek()
	start := r.at
	r.skip()
	if r.scanner.err != nil {
		return false
	}
	switch string(r.b[start:r.at]) {
	case "1", "true", "1.0":
		return true
	case "0", "false", "0.0", "null":
		return false
	}
	r.add("write 0 or 1", "%s[%d]: %s is %s where 0 or 1 belongs", key, i, field, r.describe(start))
	return false
}

// box reads a bbox, x, y, width, height, and its area, which x1 − x0 would not
// give to the last bit.
func (r *cocoReader) box(key string, i int) (geom.Box, float64) {
	const hint = "a bbox is [x, y, width, height] in pixels"
	kind, start := r.peek(), r.at
	if kind != '[' {
		r.skip()
		r.add(hint, "%s[%d]: bbox is %s where four numbers belong", key, i, r.describe(start))
		return geom.Box{}, 0
	}
	var v [4]float64
	n, bad := 0, false
	r.array(func(k int) {
		r.peek()
		start := r.at
		number, ok := r.number()
		if !ok && r.scanner.err == nil {
			bad = true
			r.add(hint, "%s[%d]: bbox[%d] is %s where a number belongs", key, i, k, r.describe(start))
		}
		if k < len(v) {
			v[k] = number
		}
		n++
	})
	switch {
	case r.scanner.err != nil || bad:
	case n != 4:
		r.add(hint, "%s[%d]: bbox has %d numbers, not 4", key, i, n)
	case v[2] < 0 || v[3] < 0:
		r.add(hint, "%s[%d]: bbox [%g, %g, %g, %g] has a negative size", key, i, v[0], v[1], v[2], v[3])
	case max(math.Abs(v[0]), math.Abs(v[1]), v[2], v[3]) > maxCoordinate:
		r.add(hint, "%s[%d]: bbox [%g, %g, %g, %g] is beyond any image", key, i, v[0], v[1], v[2], v[3])
	}
	return geom.FromXYWH(v[0], v[1], v[2], v[3]), v[2] * v[3]
}

// maxCoordinate bounds coordinates so that areas of boxes stay exact enough to compare.
const maxCoordinate = 1e7

// describe names the JSON value that begins at start and has been read: a
// number by itself, anything else by its kind.
func (s *scanner) describe(start int) string {
	const longest = 30
	switch s.b[start] {
	case '"':
		return "a string"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	}
	return string(s.b[start:min(s.at, start+longest)])
}

// check tests what can only be known once all records are read.
func (r *cocoReader) check() {
	where := func(key string, i int, id int64) string { return fmt.Sprintf("%s[%d] (id %d)", key, i, id) }
	checkCategories(&r.problems, r.data.Categories, func(i int) string { return where("categories", i, r.data.Categories[i].ID) })
	items := make(map[int64]int, len(r.data.Items))
	for i, item := range r.data.Items {
		if j, ok := items[item.ID]; ok {
			r.add("give each image an id of its own", "%s has the same id as images[%d]", where("images", i, item.ID), j)
		}
		items[item.ID] = i
	}
	if len(r.data.Items) == 0 {
		r.add("give a file with labeled images", "it lists no images")
	}
	categories := make(map[int64]bool)
	for _, c := range r.data.Categories {
		categories[c.ID] = true
	}
	r.numberAnnotations()
	for i, a := range r.data.Annotations {
		if _, ok := items[a.ItemID]; !ok {
			r.add("add the image or remove the annotation", "%s: there is no image with the id %d", where("annotations", i, a.ID), a.ItemID)
		}
		if !categories[a.CategoryID] {
			r.add("add the category or correct the annotation", "%s: there is no category with the id %d", where("annotations", i, a.ID), a.CategoryID)
		}
	}
}

// numberAnnotations finds ids used twice and gives ids to annotations that have
// none, above all others.
func (r *cocoReader) numberAnnotations() {
	ids := make(map[int64]int, len(r.data.Annotations))
	var last int64
	for i, a := range r.data.Annotations {
		if !r.annotatedID[i] {
			continue
		}
		if j, ok := ids[a.ID]; ok {
			r.add("give each annotation an id of its own", "annotations[%d] has the same id %d as annotations[%d]", i, a.ID, j)
		}
		ids[a.ID] = i
		last = max(last, a.ID)
	}
	for i := range r.data.Annotations {
		if !r.annotatedID[i] {
			last++
			r.data.Annotations[i].ID = last
		}
	}
}
