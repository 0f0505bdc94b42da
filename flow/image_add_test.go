package flow_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
)

// received stores files as an upload does.
func received(t *testing.T, f *flow.Flow, files ...[]byte) []flow.Image {
	t.Helper()
	batch := f.ReceiveImages(t.Context())
	for _, file := range files {
		if err := batch.Add(bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	images, err := batch.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return images
}

func outcomes(done []flow.AddedImage) []flow.ImageOutcome {
	var list []flow.ImageOutcome
	for _, d := range done {
		list = append(list, d.Outcome)
	}
	return list
}

func TestImagesAreKnownByTheirBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		ctx, d := t.Context(), newDataset(t, f, caller)
		first, other := photo(t, 1, 40, 30), photo(t, 2, 40, 30)
		images := received(t, f, first, other)
		done, job, err := f.AddImages(ctx, caller, d, []flow.NewImage{
			{ReferenceID: "a.jpg", SHA256: images[0].Blob, Image: &images[0]},
			{ReferenceID: "twice.jpg", Image: &images[0]},
			{ReferenceID: "twice.jpg", Image: &images[0]},
			{ReferenceID: "twice.jpg", Image: &images[1]},
			{ReferenceID: "damaged.jpg", SHA256: images[0].Blob, Image: &images[1]},
			{ReferenceID: "", Image: &images[1]},
		})
		if err != nil || job.ID == "" {
			t.Fatalf("job %q: %v", job.ID, err)
		}
		want := []flow.ImageOutcome{flow.ImageNew, flow.ImageNew, flow.ImageThere, flow.ImageConflict, flow.ImageRefused, flow.ImageRefused}
		if got := outcomes(done); !slices.Equal(got, want) {
			t.Errorf("sent: %v, want %v", got, want)
		}
		flowtest.Drain(t, f)
		known := []flow.NewImage{
			{ReferenceID: "a.jpg", SHA256: images[0].Blob},
			{ReferenceID: "a.jpg", SHA256: images[1].Blob},
			{ReferenceID: "b.jpg", SHA256: images[0].Blob},
			{ReferenceID: "c.jpg", SHA256: strings.Repeat("0", 64)},
			{ReferenceID: "d.jpg", SHA256: images[1].Blob}, // stored, but no item has it
		}
		done, job, err = f.AddImages(ctx, caller, d, known)
		want = []flow.ImageOutcome{flow.ImageThere, flow.ImageConflict, flow.ImageNew, flow.ImageSend, flow.ImageSend}
		if got := outcomes(done); err != nil || !slices.Equal(got, want) {
			t.Errorf("known: %v, want %v: %v", got, want, err)
		}
		if job.ID != "" {
			t.Error("an image that was looked at is looked at again")
		}
		item, err := f.Item(ctx, caller, d, flow.ItemChoice{Reference: "b.jpg"})
		if err != nil || item.Item.Blob != images[0].Blob || item.Item.PHash == nil || item.Item.Width == 0 {
			t.Errorf("the item of a known image: %+v, %v", item.Item, err)
		}
		stranger := caller
		stranger.World = remuda.Test
		theirs := newDataset(t, f, stranger)
		done, _, err = f.AddImages(ctx, stranger, theirs, known[:1])
		if err != nil || done[0].Outcome != flow.ImageSend {
			t.Errorf("in the other world the image is %v: %v", done, err)
		}
		if _, _, err := f.AddImages(ctx, stranger, d, known[:1]); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("the other world's dataset: %v", err)
		}
	})
}

func TestAnItemWhoseImageWasOutOfReachGetsIt(t *testing.T) {
	f, caller := flowtest.New(t)
	ctx, d := t.Context(), newDataset(t, f, caller)
	if _, err := f.AppendItems(ctx, caller, d, []flow.NewItem{{ReferenceID: "a.jpg", ImageURL: "https://images.example/a.jpg"}}); err != nil {
		t.Fatal(err)
	}
	images := received(t, f, photo(t, 1, 40, 30))
	done, _, err := f.AddImages(ctx, caller, d, []flow.NewImage{{ReferenceID: "a.jpg", SHA256: images[0].Blob}})
	if err != nil || done[0].Outcome != flow.ImageSend {
		t.Fatalf("%v: %v", done, err)
	}
	done, _, err = f.AddImages(ctx, caller, d, []flow.NewImage{{ReferenceID: "a.jpg", Image: &images[0]}})
	if err != nil || done[0].Outcome != flow.ImageNew {
		t.Fatalf("%v: %v", done, err)
	}
	if n, err := f.CountItems(ctx, caller, d); err != nil || n != 1 {
		t.Errorf("%d items: %v", n, err)
	}
}

