package scale

import (
	"encoding/json"
	"math"

	"remuda"
	"remuda/geom"
	"remuda/label"
)

// wireBox is a box of a response.
type wireBox struct {
	UUID       string         `json:"uuid"`
	Type       string         `json:"type"`
	Label      string         `json:"label"`
	Attributes map[string]any `json:"attributes"`
	Left       float64        `json:"left"`
	Top        float64        `json:"top"`
	Width      float64        `json:"width"`
	Height     float64        `json:"height"`
}

// wireAnswer is a response, or what people begin from.
type wireAnswer struct {
	Annotations []wireBox      `json:"annotations"`
	Links       []any          `json:"links"`
	Global      map[string]any `json:"global_attributes"`
}

const boxType = "box"

// answerJSON is an answer as the API has it; with whole pixels where these were
// asked for.
func answerJSON(a label.Answer, whole bool) wireAnswer {
	made := wireAnswer{Annotations: []wireBox{}, Links: []any{}, Global: a.Attributes}
	if made.Global == nil {
		made.Global = map[string]any{}
	}
	for _, b := range a.Boxes {
		box := b.Box
		if whole {
			box = geom.Box{X0: math.Round(box.X0), Y0: math.Round(box.Y0), X1: math.Round(box.X1), Y1: math.Round(box.Y1)}
		}
		w := wireBox{UUID: b.ID, Type: boxType, Label: b.Category, Attributes: b.Attributes, Left: box.X0, Top: box.Y0, Width: box.X1 - box.X0, Height: box.Y1 - box.Y0}
		if w.Attributes == nil {
			w.Attributes = map[string]any{}
		}
		made.Annotations = append(made.Annotations, w)
	}
	return made
}

// readAnswer reads an answer as the API has it; invalid with the name of the
// parameter where it is none.
func readAnswer(name string, text json.RawMessage) (*label.Answer, error) {
	var sent struct {
		Annotations *[]wireBox     `json:"annotations"`
		Global      map[string]any `json:"global_attributes"`
	}
	if err := json.Unmarshal(text, &sent); err != nil || sent.Annotations == nil {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q must be an object with a list of annotations", name)
	}
	answer := &label.Answer{Boxes: []label.Box{}, Attributes: sent.Global}
	for i, w := range *sent.Annotations {
		if w.Type != "" && w.Type != boxType {
			return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: annotation %d of %q is of the type %.40q", i, name, w.Type).WithHint("people draw boxes here")
		}
		box := geom.Box{X0: w.Left, Y0: w.Top, X1: w.Left + w.Width, Y1: w.Top + w.Height}
		answer.Boxes = append(answer.Boxes, label.Box{ID: w.UUID, Category: w.Label, Box: box, Attributes: w.Attributes})
	}
	return answer, nil
}
