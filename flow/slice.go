package flow

import (
	"context"
	"strings"

	"remuda"
	"remuda/slice"
	"remuda/store"
)

// maxSliceIDs is how many ids one call may name.
const maxSliceIDs = 10_000

// SliceChoice says what a slice is to hold: what is listed; else what a set
// operation on slices gives; else what a filter chooses; else the whole
// dataset. Sample then takes a part of it. The zero value chooses nothing.
type SliceChoice struct {
	References []string // the user's names of items
	Items      []string // ids of items
	Objects    []string // ids of annotations and predictions
	Combine    *Combination
	Filter     *slice.Filter // of items or of boxes
	Within     string        // the slice that Filter looks at; "" for the dataset
	All        bool          // the whole dataset
	Sample     *Sample
}

// Combination is a set operation: the first slice with each of the others in turn.
type Combination struct {
	Op     string // union, intersection or difference
	Slices []string
}

// Sample takes a part of what was chosen.
type Sample struct {
	Size       int
	Seed       uint64
	ByCategory bool // categories keep their share
	Distinct   bool // the images that differ most by their perceptual hash; Seed has no meaning
}

// NewSlice is what a slice is made from.
type NewSlice struct {
	Name        string
	Description string
	Choice      SliceChoice
}

// CreateSlice makes a slice of a dataset; managers only. An unknown id is not_found and nothing is made.
func (f *Flow) CreateSlice(ctx context.Context, caller remuda.Caller, dataset string, n NewSlice) (made store.Slice, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Name, err = checkName("slice", n.Name); err != nil {
		return made, err
	}
	if err := checkOptional("description", n.Description, maxDescription); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		members, err := choose(tx, dataset, n.Choice)
		if err != nil {
			return err
		}
		typ := store.SliceOfItems
		if n.Choice.ofObjects() || len(members) > 0 && members[0].Annotation != "" {
			typ = store.SliceOfObjects
		}
		if made, err = tx.CreateSlice(store.Slice{Dataset: dataset, Name: n.Name, Type: typ, Description: n.Description}); err != nil {
			return err
		}
		_, err = tx.AddMembers(made.ID, members)
		return err
	})
	return made, err
}

func (c *SliceChoice) ofObjects() bool {
	return len(c.Objects) > 0 || c.Filter != nil && c.Filter.Level == slice.Boxes
}

// AppendToSlice adds to a slice, in order, and returns what was not in it;
// managers only. A frozen slice is a conflict.
func (f *Flow) AppendToSlice(ctx context.Context, caller remuda.Caller, id string, c SliceChoice) (added []store.SliceMember, err error) {
	err = f.changeSlice(ctx, caller, id, c, func(tx *store.Tx, members []store.SliceMember) (err error) {
		added, err = tx.AddMembers(id, members)
		return err
	})
	return added, err
}

// RemoveFromSlice takes members out of a slice; managers only. A frozen slice is a conflict.
func (f *Flow) RemoveFromSlice(ctx context.Context, caller remuda.Caller, id string, c SliceChoice) (removed int64, err error) {
	err = f.changeSlice(ctx, caller, id, c, func(tx *store.Tx, members []store.SliceMember) (err error) {
		removed, err = tx.RemoveMembers(id, members)
		return err
	})
	return removed, err
}

func (f *Flow) changeSlice(ctx context.Context, caller remuda.Caller, id string, c SliceChoice, do func(*store.Tx, []store.SliceMember) error) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		s, err := tx.Slice(id)
		if err != nil {
			return err
		}
		members, err := choose(tx, s.Dataset, c)
		if err != nil {
			return err
		}
		for _, m := range members {
			if (m.Annotation != "") != (s.Type == store.SliceOfObjects) {
				return remuda.Errorf(remuda.Invalid, "change slice %s: it holds members of the type %s", id, s.Type).WithHint("make another slice for the others")
			}
		}
		return do(tx, members)
	})
}

// choose carries out a choice.
func choose(tx *store.Tx, dataset string, c SliceChoice) (members []store.SliceMember, err error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	if n := len(c.References) + len(c.Items) + len(c.Objects); n > maxSliceIDs {
		return nil, remuda.Errorf(remuda.Invalid, "choose %d members of a slice: more than %d at once", n, maxSliceIDs).WithHint("append the rest in further calls")
	}
	if len(c.Objects) > 0 && len(c.References)+len(c.Items) > 0 {
		return nil, remuda.Errorf(remuda.Invalid, "choose members of a slice: it holds items or objects, not both")
	}
	switch {
	case len(c.References)+len(c.Items)+len(c.Objects) > 0:
		members, err = listed(tx, dataset, c)
	case c.Combine != nil:
		members, err = combined(tx, dataset, *c.Combine)
	case c.Filter != nil:
		members, err = filtered(tx, dataset, c.Within, *c.Filter)
	case c.All || c.Sample != nil:
		var ids []string
		ids, err = tx.ItemIDs(dataset)
		members = ofItems(ids)
	}
	if err != nil || c.Sample == nil {
		return members, err
	}
	return sampled(tx, dataset, members, *c.Sample)
}

