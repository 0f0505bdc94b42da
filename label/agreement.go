package label

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"remuda/geom"
)

// Pair is two boxes that stand for one object: indices into the boxes of the
// one and the other answer, and how much they overlap.
type Pair struct {
	A, B int
	IoU  float64
}

// Comparison says what became of every box of an answer and of the true one
// beside it.
type Comparison struct {
	Found    []Pair // A of the answer and B of the truth, in one category
	Confused []Pair // the same place under two categories
	Missed   []int  // boxes of the truth that nothing stands for
	Extra    []int  // boxes of the answer that stand for nothing
}

// Compare pairs the boxes of an answer with those of the truth: first within
// every category, then what is left of any category, each time one to one so
// that the sum of IoUs is greatest and no pair overlaps less than iou (above 0
// to 1). So a box that is off by more than that counts twice, as missed and as
// extra. A box without area, or with an edge that isn't a number, overlaps none.
func Compare(answer, truth Answer, iou float64) Comparison {
	var c Comparison
	drawn, real := byCategory(answer.Boxes), byCategory(truth.Boxes)
	var leftA, leftB []int
	for _, category := range categories(drawn, real) {
		pairs, a, b := overlapping(answer.Boxes, truth.Boxes, drawn[category], real[category], iou)
		c.Found = append(c.Found, pairs...)
		leftA, leftB = append(leftA, a...), append(leftB, b...)
	}
	c.Confused, c.Extra, c.Missed = overlapping(answer.Boxes, truth.Boxes, leftA, leftB, iou)
	slices.Sort(c.Extra)
	slices.Sort(c.Missed)
	return c
}

// halves returns twice the found boxes, and the boxes of both sides: F1, the
// harmonic mean of precision and recall, is the one by the other. A confused
// box is wrong on both sides.
func (c Comparison) halves() (over, under float64) {
	over = float64(2 * len(c.Found))
	return over, over + float64(2*len(c.Confused)+len(c.Missed)+len(c.Extra))
}

// Accuracy returns how many boxes are right, of how many: each found, confused,
// missed or extra box is one. An empty answer to an empty image is 0 of 0.
func (c Comparison) Accuracy() (correct, of int) {
	return len(c.Found), len(c.Found) + len(c.Confused) + len(c.Missed) + len(c.Extra)
}

// located returns the pairs that overlap, whatever they are called.
func (c Comparison) located() []Pair { return slices.Concat(c.Found, c.Confused) }

// overlapping pairs some boxes of a with some of b and returns the pairs and
// what is left of both.
func overlapping(a, b []Box, some, other []int, iou float64) (pairs []Pair, leftA, leftB []int) {
	for _, p := range match(len(some), len(other), iou, func(i, j int) float64 {
		return overlap(a[some[i]].Box, b[other[j]].Box)
	}) {
		pairs = append(pairs, Pair{some[p.A], other[p.B], p.IoU})
	}
	paired := func(i int, of func(Pair) int) bool {
		return slices.ContainsFunc(pairs, func(p Pair) bool { return of(p) == i })
	}
	for _, i := range some {
		if !paired(i, func(p Pair) int { return p.A }) {
			leftA = append(leftA, i)
		}
	}
	for _, j := range other {
		if !paired(j, func(p Pair) int { return p.B }) {
			leftB = append(leftB, j)
		}
	}
	return pairs, leftA, leftB
}

// match pairs n things with m others one to one so that the sum of their
// overlaps is greatest, leaving out those below least.
func match(n, m int, least float64, overlap func(i, j int) float64) []Pair {
	var near []Pair
	for i := range n {
		for j := range m {
			if v := overlap(i, j); v > 0 && v >= least {
				near = append(near, Pair{i, j, v})
			}
		}
	}
	var pairs []Pair
	for _, island := range islands(n, m, near) {
		pairs = append(pairs, assign(island)...)
	}
	slices.SortFunc(pairs, func(a, b Pair) int { return cmp.Compare(a.A, b.A) })
	return pairs
}

// islands parts pairs so that no thing is in two parts. Crowded images fall
// apart into small problems, where one large one would take minutes.
func islands(n, m int, near []Pair) [][]Pair {
	parent := make([]int, n+m) // things of the second kind come after those of the first
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, p := range near {
		parent[root(p.A)] = root(n + p.B)
	}
	var parts [][]Pair
	part := make(map[int]int)
	for _, p := range near {
		r := root(p.A)
		if _, ok := part[r]; !ok {
			part[r] = len(parts)
			parts = append(parts, nil)
		}
		parts[part[r]] = append(parts[part[r]], p)
	}
	return parts
}

// assign chooses among pairs so that each thing is in one at most and the sum
// of overlaps is greatest.
func assign(near []Pair) []Pair {
	rows, columns := make(map[int]int), make(map[int]int)
	number := func(of map[int]int, thing int) {
		if _, ok := of[thing]; !ok {
			of[thing] = len(of)
		}
	}
	for _, p := range near {
		number(rows, p.A)
		number(columns, p.B)
	}
	cost := make([][]float64, len(rows))
	for i := range cost {
		cost[i] = make([]float64, len(columns))
	}
	for _, p := range near {
		cost[rows[p.A]][columns[p.B]] = -p.IoU
	}
	column := geom.Assign(cost)
	return slices.DeleteFunc(near, func(p Pair) bool { return column[rows[p.A]] != columns[p.B] })
}

// overlap is the IoU of two boxes, 0 where one of them can't be drawn.
func overlap(a, b geom.Box) float64 {
	if !drawable(a) || !drawable(b) {
		return 0
	}
	return a.IoU(b)
}

// drawable reports whether a box has an area, and edges that are numbers and
// not beyond all images, so that sums and squares of them are numbers too.
func drawable(b geom.Box) bool {
	const far = 1e9 // pixels
	inside := func(v float64) bool { return math.Abs(v) <= far }
	return inside(b.X0) && inside(b.Y0) && inside(b.X1) && inside(b.Y1) && b.Area() > 0
}

// byCategory returns the indices of the boxes of every category.
func byCategory(boxes []Box) map[string][]int {
	groups := make(map[string][]int)
	for i, b := range boxes {
		groups[b.Category] = append(groups[b.Category], i)
	}
	return groups
}

// categories returns the keys of several maps, sorted.
func categories(groups ...map[string][]int) []string {
	all := make(map[string]bool)
	for _, g := range groups {
		for category := range g {
			all[category] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
