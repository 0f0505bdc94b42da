package eval

import (
	"cmp"
	"math"
	"slices"

	"remuda"
	"remuda/geom"
)

// COCO's settings, as the doubles that numpy's linspace gives.
const (
	steps   = 10 // IoU limits 0.50, 0.55 … 0.95
	areas   = 4  // all, small, medium, large
	recalls = 101

	every      = 1<<steps - 1 // a bit for each IoU limit
	smallArea  = 32 * 32
	mediumArea = 96 * 96
	mostArea   = 1e5 * 1e5
)

// areaRange holds the square pixels that belong to a range, both ends included.
var areaRange = [areas][2]float64{{0, mostArea}, {0, smallArea}, {smallArea, mediumArea}, {mediumArea, mostArea}}

// iouLimit returns the limit of a step. The products are rounded on their own,
// as numpy does, so no machine may fuse them with the sum.
func iouLimit(step int) float64 {
	if step == steps-1 {
		return 0.95
	}
	const last, first = 0.95, 0.5
	width := (float64(last) - float64(first)) / (steps - 1)
	return first + float64(float64(step)*width)
}

// tables hold all that the numbers are counted from, by image, so that a
// bootstrap only weighs the images anew. Boxes are indices into the truth's
// annotations and into the predictions.
type tables struct {
	images  []int64 // ids, ascending
	columns []column
	truths  []fate
	answers []fate
}

// column holds a category's predictions that take part, best first and ties
// in the order of images, and its ground truth.
type column struct {
	answer []int32   // index of the prediction
	image  []int32   // index into tables.images
	score  []float64 // confidence
	rank   []uint8   // place in its image's list, 0 is the best
	tp, ig [areas][]uint16
	lines  [areas]lineup
	// positives are the images of the ground truth to find, one entry a box.
	positives [areas][]int32
}

// fate is what became of a box at IoU ≥ 0.5 when sizes don't matter.
type fate struct {
	image    int32
	category int32
	match    int32   // index of the box on the other side, −1 for none
	iou      float64 // with it; else the most with any of its category on the other side
	out      bool    // counts neither for nor against
}

// arranged are boxes sorted by category, then image, then as they were given.
type arranged struct {
	order           []int32
	image, category []int32 // of every box, in the given order
}

// arrange sorts boxes into groups, stably, with two counting sorts.
func arrange(boxes []remuda.Annotation, image, category *index) arranged {
	a := arranged{image: make([]int32, len(boxes)), category: make([]int32, len(boxes)), order: make([]int32, len(boxes))}
	for i := range boxes {
		a.image[i] = image.of(boxes[i].ItemID)
		a.category[i] = category.of(boxes[i].CategoryID)
		a.order[i] = int32(i)
	}
	a.order = countingSort(a.order, a.image, len(image.ids))
	a.order = countingSort(a.order, a.category, len(category.ids))
	return a
}

// countingSort returns the order sorted stably by key, whose values are below n.
func countingSort(order, key []int32, n int) []int32 {
	start := make([]int32, n+1)
	for _, k := range key {
		start[k+1]++
	}
	for k := range n {
		start[k+1] += start[k]
	}
	sorted := make([]int32, len(order))
	for _, i := range order {
		k := key[i]
		sorted[start[k]] = i
		start[k]++
	}
	return sorted
}

// index finds the place of an id among ascending ones.
type index struct {
	ids   []int64
	place map[int64]int32
	id    int64 // the last one asked for, since boxes of an image mostly follow each other
	last  int32
}

func newIndex(ids []int64) *index {
	x := &index{ids: ids, place: make(map[int64]int32, len(ids)), last: -1}
	for i, id := range ids {
		x.place[id] = int32(i)
	}
	return x
}

// of returns an id's place, or −1.
func (x *index) of(id int64) int32 {
	if x.last >= 0 && x.id == id {
		return x.last
	}
	place, ok := x.place[id]
	if !ok {
		return -1
	}
	x.id, x.last = id, place
	return place
}

// limits are the IoU at which boxes match, one a step, the lowest first.
type limits [steps]float64

func cocoLimits() (l limits) {
	for step := range l {
		l[step] = iouLimit(step)
	}
	return l
}

// newTables matches predictions to ground truth. All ids are known to be good.
func newTables(truth, predictions []remuda.Annotation, images, categories *index, limit limits) *tables {
	truths := arrange(truth, images, categories)
	answers := arrange(predictions, images, categories)
	t := &tables{images: images.ids, columns: make([]column, len(categories.ids))}
	t.truths, t.answers = fates(truths), fates(answers)
	m := matcher{tables: t, limit: limit}
	g, p := truths.order, answers.order
	for k := range t.columns {
		c := &t.columns[k]
		for head(g, truths.category) == int32(k) || head(p, answers.category) == int32(k) {
			image := int32(math.MaxInt32)
			if head(g, truths.category) == int32(k) {
				image = truths.image[g[0]]
			}
			if head(p, answers.category) == int32(k) {
				image = min(image, answers.image[p[0]])
			}
			var gs, ps []int32
			gs, g = cut(g, truths, image, int32(k))
			ps, p = cut(p, answers, image, int32(k))
			m.group(c, image, truth, gs, predictions, ps)
		}
		c.sort()
	}
	return t
}

// fates returns one fate a box, none decided.
func fates(a arranged) []fate {
	list := make([]fate, len(a.order))
	for i := range list {
		list[i] = fate{image: a.image[i], category: a.category[i], match: -1}
	}
	return list
}

// head returns the key of the first box of the order, or −1 at its end.
func head(order, key []int32) int32 {
	if len(order) == 0 {
		return -1
	}
	return key[order[0]]
}

// cut splits off the boxes of one image and category from the front.
func cut(order []int32, a arranged, image, category int32) (group, rest []int32) {
	n := 0
	for n < len(order) && a.image[order[n]] == image && a.category[order[n]] == category {
		n++
	}
	return order[:n], order[n:]
}

// sort brings the column from the order of images into that of confidence, stably.
func (c *column) sort() {
	type row struct {
		score float64
		at    int32
	}
	rows := make([]row, len(c.score))
	for i, s := range c.score {
		rows[i] = row{s, int32(i)}
	}
	slices.SortFunc(rows, func(a, b row) int {
		if a.score != b.score {
			return cmp.Compare(b.score, a.score)
		}
		return int(a.at - b.at)
	})
	order := make([]int32, len(rows))
	for i, r := range rows {
		order[i], c.score[i] = r.at, r.score
	}
	c.answer, c.image, c.rank = permuted(c.answer, order), permuted(c.image, order), permuted(c.rank, order)
	for a := range areas {
		c.tp[a], c.ig[a] = permuted(c.tp[a], order), permuted(c.ig[a], order)
		c.lineUp(a)
	}
}

func permuted[T any](values []T, order []int32) []T {
	out := make([]T, len(values))
	for i, at := range order {
		out[i] = values[at]
	}
	return out
}

// side returns the width or height that a box had in its file: hi was computed
// as lo + side, and the shortest decimal that gives hi again is taken for it, so that
// areas and overlaps round as pycocotools rounds them.
func side(lo, hi float64) float64 {
	const decimals = 1e6
	if s := math.Round((hi-lo)*decimals) / decimals; lo+s == hi {
		return s
	}
	return hi - lo
}

// boxArea returns the area of a box from its sides as they were in its file.
func boxArea(b geom.Box) float64 { return side(b.X0, b.X1) * side(b.Y0, b.Y1) }
