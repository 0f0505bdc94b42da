package wire

import (
	"fmt"
	"time"
)

// Time is a moment as RFC 3339 writes it.
type Time string

// NewTime writes a moment in UTC with exactly three decimals.
func NewTime(t time.Time) Time { return Time(t.UTC().Format("2006-01-02T15:04:05.000Z")) }

// OptionalTime is NewTime for a moment that may be absent: "" then.
func OptionalTime(t *time.Time) Time {
	if t == nil {
		return ""
	}
	return NewTime(*t)
}

// Time reads the moment.
func (t Time) Time() (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, string(t))
	if err != nil {
		return at, fmt.Errorf("read the time %q: %w", string(t), err)
	}
	return at, nil
}
