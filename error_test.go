package remuda

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestCodesAndHintsAreFoundThroughWrapping(t *testing.T) {
	inner := Errorf(NotFound, "open labels: %w", fs.ErrNotExist).WithHint("check %s", "--train")
	err := fmt.Errorf("start: %w", inner)
	if CodeOf(err) != NotFound || HintOf(err) != "check --train" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("code %q, hint %q of %v", CodeOf(err), HintOf(err), err)
	}
	outer := Errorf(Unavailable, "serve: %w", err)
	if CodeOf(outer) != Unavailable || HintOf(outer) != "check --train" {
		t.Errorf("the outermost code and the first hint: %q, %q", CodeOf(outer), HintOf(outer))
	}
	if CodeOf(errors.New("x")) != Internal || CodeOf(nil) != "" || HintOf(nil) != "" || HintOf(errors.New("x")) != "" {
		t.Error("an error without a code is internal and has no hint; nil has neither")
	}
}

func TestUsersAreNotToldOfFilesAndTables(t *testing.T) {
	path := &fs.PathError{Op: "open", Path: "/srv/secret", Err: fs.ErrPermission}
	for _, c := range []struct {
		err  error
		want string
	}{
		{Errorf(Conflict, "save: %w", errors.New("it has changed")), "save: it has changed"},
		{Errorf(Unavailable, "store: %w", path).WithHint("make room"), "store: permission denied: make room"},
		{fmt.Errorf("store: %w", Errorf(NotFound, "%w", Inside("it is not there", fmt.Errorf("in /srv: %w", path)))), "store: it is not there"},
		{Errorf(Unavailable, "save: %w", errors.Join(Inside("it has failed", errors.New("table x")), path)), "save: it has failed\npermission denied"},
		{fmt.Errorf("read: %w", path), "a fault of the server: its log says more"},
		{Errorf(Internal, "read: its bytes have changed").WithHint("send it again"), "read: its bytes have changed: send it again"},
	} {
		if got := Sentence(c.err); got != c.want {
			t.Errorf("%v is told as %q, want %q", c.err, got, c.want)
		}
		if !errors.Is(Inside("x", c.err), c.err) || Inside("x", c.err).Error() != c.err.Error() {
			t.Errorf("%v lost something", c.err)
		}
	}
}
