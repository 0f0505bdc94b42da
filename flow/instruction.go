package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// instructionOf is the instruction of a project's version.
func instructionOf(v store.ProjectVersion) (label.Instruction, error) {
	params, err := readParams(v.Params)
	return label.Instruction{
		Version: v.Instruction, Text: params.string(paramInstruction), Examples: v.Examples, By: v.CreatedBy, At: v.CreatedAt,
	}, err
}

// taxonomyAt is the taxonomy of a project's version; the zero one if it asks for none.
func taxonomyAt(v store.ProjectVersion) (label.Taxonomy, error) {
	params, err := readParams(v.Params)
	if err != nil || !params.has(paramGeometries) {
		return label.Taxonomy{Version: v.Taxonomy}, err
	}
	return params.Taxonomy(v.Taxonomy)
}

// taxonomies returns a project's (an id) taxonomies by version, and the newest.
func taxonomies(tx *store.Tx, project string) (byVersion map[int]label.Taxonomy, newest label.Taxonomy, err error) {
	versions, err := tx.ProjectVersions(project)
	if err != nil {
		return nil, newest, err
	}
	byVersion = make(map[int]label.Taxonomy)
	for _, v := range versions {
		x, err := taxonomyAt(v)
		if err != nil {
			continue // it isn't about boxes, and nobody drew by it
		}
		if _, known := byVersion[x.Version]; !known {
			byVersion[x.Version] = x
		}
		newest = x
	}
	return byVersion, newest, nil
}

// Guide is what a project's people are told and may draw, at one time.
type Guide struct {
	Version     int // of the project
	Instruction label.Instruction
	Taxonomy    label.Taxonomy
}

// GuideOf reads a project's version; invalid if it asks for something else than boxes.
func GuideOf(v store.ProjectVersion) (g Guide, err error) {
	g.Version = v.Version
	if g.Instruction, err = instructionOf(v); err != nil {
		return g, err
	}
	g.Taxonomy, err = taxonomyAt(v)
	return g, err
}

// Guides returns all versions of a project's instruction and taxonomy, oldest
// first; reviewers. There is none before the first was written.
func (f *Flow) Guides(ctx context.Context, caller remuda.Caller, ref string) (found []Guide, err error) {
	err = f.readProject(ctx, caller, remuda.Reviewer, ref, func(tx *store.Tx, p store.Project) error {
		found = nil
		versions, err := tx.ProjectVersions(p.ID)
		if err != nil {
			return err
		}
		for _, v := range versions {
			g, err := GuideOf(v)
			if err != nil {
				continue // of another kind of task
			}
			found = append(found, g)
		}
		return nil
	})
	return found, err
}

// ReviseInstruction makes the next version of a project's instruction, Markdown
// with good and bad examples; managers only. base is the instruction's version
// that the change was made on, 0 for the first: conflict if there is a newer
// one. Saying the same again changes nothing.
func (f *Flow) ReviseInstruction(ctx context.Context, caller remuda.Caller, ref string, base int, text string, examples []label.Example) (Guide, error) {
	view, err := f.revise(ctx, caller, ref, func(tx *store.Tx, last store.ProjectVersion) (json.RawMessage, []label.Example, error) {
		old, err := instructionOf(last)
		if err != nil {
			return nil, nil, err
		}
		x, err := taxonomyAt(last)
		if err != nil {
			return nil, nil, err
		}
		if _, err := old.Revise(base, text, examples, x, caller.Author(), tx.Now); err != nil {
			return nil, nil, err
		}
		if old.Version > 0 && old.Text == text && sameExamples(old.Examples, examples) {
			return nil, nil, nil
		}
		if err := knownImages(tx, examples); err != nil {
			return nil, nil, err
		}
		params, err := changed(last, func(p Params) (Params, error) { return p.WithInstruction(text) })
		return params, examples, err
	})
	if err != nil {
		return Guide{}, err
	}
	return GuideOf(view.Versions[len(view.Versions)-1])
}

// GuideParams writes what people are told and may draw as a new project's
// params; nothing if neither is said.
func GuideParams(instruction string, x *label.Taxonomy) (text json.RawMessage, err error) {
	params := Params{}
	if instruction != "" {
		if params, err = params.WithInstruction(instruction); err != nil {
			return nil, err
		}
	}
	if x != nil {
		if params, err = params.WithTaxonomy(*x); err != nil {
			return nil, err
		}
	}
	if len(params) == 0 {
		return nil, nil
	}
	return params.text()
}

