// Package lint says what is wrong with a dataset, as a list that a person can
// work through before training starts, and mends the two faults that break
// training: boxes that reach outside their image, and boxes without area.
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"remuda"
)

// Kind of a finding.
type Kind string

// The kinds, in the order they are listed: what spoils a result comes first.
const (
	Leak         Kind = "leak"          // the same image in training and in validation or test data
	SizeMismatch Kind = "size_mismatch" // the label file has another size than the upright image
	MissingSize  Kind = "missing_size"  // nothing says how large the image is, so that boxes can't be checked
	ZeroArea     Kind = "zero_area"     // boxes that enclose nothing, also once clipped; Clean drops them
	Outside      Kind = "outside"       // boxes that reach beyond their image; Clean clips them
	Duplicate    Kind = "duplicate"     // the same box of the same category twice, or an image listed twice
	Overlapping  Kind = "overlapping"   // two boxes of a category that are nearly the same
	ThinCategory Kind = "thin_category" // too few boxes to learn from
	Empty        Kind = "empty"         // images without boxes: examples of background
)

// Limits of what counts as a finding.
const (
	OutsideBy    = 0.01 // pixels beyond the image that are reported; less is a format's rounding
	OverlapAbove = 0.9  // IoU of two boxes of a category
	ThinBelow    = 10   // boxes of a category in the training data
	LeakWithin   = 4    // bits of 64 in which two perceptual hashes of one picture differ at most
)

// Facts are what an image file says of itself. The zero value of a field means
// that it isn't known.
type Facts struct {
	Width, Height             int // pixels of the upright image
	StoredWidth, StoredHeight int // before Orientation turns it
	Orientation               int // EXIF's, 1 to 8
	Hash                      uint64
	SHA256                    string
}

// Input is what Check looks at. Train is needed; Val and Test may be nil.
type Input struct {
	Train, Val, Test *remuda.Dataset
	Images           map[string]Facts // by Item.File
}

// Finding is one thing to look at.
type Finding struct {
	Kind        Kind    `json:"kind"`
	Split       string  `json:"split,omitempty"` // train, val or test; "" from Clean
	File        string  `json:"file,omitempty"`  // Item.File; "" where it is about the whole split
	Other       string  `json:"other,omitempty"` // the image of the training data that leaks
	Annotations []int64 `json:"annotations,omitempty"`
	Count       int     `json:"count"` // how many boxes or images it is about
	Message     string  `json:"message"`
}

// Check lists what is wrong, sorted by kind, split, file and annotation.
func Check(in Input) []Finding {
	var all []Finding
	for _, s := range in.splits() {
		found := checkSplit(*s.data, in.Images, s.name == "train")
		for i := range found {
			found[i].Split = s.name
		}
		all = append(all, found...)
	}
	all = append(all, leaks(in)...)
	sortFindings(all)
	return all
}

type split struct {
	name string
	data *remuda.Dataset
}

func (in Input) splits() []split {
	var list []split
	for _, s := range []split{{"train", in.Train}, {"val", in.Val}, {"test", in.Test}} {
		if s.data != nil {
			list = append(list, s)
		}
	}
	return list
}

func checkSplit(d remuda.Dataset, images map[string]Facts, train bool) []Finding {
	// Boxes are compared as training will see them, but findings of boxes that
	// Clean drops are about the boxes as they came.
	clean, found := Clean(d, images)
	found = append(found, twiceListed(d)...)
	byItem := remuda.ByItem(clean.Annotations)
	empty := 0
	for _, item := range d.Items {
		boxes := byItem[item.ID]
		if len(boxes) == 0 {
			empty++
		}
		found = append(found, similar(item, boxes)...)
	}
	if empty > 0 {
		found = append(found, Finding{Kind: Empty, Count: empty,
			Message: fmt.Sprintf("%d of %d images have no boxes and count as background", empty, len(d.Items))})
	}
	if train {
		found = append(found, thinCategories(clean)...)
	}
	return found
}

