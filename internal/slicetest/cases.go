// Package slicetest has what tests every way to run a filter: the cases of
// package slice's testdata, and filters drawn at random.
package slicetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"remuda/slice"
)

// Case is a filter and what is expected of it.
type Case struct {
	At       string // file:line
	Kind     string // items, boxes or query
	Text     string
	Expected []string // lines: ids …, is … or error …
}

// Cases reads the files of a folder that end in .slice, which is package
// slice's testdata, and calls do with each case and its rows.
//
// A file of cases names its rows, then has filters at the left edge after
// their kind (items, boxes or query) and under each, indented, what is
// expected: ids of what it chooses, its canonical form (is), or the error's
// column, words of its message and, after a bar, of its hint.
func Cases(t *testing.T, folder string, do func(c Case, rows []slice.Item)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.slice"))
	if err != nil || len(files) < 6 {
		t.Fatalf("the files of cases are gone: %v, %v", files, err)
	}
	for _, path := range files {
		rows, cases := readCases(t, path)
		for _, c := range cases {
			do(c, rows)
		}
	}
}

func readCases(t *testing.T, path string) (rows []slice.Item, cases []Case) {
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
			rows = Rows(t, filepath.Join(filepath.Dir(path), rest))
		case line[0] == '\t':
			last := &cases[len(cases)-1]
			last.Expected = append(last.Expected, line[1:])
		default:
			cases = append(cases, Case{At: fmt.Sprintf("%s:%d", filepath.Base(path), i+1), Kind: kind, Text: rest})
		}
	}
	return rows, cases
}

// Rows reads a file of items, one JSON object a line.
func Rows(t testing.TB, path string) []slice.Item {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []slice.Item
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var item slice.Item
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

// Parse reads the case's filter.
func (c Case) Parse() (slice.Filter, error) {
	switch c.Kind {
	case "boxes":
		return slice.Parse(c.Text, slice.Boxes)
	case "query":
		return slice.ParseQuery(c.Text)
	}
	return slice.Parse(c.Text, slice.Items)
}

// Chosen returns the ids of the rows that a filter chooses, in the rows' order.
func Chosen(f slice.Filter, rows []slice.Item) []string {
	var ids []string
	for i := range rows {
		if f.Level == slice.Items && f.Item(&rows[i]) {
			ids = append(ids, rows[i].ID)
		}
		for j := range rows[i].Boxes {
			if box := &rows[i].Boxes[j]; f.Level == slice.Boxes && f.Box(&rows[i], box) {
				ids = append(ids, box.ID)
			}
		}
	}
	return ids
}
