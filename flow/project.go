package flow

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// maxParams is how many bytes of JSON a project's or a task's params may have.
const maxParams = 4 << 20

// defaultProject is the project of tasks that name none.
const defaultProject = "default"

// checkIdentifier returns the name of something that URLs name; what they
// can't is invalid.
func checkIdentifier(what, name string) (string, error) {
	name, err := checkName(what, name)
	if name == "." || name == ".." {
		err = remuda.Errorf(remuda.Invalid, "%q cannot be the name of a %s", name, what).WithHint("choose another name: no URL could hold it")
	}
	return name, err
}

// NewProject is what a project is made from.
type NewProject struct {
	Name     string
	Type     string          // of its tasks; imageannotation if ""
	Params   json.RawMessage // an object; nothing makes a project without a version
	Rapid    bool
	Studio   bool
	Dataset  string // whose annotations accepted results become; may be ""
	Settings store.ProjectSettings
}

// ProjectView is a project with its versions, oldest first.
type ProjectView struct {
	store.Project
	Versions []store.ProjectVersion
}

// CreateProject makes a project; managers only. conflict if the name is taken.
func (f *Flow) CreateProject(ctx context.Context, caller remuda.Caller, n NewProject) (made ProjectView, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	if n.Name, err = checkIdentifier("project", n.Name); err != nil {
		return made, err
	}
	if n.Type == "" {
		n.Type = store.ImageAnnotation
	}
	if n.Settings.Plan = n.Settings.Plan.WithDefaults(); n.Type == store.ImageAnnotation {
		if err := n.Settings.Plan.Validate(); err != nil {
			return made, err
		}
	}
	if caller.World == remuda.Live && n.Type != store.ImageAnnotation {
		return made, unknownType(n.Type)
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		made.Versions = nil
		if n.Dataset != "" {
			if _, err := tx.Dataset(n.Dataset); err != nil {
				return err
			}
		}
		if made.Project, err = createProject(tx, n); err != nil || len(n.Params) == 0 {
			return err
		}
		version, err := addVersion(tx, made.Project, n.Params, nil)
		made.Versions = []store.ProjectVersion{version}
		return err
	})
	return made, err
}

// createProject makes a project's rows, with a seed of its own.
func createProject(tx *store.Tx, n NewProject) (store.Project, error) {
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails: it ends the process if the system has no randomness
	n.Settings.Seed = binary.LittleEndian.Uint64(seed[:]) >> 1
	return tx.CreateProject(store.Project{Name: n.Name, Type: n.Type, Rapid: n.Rapid, Studio: n.Studio, Dataset: n.Dataset, Settings: n.Settings})
}

// unknownType says that people here do not do tasks of a type.
func unknownType(typ string) error {
	return remuda.Errorf(remuda.Invalid, "tasks of the type %.80q are not offered", typ).WithHint("people draw boxes here: the type is %s; a test key takes others, to try a program", store.ImageAnnotation)
}

// findProject finds a project by name or id.
func findProject(tx *store.Tx, ref string) (store.Project, error) {
	p, err := tx.ProjectByName(ref)
	if remuda.CodeOf(err) != remuda.NotFound {
		return p, err
	}
	if byID, other := tx.Project(ref); other == nil {
		return byID, nil
	}
	return p, err
}

// lockProject is findProject, and keeps others from changing it.
func lockProject(tx *store.Tx, ref string) (store.Project, error) {
	p, err := findProject(tx, ref)
	if err != nil {
		return p, err
	}
	return tx.LockProject(p.ID)
}

// addVersion adds the next version of a project, which the caller has locked or
// made. The instruction's and the taxonomy's numbers count up where they changed.
func addVersion(tx *store.Tx, p store.Project, text json.RawMessage, examples []label.Example) (v store.ProjectVersion, err error) {
	params, err := readParams(text)
	if err != nil {
		return v, err
	}
	if len(text) > maxParams {
		return v, remuda.Errorf(remuda.Invalid, "parameters of %d bytes: more than %d", len(text), maxParams)
	}
	if p.Type == store.ImageAnnotation && params.has(paramGeometries) && p.World == remuda.Live {
		if _, err := params.Taxonomy(0); err != nil {
			return v, err
		}
	}
	v = store.ProjectVersion{Project: p.ID, Params: text, Examples: examples, Instruction: 1, Taxonomy: 1}
	last, err := tx.ProjectVersion(p.ID, -1)
	switch {
	case err == nil:
		old, err := readParams(last.Params)
		if err != nil {
			return v, err
		}
		v.Version, v.Instruction, v.Taxonomy = last.Version+1, last.Instruction, last.Taxonomy
		if !params.same(old, paramInstruction) || !sameExamples(last.Examples, examples) {
			v.Instruction++
		}
		if !params.same(old, paramGeometries, paramAttributes) {
			v.Taxonomy++
		}
	case remuda.CodeOf(err) != remuda.NotFound:
		return v, err
	}
	return tx.AddProjectVersion(v)
}

