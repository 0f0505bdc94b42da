package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The budgets.
const (
	maxFileLines  = 800
	maxFuncLines  = 100
	maxMethods    = 6 // of an interface
	sourceEndings = ".go .cc .h .ts .tsx .js .css .py .sh"
)

// longFuncs are tables and switches that read better whole: path:name → why.
var longFuncs = map[string]string{}

// changingVars are package-level variables that are set after their
// declaration: folder:name → why.
var changingVars = map[string]string{
	"cmd/remuda:version": "the linker sets it (script/build)",
}

// panics are functions that may panic, beside those named must… and the tensor
// operations, whose panics Engine.Do turns into errors.
var panics = map[string]string{}

// Ensure no file grows past what one can keep in mind.
func TestFileLength(t *testing.T) {
	walk(t, func(path string) {
		ending := filepath.Ext(path)
		script := strings.HasPrefix(path, "script/") || strings.HasPrefix(path, ".ci/")
		if !script && (ending == "" || !slices.Contains(strings.Fields(sourceEndings), ending)) {
			return
		}
		if n := strings.Count(read(t, path), "\n"); n > maxFileLines {
			t.Errorf("%s has %d lines, %d are allowed: split it by noun", path, n, maxFileLines)
		}
	})
}

// Ensure functions stay readable, and that none hides at package level: no
// init, no panic outside the tensor operations.
func TestFunctions(t *testing.T) {
	fset, files := sources(t)
	long, panicking := newComplaints(t, longFuncs), newComplaints(t, panics)
	for _, f := range files {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			what := f.path + ":" + fn.Name.Name
			if n := fset.Position(fn.End()).Line - fset.Position(fn.Pos()).Line + 1; n > maxFuncLines && !f.test {
				long.add(what, "%d lines, %d are allowed", n, maxFuncLines)
			}
			if fn.Name.Name == "init" && fn.Recv == nil {
				t.Errorf("%s: no init functions; do it where it is needed", what)
			}
			must := strings.HasPrefix(strings.ToLower(fn.Name.Name), "must")
			if f.product() && f.folder() != "tensor" && !must && callsPanic(fn.Body) {
				panicking.add(what, "return an error instead of a panic")
			}
		}
	}
	long.end()
	panicking.end()
}

func callsPanic(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				found = true
			}
		}
		return !found
	})
	return found
}

// Ensure every exported name says what it is.
func TestDocComments(t *testing.T) {
	_, files := sources(t)
	packageDoc := make(map[string]bool)
	for _, f := range files {
		if !f.product() {
			continue
		}
		packageDoc[f.folder()] = packageDoc[f.folder()] || f.ast.Doc != nil
		if f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s has no doc comment", f.path, name)
			}
		}
	}
	for folder, ok := range packageDoc {
		if !ok {
			t.Errorf("%s: the package has no comment", folder)
		}
	}
}

// undocumented returns the exported names that a declaration leaves bare. A
// comment on a group speaks for its members.
func undocumented(d ast.Decl) []string {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || ast.IsExported(receiver(d))) {
			return []string{d.Name.Name}
		}
	case *ast.GenDecl:
		var bare []string
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					bare = append(bare, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						bare = append(bare, n.Name)
					}
				}
			}
		}
		return bare
	}
	return nil
}

// receiver returns the name of a method's type, without star and parameters.
func receiver(d *ast.FuncDecl) string {
	e := d.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// Ensure interfaces stay small enough to fake.
func TestInterfaces(t *testing.T) {
	_, files := sources(t)
	for _, f := range files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if i, ok := spec.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > maxMethods {
				t.Errorf("%s: interface %s has %d methods, %d are allowed", f.path, spec.Name.Name, i.Methods.NumFields(), maxMethods)
			}
			return true
		})
	}
}

// Ensure package-level variables are constants in all but name: errors,
// compiled patterns, embedded files, tables that nothing assigns to.
func TestPackageVariables(t *testing.T) {
	_, files := sources(t)
	changing := newComplaints(t, changingVars)
	assigned := make(map[string]map[string]bool) // folder → names that something assigns to
	for _, f := range files {
		if assigned[f.folder()] == nil {
			assigned[f.folder()] = make(map[string]bool)
		}
		if f.product() {
			noteAssigned(f.ast, assigned[f.folder()])
		}
	}
	for _, f := range files {
		if f.product() {
			for _, name := range changeable(f.ast, assigned[f.folder()]) {
				changing.add(f.folder()+":"+name, "no package-level variable that can change; make it a field or a constant")
			}
		}
	}
	changing.end()
}

