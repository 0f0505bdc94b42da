package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"remuda"
	"remuda/geom"
)

// vocXML is one Pascal VOC file. Numbers are text here, so that a wrong one can
// be named.
type vocXML struct {
	XMLName  xml.Name `xml:"annotation"`
	Filename string   `xml:"filename"`
	Size     struct {
		Width  string `xml:"width"`
		Height string `xml:"height"`
	} `xml:"size"`
	Objects []vocObject `xml:"object"`
}

type vocObject struct {
	Name      string `xml:"name"`
	Difficult string `xml:"difficult"`
	Box       *struct {
		XMin string `xml:"xmin"`
		YMin string `xml:"ymin"`
		XMax string `xml:"xmax"`
		YMax string `xml:"ymax"`
	} `xml:"bndbox"`
}

// vocReader fills a dataset file by file.
type vocReader struct {
	problems
	images     string
	data       remuda.Dataset
	categories map[string]int64
	files      map[string]string // label file by image
}

// annotationFolder returns where a VOC folder keeps its .xml files: in
// Annotations, or in itself.
func annotationFolder(folder string) string {
	if sub := filepath.Join(folder, "Annotations"); isFolder(sub) {
		return sub
	}
	return folder
}

// imageSetRoot returns the VOC folder that an image set list, such as
// ImageSets/Main/train.txt, belongs to, or "".
func imageSetRoot(list string) string {
	for dir := filepath.Dir(list); ; dir = filepath.Dir(dir) {
		if isFolder(filepath.Join(dir, "Annotations")) {
			return dir
		}
		if filepath.Base(dir) == "ImageSets" {
			if root := filepath.Dir(dir); isFolder(filepath.Join(root, "Annotations")) {
				return root
			}
			return ""
		}
		if parent := filepath.Dir(dir); parent == dir || dir == "." {
			return ""
		}
	}
}

// readVOC reads a folder of Pascal VOC files, one file, or those that an image
// set lists.
//
// Objects marked difficult become crowds: like them, they are never trained on
// and neither found nor missed in an evaluation, which is what VOC's own rules
// ask for.
func readVOC(label string, o Options) (remuda.Dataset, error) {
	folder, names, err := vocFiles(label)
	if err != nil {
		return remuda.Dataset{}, err
	}
	r := &vocReader{
		problems:   problems{action: "read labels " + label},
		images:     o.Images,
		categories: make(map[string]int64),
		files:      make(map[string]string),
	}
	if len(names) == 0 {
		r.add("give a folder of Pascal VOC .xml files", "it lists no images")
	}
	for _, name := range names {
		if err := r.file(folder, name); err != nil {
			return remuda.Dataset{}, err
		}
	}
	r.numberCategories(readLabelMap(folder))
	if err := r.problems.err(); err != nil {
		return remuda.Dataset{}, err
	}
	return r.data, nil
}

// vocFiles returns the folder of .xml files and those to read, relative to it.
func vocFiles(label string) (folder string, names []string, err error) {
	if isFolder(label) {
		folder = annotationFolder(label)
		if names, err = filesBelow(folder, ".xml"); err != nil {
			return "", nil, openError("labels", label, err)
		}
		return folder, names, nil
	}
	if strings.EqualFold(filepath.Ext(label), ".xml") {
		return filepath.Dir(label), []string{filepath.Base(label)}, nil
	}
	b, err := readWhole("labels", label)
	if err != nil {
		return "", nil, err
	}
	root := imageSetRoot(label)
	if root == "" {
		return "", nil, remuda.Errorf(remuda.Invalid, "read labels %s: there is no Annotations folder beside it", label).
			WithHint("give the list inside its VOC folder, such as VOC2007/ImageSets/Main/train.txt")
	}
	p := problems{action: "read labels " + label}
	for i, line := range strings.Split(string(b), "\n") {
		fields := strings.Fields(line) // the lists of one category have 1, 0 or −1 behind the name
		if len(fields) == 0 {
			continue
		}
		clean, wrong := cleanName(fields[0])
		if wrong != "" {
			p.add(nameHint, "line %d: %q %s", i+1, fields[0], wrong)
			continue
		}
		names = append(names, clean+".xml")
	}
	return filepath.Join(root, "Annotations"), names, p.err()
}

// file reads one .xml file; only an unreadable one is an error, faults in it are collected.
func (r *vocReader) file(folder, name string) error {
	full := filepath.Join(folder, filepath.FromSlash(name))
	b, err := readWhole("labels", full)
	if remuda.CodeOf(err) == remuda.Invalid {
		r.add("export it again", "%s: %v", name, err)
		return nil
	}
	if err != nil {
		return err
	}
	r.parse(name, b)
	return nil
}

// parse reads the bytes of one .xml file.
func (r *vocReader) parse(name string, b []byte) {
	var x vocXML
	if err := decodeXML(b, &x); err != nil {
		r.add("it is no whole Pascal VOC file: export it again", "%s: %v", name, err)
		return
	}
	item := remuda.Item{ID: int64(len(r.data.Items) + 1), File: r.imageFile(name, x.Filename)}
	item.Width, item.Height = r.side(name, "width", x.Size.Width), r.side(name, "height", x.Size.Height)
	if other, ok := r.files[item.File]; ok {
		r.add("keep one of them", "%s and %s are both of the image %s", other, name, item.File)
	}
	r.files[item.File] = name
	r.data.Items = append(r.data.Items, item)
	for i, object := range x.Objects {
		r.object(name, i, item.ID, object)
	}
}

