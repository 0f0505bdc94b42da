package own

import (
	"context"

	"remuda/flow"
	"remuda/slice"
	"remuda/store"
	"remuda/wire"
)

// OfSlice names a slice in the path.
type OfSlice struct {
	Slice string `path:"slice" doc:"The slice's id."`
}

// toSlice is a choice of members for a slice.
type toSlice struct {
	OfSlice
	Body wire.Choice
}

func (s *Server) sliceRoutes() {
	handle(s, route{at: "GET /slices", id: "listSlices", summary: "List slices", about: "Oldest first."}, s.slices)
	handle(s, route{at: "POST /datasets/{dataset}/slices", id: "createSlice", summary: "Make a slice of a dataset"}, s.createSlice)
	handle(s, route{at: "GET /slices/{slice}", id: "getSlice", summary: "A slice"}, s.slice)
	handle(s, route{at: "PATCH /slices/{slice}", id: "renameSlice", summary: "Rename a slice, also a frozen one"}, s.renameSlice)
	act(s, route{at: "DELETE /slices/{slice}", id: "deleteSlice", summary: "Delete a slice", about: "Also a frozen one; its members stay in their dataset."}, func(ctx context.Context, c *call, in *OfSlice) error {
		return s.Flow.DeleteSlice(ctx, c.caller, in.Slice)
	})
	handle(s, route{at: "GET /slices/{slice}/items", id: "listSliceItems", summary: "The items of a slice", about: "In the order in which they were added; those of a frozen slice with what was frozen."}, s.sliceItems)
	handle(s, route{at: "POST /slices/{slice}/items", id: "addToSlice", summary: "Add to a slice", about: "A frozen slice is a conflict."}, func(ctx context.Context, c *call, in *toSlice) (wire.MemberChange, error) {
		choice, err := choiceOf(in.Body)
		if err != nil {
			return wire.MemberChange{}, err
		}
		added, err := s.Flow.AppendToSlice(ctx, c.caller, in.Slice, choice)
		return wire.MemberChange{Added: len(added)}, err
	})
	handle(s, route{at: "POST /slices/{slice}/items/remove", id: "removeFromSlice", summary: "Take members out of a slice", about: "A frozen slice is a conflict."}, func(ctx context.Context, c *call, in *toSlice) (wire.MemberChange, error) {
		choice, err := choiceOf(in.Body)
		if err != nil {
			return wire.MemberChange{}, err
		}
		removed, err := s.Flow.RemoveFromSlice(ctx, c.caller, in.Slice, choice)
		return wire.MemberChange{Removed: removed}, err
	})
	handle(s, route{at: "POST /slices/{slice}/freeze", id: "freezeSlice", summary: "Freeze a slice", about: "Pins the images' bytes and the annotations' revisions under one content hash."}, func(ctx context.Context, c *call, in *OfSlice) (wire.Frozen, error) {
		hash, err := s.Flow.Freeze(ctx, c.caller, in.Slice)
		return wire.Frozen{Hash: hash}, err
	})
	handle(s, route{at: "PATCH /slices/{slice}/tags", id: "tagSlice", summary: "Add and remove tags of a slice"}, func(ctx context.Context, c *call, in *struct {
		OfSlice
		Body wire.TagChange
	},
	) (wire.Tags, error) {
		tags, err := s.Flow.ChangeSliceTags(ctx, c.caller, in.Slice, in.Body.Add, in.Body.Remove)
		return wire.Tags{Tags: texts(tags)}, err
	})
	handle(s, route{at: "GET /slices/{slice}/findings", id: "lintSlice", summary: "What is wrong with a slice's ground truth"}, s.lintSlice)
	handle(s, route{at: "GET /datasets/{dataset}/duplicates", id: "listDuplicates", summary: "Near-duplicates of a dataset", about: "By perceptual hash."}, s.duplicates)
	streamed(s, route{at: "GET /slices/{slice}/labels", id: "exportSlice", summary: "Export a slice's boxes as label files", about: aboutExport}, func(in *struct {
		OfSlice
		LabelFormat
	},
	) (flow.Source, string) {
		return flow.Source{Slice: in.Slice}, in.Format
	})
}

func wireSlice(o flow.SliceOverview) wire.Slice {
	return wire.Slice{
		ID: o.ID, Dataset: o.Dataset, Name: o.Name, Description: o.Description, Type: o.Type, Frozen: o.Frozen, Members: o.Members, Tags: texts(o.Tags),
		CreatedAt: wire.NewTime(o.CreatedAt), CreatedBy: o.CreatedBy,
	}
}

