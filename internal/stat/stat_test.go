package stat

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance*max(1, math.Abs(b)) }

// Expected values are scipy's: special.betainc, stats.t.ppf, stats.binomtest
// with its exact interval, and the inversion of stats.hypergeom.

func TestBetaAgreesWithScipy(t *testing.T) {
	for _, c := range []struct{ x, a, b, want float64 }{
		{0.1, 0.5, 0.5, 0.20483276469913345},
		{0.3, 2, 5, 0.5798250000000003},
		{0.95, 20, 1.5, 0.5565787983143093},
		{0.001, 3, 1000, 0.08057759036020444},
		{0.5, 1e5, 1e5 + 300, 0.7486728868521804},
		{0.7, 0.5, 30, 1},
		{0, 2, 2, 0},
		{1, 2, 2, 1},
	} {
		if got := Beta(c.x, c.a, c.b); !near(got, c.want, 1e-9) {
			t.Errorf("Beta(%g, %g, %g) = %.12f, want %.12f", c.x, c.a, c.b, got, c.want)
		}
	}
}

func TestStudentAgreesWithScipy(t *testing.T) {
	for degrees, want := range map[float64]float64{1: 12.706204736174694, 2: 4.302652729749462, 5: 2.5705818356363146, 19: 2.0930240544083087, 100: 1.9839715185235518, 1e6: 1.959966356814107} {
		if got := Student(degrees); !near(got, want, 1e-9) {
			t.Errorf("%g degrees: %.12f, want %.12f", degrees, got, want)
		}
	}
	if !math.IsInf(Student(0), 1) {
		t.Error("without degrees of freedom nothing is known")
	}
}

func TestClopperPearsonAgreesWithScipy(t *testing.T) {
	for _, c := range []struct{ k, n, low, high float64 }{
		{0, 10, 0, 0.30849710781876294},
		{10, 10, 0.6915028921812371, 1},
		{1, 10, 0.0025285785444625728, 0.44501611702819543},
		{3, 20, 0.03207093718554477, 0.37892682654529564},
		{50, 1000, 0.03733539760466063, 0.06539048791549365},
		{499, 500, 0.9889075231009973, 0.9999493656659925},
		{0, 0, 0, 1},
	} {
		if got := ClopperPearson(c.k, c.n); !near(got[0], c.low, 1e-9) || !near(got[1], c.high, 1e-9) {
			t.Errorf("%g of %g: %v, want %g to %g", c.k, c.n, got, c.low, c.high)
		}
	}
}

func TestRestAgreesWithScipy(t *testing.T) {
	for _, c := range []struct{ bad, sample, population, low, high int }{
		{0, 20, 100, 0, 15},
		{2, 20, 100, 0, 27},
		{5, 50, 60, 0, 4},
		{20, 20, 100, 65, 80},
		{0, 0, 30, 0, 30},
		{3, 10, 10, 0, 0},
		{1, 30, 5000, 4, 857},
	} {
		if low, high := Rest(c.bad, c.sample, c.population); low != c.low || high != c.high {
			t.Errorf("%d bad in %d of %d: %d to %d, want %d to %d", c.bad, c.sample, c.population, low, high, c.low, c.high)
		}
	}
}

func TestShareOfIndependentThingsIsTheBinomialOne(t *testing.T) {
	var alone []Count
	for i := range 40 {
		alone = append(alone, Count{Hits: float64(min(1, i%8)), Of: 1}) // 35 of 40
	}
	share, got := Share(alone)
	if want := ClopperPearson(35, 40); share != 35.0/40 || !near(got[0], want[0], 0.01) || !near(got[1], want[1], 0.01) {
		t.Errorf("share %g %v, want about %v", share, got, want)
	}
	if share, got := Share(nil); share != 0 || got != (Interval{0, 1}) {
		t.Errorf("nothing counted gave %g %v", share, got)
	}
	if _, got := Share([]Count{{0, 5}, {0, 5}}); got != ClopperPearson(0, 10) {
		t.Errorf("no hits gave %v", got)
	}
}

// Boxes of one image are missed together more often than apart; the share's
// interval must still hold the truth as often as it says, where one that takes
// all boxes for independent does not.
func TestShareCoversTheTruthThoughThingsResembleEachOther(t *testing.T) {
	const rounds, clusters, each, truth = 1000, 30, 8, 0.2
	r := rand.New(rand.NewPCG(1, 2))
	var covered, naive int
	for range rounds {
		var counts []Count
		var hits float64
		for range clusters {
			p := 0.02 // an easy image
			if r.Float64() < 0.25 {
				p = 0.74 // a hard one: 0.75·0.02 + 0.25·0.74 = 0.2
			}
			c := Count{Of: each}
			for range each {
				if r.Float64() < p {
					c.Hits++
				}
			}
			hits += c.Hits
			counts = append(counts, c)
		}
		if _, i := Share(counts); i[0] <= truth && truth <= i[1] {
			covered++
		}
		if i := ClopperPearson(hits, clusters*each); i[0] <= truth && truth <= i[1] {
			naive++
		}
	}
	if rate := float64(covered) / rounds; rate < 0.935 || rate > 0.995 {
		t.Errorf("%.3f of the intervals hold the truth, want about 0.95 to 0.99", rate)
	}
	if float64(naive)/rounds > 0.8 {
		t.Errorf("the clusters of this test are no test: %d of %d hold without regard to them", naive, rounds)
	}
}

func TestRatiosCoverTheTruth(t *testing.T) {
	const rounds, clusters = 400, 15
	r := rand.New(rand.NewPCG(3, 4))
	covered := 0
	for round := range rounds {
		var rows [][]Ratio
		for range clusters {
			n := 1 + r.IntN(6)
			shift := r.NormFloat64()
			row := Ratio{Under: float64(n)}
			for range n {
				row.Over += 3 + shift + r.NormFloat64()
			}
			rows = append(rows, []Ratio{row})
		}
		if i := Ratios(rows, 400, uint64(round))[0].Interval; i[0] <= 3 && 3 <= i[1] {
			covered++
		}
	}
	if rate := float64(covered) / rounds; rate < 0.92 || rate > 0.98 {
		t.Errorf("%.3f of the intervals hold the truth, want about 0.95", rate)
	}
}

func TestRatiosByHand(t *testing.T) {
	got := Ratios([][]Ratio{
		{{2, 4}, {0, 0}, {1, 1}},
		{{4, 4}, {0, 0}, {0, 0}},
	}, 200, 1)
	if got[0].Value != 0.75 || got[0].Clusters != 2 || got[0].Interval != (Interval{0.5, 1}) {
		t.Errorf("two clusters: %+v", got[0])
	}
	if got[1] != (Estimate{}) {
		t.Errorf("nothing measured: %+v", got[1])
	}
	if got[2] != (Estimate{Value: 1, Clusters: 1, Interval: Interval{1, 1}}) {
		t.Errorf("one cluster: %+v", got[2])
	}
	if Ratios(nil, 10, 1) != nil {
		t.Error("no clusters give no estimates")
	}
}
