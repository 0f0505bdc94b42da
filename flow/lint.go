package flow

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"remuda"
	"remuda/lint"
	"remuda/store"
)

// Finding is one thing to look at in a dataset or slice.
type Finding struct {
	ID          string // what Fix knows it by; "" if one call can't mend it
	Kind        lint.Kind
	Item        string // the item's id; "" where it is about all of them
	ReferenceID string
	Annotations []string // ids
	Other       string   // a leak's item in the training data, by its id
	Count       int      // how many boxes or images it is about
	Message     string
	Fix         string // what Fix does; "" where ID is
}

// LintReport is what is wrong with a dataset or slice.
type LintReport struct {
	Findings []Finding         // the worst kinds first, at most MaxFindings of each
	Counts   map[lint.Kind]int // of all findings
}

// MaxFindings is how many findings of a kind a report lists.
const MaxFindings = 1000

// lintOrder lists the kinds as reports have them.
func lintOrder() []lint.Kind {
	return []lint.Kind{lint.Leak, lint.MissingSize, lint.ZeroArea, lint.Outside, lint.Duplicate, lint.Overlapping, lint.ThinCategory, lint.Empty}
}

// linter looks at a source page by page.
type linter struct {
	byKind map[lint.Kind][]Finding
	counts map[lint.Kind]int
	items  int
	empty  int
	boxes  map[string]int // by category, crowds left out
}

func (l *linter) add(found Finding) {
	if l.counts[found.Kind]++; l.counts[found.Kind] <= MaxFindings {
		l.byKind[found.Kind] = append(l.byKind[found.Kind], found)
	}
}

func (l *linter) report() LintReport {
	r := LintReport{Findings: []Finding{}, Counts: l.counts}
	for _, kind := range lintOrder() {
		r.Findings = append(r.Findings, l.byKind[kind]...)
	}
	return r
}

func newLinter() *linter {
	return &linter{byKind: make(map[lint.Kind][]Finding), counts: make(map[lint.Kind]int), boxes: make(map[string]int)}
}

// Lint lists what is wrong with the ground truth of a dataset or slice: boxes
// without area, outside of their image, twice, nearly the same; images without
// boxes or of unknown size; categories with few boxes.
func (f *Flow) Lint(ctx context.Context, caller remuda.Caller, from Source) (LintReport, error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return LintReport{}, err
	}
	l := newLinter()
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		x := &labelExport{tx: tx, from: from, others: make(map[string]int)}
		for after := int64(-1); ; {
			items, boxes, err := x.page(after)
			if err != nil || len(items) == 0 {
				return err
			}
			l.page(items, boxes)
			after = items[len(items)-1].Position
		}
	})
	if err != nil {
		return LintReport{}, err
	}
	for _, name := range slices.Sorted(maps.Keys(l.boxes)) {
		if n := l.boxes[name]; n < lint.ThinBelow {
			l.add(Finding{Kind: lint.ThinCategory, Count: n, Message: fmt.Sprintf("category %q has %s to learn from, fewer than %d", name, counted(n, "box", "boxes"), lint.ThinBelow)})
		}
	}
	if l.empty > 0 {
		l.add(Finding{Kind: lint.Empty, Count: l.empty, Message: fmt.Sprintf("%d of %d images have no boxes and count as background", l.empty, l.items)})
	}
	return l.report(), nil
}

// page looks at some items with package lint, which knows boxes by numbers.
func (l *linter) page(items []store.Item, boxes map[string][]store.BoxRow) {
	l.items += len(items)
	for _, item := range items {
		list := boxes[item.ID]
		if len(list) == 0 {
			l.empty++
		}
		for _, b := range list {
			if !b.Crowd {
				l.boxes[b.Category]++
			} else if _, known := l.boxes[b.Category]; !known {
				l.boxes[b.Category] = 0
			}
		}
		for _, found := range lint.Check(lintInput(item, list)) {
			if found.Kind != lint.Empty {
				l.add(findingOf(item, list, found))
			}
		}
	}
}

