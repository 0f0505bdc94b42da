package flow

import (
	"time"

	"remuda"
	"remuda/geom"
	"remuda/label"
	"remuda/store"
)

// required says what a task of a type must have, beside what people can draw.
// It is only for tasks of the test world: people do none of these.
func required(typ string) []string {
	switch typ {
	case "categorization":
		return []string{"attachment", "categories"}
	case "transcription", "datacollection":
		return []string{"attachment"}
	case "annotation", "polygonannotation", "lineannotation", "pointannotation", "cuboidannotation":
		return []string{"attachment", "objects_to_annotate"}
	case "documenttranscription":
		return []string{"attachment", "features"}
	case "namedentityrecognition":
		return []string{"text", "labels"}
	case "segmentannotation":
		return []string{"attachment", "labels"}
	case "comparison":
		return []string{"attachments"}
	case store.ImageAnnotation:
		return []string{"attachment", "geometries"}
	}
	return nil
}

// checkType refuses what a task of its type cannot be made of.
func checkType(world remuda.World, n NewTask, params Params) error {
	if n.Type != store.ImageAnnotation && world == remuda.Live {
		return unknownType(n.Type)
	}
	for _, key := range required(n.Type) {
		switch {
		case params.has(key), key == "attachment" && n.Item != "":
		case key == "attachment" && params.has("attachments"):
		case key == "attachment":
			return remuda.Errorf(remuda.Invalid, "Please include an attachment or attachments parameter.")
		default:
			return remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %q is required", key)
		}
	}
	if world == remuda.Live {
		return onlyBoxes(params)
	}
	return nil
}

// onlyBoxes refuses questions that nobody here could answer.
func onlyBoxes(params Params) error {
	_, err := params.Taxonomy(0)
	return err
}

// completeAtOnce gives a task of the test world an answer that nobody drew: what
// people would have begun from, else one box.
func completeAtOnce(t *store.Task, now time.Time) label.Event {
	var answer label.Answer
	x, err := taxonomyOf(t.Params)
	switch {
	case t.Start != nil:
		answer = t.Start.Clone()
	case err == nil && t.Type == store.ImageAnnotation:
		w, h := max(100, x.MinWidth), max(100, x.MinHeight)
		answer.Boxes = []label.Box{{ID: newUUID(), Category: x.Leaves()[0], Box: geom.Box{X0: 10, Y0: 10, X1: 10 + w, Y1: 10 + h}, Attributes: dummyAttributes(x)}}
	}
	t.Status, t.Completed, t.Result = label.Completed, now, &answer
	return label.Event{Kind: label.EventCompleted, At: now, Task: t.ID, Batch: t.Batch, Round: t.Round}
}

// dummyAttributes answers what is asked about a box of the first category.
func dummyAttributes(x label.Taxonomy) map[string]any {
	made := make(map[string]any)
	for _, a := range x.Attributes {
		if a.Image || !a.Asked(x.Leaves()[0], made) {
			continue
		}
		switch {
		case a.Multiple:
			made[a.ID] = []string{a.Choices[0]}
		case a.Type == label.ChoiceAttribute:
			made[a.ID] = a.Choices[0]
		case a.Type == label.NumberAttribute:
			made[a.ID] = 0.0
		default:
			made[a.ID] = "text"
		}
	}
	return made
}
