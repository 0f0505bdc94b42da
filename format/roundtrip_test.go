package format

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"remuda"
	"remuda/geom"
)

// drawDataset draws a dataset with odd sizes, fractional boxes, boxes beyond
// the image and without area, names that need escaping, and images in folders.
func drawDataset(t *rapid.T) remuda.Dataset {
	var d remuda.Dataset
	name := rapid.StringMatching(`[a-zA-Zäλ<&"'%][a-zA-Z0-9ßж<>&"'_ -]{0,8}[a-z]`)
	for i, n := range rapid.SliceOfNDistinct(name, 0, 4, func(s string) string { return strings.ToLower(s) }).Draw(t, "names") {
		d.Categories = append(d.Categories, remuda.Category{ID: int64(3*i + rapid.IntRange(0, 2).Draw(t, "gap")), Name: n})
	}
	file := rapid.StringMatching(`([a-z]{1,3}/|images/)?[a-zA-Z0-9äж&<' _-]{0,5}[a-z]`)
	for i, f := range rapid.SliceOfNDistinct(file, 1, 5, func(s string) string { return strings.ToLower(s) }).Draw(t, "files") {
		if strings.TrimSpace(f) != f || strings.Contains(f, "/ ") {
			f = strings.ReplaceAll(f, " ", "_")
		}
		d.Items = append(d.Items, remuda.Item{ID: int64(10 - i), File: f + ".jpg",
			Width: rapid.IntRange(1, 8000).Draw(t, "width"), Height: rapid.IntRange(1, 8000).Draw(t, "height")})
	}
	coordinate := rapid.Float64Range(-100, 9000)
	most := 12
	if len(d.Categories) == 0 {
		most = 0
	}
	for i := range rapid.IntRange(0, most).Draw(t, "boxes") {
		x, y := coordinate.Draw(t, "x"), coordinate.Draw(t, "y")
		item := rapid.SampledFrom(d.Items).Draw(t, "item")
		box := geom.Box{
			X0: min(max(x, -float64(item.Width)/3), float64(item.Width)),
			Y0: min(max(y, -float64(item.Height)/3), float64(item.Height)),
		}
		box.X1 = box.X0 + rapid.Float64Range(0, float64(item.Width)/2).Draw(t, "w")
		box.Y1 = box.Y0 + rapid.Float64Range(0, float64(item.Height)/2).Draw(t, "h")
		d.Annotations = append(d.Annotations, remuda.Annotation{
			ID: int64(5 + 2*i), ItemID: item.ID, CategoryID: rapid.SampledFrom(d.Categories).Draw(t, "category").ID, Box: box,
			Crowd: rapid.IntRange(0, 5).Draw(t, "crowd") == 0,
		})
	}
	return d
}

// Ensure labels come back the same through every kind and back to COCO: the
// same images, categories and boxes, none moved by a thousandth of a pixel.
func TestConvertThereAndBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDataset(rt)
		folder, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		first := filepath.Join(folder, "first.json")
		if err := Write(first, COCO, d); err != nil {
			rt.Fatal(err)
		}
		for _, kind := range []string{COCO, VOC, YOLO} {
			middle, last := filepath.Join(folder, kind), filepath.Join(folder, kind+".json")
			proof, err := Convert(first, Options{}, middle, kind)
			if err != nil {
				rt.Fatalf("to %s: %v", kind, err)
			}
			if want := len(expected(kind, d).Annotations); proof.Boxes != want || proof.Items != len(d.Items) || proof.LargestDifference > tolerance {
				rt.Fatalf("to %s: proof %+v of %d boxes", kind, proof, want)
			}
			o := Options{Kind: kind, Images: filepath.Join(middle, "images"), Size: func(file string) (int, int, error) {
				for _, item := range d.Items {
					if file == filepath.Join(middle, "images", filepath.FromSlash(item.File)) {
						return item.Width, item.Height, nil
					}
				}
				return 0, 0, fmt.Errorf("%s is unknown", file)
			}}
			if _, err := Convert(middle, o, last, ""); err != nil {
				rt.Fatalf("back from %s: %v", kind, err)
			}
			back, err := Read(last, Options{})
			if err != nil {
				rt.Fatal(err)
			}
			if largest, err := compare(expected(kind, d), back); err != nil || largest > 1e-3 {
				rt.Fatalf("through %s: %v, moved by %g", kind, err, largest)
			}
		}
		left, err := os.ReadDir(folder)
		if err != nil || len(left) != 7 {
			rt.Fatalf("%d files and folders are left, want 7: %v", len(left), err)
		}
	})
}

