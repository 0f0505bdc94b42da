package slice_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"remuda"
	"remuda/internal/slicetest"
	"remuda/slice"
)

// chosen returns the ids of the rows that a filter chooses.
func chosen(f slice.Filter, rows []slice.Item) string {
	return strings.Join(slicetest.Chosen(f, rows), " ")
}

func TestCases(t *testing.T) {
	slicetest.Cases(t, "testdata", func(c slicetest.Case, rows []slice.Item) {
		t.Run(c.At, func(t *testing.T) { check(t, c, rows) })
	})
}

func check(t *testing.T, c slicetest.Case, rows []slice.Item) {
	f, err := c.Parse()
	if len(c.Expected) == 0 {
		t.Fatalf("%q expects nothing", c.Text)
	}
	for _, line := range c.Expected {
		what, want, _ := strings.Cut(line, " ")
		switch {
		case what == "error":
			checkError(t, c, err, want)
		case err != nil:
			t.Fatalf("%s: %v (%s)", c.Text, err, remuda.HintOf(err))
		case what == "ids":
			if got := chosen(f, rows); got != want {
				t.Errorf("%s\nchooses %s\nwant    %s", c.Text, got, want)
			}
		case what == "is":
			if got := f.String(); got != want {
				t.Errorf("%s\nis   %s\nwant %s", c.Text, got, want)
			}
		default:
			t.Fatalf("unknown expectation %q", line)
		}
	}
	if err == nil {
		mustReadBack(t, f)
	}
}

func checkError(t *testing.T, c slicetest.Case, err error, want string) {
	t.Helper()
	column, words, _ := strings.Cut(want, " ")
	message, hint, _ := strings.Cut(words, " | ")
	var syntax *slice.SyntaxError
	if !errors.As(err, &syntax) || remuda.CodeOf(err) != remuda.Invalid {
		t.Fatalf("%s\ngave %v, want an invalid filter", c.Text, err)
	}
	if fmt.Sprint(syntax.Column) != column || !strings.HasPrefix(syntax.Message, strings.TrimSpace(message)) && !strings.Contains(syntax.Message, message) {
		t.Errorf("%s\ngave %v\nwant column %s: %s", c.Text, syntax, column, message)
	}
	if got := remuda.HintOf(err); !strings.Contains(got, hint) {
		t.Errorf("%s\nhints %q\nwant  %q", c.Text, got, hint)
	}
}

// mustReadBack checks that the canonical form is the filter.
func mustReadBack(t interface {
	Helper()
	Fatalf(string, ...any)
}, f slice.Filter) {
	t.Helper()
	again, err := slice.Parse(f.String(), f.Level)
	if err != nil || !reflect.DeepEqual(f, again) {
		t.Fatalf("%s\nreads back as %s\n%#v\n%#v\n%v", f, again, f, again, err)
	}
}
