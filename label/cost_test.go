package label

import (
	"bytes"
	"encoding/csv"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"remuda"
)

func TestActiveTime(t *testing.T) {
	const idle, wall = 30 * time.Second, 10 * time.Minute
	for _, c := range []struct {
		name  string
		spans []Span
		wall  time.Duration
		want  float64 // seconds
	}{
		{"nothing reported", nil, wall, 0},
		{"one stretch, begun at once", []Span{{"a", 0, 40}}, wall, 40},
		{"looking before the first move is work", []Span{{"a", 12, 40}}, wall, 40},
		{"coming back late to an open page is not", []Span{{"a", 300, 340}}, wall, 40},
		{"a short gap is work", []Span{{"a", 0, 10}, {"a", 40, 50}}, wall, 50},
		{"a long gap is not", []Span{{"a", 0, 10}, {"a", 41, 50}}, wall, 19},
		{"overlaps count once", []Span{{"a", 20, 60}, {"a", 0, 40}, {"a", 30, 35}}, wall, 60},
		{"reported twice", []Span{{"a", 0, 40}, {"a", 0, 40}}, wall, 40},
		{"a reloaded page begins anew", []Span{{"a", 0, 40}, {"b", 0, 25}}, wall, 65},
		{"never more than the lease", []Span{{"a", 0, 5000}}, time.Minute, 60},
		{"nor with many pages", []Span{{"a", 0, 50}, {"b", 0, 50}}, time.Minute, 60},
		{"a lease that ended before it began", []Span{{"a", 0, 50}}, -time.Minute, 0},
		{"backwards and before the page", []Span{{"a", 9, 3}, {"a", -5, 10}}, wall, 0},
		{"no numbers", []Span{{"a", math.NaN(), 5}, {"a", 0, math.NaN()}, {"a", math.Inf(-1), 5}}, wall, 0},
		{"endless", []Span{{"a", 0, math.Inf(1)}}, time.Minute, 60},
	} {
		if got := ActiveTime(c.spans, idle, c.wall).Seconds(); !near(got, c.want) {
			t.Errorf("%s: %g s, want %g", c.name, got, c.want)
		}
	}
}

func FuzzActiveTimeIsWithinTheLease(f *testing.F) {
	f.Add(0.0, 10.0, 20.0, 1e300, int64(30), int64(60))
	f.Fuzz(func(t *testing.T, a, b, c, d float64, idle, wall int64) {
		spans := []Span{{"a", a, b}, {"a", c, d}, {"b", b, a}, {"b", d, c}, {"a", a, d}}
		got := ActiveTime(spans, time.Duration(idle), time.Duration(wall))
		if got < 0 || got > max(0, time.Duration(wall))+time.Microsecond {
			t.Errorf("%v of %v", got, time.Duration(wall))
		}
	})
}

// day is a small batch: two tasks done by two people and reviewed, one open,
// one quality task.
func day() ([]Effort, []Yield, Prices) {
	efforts := []Effort{
		{Task: "1", Batch: "b", Person: "ann", Stage: Attempting, Seconds: 60, Drawn: 3, Accepted: 2},
		{Task: "1", Batch: "b", Person: "bob", Stage: Reviewing, Seconds: 30, Drawn: 2},
		{Task: "2", Batch: "b", Person: "bob", Stage: Attempting, Seconds: 120, Drawn: 4, Accepted: 4},
		{Task: "2", Batch: "b", Person: "ann", Stage: Reviewing, Seconds: 30},
		{Task: "3", Batch: "c", Person: "ann", Stage: Attempting, Seconds: 24, Drawn: 1},
		{Task: "q", Batch: "b", Person: "bob", Stage: Attempting, Quality: true, Seconds: 60, Drawn: 2},
	}
	yields := []Yield{{"1", "b", 2}, {"2", "b", 4}}
	return efforts, yields, Prices{Currency: "EUR", Attempt: Price{PerHour: 12, PerBox: 0.05}, Review: Price{PerHour: 24, PerImage: 0.1}}
}

func TestLedgerByHand(t *testing.T) {
	l := NewLedger(day())
	// Costs: 0.35, 0.30, 0.60, 0.30, 0.13, 0.30 (the quality task).
	for _, c := range []struct {
		got  Line
		want Line
	}{
		{l.Total, Line{ID: "", Images: 2, Boxes: 6, Drawn: 12, Seconds: 324, Cost: 1.98, SecondsPerImage: 150, CostPerImage: 0.925, SecondsPerBox: 50, CostPerBox: 1.85 / 6}},
		{l.Batches[0], Line{ID: "b", Images: 2, Boxes: 6, Drawn: 11, Seconds: 300, Cost: 1.85, SecondsPerImage: 150, CostPerImage: 0.925, SecondsPerBox: 50, CostPerBox: 1.85 / 6}},
		{l.Batches[1], Line{ID: "c", Drawn: 1, Seconds: 24, Cost: 0.13}},
		{l.People[0], Line{ID: "ann", Images: 2, Boxes: 2, Drawn: 4, Seconds: 114, Cost: 0.78, SecondsPerImage: 45, CostPerImage: 0.325, SecondsPerBox: 45, CostPerBox: 0.325}},
		{l.People[1], Line{ID: "bob", Images: 2, Boxes: 4, Drawn: 8, Seconds: 210, Cost: 1.2, SecondsPerImage: 105, CostPerImage: 0.6, SecondsPerBox: 52.5, CostPerBox: 0.3}},
		{l.Tasks[0], Line{ID: "1", Images: 1, Boxes: 2, Drawn: 5, Seconds: 90, Cost: 0.65, SecondsPerImage: 90, CostPerImage: 0.65, SecondsPerBox: 45, CostPerBox: 0.325}},
	} {
		if !alike(c.got, c.want) {
			t.Errorf("got  %+v\nwant %+v", c.got, c.want)
		}
	}
	if len(l.Tasks) != 3 || len(l.Batches) != 2 || len(l.People) != 2 {
		t.Errorf("%d tasks, %d batches, %d people", len(l.Tasks), len(l.Batches), len(l.People))
	}
}