func twiceListed(d remuda.Dataset) []Finding {
	var found []Finding
	count := make(map[string]int)
	for _, item := range d.Items {
		count[item.File]++
		if count[item.File] == 2 {
			found = append(found, Finding{Kind: Duplicate, File: item.File})
		}
	}
	for i, f := range found {
		found[i].Count = count[f.File]
		found[i].Message = fmt.Sprintf("the image is listed %d times", count[f.File])
	}
	return found
}

func thinCategories(d remuda.Dataset) []Finding {
	boxes := make(map[int64]int)
	for _, a := range d.Annotations {
		if !a.Crowd {
			boxes[a.CategoryID]++
		}
	}
	var found []Finding
	for _, c := range d.Categories {
		if n := boxes[c.ID]; n < ThinBelow {
			found = append(found, Finding{Kind: ThinCategory, Count: n,
				Message: fmt.Sprintf("category %q has %s to learn from, fewer than %d", c.Name, plural(n, "box", "boxes"), ThinBelow)})
		}
	}
	return found
}

// similar finds boxes of one category that are the same or nearly so. Crowds
// overlap by their nature.
func similar(item remuda.Item, boxes []remuda.Annotation) []Finding {
	sorted := slices.DeleteFunc(slices.Clone(boxes), func(a remuda.Annotation) bool { return a.Crowd })
	slices.SortStableFunc(sorted, func(a, b remuda.Annotation) int { return cmp.Compare(a.Box.X0, b.Box.X0) })
	var found []Finding
	for i, a := range sorted {
		for _, b := range sorted[i+1:] {
			if b.Box.X0 >= a.Box.X1 {
				break // neither this one nor those further right reach a
			}
			if a.CategoryID != b.CategoryID {
				continue
			}
			f := Finding{Kind: Overlapping, File: item.File, Annotations: []int64{min(a.ID, b.ID), max(a.ID, b.ID)}, Count: 2}
			switch iou := a.Box.IoU(b.Box); {
			case a.Box == b.Box:
				f.Kind, f.Message = Duplicate, fmt.Sprintf("boxes %d and %d are the same", f.Annotations[0], f.Annotations[1])
			case iou > OverlapAbove:
				f.Message = fmt.Sprintf("boxes %d and %d are nearly the same (IoU %.2f)", f.Annotations[0], f.Annotations[1], iou)
			default:
				continue
			}
			found = append(found, f)
		}
	}
	return found
}

// kinds lists the kinds in their order, with what Summary calls one and several.
func kinds() []struct {
	kind      Kind
	one, many string
} {
	return []struct {
		kind      Kind
		one, many string
	}{
		{Leak, "image also in the training data", "images also in the training data"},
		{SizeMismatch, "image of another size than its labels say", "images of another size than their labels say"},
		{MissingSize, "image of unknown size", "images of unknown size"},
		{ZeroArea, "box without area", "boxes without area"},
		{Outside, "box outside its image", "boxes outside their images"},
		{Duplicate, "duplicate", "duplicates"},
		{Overlapping, "pair of nearly identical boxes", "pairs of nearly identical boxes"},
		{ThinCategory, "category with few boxes", "categories with few boxes"},
		{Empty, "image without boxes", "images without boxes"},
	}
}

// Summary says in one line how many findings of each kind there are.
func Summary(findings []Finding) string {
	count := make(map[Kind]int)
	for _, f := range findings {
		switch f.Kind {
		case ZeroArea, Outside, Empty:
			count[f.Kind] += f.Count // they gather several boxes or images
		default:
			count[f.Kind]++
		}
	}
	var parts []string
	for _, k := range kinds() {
		if n := count[k.kind]; n > 0 {
			parts = append(parts, plural(n, k.one, k.many))
		}
	}
	if len(parts) == 0 {
		return "nothing to report"
	}
	return strings.Join(parts, ", ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func sortFindings(all []Finding) {
	order := make(map[Kind]int)
	for i, k := range kinds() {
		order[k.kind] = i
	}
	splits := map[string]int{"": 0, "train": 1, "val": 2, "test": 3}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(order[a.Kind], order[b.Kind]),
			cmp.Compare(splits[a.Split], splits[b.Split]),
			cmp.Compare(a.File, b.File),
			slices.Compare(a.Annotations, b.Annotations),
		)
	})
}
