package own

import (
	"encoding/json"
	"time"

	"remuda"
	"remuda/wire"
)

// as turns a value of package label into the one of package wire that is the
// same in JSON, and back. A test holds the two together.
func as[T any](v any) (out T, err error) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return out, remuda.Errorf(remuda.Invalid, "translate between a request and the rules of the work: %w", err)
	}
	return out, nil
}

// reported is as for what a verb returned, unless that failed.
func reported[T any](v any, err error) (T, error) {
	if err != nil {
		var none T
		return none, err
	}
	return as[T](v)
}

// momentOf writes a time that may be zero: "" then.
func momentOf(t time.Time) wire.Time {
	if t.IsZero() {
		return ""
	}
	return wire.NewTime(t)
}

// secondsOf reads a number of seconds, up to a day.
func secondsOf(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
