package geom

import "math"

// Assign solves the assignment problem: it pairs rows with columns one to one so
// that the sum of their costs is the least. The result holds the column of every row,
// −1 for the rows that are left over where there are fewer columns; every column is
// taken where there are fewer of those. All rows of cost have the same length and
// finite numbers; others give an arbitrary pairing.
//
// It is the method of shortest augmenting paths with potentials (Jonker and
// Volgenant, A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
// Assignment Problems, 1987): O(s²·l) for a shorter side s and a longer one l.
func Assign(cost [][]float64) []int {
	if len(cost) == 0 {
		return []int{}
	}
	if len(cost) <= len(cost[0]) {
		return assign(len(cost), len(cost[0]), func(i, j int) float64 { return cost[i][j] })
	}
	rows := make([]int, len(cost))
	for i := range rows {
		rows[i] = -1
	}
	for j, i := range assign(len(cost[0]), len(cost), func(i, j int) float64 { return cost[j][i] }) {
		rows[i] = j
	}
	return rows
}

// assign pairs each of n rows with one of m ≥ n columns.
func assign(n, m int, cost func(i, j int) float64) []int {
	s := solver{
		cost: cost, row: make([]float64, n), column: make([]float64, m),
		owner: make([]int, m), from: make([]int, m), least: make([]float64, m), done: make([]bool, m),
	}
	for j := range s.owner {
		s.owner[j] = -1
	}
	for i := range n {
		s.augment(i)
	}
	pairs := make([]int, n)
	for j, i := range s.owner {
		if i >= 0 {
			pairs[i] = j
		}
	}
	return pairs
}

// solver keeps an optimal pairing of the rows so far. The potentials row and
// column hold row[i] + column[j] ≤ cost(i, j), with equality for pairs.
type solver struct {
	cost        func(i, j int) float64
	row, column []float64
	owner       []int     // row of every column, −1 for a free one
	from        []int     // column before it on the shortest path, −1 for the path's row itself
	least       []float64 // length of the shortest path to a column, less what has been walked
	done        []bool    // columns whose shortest path is known
}

// augment adds row i along the shortest path to a free column.
func (s *solver) augment(i int) {
	clear(s.done)
	for j := range s.least {
		s.least[j], s.from[j] = math.Inf(1), -1 // −1 also ends the path where a cost is no number
	}
	last, at := -1, i
	for at >= 0 {
		next := s.nearest(at, last)
		step := s.least[next]
		s.row[i] += step
		for j, done := range s.done {
			if done {
				s.row[s.owner[j]] += step
				s.column[j] -= step
			} else {
				s.least[j] -= step
			}
		}
		s.done[next] = true
		last, at = next, s.owner[next]
	}
	for ; last >= 0; last = s.from[last] {
		s.owner[last] = i
		if before := s.from[last]; before >= 0 {
			s.owner[last] = s.owner[before]
		}
	}
}

// nearest takes the edges of a row, which was reached over column last, into
// account and returns the column that is now nearest.
func (s *solver) nearest(at, last int) int {
	next := -1
	for j, done := range s.done {
		if done {
			continue
		}
		if length := s.cost(at, j) - s.row[at] - s.column[j]; length < s.least[j] {
			s.least[j], s.from[j] = length, last
		}
		// of several alike a free one, which ends the path
		if next < 0 || s.least[j] < s.least[next] || s.least[j] == s.least[next] && s.owner[j] < 0 && s.owner[next] >= 0 {
			next = j
		}
	}
	return next
}
