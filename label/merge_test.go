package label

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"remuda/geom"
)

func box(category string, x0, y0, x1, y1 float64) Box {
	return Box{Category: category, Box: geom.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
}

func answer(boxes ...Box) Answer { return Answer{Boxes: boxes} }

func TestCompareByHand(t *testing.T) {
	cat := box("cat", 0, 0, 10, 10)
	for _, c := range []struct {
		name          string
		answer, truth Answer
		found         []Pair
		confused      []Pair
		missed, extra []int
	}{
		{"nothing on either side", answer(), answer(), nil, nil, nil, nil},
		{"the same", answer(cat), answer(cat), []Pair{{0, 0, 1}}, nil, nil, nil},
		{"overlooked", answer(), answer(cat), nil, nil, []int{0}, nil},
		{"invented", answer(cat), answer(), nil, nil, nil, []int{0}},
		{"another category", answer(box("dog", 0, 0, 10, 10)), answer(cat), nil, []Pair{{0, 0, 1}}, nil, nil},
		{"exactly half", answer(box("cat", 0, 0, 5, 10)), answer(cat), []Pair{{0, 0, 0.5}}, nil, nil, nil},
		{"less than half is missed and extra", answer(box("cat", 0, 0, 4.9, 10)), answer(cat), nil, nil, []int{0}, []int{0}},
		{"one of two twins is extra", answer(cat, cat), answer(cat), []Pair{{0, 0, 1}}, nil, nil, []int{1}},
		{"the best pairing, not the nearest first", answer(box("cat", 0, 0, 10, 10), box("cat", 3, 0, 13, 10)), answer(box("cat", 2, 0, 12, 10), box("cat", 5, 0, 15, 10)),
			[]Pair{{0, 0, 8.0 / 12}, {1, 1, 8.0 / 12}}, nil, nil, nil},
		{"beyond all images", answer(box("cat", 0, 0, 1e10, 10)), answer(box("cat", 0, 0, 1e10, 10)), nil, nil, []int{0}, []int{0}},
		{"its own category first", answer(box("dog", 0, 0, 10, 10), box("cat", 1, 0, 11, 10)), answer(cat, box("dog", 1, 0, 11, 10)),
			[]Pair{{1, 0, 9.0 / 11}, {0, 1, 9.0 / 11}}, nil, nil, nil},
	} {
		got := Compare(c.answer, c.truth, 0.5)
		if !reflect.DeepEqual(got, Comparison{c.found, c.confused, c.missed, c.extra}) {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestF1AndAccuracyByHand(t *testing.T) {
	c := Comparison{Found: make([]Pair, 6), Confused: make([]Pair, 1), Missed: make([]int, 2), Extra: make([]int, 1)}
	if f1, ok := f1Of(c); !ok || f1 != 12.0/17 { // 8 drawn, 9 true
		t.Errorf("F1 %g", f1)
	}
	if correct, of := c.Accuracy(); correct != 6 || of != 10 {
		t.Errorf("%d of %d", correct, of)
	}
	if _, ok := f1Of(Comparison{}); ok {
		t.Error("no boxes have no F1")
	}
}

func TestOneAttemptStaysAsItIs(t *testing.T) {
	a := answer(Box{ID: "a", Category: "cat", Box: geom.Box{X0: 0.1, Y0: 0.2, X1: 10.3, Y1: 9.7}, Attributes: map[string]any{"truncated": "yes"}})
	a.Attributes = map[string]any{"night": "no"}
	m := Merge([]Answer{a}, Options{})
	if !reflect.DeepEqual(m.Answer(), a) || m.Agreement != 1 || m.Disputed() != nil {
		t.Errorf("got %+v", m)
	}
}

func TestNothingIsAgreedUpon(t *testing.T) {
	for _, attempts := range [][]Answer{nil, {answer()}, {answer(), answer(), answer()}} {
		m := Merge(attempts, Options{})
		if len(m.Boxes) != 0 || m.Agreement != 1 || m.Answer().Boxes == nil {
			t.Errorf("%d empty answers gave %+v", len(attempts), m)
		}
	}
}

func TestThreeAttemptsByHand(t *testing.T) {
	m := Merge([]Answer{
		answer(Box{ID: "a", Category: "cat", Box: geom.Box{X0: 0, Y0: 0, X1: 10, Y1: 10}, Attributes: map[string]any{"pose": "sits"}}, box("cat", 50, 50, 60, 60)),
		answer(Box{ID: "b", Category: "cat", Box: geom.Box{X0: 1, Y0: 0, X1: 10, Y1: 10}, Attributes: map[string]any{"pose": "sits", "tail": "seen"}}),
		answer(Box{ID: "c", Category: "dog", Box: geom.Box{X0: -4, Y0: 0, X1: 10, Y1: 10}, Attributes: map[string]any{"pose": "runs", "tail": "seen"}}),
	}, Options{})
	if len(m.Boxes) != 2 {
		t.Fatalf("%d objects", len(m.Boxes))
	}
	object, alone := m.Boxes[0], m.Boxes[1]
	want := MergedBox{
		Box:  Box{ID: "a", Category: "cat", Box: geom.Box{X0: 0, Y0: 0, X1: 10, Y1: 10}, Attributes: map[string]any{"pose": "sits", "tail": "seen"}},
		Kept: true, Votes: 3, Categories: map[string]int{"cat": 2, "dog": 1},
		Agreement: 0.9 / 3, // the cats overlap by 0.9; each pair with the dog counts 0
		Spread:    Edges{Left: 5},
		Split:     []string{"pose", "tail"},
		Members:   []Member{{0, 0}, {1, 0}, {2, 0}},
	}
	if !reflect.DeepEqual(object, want) {
		t.Errorf("got  %+v\nwant %+v", object, want)
	}
	if alone.Kept || alone.Votes != 1 || alone.Agreement != 0 {
		t.Errorf("what one of three drew: %+v", alone)
	}
	if !near(m.Agreement, 0.15) || len(m.Disputed()) != 2 || len(m.Answer().Boxes) != 1 {
		t.Errorf("agreement %g, %d disputed", m.Agreement, len(m.Disputed()))
	}
}

func TestOfTwoAttemptsEachOnesBoxesAreKept(t *testing.T) {
	m := Merge([]Answer{answer(box("cat", 0, 0, 10, 10)), answer(box("cat", 0, 0, 10, 12), box("dog", 40, 40, 50, 50))}, Options{})
	if got := m.Answer().Boxes; len(got) != 2 || got[0].Box.Y1 != 11 || len(m.Disputed()) != 1 {
		t.Errorf("got %+v", m)
	}
}

func TestTwoObjectsInOnePlaceStayTwo(t *testing.T) {
	both := answer(box("horse", 0, 0, 10, 10), box("rider", 0, 0, 10, 9))
	m := Merge([]Answer{both, answer(box("horse", 0, 0, 10, 10)), answer(box("rider", 0, 0, 10, 9))}, Options{})
	if len(m.Boxes) != 2 || m.Boxes[0].Votes != 2 || m.Boxes[1].Votes != 2 {
		t.Errorf("got %+v", m.Boxes)
	}
}

// In a row of boxes where each overlaps the next only, the middle one belongs to
// its nearer neighbour.
func TestTheMiddleOfARowGoesWithTheNearer(t *testing.T) {
	left, middle, right := geom.Box{X0: 0, X1: 10, Y1: 10}, geom.Box{X0: 2.5, X1: 12.5, Y1: 10}, geom.Box{X0: 5.5, X1: 15.5, Y1: 10}
	for _, categories := range [][3]string{{"cat", "cat", "cat"}, {"cat", "dog", "fox"}, {"fox", "dog", "cat"}} {
		m := Merge([]Answer{
			{Boxes: []Box{{Category: categories[2], Box: right}}},
			{Boxes: []Box{{Category: categories[1], Box: middle}}},
			{Boxes: []Box{{Category: categories[0], Box: left}}},
		}, Options{})
		if len(m.Boxes) != 2 || m.Boxes[0].Votes != 1 || m.Boxes[1].Box.Box.X0 != 1.25 {
			t.Errorf("%v: got %+v", categories, m.Boxes)
		}
	}
}

func TestBoxesThatCannotBeDrawnAreLeftOut(t *testing.T) {
	good := box("cat", 0, 0, 10, 10)
	bad := answer(box("cat", 5, 5, 5, 9), box("cat", 9, 0, 3, 10), box("cat", math.NaN(), 0, 3, 10), box("cat", 0, 0, 1e10, 10), good)
	if m := Merge([]Answer{bad, bad}, Options{}); len(m.Boxes) != 1 || m.Boxes[0].Box.Box != good.Box || m.Agreement != 1 {
		t.Errorf("got %+v", m.Boxes)
	}
}

func TestMergedBoxesHaveIdsOfTheirOwn(t *testing.T) {
	m := Merge([]Answer{
		{Boxes: []Box{{ID: "1", Category: "cat", Box: geom.Box{X1: 5, Y1: 5}}}},
		{Boxes: []Box{{ID: "1", Category: "cat", Box: geom.Box{X0: 20, X1: 25, Y1: 5}}, {ID: "1-2", Category: "cat", Box: geom.Box{X0: 40, X1: 45, Y1: 5}}}},
	}, Options{})
	ids := make(map[string]bool)
	for _, b := range m.Boxes {
		ids[b.Box.ID] = true
	}
	if len(ids) != 3 {
		t.Errorf("ids %v", ids)
	}
}

// The order in which people handed in decides nothing but the order of boxes
// and their ids.
func TestMergingDoesNotDependOnTheOrderOfAttempts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 100 {
		truth := scene(r, 6)
		attempts := make([]Answer, 3+round%3)
		for i := range attempts {
			attempts[i] = typical.draw(r, truth)
		}
		places := func(attempts []Answer) (places []geom.Box) {
			for _, b := range Merge(attempts, Options{}).Answer().Boxes {
				places = append(places, b.Box)
			}
			slices.SortFunc(places, func(a, b geom.Box) int { return int(math.Copysign(1, a.X0-b.X0)) })
			return places
		}
		want := places(attempts)
		slices.Reverse(attempts)
		if got := places(attempts); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
	}
}

func TestMergedResultIsBetterThanTheMeanAttempt(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	careless := person{miss: 0.3, extra: 0.3, confuse: 0.2, bias: [4]float64{8, 0, -6, 0}, noise: 6}
	for _, c := range []struct {
		name   string
		people []person
	}{
		{"two alike", []person{typical, typical}},
		{"three alike", []person{typical, typical, typical}},
		{"one careless of three", []person{typical, careless, typical}},
		{"one careless of five", []person{careless, typical, typical, typical, typical}},
	} {
		var merged, mean tally
		for range 300 {
			truth := scene(r, 5)
			var attempts []Answer
			for _, p := range c.people {
				attempts = append(attempts, p.draw(r, truth))
				mean.add(Compare(attempts[len(attempts)-1], truth, 0.5))
			}
			merged.add(Compare(Merge(attempts, Options{}).Answer(), truth, 0.5))
		}
		if merged.f1() < mean.f1()+0.02 || merged.iou() < mean.iou()+0.005 {
			t.Errorf("%s: merged F1 %.3f and IoU %.3f, mean attempt %.3f and %.3f", c.name, merged.f1(), merged.iou(), mean.f1(), mean.iou())
		}
	}
}

// tally sums comparisons with the truth.
type tally struct{ over, under, overlap, pairs float64 }

func (s *tally) add(c Comparison) {
	over, under := c.halves()
	s.over += over
	s.under += under
	for _, p := range c.Found {
		s.overlap += p.IoU
		s.pairs++
	}
}

func (s *tally) f1() float64  { return s.over / s.under }
func (s *tally) iou() float64 { return s.overlap / s.pairs }

// Ensure no box whatever makes a result that can't be written down.
func FuzzMerge(f *testing.F) {
	nan, inf := math.NaN(), math.Inf(1)
	f.Add(0.0, 0.0, 10.0, 10.0, 0.0, 0.0, 10.0, 10.0)
	f.Add(nan, 0.0, 10.0, 10.0, 0.0, nan, 10.0, inf)
	f.Add(-inf, -inf, inf, inf, -1e308, -1e308, 1e308, 1e308)
	f.Add(10.0, 10.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0)
	f.Add(1e-320, 0.0, 2e-320, 1e-320, 0.0, 0.0, 5e-324, 5e-324)
	f.Fuzz(func(t *testing.T, ax0, ay0, ax1, ay1, bx0, by0, bx1, by1 float64) {
		a, b := box("cat", ax0, ay0, ax1, ay1), box("cat", bx0, by0, bx1, by1)
		dog := box("dog", ax0, by0, bx1, ay1)
		attempts := []Answer{answer(a, b, dog), answer(b, a), answer(a, dog)}
		m := Merge(attempts, Options{})
		if _, err := json.Marshal(m); err != nil {
			t.Errorf("%v", err)
		}
		if m.Agreement < 0 || m.Agreement > 1+1e-9 {
			t.Errorf("agreement %g", m.Agreement)
		}
		for _, kept := range m.Answer().Boxes {
			if kept.Box.X1 < kept.Box.X0 || kept.Box.Y1 < kept.Box.Y0 {
				t.Errorf("inside out: %+v", kept.Box)
			}
		}
		c := Compare(attempts[0], attempts[1], 0.5)
		if got := 2*len(c.Found) + 2*len(c.Confused) + len(c.Missed) + len(c.Extra); got != 5 {
			t.Errorf("%d of 5 boxes have a fate: %+v", got, c)
		}
	})
}

// f1Of is the F1 of a comparison, and false where neither side has a box.
func f1Of(c Comparison) (float64, bool) {
	over, under := c.halves()
	return over / max(under, 1), under > 0
}
