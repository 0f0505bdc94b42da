package lint

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"remuda"
	"remuda/geom"
)

// box returns an annotation of category 1.
func box(id, item int64, x0, y0, x1, y1 float64) remuda.Annotation {
	return remuda.Annotation{ID: id, ItemID: item, CategoryID: 1, Box: geom.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
}

// one returns a dataset of one image a.jpg, 100 × 80.
func one(annotations ...remuda.Annotation) remuda.Dataset {
	return remuda.Dataset{
		Categories:  []remuda.Category{{ID: 1, Name: "horse"}, {ID: 2, Name: "foal"}},
		Items:       []remuda.Item{{ID: 1, File: "a.jpg", Width: 100, Height: 80}},
		Annotations: annotations,
	}
}

// of returns the findings of one kind.
func of(kind Kind, all []Finding) []Finding {
	var list []Finding
	for _, f := range all {
		if f.Kind == kind {
			list = append(list, f)
		}
	}
	return list
}

// Ensure boxes end at the image's edge, those without area are gone, and both
// are counted and named.
func TestCleanClipsAndDrops(t *testing.T) {
	for _, c := range []struct {
		name          string
		in            remuda.Annotation
		want          geom.Box // zero: dropped
		outside, zero bool
	}{
		{"inside", box(7, 1, 10, 10, 20, 20), geom.Box{X0: 10, Y0: 10, X1: 20, Y1: 20}, false, false},
		{"to the very edge", box(7, 1, 0, 0, 100, 80), geom.Box{X0: 0, Y0: 0, X1: 100, Y1: 80}, false, false},
		{"a rounding beyond the edge", box(7, 1, 0, 0, 100.0000001, 80), geom.Box{X0: 0, Y0: 0, X1: 100, Y1: 80}, false, false},
		{"over the right edge", box(7, 1, 90, 10, 130, 20), geom.Box{X0: 90, Y0: 10, X1: 100, Y1: 20}, true, false},
		{"over the top left", box(7, 1, -5, -9, 3, 4), geom.Box{X0: 0, Y0: 0, X1: 3, Y1: 4}, true, false},
		{"wholly outside", box(7, 1, 100, 0, 140, 20), geom.Box{}, true, true},
		{"without width", box(7, 1, 10, 10, 10, 20), geom.Box{}, false, true},
		{"without height", box(7, 1, 10, 10, 20, 10), geom.Box{}, false, true},
	} {
		clean, found := Clean(one(c.in), nil)
		var got geom.Box
		if len(clean.Annotations) == 1 {
			got = clean.Annotations[0].Box
		}
		if got != c.want || (len(clean.Annotations) == 0) != c.zero {
			t.Errorf("%s: became %v", c.name, clean.Annotations)
		}
		outside, zero := of(Outside, found), of(ZeroArea, found)
		if (len(outside) == 1) != c.outside || (len(zero) == 1) != c.zero || len(found) != len(outside)+len(zero) {
			t.Errorf("%s: found %+v", c.name, found)
		}
		for _, f := range found {
			if f.File != "a.jpg" || f.Count != 1 || !reflect.DeepEqual(f.Annotations, []int64{7}) || !strings.Contains(f.Message, "annotation 7") {
				t.Errorf("%s: %+v doesn't name the box", c.name, f)
			}
		}
	}
}

// Ensure the area of a box follows its clipping, and the area of a mask stays.
func TestCleanKeepsMaskAreas(t *testing.T) {
	ofBox, ofMask := box(1, 1, 90, 0, 110, 10), box(2, 1, 90, 20, 110, 30)
	ofBox.Area, ofMask.Area = 200, 57
	clean, _ := Clean(one(ofBox, ofMask), nil)
	if clean.Annotations[0].Area != 100 || clean.Annotations[1].Area != 57 {
		t.Errorf("areas are %g and %g, want 100 and 57", clean.Annotations[0].Area, clean.Annotations[1].Area)
	}
}

// Ensure what is clean already is left as it is, to the last bit and in order.
func TestCleanLeavesCleanDataAlone(t *testing.T) {
	d := one(box(3, 1, 1.25, 2.5, 30.1, 40.7), box(1, 1, 5, 5, 9, 9))
	clean, found := Clean(d, map[string]Facts{"a.jpg": {Width: 100, Height: 80, StoredWidth: 100, StoredHeight: 80, Orientation: 1}})
	if !reflect.DeepEqual(clean, d) || len(found) != 0 {
		t.Errorf("got %+v and %v", clean, found)
	}
}

// Ensure boxes that were drawn on the image as it is stored are turned with it.
func TestCleanTurnsBoxesOfStoredImage(t *testing.T) {
	// stored 20 × 10 (or 10 × 20 upright); a box at x 1–5, y 2–4 of the stored image
	for _, c := range []struct {
		orientation int
		want        geom.Box
	}{
		{5, geom.Box{X0: 2, Y0: 1, X1: 4, Y1: 5}},
		{6, geom.Box{X0: 6, Y0: 1, X1: 8, Y1: 5}},
		{7, geom.Box{X0: 6, Y0: 15, X1: 8, Y1: 19}},
		{8, geom.Box{X0: 2, Y0: 15, X1: 4, Y1: 19}},
	} {
		d := one(box(1, 1, 1, 2, 5, 4))
		d.Items[0].Width, d.Items[0].Height = 20, 10
		clean, found := Clean(d, map[string]Facts{"a.jpg": {Width: 10, Height: 20, StoredWidth: 20, StoredHeight: 10, Orientation: c.orientation}})
		if got := clean.Annotations[0].Box; got != c.want {
			t.Errorf("orientation %d: box became %v, want %v", c.orientation, got, c.want)
		}
		if clean.Items[0].Width != 10 || clean.Items[0].Height != 20 {
			t.Errorf("orientation %d: size became %d × %d", c.orientation, clean.Items[0].Width, clean.Items[0].Height)
		}
		if f := of(SizeMismatch, found); len(f) != 1 || !strings.Contains(f[0].Message, "before EXIF turned it") {
			t.Errorf("orientation %d: found %+v", c.orientation, found)
		}
	}
}

// Ensure a size that is neither the upright nor the stored one is reported and
// not guessed about, and that a missing size is filled in or reported.
func TestSizes(t *testing.T) {
	facts := map[string]Facts{"a.jpg": {Width: 50, Height: 40, StoredWidth: 50, StoredHeight: 40, Orientation: 1}}
	clean, found := Clean(one(box(1, 1, 10, 10, 20, 20)), facts)
	if f := of(SizeMismatch, found); len(f) != 1 || !strings.Contains(f[0].Message, "100 × 80") || !strings.Contains(f[0].Message, "50 × 40") {
		t.Errorf("found %+v", found)
	}
	if clean.Items[0].Width != 50 || clean.Annotations[0].Box != (geom.Box{X0: 10, Y0: 10, X1: 20, Y1: 20}) {
		t.Errorf("got %+v", clean)
	}
	unsized := one(box(1, 1, 10, 10, 200, 20))
	unsized.Items[0].Width, unsized.Items[0].Height = 0, 0
	clean, found = Clean(unsized, facts)
	if clean.Items[0].Width != 50 || clean.Annotations[0].Box.X1 != 50 || len(of(SizeMismatch, found)) != 0 {
		t.Errorf("a missing size: got %+v and %+v", clean, found)
	}
	clean, found = Clean(unsized, nil)
	if len(of(MissingSize, found)) != 1 || clean.Annotations[0].Box.X1 != 200 {
		t.Errorf("no size anywhere: got %+v and %+v", clean, found)
	}
}

// Ensure the same and nearly the same boxes are told apart, and others let be.
func TestCheckFindsSimilarBoxes(t *testing.T) {
	other := box(9, 1, 10, 10, 30, 30)
	other.CategoryID = 2
	crowd := box(8, 1, 10, 10, 30, 30)
	crowd.Crowd = true
	d := one(box(4, 1, 10, 10, 30, 30), box(2, 1, 10, 10, 30, 30), box(3, 1, 10, 10, 30, 29), box(5, 1, 10, 10, 30, 25), crowd, other)
	all := Check(Input{Train: &d})
	if f := of(Duplicate, all); len(f) != 1 || !reflect.DeepEqual(f[0].Annotations, []int64{2, 4}) {
		t.Errorf("duplicates: %+v", f)
	}
	var pairs [][]int64
	for _, f := range of(Overlapping, all) {
		pairs = append(pairs, f.Annotations)
	}
	if !reflect.DeepEqual(pairs, [][]int64{{2, 3}, {3, 4}}) {
		t.Errorf("overlapping: %v", pairs)
	}
}

// Ensure thin categories, images without boxes and images listed twice are
// found, the first only in training data.
func TestCheckCounts(t *testing.T) {
	d := one()
	for i := range int64(ThinBelow) {
		d.Annotations = append(d.Annotations, box(i+1, 1, float64(5*i), 0, float64(5*i+4), 9))
	}
	d.Items = append(d.Items, remuda.Item{ID: 2, File: "b.jpg", Width: 9, Height: 9}, remuda.Item{ID: 3, File: "b.jpg", Width: 9, Height: 9})
	all := Check(Input{Train: &d, Val: &remuda.Dataset{Categories: d.Categories}})
	if f := of(ThinCategory, all); len(f) != 1 || !strings.Contains(f[0].Message, `"foal"`) || f[0].Count != 0 || f[0].Split != "train" {
		t.Errorf("thin categories: %+v", f)
	}
	if f := of(Empty, all); len(f) != 1 || f[0].Count != 2 || f[0].Message != "2 of 3 images have no boxes and count as background" {
		t.Errorf("empty images: %+v", f)
	}
	if f := of(Duplicate, all); len(f) != 1 || f[0].File != "b.jpg" || f[0].Count != 2 {
		t.Errorf("images listed twice: %+v", f)
	}
	if got, want := Summary(all), "1 duplicate, 1 category with few boxes, 2 images without boxes"; got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
	if got := Summary(nil); got != "nothing to report" {
		t.Errorf("summary of nothing: %q", got)
	}
}

// Ensure training images are found in the other splits under another name and
// in other bytes, and that plain surfaces are not taken for one another.
func TestCheckFindsLeaks(t *testing.T) {
	const picture = 0xAAAA_5555_3333_CCCC
	images := map[string]Facts{
		"train/a.jpg":     {SHA256: "aa", Hash: picture},
		"train/plain.jpg": {SHA256: "bb", Hash: 1},
		"test/same.jpg":   {SHA256: "aa", Hash: picture},
		"test/resaved":    {SHA256: "cc", Hash: picture ^ 0b1111},
		"test/alike":      {SHA256: "dd", Hash: picture ^ 0b11111},
		"test/plain.jpg":  {SHA256: "ee", Hash: 1},
		"test/unknown":    {},
	}
	data := func(files ...string) *remuda.Dataset {
		var d remuda.Dataset
		for i, file := range files {
			d.Items = append(d.Items, remuda.Item{ID: int64(i), File: file, Width: 9, Height: 9})
		}
		return &d
	}
	all := of(Leak, Check(Input{
		Train: data("train/a.jpg", "train/plain.jpg", "both.jpg"), Val: data("both.jpg"),
		Test:   data("test/unknown", "test/same.jpg", "test/resaved", "test/alike", "test/plain.jpg"),
		Images: images,
	}))
	var got []string
	for _, f := range all {
		got = append(got, f.Split+" "+f.File+" "+f.Other)
	}
	want := []string{"val both.jpg both.jpg", "test test/resaved train/a.jpg", "test test/same.jpg train/a.jpg"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("leaks %q, want %q", got, want)
	}
}

// Ensure the index finds exactly what comparing all pairs finds.
func TestNearestAgreesWithAllPairs(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	index := newHashIndex()
	var hashes []uint64
	for i := range 2000 {
		hashes = append(hashes, random.Uint64())
		index.add(hashes[i], fmt.Sprint(i))
	}
	found := 0
	for range 2000 {
		query := hashes[random.IntN(len(hashes))]
		for range random.IntN(8) {
			query ^= 1 << random.IntN(64)
		}
		best, distance := -1, 65
		for i, h := range hashes {
			if d := bits.OnesCount64(h ^ query); d < distance {
				best, distance = i, d
			}
		}
		file, got := index.nearest(query)
		if distance <= LeakWithin {
			found++
			if file != fmt.Sprint(best) || got != distance {
				t.Fatalf("nearest to %016x is %s at %d, want %d at %d", query, file, got, best, distance)
			}
		} else if got <= LeakWithin {
			t.Fatalf("nearest to %016x is said to be at %d, want %d", query, got, distance)
		}
	}
	if found == 0 {
		t.Fatal("no query had a near neighbour")
	}
}

// Ensure findings come in the same order whatever order the data have.
func TestCheckIsStable(t *testing.T) {
	d := one(box(1, 1, -9, 0, 5, 5), box(2, 1, 3, 3, 3, 9))
	d.Items = append(d.Items, remuda.Item{ID: 2, File: "0.jpg", Width: 10, Height: 10})
	d.Annotations = append(d.Annotations, box(3, 2, 5, 5, 50, 50))
	turned := d
	turned.Items = []remuda.Item{d.Items[1], d.Items[0]}
	turned.Annotations = []remuda.Annotation{d.Annotations[2], d.Annotations[0], d.Annotations[1]}
	if a, b := Check(Input{Train: &d}), Check(Input{Train: &turned}); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\nis not\n%+v", a, b)
	}
}

// The leak check of a large dataset: 100,000 training images, 10,000 others.
func BenchmarkLeaks(b *testing.B) {
	random := rand.New(rand.NewPCG(3, 4))
	images := make(map[string]Facts)
	data := func(prefix string, n int) *remuda.Dataset {
		var d remuda.Dataset
		for i := range n {
			file := fmt.Sprint(prefix, i)
			d.Items = append(d.Items, remuda.Item{ID: int64(i), File: file})
			images[file] = Facts{Hash: random.Uint64(), SHA256: file}
		}
		return &d
	}
	in := Input{Train: data("a", 100_000), Test: data("b", 10_000), Images: images}
	for b.Loop() {
		leaks(in)
	}
}
