package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"remuda/imageio"
	"remuda/weights"
)

// The test binary is also the command: under that name it runs main, children
// included.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"remuda": main})
}

// Scripts that need no engine. Each verb has one, and $DATA is the bundled
// raccoon set.
func TestScripts(t *testing.T) {
	testscript.Run(t, params(t, filepath.Join("testdata", "*.txt")))
}

func params(t *testing.T, files string) testscript.Params {
	t.Helper()
	scripts, err := filepath.Glob(files)
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts match %s: %v", files, err)
	}
	data, err := filepath.Abs(filepath.Join("..", "..", "demo", "raccoon"))
	if err != nil {
		t.Fatal(err)
	}
	starter, err := filepath.Abs(filepath.Join("..", "..", "weights", "starter", weights.StarterFile))
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Files:               scripts,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			server := httptest.NewServer(http.HandlerFunc(serveWeights))
			env.Defer(server.Close)
			env.Setenv("DATA", data)
			env.Setenv("STARTER", starter)
			env.Setenv("REMUDA_CACHE", filepath.Join(env.WorkDir, "cache"))
			env.Setenv("REMUDA_TORCH", filepath.Join(env.WorkDir, "no-torch"))
			env.Setenv("REMUDA_WEIGHTS_URL", server.URL)
			return writePictures(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": checkStatus, "jsonlines": jsonLines, "cut": cut},
	}
}

// serveWeights has one file, and it is not torchvision's.
func serveWeights(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/resnet50-0676ba61.pth" {
		w.Write([]byte("<html>log in first</html>"))
		return
	}
	http.NotFound(w, r)
}

// writePictures makes a folder of good images and one of broken ones.
func writePictures(dir string) error {
	picture := imageio.NewRGB(64, 48)
	for i := range picture.Pix {
		picture.Pix[i] = byte(i * 7)
	}
	good, err := imageio.EncodeJPEG(picture, 90)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"good/a.jpg": good, "good/b.jpg": good, "mixed/a.jpg": good,
		"mixed/cut.jpg": good[:len(good)/2], "mixed/empty.jpg": nil, "mixed/text.jpg": []byte("this is no image"),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// checkStatus is the script command "status N program args…", which runs the
// program and checks its exit status.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// jsonLines is the script command "jsonlines FILE FIELD…", which checks that
// every line is a JSON object that has the fields.
func jsonLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: jsonlines FILE [field...]")
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(ts.ReadFile(args[0]))))
	count := 0
	for ; decoder.More(); count++ {
		var object map[string]any
		ts.Check(decoder.Decode(&object))
		for _, field := range args[1:] {
			if _, ok := object[field]; !ok {
				ts.Fatalf("object %d of %s has no field %q: %v", count+1, args[0], field, object)
			}
		}
	}
	if count == 0 {
		ts.Fatalf("%s has no JSON object", args[0])
	}
}

// cut is the script command "cut FROM TO N", which copies the first N bytes.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut from to bytes")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	whole := ts.ReadFile(args[0])
	if n > len(whole) {
		ts.Fatalf("%s has %d bytes, not %d", args[0], len(whole), n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(whole[:n]), 0o644))
}
