package format

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"remuda"
	"remuda/geom"
)

// Ensure a COCO file is read as it is meant: what others write besides is
// passed over, order is kept, categories are sorted, ids may be missing.
func TestReadCOCO(t *testing.T) {
	const text = `{"info": {"year": 2026, "x": [1, {"y": []}, "\u00e9\n"]}, "licenses": [],
		"annotations": [
			{"id": 7, "image_id": 5, "category_id": 3, "bbox": [1.5, 2, 3e0, 4], "area": 9.5, "iscrowd": 0, "segmentation": [[1, 2, 3, 4]], "score": null},
			{"image_id": 5.0, "category_id": 1, "bbox": [0, 0, 0, 0], "iscrowd": 1, "segmentation": {"counts": "a\"b", "size": [1, 2]}},
			{"image_id": 6, "category_id": 1, "bbox": [-1, -1, 500, 5], "iscrowd": false}
		],
		"images": [{"id": 6, "file_name": "./sub//b é.jpg"}, {"height": 80, "width": 100, "file_name": "a.jpg", "id": 5, "license": null}],
		"categories": [{"id": 3, "name": "foal", "supercategory": "animal"}, {"id": 1, "name": "horse", "supercategory": null, "keypoints": []}]}`
	want := remuda.Dataset{
		Categories: []remuda.Category{{ID: 1, Name: "horse"}, {ID: 3, Name: "foal", Supercategory: "animal"}},
		Items:      []remuda.Item{{ID: 6, File: "sub/b é.jpg"}, {ID: 5, File: "a.jpg", Width: 100, Height: 80}},
		Annotations: []remuda.Annotation{
			{ID: 7, ItemID: 5, CategoryID: 3, Box: geom.Box{X0: 1.5, Y0: 2, X1: 4.5, Y1: 6}, Area: 9.5},
			{ID: 8, ItemID: 5, CategoryID: 1, Crowd: true},
			{ID: 9, ItemID: 6, CategoryID: 1, Box: geom.Box{X0: -1, Y0: -1, X1: 499, Y1: 4}},
		},
	}
	for _, prefix := range []string{"", "\xef\xbb\xbf", "\r\n\t "} {
		got, err := parseCOCO("x.json", []byte(prefix+text))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("prefix %q: got\n%+v, %v\nwant\n%+v", prefix, got, err, want)
		}
	}
}

// Ensure a results file is read in order, with pycocotools' ids and areas.
func TestReadPredictions(t *testing.T) {
	d := remuda.Dataset{Items: []remuda.Item{{ID: 5}}, Categories: []remuda.Category{{ID: 3}}}
	const text = `[{"image_id": 5, "category_id": 3, "bbox": [0.1, 2, 32, 32], "score": 0.25, "segmentation": {}},
		{"score": 1, "bbox": [1, 2, 3, 4], "category_id": 3, "image_id": 5}]`
	got, err := parsePredictions("x.json", []byte(text), d)
	want := []remuda.Annotation{
		{ID: 1, ItemID: 5, CategoryID: 3, Box: geom.FromXYWH(0.1, 2, 32, 32), Area: 1024, Confidence: 0.25},
		{ID: 2, ItemID: 5, CategoryID: 3, Box: geom.FromXYWH(1, 2, 3, 4), Area: 12, Confidence: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := parsePredictions("x.json", []byte("[]"), d); err != nil || len(got) != 0 {
		t.Errorf("no predictions: got %v, %v", got, err)
	}
}

// voc returns a VOC file of one object.
func voc(filename, name, box string) string {
	return `<?xml version="1.0"?><annotation><folder>x</folder><filename>` + filename + `</filename><path>C:\x\y.jpg</path>
		<size><width>100</width><height>80</height><depth>3</depth></size>
		<object><name> ` + name + ` </name><pose>Left</pose><difficult>0</difficult><bndbox>` + box + `</bndbox>
			<part><name>head</name><bndbox><xmin>x</xmin></bndbox></part></object></annotation>`
}

const vocBox = "<xmin>1</xmin><ymin>2.5</ymin><xmax> 100 </xmax><ymax>80</ymax>"

// Ensure Pascal VOC's 1-based inclusive pixels become edges, images are found
// by name or by the label file's name, and lists choose among them.
func TestReadVOC(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{
		"Annotations/a.xml":           voc("a.jpg", "horse", vocBox),
		"Annotations/b.xml":           voc("b", "foal", vocBox), // without its extension
		"Annotations/sub/c.xml":       voc("c.jpg", "horse", vocBox),
		"Annotations/.hidden.xml":     "no XML",
		"ImageSets/Main/train.txt":    "b\nsub/c\n\n",
		"ImageSets/Main/foal_val.txt": "a -1\nb  1\n",
		"JPEGImages/a.jpg":            "", "JPEGImages/b.PNG": "", "JPEGImages/sub/c.jpg": "",
	})
	images := filepath.Join(root, "JPEGImages")
	files := func(d remuda.Dataset) (list []string) {
		for _, item := range d.Items {
			list = append(list, item.File)
		}
		return list
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{"", []string{"a.jpg", "b.PNG", "sub/c.jpg"}},
		{"Annotations", []string{"a.jpg", "b.PNG", "sub/c.jpg"}},
		{"ImageSets/Main/train.txt", []string{"b.PNG", "sub/c.jpg"}},
		{"ImageSets/Main/foal_val.txt", []string{"a.jpg", "b.PNG"}},
		{"Annotations/a.xml", []string{"a.jpg"}},
	} {
		d, err := Read(filepath.Join(root, c.path), Options{Images: images})
		if err != nil || !reflect.DeepEqual(files(d), c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.path, files(d), err, c.want)
		}
	}
	d, err := Read(root, Options{Images: images})
	if err != nil {
		t.Fatal(err)
	}
	if want := []remuda.Category{{ID: 1, Name: "foal"}, {ID: 2, Name: "horse"}}; !reflect.DeepEqual(d.Categories, want) {
		t.Errorf("categories %v, want %v", d.Categories, want)
	}
	want := remuda.Annotation{ID: 1, ItemID: 1, CategoryID: 2, Box: geom.Box{X0: 0, Y0: 1.5, X1: 100, Y1: 80}}
	if len(d.Annotations) != 3 || d.Annotations[0] != want {
		t.Errorf("annotations %+v, want first %+v", d.Annotations, want)
	}
	if d.Items[0].Width != 100 || d.Items[0].Height != 80 {
		t.Errorf("item %+v", d.Items[0])
	}
}

