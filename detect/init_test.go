package detect

import (
	"math"
	"testing"
)

func TestInitialWeightsHaveTheirDistribution(t *testing.T) {
	tests := []struct {
		name            string
		fill            filler
		deviation, most float64 // standard deviation, and largest magnitude where it is bounded
	}{
		{"normal", normalOf(0.01), 0.01, math.Inf(1)},
		{"kaiming normal", kaimingNormal(64, 3), math.Sqrt(2.0 / 576), math.Inf(1)},
		{"uniform", uniformWithin(0.5), 0.5 / math.Sqrt(3), 0.5},
		{"kaiming uniform", kaimingUniform(256, 3), math.Sqrt(1.0 / 2304), math.Sqrt(3.0 / 2304)},
		{"constant", constant(1), 0, 1},
	}
	for _, test := range tests {
		data := make([]float32, 100001)
		test.fill(newStream(7, "a"), data)
		var sum, squares, most float64
		for _, v := range data {
			sum += float64(v)
			squares += float64(v) * float64(v)
			most = max(most, math.Abs(float64(v)))
		}
		n := float64(len(data))
		mean := sum / n
		deviation := math.Sqrt(max(squares/n-mean*mean, 0))
		if math.Abs(deviation-test.deviation) > 0.02*test.deviation || most > test.most*1.000001 {
			t.Errorf("%s: deviation %v and at most %v, want %v and %v", test.name, deviation, most, test.deviation, test.most)
		}
	}
}

func TestStreamsDependOnSeedNameAndIndex(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(3) {
		for _, name := range []string{"a", "b"} {
			for i := range 1000 {
				seen[newStream(seed, name).bits(i)] = true
			}
		}
	}
	if len(seen) != 6000 {
		t.Errorf("%d of 6000 numbers differ", len(seen))
	}
}
