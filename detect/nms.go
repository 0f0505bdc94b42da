package detect

import (
	"math"
	"slices"
)

// coordinateTrickLimit is the number of boxes up to which torchvision
// suppresses all groups in one go, by moving each group out of the others'
// way. The moved coordinates are rounded, and so are the overlaps.
const coordinateTrickLimit = 1000

// suppress returns the indices of the best-scoring boxes, best first and at
// most limit of them, without those that overlap a better one of their group
// by more than threshold, which is at least ½. Equal scores keep their order.
func suppress(boxes []box, scores []float32, groups []int32, threshold float64, limit int) []int32 {
	var step float32
	if len(boxes) <= coordinateTrickLimit {
		for _, b := range boxes {
			step = max(step, b.x0, b.y0, b.x1, b.y1)
		}
		step++
	}
	kept := make([]int32, 0, min(limit, len(boxes)))
	var keptOf []survivors
	for _, g := range groups {
		for len(keptOf) <= int(g) {
			keptOf = append(keptOf, survivors{})
		}
	}
	for _, i := range topK(scores, len(scores)) {
		group := &keptOf[groups[i]]
		shift := float32(float32(groups[i]) * step)
		b := boxes[i]
		if !group.add(box{b.x0 + shift, b.y0 + shift, b.x1 + shift, b.y1 + shift}, threshold) {
			continue
		}
		if kept = append(kept, i); len(kept) == limit {
			break
		}
	}
	return kept
}

// survivors are the boxes of a group kept so far, by the binary exponent of
// their area: an IoU above ½ needs areas that differ by less than a factor of
// two, so only neighbouring exponents have to be looked at.
type survivors [1 << 8][]survivor

type survivor struct {
	box
	area float32
}

// add keeps b and returns true, unless b overlaps a kept box by more than
// threshold, which is at least ½.
func (s *survivors) add(b box, threshold float64) bool {
	area := b.area()
	exponent := int(math.Float32bits(area) >> 23 & 0xff)
	for _, kept := range s[max(exponent-1, 0):min(exponent+2, len(s))] {
		for k := range kept {
			o := &kept[k]
			w := min(b.x1, o.x1) - max(b.x0, o.x0)
			if w <= 0 {
				continue
			}
			h := min(b.y1, o.y1) - max(b.y0, o.y0)
			if h <= 0 {
				continue
			}
			shared := float32(w * h)
			if float64(shared/(o.area+area-shared)) > threshold {
				return false
			}
		}
	}
	s[exponent] = append(s[exponent], survivor{b, area})
	return true
}

// topK returns the indices of the k highest values, highest first; of equal
// values the one with the lower index comes first.
func topK(values []float32, k int) []int32 {
	k = min(k, len(values))
	// A histogram of the keys' upper halves finds the bucket that the k-th value
	// lies in; only what is in it or above needs sorting.
	histogram := make([]int32, 1<<16)
	for _, v := range values {
		histogram[ascending(v)>>16]++
	}
	cut, above := len(histogram)-1, 0
	for ; cut > 0 && above+int(histogram[cut]) < k; cut-- {
		above += int(histogram[cut])
	}
	keys := make([]uint64, 0, above+int(histogram[cut]))
	for i, v := range values {
		if key := ascending(v); int(key>>16) >= cut {
			keys = append(keys, uint64(^key)<<32|uint64(i))
		}
	}
	slices.Sort(keys)
	out := make([]int32, k)
	for i := range out {
		out[i] = int32(uint32(keys[i]))
	}
	return out
}

// ascending maps a float to an unsigned integer of the same order.
func ascending(v float32) uint32 {
	bits := math.Float32bits(v)
	if bits>>31 == 1 {
		return ^bits
	}
	return bits | 1<<31
}