// lintInput is an item and its boxes, numbered from 1, as validation data: what
// training data alone must have is counted over all items.
func lintInput(item store.Item, list []store.BoxRow) lint.Input {
	d := remuda.Dataset{Items: []remuda.Item{{ID: 1, File: item.ID, Width: item.Width, Height: item.Height}}}
	numbers := make(map[string]int64)
	for i, b := range list {
		if numbers[b.Category] == 0 {
			numbers[b.Category] = int64(len(numbers) + 1)
			d.Categories = append(d.Categories, remuda.Category{ID: numbers[b.Category], Name: b.Category})
		}
		d.Annotations = append(d.Annotations, remuda.Annotation{ID: int64(i + 1), ItemID: 1, CategoryID: numbers[b.Category], Box: b.Box, Crowd: b.Crowd})
	}
	return lint.Input{Val: &d}
}

// findingOf says a finding in the words of a dataset, with the call that mends it.
func findingOf(item store.Item, list []store.BoxRow, found lint.Finding) Finding {
	f := Finding{Kind: found.Kind, Item: item.ID, ReferenceID: item.ReferenceID, Count: found.Count}
	for _, n := range found.Annotations {
		f.Annotations = append(f.Annotations, list[n-1].ID)
	}
	switch found.Kind {
	case lint.Outside:
		f.Message = fmt.Sprintf("%s beyond the image's %d × %d pixels", counted(f.Count, "box reaches", "boxes reach"), item.Width, item.Height)
		f.Fix = "clip to the image"
	case lint.ZeroArea:
		f.Message = counted(f.Count, "box has", "boxes have") + " no area inside the image"
		f.Fix = "delete"
	case lint.Duplicate, lint.Overlapping:
		a, b := list[found.Annotations[0]-1], list[found.Annotations[1]-1]
		f.Message = fmt.Sprintf("two boxes of %q are the same", a.Category)
		if found.Kind == lint.Overlapping {
			f.Message = fmt.Sprintf("two boxes of %q are nearly the same (IoU %.2f)", a.Category, a.Box.IoU(b.Box))
		}
		f.Fix = "delete the later one"
	case lint.MissingSize:
		f.Message = "nothing says how large the image is"
	default:
		f.Message = found.Message
	}
	if f.Fix != "" {
		f.ID = strings.Join(append([]string{string(f.Kind), f.Item}, f.Annotations...), ".")
	}
	return f
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// LintLeaks lists the images of a slice that are in the training data too,
// under whatever name: the same item, the same bytes, or a perceptual hash that
// differs in few bits.
func (f *Flow) LintLeaks(ctx context.Context, caller remuda.Caller, train, other Source) (LintReport, error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return LintReport{}, err
	}
	in := lint.Input{Train: &remuda.Dataset{}, Val: &remuda.Dataset{}, Images: make(map[string]lint.Facts)}
	names := make(map[string]string)
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		for d, from := range map[*remuda.Dataset]Source{in.Train: train, in.Val: other} {
			if err := gather(tx, from, d, in.Images, names); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return LintReport{}, err
	}
	l := newLinter()
	for _, found := range lint.Check(in) {
		if found.Kind != lint.Leak {
			continue
		}
		leak := Finding{Kind: lint.Leak, Item: found.File, ReferenceID: names[found.File], Other: found.Other, Count: 1, Message: "the picture seems to be in the training data, as " + names[found.Other]}
		switch {
		case found.File == found.Other:
			leak.Message = "the image is in the training data too"
		case in.Images[found.File].SHA256 != "" && in.Images[found.File].SHA256 == in.Images[found.Other].SHA256:
			leak.Message = "the very file is in the training data, as " + names[found.Other]
		}
		if other.Slice != "" {
			leak.ID, leak.Fix = strings.Join([]string{string(lint.Leak), leak.Item, other.Slice}, "."), "take it out of the slice"
		}
		l.add(leak)
	}
	return l.report(), nil
}

