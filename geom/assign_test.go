package geom

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func totalCost(cost [][]float64, rows []int) (sum float64, pairs int) {
	for i, j := range rows {
		if j >= 0 {
			sum += cost[i][j]
			pairs++
		}
	}
	return sum, pairs
}

// cheapest tries every pairing of the rows from i on; as many rows as needed stay out.
func cheapest(cost [][]float64, i, leave int, taken []bool) float64 {
	if i == len(cost) {
		return 0
	}
	best := math.Inf(1)
	if leave > 0 {
		best = cheapest(cost, i+1, leave-1, taken)
	}
	for j := range taken {
		if !taken[j] {
			taken[j] = true
			best = min(best, cost[i][j]+cheapest(cost, i+1, leave, taken))
			taken[j] = false
		}
	}
	return best
}

func TestAssignOfKnownCosts(t *testing.T) {
	for _, c := range []struct {
		name string
		cost [][]float64
		want float64
	}{
		{"nothing", [][]float64{}, 0},
		{"rows without columns", [][]float64{{}, {}}, 0},
		{"the greedy choice is wrong", [][]float64{{1, 2}, {2, 100}}, 4},
		{"more columns", [][]float64{{4, 1, 3}, {2, 0, 5}}, 3},
		{"more rows", [][]float64{{4, 2}, {1, 0}, {3, 5}}, 3},
		{"negative", [][]float64{{-0.9, -0.8}, {-0.8, 0}}, -1.6},
	} {
		if got, _ := totalCost(c.cost, Assign(c.cost)); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: costs %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAssignIsCheapestOfAllPairings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(0, 6).Draw(t, "rows"), rapid.IntRange(0, 6).Draw(t, "columns")
		value := rapid.OneOf(rapid.Float64Range(-1, 1), rapid.SampledFrom([]float64{0, 0.5, 1}))
		cost := make([][]float64, n)
		for i := range cost {
			cost[i] = rapid.SliceOfN(value, m, m).Draw(t, "row")
		}
		rows := Assign(cost)
		taken := map[int]bool{}
		for _, j := range rows {
			if j >= 0 && taken[j] {
				t.Fatalf("column %d is taken twice in %v", j, rows)
			}
			taken[j] = true
		}
		got, pairs := totalCost(cost, rows)
		if len(rows) != n || pairs != min(n, m) {
			t.Fatalf("%d pairs of %d rows, want %d of %d", pairs, len(rows), min(n, m), n)
		}
		if want := cheapest(cost, 0, max(0, n-m), make([]bool, m)); math.Abs(got-want) > 1e-9 {
			t.Fatalf("costs %v, want %v", got, want)
		}
	})
}

// Rows and columns swapped are another way through the solver with the same answer.
func TestAssignOfManyIsAsCheapTransposed(t *testing.T) {
	cost := randomCosts(500, 500)
	turned := make([][]float64, 500)
	for j := range turned {
		turned[j] = make([]float64, 500)
		for i := range cost {
			turned[j][i] = cost[i][j]
		}
	}
	a, pairs := totalCost(cost, Assign(cost))
	b, _ := totalCost(turned, Assign(turned))
	if pairs != 500 || math.Abs(a-b) > 1e-9 {
		t.Errorf("%d pairs cost %v, transposed %v", pairs, a, b)
	}
}

func TestAssignEndsOnNumbersThatAreNone(t *testing.T) {
	rows := Assign([][]float64{{math.NaN(), math.Inf(1)}, {math.Inf(-1), math.NaN()}})
	if len(rows) != 2 || rows[0] == rows[1] {
		t.Errorf("rows are paired with %v", rows)
	}
}

func randomCosts(n, m int) [][]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	cost := make([][]float64, n)
	for i := range cost {
		cost[i] = make([]float64, m)
		for j := range cost[i] {
			cost[i][j] = r.Float64()
		}
	}
	return cost
}

func BenchmarkAssign500(b *testing.B) {
	cost := randomCosts(500, 500)
	for b.Loop() {
		Assign(cost)
	}
}
