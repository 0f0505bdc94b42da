package format

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"remuda"
	"remuda/geom"
)

// yoloReader fills a dataset image by image.
type yoloReader struct {
	problems
	root      string // the folder of data.yaml or labels
	images    string // the folder that item files are relative to
	size      func(file string) (w, h int, err error)
	names     []string
	namesFile string // is no label file, though an image may be called classes.jpg
	data      remuda.Dataset
	seen      map[string]bool // item files
}

// yoloImage is an image and where its labels may lie.
type yoloImage struct {
	file   string   // relative to the folder of images
	labels []string // paths, the first that exists counts; none means an image without boxes
}

// readYOLO reads a YOLO folder or its data.yaml.
//
// A line is a class and its box, or the points of a polygon (segmentation,
// oriented boxes), of which the enclosing box is taken. An image without a
// label file is one without boxes. Without Options.Images, item files are
// relative to the folder's images folder, if it has one, else to itself.
func readYOLO(label string, o Options) (remuda.Dataset, error) {
	if o.Size == nil {
		return remuda.Dataset{}, remuda.Errorf(remuda.Invalid, "read labels %s: YOLO's boxes are fractions of the images' sizes", label).WithHint("give the folder of images too")
	}
	set, err := openYOLO(label, o)
	if err != nil {
		return remuda.Dataset{}, err
	}
	r := &yoloReader{
		problems: problems{action: "read labels " + label},
		root:     set.root, images: set.images, size: o.Size, names: set.names, namesFile: set.namesFile,
		seen: make(map[string]bool),
	}
	for i, name := range set.names {
		r.data.Categories = append(r.data.Categories, remuda.Category{ID: int64(i + 1), Name: name})
	}
	checkCategories(&r.problems, r.data.Categories, func(i int) string { return fmt.Sprintf("class %d", i) })
	images, err := r.list(set, o)
	if err != nil {
		return remuda.Dataset{}, err
	}
	if len(images) == 0 {
		r.add("give the folder of images too", "it has no images")
	}
	for _, image := range images {
		r.image(image)
	}
	if err := r.problems.err(); err != nil {
		return remuda.Dataset{}, err
	}
	return r.data, nil
}

func (r *yoloReader) image(image yoloImage) {
	if r.seen[image.file] {
		return // listed by two splits
	}
	r.seen[image.file] = true
	w, h, err := r.size(filepath.Join(r.images, filepath.FromSlash(image.file)))
	if err != nil {
		r.add("give the folder of images that the labels belong to", "%v", err)
		return
	}
	item := remuda.Item{ID: int64(len(r.data.Items) + 1), File: image.file, Width: w, Height: h}
	r.data.Items = append(r.data.Items, item)
	for _, label := range image.labels {
		if exists(label) && label != r.namesFile {
			r.labels(label, item)
			return
		}
	}
}

func (r *yoloReader) labels(label string, item remuda.Item) {
	name := label
	if rel, err := filepath.Rel(r.root, label); err == nil {
		name = filepath.ToSlash(rel)
	}
	b, err := readLabels(label)
	if err != nil {
		r.add("export it again", "%v", err)
		return
	}
	r.parse(name, b, item)
}

// parse reads the bytes of an item's label file.
func (r *yoloReader) parse(name string, b []byte, item remuda.Item) {
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		r.add("export it again", "%s: it is not text", name)
		return
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, len(b)+1)
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		class, box, wrong := r.line(fields)
		if wrong != "" {
			r.add("a line is: class x-centre y-centre width height, as fractions of the image", "%s, line %d: %s", name, n, wrong)
			continue
		}
		r.data.Annotations = append(r.data.Annotations, remuda.Annotation{
			ID: int64(len(r.data.Annotations) + 1), ItemID: item.ID, CategoryID: int64(class + 1),
			Box: box.Scale(float64(item.Width), float64(item.Height)),
		})
	}
}

