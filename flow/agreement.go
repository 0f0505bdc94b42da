package flow

import (
	"context"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// Agreement measures how well the people of a batch agree with each other on
// the images that several of them attempted: the noise ceiling that a model's
// F1 can be held against; managers only.
func (f *Flow) Agreement(ctx context.Context, caller remuda.Caller, ref string) (c label.Ceiling, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, p store.Project) error {
		var images []label.Doubled
		err := eachTask(tx, b.ID, func(t store.Task) error {
			if d := t.Doubled(); t.Kind == label.Real && len(d.Answers) > 1 {
				images = append(images, d)
			}
			return nil
		})
		c = label.NoiseCeiling(images, optionsOf(p))
		return err
	})
	return c, err
}

// Merge shows how a task's attempts were made into one result, with all that
// they disagree about; reviewers, who decide on it.
func (f *Flow) Merge(ctx context.Context, caller remuda.Caller, task string) (m label.Merged, people []string, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return m, nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		t, err := tx.Task(task)
		if err != nil {
			return err
		}
		p, err := tx.Project(t.ProjectID)
		if err != nil {
			return err
		}
		name, err := names(tx)
		if err != nil {
			return err
		}
		var answers []label.Answer
		people = []string{}
		for _, w := range t.Attempts() {
			answers, people = append(answers, *w.Answer), append(people, name(w.By))
		}
		m = label.Merge(answers, optionsOf(p))
		return nil
	})
	return m, people, err
}
