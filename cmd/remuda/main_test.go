package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"remuda"
	"remuda/weights"
)

func TestExitStatusOfErrors(t *testing.T) {
	full := &os.PathError{Op: "write", Path: "model", Err: syscall.ENOSPC}
	cases := []struct {
		name string
		err  error
		want int
	}{
		{"nothing wrong", nil, 0},
		{"bad input", remuda.Errorf(remuda.Invalid, "x"), 2},
		{"wrapped bad input", fmt.Errorf("train: %w", remuda.Errorf(remuda.NotFound, "x")), 2},
		{"taken", remuda.Errorf(remuda.Conflict, "x"), 2},
		{"no engine before anything starts", remuda.Errorf(remuda.Unavailable, "x"), 2},
		{"out of memory later", startedError{remuda.Errorf(remuda.Unavailable, "x")}, 1},
		{"non-finite loss", startedError{remuda.Errorf(remuda.Invalid, "x")}, 1},
		{"disk full", remuda.Errorf(remuda.Unavailable, "write: %w", full), 1},
		{"a fault of the program", errors.New("x"), 1},
		{"Ctrl-C", remuda.Errorf(remuda.Unavailable, "%w", errInterrupted), 130},
	}
	for _, c := range cases {
		if got := status(c.err); got != c.want {
			t.Errorf("%s: status %d, want %d", c.name, got, c.want)
		}
	}
}

func TestAFaultOfTheProgramIsNoBadInput(t *testing.T) {
	var said strings.Builder
	m := &Main{Stdout: panicking{}, Stderr: &said}
	if got := m.Run([]string{"version"}); got != exitFailed || !strings.Contains(said.String(), "a fault of the program: no") {
		t.Errorf("status %d, said %q", got, said.String())
	}
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("no") }

