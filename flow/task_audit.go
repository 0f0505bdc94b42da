package flow

import (
	"cmp"
	"context"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// AuditTask audits a completed task without a lease, as programs do; managers
// only. The same word twice counts once.
func (f *Flow) AuditTask(ctx context.Context, caller remuda.Caller, ref string, s label.Submission) (store.Task, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return store.Task{}, err
	}
	return f.changeTask(ctx, caller, ref, func(tx *store.Tx, t store.Task, b store.Batch) (label.Task, []label.Event, error) {
		p, err := person(tx)
		if err != nil {
			return t.Task, nil, err
		}
		var q label.Question
		if s.Answer != nil {
			if q, err = question(t); err != nil {
				return t.Task, nil, err
			}
			identify(s.Answer, t.ID, len(t.Holders)+1)
		}
		s.Instruction, s.Taxonomy = cmp.Or(s.Instruction, t.Instruction), cmp.Or(s.Taxonomy, t.Taxonomy)
		return t.AuditNow(p, b.Batch, s, q, tx.Now)
	})
}

// NextAudit leases the next result that was chosen to be audited to the caller,
// of a batch (a name or an id) or of all if that is "", and reports whether there
// is one; managers only.
func (f *Flow) NextAudit(ctx context.Context, caller remuda.Caller, batch string) (w Work, found bool, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return w, false, err
	}
	if err := mustBeSomeone(caller); err != nil {
		return w, false, err
	}
	for range nextTries {
		err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
			w, found, err = nextAudit(tx, batch)
			return err
		})
		if remuda.CodeOf(err) != remuda.Conflict {
			break
		}
	}
	return w, found, err
}

func nextAudit(tx *store.Tx, batch string) (w Work, found bool, err error) {
	p, err := person(tx)
	if err != nil {
		return w, false, err
	}
	if batch != "" {
		b, err := findBatch(tx, batch)
		if err != nil {
			return w, false, err
		}
		batch = b.ID
	}
	own, err := tx.OwnTasks(p.ID, 100)
	if err != nil {
		return w, false, err
	}
	sampled, err := tx.SampledTasks(batch, p.ID, 3)
	if err != nil {
		return w, false, err
	}
	var tasks []store.Task
	var states []label.Task
	for _, t := range append(own, sampled...) {
		if batch == "" || t.BatchID == batch {
			tasks, states = append(tasks, t), append(states, t.Task)
		}
	}
	index, found := label.NextAudit(p, states, tx.Now)
	if !found {
		return w, false, nil
	}
	w.Task = tasks[index]
	if w.Batch, err = tx.Batch(w.Task.BatchID); err != nil {
		return w, false, err
	}
	if err := w.lease(tx, p); err != nil {
		return w, false, err
	}
	return w, true, w.fill(tx)
}

// SampleBatch chooses n completed tasks of a batch at random to be audited, and
// returns their ids, those chosen before too; managers only. The same seed and a larger n choose
// more, and the same ones.
func (f *Flow) SampleBatch(ctx context.Context, caller remuda.Caller, ref string, n int, seed uint64) (chosen []string, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		b, err := findBatch(tx, ref)
		if err != nil {
			return err
		}
		ids, err := tx.CompletedTaskIDs(b.ID)
		if err != nil {
			return err
		}
		chosen = label.Sample(ids, n, seed)
		for _, id := range slices.Sorted(slices.Values(chosen)) { // in one order, lest two samples wait for each other
			before, err := tx.LockTask(id)
			if err != nil {
				return err
			}
			t := before
			state, events, err := t.Choose(tx.Caller.Author(), tx.Now)
			if err != nil {
				return err
			}
			t.Task = state
			if err := keepTask(tx, before, &t, events); err != nil {
				return err
			}
		}
		return nil
	})
	return chosen, err
}
