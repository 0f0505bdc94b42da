package ratelimit

import (
	"strconv"
	"testing"
	"time"
)

func TestNamesAreLimitedEachOnItsOwn(t *testing.T) {
	l, now := New(1, 3), time.Unix(1000, 0)
	for i := range 5 {
		if got, want := l.Allow("ada", now), i < 3; got != want {
			t.Errorf("call %d of ada: %v", i, got)
		}
	}
	if !l.Allow("bob", now) {
		t.Error("bob pays for ada")
	}
	if !l.Allow("ada", now.Add(time.Second)) || l.Allow("ada", now.Add(time.Second)) {
		t.Error("a second does not bring back one")
	}
}

func TestManyNamesDoNotFreeTheBusyOnes(t *testing.T) {
	l, now := New(1, 2), time.Unix(1000, 0)
	for i := range maxNames - 1 {
		l.Allow(strconv.Itoa(i), now)
	}
	now = now.Add(2 * time.Second)
	l.Allow("ada", now)
	l.Allow("ada", now)
	for i := range 100 {
		l.Allow("new "+strconv.Itoa(i), now)
	}
	if l.Allow("ada", now) {
		t.Error("ada was forgotten while others had recovered")
	}
	if len(l.names) > maxNames {
		t.Errorf("%d names are kept", len(l.names))
	}
}