// readLabels is readWhole for a label file, which is empty for an image without boxes.
func readLabels(label string) ([]byte, error) {
	b, err := readWhole("labels", label)
	if err != nil && isEmpty(label) {
		return nil, nil
	}
	return b, err
}

// line reads a class and its box as fractions of the image, or says what is wrong.
func (r *yoloReader) line(fields []string) (class int, box geom.Box, wrong string) {
	v := make([]float64, len(fields))
	for i, text := range fields {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			return 0, box, fmt.Sprintf("%q is no number", text)
		}
		v[i] = number
	}
	if v[0] != math.Trunc(v[0]) || v[0] < 0 {
		return 0, box, fmt.Sprintf("%q is no class", fields[0])
	}
	if v[0] >= float64(len(r.names)) {
		return 0, box, fmt.Sprintf("there is no class %s, only 0 to %d have names", fields[0], len(r.names)-1)
	}
	rest := v[1:]
	for i, c := range rest {
		if c < -1 || c > 2 { // a little outside is lint's business
			return 0, box, fmt.Sprintf("%s is no fraction of an image", fields[i+1])
		}
	}
	switch n := len(rest); {
	case n == 4:
		x, y, w, h := rest[0], rest[1], rest[2], rest[3]
		if w < 0 || h < 0 {
			return 0, box, "the box has a negative size"
		}
		box = geom.Box{X0: x - w/2, Y0: y - h/2, X1: x + w/2, Y1: y + h/2}
	case n == 5:
		return 0, box, "it has a confidence, so these are predictions, not labels"
	case n >= 6 && n%2 == 0:
		box = enclosing(rest)
	default:
		return 0, box, fmt.Sprintf("it has %d fields", n+1)
	}
	return int(v[0]), box, ""
}

// enclosing returns the box around a polygon's points x y x y ….
func enclosing(points []float64) geom.Box {
	b := geom.Box{X0: points[0], Y0: points[1], X1: points[0], Y1: points[1]}
	for i := 2; i+1 < len(points); i += 2 {
		b.X0, b.X1 = min(b.X0, points[i]), max(b.X1, points[i])
		b.Y0, b.Y1 = min(b.Y0, points[i+1]), max(b.Y1, points[i+1])
	}
	return b
}

// list returns the images to read, in order.
func (r *yoloReader) list(set yoloSet, o Options) ([]yoloImage, error) {
	if len(set.splits) == 0 {
		return r.folder(set)
	}
	var images []yoloImage
	for _, entry := range set.splits {
		found, err := r.entry(entry)
		if err != nil {
			return nil, err
		}
		images = append(images, found...)
	}
	return images, nil
}

// folder lists every image of the folder of images, and finds label files that
// belong to none.
func (r *yoloReader) folder(set yoloSet) ([]yoloImage, error) {
	files, err := filesBelow(r.images, imageExtensions()...)
	if err != nil {
		return nil, openError("images", r.images, err)
	}
	images := make([]yoloImage, len(files))
	used := make(map[string]bool)
	for i, file := range files {
		flat := filepath.Join(r.root, filepath.FromSlash(stem(file)+".txt"))
		images[i] = yoloImage{file, append(r.labelPlaces(file), flat)}
		for _, place := range images[i].labels {
			used[place] = true
		}
	}
	labelFolder := filepath.Join(r.root, "labels")
	if !isFolder(labelFolder) {
		return images, nil
	}
	labels, err := filesBelow(labelFolder, ".txt")
	if err != nil {
		return nil, openError("labels", labelFolder, err)
	}
	for _, label := range labels {
		if full := filepath.Join(labelFolder, filepath.FromSlash(label)); !used[full] && full != set.namesFile {
			r.add("give the folder of images that the labels belong to", "labels/%s: there is no image of that name in %s", label, r.images)
		}
	}
	return images, nil
}

