package client

import (
	"context"
	"net/http"

	"remuda/wire"
)

// Projects lists projects, newest first.
func (c *Client) Projects(ctx context.Context) (wire.Projects, error) {
	return get[wire.Projects](ctx, c, "/projects", nil)
}

// CreateProject makes a project; conflict if the name is taken.
func (c *Client) CreateProject(ctx context.Context, n wire.NewProject) (wire.Project, error) {
	return send[wire.Project](ctx, c, http.MethodPost, "/projects", n, false)
}

// Project returns a project, by id or name, as all others of its kind do.
func (c *Client) Project(ctx context.Context, project string) (wire.Project, error) {
	return get[wire.Project](ctx, c, "/projects"+id(project), nil)
}

// ChangeProject changes a project; what is left out stays.
func (c *Client) ChangeProject(ctx context.Context, project string, change wire.ProjectChange) (wire.Project, error) {
	return send[wire.Project](ctx, c, http.MethodPatch, "/projects"+id(project), change, true)
}

// Guides lists all versions of a project's instruction and taxonomy, oldest first.
func (c *Client) Guides(ctx context.Context, project string) (wire.Guides, error) {
	return get[wire.Guides](ctx, c, "/projects"+id(project)+"/guides", nil)
}

// ReviseInstruction makes the next version of a project's instruction.
func (c *Client) ReviseInstruction(ctx context.Context, project string, r wire.ReviseInstruction) (wire.Guide, error) {
	return send[wire.Guide](ctx, c, http.MethodPut, "/projects"+id(project)+"/instruction", r, false)
}

// ReviseTaxonomy makes the next version of a project's taxonomy, and says which
// tasks that outdated.
func (c *Client) ReviseTaxonomy(ctx context.Context, project string, r wire.ReviseTaxonomy) (wire.RevisedTaxonomy, error) {
	return send[wire.RevisedTaxonomy](ctx, c, http.MethodPut, "/projects"+id(project)+"/taxonomy", r, false)
}

// Outdated lists completed tasks whose answer no longer does under a project's
// newest taxonomy.
func (c *Client) Outdated(ctx context.Context, project string) (wire.OutdatedTasks, error) {
	return get[wire.OutdatedTasks](ctx, c, "/projects"+id(project)+"/outdated", nil)
}

// People lists a project's people and how they do.
func (c *Client) People(ctx context.Context, project string) (wire.Standings, error) {
	return get[wire.Standings](ctx, c, "/projects"+id(project)+"/people", nil)
}

// AssignPeople assigns people to a project, and ends assignments.
func (c *Client) AssignPeople(ctx context.Context, project string, change wire.PeopleChange) (wire.Standings, error) {
	return send[wire.Standings](ctx, c, http.MethodPatch, "/projects"+id(project)+"/people", change, true)
}

// PausePerson keeps a user from real tasks of a project.
func (c *Client) PausePerson(ctx context.Context, project, user, why string) (wire.Standing, error) {
	return send[wire.Standing](ctx, c, http.MethodPost, "/projects"+id(project)+"/people"+id(user)+"/pause", wire.Reason{Why: why}, true)
}

// ResumePerson lets a paused user go on.
func (c *Client) ResumePerson(ctx context.Context, project, user, why string) (wire.Standing, error) {
	return send[wire.Standing](ctx, c, http.MethodPost, "/projects"+id(project)+"/people"+id(user)+"/resume", wire.Reason{Why: why}, true)
}

// Groups lists a project's groups of people.
func (c *Client) Groups(ctx context.Context, project string) (wire.Groups, error) {
	return get[wire.Groups](ctx, c, "/projects"+id(project)+"/groups", nil)
}

// CreateGroup makes a group of a project's people.
func (c *Client) CreateGroup(ctx context.Context, project string, n wire.NewGroup) (wire.Group, error) {
	return send[wire.Group](ctx, c, http.MethodPost, "/projects"+id(project)+"/groups", n, false)
}

// ChangeGroup adds people to a group, by id or name, and takes others out.
func (c *Client) ChangeGroup(ctx context.Context, project, group string, change wire.PeopleChange) (wire.Group, error) {
	return send[wire.Group](ctx, c, http.MethodPatch, "/projects"+id(project)+"/groups"+id(group), change, true)
}

// QualityTasks lists a project's quality tasks and how people did on them.
func (c *Client) QualityTasks(ctx context.Context, project string) (wire.QualityTasks, error) {
	return get[wire.QualityTasks](ctx, c, "/projects"+id(project)+"/quality", nil)
}

// MakeQuality makes a quality task of an audited task.
func (c *Client) MakeQuality(ctx context.Context, task string, m wire.MakeQuality) (wire.QualityTask, error) {
	return send[wire.QualityTask](ctx, c, http.MethodPost, "/tasks"+id(task)+"/quality", m, false)
}

// ChangeQuality retires a quality task or brings it back, and says what it tests.
func (c *Client) ChangeQuality(ctx context.Context, quality string, change wire.QualityChange) (wire.QualityTask, error) {
	return send[wire.QualityTask](ctx, c, http.MethodPatch, "/quality"+id(quality), change, true)
}
