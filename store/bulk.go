package store

import (
	"slices"
	"strings"
)

const (
	insertArgs = 400 // of one INSERT of several rows: more gains nothing, and the text would be parsed anew each time
	listLength = 500 // of one IN list
)

// insert adds rows to a table; columns are their names, separated by commas.
// What follows the values, such as ON CONFLICT …, may be empty.
func (tx *Tx) insert(table, columns, after string, rows [][]any) error {
	if len(rows) == 0 {
		return nil
	}
	width := len(rows[0])
	for chunk := range slices.Chunk(rows, max(1, insertArgs/width)) {
		var text strings.Builder
		text.WriteString("INSERT INTO " + table + " (" + columns + ") VALUES ")
		args := make([]any, 0, len(chunk)*width)
		for i, row := range chunk {
			if i > 0 {
				text.WriteString(", ")
			}
			text.WriteString("(" + tx.rowMarks(len(args)+1, width) + ")")
			args = append(args, row...)
		}
		if _, err := tx.exec(text.String()+" "+after, args...); err != nil {
			return err
		}
	}
	return nil
}

// rowMarks returns n parameters that follow each other, the first of which is
// the statement's first-th. SQLite looks for each named one in a list of all,
// which takes as long as all else of an INSERT of several rows.
func (tx *Tx) rowMarks(first, n int) string {
	if tx.dialect == SQLite {
		return strings.Repeat("?, ", n-1) + "?"
	}
	return placeholders(first, n)
}

// placeholders returns n ordinal parameters from first on, separated by commas.
func placeholders(first, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = placeholder(first + i)
	}
	return strings.Join(marks, ", ")
}

// inLists calls do with pieces of a list short enough for IN (marks), whose
// parameters begin at first; args are that piece's values.
func inLists(values []string, first int, do func(marks string, args []any) error) error {
	for chunk := range slices.Chunk(values, listLength) {
		args := make([]any, len(chunk))
		for i, v := range chunk {
			args[i] = v
		}
		if err := do(placeholders(first, len(chunk)), args); err != nil {
			return err
		}
	}
	return nil
}

// qualified puts a table's name before each of its columns.
func qualified(table, columns string) string {
	return table + "." + strings.ReplaceAll(columns, ", ", ", "+table+".")
}
