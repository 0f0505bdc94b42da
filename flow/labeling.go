package flow

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// published brings the dataset's ground truth in step with a task that has just
// changed, in the same transaction: an accepted result becomes the item's boxes,
// and a rejected one goes away again. What people made of the starting boxes is
// noted. Who calls it has locked the task.
func published(tx *store.Tx, before, after store.Task) error {
	result, labeled := after.Label()
	if labeled && after.Start != nil && !sameResult(before.Task, result) {
		if err := tx.SetChanges(after.ID, after.Round, label.Changes(*after.Start, result)); err != nil {
			return err
		}
	}
	if after.Kind != label.Real || after.Type != store.ImageAnnotation {
		return nil
	}
	stood, stands := accepted(before.Task), accepted(after.Task)
	if !(stands && !(stood && sameResult(before.Task, result)) || stood && rejected(after.Task)) {
		return nil
	}
	item, err := itemOfTask(tx, after)
	if err != nil || item == "" {
		return err
	}
	after.Image.Item = item
	if !stands {
		result.Boxes = nil
	}
	err = writeBoxes(tx, after, result.Boxes)
	if remuda.CodeOf(err) == remuda.NotFound {
		return nil // the item was deleted meanwhile; the task keeps its result
	}
	return err
}

// accepted says whether a task has a result that nobody has rejected.
func accepted(t label.Task) bool {
	_, labeled := t.Label()
	return labeled && !rejected(t)
}

// rejected says whether the last word on a task is that its result is wrong.
func rejected(t label.Task) bool {
	if len(t.Work) == 0 {
		return false
	}
	last := t.Work[len(t.Work)-1]
	return last.Stage == label.Auditing && last.Verdict == label.Rejected
}

func sameResult(t label.Task, result label.Answer) bool {
	was, labeled := t.Label()
	return labeled && slices.EqualFunc(was.Boxes, result.Boxes, func(a, b label.Box) bool {
		return a.ID == b.ID && a.Category == b.Category && a.Box == b.Box && sameAttributes(a.Attributes, b.Attributes)
	})
}

func sameAttributes(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool {
		first, err := json.Marshal(x)
		if err != nil {
			return false
		}
		second, err := json.Marshal(y)
		return err == nil && bytes.Equal(first, second)
	})
}

// writeBoxes makes boxes the item's ground truth, in the name of the person who
// drew them. What else the item has stays: other kinds of annotations, and boxes
// of categories that the task didn't ask for.
func writeBoxes(tx *store.Tx, t store.Task, boxes []label.Box) error {
	question, err := taxonomyOf(t.Params)
	if err != nil {
		return err
	}
	asked := question.Leaves()
	if err := tx.LockItem(t.Image.Item); err != nil { // before its boxes are read: nobody's change is to be lost, and no answer refused for it
		return err
	}
	item, err := tx.Item(t.Image.Item)
	if err != nil {
		return err
	}
	current, err := tx.AnnotationsOf([]string{item.ID}, "")
	if err != nil {
		return err
	}
	var want []store.Annotation
	old, taken := make(map[string]store.Annotation), make(map[string]bool)
	for _, a := range current[item.ID] {
		if a.Type != store.TypeBox || !slices.Contains(asked, a.Category) && !ofTask(a, t) {
			want, taken[a.Key] = append(want, a), true
			continue
		}
		old[a.ID], old[a.Key] = a, a
	}
	for _, b := range boxes {
		began := old[b.ID]
		delete(old, began.ID)
		delete(old, began.Key)
		a, err := boxAnnotation(t, b, began)
		if err != nil {
			return err
		}
		if taken[a.Key] { // users name boxes as they like, also as another of the item is named
			a.Key = newUUID()
		}
		want, taken[a.Key] = append(want, a), true
	}
	caller := tx.Caller
	defer func() { tx.Caller = caller }()
	if drawn := drawnBy(t.Task); drawn != "" && len(boxes) > 0 {
		tx.Caller.User = drawn
	}
	_, err = tx.ReplaceAnnotations(item.ID, item.Revision, want)
	return err
}

// ofTask says whether an annotation came from a task.
func ofTask(a store.Annotation, t store.Task) bool {
	var m struct {
		Task string `json:"task"`
	}
	return json.Unmarshal(a.Metadata, &m) == nil && m.Task == t.ID
}

// boxAnnotation is a box of a result as the dataset has it: its attributes
// stand in the metadata beside the task. old is the annotation that it began
// from, or the zero one.
func boxAnnotation(t store.Task, b label.Box, old store.Annotation) (store.Annotation, error) {
	corners := b.Box
	a := store.Annotation{ID: old.ID, Type: store.TypeBox, Category: b.Category, Key: b.ID, Box: &corners, Source: store.SourceHuman, Crowd: old.Crowd}
	members := make(map[string]any)
	if old.ID != "" {
		a.Key, a.Task, a.Body = old.Key, old.Task, old.Body
		if old.Box != nil && *old.Box != corners {
			a.Body = withoutGeometry(old.Body)
		}
		if err := json.Unmarshal(old.Metadata, &members); err != nil {
			return a, remuda.Errorf(remuda.Internal, "read the metadata of annotation %s: %w", old.ID, err)
		}
	}
	maps.Copy(members, b.Attributes)
	members["task"] = t.ID
	text, err := json.Marshal(members)
	if err != nil {
		return a, remuda.Errorf(remuda.Internal, "write the attributes of box %s: %w", b.ID, err)
	}
	a.Metadata = text
	return a, nil
}

// drawnBy is who drew a task's result: the last person of the round who handed
// in an answer.
func drawnBy(t label.Task) string {
	for _, w := range slices.Backward(t.Work) {
		if w.Round == t.Round && w.Answer != nil {
			return w.By
		}
	}
	return ""
}
