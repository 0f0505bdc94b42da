package slice

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"remuda"
)

// A file of cases names its rows, then has filters at the left edge after
// their kind (items, boxes or query) and under each, indented, what is
// expected: ids of what it chooses, its canonical form (is), or the error's
// column, words of its message and, after a bar, of its hint.
type sliceCase struct {
	at         string // file:line
	kind, text string
	expected   []string
}

func readCases(t *testing.T, path string) (rows []Item, cases []sliceCase) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		kind, rest, _ := strings.Cut(line, " ")
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case kind == "rows":
			rows = readRows(t, filepath.Join(filepath.Dir(path), rest))
		case line[0] == '\t':
			last := &cases[len(cases)-1]
			last.expected = append(last.expected, line[1:])
		default:
			cases = append(cases, sliceCase{at: fmt.Sprintf("%s:%d", filepath.Base(path), i+1), kind: kind, text: rest})
		}
	}
	return rows, cases
}

func readRows(t testing.TB, path string) []Item {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []Item
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var item Item
		if err := json.Unmarshal(lines.Bytes(), &item); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		rows = append(rows, item)
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no rows", path)
	}
	return rows
}

func (c sliceCase) parse() (Filter, error) {
	switch c.kind {
	case "boxes":
		return Parse(c.text, Boxes)
	case "query":
		return ParseQuery(c.text)
	}
	return Parse(c.text, Items)
}

// chosen returns the ids of the rows that a filter chooses.
func chosen(f Filter, rows []Item) string {
	var ids []string
	for i := range rows {
		if f.Level == Items && f.Item(&rows[i]) {
			ids = append(ids, rows[i].ID)
		}
		for j := range rows[i].Boxes {
			if box := &rows[i].Boxes[j]; f.Level == Boxes && f.Box(&rows[i], box) {
				ids = append(ids, box.ID)
			}
		}
	}
	return strings.Join(ids, " ")
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.slice")
	if err != nil || len(files) < 6 {
		t.Fatalf("the files of cases are gone: %v, %v", files, err)
	}
	for _, path := range files {
		rows, cases := readCases(t, path)
		for _, c := range cases {
			t.Run(c.at, func(t *testing.T) { c.check(t, rows) })
		}
	}
}

func (c sliceCase) check(t *testing.T, rows []Item) {
	f, err := c.parse()
	if len(c.expected) == 0 {
		t.Fatalf("%q expects nothing", c.text)
	}
	for _, line := range c.expected {
		what, want, _ := strings.Cut(line, " ")
		switch {
		case what == "error":
			c.checkError(t, err, want)
		case err != nil:
			t.Fatalf("%s: %v (%s)", c.text, err, remuda.HintOf(err))
		case what == "ids":
			if got := chosen(f, rows); got != want {
				t.Errorf("%s\nchooses %s\nwant    %s", c.text, got, want)
			}
		case what == "is":
			if got := f.String(); got != want {
				t.Errorf("%s\nis   %s\nwant %s", c.text, got, want)
			}
		default:
			t.Fatalf("unknown expectation %q", line)
		}
	}
	if err == nil {
		mustReadBack(t, f)
	}
}

func (c sliceCase) checkError(t *testing.T, err error, want string) {
	t.Helper()
	column, words, _ := strings.Cut(want, " ")
	message, hint, _ := strings.Cut(words, " | ")
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || remuda.CodeOf(err) != remuda.Invalid {
		t.Fatalf("%s\ngave %v, want an invalid filter", c.text, err)
	}
	if fmt.Sprint(syntax.Column) != column || !strings.HasPrefix(syntax.Message, strings.TrimSpace(message)) && !strings.Contains(syntax.Message, message) {
		t.Errorf("%s\ngave %v\nwant column %s: %s", c.text, syntax, column, message)
	}
	if got := remuda.HintOf(err); !strings.Contains(got, hint) {
		t.Errorf("%s\nhints %q\nwant  %q", c.text, got, hint)
	}
}

// mustReadBack checks that the canonical form is the filter.
func mustReadBack(t interface {
	Helper()
	Fatalf(string, ...any)
}, f Filter) {
	t.Helper()
	again, err := Parse(f.String(), f.Level)
	if err != nil || !reflect.DeepEqual(f, again) {
		t.Fatalf("%s\nreads back as %s\n%#v\n%#v\n%v", f, again, f, again, err)
	}
}
