package flow

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"remuda"
	"remuda/eval"
	"remuda/store"
)

// BenchmarkItemRef names an item by the user's name of it.
type BenchmarkItemRef struct {
	Dataset   string `json:"dataset"`
	Reference string `json:"reference"`
}

// BenchmarkSource says which items a benchmark has: those that any field names.
type BenchmarkSource struct {
	Items    []string           `json:"items,omitempty"` // ids
	Refs     []BenchmarkItemRef `json:"refs,omitempty"`
	Slices   []string           `json:"slices,omitempty"`
	Datasets []string           `json:"datasets,omitempty"`
	Parent   string             `json:"parent,omitempty"`  // a benchmark whose items it has
	Removed  []string           `json:"removed,omitempty"` // ids of items that it doesn't have all the same
}

// NewBenchmark is what a benchmark is made from.
type NewBenchmark struct {
	Name         string
	Description  string
	Metadata     json.RawMessage // an object, or nothing
	Source       BenchmarkSource
	Rule         eval.LabelRule
	Bump         string // of a version of Source.Parent: "major", or "minor" if it is ""
	VersionMajor *int64 // go before Bump
	VersionMinor *int64
	VersionLabel string
}

// maxDescription is how many bytes the description of anything may have.
const maxDescription = 10_000

// jobBenchmark is the kind of job that builds a benchmark.
const jobBenchmark = "createBenchmark"

type benchmarkArgs struct {
	Benchmark string          `json:"benchmark"`
	Source    BenchmarkSource `json:"source"`
}

// CreateBenchmark makes a benchmark, whose items and ground truth a job writes
// down; managers only. Items without ground truth boxes are left out then.
func (f *Flow) CreateBenchmark(ctx context.Context, caller remuda.Caller, n NewBenchmark) (made store.Benchmark, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	b := store.Benchmark{Description: n.Description, Parent: n.Source.Parent, VersionLabel: n.VersionLabel}
	if b.Name, err = checkName("benchmark", n.Name); err != nil {
		return made, err
	}
	if err := errors.Join(checkOptional("description", n.Description, maxDescription), checkOptional("version label", n.VersionLabel, maxName)); err != nil {
		return made, err
	}
	if b.Metadata, err = orEmptyObject("a benchmark's metadata", n.Metadata); err != nil {
		return made, err
	}
	if b.Rule, err = ruleText(n.Rule); err != nil {
		return made, err
	}
	s := n.Source
	if len(s.Items)+len(s.Refs)+len(s.Slices)+len(s.Datasets) == 0 && s.Parent == "" {
		return made, remuda.Errorf(remuda.Invalid, "make a benchmark: no items are named").WithHint("name items, slices or datasets")
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := n.version(tx, &b); err != nil {
			return err
		}
		if _, err := sourceItems(tx, s); err != nil {
			return err
		}
		if made, err = tx.CreateBenchmark(b); err != nil {
			return err
		}
		job, err := tx.NewJob(jobBenchmark, "", benchmarkArgs{made.ID, s}, 1)
		if err != nil {
			return err
		}
		made.Job = job.ID
		return tx.UpdateBenchmark(made)
	})
	return made, err
}

// version gives a benchmark its numbers.
func (n *NewBenchmark) version(tx *store.Tx, b *store.Benchmark) error {
	b.VersionMajor = 1
	if b.Parent != "" {
		parent, err := tx.Benchmark(b.Parent)
		if err != nil {
			return err
		}
		b.VersionMajor, b.VersionMinor = parent.VersionMajor, parent.VersionMinor+1
		if string(b.Rule) == "{}" {
			b.Rule = parent.Rule
		}
	}
	switch n.Bump {
	case "", "minor":
	case "major":
		b.VersionMajor, b.VersionMinor = b.VersionMajor+1, 0
	default:
		return remuda.Errorf(remuda.Invalid, "make a benchmark: a version is minor or major, not %.80q", n.Bump)
	}
	if n.VersionMajor != nil {
		b.VersionMajor, b.VersionMinor = *n.VersionMajor, 0
	}
	if n.VersionMinor != nil {
		b.VersionMinor = *n.VersionMinor
	}
	return nil
}