// choiceOf reads the filter of a choice.
func choiceOf(c wire.Choice) (flow.SliceChoice, error) {
	out := flow.SliceChoice{References: c.References, Items: c.Items, Objects: c.Objects, Within: c.Within, All: c.All}
	if c.Combine != nil {
		out.Combine = &flow.Combination{Op: c.Combine.Op, Slices: c.Combine.Slices}
	}
	if c.Sample != nil {
		out.Sample = &flow.Sample{Size: c.Sample.Size, Seed: c.Sample.Seed, ByCategory: c.Sample.ByCategory, Distinct: c.Sample.Distinct}
	}
	if c.Filter == "" {
		return out, nil
	}
	level := slice.Items
	if c.Level == "box" {
		level = slice.Boxes
	}
	filter, err := slice.Parse(c.Filter, level)
	out.Filter = &filter
	return out, err
}

func (s *Server) slices(ctx context.Context, c *call, in *struct {
	Dataset string `query:"dataset" doc:"Only those of this dataset."`
	Name    string `query:"name" doc:"Only those of this name."`
},
) (wire.Slices, error) {
	found, err := s.Flow.Slices(ctx, c.caller, store.SliceFilter{Dataset: in.Dataset, Name: in.Name})
	return wire.Slices{Slices: list(found, wireSlice)}, err
}

func (s *Server) slice(ctx context.Context, c *call, in *OfSlice) (wire.Slice, error) {
	found, err := s.Flow.Slice(ctx, c.caller, in.Slice)
	return wireSlice(found), err
}

func (s *Server) createSlice(ctx context.Context, c *call, in *struct {
	OfDataset
	Body wire.NewSlice
},
) (wire.Slice, error) {
	choice, err := choiceOf(in.Body.Choice)
	if err != nil {
		return wire.Slice{}, err
	}
	made, err := s.Flow.CreateSlice(ctx, c.caller, in.Dataset, flow.NewSlice{Name: in.Body.Name, Description: in.Body.Description, Choice: choice})
	if err != nil {
		return wire.Slice{}, err
	}
	return s.slice(ctx, c, &OfSlice{made.ID})
}

func (s *Server) renameSlice(ctx context.Context, c *call, in *struct {
	OfSlice
	Body wire.SliceChange
},
) (wire.Slice, error) {
	if _, err := s.Flow.RenameSlice(ctx, c.caller, in.Slice, in.Body.Name, in.Body.Description); err != nil {
		return wire.Slice{}, err
	}
	return s.slice(ctx, c, &in.OfSlice)
}

func (s *Server) sliceItems(ctx context.Context, c *call, in *struct {
	OfSlice
	Paging
	Annotations bool `query:"annotations" doc:"With their ground truth."`
},
) (out wire.Items, err error) {
	after, err := in.position()
	if err != nil {
		return out, err
	}
	rows, err := s.Flow.TrainingPage(ctx, c.caller, flow.Source{Slice: in.Slice}, after, in.Limit+1)
	if err != nil {
		return out, err
	}
	rows, more := cut(rows, in.Limit)
	if more {
		out.Next = cursorAt(rows[len(rows)-1].Item.Position)
	}
	out.Items = make([]wire.Item, len(rows))
	for i, row := range rows {
		if out.Items[i], err = s.wireItem(ctx, row.Item); err != nil {
			return out, err
		}
		if in.Annotations {
			out.Items[i].Annotations = list(row.Annotations, wireAnnotation)
		}
	}
	return out, nil
}

func (s *Server) lintSlice(ctx context.Context, c *call, in *struct {
	OfSlice
	Train string `query:"train" doc:"A slice to train on: images that are in both are listed instead."`
},
) (wire.Findings, error) {
	if in.Train != "" {
		report, err := s.Flow.LintLeaks(ctx, c.caller, flow.Source{Slice: in.Train}, flow.Source{Slice: in.Slice})
		return wireFindings(report), err
	}
	report, err := s.Flow.Lint(ctx, c.caller, flow.Source{Slice: in.Slice})
	return wireFindings(report), err
}

func (s *Server) duplicates(ctx context.Context, c *call, in *struct {
	OfDataset
	Threshold int `query:"threshold" minimum:"0" maximum:"64" default:"10" doc:"Bits of 64 by which perceptual hashes of near-duplicates differ at most."`
},
) (wire.Duplicates, error) {
	groups, err := s.Flow.DuplicateGroups(ctx, c.caller, in.Dataset, in.Threshold)
	name := func(h store.PHash) wire.ItemName { return wire.ItemName{ID: h.Item, ReferenceID: h.Reference} }
	return wire.Duplicates{Groups: list(groups, func(g flow.DuplicateGroup) wire.DuplicateGroup {
		return wire.DuplicateGroup{Keep: name(g.Keep), Others: list(g.Others, name)}
	})}, err
}
