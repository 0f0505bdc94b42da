package format

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"remuda"
)

// seed adds every bad file of a kind to a fuzzer's corpus.
func seed(f *testing.F, kind string) {
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.bad.*"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no bad files of %s: %v", kind, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// mustBeSound checks what every reader promises of a dataset.
func mustBeSound(t *testing.T, d remuda.Dataset) {
	t.Helper()
	items, categories, ids := make(map[int64]bool), make(map[int64]bool), make(map[int64]bool)
	for _, item := range d.Items {
		if items[item.ID] || !filepath.IsLocal(filepath.FromSlash(item.File)) || item.Width < 0 || item.Height < 0 {
			t.Fatalf("item %+v", item)
		}
		items[item.ID] = true
	}
	for _, c := range d.Categories {
		if categories[c.ID] || c.Name == "" {
			t.Fatalf("category %+v", c)
		}
		categories[c.ID] = true
	}
	for _, a := range d.Annotations {
		b := a.Box
		for _, v := range []float64{b.X0, b.Y0, b.X1, b.Y1, a.Area} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("annotation %+v", a)
			}
		}
		if ids[a.ID] || !items[a.ItemID] || !categories[a.CategoryID] || b.X1 < b.X0 || b.Y1 < b.Y0 {
			t.Fatalf("annotation %+v", a)
		}
		ids[a.ID] = true
	}
}

// mustBeJSON checks that what was accepted is JSON by the standard library too.
func mustBeJSON(t *testing.T, b []byte) {
	t.Helper()
	if !json.Valid(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))) {
		t.Fatalf("%q was accepted, but is no JSON", b)
	}
}

func FuzzCOCO(f *testing.F) {
	seed(f, "coco")
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseCOCO("x.json", b)
		if err == nil {
			mustBeJSON(t, b)
			mustBeSound(t, d)
		}
	})
}

func FuzzPredictions(f *testing.F) {
	seed(f, "predictions")
	d := remuda.Dataset{Items: []remuda.Item{{ID: 1, File: "a.jpg"}, {ID: 2, File: "b.jpg"}}, Categories: []remuda.Category{{ID: 1, Name: "a"}}}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := parsePredictions("x.json", b, d)
		if err != nil {
			return
		}
		mustBeJSON(t, b)
		for _, a := range list {
			if !(a.Confidence >= 0 && a.Confidence <= 1) {
				t.Fatalf("prediction %+v", a)
			}
		}
		checked := d
		checked.Annotations = list
		mustBeSound(t, checked)
	})
}

// Ensure the scanner accepts exactly what the standard library takes for JSON,
// in the parts of a file that are passed over too.
func FuzzScanner(f *testing.F) {
	seed(f, "coco")
	for _, text := range []string{`[1,-0.5e+3,{"a":[],"b":{}},"\u12aB\n",true,false,null]`, `[01]`, `[1,]`, `{"a":1,}`, `[-]`, `["\x"]`, `[tru]`, `{"a"}`, `[`, `{"":[{}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newScanner(b)
		if s.err != nil {
			return // not UTF-8, which the standard library mends
		}
		s.skip()
		s.end()
		if valid := json.Valid(s.b); valid != (s.err == nil) {
			t.Fatalf("%q: scanner says %v, encoding/json says %v", b, s.err, valid)
		}
	})
}

func FuzzVOC(f *testing.F) {
	seed(f, "voc")
	f.Add([]byte(voc("a.jpg", "horse", vocBox)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := &vocReader{problems: problems{action: "read"}, categories: make(map[string]int64), files: make(map[string]string)}
		r.parse("a.xml", b)
		r.numberCategories(nil)
		if r.problems.err() == nil {
			mustBeSound(t, r.data)
		}
	})
}

func FuzzYOLO(f *testing.F) {
	seed(f, "yolo") // data.yaml, dashes, labels
	f.Fuzz(func(t *testing.T, b []byte) {
		config, labels, _ := bytes.Cut(b, []byte("---\n"))
		var set yoloSet
		if err := set.parse("data.yaml", config, Options{}); err != nil {
			return
		}
		r := &yoloReader{problems: problems{action: "read"}, names: set.names}
		for i, name := range set.names {
			r.data.Categories = append(r.data.Categories, remuda.Category{ID: int64(i + 1), Name: name})
		}
		checkCategories(&r.problems, r.data.Categories, func(int) string { return "class" })
		r.data.Items = []remuda.Item{{ID: 1, File: "a.jpg", Width: 100, Height: 80}}
		r.parse("a.txt", labels, r.data.Items[0])
		if r.problems.err() == nil {
			mustBeSound(t, r.data)
		}
	})
}