// sourceItem is an item that a benchmark is to have.
type sourceItem struct {
	store.BenchmarkItem
	frozen string // the frozen slice whose ground truth it has; "" if its own of now
}

// sourceItems returns the items that a source names, each once; not_found if any of them is not there.
func sourceItems(tx *store.Tx, s BenchmarkSource) (items []sourceItem, err error) {
	seen := make(map[string]bool)
	for _, id := range s.Removed {
		seen[id] = true
	}
	frozen := ""
	add := func(item, dataset string) {
		if !seen[item] {
			seen[item] = true
			items = append(items, sourceItem{store.BenchmarkItem{Item: item, Dataset: dataset}, frozen})
		}
	}
	if s.Parent != "" {
		inherited, err := tx.BenchmarkItems(s.Parent, 0, 0)
		if err != nil {
			return nil, err
		}
		for _, item := range inherited {
			add(item.Item, item.Dataset)
		}
	}
	named, err := tx.ItemsByID(s.Items)
	if err != nil {
		return nil, err
	}
	for _, id := range s.Items {
		item, known := named[id]
		if !known {
			return nil, remuda.Errorf(remuda.NotFound, "there is no item %s", id)
		}
		add(item.ID, item.Dataset)
	}
	if err := referredItems(tx, s.Refs, add); err != nil {
		return nil, err
	}
	for _, id := range s.Slices {
		slice, err := tx.Slice(id)
		if err != nil {
			return nil, err
		}
		members, err := tx.SliceMembers(id)
		if err != nil {
			return nil, err
		}
		if frozen = ""; slice.Frozen != "" {
			frozen = id
		}
		for _, m := range members {
			add(m.Item, slice.Dataset)
		}
	}
	frozen = ""
	for _, dataset := range s.Datasets {
		if _, err := tx.Dataset(dataset); err != nil {
			return nil, err
		}
		ids, err := tx.ItemIDs(dataset)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			add(id, dataset)
		}
	}
	return items, nil
}

func referredItems(tx *store.Tx, refs []BenchmarkItemRef, add func(item, dataset string)) error {
	byDataset := make(map[string][]string)
	for _, ref := range refs {
		byDataset[ref.Dataset] = append(byDataset[ref.Dataset], ref.Reference)
	}
	found := make(map[BenchmarkItemRef]string, len(refs))
	for dataset, names := range byDataset {
		items, err := tx.ItemsByReference(dataset, names)
		if err != nil {
			return err
		}
		for _, name := range names {
			found[BenchmarkItemRef{dataset, name}] = items[name].ID
		}
	}
	for _, ref := range refs {
		if found[ref] == "" {
			return remuda.Errorf(remuda.NotFound, "there is no item %s in dataset %s", ref.Reference, ref.Dataset)
		}
		add(found[ref], ref.Dataset)
	}
	return nil
}

