package remuda

import (
	"errors"
	"fmt"
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
