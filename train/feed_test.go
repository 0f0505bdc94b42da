package train

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"remuda"
	"remuda/detect"
	"remuda/geom"
)

// herd writes n small pictures of one or two bright rectangles, every fourth
// of them without any, and returns their labels.
func herd(t *testing.T, folder string, n int) remuda.Dataset {
	t.Helper()
	d := remuda.Dataset{Categories: []remuda.Category{{ID: 3, Name: "barn"}, {ID: 7, Name: "horse"}}}
	rng := random(1, 99, n)
	for i := range n {
		const w, h = 96, 72
		picture := image.NewRGBA(image.Rect(0, 0, w, h))
		for k := range picture.Pix {
			picture.Pix[k] = byte(rng.IntN(80))
		}
		item := remuda.Item{ID: int64(i + 1), File: fmt.Sprintf("%02d.png", i), Width: w, Height: h}
		for k := 0; k < 1+i%2 && i%4 != 3; k++ {
			x, y := rng.IntN(w/2), rng.IntN(h/2)
			box := geom.Box{X0: float64(x), Y0: float64(y), X1: float64(x + 20 + rng.IntN(28)), Y1: float64(y + 16 + rng.IntN(20))}
			shade := color.RGBA{R: 250, G: byte(200 * k), B: 40, A: 255}
			for py := y; py < int(box.Y1); py++ {
				for px := x; px < int(box.X1); px++ {
					picture.Set(px, py, shade)
				}
			}
			d.Annotations = append(d.Annotations, remuda.Annotation{
				ID: int64(len(d.Annotations) + 1), ItemID: item.ID, CategoryID: d.Categories[k].ID, Box: box,
			})
		}
		file, err := os.Create(filepath.Join(folder, item.File))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, picture); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		d.Items = append(d.Items, item)
	}
	return d
}

func testRecipe(t *testing.T) remuda.Recipe {
	t.Helper()
	recipe, err := remuda.NamedRecipe("story", remuda.MobileNetV3Large320, "none", true)
	if err != nil {
		t.Fatal(err)
	}
	recipe.Precision, recipe.Threads, recipe.Device, recipe.Seed = "float32", 2, "cpu", 7
	return recipe
}

func testFeed(t *testing.T, n int, change func(*remuda.Recipe)) *feed {
	t.Helper()
	folder, recipe := t.TempDir(), testRecipe(t)
	if change != nil {
		change(&recipe)
	}
	d := herd(t, folder, n)
	return &feed{folder: folder, examples: examplesOf(d), recipe: recipe, config: detect.Config{Arch: recipe.Arch, Categories: 2}}
}

func TestFeedMakesTheSameBatchesWhereverItStarts(t *testing.T) {
	f := testFeed(t, 7, func(r *remuda.Recipe) { r.ScaleJitter, r.ColorJitter = 0.4, 0.3 })
	var whole []batch
	for b := range f.run(context.Background(), 0, 9, 3) {
		whole = append(whole, b)
	}
	step := 5
	for b := range f.run(context.Background(), step, 9, 1) {
		if b.err != nil {
			t.Fatal(b.err)
		}
		if !slices.Equal(b.files, whole[step].files) || !slices.Equal(b.input.Pixels, whole[step].input.Pixels) {
			t.Errorf("step %d differs when the feed starts at step 5", step)
		}
		step++
	}
	if step != 9 || len(whole) != 9 {
		t.Errorf("the feed made %d batches and ended at step %d, want 9 and 9", len(whole), step)
	}
}

func TestFeedShowsEveryItemOncePerEpochInChangingOrder(t *testing.T) {
	f := testFeed(t, 7, nil)
	var orders [][]string
	for epoch := range 2 {
		var seen []string
		for k := range f.steps() {
			for _, e := range f.items(epoch*f.steps() + k) {
				seen = append(seen, e.file)
			}
		}
		orders = append(orders, slices.Clone(seen))
		slices.Sort(seen)
		if len(slices.Compact(seen)) != 7 {
			t.Errorf("epoch %d shows %v", epoch, seen)
		}
	}
	if slices.Equal(orders[0], orders[1]) {
		t.Error("two epochs have the same order")
	}
}

func TestFeedFlipsBoxesWithTheirImage(t *testing.T) {
	plain := testFeed(t, 1, func(r *remuda.Recipe) { r.Flip = 0 })
	flipped := *plain
	flipped.recipe.Flip = 1
	a, b := plain.make(0), flipped.make(0)
	if want := a.targets[0].Boxes[0].FlipX(96); b.targets[0].Boxes[0] != want {
		t.Errorf("the flipped box is %v, want %v", b.targets[0].Boxes[0], want)
	}
	w := a.input.Sizes[0].Width
	left, right := a.input.Pixels[:3], b.input.Pixels[3*(w-1):3*w]
	if !slices.Equal(left, right) {
		t.Errorf("the first pixel %v is not the last one %v after the flip", left, right)
	}
}

func TestFeedNamesTheImageItCannotRead(t *testing.T) {
	f := testFeed(t, 4, nil)
	missing := f.items(1)[0].file
	if err := os.Remove(filepath.Join(f.folder, missing)); err != nil {
		t.Fatal(err)
	}
	b := f.make(1)
	if b.err == nil || remuda.CodeOf(b.err) == remuda.Internal {
		t.Fatalf("a missing image gave %v", b.err)
	}
}

func TestExamplesLeaveCrowdsOutAndKeepBackground(t *testing.T) {
	d := remuda.Dataset{
		Categories: []remuda.Category{{ID: 5, Name: "a"}, {ID: 9, Name: "b"}},
		Items:      []remuda.Item{{ID: 1, File: "x"}, {ID: 2, File: "y"}},
		Annotations: []remuda.Annotation{
			{ItemID: 1, CategoryID: 9, Box: geom.Box{X1: 1, Y1: 1}},
			{ItemID: 1, CategoryID: 5, Crowd: true, Box: geom.Box{X1: 9, Y1: 9}},
		},
	}
	got := examplesOf(d)
	if len(got) != 2 || len(got[1].boxes) != 0 || !slices.Equal(got[0].labels, []int{2}) {
		t.Errorf("examples are %+v", got)
	}
}
