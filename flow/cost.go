package flow

import (
	"context"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// Costs is what the work on a batch or a project took, and what is left of it.
// People stand in it by login, batches by name.
type Costs struct {
	label.Ledger
	Ahead *label.Ahead // nil until there is something to tell from
}

// BatchCosts returns what the work on a batch took; managers only.
func (f *Flow) BatchCosts(ctx context.Context, caller remuda.Caller, ref string) (c Costs, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, p store.Project) (err error) {
		c, err = costs(tx, p, func(do func(store.Task) error) error { return eachTask(tx, b.ID, do) })
		return err
	})
	return c, err
}

// ProjectCosts returns what the work on all batches of a project took; managers only.
func (f *Flow) ProjectCosts(ctx context.Context, caller remuda.Caller, ref string) (c Costs, err error) {
	err = f.readProject(ctx, caller, remuda.Manager, ref, func(tx *store.Tx, p store.Project) (err error) {
		c, err = costs(tx, p, func(do func(store.Task) error) error { return eachProjectTask(tx, p, do) })
		return err
	})
	return c, err
}

func costs(tx *store.Tx, p store.Project, each func(do func(store.Task) error) error) (c Costs, err error) {
	name, err := names(tx)
	if err != nil {
		return c, err
	}
	var efforts []label.Effort
	var yields []label.Yield
	var open []string
	err = each(func(t store.Task) error {
		done, yield := t.Efforts()
		for _, e := range done {
			e.Person = name(e.Person)
			efforts = append(efforts, e)
		}
		if yield != nil {
			yields = append(yields, *yield)
		}
		if t.Kind == label.Real && t.Status == label.Pending {
			open = append(open, t.ID)
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	c.Ledger = label.NewLedger(efforts, yields, p.Settings.Prices)
	if ahead, ok := c.Ledger.Ahead(open); ok {
		c.Ahead = &ahead
	}
	return c, nil
}
