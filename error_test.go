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
