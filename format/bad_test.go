package format

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"remuda"
)

// badFiles returns the files of testdata/kind/*.bad.* with the words that the
// user must see, which lie beside each in *.words.
func badFiles(t *testing.T, kind string) map[string]string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", kind, "*.bad.*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no bad files of %s: %v", kind, err)
	}
	files := make(map[string]string)
	for _, file := range found {
		name, _, _ := strings.Cut(file, ".bad.")
		files[file] = strings.TrimSuffix(string(readFile(t, name+".words")), "\n")
	}
	return files
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mustSay checks that an error is the user's to mend, names the file, has the
// words, and says what to do.
func mustSay(t *testing.T, err error, file, words string) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s was accepted, want %q", file, words)
	case remuda.CodeOf(err) != remuda.Invalid && remuda.CodeOf(err) != remuda.NotFound:
		t.Errorf("%s: %v is coded %s", file, err, remuda.CodeOf(err))
	case !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), file):
		t.Errorf("%s: got\n\t%v\nwant\n\t%s", file, err, words)
	case remuda.HintOf(err) == "":
		t.Errorf("%s: %v has no hint", file, err)
	}
}

// Ensure each bad COCO file is refused with the words beside it.
func TestReadRefusesBadCOCO(t *testing.T) {
	for file, words := range badFiles(t, "coco") {
		_, err := Read(file, Options{})
		mustSay(t, err, file, words)
	}
}

// Ensure each bad file of predictions is refused with the words beside it.
func TestReadPredictionsRefusesBadFiles(t *testing.T) {
	d := remuda.Dataset{Items: []remuda.Item{{ID: 1}}, Categories: []remuda.Category{{ID: 1}}}
	for file, words := range badFiles(t, "predictions") {
		_, err := ReadPredictions(file, d)
		mustSay(t, err, file, words)
	}
}

// Ensure each bad VOC file is refused with the words beside it.
func TestReadRefusesBadVOC(t *testing.T) {
	for file, words := range badFiles(t, "voc") {
		_, err := Read(file, Options{})
		mustSay(t, err, file, words)
	}
}

// Ensure each bad YOLO folder is refused with the words beside it. A file there
// is data.yaml, a line of dashes, and the labels of the only image.
func TestReadRefusesBadYOLO(t *testing.T) {
	for file, words := range badFiles(t, "yolo") {
		config, labels, _ := bytes.Cut(readFile(t, file), []byte("---\n"))
		folder := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(file), ".bad.txt"))
		write(t, folder, map[string]string{"data.yaml": string(config), "labels/a.txt": string(labels), "images/a.jpg": ""})
		_, err := Read(folder, Options{Size: sizeOf(100, 80)})
		mustSay(t, err, folder, words)
	}
}

// write writes files below a folder.
func write(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// sizeOf gives every image that exists one size.
func sizeOf(w, h int) func(string) (int, int, error) {
	return func(file string) (int, int, error) {
		if _, err := os.Stat(file); err != nil {
			return 0, 0, err
		}
		return w, h, nil
	}
}

// Ensure what is not there, and what is there but no labels, is said so.
func TestReadNamesWhatIsMissing(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, map[string]string{
		"notes.txt": "hello", "sub/train.json": "{}", "both/a.xml": "<annotation/>", "both/classes.txt": "horse",
		"nameless/labels/a.txt": "0 0.5 0.5 0.1 0.1", "nameless/images/a.jpg": "",
		"orphan/classes.txt": "horse", "orphan/labels/b.txt": "0 0.5 0.5 0.1 0.1", "orphan/images/a.jpg": "",
		"far/data.yaml": "names: [horse]\ntrain: train.txt\n", "far/train.txt": "../../secret.jpg\n",
		"bare/data.yaml": "names: [horse]\ntrain: images\n", "bare/images/a.jpg": "",
	})
	for _, c := range []struct {
		path, words string
		o           Options
	}{
		{"absent.json", "there is no such file", Options{}},
		{"absent", "there is no such file", Options{}},
		{"notes.txt", "it is of no known format", Options{}},
		{"sub", "there are no labels in the folder", Options{}},
		{"both", "both Pascal VOC and YOLO labels", Options{}},
		{"nameless", "nothing says what its classes are called", Options{Size: sizeOf(9, 9)}},
		{"orphan", "labels/b.txt: there is no image of that name", Options{Size: sizeOf(9, 9)}},
		{"far", `line 1: "../../secret.jpg" leads outside the folder of images`, Options{Size: sizeOf(9, 9)}},
		{"bare", `there is no split called "val"`, Options{Split: "val", Size: sizeOf(9, 9)}},
		{"bare", "YOLO's boxes are fractions of the images' sizes", Options{}},
		{"bare", `no label format is called "darknet"`, Options{Kind: "darknet"}},
	} {
		_, err := Read(filepath.Join(folder, c.path), c.o)
		file := filepath.Join(folder, c.path)
		if c.o.Kind != "" {
			file = ""
		}
		mustSay(t, err, file, c.words)
	}
}

// Ensure an error lists ten problems and counts the rest.
func TestErrorsListTenProblems(t *testing.T) {
	_, err := Read("testdata/coco/many.bad.json", Options{})
	if got := strings.Count(err.Error(), "\n  annotations["); got != 10 {
		t.Errorf("lists %d problems, want 10", got)
	}
	if !strings.HasSuffix(err.Error(), "\n  and 5 more") {
		t.Errorf("%v doesn't count the rest", err)
	}
}
