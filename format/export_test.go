package format

import (
	"archive/zip"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"remuda"
	"remuda/geom"
)

// rowsOf hands out a dataset in its order.
func rowsOf(d remuda.Dataset) Rows {
	byItem := remuda.ByItem(d.Annotations)
	return func(do func(remuda.Item, []remuda.Annotation) error) error {
		for _, item := range d.Items {
			if err := do(item, byItem[item.ID]); err != nil {
				return err
			}
		}
		return nil
	}
}

// unpack extracts an archive of labels, and returns the place itself for a COCO file.
func unpack(t testing.TB, path, kind string) string {
	t.Helper()
	if kind == COCO {
		return path
	}
	r, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	folder := t.TempDir()
	for _, entry := range r.File {
		to := filepath.Join(folder, filepath.FromSlash(entry.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		in, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close(), os.WriteFile(to, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func exported(t testing.TB, kind string, d remuda.Dataset, rows Rows) (string, Proof, error) {
	t.Helper()
	folder := t.TempDir()
	file, err := os.Create(filepath.Join(folder, "labels"+map[bool]string{true: ".json", false: ".zip"}[kind == COCO]))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := Export(file, kind, d.Categories, rows)
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
	return file.Name(), proof, err
}

// awkward is a dataset of odd sizes, fractional boxes and names that need quoting.
func awkward() remuda.Dataset {
	return remuda.Dataset{
		Categories: []remuda.Category{{ID: 1, Name: "zebra"}, {ID: 2, Name: `a "horse" & <cow>`}},
		Items: []remuda.Item{
			{ID: 1, File: "dir/ä \"b\".jpg", Width: 641, Height: 427}, {ID: 2, File: "empty.png", Width: 1, Height: 1}, {ID: 3, File: "c.jpg", Width: 3000, Height: 4001},
		},
		Annotations: []remuda.Annotation{
			{ID: 1, ItemID: 1, CategoryID: 2, Box: geom.Box{X0: 0.1, Y0: 1.0 / 3, X1: 640.9999999, Y1: 427}},
			{ID: 2, ItemID: 1, CategoryID: 1, Box: geom.Box{X0: 5, Y0: 5, X1: 5, Y1: 9}, Crowd: true},
			{ID: 3, ItemID: 3, CategoryID: 1, Box: geom.Box{X0: math.Pi, Y0: math.E, X1: 2999.5, Y1: 4000.25}, Area: 17.5},
		},
	}
}

func TestExportsReadBackAsTheyWere(t *testing.T) {
	for _, kind := range []string{COCO, VOC, YOLO} {
		t.Run(kind, func(t *testing.T) {
			for name, d := range map[string]remuda.Dataset{"awkward": awkward(), "no boxes": {Categories: awkward().Categories, Items: awkward().Items}} {
				path, proof, err := exported(t, kind, d, rowsOf(d))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				want := expected(kind, d)
				if proof.Items != len(d.Items) || proof.Boxes != len(want.Annotations) || proof.LargestDifference > tolerance {
					t.Errorf("%s: proof %+v", name, proof)
				}
				sizes := func(file string) (int, int, error) {
					for _, item := range d.Items {
						if strings.HasSuffix(filepath.ToSlash(file), "/"+item.File) {
							return item.Width, item.Height, nil
						}
					}
					return 0, 0, os.ErrNotExist
				}
				place := unpack(t, path, kind)
				again, err := Read(place, Options{Kind: kind, Images: filepath.Join(place, "images"), Size: sizes})
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if difference, err := compare(want, again); err != nil || difference > tolerance {
					t.Errorf("%s: %g, %v", name, difference, err)
				}
			}
		})
	}
}

func TestExportNoticesWhatIsNotThereAgain(t *testing.T) {
	for _, kind := range []string{COCO, VOC, YOLO} {
		for name, change := range map[string]func(*remuda.Dataset){
			"a box moved":      func(d *remuda.Dataset) { d.Annotations[2].Box.X1 -= 0.001 },
			"a box is gone":    func(d *remuda.Dataset) { d.Annotations = d.Annotations[:2] },
			"a box more":       func(d *remuda.Dataset) { d.Annotations = append(d.Annotations, d.Annotations[2]) },
			"another category": func(d *remuda.Dataset) { d.Annotations[0].CategoryID = 1 },
			"an image is gone": func(d *remuda.Dataset) { d.Items = d.Items[:2] },
			"another image":    func(d *remuda.Dataset) { d.Items[2].File = "d.jpg" },
			"an image too many": func(d *remuda.Dataset) {
				d.Items = append(d.Items, remuda.Item{ID: 9, File: "x.jpg", Width: 1, Height: 1})
			},
		} {
			d, changed := awkward(), awkward()
			change(&changed)
			calls := 0
			rows := func(do func(remuda.Item, []remuda.Annotation) error) error {
				calls++
				if calls == 1 {
					return rowsOf(d)(do)
				}
				return rowsOf(changed)(do)
			}
			if _, _, err := exported(t, kind, d, rows); err == nil {
				t.Errorf("%s: %s, and nothing was noticed", kind, name)
			}
		}
	}
}

func TestExportsOfAnythingReadBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]string{COCO, VOC, YOLO}).Draw(r, "kind")
		d := remuda.Dataset{Categories: []remuda.Category{{ID: 7, Name: "horse"}, {ID: 9, Name: "cow"}}}
		for i := range rapid.IntRange(0, 5).Draw(r, "items") {
			item := remuda.Item{ID: int64(i + 1), File: string(rune('a'+i)) + ".jpg", Width: rapid.IntRange(1, 5000).Draw(r, "w"), Height: rapid.IntRange(1, 5000).Draw(r, "h")}
			d.Items = append(d.Items, item)
			for range rapid.IntRange(0, 3).Draw(r, "boxes") {
				x, y := rapid.Float64Range(0, float64(item.Width)).Draw(r, "x"), rapid.Float64Range(0, float64(item.Height)).Draw(r, "y")
				box := geom.FromXYWH(x, y, rapid.Float64Range(0, float64(item.Width)-x).Draw(r, "bw"), rapid.Float64Range(0, float64(item.Height)-y).Draw(r, "bh"))
				d.Annotations = append(d.Annotations, remuda.Annotation{ItemID: item.ID, CategoryID: rapid.SampledFrom([]int64{7, 9}).Draw(r, "category"), Box: box})
			}
		}
		if _, proof, err := exported(t, kind, d, rowsOf(d)); err != nil || proof.Boxes != len(d.Annotations) {
			r.Fatalf("%+v, %v", proof, err)
		}
	})
}
