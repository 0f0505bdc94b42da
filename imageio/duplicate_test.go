package imageio

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"remuda"

	"pgregory.net/rapid"
)

// distinctPlainly is the rule of Distinct word by word.
func distinctPlainly(images []Fingerprint, threshold int) []Fingerprint {
	sorted := slices.Clone(images)
	slices.SortFunc(sorted, func(a, b Fingerprint) int {
		return cmp.Or(cmp.Compare(a.Hash, b.Hash), cmp.Compare(a.ID, b.ID))
	})
	kept := []Fingerprint{}
	for _, f := range sorted {
		if !slices.ContainsFunc(kept, func(k Fingerprint) bool { return Distance(f.Hash, k.Hash) <= threshold }) {
			kept = append(kept, f)
		}
	}
	return kept
}

// herd makes fingerprints of which many are a few bits apart.
func herd(seed uint64, n, flips int) []Fingerprint {
	r := rand.New(rand.NewPCG(seed, 7))
	images := make([]Fingerprint, n)
	for i := range images {
		images[i] = Fingerprint{Hash: r.Uint64(), ID: fmt.Sprintf("image-%07d", i)}
		if i > 0 && r.IntN(2) == 0 {
			images[i].Hash = images[r.IntN(i)].Hash
			for range r.IntN(flips + 1) {
				images[i].Hash ^= 1 << r.IntN(64)
			}
		}
	}
	r.Shuffle(n, func(i, j int) { images[i], images[j] = images[j], images[i] })
	return images
}

func survivors(t interface{ Fatal(...any) }, images []Fingerprint, threshold int) []Fingerprint {
	places, err := Distinct(images, threshold)
	if err != nil {
		t.Fatal(err)
	}
	list := []Fingerprint{}
	for _, i := range places {
		list = append(list, images[i])
	}
	return list
}

func TestDistinctKeepsWhatTheRuleKeeps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 40, 400, indexFrom + 100}).Draw(t, "images")
		threshold := rapid.IntRange(0, 64).Draw(t, "threshold")
		if n >= indexFrom {
			threshold = rapid.IntRange(0, indexLimit+1).Draw(t, "small threshold")
		}
		images := herd(rapid.Uint64().Draw(t, "seed"), n, rapid.IntRange(0, 20).Draw(t, "flips"))
		got, want := survivors(t, images, threshold), distinctPlainly(images, threshold)
		if !slices.Equal(got, want) {
			t.Fatalf("threshold %d: %d of %d stay, want %d", threshold, len(got), n, len(want))
		}
		if again := survivors(t, got, threshold); !slices.Equal(again, got) {
			t.Fatalf("threshold %d: of %d survivors %d stay", threshold, len(got), len(again))
		}
	})
}

func TestDistinctOfTwinsAndTheEmptySet(t *testing.T) {
	twins := []Fingerprint{{5, "b"}, {5, "a"}, {4, "c"}}
	for _, c := range []struct {
		images    []Fingerprint
		threshold int
		want      []int
	}{
		{nil, 0, []int{}},
		{twins, 0, []int{2, 1}},
		{twins, 1, []int{2}},
		{twins, 64, []int{2}},
		{[]Fingerprint{{1 << 63, "high"}, {1, "low"}}, 0, []int{1, 0}},
	} {
		if got, err := Distinct(c.images, c.threshold); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v at %d: %v, %v; want %v", c.images, c.threshold, got, err, c.want)
		}
	}
}

func TestDistinctRefusesThresholdsThatCannotBe(t *testing.T) {
	for _, threshold := range []int{-1, 65} {
		if _, err := Distinct(nil, threshold); remuda.CodeOf(err) != remuda.Invalid || remuda.HintOf(err) == "" {
			t.Errorf("threshold %d: %v", threshold, err)
		}
	}
}

func BenchmarkDistinct(b *testing.B) {
	images := herd(1, 100_000, 6)
	for _, threshold := range []int{0, 4, 8, 11, 15, 16} {
		b.Run(fmt.Sprint("threshold-", threshold), func(b *testing.B) {
			for b.Loop() {
				survivors(b, images, threshold)
			}
		})
	}
	for _, threshold := range []int{4, 11} {
		b.Run(fmt.Sprint("plain-", threshold), func(b *testing.B) {
			for b.Loop() {
				distinctPlainly(images, threshold)
			}
		})
	}
}
