package label

import (
	"maps"
	"slices"

	"remuda/geom"
)

// Box is one box of an answer.
type Box struct {
	ID         string         `json:"id"`                   // unique in its answer; kept when a person edits a box that was there before
	Category   string         `json:"category"`             // a leaf of the taxonomy, by name
	Box        geom.Box       `json:"box"`                  // pixels of the upright image
	Attributes map[string]any `json:"attributes,omitempty"` // attribute id → string, float64, or []string where several may be chosen
}

// Answer is all that a person says about an image. An answer without boxes says
// that there is nothing to label.
type Answer struct {
	Boxes      []Box          `json:"boxes"`
	Attributes map[string]any `json:"attributes,omitempty"` // of the whole image, as those of a Box
}

// Clone returns a copy that shares no slice or map with the answer, save the
// values of attributes, which nobody changes.
func (a Answer) Clone() Answer {
	boxes := slices.Clone(a.Boxes)
	for i := range boxes {
		boxes[i].Attributes = maps.Clone(boxes[i].Attributes)
	}
	return Answer{Boxes: boxes, Attributes: maps.Clone(a.Attributes)}
}
