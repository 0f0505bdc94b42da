package label

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"remuda/geom"
)

// person is a simulated labeler.
type person struct {
	miss    float64    // chance that an object is overlooked
	extra   float64    // chance, per image and twice, that a box stands for nothing
	confuse float64    // chance that an object gets the wrong category
	bias    [4]float64 // pixels that the left, top, right and bottom edge lie outside the object
	noise   float64    // standard deviation of every edge, in pixels
}

var typical = person{miss: 0.15, extra: 0.05, confuse: 0.08, bias: [4]float64{2, 0, 0, 0}, noise: 3}

// scene is up to most objects, at least one, which hardly overlap.
func scene(r *rand.Rand, most int) Answer {
	var a Answer
	for i := range 1 + r.IntN(most) {
		x, y := float64(i%4)*220+20*r.Float64(), float64(i/4)*220+20*r.Float64()
		a.Boxes = append(a.Boxes, Box{Category: []string{"cat", "dog"}[r.IntN(2)], Box: geom.FromXYWH(x, y, 60+100*r.Float64(), 60+100*r.Float64())})
	}
	return a
}

// draw is what the person makes of a scene.
func (p person) draw(r *rand.Rand, truth Answer) Answer {
	a := Answer{Boxes: []Box{}}
	for _, b := range truth.Boxes {
		if r.Float64() < p.miss {
			continue
		}
		if r.Float64() < p.confuse {
			b.Category = map[string]string{"cat": "dog", "dog": "cat"}[b.Category]
		}
		off := func(edge int) float64 { return p.bias[edge] + p.noise*r.NormFloat64() }
		b.Box = geom.Box{X0: b.Box.X0 - off(0), Y0: b.Box.Y0 - off(1), X1: b.Box.X1 + off(2), Y1: b.Box.Y1 + off(3)}
		a.Boxes = append(a.Boxes, b)
	}
	for i := range 2 {
		if r.Float64() < p.extra {
			a.Boxes = append(a.Boxes, Box{Category: "cat", Box: geom.FromXYWH(2000+float64(i)*300*(1+r.Float64()), 2000*r.Float64(), 80, 80)})
		}
	}
	r.Shuffle(len(a.Boxes), func(i, j int) { a.Boxes[i], a.Boxes[j] = a.Boxes[j], a.Boxes[i] })
	return a
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// Ensure that solving islands one by one gives up nothing.
func TestMatchIsAsGoodAsOneLargeAssignment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(0, 8).Draw(t, "n"), rapid.IntRange(0, 8).Draw(t, "m")
		const least = 0.5
		overlaps, cost := make([][]float64, n), make([][]float64, n)
		for i := range n {
			overlaps[i], cost[i] = make([]float64, m), make([]float64, m)
			for j := range m {
				v := float64(rapid.IntRange(0, 20).Draw(t, "overlap")) / 20
				overlaps[i][j] = v
				if v >= least {
					cost[i][j] = -v
				}
			}
		}
		var want, got float64
		for i, j := range geom.Assign(cost) {
			if j >= 0 {
				want -= cost[i][j]
			}
		}
		rows, columns := make(map[int]bool), make(map[int]bool)
		for _, p := range match(n, m, least, func(i, j int) float64 { return overlaps[i][j] }) {
			if rows[p.A] || columns[p.B] || p.IoU < least || p.IoU != overlaps[p.A][p.B] {
				t.Fatalf("pair %+v is not one of these", p)
			}
			rows[p.A], columns[p.B] = true, true
			got += p.IoU
		}
		if !near(got, want) {
			t.Fatalf("overlaps of %g, want %g", got, want)
		}
	})
}
