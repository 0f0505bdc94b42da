package own

import (
	"context"

	"remuda/flow"
	"remuda/label"
	"remuda/store"
	"remuda/wire"
)

// OfPerson names a person in a project in the path.
type OfPerson struct {
	OfProject
	User string `path:"user" doc:"The user's id."`
}

// Paused is a person in a project, with the reason for what is done.
type Paused struct {
	OfPerson
	Body wire.Reason
}

func (s *Server) peopleRoutes() {
	handle(s, route{
		at: "GET /projects/{project}/people", id: "listPeople", summary: "A project's people and how they do",
		about: "Their accuracy on hidden evaluation tasks over time, with its interval, and who is paused.",
	}, s.people)
	handle(s, route{at: "PATCH /projects/{project}/people", id: "assignPeople", summary: "Assign people to a project, and end assignments"}, s.assign)
	handle(s, route{
		at: "POST /projects/{project}/people/{user}/pause", id: "pausePerson", summary: "Keep a person from real tasks of a project",
		about: "With a notice that they read. What they hold they may hand in.",
	}, func(ctx context.Context, c *call, in *Paused) (wire.Standing, error) {
		e, err := s.Flow.PausePerson(ctx, c.caller, in.Project, in.User, in.Body.Why)
		return wireEnrollment(e), err
	})
	handle(s, route{
		at: "POST /projects/{project}/people/{user}/resume", id: "resumePerson", summary: "Let a paused person go on", about: "Their accuracy is measured anew.",
	}, func(ctx context.Context, c *call, in *Paused) (wire.Standing, error) {
		e, err := s.Flow.ResumePerson(ctx, c.caller, in.Project, in.User, in.Body.Why)
		return wireEnrollment(e), err
	})
	handle(s, route{at: "GET /projects/{project}/groups", id: "listGroups", summary: "A project's groups of people"}, func(ctx context.Context, c *call, in *OfProject) (wire.Groups, error) {
		found, err := s.Flow.Groups(ctx, c.caller, in.Project)
		return wire.Groups{Groups: list(found, wireGroup)}, err
	})
	handle(s, route{at: "POST /projects/{project}/groups", id: "createGroup", summary: "Make a group of a project's people"}, func(ctx context.Context, c *call, in *struct {
		OfProject
		Body wire.NewGroup
	},
	) (wire.Group, error) {
		g, err := s.Flow.CreateGroup(ctx, c.caller, in.Project, in.Body.Name, in.Body.Members)
		return wireGroup(g), err
	})
	handle(s, route{at: "PATCH /projects/{project}/groups/{group}", id: "changeGroup", summary: "Add people to a group and take others out"}, func(ctx context.Context, c *call, in *struct {
		OfProject
		Group string `path:"group" doc:"The group's id or name."`
		Body  wire.PeopleChange
	},
	) (wire.Group, error) {
		g, err := s.Flow.ChangeGroup(ctx, c.caller, in.Project, in.Group, in.Body.Add, in.Body.Remove)
		return wireGroup(g), err
	})
}

func wireGroup(g store.Group) wire.Group {
	return wire.Group{ID: g.ID, Name: g.Name, Members: list(g.Members, func(m store.Member) string { return m.Login })}
}

// wireEnrollment says whether a person is paused, and nothing else of how they do.
func wireEnrollment(e label.Enrollment) wire.Standing {
	return wire.Standing{User: e.Person, Paused: e.Paused, Since: momentOf(e.Since), By: e.By, Why: e.Why, Evaluations: []wire.Evaluated{}}
}

func wireRate(r label.Rate) wire.Rate {
	return wire.Rate{Count: r.Count, Of: r.Of, Value: r.Value, Interval: r.Interval}
}

func (s *Server) people(ctx context.Context, c *call, in *OfProject) (wire.Standings, error) {
	found, err := s.Flow.Standings(ctx, c.caller, in.Project)
	return wire.Standings{People: list(found, func(p flow.Standing) wire.Standing {
		out := wireEnrollment(p.Enrollment)
		out.Login, out.Accuracy, out.Trained, out.Training = p.Login, wireRate(p.Accuracy), p.Trained, wireRate(p.Training)
		out.Evaluations = list(p.Evaluations, func(e label.Standing) wire.Evaluated {
			return wire.Evaluated{At: wire.NewTime(e.At), Tasks: e.Tasks, Accuracy: wireRate(e.Accuracy)}
		})
		return out
	})}, err
}

func (s *Server) assign(ctx context.Context, c *call, in *struct {
	OfProject
	Body wire.PeopleChange
},
) (out wire.Standings, err error) {
	for _, change := range []struct {
		logins []string
		end    bool
	}{{in.Body.Add, false}, {in.Body.Remove, true}} {
		if len(change.logins) == 0 {
			continue
		}
		if err := s.Flow.Assign(ctx, c.caller, change.logins, []string{in.Project}, change.end); err != nil {
			return out, err
		}
	}
	return s.people(ctx, c, &in.OfProject)
}