// Ensure difficult objects are crowds, which neither training nor scores count.
func TestReadVOCDifficult(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"a.xml": `<annotation><filename>a.jpg</filename><object><name>horse</name><difficult>1</difficult><bndbox>` + vocBox + `</bndbox></object></annotation>`})
	d, err := Read(root, Options{})
	if err != nil || len(d.Annotations) != 1 || !d.Annotations[0].Crowd {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Ensure two label files of one image are refused.
func TestReadVOCSameImageTwice(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"a.xml": voc("a.jpg", "horse", vocBox), "b.xml": voc("a.jpg", "horse", vocBox)})
	_, err := Read(root, Options{})
	mustSay(t, err, root, "a.xml and b.xml are both of the image a.jpg")
}

// The ways in which YOLO folders are laid out.
func TestReadYOLOLayouts(t *testing.T) {
	const line = "1 0.5 0.25 0.2 0.5\n" // of 100 × 80: x 40–60, y 0–40
	for _, c := range []struct {
		name, path, images, split string
		files                     map[string]string
		want                      map[string]int // boxes by item file
	}{
		{"images and labels", "", "", "", map[string]string{
			"data.yaml": "names: {0: horse, 1: foal}\n", "images/a.jpg": "", "images/sub/b.PNG": "", "images/classes.jpg": "",
			"labels/a.txt": line, "labels/sub/b.txt": "", "labels/classes.txt": "horse\nfoal\n",
		}, map[string]int{"a.jpg": 1, "sub/b.PNG": 0, "classes.jpg": 0}},
		{"no splits to choose from", "", "", "val", map[string]string{
			"data.yaml": "names: [horse, foal]\n", "images/a.jpg": "", "labels/a.txt": line,
		}, map[string]int{"a.jpg": 1}},
		{"classes.txt among the labels", "", "", "val", map[string]string{
			"labels/classes.txt": "horse\nfoal\n", "images/a.jpg": "", "images/classes.jpg": "", "labels/a.txt": line + "\n" + line,
		}, map[string]int{"a.jpg": 2, "classes.jpg": 0}},
		{"flat", "", "", "", map[string]string{
			"obj.names": "horse\nfoal", "a.jpg": "", "a.txt": line, "b.jpg": "",
		}, map[string]int{"a.jpg": 1, "b.jpg": 0}},
		{"images elsewhere", "labels-only", "pictures", "", map[string]string{
			"labels-only/classes.txt": "horse\nfoal", "labels-only/a.txt": line, "pictures/a.jpg": "",
		}, map[string]int{"a.jpg": 1}},
		{"splits", "data.yaml", "", "val", map[string]string{
			"data.yaml":          "path: ../datasets/gone\ntrain: images/train\nval: images/val\ntest:\nnc: 2\nnames: [horse, foal]\n",
			"images/train/a.jpg": "", "images/val/b.jpg": "", "labels/train/a.txt": line, "labels/val/b.txt": line + line,
		}, map[string]int{"val/b.jpg": 2}},
		{"all splits", "data.yaml", "", "", map[string]string{
			"data.yaml":          "train: [images/train]\nval: images/val\nnames: [horse, foal]\n",
			"images/train/a.jpg": "", "images/val/b.jpg": "", "labels/train/a.txt": line,
		}, map[string]int{"train/a.jpg": 1, "val/b.jpg": 0}},
		{"Roboflow's", "", "", "train", map[string]string{
			"data.yaml":          "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: ['horse', 'foal']\n",
			"train/images/a.jpg": "", "train/labels/a.txt": line, "valid/images/b.jpg": "",
		}, map[string]int{"train/images/a.jpg": 1}},
		{"a list of images", "data.yaml", "", "", map[string]string{
			"data.yaml": "train: lists/train.txt\nnames: [horse, foal]\n", "lists/train.txt": "images/b.jpg\n\nimages/a.jpg\r\n",
			"images/a.jpg": "", "images/b.jpg": "", "images/c.jpg": "", "labels/a.txt": line,
		}, map[string]int{"b.jpg": 0, "a.jpg": 1}},
		{"a list, images elsewhere", "set/data.yaml", "pictures", "", map[string]string{
			"set/data.yaml": "train: train.txt\nnames: [horse, foal]\n", "set/train.txt": "./images/images/a.jpg\n./images/train.jpg\n",
			"pictures/images/a.jpg": "", "pictures/train.jpg": "", "set/labels/images/a.txt": line,
		}, map[string]int{"images/a.jpg": 1, "train.jpg": 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			write(t, root, c.files)
			o := Options{Size: sizeOf(100, 80), Split: c.split}
			if c.images != "" {
				o.Images = filepath.Join(root, c.images)
			}
			d, err := Read(filepath.Join(root, c.path), o)
			if err != nil {
				t.Fatal(err)
			}
			got := make(map[string]int)
			byItem := remuda.ByItem(d.Annotations)
			for _, item := range d.Items {
				got[item.File] = len(byItem[item.ID])
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("boxes by image %v, want %v", got, c.want)
			}
			for _, a := range d.Annotations {
				if a.CategoryID != 2 || edgeDifference(a.Box, geom.Box{X0: 40, Y0: 0, X1: 60, Y1: 40}) > 1e-9 {
					t.Errorf("annotation %+v", a)
				}
			}
			if want := []remuda.Category{{ID: 1, Name: "horse"}, {ID: 2, Name: "foal"}}; !reflect.DeepEqual(d.Categories, want) {
				t.Errorf("categories %v", d.Categories)
			}
		})
	}
}