func ofItems(ids []string) []store.SliceMember {
	members := make([]store.SliceMember, len(ids))
	for i, id := range ids {
		members[i].Item = id
	}
	return members
}

// listed resolves ids; one that is unknown in the dataset is not_found.
func listed(tx *store.Tx, dataset string, c SliceChoice) (members []store.SliceMember, err error) {
	var unknown []string
	byReference, err := tx.ItemsByReference(dataset, c.References)
	if err != nil {
		return nil, err
	}
	for _, ref := range c.References {
		item, ok := byReference[ref]
		if !ok {
			unknown = append(unknown, ref)
		}
		members = append(members, store.SliceMember{Item: item.ID})
	}
	byID, err := tx.ItemsByID(c.Items)
	if err != nil {
		return nil, err
	}
	for _, id := range c.Items {
		if byID[id].Dataset != dataset {
			unknown = append(unknown, id)
		}
		members = append(members, store.SliceMember{Item: id})
	}
	items, err := tx.AnnotationItems(dataset, c.Objects)
	if err != nil {
		return nil, err
	}
	for _, id := range c.Objects {
		if items[id] == "" {
			unknown = append(unknown, id)
		}
		members = append(members, store.SliceMember{Item: items[id], Annotation: id})
	}
	return members, noneUnknown(dataset, unknown)
}

// noneUnknown is not_found if ids are unknown, and names the first of them.
func noneUnknown(dataset string, unknown []string) error {
	if len(unknown) == 0 {
		return nil
	}
	const shown = 5
	names, more := unknown, ""
	if len(names) > shown {
		names, more = names[:shown], " …"
	}
	return remuda.Errorf(remuda.NotFound, "dataset %s has %d of these not: %.1000s%s", dataset, len(unknown), strings.Join(names, ", "), more).
		WithHint("upload them first, or leave them out")
}

// combined carries out a set operation on slices of one dataset and type.
func combined(tx *store.Tx, dataset string, c Combination) (members []store.SliceMember, err error) {
	operation := map[string]func(a, b []store.SliceMember) []store.SliceMember{
		"union": slice.Union[store.SliceMember], "intersection": slice.Intersect[store.SliceMember], "difference": slice.Subtract[store.SliceMember],
	}[c.Op]
	if operation == nil || len(c.Slices) == 0 {
		return nil, remuda.Errorf(remuda.Invalid, "combine %d slices by %.80q", len(c.Slices), c.Op).WithHint("name slices and union, intersection or difference")
	}
	typ := ""
	for i, id := range c.Slices {
		s, err := tx.Slice(id)
		if err != nil {
			return nil, err
		}
		if s.Dataset != dataset || i > 0 && s.Type != typ {
			return nil, remuda.Errorf(remuda.Invalid, "combine slice %s: it is of another dataset or type", id)
		}
		typ = s.Type
		next, err := tx.SliceMembers(id)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			members = next
			continue
		}
		members = operation(members, next)
	}
	return members, nil
}

func filtered(tx *store.Tx, dataset, within string, f slice.Filter) (members []store.SliceMember, err error) {
	if f.Level == slice.Boxes {
		boxes, err := tx.FilterBoxes(dataset, within, f, store.BoxCursor{Position: -1}, 0)
		for _, b := range boxes {
			members = append(members, store.SliceMember{Item: b.Annotation.Item, Annotation: b.Annotation.ID})
		}
		return members, err
	}
	items, err := tx.FilterItems(dataset, within, f, -1, 0)
	for _, item := range items {
		members = append(members, store.SliceMember{Item: item.ID})
	}
	return members, err
}

// sampled takes a part of members.
func sampled(tx *store.Tx, dataset string, members []store.SliceMember, s Sample) ([]store.SliceMember, error) {
	if s.Size <= 0 {
		return nil, remuda.Errorf(remuda.Invalid, "take a sample of %d", s.Size).WithHint("ask for at least one")
	}
	ids := make([]string, len(members))
	byID := make(map[string]store.SliceMember, len(members))
	for i, m := range members {
		ids[i] = m.Item
		if m.Annotation != "" {
			ids[i] = m.Annotation
		}
		byID[ids[i]] = m
	}
	var chosen []string
	switch {
	case s.Distinct:
		hashes, err := tx.PHashes(dataset)
		if err != nil {
			return nil, err
		}
		chosen = mostDistinct(ids, hashes, s.Size)
	case s.ByCategory:
		categories, err := tx.CategoriesOf(dataset, ids)
		if err != nil {
			return nil, err
		}
		chosen = slice.SampleByCategory(membersWith(ids, categories), s.Size, s.Seed)
	default:
		chosen = slice.Sample(ids, s.Size, s.Seed)
	}
	sampled := make([]store.SliceMember, len(chosen))
	for i, id := range chosen {
		sampled[i] = byID[id]
	}
	return sampled, nil
}