// changeable returns a file's package-level variables that are not fixed when
// they are declared, or that something assigns to.
func changeable(file *ast.File, assigned map[string]bool) []string {
	var names []string
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for i, name := range spec.Names {
				embedded := comments(g.Doc, spec.Doc, "//go:embed")
				fixed := embedded || i < len(spec.Values) && constant(spec.Values[i])
				if name.Name != "_" && (!fixed || assigned[name.Name]) {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

func comments(g, s *ast.CommentGroup, prefix string) bool {
	for _, group := range []*ast.CommentGroup{g, s} {
		if group == nil {
			continue
		}
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, prefix) {
				return true
			}
		}
	}
	return false
}

// makers are calls whose results don't change, as long as their arguments don't.
var makers = []string{
	"errors.New", "errors.Join", "fmt.Errorf", "remuda.Errorf", "regexp.MustCompile", "template.Must", "big.NewInt",
	"sync.OnceValue", "sync.OnceValues", "crc32.MakeTable", "strings.NewReplacer", "reflect.TypeFor", "purego.NewCallback",
}

// constant says whether an expression is a table or a call of one of makers.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.UnaryExpr:
		return constant(e.X)
	case *ast.FuncLit:
		return true
	case *ast.CallExpr:
		fun := e.Fun
		if method, ok := fun.(*ast.SelectorExpr); ok {
			if inner, ok := method.X.(*ast.CallExpr); ok { // remuda.Errorf(…).WithHint(…)
				return constant(inner)
			}
		}
		if _, conversion := fun.(*ast.ArrayType); conversion {
			return true
		}
		name := dotted(fun)
		return slices.Contains(makers, name) || strings.HasPrefix(name, "math.") || slices.Contains(numbers, name)
	}
	return false
}

// numbers are the types that a computed constant is converted to.
var numbers = []string{"float32", "float64", "int", "int64", "uint64"}

func dotted(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return dotted(e.X) + "." + e.Sel.Name
	case *ast.IndexExpr:
		return dotted(e.X)
	}
	return ""
}

// noteAssigned collects the names at the root of whatever is assigned to. Names
// that a function declares for itself are left out by the parser's resolution.
func noteAssigned(file *ast.File, names map[string]bool) {
	note := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.Ident:
				local := x.Obj != nil && file.Scope.Lookup(x.Name) != x.Obj
				if !local {
					names[x.Name] = true
				}
				return
			default:
				return
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					note(e)
				}
			}
		case *ast.IncDecStmt:
			note(n.X)
		}
		return true
	})
}

// environmentReaders look at settings that are not Remuda's own: path → why.
var environmentReaders = map[string]string{
	"tensor/build.go":   "CXX names the C++ compiler, as in every build",
	"tensor/library.go": "OMP_WAIT_POLICY is libgomp's; what a person has set stays",
}

// Ensure the environment is read by the command alone.
func TestEnvironment(t *testing.T) {
	reading := newComplaints(t, environmentReaders)
	readers := []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.Args"}
	_, files := sources(t)
	for _, f := range files {
		if f.test || strings.HasPrefix(f.path, "cmd/") || strings.HasPrefix(f.path, "internal/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(readers, dotted(s)) {
				reading.add(f.path, "%s is for the command alone; take a parameter", dotted(s))
			}
			return true
		})
	}
	reading.end()
}

// Ensure queries live in the store.
func TestSQL(t *testing.T) {
	query := regexp.MustCompile(`^["` + "`" + `]\s*(SELECT\s|INSERT INTO\s|UPDATE \S+ SET\s|DELETE FROM\s|CREATE (TABLE|INDEX)\s)`)
	_, files := sources(t)
	for _, f := range files {
		if !f.product() || f.folder() == "store" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && query.MatchString(lit.Value) {
				t.Errorf("%s: a query outside store: %s", f.path, lit.Value)
			}
			return true
		})
	}
}

// Ensure no test waits by the clock.
func TestNoSleeps(t *testing.T) {
	_, files := sources(t)
	for _, f := range files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && f.test && dotted(s) == "time.Sleep" {
				t.Errorf("%s: a test never sleeps; wait for what it waits for", f.path)
			}
			return true
		})
	}
}

// Ensure nothing points into the home of one machine.
func TestNoMachinePaths(t *testing.T) {
	home := regexp.MustCompile(`(^|[\s"'` + "`" + `(=:])/(root|home|work/(main|shared)|tmp/briefs)/`)
	walk(t, func(path string) {
		if strings.HasPrefix(path, "internal/arch/") || slices.Contains([]string{".jpg", ".png", ".safetensors", ".gz", ".bin"}, filepath.Ext(path)) {
			return
		}
		for i, line := range strings.Split(read(t, path), "\n") {
			if home.MatchString(line) {
				t.Errorf("%s:%d: a path of one machine: %s", path, i+1, strings.TrimSpace(line))
			}
		}
	})
}

// Ensure the rules on declarations see what they are there to see.
func TestDeclarationRulesCatch(t *testing.T) {
	const source = `package p
import "errors"
var errFine = errors.New("fine")
var table = []int{1, 2}
var written = []int{1, 2}
var shadowed = []int{1}
var empty int
func f() { written[0] = 3; shadowed := 1; shadowed = 2; _ = shadowed }
func Bare() {}
// Told is documented.
func Told() {}
type T struct{}
func (T) Method() {}
type hidden struct{}
func (hidden) Method() {}
const (
	A = 1 // a
	B = 2
)
`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	assigned := make(map[string]bool)
	noteAssigned(file, assigned)
	if got, want := changeable(file, assigned), []string{"written", "empty"}; !slices.Equal(got, want) {
		t.Errorf("variables that can change: got %v, want %v", got, want)
	}
	var bare []string
	for _, d := range file.Decls {
		bare = append(bare, undocumented(d)...)
	}
	if want := []string{"Bare", "T", "Method", "B"}; !slices.Equal(bare, want) {
		t.Errorf("names without a comment: got %v, want %v", bare, want)
	}
}
