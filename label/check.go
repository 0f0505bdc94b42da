package label

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"remuda"
)

// Level says whether a finding can be overridden.
type Level string

// The levels.
const (
	Warning Level = "warning" // handed in all the same with a reason
	Error   Level = "error"   // to be mended first
)

// CheckCode names what a check found.
type CheckCode string

// The checks. The first line's are warnings, the others are errors.
const (
	TinyBox, HugeBox, OutsideBox, TwinBox, TouchingEdge, EmptyAnswer CheckCode = "tiny_box", "huge_box", "outside_box", "twin_box", "touching_edge", "empty_answer"

	BadBox           CheckCode = "bad_box"           // an edge isn't a number, or there is no area
	BoxTooSmall      CheckCode = "box_too_small"     // below min_width or min_height
	UnknownCategory  CheckCode = "unknown_category"  // no leaf of the taxonomy
	UnknownAttribute CheckCode = "unknown_attribute" // not in the taxonomy
	BadAttribute     CheckCode = "bad_attribute"     // not a value that it may have
	MissingAttribute CheckCode = "missing_attribute" // required
	RepeatedID       CheckCode = "repeated_id"       // two boxes with one id
)

// The bounds of the warnings.
const (
	tinySide  = 4.0  // pixels: a shorter side is a slip of the mouse more often than an object
	hugeShare = 0.95 // of the image's area
	twinIoU   = 0.9  // of two boxes of one category, as in package lint
	edgeSlack = 0.5  // pixels from the image's edge that touch it; a box farther out than that is outside
)

// TruncatedAttribute is the attribute that says that a box's object goes on
// beyond the image. Where a taxonomy has it, a box that touches the edge is
// expected to say so.
const TruncatedAttribute = "truncated"

// Finding is one thing that a check found.
type Finding struct {
	Code    CheckCode `json:"code"`
	Level   Level     `json:"level"`
	Box     string    `json:"box,omitempty"` // id; "" for the whole answer
	Message string    `json:"message"`
}

// Override lets a warning pass, with the reason.
type Override struct {
	Code   CheckCode `json:"code"`
	Box    string    `json:"box,omitempty"`
	Reason string    `json:"reason"`
}

// Refusal is the error of an answer that was not accepted as it is.
type Refusal struct {
	Findings []Finding // errors, and warnings that nobody has overridden
}

// Error returns the findings' messages.
func (r *Refusal) Error() string {
	messages := make([]string, len(r.Findings))
	for i, f := range r.Findings {
		messages[i] = f.Message
	}
	return strings.Join(messages, "; ")
}

// Refuse returns an error, with a *Refusal in its chain, unless all findings
// are warnings that were overridden with a reason.
func Refuse(findings []Finding, overrides []Override) error {
	var open []Finding
	hard := false
	for _, f := range findings {
		passed := f.Level == Warning && slices.ContainsFunc(overrides, func(o Override) bool {
			return o.Code == f.Code && o.Box == f.Box && strings.TrimSpace(o.Reason) != ""
		})
		if !passed {
			open = append(open, f)
			hard = hard || f.Level == Error
		}
	}
	if len(open) == 0 {
		return nil
	}
	refused := remuda.Errorf(remuda.Invalid, "check the answer: %w", &Refusal{open})
	if hard {
		return refused.WithHint("mend what is an error, then hand it in again")
	}
	return refused.WithHint("mend it, or hand it in with a reason why it is right")
}

// Check looks an answer over, box by box, and then as a whole.
func Check(answer Answer, q Question) []Finding {
	findings := validity(answer, q.Taxonomy)
	for _, b := range answer.Boxes {
		if drawable(b.Box) {
			findings = append(findings, q.doubts(b)...)
		}
	}
	findings = append(findings, twins(answer.Boxes)...)
	if len(answer.Boxes) == 0 {
		findings = append(findings, Finding{EmptyAnswer, Warning, "", "nothing is labeled"})
	}
	return findings
}

