package weights

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"remuda"
)

func TestTensorsOfTorchSaveAreReadInBothFormats(t *testing.T) {
	text, err := os.ReadFile("testdata/state.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Shape  []int     `json:"shape"`
		Values []float32 `json:"values"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"state.pth", "legacy.pth"} {
		f, err := Open(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(f.Names()) != len(want) {
			t.Errorf("%s: names %v", file, f.Names())
		}
		for name, w := range want {
			got, err := f.Read(name)
			if err != nil || !slices.Equal(got, w.Values) || !slices.Equal(f.Shape(name), w.Shape) {
				t.Errorf("%s: %s is %v %v, %v; want %v %v", file, name, f.Shape(name), got, err, w.Shape, w.Values)
			}
		}
	}
}

func TestTheModelOfATrainingCheckpointIsFound(t *testing.T) {
	want := []string{"0.bias", "0.weight", "1.bias", "1.num_batches_tracked", "1.running_mean", "1.running_var", "1.weight"}
	for _, file := range []string{"checkpoint.pth", "checkpoint-legacy.pth"} {
		f, err := Open(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if !slices.Equal(f.Names(), want) {
			t.Errorf("%s: names %v, want %v", file, f.Names(), want)
		}
		if values, err := f.Read("0.weight"); err != nil || len(values) != 18 {
			t.Errorf("%s: %v, %v", file, values, err)
		}
	}
}

func TestCodeInAFileIsRefusedByName(t *testing.T) {
	for file, want := range map[string]string{
		"whole-model.pth": "torch.nn.modules.container.Sequential",
		"script.pth":      "__torch__",
	} {
		_, err := Open(filepath.Join("testdata", file))
		if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(remuda.HintOf(err), "state_dict()") {
			t.Errorf("%s: %v (%s); want %q and a hint", file, err, remuda.HintOf(err), want)
		}
	}
}

// archiveOf puts a pickle into an archive as torch.save has it.
func archiveOf(t testing.TB, pickle string, storages map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	entries := map[string][]byte{"archive/data.pkl": []byte(pickle)}
	for key, data := range storages {
		entries["archive/data/"+key] = data
	}
	for name, data := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pickled is the pickle of {"a": tensor} over a storage "0" of four floats:
// offset, sizes and strides are instructions that push them.
func pickled(length, offset, shape, strides string) string {
	return "\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + length + "tQ" + offset + shape + strides + "\x89)tRs."
}

func TestAHandMadePickleOfATensorIsRead(t *testing.T) {
	file := archiveOf(t, pickled("K\x04", "K\x01", "K\x03\x85", "K\x01\x85"), map[string][]byte{"0": {0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 64, 64}})
	f, err := parse("hand.pth", bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Read("a"); err != nil || !slices.Equal(got, []float32{1, 2, 3}) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestMaliciousPicklesAreRefusedInLittleMemory(t *testing.T) {
	laughs := "\x80\x02)q\x00" // tuples of tuples: 2^60 empty ones if anybody walked over them
	for range 60 {
		laughs += "h\x00h\x00\x86q\x00"
	}
	cases := []struct{ name, pickle, want string }{
		{"os.system", "\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", `"os.system"`},
		{"posix.system of protocol 4", "\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.", `"posix.system"`},
		{"eval", "\x80\x02c__builtin__\neval\nX\x03\x00\x00\x001+1\x85R.", `"__builtin__.eval"`},
		{"getattr within torch", "\x80\x02ctorch.serialization\nos.system\n.", `"torch.serialization.os.system"`},
		{"a storage called as a function", "\x80\x02ctorch\nFloatStorage\n)R.", "as a function"},
		{"object of protocol 2", "\x80\x02ccollections\nOrderedDict\n)\x81.", "instruction"},
		{"text instruction INST", "(ios\nsystem\n.", "instruction"},
		{"extension code", "\x80\x02\x82\x01.", "instruction"},
		{"text that claims 4 GB", "\x80\x02X\xff\xff\xff\xff", "larger than"},
		{"text that claims 16 MB", "\x80\x02X\x00\x00\xff\x00abc", "breaks off"},
		{"memo with a huge index", "\x80\x02}r\xff\xff\xff\xffj\xff\xff\xff\xff.", "no arrays"},
		{"deep nesting", "\x80\x02" + strings.Repeat("(", 2_000_000), "objects"},
		{"many containers", "\x80\x02" + strings.Repeat("}0", 2_000_000), "objects"},
		{"nested lists", "\x80\x02" + strings.Repeat("]", 100_000) + strings.Repeat("a", 99_999) + ".", "something else than arrays"},
		{"billion laughs", laughs + ".", "something else than arrays"},
		{"dict within itself", "\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.", "no arrays"},
		{"no stop", "\x80\x02}", "breaks off"},
		{"empty", "", "breaks off"},
		{"stop on an empty stack", "\x80\x02.", "where there is none"},
		{"whole number of 2 kbit", "\x80\x02\x8a\xff" + strings.Repeat("\x7f", 255) + ".", "64 bits"},
		{"name without end", "\x80\x02c" + strings.Repeat("a", 5000), "name without end"},
		{"storage longer than it is", pickled("J\x00\x00\x00\x10", "K\x00", "J\x00\x00\x00\x10\x85", "K\x01\x85"), "shorter than it says"},
		{"tensor beyond its storage", pickled("K\x04", "K\x02", "K\x03\x85", "K\x01\x85"), "reaches beyond"},
		{"strides beyond its storage", pickled("K\x04", "K\x00", "K\x02\x85", "K\x04\x85"), "reaches beyond"},
		{"one number shown as a billion", pickled("K\x04", "K\x00", "J\x00\xca\x9a\x3b\x85", "K\x00\x85"), "reaches beyond"},
		{"overflowing shape", pickled("K\x04", "K\x00", "\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x06\x00\x00\x00\x00\x00\x01\x86", "K\x01K\x01\x86"), "too large"},
		{"negative stride", pickled("K\x04", "K\x03", "K\x04\x85", "J\xff\xff\xff\xff\x85"), "wrongly"},
		{"negative offset", pickled("K\x04", "J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85"), "wrongly"},
		{"sizes without strides", pickled("K\x04", "K\x00", "K\x04\x85", ")"), "wrongly"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := archiveOf(t, c.pickle, map[string][]byte{"0": make([]byte, 16)})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := parse("bad.pth", bytes.NewReader(file), int64(len(file)))
			runtime.ReadMemStats(&after)
			if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "bad.pth") {
				t.Errorf("got %v; want an invalid file and %q", err, c.want)
			}
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<20 {
				t.Errorf("%d MB were allocated", allocated>>20)
			}
		})
	}
}

func TestTruncatedFilesAreRefused(t *testing.T) {
	for _, name := range []string{"state.pth", "legacy.pth"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{len(whole) - 1, len(whole) / 2, len(legacyMagic), 4} {
			if _, err := parse(name, bytes.NewReader(whole[:n]), int64(n)); remuda.CodeOf(err) != remuda.Invalid {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

func TestOtherArchivesAreRefused(t *testing.T) {
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	for name, data := range map[string]string{"archive/data.pkl": pickled("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), "archive/data/0": "0123456789abcdef"} {
		w, err := z.Create(name) // compressed
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(data))
	}
	z.Close()
	var photos bytes.Buffer
	z = zip.NewWriter(&photos)
	z.Create("photo.jpg")
	z.Close()
	tar := append(make([]byte, 257), "ustar\x00xxxxxx"...)
	for _, c := range []struct {
		file []byte
		want string
	}{{packed.Bytes(), "compressed"}, {photos.Bytes(), "without data.pkl"}, {tar, "tar format"}} {
		if _, err := parse("x.pth", bytes.NewReader(c.file), int64(len(c.file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestAMissingFileIsNotFound(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "none.pth")); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("got %v", err)
	}
	if _, err := Open(t.TempDir()); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a folder: got %v", err)
	}
}

// FuzzOpen looks for files that crash the readers or make them take memory that
// the file does not account for.
func FuzzOpen(f *testing.F) {
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pth" {
			return err
		}
		data, err := os.ReadFile(path)
		f.Add(data)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}`, 8))
	f.Add(archiveOf(f, pickled("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"), map[string][]byte{"0": make([]byte, 16)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := parse("fuzzed", bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if remuda.HintOf(err) == "" {
				t.Errorf("no hint with %v", err)
			}
			return
		}
		for _, name := range file.Names() {
			values, err := file.Read(name)
			if n, _ := elements(file.Shape(name)); err == nil && int64(len(values)) != n {
				t.Errorf("%d values for the shape %v", len(values), file.Shape(name))
			}
			if len(values) > len(data) {
				t.Errorf("%d values from %d bytes", len(values), len(data))
			}
		}
	})
}

