package label

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestCeilingByHand(t *testing.T) {
	cat, wide, dog := box("cat", 0, 0, 10, 10), box("cat", 0, 0, 10, 15), box("dog", 50, 0, 60, 10)
	c := NoiseCeiling([]Doubled{
		{"1", []Answer{answer(cat, dog), answer(cat, dog)}},            // adds 4 of 4
		{"2", []Answer{answer(cat), answer(wide), answer()}},           // pairs: 2 of 2, 0 of 1, 0 of 1 → ⅔ of 4/3; strict 0 of 4/3
		{"3", []Answer{answer(), answer()}},                            // both see nothing: no box, no weight
		{"4", []Answer{answer(cat)}},                                   // one person has nobody to agree with
		{"5", []Answer{answer(box("dog", 0, 0, 10, 10)), answer(cat)}}, // 0 of 2
	}, Options{})
	if c.Images != 4 || c.Pairs != 6 || c.F1.Images != 3 {
		t.Errorf("%d images, %d pairs, %d with boxes", c.Images, c.Pairs, c.F1.Images)
	}
	all := 4 + 4.0/3 + 2
	for name, v := range map[string]struct{ got, want float64 }{
		"F1": {c.F1.Value, (4 + 2.0/3) / all}, "strict": {c.Strict.Value, 4 / all},
		"IoU":    {c.IoU.Value, (2 + 2.0/3/3) / (2 + 1.0/3)},
		"cat F1": {c.Categories[0].F1.Value, (2 + 2.0/3) / (2 + 4.0/3 + 1)}, "cat strict": {c.Categories[0].Strict.Value, 2 / (2 + 4.0/3 + 1)},
		"dog F1": {c.Categories[1].F1.Value, 2.0 / 3},
	} {
		if !near(v.got, v.want) {
			t.Errorf("%s is %.4f, want %.4f", name, v.got, v.want)
		}
	}
	if i := c.F1.Interval; i == nil || i[0] < 0 || i[1] > 1 || i[0] > c.F1.Value || i[1] < c.F1.Value {
		t.Errorf("interval %v", i)
	}
}

func TestCeilingOfIdenticalAndOfNoAnswers(t *testing.T) {
	twin := answer(box("cat", 0, 0, 10, 10))
	same := NoiseCeiling([]Doubled{{"1", []Answer{twin, twin}}, {"2", []Answer{twin, twin, twin}}}, Options{})
	if same.F1.Value != 1 || same.Strict.Value != 1 || !near(same.IoU.Value, 1) || !near(same.F1.Interval[0], 1) {
		t.Errorf("twins: %+v", same)
	}
	for _, none := range [][]Doubled{nil, {{"1", []Answer{twin}}}} {
		if c := NoiseCeiling(none, Options{}); c.Images != 0 || c.F1 != (Mean{}) || c.Categories == nil {
			t.Errorf("nobody to agree with: %+v", c)
		}
	}
}

// Two people who miss and invent independently agree on the objects that both
// found: 2·n·(1−miss)²·same / (2·drawn), with same the chance of one category
// for both.
func TestCeilingIsTheAgreementOfThesePeople(t *testing.T) {
	const rounds, images = 200, 40
	p := typical
	p.noise = 1
	same := (1-p.confuse)*(1-p.confuse) + p.confuse*p.confuse
	const objects = 3.5
	want := objects * (1 - p.miss) * (1 - p.miss) * same / (objects*(1-p.miss) + 2*p.extra)
	r := rand.New(rand.NewPCG(11, 12))
	covered, mean := 0, 0.0
	for round := range rounds {
		var batch []Doubled
		for i := range images {
			truth := scene(r, 6)
			d := Doubled{Task: fmt.Sprint(i)}
			for range 2 + i%2 {
				d.Answers = append(d.Answers, p.draw(r, truth))
			}
			batch = append(batch, d)
		}
		c := NoiseCeiling(batch, Options{Draws: 300, Seed: uint64(round)})
		mean += c.F1.Value / rounds
		if c.F1.Interval[0] <= want && want <= c.F1.Interval[1] {
			covered++
		}
	}
	if rate := float64(covered) / rounds; rate < 0.9 || rate > 0.99 {
		t.Errorf("%.3f of the intervals hold %.3f, want about 0.95", rate, want)
	}
	if mean < want-0.01 || mean > want+0.01 {
		t.Errorf("%.3f on average, want %.3f", mean, want)
	}
}
