package main

import (
	"bytes"
	"testing"
)

func TestNamesDontSteerATerminal(t *testing.T) {
	var shown bytes.Buffer
	if n, err := (plainWriter{&shown}).Write([]byte("a\x1b[31mred\x07\tname\n")); n != 16 || err != nil {
		t.Errorf("wrote %d: %v", n, err)
	}
	if want := "a?[31mred?\tname\n"; shown.String() != want {
		t.Errorf("shown %q, want %q", shown.String(), want)
	}
	if w := forTerminal(&shown); w != &shown {
		t.Error("a file or pipe gets other bytes than were written")
	}
}