// FuzzUnpickle reaches deeper than FuzzOpen, whose inputs mostly break the
// archive around the pickle.
func FuzzUnpickle(f *testing.F) {
	f.Add(pickled("K\x04", "K\x00", "K\x04\x85", "K\x01\x85"))
	f.Add("\x80\x02]q\x00(K\x01G\x3f\xf0\x00\x00\x00\x00\x00\x00U\x01aNe.")
	f.Add("\x80\x02ccollections\nOrderedDict\n]]q\x00(X\x01\x00\x00\x00aK\x01ea\x85R}b.")
	f.Fuzz(func(t *testing.T, pickle string) {
		archive := archiveOf(t, pickle, map[string][]byte{"0": make([]byte, 16)})
		file := &File{path: "fuzzed", data: bytes.NewReader(archive)}
		if err := file.parseZip(int64(len(archive))); err != nil {
			return
		}
		for _, name := range file.Names() {
			if values, err := file.Read(name); err != nil || len(values) > 16 {
				t.Errorf("%d values from 16 bytes, %v", len(values), err)
			}
		}
	})
}

func ExampleOpen() {
	f, err := Open("testdata/state.pth")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	values, err := f.Read("parameter")
	fmt.Println(f.Shape("parameter"), values, err)
	// Output: [2] [0.5 -0.25] <nil>
}