// Ensure folders may be links to where the files really are.
func TestReadFollowsLinkedFolders(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"disk/pictures/a.jpg": "", "set/classes.txt": "horse", "set/labels/a.txt": "0 0.5 0.5 0.2 0.2"})
	if err := os.Symlink(filepath.Join(root, "disk", "pictures"), filepath.Join(root, "set", "images")); err != nil {
		t.Fatal(err)
	}
	d, err := Read(filepath.Join(root, "set"), Options{Size: sizeOf(100, 80)})
	if err != nil || len(d.Items) != 1 || len(d.Annotations) != 1 {
		t.Errorf("got %+v, %v", d, err)
	}
}

// Ensure a polygon becomes the box around it.
func TestReadYOLOPolygons(t *testing.T) {
	root := t.TempDir()
	write(t, root, map[string]string{"classes.txt": "horse", "images/a.jpg": "", "labels/a.txt": "0 0.1 0.2 0.5 0.1 0.3 0.9\n"})
	d, err := Read(root, Options{Size: sizeOf(100, 80)})
	if err != nil || len(d.Annotations) != 1 || edgeDifference(d.Annotations[0].Box, geom.Box{X0: 10, Y0: 8, X1: 50, Y1: 72}) > 1e-9 {
		t.Errorf("got %+v, %v", d.Annotations, err)
	}
}

// Ensure data without images or boxes is told from data with some.
func TestRequireBoxes(t *testing.T) {
	item, annotation := remuda.Item{ID: 1, File: "a.jpg"}, remuda.Annotation{ID: 1, ItemID: 1}
	crowd := annotation
	crowd.Crowd = true
	for _, c := range []struct {
		d     remuda.Dataset
		words string
	}{
		{remuda.Dataset{}, "it lists no images"},
		{remuda.Dataset{Items: []remuda.Item{item}}, "there is no box on its 1 images"},
		{remuda.Dataset{Items: []remuda.Item{item}, Annotations: []remuda.Annotation{crowd}}, "there is no box on its 1 images"},
	} {
		mustSay(t, RequireBoxes("train.json", c.d), "train.json", c.words)
	}
	if err := RequireBoxes("x", remuda.Dataset{Items: []remuda.Item{item}, Annotations: []remuda.Annotation{annotation}}); err != nil {
		t.Error(err)
	}
}