func TestExplicitFlagsOverrideTheRecipe(t *testing.T) {
	epochs, lr := 3, 0.03
	flags := recipeFlags{Recipe: "best", Epochs: &epochs, LR: &lr, Arch: remuda.MobileNetV3Large320, Weights: "starter"}
	got, err := flags.recipe(remuda.EngineSpec{Precision: "float32", Threads: 2, Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	best, err := remuda.NamedRecipe("best", flags.Arch, flags.Weights, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.Epochs != 3 || got.LR != 0.03 || got.EMA != best.EMA || got.TrainableLayers != 6 || got.Seed != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAModelIsAskedInThePrecisionItWasTrainedIn(t *testing.T) {
	for _, c := range []struct{ flag, trained, want string }{
		{"", "bfloat16", ""}, {"auto", "bfloat16", "auto"}, // as the CPU can
		{"", "float32", "float32"}, {"auto", "", "float32"}, // bare weights have no card
		{"bfloat16", "float32", "bfloat16"}, {"float32", "bfloat16", "float32"},
	} {
		if got := (engineFlags{Precision: c.flag}).forModel(model{precision: c.trained}).Precision; got != c.want {
			t.Errorf("--precision %q of a model trained in %q gave %q, want %q", c.flag, c.trained, got, c.want)
		}
	}
}

func TestPresetsTakeLargerStepsFromABackbone(t *testing.T) {
	file := func(arrays ...weights.Array) string {
		path := filepath.Join(t.TempDir(), "w.safetensors")
		if _, err := weights.WriteSafetensors(path, arrays, nil); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := weights.Array{Name: "features.0.0.weight", Shape: []int{1}, Read: func() ([]float32, error) { return []float32{1}, nil }}
	for given, want := range map[string]float64{"coco": 0.005, "imagenet": 0.02, "starter": 0.02, "none": 0.02, file(one): 0.02, "no such file": 0.005} {
		r, err := recipeFlags{Recipe: "best", Weights: given}.recipe(remuda.EngineSpec{Precision: "float32", Threads: 2, Device: "cpu"})
		if err != nil || r.LR != want {
			t.Errorf("from %s: learning rate %v, %v, want %v", given, r.LR, err, want)
		}
	}
}

func TestBareWeightsGetTheirCategoriesNamed(t *testing.T) {
	category := func(id int64, name string) remuda.Category { return remuda.Category{ID: id, Name: name} }
	cases := []struct {
		name    string
		outputs int
		given   []remuda.Category
		want    []remuda.Category
	}{
		{"as many names as outputs", 2, []remuda.Category{category(7, "horse"), category(9, "dog")}, []remuda.Category{category(7, "horse"), category(9, "dog")}},
		{"ids that are outputs", 4, []remuda.Category{category(1, "person"), category(3, "car")},
			[]remuda.Category{category(1, "person"), category(2, "category 2"), category(3, "car"), category(4, "category 4")}},
		{"no names", 1, nil, []remuda.Category{category(1, "category 1")}},
	}
	for _, c := range cases {
		got, err := bareCategories("model.pth", c.outputs, c.given)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	// A horse file's category 1 must not be taken for COCO's output 1, a person.
	if got, err := bareCategories("model.pth", 90, []remuda.Category{category(1, "horse")}); err != nil || got[0].Name != "person" || got[18] != category(19, "horse") {
		t.Errorf("90 outputs: %v, %v", got, err)
	}
	if _, err := bareCategories("model.pth", 2, []remuda.Category{category(7, "horse")}); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("names that don't fit: %v", err)
	}
}

func TestALargerPartHoldsEverySmallerOne(t *testing.T) {
	var d remuda.Dataset
	for i := range int64(50) {
		d.Items = append(d.Items, remuda.Item{ID: i, File: fmt.Sprint(i)})
		d.Annotations = append(d.Annotations, remuda.Annotation{ID: 2 * i, ItemID: i}, remuda.Annotation{ID: 2*i + 1, ItemID: i})
	}
	before := part(d, 1, 7)
	for size := 2; size <= len(d.Items); size++ {
		now := part(d, size, 7)
		if len(now.Items) != size || len(now.Annotations) != 2*size {
			t.Fatalf("size %d has %d items and %d annotations", size, len(now.Items), len(now.Annotations))
		}
		for _, item := range before.Items {
			if !slices.Contains(now.Items, item) {
				t.Fatalf("size %d lacks item %d of size %d", size, item.ID, size-1)
			}
		}
		before = now
	}
	if a, b := part(d, 10, 1), part(d, 10, 2); slices.Equal(a.Items, b.Items) {
		t.Error("another seed chooses the same items")
	}
}

func TestDatasetsAreAlignedByName(t *testing.T) {
	val := remuda.Dataset{
		Categories:  []remuda.Category{{ID: 1, Name: "dog"}, {ID: 2, Name: "cat"}},
		Annotations: []remuda.Annotation{{ID: 1, CategoryID: 1}, {ID: 2, CategoryID: 2}},
	}
	to := []remuda.Category{{ID: 5, Name: "cat"}, {ID: 6, Name: "dog"}, {ID: 7, Name: "horse"}}
	got, err := align(val, "val", to, "train")
	if err != nil || got.Annotations[0].CategoryID != 6 || got.Annotations[1].CategoryID != 5 || len(got.Categories) != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if val.Annotations[0].CategoryID != 1 {
		t.Error("the dataset that was given has changed")
	}
}

func TestTheHashOfDataCoversImagesAndBoxes(t *testing.T) {
	d := remuda.Dataset{Items: []remuda.Item{{ID: 1, File: "a"}}, Annotations: []remuda.Annotation{{ID: 1, ItemID: 1}}}
	hash := func(d remuda.Dataset, sum string) string {
		h, err := dataHash("labels", d, map[string]string{"a": sum})
		if err != nil {
			t.Fatal(err)
		}
		return h.SHA256
	}
	first := hash(d, "x")
	if hash(d, "x") != first {
		t.Error("the same data give two hashes")
	}
	if hash(d, "y") == first {
		t.Error("another image gives the same hash")
	}
	d.Annotations = []remuda.Annotation{{ID: 1, ItemID: 1, Crowd: true}}
	if hash(d, "x") == first {
		t.Error("another annotation gives the same hash")
	}
}

func TestDrawingsOfFilesWithOneNameAreKeptApart(t *testing.T) {
	got := drawingsOf("out", []string{"x/a.png", "y/a.jpg", "b.webp"})
	if want := []string{"out/a-1.jpg", "out/a-2.jpg", "out/b.jpg"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAFolderOfResultsIsWrittenAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "results")
	out, err := newOutFolder(path, "mark")
	if err != nil {
		t.Fatal(err)
	}
	w, err := out.create("mark")
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("1"))
	w.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there before its time: %v", err)
	}
	if err := out.keep("mark"); err != nil {
		t.Fatal(err)
	}
	out.discard()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if text, err := os.ReadFile(filepath.Join(path, "mark")); err != nil || string(text) != "1" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestTimesAndSizesAreWrittenForPeople(t *testing.T) {
	for seconds, want := range map[float64]string{0.4: "0s", 59.6: "1m00s", 61: "1m01s", 3725: "1h02m"} {
		if got := duration(seconds); got != want {
			t.Errorf("%v s is %q, want %q", seconds, got, want)
		}
	}
	for n, want := range map[int64]string{2048: "2 kB", 5 << 20: "5.0 MB", 3 << 30: "3.0 GB"} {
		if got := byteCount(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}

func TestABarFitsItsTerminal(t *testing.T) {
	var out strings.Builder
	b := &bar{w: &out, width: 40}
	b.update(0.5, "epoch 1/2", strings.Repeat("x", 100))
	if line := strings.TrimPrefix(out.String(), "\r\x1b[K"); len([]rune(line)) >= 40 {
		t.Errorf("%q is too wide", line)
	}
	out.Reset()
	b.clear()
	b.clear()
	if out.String() != "\r\x1b[K" {
		t.Errorf("clearing printed %q", out.String())
	}
}
