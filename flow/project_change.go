package flow

import (
	"context"

	"remuda"
	"remuda/store"
)

// ProjectChange changes a project; nil fields stay.
type ProjectChange struct {
	Dataset  *string // id; "" for none
	Settings *store.ProjectSettings
	Archived *bool
}

// ApplyToProject carries out a change of a project; managers only.
func (f *Flow) ApplyToProject(ctx context.Context, caller remuda.Caller, ref string, c ProjectChange) (store.Project, error) {
	now := f.now()
	return f.ChangeProject(ctx, caller, ref, func(p *store.Project) error {
		if c.Dataset != nil {
			p.Dataset = *c.Dataset
		}
		if c.Settings != nil {
			p.Settings = *c.Settings
		}
		switch {
		case c.Archived != nil && !*c.Archived:
			p.ArchivedAt = nil
		case c.Archived != nil && p.ArchivedAt == nil:
			p.ArchivedAt = &now
		}
		return nil
	})
}
