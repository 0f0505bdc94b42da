package flow

import (
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// maxTaskMetadata is how many bytes of JSON the metadata of a task or a batch may have.
const maxTaskMetadata = 10 << 10

// checkMetadata returns metadata, an empty object for none.
func checkMetadata(text json.RawMessage) (json.RawMessage, error) {
	if _, err := readParams(text); err != nil {
		return nil, remuda.Errorf(remuda.Invalid, "the metadata is no JSON object")
	}
	if len(text) == 0 || string(text) == "null" {
		return json.RawMessage("{}"), nil
	}
	if len(text) > maxTaskMetadata {
		return nil, remuda.Errorf(remuda.Invalid, "metadata of %d bytes: more than %d", len(text), maxTaskMetadata).WithHint("keep the rest elsewhere and name it here")
	}
	return text, nil
}

// NewBatch is what a batch is made from.
type NewBatch struct {
	Project  string // name or id
	Name     string
	Kind     label.BatchKind // production if ""
	Callback string          // URL; mail addresses are taken and never told; "" for none
	Metadata json.RawMessage // an object
	Plan     *label.Plan     // the project's if nil
	Groups   []string        // ids of groups or people; nobody else works on it
}

// BatchView is a batch with the counts of its real tasks.
type BatchView struct {
	store.Batch
	Counts label.Counts
}

// CreateBatch makes a batch to which tasks can be added; managers only. conflict
// if the name is taken. In the test world it is in progress from its birth.
func (f *Flow) CreateBatch(ctx context.Context, caller remuda.Caller, n NewBatch) (made BatchView, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		made.Batch, err = createBatch(tx, n)
		return err
	})
	return made, err
}

// createBatch makes a batch.
func createBatch(tx *store.Tx, n NewBatch) (b store.Batch, err error) {
	if n.Name, err = checkIdentifier("batch", n.Name); err != nil {
		return b, err
	}
	if n.Metadata, err = checkMetadata(n.Metadata); err != nil {
		return b, err
	}
	if err := checkCallback("callback", n.Callback); err != nil {
		return b, err
	}
	if n.Kind == "" {
		n.Kind = label.Production
	}
	if !slices.Contains([]label.BatchKind{label.Production, label.Calibration, label.SelfLabel}, n.Kind) {
		return b, remuda.Errorf(remuda.Invalid, "there is no kind of batches %.40q", n.Kind).WithHint("the kinds are production, calibration and self_label")
	}
	p, err := findProject(tx, n.Project)
	if err != nil {
		return b, err
	}
	plan := p.Settings.Plan
	if n.Plan != nil {
		plan = *n.Plan
	}
	if plan = plan.WithDefaults(); plan.Validate() != nil {
		return b, plan.Validate()
	}
	b = store.Batch{ProjectID: p.ID, Callback: n.Callback, Metadata: n.Metadata}
	b.Batch = label.Batch{Name: n.Name, Project: p.Name, Kind: n.Kind, Status: label.Staging, Plan: plan, Groups: n.Groups}
	if tx.Caller.World == remuda.Test {
		b.Status = label.InProgress
	}
	return tx.CreateBatch(b)
}

// findBatch finds a batch by name or id.
func findBatch(tx *store.Tx, ref string) (store.Batch, error) {
	b, err := tx.BatchByName(ref)
	if remuda.CodeOf(err) != remuda.NotFound {
		return b, err
	}
	if byID, other := tx.Batch(ref); other == nil && byID.Name != "" {
		return byID, nil
	}
	return b, err
}

// Batch returns a batch of the caller's world, by name or id.
func (f *Flow) Batch(ctx context.Context, caller remuda.Caller, ref string) (view BatchView, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return view, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		if view.Batch, err = findBatch(tx, ref); err != nil {
			return err
		}
		view.Counts, err = tx.BatchCounts(view.ID)
		return err
	})
	return view, err
}

// BatchPage is a page of batches.
type BatchPage struct {
	Batches []BatchView
	Total   int64 // on all pages
}

// Batches returns those of the caller's world that the filter chooses, newest
// first. project, a name or an id, may be "".
func (f *Flow) Batches(ctx context.Context, caller remuda.Caller, project string, filter store.BatchFilter) (page BatchPage, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return page, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		page = BatchPage{Batches: []BatchView{}}
		if project != "" {
			p, err := findProject(tx, project)
			if err != nil {
				return err
			}
			filter.Project = p.ID
		}
		found, total, err := tx.Batches(filter)
		if err != nil {
			return err
		}
		page.Total = total
		for _, b := range found {
			counts, err := tx.BatchCounts(b.ID)
			if err != nil {
				return err
			}
			page.Batches = append(page.Batches, BatchView{b, counts})
		}
		return nil
	})
	return page, err
}

// changeBatch changes a batch that nobody else changes meanwhile, and follows
// up what happened; managers only.
func (f *Flow) changeBatch(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Tx, *store.Batch, label.Counts) ([]label.Event, error)) (view BatchView, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return view, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		b, err := findBatch(tx, ref)
		if err != nil {
			return err
		}
		if b, err = tx.LockBatch(b.ID); err != nil {
			return err
		}
		if view.Counts, err = tx.BatchCounts(b.ID); err != nil {
			return err
		}
		events, err := change(tx, &b, view.Counts)
		if err != nil {
			return err
		}
		view.Batch = b
		return keepBatch(tx, b, events)
	})
	return view, err
}

