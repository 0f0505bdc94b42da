package label

import "slices"

// ChangeKind is what became of a box.
type ChangeKind string

// What a person does to starting boxes.
const (
	Same    ChangeKind = "same"
	Changed ChangeKind = "changed"
	Removed ChangeKind = "removed"
	Drawn   ChangeKind = "drawn" // it wasn't there before
)

// Change is what became of one box between two answers.
type Change struct {
	Box      string     `json:"box"` // id
	Kind     ChangeKind `json:"kind"`
	IoU      float64    `json:"iou,omitempty"`      // with the old box, 0 to 1; of a Same or Changed one
	Category bool       `json:"category,omitempty"` // it is called otherwise
}

// Changes says what a person made of starting boxes, such as a model's: the old
// ones in their order, then the new ones. Boxes are the same by their ids.
// Attributes aren't compared.
func Changes(start, answer Answer) (changes []Change) {
	find := func(boxes []Box, id string) int {
		return slices.IndexFunc(boxes, func(b Box) bool { return b.ID == id })
	}
	for _, old := range start.Boxes {
		i := find(answer.Boxes, old.ID)
		if i < 0 {
			changes = append(changes, Change{Box: old.ID, Kind: Removed})
			continue
		}
		b := answer.Boxes[i]
		c := Change{Box: b.ID, Kind: Same, IoU: 1, Category: b.Category != old.Category}
		if b.Box != old.Box {
			c.IoU = overlap(b.Box, old.Box)
		}
		if b.Box != old.Box || c.Category {
			c.Kind = Changed
		}
		changes = append(changes, c)
	}
	for _, b := range answer.Boxes {
		if find(start.Boxes, b.ID) < 0 {
			changes = append(changes, Change{Box: b.ID, Kind: Drawn})
		}
	}
	return changes
}