// Ensure COCO keeps everything that a dataset holds.
func TestWriteCOCOKeepsEverything(t *testing.T) {
	d := remuda.Dataset{
		Categories: []remuda.Category{{ID: 0, Name: "a \"b\"\\"}, {ID: 9, Name: "é", Supercategory: "s"}},
		Items:      []remuda.Item{{ID: 3, File: "x/y.jpg"}, {ID: 1, File: "a.jpg", Width: 7, Height: 9}},
		Annotations: []remuda.Annotation{
			{ID: 4, ItemID: 1, CategoryID: 9, Box: geom.Box{X0: 0.5, Y0: 1, X1: 2.75, Y1: 3}, Area: 1.25, Crowd: true},
			{ID: 2, ItemID: 3, CategoryID: 0, Box: geom.Box{X0: 1e-9, X1: 1, Y1: 1}, Area: 1},
		},
	}
	path := filepath.Join(t.TempDir(), "a.json")
	for range 2 { // the second replaces the first
		if err := Write(path, COCO, d); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Read(path, Options{}); err != nil || !reflect.DeepEqual(got, d) {
		t.Errorf("got %+v, %v, want %+v", got, err, d)
	}
}

// Ensure predictions come back the same.
func TestWritePredictions(t *testing.T) {
	d := remuda.Dataset{Items: []remuda.Item{{ID: 3}}, Categories: []remuda.Category{{ID: 2}}}
	list := []remuda.Annotation{
		{ID: 1, ItemID: 3, CategoryID: 2, Box: geom.FromXYWH(0.5, 1, 2, 3), Area: 6, Confidence: 0.123456789},
		{ID: 2, ItemID: 3, CategoryID: 2, Box: geom.FromXYWH(1, 1, 4, 5), Area: 20, Confidence: 1e-7},
	}
	path := filepath.Join(t.TempDir(), "p.json")
	for _, want := range [][]remuda.Annotation{list, {}} {
		if err := WritePredictions(path, want); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadPredictions(path, d); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

// Ensure nothing is overwritten or half-written, and that what a kind can't
// hold is named or refused.
func TestWriteRefuses(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, map[string]string{"full/x": "1", "file": "1", "good.json": `{"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[],"categories":[]}`})
	sized := func(files ...string) (d remuda.Dataset) {
		for i, f := range files {
			d.Items = append(d.Items, remuda.Item{ID: int64(i), File: f, Width: 10, Height: 10})
		}
		return d
	}
	named := func(name string) remuda.Dataset {
		d := sized("a.jpg")
		d.Categories = []remuda.Category{{ID: 1, Name: name}}
		return d
	}
	unsized := sized("a.jpg")
	unsized.Items[0].Width = 0
	for _, c := range []struct {
		to, kind string
		d        remuda.Dataset
		code     remuda.Code
		words    string
	}{
		{"full", VOC, sized("a.jpg"), remuda.Conflict, "it exists already"},
		{"file", YOLO, sized("a.jpg"), remuda.Conflict, "it exists already"},
		{"new", "xml", sized("a.jpg"), remuda.Invalid, `no label format is called "xml"`},
		{"new", YOLO, sized("a.jpg", "a.png"), remuda.Invalid, "a.jpg and a.png would share the label file a.txt"},
		{"new", VOC, sized("../a.jpg"), remuda.Invalid, "leads outside the folder"},
		{"new", YOLO, unsized, remuda.Invalid, "the size of the image a.jpg is not known"},
		{"new", VOC, named("a:b"), remuda.Invalid, `can't hold the category's name "a:b"`},
		{"absent/new", VOC, sized("a.jpg"), remuda.Invalid, "its folder does not exist"},
		{"absent/new.json", COCO, sized("a.jpg"), remuda.Invalid, "its folder does not exist"},
	} {
		err := Write(filepath.Join(folder, c.to), c.kind, c.d)
		if remuda.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.words) {
			t.Errorf("%s as %s: got %v (%s), want %q", c.to, c.kind, err, remuda.CodeOf(err), c.words)
		}
	}
	if _, err := Convert(filepath.Join(folder, "good.json"), Options{}, filepath.Join(folder, "good.json"), ""); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("converting a file onto itself: %v", err)
	}
	if _, err := Convert(filepath.Join(folder, "good.json"), Options{}, filepath.Join(folder, "new"), ""); !strings.Contains(fmt.Sprint(err), "doesn't say which format") {
		t.Errorf("converting to an unnamed kind: %v", err)
	}
	left, err := os.ReadDir(folder)
	if err != nil || len(left) != 3 {
		t.Errorf("%d files and folders are left, want 3: %v", len(left), err)
	}
}

