package flow_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/format"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/store"
)

// labeled makes a dataset with items, whose sizes are known.
func labeled(t testing.TB, f *flow.Flow, caller remuda.Caller, items ...store.Item) (dataset string, ids []string) {
	t.Helper()
	err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
		d, err := tx.CreateDataset(store.Dataset{Name: "horses"})
		if err != nil {
			return err
		}
		dataset, ids = d.ID, nil
		added, err := tx.AddItems(dataset, items, false)
		for _, a := range added {
			ids = append(ids, a.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dataset, ids
}

func sized(ref string, w, h, orientation int) store.Item {
	return store.Item{ReferenceID: ref, Width: w, Height: h, Orientation: orientation, Format: "jpeg"}
}

// file is a dataset of a label file: odd sizes, fractional boxes, boxes outside and without area.
func file() remuda.Dataset {
	return remuda.Dataset{
		Categories: []remuda.Category{{ID: 3, Name: "zebra"}, {ID: 7, Name: "a horse"}, {ID: 9, Name: "never seen"}},
		Items:      []remuda.Item{{ID: 1, File: "dir/a.jpg", Width: 641, Height: 427}, {ID: 2, File: "b.jpg", Width: 333, Height: 7}, {ID: 5, File: "c.jpg", Width: 10, Height: 10}},
		Annotations: []remuda.Annotation{
			{ID: 1, ItemID: 1, CategoryID: 7, Box: geom.Box{X0: 0.1, Y0: 1.0 / 3, X1: math.Nextafter(640, 641), Y1: 427}},
			{ID: 2, ItemID: 1, CategoryID: 3, Box: geom.Box{X0: 5, Y0: 5, X1: 5, Y1: 9}, Crowd: true},
			{ID: 8, ItemID: 1, CategoryID: 3, Box: geom.Box{X0: 5, Y0: 5, X1: 25, Y1: 9}, Area: 33.25},
			{ID: 9, ItemID: 2, CategoryID: 7, Box: geom.Box{X0: -2.5, Y0: 1e-7, X1: 340, Y1: 6.999}},
			{ID: 10, ItemID: 2, CategoryID: 7, Box: geom.Box{X0: -2.5, Y0: 1e-7, X1: 340, Y1: 6.999}},
		},
	}
}

func fileItems() []store.Item {
	return []store.Item{sized("dir/a.jpg", 641, 427, 1), sized("b.jpg", 333, 7, 1), sized("c.jpg", 10, 10, 1)}
}

// exported writes an export into a place that package format reads.
func exported(t testing.TB, f *flow.Flow, caller remuda.Caller, from flow.Source, kind string) (remuda.Dataset, format.Proof) {
	t.Helper()
	var out bytes.Buffer
	proof, err := f.ExportLabels(t.Context(), caller, from, kind, &out)
	if err != nil {
		t.Fatal(err)
	}
	place := filepath.Join(t.TempDir(), "labels.json")
	if kind == format.COCO {
		err = os.WriteFile(place, out.Bytes(), 0o644)
	} else {
		place = t.TempDir()
		err = unzip(out.Bytes(), place)
	}
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]remuda.Item)
	for _, item := range file().Items {
		known[filepath.Base(item.File)] = item
	}
	back, err := format.Read(place, format.Options{Kind: kind, Images: filepath.Join(place, "images"), Size: func(path string) (int, int, error) {
		item := known[filepath.Base(path)]
		return item.Width, item.Height, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return back, proof
}

func unzip(b []byte, folder string) error {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return err
	}
	for _, entry := range r.File {
		to := filepath.Join(folder, filepath.FromSlash(entry.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		in, err := entry.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(in)
		if err := errors.Join(err, in.Close(), os.WriteFile(to, text, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// boxes says what is on each image, whatever the ids.
func boxes(d remuda.Dataset) map[string][]string {
	names := make(map[int64]string)
	for _, c := range d.Categories {
		names[c.ID] = c.Name
	}
	byItem := remuda.ByItem(d.Annotations)
	found := make(map[string][]string)
	for _, item := range d.Items {
		key := fmt.Sprintf("%s %d×%d", item.File, item.Width, item.Height)
		found[key] = []string{}
		for _, a := range byItem[item.ID] {
			found[key] = append(found[key], fmt.Sprintf("%s %.6f %.6f %.6f %.6f %t", names[a.CategoryID], a.Box.X0, a.Box.Y0, a.Box.X1, a.Box.Y1, a.Crowd))
		}
	}
	return found
}

func TestLabelFilesGoInAndOutAsTheyAre(t *testing.T) {
	f, caller := flowtest.New(t)
	for _, kind := range []string{format.COCO, format.VOC, format.YOLO} {
		t.Run(kind, func(t *testing.T) {
			dataset, ids := labeled(t, f, caller, fileItems()...)
			labels := file()
			if kind == format.YOLO { // which has no crowds and no place beyond the image's double
				labels.Annotations = append(labels.Annotations[:1], labels.Annotations[2:]...)
			}
			n := len(labels.Annotations)
			done, err := f.ImportLabels(t.Context(), caller, dataset, labels)
			if err != nil || done.Items != 3 || done.Boxes != n || done.Added != n || done.Ignored != 0 || done.Unknown != nil || done.Ambiguous != nil || done.Resized != nil {
				t.Fatalf("%+v, %v", done, err)
			}
			again, err := f.ImportLabels(t.Context(), caller, dataset, labels)
			if err != nil || again.Added != 0 || again.Ignored != n {
				t.Errorf("a second import adds: %+v, %v", again, err)
			}
			stored, err := f.Annotations(t.Context(), caller, ids)
			if err != nil {
				t.Fatal(err)
			}
			if got := *stored[ids[0]][0].Box; got != labels.Annotations[0].Box {
				t.Errorf("a box lost bits: %v, %v", got, labels.Annotations[0].Box)
			}
			back, proof := exported(t, f, caller, flow.Source{Dataset: dataset}, kind)
			if got, want := boxes(back), boxes(labels); !reflect.DeepEqual(got, want) {
				t.Errorf("exported\n%v\nwant\n%v", got, want)
			}
			var names []string
			for _, c := range back.Categories {
				names = append(names, c.Name)
			}
			if !reflect.DeepEqual(names, []string{"zebra", "a horse", "never seen"}) {
				t.Errorf("categories in the order %v", names)
			}
			if want := fmt.Sprintf("%d boxes, largest difference 0.000 px", n); proof.String() != want {
				t.Errorf("the proof says %q, want %q", proof, want)
			}
			if kind == format.COCO && back.Annotations[2].Area != 33.25 {
				t.Errorf("the area of a mask became %g", back.Annotations[2].Area)
			}
		})
	}
}

func TestFilesFindTheirItems(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, _ := labeled(t, f, caller, sized("x/one.jpg", 9, 9, 1), sized("two", 9, 9, 1), sized("x/three.jpg", 9, 9, 1), sized("y/three.jpg", 9, 9, 1), sized("four.jpg", 9, 9, 1), sized("z/four.jpg", 9, 9, 1))
	labels := remuda.Dataset{Categories: []remuda.Category{{ID: 1, Name: "horse"}}}
	for i, name := range []string{"elsewhere/one.jpg", "two.png", "three.jpg", "four.jpg", "w/four.jpg", "five.jpg"} {
		labels.Items = append(labels.Items, remuda.Item{ID: int64(i), File: name, Width: 9, Height: 9})
		labels.Annotations = append(labels.Annotations, remuda.Annotation{ItemID: int64(i), CategoryID: 1, Box: geom.Box{X1: float64(i + 1), Y1: 1}})
	}
	done, err := f.ImportLabels(t.Context(), caller, dataset, labels)
	if err != nil || done.Added != 3 || !reflect.DeepEqual(done.Unknown, []string{"five.jpg"}) || !reflect.DeepEqual(done.Ambiguous, []string{"three.jpg", "w/four.jpg"}) {
		t.Fatalf("%+v, %v", done, err)
	}
	back, _ := exported(t, f, caller, flow.Source{Dataset: dataset}, format.COCO)
	on := make(map[string]int)
	for _, a := range back.Annotations {
		on[back.Items[a.ItemID-1].File] = int(a.Box.X1)
	}
	if want := map[string]int{"x/one.jpg": 1, "two.jpg": 2, "four.jpg": 4}; !reflect.DeepEqual(on, want) {
		t.Errorf("boxes on %v, want %v", on, want)
	}
}

func TestBoxesOfTurnedPhotographsAreTurnedWithThem(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, _ := labeled(t, f, caller, sized("turned.jpg", 300, 400, 6), sized("upright.jpg", 300, 400, 6), sized("other.jpg", 300, 400, 6))
	box := geom.Box{X0: 10, Y0: 20, X1: 50, Y1: 80}
	labels := remuda.Dataset{
		Categories: []remuda.Category{{ID: 1, Name: "horse"}},
		Items:      []remuda.Item{{ID: 1, File: "turned.jpg", Width: 400, Height: 300}, {ID: 2, File: "upright.jpg", Width: 300, Height: 400}, {ID: 3, File: "other.jpg", Width: 600, Height: 800}},
	}
	for id := range int64(3) {
		labels.Annotations = append(labels.Annotations, remuda.Annotation{ItemID: id + 1, CategoryID: 1, Box: box})
	}
	done, err := f.ImportLabels(t.Context(), caller, dataset, labels)
	if err != nil || done.Turned != 1 || !reflect.DeepEqual(done.Resized, []string{"other.jpg"}) {
		t.Fatalf("%+v, %v", done, err)
	}
	back, _ := exported(t, f, caller, flow.Source{Dataset: dataset}, format.COCO)
	if want := (geom.Box{X0: 220, Y0: 10, X1: 280, Y1: 50}); back.Annotations[0].Box != want || back.Annotations[1].Box != box || back.Annotations[2].Box != box {
		t.Errorf("boxes %+v, want the first as %v", back.Annotations, want)
	}
	if back.Items[0].Width != 300 || back.Items[0].Height != 400 {
		t.Errorf("the exported size is not that of the upright image: %+v", back.Items[0])
	}
}

func TestExportSaysWhatItLeavesOut(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, _ := labeled(t, f, caller, sized("s3://bucket/../x", 10, 10, 1))
	polygon := []byte(`{"type":"polygon","label":"pig","geometry":{"vertices":[{"x":1,"y":2},{"x":3,"y":4}]},"reference_id":"s3://bucket/../x"}`)
	if put, err := f.Annotate(t.Context(), caller, dataset, flow.Sent{Texts: []json.RawMessage{polygon}}, false); err != nil || put.Processed != 1 {
		t.Fatal(put, err)
	}
	back, proof := exported(t, f, caller, flow.Source{Dataset: dataset}, format.COCO)
	if len(proof.Losses) != 2 || !strings.Contains(proof.Losses[0], "polygon left out: 1") || back.Items[0].File != "s3_/x.jpg" {
		t.Errorf("%+v, %+v", proof, back.Items)
	}
	if _, err := f.ExportLabels(t.Context(), caller, flow.Source{Dataset: dataset}, "xml", io.Discard); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("an unknown kind: %v", err)
	}
	other := caller
	other.World = remuda.Test
	if _, err := f.ExportLabels(t.Context(), other, flow.Source{Dataset: dataset}, format.COCO, io.Discard); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("the other world's dataset: %v", err)
	}
}

func TestAFrozenSliceExportsWhatWasFrozen(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset, ids := labeled(t, f, caller, fileItems()...)
	if _, err := f.ImportLabels(t.Context(), caller, dataset, file()); err != nil {
		t.Fatal(err)
	}
	var id string
	err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
		s, err := tx.CreateSlice(store.Slice{Dataset: dataset, Name: "train", Type: store.SliceOfItems})
		if err != nil {
			return err
		}
		for i, member := range ids[:2] {
			item, err := tx.Item(member)
			if err != nil {
				return err
			}
			item.Blob = strings.Repeat(string(rune('a'+i)), 64)
			if err := tx.SetImage(item); err != nil {
				return err
			}
		}
		_, err = tx.AddMembers(s.ID, []store.SliceMember{{Item: ids[1]}, {Item: ids[0]}})
		id = s.ID
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	open, _ := exported(t, f, caller, flow.Source{Slice: id}, format.COCO)
	if _, err := f.Freeze(t.Context(), caller, id); err != nil {
		t.Fatal(err)
	}
	if _, err := f.DeleteAnnotations(t.Context(), caller, dataset, nil); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	frozen, proof := exported(t, f, caller, flow.Source{Slice: id}, format.COCO)
	if !reflect.DeepEqual(boxes(frozen), boxes(open)) || proof.Boxes != 5 || frozen.Items[0].File != "b.jpg" {
		t.Errorf("frozen\n%v\nopen\n%v", boxes(frozen), boxes(open))
	}
	n := 0
	err = f.EachTrainingRow(t.Context(), caller, flow.Source{Slice: id}, func(row flow.AnnotatedItem) error { n += len(row.Annotations); return nil })
	if err != nil || n != 5 {
		t.Errorf("%d annotations to train on, %v", n, err)
	}
	if now, _ := exported(t, f, caller, flow.Source{Dataset: dataset}, format.COCO); len(now.Annotations) != 0 {
		t.Errorf("deleted boxes are exported: %v", now.Annotations)
	}
}
