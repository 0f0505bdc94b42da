package remuda

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Code says what kind of failure a user is looking at.
type Code string

// The six codes. An error without one is Internal.
const (
	Invalid      Code = "invalid"      // the request or a file in it is wrong; sending it again fails again
	NotFound     Code = "not_found"    // what was named does not exist
	Conflict     Code = "conflict"     // it exists already, is in use, or has changed since it was read
	Unauthorized Code = "unauthorized" // the caller may not do this
	Unavailable  Code = "unavailable"  // something needed is not there now: the engine, the network, disk space
	Internal     Code = "internal"     // a fault of the program
)

// Causes that an HTTP face tells apart from others of their code.
var (
	ErrNoLogin = errors.New("nobody has logged in")     // unauthorized: who asks is not known
	ErrTooFast = errors.New("too many in a short time") // unavailable: the same may work a little later
)

// Because returns an error that reads as text and has a cause, which the text
// says already.
func Because(cause error, format string, args ...any) error {
	return because{fmt.Sprintf(format, args...), cause}
}

type because struct {
	text  string
	cause error
}

func (b because) Error() string { return b.text }
func (b because) Unwrap() error { return b.cause }

// Error is a failure with a code and, where someone can act, a hint.
// Err's text names the action that failed, in lower case.
type Error struct {
	Code Code
	Hint string // what to do about it, a sentence without its full stop; may be empty
	Err  error  // never nil
}

// Error returns what failed and why, without the hint.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an error with a code; the format may wrap one cause with %w.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// WithHint returns a copy of e that tells the reader what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	hinted := *e
	hinted.Hint = fmt.Sprintf(format, args...)
	return &hinted
}

// CodeOf returns the code of the outermost coded error in err's chain,
// Internal if there is none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for e, ok := errors.AsType[*Error](err); ok; e, ok = errors.AsType[*Error](e.Err) {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}

// Inside returns an error whose text is for those who run a server, since it
// may name files, tables and addresses; [Told] tells its users something instead.
func Inside(instead string, err error) error { return inside{err, instead} }

type inside struct {
	error
	instead string
}

func (i inside) Unwrap() error { return i.error }

// Told is what a server's users read of an error: nothing of what stands inside
// of it, the paths of files among it. A fault of the program says no more than that.
func Told(err error) string {
	if CodeOf(err) == Internal && HintOf(err) == "" {
		return "a fault of the server: its log says more"
	}
	return told(err.Error(), err)
}

// told takes what errors of a tree have inside out of a text.
func told(text string, err error) string {
	switch e := err.(type) {
	case inside:
		return strings.ReplaceAll(text, e.Error(), e.instead)
	case *fs.PathError:
		return strings.ReplaceAll(text, e.Error(), e.Err.Error())
	case interface{ Unwrap() error }:
		return told(text, e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			text = told(text, cause)
		}
	}
	return text
}

// Sentence is [Told], and what to do.
func Sentence(err error) string {
	if hint := HintOf(err); hint != "" {
		return Told(err) + ": " + hint
	}
	return Told(err)
}