// labelPlaces returns where the labels of an image may lie: below labels as the
// image lies below images, beside the image, or flat in the folder.
func (r *yoloReader) labelPlaces(file string) []string {
	txt := filepath.FromSlash(stem(file) + ".txt")
	places := []string{filepath.Join(r.root, "labels", txt)}
	full := filepath.Join(r.images, txt)
	if swapped, ok := swapImages(full); ok {
		places = append(places, swapped)
	}
	return append(places, full)
}

// swapImages replaces the last folder called images by labels, the rule of
// YOLO's own tools.
func swapImages(p string) (string, bool) {
	const sep = string(filepath.Separator)
	i := strings.LastIndex(p, sep+"images"+sep)
	if i < 0 {
		return "", false
	}
	return p[:i] + sep + "labels" + sep + p[i+len(sep+"images"+sep):], true
}

// entry lists the images of a split's entry in data.yaml: a folder, or a file
// of image names.
func (r *yoloReader) entry(entry string) ([]yoloImage, error) {
	place := filepath.Join(r.root, filepath.FromSlash(entry))
	if filepath.IsAbs(entry) {
		place = entry
	}
	if trimmed, ok := strings.CutPrefix(entry, "../"); ok && !exists(place) {
		place = filepath.Join(r.root, filepath.FromSlash(trimmed)) // Roboflow's exports
	}
	if strings.EqualFold(filepath.Ext(place), ".txt") {
		return r.listFile(place)
	}
	if !isFolder(place) {
		return nil, remuda.Errorf(remuda.NotFound, "%s: the folder %s of data.yaml does not exist", r.action, entry).WithHint("correct the path in data.yaml")
	}
	files, err := filesBelow(place, imageExtensions()...)
	if err != nil {
		return nil, openError("images", place, err)
	}
	var images []yoloImage
	for _, file := range files {
		images = append(images, r.resolve(filepath.Join(place, filepath.FromSlash(file)), file))
	}
	return images, nil
}

// listFile reads a file with the name of an image on each line; "./" means the
// list's own folder.
func (r *yoloReader) listFile(list string) ([]yoloImage, error) {
	b, err := readWhole("labels", list)
	if err != nil {
		return nil, err
	}
	var images []yoloImage
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		full := filepath.Join(r.root, filepath.FromSlash(line))
		if strings.HasPrefix(line, "./") {
			full = filepath.Join(filepath.Dir(list), filepath.FromSlash(line))
		} else if filepath.IsAbs(line) {
			full = filepath.Clean(line)
		}
		image := r.resolve(full, line)
		if _, wrong := cleanName(image.file); wrong != "" {
			r.add(nameHint, "%s, line %d: %q %s", filepath.Base(list), n, line, wrong)
			continue
		}
		images = append(images, image)
	}
	return images, nil
}

// resolve finds an image that data.yaml leads to below the folder of images:
// where it says, or what follows a folder called images, as the images needn't
// lie where the labels do.
func (r *yoloReader) resolve(full, said string) yoloImage {
	if rel, err := filepath.Rel(r.images, full); err == nil && filepath.IsLocal(rel) {
		return yoloImage{filepath.ToSlash(rel), r.labelPlaces(filepath.ToSlash(rel))}
	}
	labels := []string{stem(full) + ".txt"}
	if swapped, ok := swapImages(full); ok {
		labels = []string{stem(swapped) + ".txt", labels[0]}
	}
	said = path.Clean(filepath.ToSlash(said))
	for rest := "/" + said; ; {
		var ok bool
		if _, rest, ok = strings.Cut(rest, "/images/"); !ok {
			return yoloImage{said, labels}
		}
		if exists(filepath.Join(r.images, filepath.FromSlash(rest))) {
			return yoloImage{rest, append([]string{filepath.Join(r.root, "labels", filepath.FromSlash(stem(rest)+".txt"))}, labels...)}
		}
		rest = "/" + rest
	}
}