// keepBatch writes a batch that the caller has locked, its events, and the
// callbacks that follow from them.
func keepBatch(tx *store.Tx, b store.Batch, events []label.Event) error {
	for _, e := range events {
		switch e.Kind {
		case label.EventBatchCompleted:
			b.CompletedAt = &tx.Now
		case label.EventBatchReopened, label.EventBatchResumed:
			b.CompletedAt = nil
		}
	}
	if err := tx.UpdateBatch(b); err != nil {
		return err
	}
	if err := tx.AddEvents(b.ProjectID, b.ID, events); err != nil {
		return err
	}
	for _, e := range events {
		if !e.CallsBack() {
			continue
		}
		if err := callBack(tx, store.Callback{BatchID: b.ID, Event: e.Kind, URL: b.Callback}); err != nil {
			return err
		}
	}
	return nil
}

// FinalizeBatch ends the adding of tasks: people may work. A second time changes
// nothing.
func (f *Flow) FinalizeBatch(ctx context.Context, caller remuda.Caller, ref string) (BatchView, error) {
	view, err := f.changeBatch(ctx, caller, ref, func(tx *store.Tx, b *store.Batch, c label.Counts) ([]label.Event, error) {
		next, events := b.Finalize(caller.Author(), tx.Now)
		settled, more := next.Settle(c, tx.Now)
		b.Batch = settled
		return append(events, more...), nil
	})
	if err == nil {
		f.countGrown(ctx) // many tasks were added, and fifty people are about to ask for the next one
	}
	return view, err
}

// ReopenBatch lets more tasks be added, for a reason; nobody works until the
// batch is finalized again.
func (f *Flow) ReopenBatch(ctx context.Context, caller remuda.Caller, ref, why string) (BatchView, error) {
	return f.changeBatch(ctx, caller, ref, func(tx *store.Tx, b *store.Batch, _ label.Counts) (events []label.Event, err error) {
		b.Batch, events = b.Reopen(caller.Author(), why, tx.Now)
		return events, nil
	})
}

// BatchChange changes a batch; nil fields stay.
type BatchChange struct {
	Plan     *label.Plan // for tasks that are made from now on
	Groups   *[]string   // who works on it: groups of its project by name or id, people by login; none: everyone of the project
	Callback *string     // URL; "" for none
	Metadata json.RawMessage
}

// ChangeBatch carries out a change of a batch, all of it or nothing; managers
// only. Of a batch with groups only those see the tasks, managers too.
func (f *Flow) ChangeBatch(ctx context.Context, caller remuda.Caller, ref string, c BatchChange) (BatchView, error) {
	return f.changeBatch(ctx, caller, ref, func(tx *store.Tx, b *store.Batch, _ label.Counts) (_ []label.Event, err error) {
		if c.Plan != nil {
			b.Plan = c.Plan.WithDefaults()
			if err := b.Plan.Validate(); err != nil {
				return nil, err
			}
		}
		if c.Groups != nil {
			if b.Groups, err = groupIDs(tx, *b, *c.Groups); err != nil {
				return nil, err
			}
		}
		if c.Callback != nil {
			if err := checkCallback("callback", *c.Callback); err != nil {
				return nil, err
			}
			b.Callback = *c.Callback
		}
		if c.Metadata != nil {
			if b.Metadata, err = checkMetadata(c.Metadata); err != nil {
				return nil, err
			}
		}
		b.Revision++
		return nil, nil
	})
}

// groupIDs finds groups of a batch's project by name or id, and people by login.
func groupIDs(tx *store.Tx, b store.Batch, names []string) ([]string, error) {
	known, err := tx.Groups(b.ProjectID)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, name := range names {
		if at := slices.IndexFunc(known, func(g store.Group) bool { return g.Name == name || g.ID == name }); at >= 0 {
			ids = append(ids, known[at].ID)
			continue
		}
		u, err := findUser(tx, name)
		if remuda.CodeOf(err) == remuda.NotFound {
			return nil, remuda.Errorf(remuda.Invalid, "project %q has no group %q, and no user has that login", b.Project, name)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, u.ID)
	}
	return ids, nil
}

// RankBatches puts the batches that aren't completed in an order, given by
// name; every one has to be there. No names go back to the default order.
// Managers only.
func (f *Flow) RankBatches(ctx context.Context, caller remuda.Caller, names []string) ([]BatchView, error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	err := f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		open, err := namedOpenBatches(tx)
		if err != nil {
			return err
		}
		byName := make(map[string]store.Batch)
		var batches []label.Batch
		for _, b := range open {
			locked, err := tx.LockBatch(b.ID)
			if err != nil {
				return err
			}
			byName[b.Name] = locked
			batches = append(batches, locked.Batch)
		}
		changed, err := label.Rank(batches, names)
		if err != nil {
			return err
		}
		for _, c := range changed {
			b := byName[c.Name]
			b.Batch = c
			if err := tx.UpdateBatch(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f.RankedBatches(ctx, caller)
}

func namedOpenBatches(tx *store.Tx) ([]store.Batch, error) {
	open, err := tx.OpenBatches()
	return slices.DeleteFunc(open, func(b store.Batch) bool { return b.Name == "" }), err
}

// RankedBatches returns the batches that aren't completed in the order in which
// people get to them.
func (f *Flow) RankedBatches(ctx context.Context, caller remuda.Caller) (views []BatchView, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		views = []BatchView{}
		open, err := namedOpenBatches(tx)
		if err != nil {
			return err
		}
		counts, err := tx.WorldCounts()
		if err != nil {
			return err
		}
		slices.SortFunc(open, func(a, b store.Batch) int { return a.Order(b.Batch) })
		for _, b := range open {
			views = append(views, BatchView{b, counts[b.ID]})
		}
		return nil
	})
	return views, err
}
