package remuda

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestIDsAscendAndNeverRepeat(t *testing.T) {
	at := time.UnixMilli(1_800_000_000_000)
	clock := at
	ids := NewIDs(func() time.Time { return clock })
	var all []string
	for i := range 5000 {
		clock = at.Add(time.Duration(i/100) * time.Millisecond)
		if i%700 == 699 {
			clock = at // a clock that was set back
		}
		all = append(all, ids.New("di"))
	}
	if !slices.IsSorted(all) {
		t.Error("ids do not ascend")
	}
	if n := len(slices.Compact(all)); n != 5000 {
		t.Errorf("%d different ids of 5000", n)
	}
	if id := all[0]; len(id) != len("di_")+20 || !strings.HasPrefix(id, "di_") || strings.ToLower(id) != id {
		t.Errorf("id %q", id)
	}
}

func TestIDTellsWhenItWasMade(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7_900_000, time.UTC)
	id := NewIDs(func() time.Time { return at }).New("task")
	if got, want := IDTime(id), at.Truncate(time.Millisecond); !got.Equal(want) {
		t.Errorf("%s was made at %v, want %v", id, got, want)
	}
	if first, next := FirstID("task", at), FirstID("task", at.Add(time.Millisecond)); first > id || next <= id {
		t.Errorf("%s does not lie between %s and %s", id, first, next)
	}
	for _, bad := range []string{"", "task", "task_", "task_x", "12345678901234567890"} {
		if got := IDTime(bad); !got.IsZero() {
			t.Errorf("%q was made at %v", bad, got)
		}
	}
}

func TestIDOfATimeStandsAmongThoseOfThatTime(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ids := NewIDs(func() time.Time { return now })
	then := ids.New("x")
	now = now.Add(time.Hour)
	a, b := ids.At("x", IDTime(then)), ids.At("x", IDTime(then))
	if a == b || !IDTime(a).Equal(IDTime(then)) || len(a) != len(then) || a >= ids.New("x") {
		t.Errorf("%s and %s like %s", a, b, then)
	}
}