// Ensure a conversion says what it loses.
func TestConvertNamesLosses(t *testing.T) {
	d := remuda.Dataset{
		Categories:  []remuda.Category{{ID: 1, Name: "horse", Supercategory: "animal"}},
		Items:       []remuda.Item{{ID: 1, File: "a.jpg", Width: 10, Height: 10}},
		Annotations: []remuda.Annotation{{ID: 1, ItemID: 1, CategoryID: 1, Box: geom.Box{X1: 4, Y1: 4}, Area: 5, Crowd: true}},
	}
	for kind, want := range map[string][]string{
		COCO: nil,
		VOC: {"Pascal VOC has no areas of masks; left out: 1", "Pascal VOC has no supercategories; left out: 1",
			"Pascal VOC has no ids: images, boxes and categories were numbered anew"},
		YOLO: {"YOLO has no crowds; left out: 1", "YOLO has no areas of masks; left out: 1",
			"YOLO has no supercategories; left out: 1", "YOLO has no ids: images, boxes and categories were numbered anew"},
	} {
		if got := Losses(kind, d); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", kind, got, want)
		}
	}
}

// Ensure the comparison that proves a conversion sees every kind of difference.
func TestCompareSeesDifferences(t *testing.T) {
	base := func() remuda.Dataset {
		return remuda.Dataset{
			Categories:  []remuda.Category{{ID: 1, Name: "horse"}, {ID: 2, Name: "foal"}},
			Items:       []remuda.Item{{ID: 1, File: "a.jpg", Width: 10, Height: 10}, {ID: 2, File: "b.jpg"}},
			Annotations: []remuda.Annotation{{ID: 1, ItemID: 1, CategoryID: 1, Box: geom.Box{X1: 4, Y1: 4}}},
		}
	}
	for name, change := range map[string]func(*remuda.Dataset){
		"image lost":      func(d *remuda.Dataset) { d.Items = d.Items[:1] },
		"image renamed":   func(d *remuda.Dataset) { d.Items[1].File = "c.jpg" },
		"size changed":    func(d *remuda.Dataset) { d.Items[0].Width = 11 },
		"box lost":        func(d *remuda.Dataset) { d.Annotations = nil },
		"box elsewhere":   func(d *remuda.Dataset) { d.Annotations[0].ItemID = 2 },
		"other category":  func(d *remuda.Dataset) { d.Annotations[0].CategoryID = 2 },
		"crowd":           func(d *remuda.Dataset) { d.Annotations[0].Crowd = true },
		"category lost":   func(d *remuda.Dataset) { d.Categories = d.Categories[:1] },
		"category called": func(d *remuda.Dataset) { d.Categories[0].Name = "mule" },
	} {
		changed := base()
		change(&changed)
		if _, err := compare(base(), changed); err == nil {
			t.Errorf("%s: not seen", name)
		}
	}
	moved := base()
	moved.Annotations[0].Box.Y1 += 0.25
	if largest, err := compare(base(), moved); err != nil || largest != 0.25 {
		t.Errorf("moved by 0.25: got %g, %v", largest, err)
	}
}
