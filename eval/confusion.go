package eval

import (
	"cmp"
	"slices"

	"remuda"
)

const background = -1

// confusion counts what each category was taken for at a threshold, by the
// rule at Confusion.
func (t *tables) confusion(truth, predictions []remuda.Annotation, threshold float64) []Confusion {
	counts := map[[2]int]int{}
	open := make([][]int32, len(t.images)) // ground truth that no prediction of its category found
	for i, g := range t.truths {
		switch {
		case g.out:
		case g.match >= 0 && predictions[g.match].Confidence >= threshold:
			counts[[2]int{int(g.category), int(g.category)}]++
		default:
			open[g.image] = append(open[g.image], int32(i))
		}
	}
	for _, p := range t.wrong(predictions, threshold) {
		a := t.answers[p]
		g := take(truth, open[a.image], predictions[p])
		if g < 0 {
			counts[[2]int{background, int(a.category)}]++
			continue
		}
		counts[[2]int{int(t.truths[open[a.image][g]].category), int(a.category)}]++
		open[a.image] = slices.Delete(open[a.image], g, g+1)
	}
	for _, missed := range open {
		for _, g := range missed {
			counts[[2]int{int(t.truths[g].category), background}]++
		}
	}
	return sortedCells(counts)
}

// wrong returns the false positives at a threshold, best first.
func (t *tables) wrong(predictions []remuda.Annotation, threshold float64) []int32 {
	var list []int32
	for i, a := range t.answers {
		if !a.out && a.match < 0 && predictions[i].Confidence >= threshold {
			list = append(list, int32(i))
		}
	}
	slices.SortStableFunc(list, func(a, b int32) int {
		return cmp.Compare(predictions[b].Confidence, predictions[a].Confidence)
	})
	return list
}

// take returns the place of the open ground truth that a prediction overlaps
// most, at IoU ≥ 0.5, or −1.
func take(truth []remuda.Annotation, open []int32, p remuda.Annotation) int {
	best, most := -1, MatchIoU
	area := boxArea(p.Box)
	for i, g := range open {
		if iou := overlap(p.Box, area, truth[g].Box, boxArea(truth[g].Box), false); iou >= most {
			best, most = i, iou
		}
	}
	return best
}

func sortedCells(counts map[[2]int]int) []Confusion {
	cells := make([]Confusion, 0, len(counts))
	for k, n := range counts {
		cells = append(cells, Confusion{k[0], k[1], n})
	}
	slices.SortFunc(cells, func(a, b Confusion) int {
		return cmp.Or(cmp.Compare(a.Truth, b.Truth), cmp.Compare(a.Predicted, b.Predicted))
	})
	return cells
}
