package slice

import (
	"fmt"
	"unicode/utf8"

	"remuda"
)

// The limits of a filter.
const (
	MaxText      = 64 << 10 // bytes of a filter, as written and in canonical form
	MaxNodes     = 400      // conditions and expressions; SQLite nests no deeper than 1000
	MaxDepth     = 50       // of conditions and expressions in each other
	MaxValues    = 1000     // of all lists together
	MaxOperators = 12       // of the arithmetic on a side of a comparison
	maxNesting   = 4 * MaxDepth
)

// SyntaxError says where a filter is wrong and what was expected there.
// Parse wraps it in an invalid [remuda.Error], whose hint says what to write.
type SyntaxError struct {
	Column  int // characters (code points) from 1; one past the last at the end
	Message string
}

// Error returns the column and the message.
func (e *SyntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Message) }

// failAt makes the error for a byte offset of a filter.
func failAt(source string, at int, hint, format string, args ...any) error {
	syntax := &SyntaxError{Column: utf8.RuneCountInString(source[:at]) + 1, Message: fmt.Sprintf(format, args...)}
	err := remuda.Errorf(remuda.Invalid, "read filter: %w", syntax)
	if hint != "" {
		return err.WithHint("%s", hint)
	}
	return err
}
