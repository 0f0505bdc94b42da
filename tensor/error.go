package tensor

import "fmt"

// Error is a failed operation with the engine's own explanation.
type Error struct {
	Op   string // the operation, as the shim calls it: "conv2d"
	Text string // what libtorch or the shim said
}

// Error returns the operation and the explanation.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Op, e.Text) }

// MissingError says why there is no engine and how to get one.
type MissingError struct {
	Err  error  // what was looked for and not found, or what failed
	Hint string // what to do, a sentence without its full stop
}

// Error returns the failure, without the hint.
func (e *MissingError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *MissingError) Unwrap() error { return e.Err }
