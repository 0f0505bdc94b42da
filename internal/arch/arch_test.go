// Package arch holds the rules of the house as tests: who may import whom, and
// (style_test.go) what the source itself must look like.
package arch

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "remuda"

// room is a package's place in the house.
type room struct {
	layer int
	not   string // packages of the standard library that it must not know, beyond those of everyone
}

// house is the table of layers. Imports point to a lower layer only, so two
// packages of one layer never import each other; a folder's package may import
// those inside the folder, which it joins. A package that is not here fails.
var house = map[string]room{
	"geom":   {0, "image image/color"},
	"tensor": {0, "net/http"},
	"ui":     {0, "net/http"},

	".": {1, "net/http"},

	"imageio": {2, "net/http"},
	"format":  {2, "net/http"},
	"weights": {2, ""}, // downloads
	"blob":    {2, ""}, // buckets
	"slice":   {2, "net/http"},
	"lint":    {2, "net/http"},
	"label":   {2, "net/http"},
	"eval":    {2, "net/http"},
	"child":   {2, "net/http"},
	"wire":    {2, "net/http"},

	"internal/httpx": {2, ""}, // knows the errors' codes, for the faces
	"internal/fetch": {2, ""}, // knows the errors' codes, and the web

	"detect": {3, "net/http os"},
	"report": {3, "net/http"},
	"store":  {3, "net/http"},
	"jobs":   {3, "net/http"},
	"client": {3, ""},

	"train":  {4, "net/http"},
	"deploy": {4, ""},
	"flow":   {4, "net/http"},

	"api/nucleus": {5, ""},
	"api/scale":   {5, ""},
	"api/own":     {5, ""},
	"api/image":   {5, ""},
	"api":         {5, ""},

	"cmd/remuda": {6, ""},
}

// sqlRooms may import database/sql: store has every query, jobs takes store's
// transaction, cmd opens the database.
var sqlRooms = []string{"store", "jobs", "cmd/remuda"}

type listed struct {
	ImportPath                 string
	Imports                    []string
	CgoFiles, CFiles, CXXFiles []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,CgoFiles,CFiles,CXXFiles", "./...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatalf("read list of packages: %v", err)
		}
		all = append(all, p)
	}
}

// Ensure imports point to a lower layer only and stay in their room.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, wrong := range wrongImports(p) {
			t.Error(wrong)
		}
	}
}

// Ensure the rule itself sees what it is there to see.
func TestImportRuleCatches(t *testing.T) {
	for _, c := range []struct {
		name, from, imports string
		wrong               bool
	}{
		{"lower layer", "train", "remuda/detect", false},
		{"root", "eval", "remuda", false},
		{"higher layer", "detect", "remuda/train", true},
		{"same layer", "eval", "remuda/format", true},
		{"inside its own folder", "api", "remuda/api/own", false},
		{"sibling", "api/own", "remuda/api/scale", true},
		{"the command", "api", "remuda/cmd/remuda", true},
		{"package without a room", "attic", "remuda/geom", true},
		{"test helper", "train", "remuda/internal/enginetest", true},
		{"SQL outside the store", "flow", "database/sql", true},
		{"SQL in the store", "store", "database/sql", false},
		{"HTTP in the store", "store", "net/http", true},
		{"helper with a place, from above", "flow", "remuda/internal/fetch", false},
		{"helper with a place, from below", "geom", "remuda/internal/fetch", true},
		{"root, from a helper with a place", "internal/fetch", "remuda", false},
		{"root, from a helper without", "internal/disk", "remuda", true},
		{"flags outside the command", "train", "flag", true},
		{"flags in the command", "cmd/remuda", "flag", false},
	} {
		got := wrongImports(listed{ImportPath: module + "/" + c.from, Imports: []string{c.imports}})
		if (len(got) > 0) != c.wrong {
			t.Errorf("%s: %s imports %s: got %q", c.name, c.from, c.imports, got)
		}
	}
}

func wrongImports(p listed) []string {
	var wrong []string
	from := path(p.ImportPath)
	if len(p.CgoFiles)+len(p.CFiles)+len(p.CXXFiles) > 0 {
		wrong = append(wrong, from+": no package uses cgo; native code is the engine's shim, opened at run time")
	}
	place, ok := house[from]
	if strings.HasPrefix(from, "internal/") && !ok {
		return append(wrong, wrongInternal(from, p.Imports)...)
	}
	if !ok {
		return append(wrong, from+" has no place in the house: add it to the table with its layer, or move it")
	}
	for _, imp := range p.Imports {
		if imp != module && !strings.HasPrefix(imp, module+"/") {
			if reason := wrongOutside(from, place, imp); reason != "" {
				wrong = append(wrong, from+" must not import "+imp+": "+reason)
			}
			continue
		}
		to := path(imp)
		switch other, ok := house[to]; {
		case strings.HasPrefix(to, "internal/") && strings.HasSuffix(to, "test"):
			wrong = append(wrong, from+" must not import "+to+": it is for tests")
		case strings.HasPrefix(to, "internal/") && !ok || strings.HasPrefix(to, from+"/"):
		case !ok:
			wrong = append(wrong, from+" imports "+to+", which has no place in the house")
		case other.layer >= place.layer:
			wrong = append(wrong, from+" must not import "+to+": imports point to a lower layer only")
		}
	}
	return wrong
}

// wrongInternal: helpers know nothing of ours, so that every layer can use
// them; those for tests (named …test) may import what they help to test.
func wrongInternal(from string, imports []string) []string {
	var wrong []string
	for _, imp := range imports {
		if strings.HasPrefix(imp, module) && !strings.HasSuffix(from, "test") && !strings.HasPrefix(path(imp), "internal/") {
			wrong = append(wrong, from+" must not import "+path(imp)+": internal packages serve every layer")
		}
	}
	return wrong
}

func wrongOutside(from string, place room, imp string) string {
	switch {
	case imp == "flag" && from != "cmd/remuda":
		return "only the command reads flags"
	case imp == "database/sql" && !slices.Contains(sqlRooms, from):
		return "SQL lives in store"
	case imp == "testing":
		return "it is for tests"
	case slices.Contains(strings.Fields(place.not), imp):
		return "not its business"
	}
	return ""
}

// path returns an import path below the module, "." for its root.
func path(imp string) string {
	if imp == module || imp == module+"/." {
		return "."
	}
	return strings.TrimPrefix(imp, module+"/")
}
