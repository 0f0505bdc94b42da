package geom

// NMS suppresses, greedily and in the given order (best first), every box that
// overlaps a kept one by more than the IoU limit, and returns the indices kept.
func NMS(boxes []Box, limit float64) []int {
	kept := make([]int, 0, len(boxes))
	gone := make([]bool, len(boxes))
	area := make([]float64, len(boxes))
	for i, b := range boxes {
		area[i] = b.Area()
	}
	for i, b := range boxes {
		if gone[i] {
			continue
		}
		kept = append(kept, i)
		for j := i + 1; j < len(boxes); j++ {
			if gone[j] {
				continue
			}
			shared := b.Intersect(boxes[j])
			if shared > limit*(area[i]+area[j]-shared) {
				gone[j] = true
			}
		}
	}
	return kept
}