// ExampleURLs returns paths of the images that examples show, as ImageURL does,
// by the items' ids; none for an item that is gone.
func (f *Flow) ExampleURLs(ctx context.Context, caller remuda.Caller, examples []label.Example) (map[string]string, error) {
	if err := caller.Need(remuda.Labeler); err != nil {
		return nil, err
	}
	ids := make([]string, len(examples))
	for i, e := range examples {
		ids[i] = e.Image
	}
	var items map[string]store.Item
	err := f.DB.Read(ctx, caller, func(tx *store.Tx) (err error) {
		items, err = tx.ItemsByID(ids)
		return err
	})
	if err != nil {
		return nil, err
	}
	urls := make(map[string]string, len(items))
	for id, item := range items {
		if urls[id], err = f.ImageURL(ctx, item); err != nil {
			return nil, err
		}
	}
	return urls, nil
}

// knownImages refuses examples that show no item of the caller's world.
func knownImages(tx *store.Tx, examples []label.Example) error {
	ids := make([]string, len(examples))
	for i, e := range examples {
		ids[i] = e.Image
	}
	known, err := tx.ItemsByID(ids)
	if err != nil {
		return err
	}
	for n, id := range ids {
		if _, ok := known[id]; !ok {
			return remuda.Errorf(remuda.NotFound, "example %d shows item %s, which there is not", n+1, id).WithHint("upload the image to a dataset and name the item's id")
		}
	}
	return nil
}

// changed applies a change to the params of a project's version.
func changed(v store.ProjectVersion, change func(Params) (Params, error)) (json.RawMessage, error) {
	params, err := readParams(v.Params)
	if err != nil {
		return nil, err
	}
	if params, err = change(params); err != nil {
		return nil, err
	}
	return params.text()
}

// ReviseTaxonomy makes the next version of a project's taxonomy, and says which
// tasks' results it outdated and why, by their ids; managers only. base is the
// version that the change was made on, 0 for the first: conflict if there is a
// newer one. The tasks stay as they are: to label some of them again is another
// act. Saying the same again changes nothing.
func (f *Flow) ReviseTaxonomy(ctx context.Context, caller remuda.Caller, ref string, base int, x label.Taxonomy) (g Guide, outdated []Outdated, err error) {
	view, err := f.revise(ctx, caller, ref, func(_ *store.Tx, last store.ProjectVersion) (json.RawMessage, []label.Example, error) {
		if base != last.Taxonomy {
			return nil, nil, remuda.Errorf(remuda.Conflict, "the taxonomy has changed since it was read (version %d, now %d)", base, last.Taxonomy).
				WithHint("read it again and put your change into it")
		}
		same := false
		params, err := changed(last, func(p Params) (Params, error) {
			next, err := p.WithTaxonomy(x)
			same = err == nil && last.Taxonomy > 0 && next.same(p, paramGeometries, paramAttributes)
			return next, err
		})
		if same {
			return nil, nil, nil
		}
		return params, last.Examples, err
	})
	if err != nil {
		return g, nil, err
	}
	if g, err = GuideOf(view.Versions[len(view.Versions)-1]); err != nil {
		return g, nil, err
	}
	outdated, err = f.Outdated(ctx, caller, view.ID)
	return g, outdated, err
}

// Outdated is a completed task whose answer no longer does, and why.
type Outdated struct {
	Task string
	Why  []string
}

// Outdated returns a project's completed tasks that its newest taxonomy
// outdated, by id; managers only.
func (f *Flow) Outdated(ctx context.Context, caller remuda.Caller, ref string) (found []Outdated, err error) {
	err = f.readProject(ctx, caller, remuda.Manager, ref, func(tx *store.Tx, p store.Project) error {
		found = nil
		versions, newest, err := taxonomies(tx, p.ID)
		if err != nil || len(versions) < 2 {
			return err
		}
		return eachProjectTask(tx, p, func(t store.Task) error {
			for id, why := range label.OutdatedTasks([]label.Task{t.Task}, versions, newest) {
				found = append(found, Outdated{id, why})
			}
			return nil
		})
	})
	slices.SortFunc(found, func(a, b Outdated) int { return cmp.Compare(a.Task, b.Task) })
	return found, err
}