// The file that replaces a damaged one is taken under its name, and the item's boxes stay; what a frozen slice keeps does too.
func TestADamagedImageGivesWayToAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		ctx, d := t.Context(), newDataset(t, f, caller)
		whole := photo(t, 1, 40, 30)
		images := received(t, f, whole[:len(whole)-40], whole, photo(t, 2, 40, 30))
		add := func(want flow.ImageOutcome, image flow.NewImage) flow.AddedImage {
			t.Helper()
			image.ReferenceID = "a.jpg"
			done, _, err := f.AddImages(ctx, caller, d, []flow.NewImage{image})
			if err != nil || done[0].Outcome != want {
				t.Fatalf("%+v, want %v: %v", done, want, err)
			}
			flowtest.Drain(t, f)
			return done[0]
		}
		made := add(flow.ImageNew, flow.NewImage{Image: &images[0]})
		if again := add(flow.ImageThere, flow.NewImage{SHA256: images[0].Blob}); again.Err == nil {
			t.Error("a damaged image that is there: no word of it")
		}
		slice, err := f.CreateSlice(ctx, caller, d, flow.NewSlice{Name: "all", Choice: flow.SliceChoice{All: true}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Freeze(ctx, caller, slice.ID); err != nil {
			t.Fatal(err)
		}
		add(flow.ImageSend, flow.NewImage{SHA256: images[1].Blob})
		add(flow.ImageConflict, flow.NewImage{Image: &images[1]})
		if err := f.DeleteSlice(ctx, caller, slice.ID); err != nil {
			t.Fatal(err)
		}
		if mended := add(flow.ImageNew, flow.NewImage{Image: &images[1]}); mended.Item != made.Item {
			t.Errorf("the whole image went to %s instead of %s", mended.Item, made.Item)
		}
		item, err := f.Item(ctx, caller, d, flow.ItemChoice{ID: made.Item})
		if err != nil || item.Item.Blob != images[1].Blob || item.Item.Problem != "" || item.Item.PHash == nil {
			t.Errorf("the item: %+v, %v", item.Item, err)
		}
		add(flow.ImageConflict, flow.NewImage{Image: &images[2]})
	})
}

// archiveOf makes a zip archive of names and texts.
func archiveOf(t *testing.T, files ...string) *bytes.Reader {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(out.Bytes())
}

func TestALabelFileThatMakesNoSenseChangesNothing(t *testing.T) {
	f, caller := flowtest.New(t)
	ctx, d := t.Context(), newDataset(t, f, caller)
	for name, c := range map[string]struct {
		kind string
		file *bytes.Reader
	}{
		"no JSON":                  {"coco", bytes.NewReader([]byte("{"))},
		"nothing":                  {"coco", bytes.NewReader(nil)},
		"no archive":               {"voc", bytes.NewReader([]byte("this is no zip"))},
		"an empty archive":         {"voc", archiveOf(t)},
		"a way out":                {"voc", archiveOf(t, "../../out.xml", "<annotation/>")},
		"an absolute way out":      {"yolo", archiveOf(t, "/out.txt", "x")},
		"a name that stands twice": {"voc", archiveOf(t, "a.xml", "<annotation/>", "a.xml", "<annotation/>")},
		"labels of other images":   {"yolo", archiveOf(t, "data.yaml", "names: [horse]\ntrain: train.txt\n", "train.txt", "images/z.jpg\n", "labels/z.txt", "0 .5 .5 .1 .1\n")},
	} {
		if _, err := f.ImportLabelFile(ctx, caller, d, c.kind, c.file); remuda.CodeOf(err) != remuda.Invalid || strings.Contains(remuda.Told(err), os.TempDir()) {
			t.Errorf("%s: %v, told as %q", name, err, remuda.Told(err))
		}
	}
	if found, err := f.Taxonomies(ctx, caller, d); err != nil || len(found) != 0 {
		t.Errorf("something was kept: %v, %v", found, err)
	}
}

func TestASearchFindsWhatItsFilterSays(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		ctx, d := t.Context(), newDataset(t, f, caller)
		var items []flow.NewItem
		for i := range 7 {
			items = append(items, flow.NewItem{ReferenceID: fmt.Sprintf("%d.jpg", i), ImageURL: "https://images.example/x", Metadata: fmt.Appendf(nil, `{"n":%d}`, i)})
		}
		if _, err := f.AppendItems(ctx, caller, d, items); err != nil {
			t.Fatal(err)
		}
		s, err := f.CreateSlice(ctx, caller, d, flow.NewSlice{Name: "some", Choice: flow.SliceChoice{References: []string{"5.jpg", "1.jpg"}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			search flow.Search
			want   []string
		}{
			{flow.Search{Dataset: d}, []string{"0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg"}},
			{flow.Search{Dataset: d, Filter: "metadata.n > 4"}, []string{"5.jpg", "6.jpg"}},
			{flow.Search{Dataset: d, Slice: s.ID}, []string{"5.jpg", "1.jpg"}},
			{flow.Search{Slice: s.ID, Filter: "metadata.n > 4"}, []string{"5.jpg"}},
		} {
			var got []string
			for after := int64(-1); ; {
				page, err := f.FilterItems(ctx, caller, c.search, after, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, item := range page {
					got = append(got, item.ReferenceID)
				}
				if len(page) < 2 {
					break
				}
				after = page[1].Position
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v, want %v", c.search, got, c.want)
			}
			if n, err := f.CountFiltered(ctx, caller, c.search); err != nil || n != int64(len(c.want)) {
				t.Errorf("%+v: counted %d, want %d: %v", c.search, n, len(c.want), err)
			}
		}
		if _, err := f.FilterItems(ctx, caller, flow.Search{Dataset: newDataset(t, f, caller), Slice: s.ID}, -1, 2); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("a slice of another dataset: %v", err)
		}
	})
}