func membersWith(ids []string, categories map[string][]string) []slice.Member {
	members := make([]slice.Member, len(ids))
	for i, id := range ids {
		members[i] = slice.Member{ID: id, Categories: categories[id]}
	}
	return members
}

// SliceOverview is a slice with what is told of it.
type SliceOverview struct {
	store.Slice
	Members int64
	Tags    []string
}

// Slices returns those of the caller's world that the filter chooses, oldest first, with their tags.
func (f *Flow) Slices(ctx context.Context, caller remuda.Caller, filter store.SliceFilter) ([]SliceOverview, error) {
	return read(ctx, f, caller, func(tx *store.Tx) (found []SliceOverview, err error) {
		if filter.Dataset != "" {
			if _, err := tx.Dataset(filter.Dataset); err != nil {
				return found, err
			}
		}
		rows, err := tx.Slices(filter)
		for _, s := range rows {
			o, err := overviewOf(tx, s)
			if err != nil {
				return found, err
			}
			found = append(found, o)
		}
		return found, err
	})
}

func overviewOf(tx *store.Tx, s store.Slice) (o SliceOverview, err error) {
	o.Slice = s
	if o.Members, err = tx.CountMembers(s.ID); err != nil {
		return o, err
	}
	o.Tags, err = tx.Tags(s.ID)
	return o, err
}

// Slice returns a slice of the caller's world.
func (f *Flow) Slice(ctx context.Context, caller remuda.Caller, id string) (o SliceOverview, err error) {
	err = f.readSlice(ctx, caller, id, func(tx *store.Tx, s store.Slice) (err error) {
		o, err = overviewOf(tx, s)
		return err
	})
	return o, err
}

func (f *Flow) readSlice(ctx context.Context, caller remuda.Caller, id string, do func(*store.Tx, store.Slice) error) error {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return err
	}
	return f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		s, err := tx.Slice(id)
		if err != nil {
			return err
		}
		return do(tx, s)
	})
}

// SliceMember is a member of a slice: an item, or one of its annotations.
type SliceMember struct {
	Position   int64 // in the slice
	Item       store.Item
	Annotation *store.Annotation // nil in a slice of items
}

// SliceMembers returns at most n members of a slice (0 never cuts) behind a
// position (-1 begins), in the order in which they were added.
func (f *Flow) SliceMembers(ctx context.Context, caller remuda.Caller, id string, after int64, n int) (found []SliceMember, err error) {
	err = f.readSlice(ctx, caller, id, func(tx *store.Tx, s store.Slice) (err error) {
		if s.Type == store.SliceOfObjects {
			found, err = sliceObjects(tx, id, after, n)
			return err
		}
		items, err := tx.SliceItemsAfter(id, after, n)
		found = make([]SliceMember, len(items))
		for i, item := range items {
			found[i] = SliceMember{Position: item.Position, Item: item}
		}
		return err
	})
	return found, err
}

func sliceObjects(tx *store.Tx, id string, after int64, n int) ([]SliceMember, error) {
	objects, err := tx.SliceObjectsAfter(id, after, n)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(objects))
	for i, o := range objects {
		ids[i] = o.Annotation.Item
	}
	items, err := tx.ItemsByID(ids)
	found := make([]SliceMember, len(objects))
	for i, o := range objects {
		found[i] = SliceMember{Position: o.Position, Item: items[o.Annotation.Item], Annotation: &o.Annotation}
	}
	return found, err
}

// DeleteSlice removes a slice, also a frozen one; managers only. Its members stay in their dataset.
func (f *Flow) DeleteSlice(ctx context.Context, caller remuda.Caller, id string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		if err := tx.DeleteSlice(id); err != nil {
			return err
		}
		return tx.Audit("slice.delete", id, "")
	})
}

// RenameSlice gives a slice another name and description, also a frozen one; managers only.
func (f *Flow) RenameSlice(ctx context.Context, caller remuda.Caller, id, name, description string) (s store.Slice, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return s, err
	}
	if name, err = checkName("slice", name); err != nil {
		return s, err
	}
	if err := checkOptional("description", description, maxDescription); err != nil {
		return s, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if s, err = tx.Slice(id); err != nil {
			return err
		}
		s.Name, s.Description = name, description
		return tx.UpdateSlice(s)
	})
	return s, err
}

// SliceCategories returns the categories of the ground truth of a slice's items, sorted.
func (f *Flow) SliceCategories(ctx context.Context, caller remuda.Caller, id string) (names []string, err error) {
	err = f.readSlice(ctx, caller, id, func(tx *store.Tx, s store.Slice) error {
		names, err = tx.SliceCategories(s)
		return err
	})
	return names, err
}
