package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository's, seen from this folder.
const root = "../.."

// goFile is one parsed file, its path relative to the repository.
type goFile struct {
	path string
	test bool
	ast  *ast.File
}

// folder returns the path of the file's package below the module, "." for the root.
func (f goFile) folder() string { return filepath.ToSlash(filepath.Dir(f.path)) }

// product says whether the file is part of what users run.
func (f goFile) product() bool { return !f.test && !strings.HasPrefix(f.path, "internal/arch/") }

// notOurs are folders that hold what tools made or fetched, and what the
// README's commands leave.
var notOurs = []string{"node_modules", "testdata", "dist", "bin", "demo-out", "runs", "ranch", "drawn"}

// walk calls visit with each file of ours, relative to the repository.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && d.Name() != ".ci" && path != root
		if d.IsDir() && (hidden || slices.Contains(notOurs, d.Name())) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && !hidden {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walk the repository: %v", err)
	}
}

// sources parses every Go file of ours.
func sources(t *testing.T) (*token.FileSet, []goFile) {
	t.Helper()
	fset := token.NewFileSet()
	var files []goFile
	walk(t, func(path string) {
		if !strings.HasSuffix(path, ".go") {
			return
		}
		parsed, err := parser.ParseFile(fset, filepath.Join(root, path), nil, parser.ParseComments)
		if err != nil {
			t.Errorf("parse %s: %v", path, err)
			return
		}
		files = append(files, goFile{path, strings.HasSuffix(path, "_test.go"), parsed})
	})
	if len(files) == 0 {
		t.Fatal("no Go file found")
	}
	return fset, files
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return string(b)
}

// complaints are faults that an exception may excuse. An exception that
// excuses nothing is a fault too, so that the list stays short.
type complaints struct {
	t       *testing.T
	excused map[string]string // what → why
	used    map[string]bool
}

func newComplaints(t *testing.T, excused map[string]string) *complaints {
	return &complaints{t, excused, make(map[string]bool)}
}

func (c *complaints) add(what, format string, args ...any) {
	c.t.Helper()
	if _, ok := c.excused[what]; ok {
		c.used[what] = true
		return
	}
	c.t.Errorf(what+": "+format, args...)
}

func (c *complaints) end() {
	c.t.Helper()
	for what, why := range c.excused {
		if !c.used[what] {
			c.t.Errorf("the exception for %s (%s) excuses nothing: remove it", what, why)
		}
	}
}