// alike compares lines but for rounding.
func alike(a, b Line) bool {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		if va.Field(i).CanFloat() && near(va.Field(i).Float(), vb.Field(i).Float()) {
			continue
		}
		if !va.Field(i).Equal(vb.Field(i)) {
			return false
		}
	}
	return true
}

func TestAheadByHand(t *testing.T) {
	l := NewLedger(day())
	got, ok := l.Ahead([]string{"3", "4"})
	// 90 and 150 s: mean 120, s = 42.43; two open: ± 12.706 · 42.43 · √(2 + 2).
	// Quality tasks add 60/240; 24 s are spent on task 3.
	reach := 12.706204736 * math.Sqrt(1800) * 2
	want := Expected{240*1.25 - 24, 0, (240+reach)*1.25 - 24}
	if !ok || got.Images != 2 || !near(got.Seconds.Value, want.Value) || got.Seconds.Low != 0 || math.Abs(got.Seconds.High-want.High) > 1e-4 {
		t.Errorf("got %+v, want %+v", got.Seconds, want)
	}
	if none, ok := l.Ahead(nil); !ok || none.Cost != (Expected{}) {
		t.Errorf("nothing is left: %+v", none)
	}
	if _, ok := NewLedger(nil, nil, Prices{}).Ahead([]string{"1"}); ok {
		t.Error("nobody can know from nothing")
	}
}

func TestAheadHoldsWhatItTurnsOutToBe(t *testing.T) {
	const rounds, done, open = 1000, 25, 60
	r := rand.New(rand.NewPCG(13, 14))
	held := 0
	for range rounds {
		seconds := func() float64 { return 20 * math.Exp(0.5*r.NormFloat64()) } // skewed, as working times are
		var efforts []Effort
		var yields []Yield
		for i := range done {
			id := string(rune('a' + i))
			efforts = append(efforts, Effort{Task: id, Seconds: seconds()})
			yields = append(yields, Yield{Task: id})
		}
		var truth float64
		for range open {
			truth += seconds()
		}
		if e, _ := NewLedger(efforts, yields, Prices{}).Ahead(make([]string, open)); e.Seconds.Low <= truth && truth <= e.Seconds.High {
			held++
		}
	}
	if rate := float64(held) / rounds; rate < 0.91 || rate > 0.98 {
		t.Errorf("%.3f of the ranges hold what came, want about 0.95", rate)
	}
}

func TestCSVOfCosts(t *testing.T) {
	efforts, yields, prices := day()
	efforts[0].Person = "=1+2"
	var out bytes.Buffer
	if err := NewLedger(efforts, yields, prices).WriteCSV(&out); err != nil {
		t.Fatal(err)
	}
	want := `scope,id,images,boxes,drawn,active_seconds,cost,currency,seconds_per_image,cost_per_image,seconds_per_box,cost_per_box
total,,2,6,12,324.0,1.9800,EUR,150.0,0.9250,50.0,0.3083
batch,b,2,6,11,300.0,1.8500,EUR,150.0,0.9250,50.0,0.3083
batch,c,0,0,1,24.0,0.1300,EUR,,,,
person,'=1+2,1,2,3,60.0,0.3500,EUR,60.0,0.3500,30.0,0.1750
person,ann,1,0,1,54.0,0.4300,EUR,30.0,0.3000,,
person,bob,2,4,8,210.0,1.2000,EUR,105.0,0.6000,52.5,0.3000
task,1,1,2,5,90.0,0.6500,EUR,90.0,0.6500,45.0,0.3250
task,2,1,4,4,150.0,0.9000,EUR,150.0,0.9000,37.5,0.2250
task,3,0,0,1,24.0,0.1300,EUR,,,,
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	if rows, err := csv.NewReader(strings.NewReader(want)).ReadAll(); err != nil || len(rows) != 10 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if err := NewLedger(efforts, yields, prices).WriteCSV(full{}); !errors.Is(err, errFull) {
		t.Errorf("a full disk gave %v", err)
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestPricesOutOfRangeAreRefused(t *testing.T) {
	for name, p := range map[string]Prices{
		"below 0":     {Currency: "EUR", Review: Price{PerBox: -1}},
		"no number":   {Currency: "EUR", Audit: Price{PerHour: math.NaN()}},
		"endless":     {Currency: "EUR", Attempt: Price{PerImage: math.Inf(1)}},
		"no currency": {Attempt: Price{PerHour: 12}},
	} {
		if err := p.Validate(); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Prices{}).Validate(); err != nil {
		t.Errorf("work for nothing: %v", err)
	}
}
