package own

import (
	"context"

	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

// OfProject names a project in the path.
type OfProject struct {
	Project string `path:"project" doc:"The project's id or name."`
}

func (s *Server) projectRoutes() {
	handle(s, route{at: "GET /projects", id: "listProjects", summary: "List projects", about: "Newest first."}, func(ctx context.Context, c *call, _ *struct{}) (wire.Projects, error) {
		found, err := s.Flow.Projects(ctx, c.caller)
		if err != nil {
			return wire.Projects{}, err
		}
		list, err := each(found, wireProject)
		return wire.Projects{Projects: list}, err
	})
	handle(s, route{at: "POST /projects", id: "createProject", summary: "Make a project"}, s.createProject)
	handle(s, route{at: "GET /projects/{project}", id: "getProject", summary: "A project"}, func(ctx context.Context, c *call, in *OfProject) (wire.Project, error) {
		return s.project(ctx, c, in.Project)
	})
	handle(s, route{at: "PATCH /projects/{project}", id: "changeProject", summary: "Change a project's settings or dataset, archive it or bring it back"}, s.changeProject)
	handle(s, route{at: "GET /projects/{project}/guides", id: "listGuides", summary: "All versions of a project's instruction and taxonomy", about: "Oldest first."}, s.guides)
	handle(s, route{
		at: "PUT /projects/{project}/instruction", id: "reviseInstruction", summary: "Make the next version of a project's instruction",
		about: "Markdown, with good and bad examples. It is shown from now on, to people whose task waits already too; every attempt remembers the version that its labeler saw.",
	}, s.reviseInstruction)
	handle(s, route{
		at: "PUT /projects/{project}/taxonomy", id: "reviseTaxonomy", summary: "Make the next version of a project's taxonomy",
		about: "It holds for tasks that are made from now on. The answer lists the completed tasks that it outdated.",
	}, s.reviseTaxonomy)
	handle(s, route{at: "GET /projects/{project}/outdated", id: "listOutdated", summary: "Completed tasks whose answer no longer does under the newest taxonomy"}, func(ctx context.Context, c *call, in *OfProject) (wire.OutdatedTasks, error) {
		found, err := s.Flow.Outdated(ctx, c.caller, in.Project)
		return wire.OutdatedTasks{Tasks: list(found, wireOutdated)}, err
	})
	s.peopleRoutes()
}

// each is list for what can fail.
func each[T, U any](rows []T, of func(T) (U, error)) ([]U, error) {
	out := make([]U, 0, len(rows))
	for _, row := range rows {
		u, err := of(row)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func wireProject(v flow.ProjectView) (out wire.Project, err error) {
	out = wire.Project{
		ID: v.ID, Name: v.Name, Type: v.Type, Dataset: v.Dataset, CreatedAt: wire.NewTime(v.CreatedAt), CreatedBy: v.CreatedBy, ArchivedAt: wire.OptionalTime(v.ArchivedAt),
	}
	if out.Settings, err = wireSettings(v.Settings); err != nil || len(v.Versions) == 0 {
		return out, err
	}
	guide, err := flow.GuideOf(v.Versions[len(v.Versions)-1])
	if err != nil {
		return out, nil // it asks for something else than boxes
	}
	w, err := wireGuide(guide)
	out.Guide = &w
	return out, err
}

func wireSettings(s store.ProjectSettings) (wire.ProjectSettings, error) {
	prices, err := as[wire.Prices](s.Prices)
	return wire.ProjectSettings{
		Plan: wirePlan(s.Plan), QualityRate: s.Rate, Bar: wire.Bar(s.Bar), Prices: prices, IdleSeconds: s.Idle.Seconds(), Score: s.Score,
	}, err
}

func settingsOf(s wire.ProjectSettings) (store.ProjectSettings, error) {
	prices, err := as[label.Prices](s.Prices)
	return store.ProjectSettings{
		Plan: planOf(s.Plan), Rate: s.QualityRate, Bar: label.Bar(s.Bar), Prices: prices, Idle: secondsOf(s.IdleSeconds), Score: s.Score,
	}, err
}

func wirePlan(p label.Plan) wire.Plan {
	return wire.Plan{Attempts: p.Attempts, Reviews: p.Reviews, ReviewBelow: p.ReviewBelow, LeaseSeconds: p.Lease.Seconds(), Skips: p.Skips, Redo: p.Redo}
}

func planOf(p wire.Plan) label.Plan {
	return label.Plan{Attempts: p.Attempts, Reviews: p.Reviews, ReviewBelow: p.ReviewBelow, Lease: secondsOf(p.LeaseSeconds), Skips: p.Skips, Redo: p.Redo}.WithDefaults()
}

func wireGuide(g flow.Guide) (out wire.Guide, err error) {
	out.Version = g.Version
	if out.Instruction, err = wireInstruction(g.Instruction); err != nil {
		return out, err
	}
	out.Taxonomy, err = as[wire.DrawTaxonomy](g.Taxonomy)
	return out, err
}

func wireInstruction(i label.Instruction) (out wire.Instruction, err error) {
	out = wire.Instruction{Version: i.Version, Text: i.Text, By: i.By, At: momentOf(i.At)}
	out.Examples, err = as[[]wire.Example](orNone(i.Examples))
	return out, err
}

// orNone is a list that is never null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) project(ctx context.Context, c *call, ref string) (wire.Project, error) {
	found, err := s.Flow.Project(ctx, c.caller, ref)
	if err != nil {
		return wire.Project{}, err
	}
	out, err := wireProject(found)
	if err != nil || out.Guide == nil {
		return out, err
	}
	return out, s.addImages(ctx, c, found.Versions[len(found.Versions)-1].Examples, &out.Guide.Instruction)
}

// addImages adds the URLs of the images that an instruction's examples show.
func (s *Server) addImages(ctx context.Context, c *call, examples []label.Example, to *wire.Instruction) error {
	urls, err := s.Flow.ExampleURLs(ctx, c.caller, examples)
	for i := range to.Examples {
		to.Examples[i].ImageURL = urls[to.Examples[i].Image]
	}
	return err
}

func (s *Server) createProject(ctx context.Context, c *call, in *struct{ Body wire.NewProject }) (out wire.Project, err error) {
	n := flow.NewProject{Name: in.Body.Name, Dataset: in.Body.Dataset}
	if in.Body.Settings != nil {
		if n.Settings, err = settingsOf(*in.Body.Settings); err != nil {
			return out, err
		}
	}
	x, err := as[*label.Taxonomy](in.Body.Taxonomy)
	if err != nil {
		return out, err
	}
	if n.Params, err = flow.GuideParams(in.Body.Instruction, x); err != nil {
		return out, err
	}
	made, err := s.Flow.CreateProject(ctx, c.caller, n)
	if err != nil {
		return out, err
	}
	return wireProject(made)
}

func (s *Server) changeProject(ctx context.Context, c *call, in *struct {
	OfProject
	Body wire.ProjectChange
},
) (out wire.Project, err error) {
	change := flow.ProjectChange{Dataset: in.Body.Dataset, Archived: in.Body.Archived}
	if in.Body.Settings != nil {
		settings, err := settingsOf(*in.Body.Settings)
		if err != nil {
			return out, err
		}
		change.Settings = &settings
	}
	p, err := s.Flow.ApplyToProject(ctx, c.caller, in.Project, change)
	if err != nil {
		return out, err
	}
	return s.project(ctx, c, p.ID)
}

func (s *Server) guides(ctx context.Context, c *call, in *OfProject) (out wire.Guides, err error) {
	found, err := s.Flow.Guides(ctx, c.caller, in.Project)
	if err != nil {
		return out, err
	}
	out.Guides, err = each(found, wireGuide)
	return out, err
}

func (s *Server) reviseInstruction(ctx context.Context, c *call, in *struct {
	OfProject
	Body wire.ReviseInstruction
},
) (wire.Guide, error) {
	examples, err := as[[]label.Example](in.Body.Examples)
	if err != nil {
		return wire.Guide{}, err
	}
	g, err := s.Flow.ReviseInstruction(ctx, c.caller, in.Project, in.Body.Base, in.Body.Text, examples)
	if err != nil {
		return wire.Guide{}, err
	}
	return wireGuide(g)
}

func wireOutdated(o flow.Outdated) wire.OutdatedTask {
	return wire.OutdatedTask{Task: o.Task, Why: texts(o.Why)}
}

func (s *Server) reviseTaxonomy(ctx context.Context, c *call, in *struct {
	OfProject
	Body wire.ReviseTaxonomy
},
) (out wire.RevisedTaxonomy, err error) {
	x, err := as[label.Taxonomy](in.Body.Taxonomy)
	if err != nil {
		return out, err
	}
	g, outdated, err := s.Flow.ReviseTaxonomy(ctx, c.caller, in.Project, in.Body.Base, x)
	if err != nil {
		return out, err
	}
	out.Outdated = list(outdated, wireOutdated)
	out.Guide, err = wireGuide(g)
	return out, err
}