// doubts returns the warnings about one box.
func (q Question) doubts(b Box) (found []Finding) {
	warn := func(code CheckCode, format string, args ...any) {
		found = append(found, Finding{code, Warning, b.ID, "the " + b.Category + " " + fmt.Sprintf(format, args...)})
	}
	if min(b.Box.Width(), b.Box.Height()) < tinySide {
		warn(TinyBox, "is only %.1f × %.1f pixels", b.Box.Width(), b.Box.Height())
	}
	if !(q.Width > 0 && q.Height > 0) {
		return found // the image's size isn't known
	}
	if b.Box.Area() > hugeShare*q.Width*q.Height {
		warn(HugeBox, "covers more than %.0f %% of the image", 100*hugeShare)
	}
	inside := min(b.Box.X0, b.Box.Y0, q.Width-b.Box.X1, q.Height-b.Box.Y1) // pixels from the nearest edge
	switch {
	case inside < -edgeSlack:
		warn(OutsideBox, "reaches %.1f pixels outside the image", -inside)
	case inside <= edgeSlack && q.asksTruncated(b):
		warn(TouchingEdge, "touches the edge of the image but is not marked as %s", TruncatedAttribute)
	}
	return found
}

// asksTruncated reports whether a box could be marked as truncated and isn't.
func (q Question) asksTruncated(b Box) bool {
	i := slices.IndexFunc(q.Taxonomy.Attributes, func(a Attribute) bool { return a.ID == TruncatedAttribute && !a.Image })
	if i < 0 || !q.Taxonomy.Attributes[i].Asked(b.Category, b.Attributes) {
		return false
	}
	values := chosen(b.Attributes[TruncatedAttribute])
	return len(values) == 0 || slices.ContainsFunc([]string{"", "no", "false", "none", "0", "0%"}, func(no string) bool {
		return strings.EqualFold(values[0], no)
	})
}

// twins warns about every box that is nearly the same as one before it.
func twins(boxes []Box) (found []Finding) {
	for i, b := range boxes {
		for _, o := range boxes[:i] {
			if b.Category == o.Category && overlap(b.Box, o.Box) > twinIoU {
				found = append(found, Finding{TwinBox, Warning, b.ID, "the " + b.Category + " is drawn twice"})
				break
			}
		}
	}
	return found
}

// validity returns the errors: what the taxonomy doesn't allow.
func validity(answer Answer, x Taxonomy) (found []Finding) {
	seen := make(map[string]bool, len(answer.Boxes))
	categories := x.Leaves()
	for _, b := range answer.Boxes {
		fail := func(code CheckCode, format string, args ...any) {
			found = append(found, Finding{code, Error, b.ID, fmt.Sprintf(format, args...)})
		}
		if seen[b.ID] {
			fail(RepeatedID, "two boxes have the id %q", b.ID)
		}
		seen[b.ID] = true
		if !slices.Contains(categories, b.Category) {
			fail(UnknownCategory, "there is no category %q", b.Category)
		}
		switch {
		case !drawable(b.Box):
			fail(BadBox, "the %s has no area", b.Category)
		case b.Box.Width() < x.MinWidth || b.Box.Height() < x.MinHeight:
			fail(BoxTooSmall, "the %s is %.1f × %.1f pixels, at least %g × %g are asked for",
				b.Category, b.Box.Width(), b.Box.Height(), x.MinWidth, x.MinHeight)
		}
		found = append(found, x.attributes(b.ID, b.Category, b.Attributes, false)...)
	}
	return append(found, x.attributes("", "", answer.Attributes, true)...)
}

// attributes returns the errors of a box's or the image's attributes.
func (x Taxonomy) attributes(box, category string, given map[string]any, image bool) (found []Finding) {
	of := "the image"
	if !image {
		of = "the " + category
	}
	fail := func(code CheckCode, format string, args ...any) {
		found = append(found, Finding{code, Error, box, of + " " + fmt.Sprintf(format, args...)})
	}
	known := make(map[string]bool, len(x.Attributes))
	for _, a := range x.Attributes {
		if a.Image != image {
			continue
		}
		known[a.ID] = true
		value, there := given[a.ID]
		asked := a.Asked(category, given)
		switch {
		case asked && a.Required && len(chosen(value)) == 0:
			fail(MissingAttribute, "lacks %s", a.ID)
		case there && value != nil && !a.allows(value):
			fail(BadAttribute, "cannot have %v as %s", value, a.ID)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(given)) {
		if !known[id] {
			fail(UnknownAttribute, "has no attribute %s", id)
		}
	}
	return found
}

// allows reports whether an attribute may have a value.
func (a Attribute) allows(value any) bool {
	switch a.Type {
	case NumberAttribute:
		n, ok := value.(float64)
		return ok && !math.IsNaN(n) && !math.IsInf(n, 0)
	case TextAttribute:
		_, ok := value.(string)
		return ok
	}
	_, single := value.(string)
	if single == a.Multiple {
		return false
	}
	for _, v := range chosen(value) {
		if !slices.Contains(a.Choices, v) {
			return false
		}
	}
	return true
}