// decodeXML reads exactly one element.
func decodeXML(b []byte, into *vocXML) error {
	dec := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("it is %s text, not UTF-8", charset)
	}
	if err := dec.Decode(into); err != nil {
		return err
	}
	for {
		switch token, err := dec.Token(); token.(type) {
		case xml.StartElement:
			return errors.New("something follows the end of the annotation")
		default:
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// imageFile returns the image that a label file is of: the one it names,
// looked for beside the label's place below the folder of images first, or one
// with the label file's own name, as many tools leave the extension out.
func (r *vocReader) imageFile(name, filename string) string {
	dir := path.Dir(name)
	clean, wrong := cleanName(strings.TrimSpace(filename))
	if wrong != "" && filename != "" {
		r.add(nameHint, "%s: filename %q %s", name, filename, wrong)
		return name
	}
	var candidates []string
	if wrong == "" {
		candidates = append(candidates, path.Join(dir, clean), clean)
	}
	for _, ext := range imageExtensions() {
		candidates = append(candidates, stem(name)+ext, stem(name)+strings.ToUpper(ext))
	}
	if r.images != "" {
		for _, c := range candidates {
			if exists(filepath.Join(r.images, filepath.FromSlash(c))) {
				return c
			}
		}
	}
	return candidates[0]
}

// side reads a size in pixels; "" and 0 are how tools say that they don't know.
func (r *vocReader) side(name, field, text string) int {
	if text = strings.TrimSpace(text); text == "" {
		return 0
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 || v > math.MaxInt32 {
		r.add("write the image's size in pixels, or leave it out", "%s: %s is %q where a whole number belongs", name, field, text)
		return 0
	}
	return v
}

func (r *vocReader) object(name string, i int, item int64, object vocObject) {
	where := fmt.Sprintf("%s: object %d", name, i+1)
	category := strings.TrimSpace(object.Name)
	a := remuda.Annotation{ID: int64(len(r.data.Annotations) + 1), ItemID: item, CategoryID: r.category(where, category)}
	switch strings.ToLower(strings.TrimSpace(object.Difficult)) {
	case "", "0", "false", "unspecified":
	case "1", "true":
		a.Crowd = true
	default:
		r.add("write 0 or 1", "%s (%s): difficult is %q where 0 or 1 belongs", where, category, object.Difficult)
	}
	if object.Box == nil {
		r.add("every object has a bndbox", "%s (%s) has no bndbox", where, category)
		return
	}
	var v [4]float64
	for k, f := range []struct{ name, text string }{
		{"xmin", object.Box.XMin}, {"ymin", object.Box.YMin}, {"xmax", object.Box.XMax}, {"ymax", object.Box.YMax},
	} {
		number, err := strconv.ParseFloat(strings.TrimSpace(f.text), 64)
		if err != nil || math.IsNaN(number) || math.Abs(number) > maxCoordinate {
			r.add("a bndbox is xmin, ymin, xmax, ymax in pixels", "%s (%s): %s is %q where a number of pixels belongs", where, category, f.name, f.text)
			return
		}
		v[k] = number
	}
	a.Box = geom.Box{X0: v[0] - 1, Y0: v[1] - 1, X1: v[2], Y1: v[3]}
	const rounding = 1e-6 // of xmin − 1, for a box without area
	if a.Box.X1 < a.Box.X0-rounding || a.Box.Y1 < a.Box.Y0-rounding {
		r.add("a bndbox is xmin, ymin, xmax, ymax in pixels", "%s (%s): the box ends before it begins (%g to %g, %g to %g)", where, category, v[0], v[2], v[1], v[3])
		return
	}
	a.Box.X1, a.Box.Y1 = max(a.Box.X0, a.Box.X1), max(a.Box.Y0, a.Box.Y1)
	r.data.Annotations = append(r.data.Annotations, a)
}

// category numbers names as they are met; numberCategories orders them later.
func (r *vocReader) category(where, name string) int64 {
	if id, ok := r.categories[name]; ok {
		return id
	}
	id := int64(len(r.categories) + 1)
	r.categories[name] = id
	c := remuda.Category{ID: id, Name: name}
	r.data.Categories = append(r.data.Categories, c)
	checkCategories(&r.problems, []remuda.Category{c}, func(int) string { return where })
	return id
}

// numberCategories numbers categories from 1: first those of a label map in its
// order, then the others sorted by name, so that the order of files doesn't matter.
func (r *vocReader) numberCategories(listed []string) {
	var names []string
	for name := range r.categories {
		if !slices.Contains(listed, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = append(slices.Clone(listed), names...)
	renumbered := make(map[int64]int64)
	r.data.Categories = nil
	for i, name := range names {
		id := int64(i + 1)
		if old, ok := r.categories[name]; ok {
			renumbered[old] = id
		}
		r.data.Categories = append(r.data.Categories, remuda.Category{ID: id, Name: name})
	}
	for i := range r.data.Annotations {
		r.data.Annotations[i].CategoryID = renumbered[r.data.Annotations[i].CategoryID]
	}
}

// labelMap is the file beside Annotations in which CVAT and others list the
// categories, one a line: name:colour:parts:actions.
const labelMap = "labelmap.txt"

// readLabelMap returns the categories of a label map, none if there is no such
// file. VOC's own background is passed over.
func readLabelMap(annotations string) []string {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(annotations), labelMap))
	if err != nil {
		return nil // it is not part of the format
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name != "" && !strings.HasPrefix(name, "#") && !strings.EqualFold(strings.Trim(name, "_"), "background") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