// runBenchmark carries out a job of the kind jobBenchmark.
func (f *Flow) runBenchmark(ctx context.Context, run *JobRun) (any, error) {
	var args benchmarkArgs
	if err := run.Args(&args); err != nil {
		return nil, err
	}
	var truth *compared
	var items []store.BenchmarkItem
	skipped := 0
	err := f.DB.Read(ctx, run.Caller, func(tx *store.Tx) error {
		all, err := sourceItems(tx, args.Source)
		if err != nil {
			return err
		}
		if truth, err = groundTruth(tx, all); err != nil {
			return err
		}
		has := make([]bool, len(all))
		for _, i := range truth.Truth.Item {
			has[i] = true
		}
		for i, item := range all {
			if has[i] {
				items = append(items, item.BenchmarkItem)
			}
		}
		skipped = len(all) - len(items)
		truth = truth.only(func(i int) bool { return has[i] })
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, remuda.Errorf(remuda.Invalid, "build benchmark %s: none of its items has a ground truth box", args.Benchmark).WithHint("annotate the items first")
	}
	blob, err := f.putCompared(ctx, truth)
	if err != nil {
		return nil, err
	}
	return map[string]int{"items": len(items), "skipped_items_without_ground_truth": skipped}, f.DB.Write(ctx, run.Caller, func(tx *store.Tx) error {
		b, err := tx.LockBenchmark(args.Benchmark)
		if err != nil {
			return err
		}
		b.Skipped, b.Truth = int64(skipped), blob
		if err := tx.SetBenchmarkItems(b.ID, items); err != nil {
			return err
		}
		return tx.UpdateBenchmark(b)
	})
}

// groundTruth returns what is to be found on items.
func groundTruth(tx *store.Tx, items []sourceItem) (*compared, error) {
	c := &compared{Items: make([]string, len(items))}
	bySlice := make(map[string][]string)
	for i, item := range items {
		c.Items[i] = item.Item
		bySlice[item.frozen] = append(bySlice[item.frozen], item.Item)
	}
	for _, frozen := range slices.Sorted(maps.Keys(bySlice)) {
		if err := c.readTruth(tx, bySlice[frozen], frozen); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Benchmark returns a benchmark.
func (f *Flow) Benchmark(ctx context.Context, caller remuda.Caller, id string) (store.Benchmark, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (store.Benchmark, error) { return tx.Benchmark(id) })
}

// Benchmarks returns those of the caller's world, newest first.
func (f *Flow) Benchmarks(ctx context.Context, caller remuda.Caller) ([]store.Benchmark, error) {
	return read(ctx, f, caller, func(tx *store.Tx) ([]store.Benchmark, error) { return tx.Benchmarks() })
}

// BenchmarkItems returns at most n items of a benchmark (0 never cuts) after
// the first skip, and how many it has.
func (f *Flow) BenchmarkItems(ctx context.Context, caller remuda.Caller, id string, skip, n int) (items []store.BenchmarkItem, total int64, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, 0, err
	}
	if skip < 0 || n < 0 {
		return nil, 0, remuda.Errorf(remuda.Invalid, "%d items after the first %d", n, skip).WithHint("give a limit and an offset of at least 0")
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		b, err := tx.Benchmark(id)
		if err != nil {
			return err
		}
		total = b.Items
		items, err = tx.BenchmarkItems(id, skip, n)
		return err
	})
	return items, total, err
}

// BenchmarkChange is what of a benchmark is to be changed; nil fields stay.
type BenchmarkChange struct {
	Name        *string
	Description *string
	Metadata    json.RawMessage // nothing stays; null is an empty object
}

// ChangeBenchmark changes what does not bear on a benchmark's numbers; managers only.
func (f *Flow) ChangeBenchmark(ctx context.Context, caller remuda.Caller, id string, change BenchmarkChange) (b store.Benchmark, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return b, err
	}
	if change.Name != nil {
		if *change.Name, err = checkName("benchmark", *change.Name); err != nil {
			return b, err
		}
	}
	if change.Description != nil {
		if err := checkOptional("description", *change.Description, maxDescription); err != nil {
			return b, err
		}
	}
	if len(change.Metadata) > 0 {
		if change.Metadata, err = orEmptyObject("a benchmark's metadata", change.Metadata); err != nil {
			return b, err
		}
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if b, err = tx.LockBenchmark(id); err != nil {
			return err
		}
		if change.Name != nil {
			b.Name = *change.Name
		}
		if change.Description != nil {
			b.Description = *change.Description
		}
		if len(change.Metadata) > 0 {
			b.Metadata = change.Metadata
		}
		return tx.UpdateBenchmark(b)
	})
	return b, err
}

// DeleteBenchmark removes a benchmark; managers only. Evaluations on it stay.
func (f *Flow) DeleteBenchmark(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		b, err := tx.Benchmark(id)
		if err != nil {
			return err
		}
		if err := tx.DeleteBenchmark(id); err != nil {
			return err
		}
		return tx.Audit("benchmark.delete", id, b.Name)
	})
}