// gather reads what is known of a source's images; items are known by their ids.
func gather(tx *store.Tx, from Source, into *remuda.Dataset, facts map[string]lint.Facts, names map[string]string) error {
	x := &labelExport{tx: tx, from: from}
	for after := int64(-1); ; {
		items, err := x.items(after)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, item := range items {
			into.Items = append(into.Items, remuda.Item{ID: int64(len(into.Items) + 1), File: item.ID, Width: item.Width, Height: item.Height})
			known := lint.Facts{Width: item.Width, Height: item.Height, SHA256: item.Blob}
			if item.PHash != nil {
				known.Hash = *item.PHash
			}
			facts[item.ID], names[item.ID] = known, item.ReferenceID
		}
		after = items[len(items)-1].Position
	}
}

// Fix mends a finding by new revisions, or takes a leak out of its slice;
// managers only. conflict if what was found is not there any more.
func (f *Flow) Fix(ctx context.Context, caller remuda.Caller, dataset, finding string) error {
	if err := caller.Need(remuda.Manager); err != nil {
		return err
	}
	parts := strings.Split(finding, ".")
	if len(parts) < 2 {
		return remuda.Errorf(remuda.Invalid, "there is no finding %.80q", finding).WithHint("take the id of a finding of this dataset")
	}
	return f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		item, err := tx.Item(parts[1])
		if err == nil && item.Dataset != dataset {
			err = remuda.Errorf(remuda.NotFound, "there is no item %s", parts[1])
		}
		if err != nil {
			return err
		}
		if lint.Kind(parts[0]) == lint.Leak && len(parts) == 3 {
			return leaveSlice(tx, dataset, parts[2], item.ID)
		}
		return fixItem(tx, item, lint.Kind(parts[0]), parts[2:])
	})
}

func leaveSlice(tx *store.Tx, dataset, id, item string) error {
	slice, err := tx.Slice(id)
	if err != nil {
		return err
	}
	if slice.Dataset != dataset {
		return remuda.Errorf(remuda.NotFound, "there is no slice %s", id)
	}
	n, err := tx.RemoveMembers(id, []store.SliceMember{{Item: item}})
	if err == nil && n == 0 {
		err = mended()
	}
	return err
}

func mended() error {
	return remuda.Errorf(remuda.Conflict, "mend a finding: it is not there any more").WithHint("look for findings again")
}

// fixItem mends a finding on an item if the item still has it.
func fixItem(tx *store.Tx, item store.Item, kind lint.Kind, named []string) error {
	current, err := tx.AnnotationsOf([]string{item.ID}, "")
	if err != nil {
		return err
	}
	var list []store.BoxRow
	for _, a := range current[item.ID] {
		if a.Type == store.TypeBox && a.Box != nil {
			list = append(list, store.BoxRow{ID: a.ID, Item: item.ID, Category: a.Category, Box: *a.Box, Crowd: a.Crowd})
		}
	}
	for _, found := range lint.Check(lintInput(item, list)) {
		f := findingOf(item, list, found)
		if f.Kind != kind || f.Fix == "" || len(named) > 0 && !slices.Equal(f.Annotations, named) {
			continue
		}
		_, err := tx.ReplaceAnnotations(item.ID, item.Revision, fixed(item, current[item.ID], f))
		return err
	}
	return mended()
}

// fixed returns an item's annotations without what a finding is about.
func fixed(item store.Item, annotations []store.Annotation, f Finding) []store.Annotation {
	var want []store.Annotation
	for _, a := range annotations {
		switch at := slices.Index(f.Annotations, a.ID); {
		case at < 0:
		case f.Kind == lint.Outside:
			clipped := a.Box.Clip(float64(item.Width), float64(item.Height))
			a.Box, a.Body, a.Source = &clipped, withoutGeometry(a.Body), store.SourceLint
		case f.Kind == lint.ZeroArea || at > 0:
			continue
		}
		want = append(want, a)
	}
	return want
}
