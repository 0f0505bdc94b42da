package flow_test

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/slice"
	"remuda/store"
)

// ranch is a dataset of items r0 …; every third has a horse, r1 has a zebra, and
// all images are here but that of the last.
type ranch struct {
	*flow.Flow
	caller  remuda.Caller
	dataset string
	t       *testing.T
}

func newRanch(t *testing.T, n int) *ranch {
	t.Helper()
	f, caller := flowtest.New(t)
	r := &ranch{Flow: f, caller: caller, t: t}
	err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) error {
		d, err := tx.CreateDataset(store.Dataset{Name: "ranch"})
		if err != nil {
			return err
		}
		r.dataset = d.ID
		items := make([]store.Item, n)
		for i := range items {
			hash := uint64(i) * 0x9e3779b97f4a7c15
			items[i] = store.Item{ReferenceID: fmt.Sprint("r", i), PHash: &hash, Metadata: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
			if i < n-1 {
				items[i].Blob = fmt.Sprintf("%064x", i)
			}
		}
		added, err := tx.AddItems(d.ID, items, false)
		for i, a := range added {
			category := map[bool]string{true: "horse", false: "zebra"}[i%3 == 0]
			if err == nil && (i%3 == 0 || i == 1) {
				_, _, err = tx.PutAnnotations(a.ID, "", []store.Annotation{{Type: store.TypeBox, Category: category, Box: &geom.Box{X1: float64(i + 1), Y1: 2}, Source: store.SourceAPI}}, false)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// make makes a slice and returns its id.
func (r *ranch) make(c flow.SliceChoice) string {
	r.t.Helper()
	made, err := r.CreateSlice(r.t.Context(), r.caller, r.dataset, flow.NewSlice{Name: "s", Choice: c})
	if err != nil {
		r.t.Fatal(err)
	}
	return made.ID
}

func (r *ranch) filter(level slice.Level, text string) *slice.Filter {
	r.t.Helper()
	f, err := slice.Parse(text, level)
	if err != nil {
		r.t.Fatal(err)
	}
	return &f
}

// members returns the reference ids of a slice's members.
func (r *ranch) members(id string) string {
	r.t.Helper()
	found, err := r.SliceMembers(r.t.Context(), r.caller, id, -1, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, m := range found {
		names = append(names, m.Item.ReferenceID)
	}
	return strings.Join(names, " ")
}

func TestSlicesAreChosenInManyWays(t *testing.T) {
	r := newRanch(t, 12)
	left, right := r.make(flow.SliceChoice{References: []string{"r5", "r1", "r3"}}), r.make(flow.SliceChoice{References: []string{"r3", "r0", "r5"}})
	combine := func(op string) flow.SliceChoice {
		return flow.SliceChoice{Combine: &flow.Combination{Op: op, Slices: []string{left, right}}}
	}
	for name, c := range map[string]struct {
		choice flow.SliceChoice
		want   string
	}{
		"union":           {combine("union"), "r5 r1 r3 r0"},
		"intersection":    {combine("intersection"), "r5 r3"},
		"difference":      {combine("difference"), "r1"},
		"filter":          {flow.SliceChoice{Filter: r.filter(slice.Items, "metadata.n < 4 and no annotation")}, "r2"},
		"filter in slice": {flow.SliceChoice{Filter: r.filter(slice.Items, "metadata.n < 4"), Within: left}, "r1 r3"},
		"boxes":           {flow.SliceChoice{Filter: r.filter(slice.Boxes, "category = horse and width > 5")}, "r6 r9"},
		"all":             {flow.SliceChoice{All: true}, "r0 r1 r2 r3 r4 r5 r6 r7 r8 r9 r10 r11"},
		"nothing":         {flow.SliceChoice{}, ""},
		"distinct first":  {flow.SliceChoice{Filter: r.filter(slice.Items, "metadata.n in 3..5"), Sample: &flow.Sample{Size: 1, Distinct: true}}, "r3"},
	} {
		if got := r.members(r.make(c.choice)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	sample := flow.SliceChoice{All: true, Sample: &flow.Sample{Size: 5, Seed: 3}}
	if first, again := r.members(r.make(sample)), r.members(r.make(sample)); first != again || len(strings.Fields(first)) != 5 {
		t.Errorf("a sample: %s, then %s", first, again)
	}
	// 12 items, 4 with horses, 1 with a zebra, 7 without: 6 of them are 2, 1 (its remainder is the larger) and 3 or 4
	byCategory := r.members(r.make(flow.SliceChoice{All: true, Sample: &flow.Sample{Size: 6, Seed: 3, ByCategory: true}}))
	horses := 0
	for _, name := range strings.Fields(byCategory) {
		if slices.Contains([]string{"r0", "r3", "r6", "r9"}, name) {
			horses++
		}
	}
	if horses != 2 || len(strings.Fields(byCategory)) != 6 {
		t.Errorf("by category: %s", byCategory)
	}
}

func TestSlicesThatCannotBeMade(t *testing.T) {
	r := newRanch(t, 3)
	objects := r.make(flow.SliceChoice{Filter: r.filter(slice.Boxes, "")})
	items := r.make(flow.SliceChoice{All: true})
	elsewhere, err := r.CreateDataset(t.Context(), r.caller, flow.NewDataset{Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		choice flow.SliceChoice
		code   remuda.Code
	}{
		"unknown reference": {flow.SliceChoice{References: []string{"r0", "r99"}}, remuda.NotFound},
		"unknown item":      {flow.SliceChoice{Items: []string{"di_none"}}, remuda.NotFound},
		"unknown object":    {flow.SliceChoice{Objects: []string{"ann_none"}}, remuda.NotFound},
		"both kinds":        {flow.SliceChoice{References: []string{"r0"}, Objects: []string{"ann_none"}}, remuda.Invalid},
		"too many":          {flow.SliceChoice{References: make([]string, 10_001)}, remuda.Invalid},
		"mixed slices":      {flow.SliceChoice{Combine: &flow.Combination{Op: "union", Slices: []string{items, objects}}}, remuda.Invalid},
		"no such operation": {flow.SliceChoice{Combine: &flow.Combination{Op: "xor", Slices: []string{items}}}, remuda.Invalid},
		"empty sample":      {flow.SliceChoice{All: true, Sample: &flow.Sample{}}, remuda.Invalid},
		"unknown slice":     {flow.SliceChoice{All: false, Filter: r.filter(slice.Items, ""), Within: "slc_none"}, remuda.NotFound},
	} {
		_, err := r.CreateSlice(t.Context(), r.caller, r.dataset, flow.NewSlice{Name: "s", Choice: c.choice})
		if remuda.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if _, err := r.CreateSlice(t.Context(), r.caller, elsewhere.ID, flow.NewSlice{Name: "s", Choice: flow.SliceChoice{Combine: &flow.Combination{Op: "union", Slices: []string{items}}}}); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a slice of another dataset: %v", err)
	}
	if _, err := r.AppendToSlice(t.Context(), r.caller, objects, flow.SliceChoice{All: true}); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("items in a slice of objects: %v", err)
	}
	if _, err := r.Freeze(t.Context(), r.caller, items); remuda.CodeOf(err) != remuda.Conflict || !strings.Contains(err.Error(), "r2") {
		t.Errorf("an image that is not here is frozen: %v", err)
	}
	reviewer := r.caller
	reviewer.Role = remuda.Reviewer
	if _, err := r.CreateSlice(t.Context(), reviewer, r.dataset, flow.NewSlice{Name: "s"}); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a reviewer makes a slice: %v", err)
	}
	found, err := r.Slices(t.Context(), reviewer, store.SliceFilter{Dataset: r.dataset})
	if err != nil || len(found) != 2 || found[1].Members != 3 {
		t.Errorf("there are %v, %v", found, err)
	}
}

func TestTheManifestOfAFrozenSliceIsKept(t *testing.T) {
	r := newRanch(t, 4)
	id := r.make(flow.SliceChoice{References: []string{"r1", "r0", "r2"}})
	hash, err := r.Freeze(t.Context(), r.caller, id)
	if err != nil {
		t.Fatal(err)
	}
	same := r.make(flow.SliceChoice{References: []string{"r0", "r1", "r2"}})
	if other, err := r.Freeze(t.Context(), r.caller, same); err != nil || other != hash {
		t.Errorf("the same items in another order have the hash %s, not %s; %v", other, hash, err)
	}
	text := r.manifest(hash)
	if !strings.HasPrefix(text, "remuda slice 1\nitems 3\n") || strings.Count(text, "\nannotation ") != 2 || !strings.Contains(text, fmt.Sprintf("%064x", 2)) {
		t.Errorf("manifest\n%s", text)
	}
	if removed, err := r.RemoveFromSlice(t.Context(), r.caller, id, flow.SliceChoice{References: []string{"r0"}}); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("removed %d from a frozen slice, %v", removed, err)
	}
	if s, err := r.RenameSlice(t.Context(), r.caller, id, "other", "what"); err != nil || s.Name != "other" || s.Frozen != hash {
		t.Errorf("renamed %+v, %v", s, err)
	}
	if err := r.DeleteSlice(t.Context(), r.caller, id); err != nil {
		t.Error(err)
	}
}

// manifest reads what stands under a content hash.
func (r *ranch) manifest(hash string) string {
	r.t.Helper()
	ref, err := blob.ParseRef(hash)
	if err != nil {
		r.t.Fatal(err)
	}
	file, err := r.Blobs.Open(r.t.Context(), ref)
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}
