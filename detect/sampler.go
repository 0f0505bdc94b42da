package detect

import (
	"math/rand/v2"
	"slices"
)

// Sampler chooses n of the candidates, n ≤ len(candidates), in any order. It
// may reorder the slice it is given. A step asks it for each image's positive
// and then negative anchors, image by image, and after that for each image's
// positive and negative RoIs.
type Sampler func(candidates []int32, n int) []int32

// RandomSampler draws every subset with the same probability.
func RandomSampler(rng *rand.Rand) Sampler {
	return func(candidates []int32, n int) []int32 {
		for i := range n {
			j := i + rng.IntN(len(candidates)-i)
			candidates[i], candidates[j] = candidates[j], candidates[i]
		}
		return candidates[:n]
	}
}

// balanced draws at most total of the labels' indices: up to a fraction of
// positives (label ≥ 1), the rest negatives (label 0); label −1 is never drawn.
// The indices come back in ascending order.
func balanced(labels []int32, total int, fraction float64, sample Sampler) (positives, negatives []int32) {
	pos := make([]int32, 0, 64)
	neg := make([]int32, 0, len(labels))
	for i, l := range labels {
		switch {
		case l >= 1:
			pos = append(pos, int32(i))
		case l == 0:
			neg = append(neg, int32(i))
		}
	}
	n := min(len(pos), int(float64(total)*fraction))
	positives = slices.Clone(sample(pos, n))
	negatives = slices.Clone(sample(neg, min(len(neg), total-n)))
	slices.Sort(positives)
	slices.Sort(negatives)
	return positives, negatives
}