func sameExamples(a, b []label.Example) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	left, err := json.Marshal(a)
	right, other := json.Marshal(b)
	return err == nil && other == nil && string(left) == string(right)
}

// Project returns a project of the caller's world, by name or id.
func (f *Flow) Project(ctx context.Context, caller remuda.Caller, ref string) (view ProjectView, err error) {
	err = f.readProject(ctx, caller, remuda.Reviewer, ref, func(tx *store.Tx, p store.Project) (err error) {
		view.Project = p
		view.Versions, err = tx.ProjectVersions(p.ID)
		return err
	})
	return view, err
}

// Projects returns those of the caller's world, newest first, archived ones
// too, with all their versions.
func (f *Flow) Projects(ctx context.Context, caller remuda.Caller) (views []ProjectView, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		views = []ProjectView{}
		found, err := tx.Projects()
		if err != nil {
			return err
		}
		for i := len(found) - 1; i >= 0; i-- {
			versions, err := tx.ProjectVersions(found[i].ID)
			if err != nil {
				return err
			}
			views = append(views, ProjectView{found[i], versions})
		}
		return nil
	})
	return views, err
}

// readProject hands a project, by name or id, to do; people of a role.
func (f *Flow) readProject(ctx context.Context, caller remuda.Caller, role remuda.Role, ref string, do func(*store.Tx, store.Project) error) error {
	if err := caller.Need(role); err != nil {
		return err
	}
	return f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		p, err := findProject(tx, ref)
		if err != nil {
			return err
		}
		return do(tx, p)
	})
}

// SetParams adds a version of a project's params; managers only. With patch what
// they don't name stays as it was, else they replace all. Examples of the
// instruction stay.
func (f *Flow) SetParams(ctx context.Context, caller remuda.Caller, ref string, text json.RawMessage, patch bool) (ProjectView, error) {
	return f.revise(ctx, caller, ref, func(_ *store.Tx, last store.ProjectVersion) (json.RawMessage, []label.Example, error) {
		if len(text) == 0 {
			text = json.RawMessage("{}")
		}
		if !patch {
			return text, last.Examples, nil
		}
		params, err := readParams(text)
		if err != nil {
			return nil, nil, err
		}
		old, err := readParams(last.Params)
		if err != nil {
			return nil, nil, err
		}
		merged, err := params.inherit(old).text()
		return merged, last.Examples, err
	})
}

// revise adds the version of a project that change makes of its last one, the
// zero one if there is none; no params are no change. Managers only.
func (f *Flow) revise(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Tx, store.ProjectVersion) (json.RawMessage, []label.Example, error)) (view ProjectView, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return view, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if view.Project, err = lockProject(tx, ref); err != nil {
			return err
		}
		last, err := tx.ProjectVersion(view.ID, -1)
		if err != nil && remuda.CodeOf(err) != remuda.NotFound {
			return err
		}
		text, examples, err := change(tx, last)
		if err != nil {
			return err
		}
		if len(text) > 0 {
			if _, err := addVersion(tx, view.Project, text, examples); err != nil {
				return err
			}
		}
		view.Versions, err = tx.ProjectVersions(view.ID)
		return err
	})
	return view, err
}

// ChangeProject changes a project's settings, dataset or whether it is archived; managers only.
func (f *Flow) ChangeProject(ctx context.Context, caller remuda.Caller, ref string, change func(*store.Project) error) (p store.Project, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return p, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if p, err = lockProject(tx, ref); err != nil {
			return err
		}
		seed, dataset := p.Settings.Seed, p.Dataset
		if err := change(&p); err != nil {
			return err
		}
		if p.Settings.Seed = seed; p.Dataset != "" && p.Dataset != dataset {
			if _, err := tx.Dataset(p.Dataset); err != nil {
				return err
			}
		}
		if err := checkSettings(p.Settings); err != nil {
			return err
		}
		return tx.UpdateProject(p)
	})
	return p, err
}

func checkSettings(s store.ProjectSettings) error {
	if err := s.Plan.WithDefaults().Validate(); err != nil {
		return err
	}
	if !(s.Rate >= 0 && s.Rate <= 1) {
		return remuda.Errorf(remuda.Invalid, "a share of %v evaluation tasks", s.Rate).WithHint("choose 0 to 1")
	}
	if !(s.Bar.Accuracy >= 0 && s.Bar.Accuracy <= 1) || s.Bar.Tasks < 0 || s.Bar.Retake < 0 {
		return remuda.Errorf(remuda.Invalid, "a bar of %v", s.Bar.Accuracy).WithHint("choose an accuracy of 0 to 1, and counts of 0 or more")
	}
	if s.Prices != (label.Prices{}) {
		return s.Prices.Validate()
	}
	return nil
}
