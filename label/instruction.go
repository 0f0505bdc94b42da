package label

import (
	"slices"
	"strings"
	"time"

	"remuda"
)

// Instruction is what a project's labelers are told, in one of its versions.
type Instruction struct {
	Version  int       `json:"version"` // from 1
	Text     string    `json:"text"`    // Markdown
	Examples []Example `json:"examples,omitempty"`
	By       string    `json:"by"`
	At       time.Time `json:"at"`
}

// Example shows how to draw, or how not to, and says why.
type Example struct {
	Image string `json:"image"` // the item's id
	Boxes []Box  `json:"boxes"`
	Good  bool   `json:"good"`
	Why   string `json:"why"`
}

// Revise returns the next version of an instruction. It is refused when the
// instruction has changed since the author read it, and when an example doesn't
// say why, or shows boxes that the taxonomy doesn't have.
func (i Instruction) Revise(base int, text string, examples []Example, x Taxonomy, by string, now time.Time) (Instruction, error) {
	if base != i.Version {
		return i, remuda.Errorf(remuda.Conflict, "the instruction has changed since it was read (version %d, now %d)", base, i.Version).
			WithHint("read it again and put your change into it")
	}
	if strings.TrimSpace(text) == "" && len(examples) == 0 {
		return i, remuda.Errorf(remuda.Invalid, "an instruction without a word").WithHint("say what to draw, and show it")
	}
	for n, e := range examples {
		if e.Image == "" || strings.TrimSpace(e.Why) == "" {
			return i, remuda.Errorf(remuda.Invalid, "example %d has no image or doesn't say why it is good or bad", n+1).
				WithHint("an example without a reason teaches nothing")
		}
		for _, b := range e.Boxes {
			if !drawable(b.Box) || !slices.Contains(x.Leaves(), b.Category) {
				return i, remuda.Errorf(remuda.Invalid, "example %d shows a box of %q that cannot be drawn", n+1, b.Category).
					WithHint("draw it with a category of the taxonomy")
			}
		}
	}
	return Instruction{Version: i.Version + 1, Text: text, Examples: examples, By: by, At: now}, nil
}
