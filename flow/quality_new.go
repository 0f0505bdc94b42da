package flow

import (
	"context"
	"encoding/json"
	"time"

	"remuda"
	"remuda/label"
	"remuda/store"
)

const workQualityImage = store.WorkQualityImage

// qualityRef is what the queue carries of a quality task.
type qualityRef = store.QualityRef

// NewQuality is what a quality task is made from that no task was made of.
type NewQuality struct {
	NewTask
	Kind     label.Kind    // Training or Evaluation
	Expected *label.Answer // what is right
	Initial  *label.Answer // to be reviewed; nil to be attempted
}

// CreateQualityTask makes a quality task of a project; managers only. It is given to
// people once its image is here.
func (f *Flow) CreateQualityTask(ctx context.Context, caller remuda.Caller, place Place, n NewQuality) (made store.QualityTask, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Expected == nil {
		return made, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"expected_response\" is required")
	}
	identify(n.Expected, newUUID())
	identify(n.Initial, newUUID())
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if place.Batch != "" { // it belongs to the project, whatever batch was named
			b, err := findBatch(tx, place.Batch)
			if err != nil {
				return err
			}
			place = Place{Project: b.ProjectID}
		}
		to, err := openPlace(tx, place)
		if err != nil {
			return err
		}
		var t store.Task
		if _, err := to.make(tx, n.NewTask, &t); err != nil {
			return err
		}
		q := label.QualityTask{Project: to.project.Name, Kind: n.Kind, Expected: *n.Expected, Initial: n.Initial, Taxonomy: t.Taxonomy}
		if err := q.Validate(); err != nil {
			return err
		}
		if err := fits(t, *n.Expected); err != nil {
			return err
		}
		made, err = tx.AddQualityTask(store.QualityTask{
			QualityTask: q, ProjectID: to.project.ID, Type: t.Type, Image: t.Image, Params: t.Params, ProjectVersion: t.ProjectVersion, Instruction: t.Instruction,
		})
		if err != nil || t.Image.Blob != "" || caller.World == remuda.Test {
			return err
		}
		return tx.Enqueue(workQualityImage, qualityRef{World: caller.World, Quality: made.ID}, time.Time{})
	})
	return made, err
}

// fits refuses a right answer that nobody could give.
func fits(t store.Task, expected label.Answer) error {
	if t.Type != store.ImageAnnotation {
		return nil
	}
	q, err := question(t)
	if err != nil {
		return err
	}
	var wrong []label.Finding
	for _, found := range label.Check(expected, q) {
		if found.Level == label.Error {
			wrong = append(wrong, found)
		}
	}
	return label.Refuse(wrong, nil)
}

// runQualityImage gets the image of a quality task. One that cannot be had
// retires the task.
func (f *Flow) runQualityImage(ctx context.Context, text json.RawMessage) error {
	var ref qualityRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return remuda.Errorf(remuda.Invalid, "read a reference to a quality task: %w", err)
	}
	caller := remuda.Caller{Role: remuda.Manager, World: ref.World}
	var q store.QualityTask
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		q, err = tx.QualityTask(ref.Quality)
		return err
	})
	if err != nil || q.Image.Blob != "" {
		return err
	}
	image, err := f.taskImage(ctx, caller, store.Task{Image: q.Image})
	if err != nil {
		return err
	}
	if remuda.CodeOf(image.Err) == remuda.Unavailable {
		return image.Err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		now, err := tx.QualityTask(q.ID)
		if err != nil {
			return err
		}
		now.Image.Blob, now.Image.Format, now.Image.Width, now.Image.Height = image.Blob, image.Format, image.Width, image.Height
		now.Retired = now.Retired || image.Err != nil
		return tx.UpdateQualityTask(now)
	})
}
