package flow

import (
	"context"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// reportPage is how many tasks a report reads at once.
const reportPage = 200

// eachTask hands all tasks of a batch (an id) to do, the instances of quality
// tasks too: by status, and then in the order of their ids, as an index has them.
func eachTask(tx *store.Tx, batch string, do func(store.Task) error) error {
	for _, status := range []label.Status{label.Completed, label.Pending, label.Canceled, label.Failed} {
		if err := eachTaskThatIs(tx, batch, status, do); err != nil {
			return err
		}
	}
	return nil
}

// eachTaskThatIs is eachTask for those that have a status.
func eachTaskThatIs(tx *store.Tx, batch string, status label.Status, do func(store.Task) error) error {
	for after := ""; ; {
		page, err := tx.BatchTasksAfter(batch, status, after, reportPage)
		if err != nil {
			return err
		}
		for _, t := range page {
			if err := do(t); err != nil {
				return err
			}
			after = t.ID
		}
		if len(page) < reportPage {
			return nil
		}
	}
}

// eachProjectTask is eachTask for all batches of a project.
func eachProjectTask(tx *store.Tx, p store.Project, do func(store.Task) error) error {
	batches, _, err := tx.Batches(store.BatchFilter{Project: p.ID, Nameless: true})
	if err != nil {
		return err
	}
	for _, b := range batches {
		if err := eachTask(tx, b.ID, do); err != nil {
			return err
		}
	}
	return nil
}

// readBatch finds a batch, by name or id, and its project, for a report; managers only.
func (f *Flow) readBatch(ctx context.Context, caller remuda.Caller, ref string, do func(*store.Tx, store.Batch, store.Project) error) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		b, err := findBatch(tx, ref)
		if err != nil {
			return err
		}
		p, err := tx.Project(b.ProjectID)
		if err != nil {
			return err
		}
		return do(tx, b, p)
	})
}

// Calibration reports how well the people of a batch draw, all together and
// each by login, held against the audited answers; managers only.
func (f *Flow) Calibration(ctx context.Context, caller remuda.Caller, ref string) (r label.Reports, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, p store.Project) (err error) {
		r, err = calibrate(tx, b, p)
		return err
	})
	return r, err
}

func calibrate(tx *store.Tx, b store.Batch, p store.Project) (label.Reports, error) {
	name, err := names(tx)
	if err != nil {
		return label.Reports{}, err
	}
	var checked []label.Checked
	err = eachTask(tx, b.ID, func(t store.Task) error {
		for _, c := range t.Checked() {
			c.Person = name(c.Person)
			checked = append(checked, c)
		}
		return nil
	})
	return label.Calibrate(checked, optionsOf(p)), err
}

// BatchAdvice says what a careful manager would do before people begin with a
// batch: it keeps nobody from finalizing; managers only.
func (f *Flow) BatchAdvice(ctx context.Context, caller remuda.Caller, ref string) (advice []string, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, p store.Project) error {
		ready := label.Readiness{Bar: optionsOf(p).Bar}
		if ready.Evaluations, err = tx.QualityInUse(p.ID); err != nil {
			return err
		}
		batches, _, err := tx.Batches(store.BatchFilter{Project: p.ID}) // newest first
		if err != nil {
			return err
		}
		for _, c := range batches {
			if c.Kind != label.Calibration {
				continue
			}
			r, err := calibrate(tx, c, p)
			if err != nil {
				return err
			}
			if r.All.Answers > 0 {
				ready.Calibrated, ready.Score = true, r.All.Score.Value
				break
			}
		}
		advice = b.Advice(ready)
		people, err := peopleOf(tx, b, p)
		if len(people) == 0 {
			advice = append(advice, "nobody is assigned to the project: its tasks wait until somebody is")
		}
		return err
	})
	return advice, err
}

// Doubt is the estimate of how many results of a batch are wrong.
type Doubt struct {
	label.Tally
	Unseen *label.Unseen // the tasks that nobody audited; nil before any audit of the sample
}

// AuditEstimate tells from the audits of a batch's random sample how many of
// the other results are wrong; managers only.
func (f *Flow) AuditEstimate(ctx context.Context, caller remuda.Caller, ref string) (d Doubt, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, _ store.Project) error {
		d = Doubt{}
		var sampled []label.Task
		population := 0
		err := eachTask(tx, b.ID, func(t store.Task) error {
			if t.Kind != label.Real || t.Status != label.Completed && !t.Sampled {
				return nil
			}
			population++
			if t.Sampled {
				sampled = append(sampled, t.Task)
			}
			return nil
		})
		if err != nil {
			return err
		}
		d.Tally = label.Count(sampled, population)
		if d.Audited == 0 {
			return nil
		}
		unseen, err := d.Tally.Unseen()
		d.Unseen = &unseen
		return err
	})
	return d, err
}
