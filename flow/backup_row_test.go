package flow

import (
	"fmt"
	"math"
	"reflect"
	"testing"
)

func TestBackupRowsKeepEveryValue(t *testing.T) {
	values := []any{
		nil, true, false, int64(0), int64(math.MinInt64), int64(math.MaxInt64), 0.0, math.Copysign(0, -1), 1.0, 0.1, 1e300, 5e-324,
		math.Inf(1), math.Inf(-1), "", "a\nb\"\\\u2028<&>", "\xff\xfe", []byte{0, 255},
	}
	line, err := appendRow(nil, values)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseRow(line, len(values))
	if err != nil || len(got) != len(values) {
		t.Fatal(got, err)
	}
	for i, want := range values {
		if !reflect.DeepEqual(got[i], want) || fmt.Sprint(got[i]) != fmt.Sprint(want) { // −0 equals 0
			t.Errorf("%#v came back as %#v", want, got[i])
		}
	}
}
