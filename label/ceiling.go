package label

import (
	"slices"

	"remuda/internal/stat"
)

// Doubled is an image that several people answered independently.
type Doubled struct {
	Task    string
	Answers []Answer
}

// Ceiling is how well people agree with each other: the noise ceiling that a
// model's F1 can be held against.
//
// F1 is pairwise: of two answers to an image, either one is scored against the
// other, which is symmetric. An image adds the means over all its pairs of
// answers of twice the matched boxes and of the boxes of both, so that every
// image counts once however many answered it, and F1 is the ratio of the sums
// over images. As the boxes that nobody drew can't be counted, this takes the
// place of kappa, whose limit it is (Hripcsak and Rothschild, Agreement, the
// F-measure, and reliability in information retrieval, JAMIA 2005, 12:3).
//
// The intervals draw images, not people: they hold for these people. As a
// ratio of sums the estimate is biased by about one over the number of images.
// Read it as what a model can reach on labels that one person drew. Two people
// who err independently differ from each other more than either does from the
// truth, so on labels that were merged or audited a good model can go beyond
// it; and if people saw each other's boxes, or the same starting boxes, it is
// too high.
type Ceiling struct {
	Images     int               `json:"images"` // with at least two answers, empty ones too
	Pairs      int               `json:"pairs"`  // of answers
	F1         Mean              `json:"f1"`     // at IoU ≥ 0.5 over all categories
	Strict     Mean              `json:"strict"` // F1 at IoU ≥ 0.75
	IoU        Mean              `json:"iou"`    // of boxes matched at IoU ≥ 0.5
	Categories []CategoryCeiling `json:"categories"`
}

// CategoryCeiling is how well people agree on one category.
type CategoryCeiling struct {
	Category string `json:"category"`
	F1       Mean   `json:"f1"`
	Strict   Mean   `json:"strict"`
}

// The overlaps at which agreement and scores are stated.
const (
	looseIoU  = 0.5
	strictIoU = 0.75
)

// NoiseCeiling measures how well people agree on images that at least two of
// them answered; others are left out. Of the options it uses Draws and Seed.
func NoiseCeiling(images []Doubled, o Options) Ceiling {
	o = o.WithDefaults()
	c := Ceiling{Categories: []CategoryCeiling{}}
	var drawn []map[string][]int
	for _, image := range images {
		for _, a := range image.Answers {
			drawn = append(drawn, byCategory(a.Boxes))
		}
	}
	names := categories(drawn...)
	var rows [][]stat.Ratio
	for _, image := range images {
		if n := len(image.Answers); n > 1 {
			c.Images++
			c.Pairs += n * (n - 1) / 2
			rows = append(rows, agreementOf(image.Answers, names))
		}
	}
	if len(rows) == 0 {
		return c
	}
	m := means(rows, o)
	c.F1, c.Strict, c.IoU = m[0], m[1], m[2]
	for i, name := range names {
		c.Categories = append(c.Categories, CategoryCeiling{name, m[3+2*i], m[4+2*i]})
	}
	return c
}

// agreementOf is what an image adds: F1, strict F1 and IoU over all
// categories, then both F1 of each.
func agreementOf(answers []Answer, names []string) []stat.Ratio {
	row := make([]stat.Ratio, 3+2*len(names))
	pairs := float64(len(answers) * (len(answers) - 1) / 2)
	column := make(map[string]int)
	for i, name := range names {
		column[name] = 3 + 2*i
	}
	for i, a := range answers {
		for _, b := range answers[:i] {
			for k, iou := range []float64{looseIoU, strictIoU} {
				for _, p := range Compare(a, b, iou).Found {
					row[k].Over += 2 / pairs
					row[column[a.Boxes[p.A].Category]+k].Over += 2 / pairs
					if iou == looseIoU {
						row[2].Over += p.IoU / pairs
						row[2].Under += 1 / pairs
					}
				}
				for _, box := range slices.Concat(a.Boxes, b.Boxes) {
					row[k].Under += 1 / pairs
					row[column[box.Category]+k].Under += 1 / pairs
				}
			}
		}
	}
	return row
}
