package scale

import (
	"remuda"
	"remuda/flow"
	"remuda/store"
)

func teamRoutes() map[string]handler {
	return map[string]handler{
		"GET teams":           listTeam,
		"POST teams/invite":   inviteTeam,
		"POST teams/set_role": setTeamRole,
	}
}

// roleOf is the API's word for a role: its labelers review too.
func roleOf(role remuda.Role) string {
	if role == remuda.Reviewer {
		role = remuda.Labeler
	}
	return string(role)
}

// readRole reads the API's word for a role: a member is a manager.
func readRole(word string) (remuda.Role, error) {
	switch word {
	case "labeler":
		return remuda.Labeler, nil
	case "member", "manager":
		return remuda.Manager, nil
	}
	return "", remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"team_role\" cannot be %.40q", word).WithHint("the roles are labeler, member and manager")
}

func listTeam(r *request) (any, error) {
	found, err := r.server.Flow.Team(r.Context(), r.caller)
	rows := []map[string]any{}
	for _, u := range found {
		rows = append(rows, map[string]any{"email": u.Login, "role": roleOf(u.Role), "firstName": u.Name, "lastName": "", "company": "", "isStudioLabeler": u.Role == remuda.Labeler || u.Role == remuda.Reviewer, "expiry": nil, "disableRapidEmails": true})
	}
	return rows, err
}

func inviteTeam(r *request) (any, error) { return r.team((*flow.Flow).InviteTeam) }

func setTeamRole(r *request) (any, error) { return r.team((*flow.Flow).SetTeamRole) }

// teamBody says who gets which role.
type teamBody struct {
	Emails []string `json:"emails"`
	Role   string   `json:"team_role"`
}

func (r *request) team(change teamVerb) (any, error) {
	var body teamBody
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if err := r.caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	role, err := readRole(body.Role)
	if err != nil {
		return nil, err
	}
	if err := change(r.server.Flow, r.Context(), r.caller, body.Emails, role); err != nil {
		return nil, err
	}
	return listTeam(r)
}

func studioRoutes() map[string]handler {
	return map[string]handler{
		"GET studio/assignments":                       listAssignments,
		"POST studio/assignments/add":                  func(r *request) (any, error) { return r.assign(false) },
		"POST studio/assignments/remove":               func(r *request) (any, error) { return r.assign(true) },
		"GET studio/projects/{project}/groups":         listGroups,
		"POST studio/projects/{project}/groups":        createGroup,
		"PUT studio/projects/{project}/groups/{group}": updateGroup,
		"GET studio/batches":                           listStudioBatches,
		"PUT studio/batches/{batch}":                   assignBatch,
		"POST studio/batches/set_priorities":           setPriorities,
		"POST studio/batches/reset_priorities":         resetPriorities,
	}
}

func listAssignments(r *request) (any, error) {
	found, err := r.server.Flow.Assignments(r.Context(), r.caller)
	rows := make(map[string][]string)
	for _, a := range found {
		rows[a.Login] = append(rows[a.Login], a.Project)
	}
	return rows, err
}

func (r *request) assign(end bool) (any, error) {
	var body struct {
		Emails   []string `json:"emails"`
		Projects []string `json:"projects"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if err := r.server.Flow.Assign(r.Context(), r.caller, body.Emails, body.Projects, end); err != nil {
		return nil, err
	}
	return listAssignments(r)
}

func groupJSON(g store.Group) map[string]any {
	workers := []map[string]any{}
	for _, m := range g.Members {
		workers = append(workers, map[string]any{"id": m.User, "email": m.Login})
	}
	return map[string]any{"id": g.ID, "name": g.Name, "numWorkers": len(workers), "isSingleton": false, "workers": workers}
}

func listGroups(r *request) (any, error) {
	found, err := r.server.Flow.Groups(r.Context(), r.caller, r.PathValue("project"))
	rows := []map[string]any{}
	for _, g := range found {
		rows = append(rows, groupJSON(g))
	}
	return rows, err
}

func createGroup(r *request) (any, error) {
	var body struct {
		Emails []string `json:"emails"`
		Name   string   `json:"name"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	g, err := r.server.Flow.CreateGroup(r.Context(), r.caller, r.PathValue("project"), body.Name, body.Emails)
	return groupJSON(g), err
}

func updateGroup(r *request) (any, error) {
	var body struct {
		Add    []string `json:"add_emails"`
		Remove []string `json:"remove_emails"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	g, err := r.server.Flow.ChangeGroup(r.Context(), r.caller, r.PathValue("project"), r.PathValue("group"), body.Add, body.Remove)
	return groupJSON(g), err
}
