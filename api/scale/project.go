package scale

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
)

func projectRoutes() map[string]handler {
	return map[string]handler{
		"POST projects":                     createProject,
		"GET projects":                      listProjects,
		"GET projects/{project}":            getProject,
		"POST projects/{project}/setParams": setParams,
	}
}

// projectJSON is a project as the API has it: its versions oldest first, each
// what was sent with a number and a time.
func projectJSON(p flow.ProjectView) map[string]any {
	history := []map[string]any{}
	for _, v := range p.Versions {
		entry := make(map[string]any)
		params := make(map[string]json.RawMessage)
		_ = json.Unmarshal(v.Params, &params) // it was read when it was stored
		for key, value := range params {
			entry[key] = value
		}
		entry["version"], entry["created_at"] = v.Version, remuda.FormatTime(v.CreatedAt)
		history = append(history, entry)
	}
	made := map[string]any{
		"id": p.ID, "name": p.Name, "type": p.Type, "created_at": remuda.FormatTime(p.CreatedAt), "param_history": history,
		"rapid": p.Rapid, "studio": p.Studio, "archived": p.ArchivedAt != nil,
	}
	if p.Dataset != "" {
		made["datasetId"] = p.Dataset
	}
	return made
}

const (
	standardPipeline  = "standard_task"
	consensusPipeline = "consensus_task"
)

func createProject(r *request) (any, error) {
	var body struct {
		Type      string          `json:"type"`
		Name      string          `json:"name"`
		Params    json.RawMessage `json:"params"`
		Rapid     bool            `json:"rapid"`
		Studio    bool            `json:"studio"`
		Dataset   string          `json:"datasetId"`
		Pipeline  string          `json:"pipeline"`
		Consensus int             `json:"consensus_attempts"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if string(body.Params) == "null" {
		body.Params = nil
	}
	plan, err := planOf(body.Pipeline, body.Consensus)
	if err != nil {
		return nil, err
	}
	made, err := r.server.Flow.CreateProject(r.Context(), r.caller, flow.NewProject{
		Name: body.Name, Type: body.Type, Params: body.Params, Rapid: body.Rapid, Studio: body.Studio, Dataset: body.Dataset,
		Settings: store.ProjectSettings{Plan: plan},
	})
	return projectJSON(made), err
}

// planOf is the way of a project's tasks to their result, by the name of a
// pipeline. Without one a task is attempted once and not reviewed, so that one
// person alone can complete it.
func planOf(pipeline string, consensus int) (label.Plan, error) {
	switch pipeline {
	case "":
		return label.Plan{}, nil
	case standardPipeline:
		return label.Plan{Attempts: 1, Reviews: 1}, nil
	case consensusPipeline:
		if consensus == 0 {
			consensus = 3
		}
		return label.Plan{Attempts: consensus}, nil
	}
	return label.Plan{}, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"pipeline\" cannot be %.80q", pipeline).
		WithHint("the pipelines are %s and %s", standardPipeline, consensusPipeline)
}

func listProjects(r *request) (any, error) {
	q := r.query()
	archived := q.bool("archived")
	if q.err != nil {
		return nil, q.err
	}
	found, err := r.server.Flow.Projects(r.Context(), r.caller)
	rows := []map[string]any{}
	for _, p := range found {
		if q.Get("archived") == "" || archived == (p.ArchivedAt != nil) {
			rows = append(rows, projectJSON(p))
		}
	}
	return rows, err
}

func getProject(r *request) (any, error) {
	p, err := r.server.Flow.Project(r.Context(), r.caller, r.PathValue("project"))
	return projectJSON(p), err
}

func setParams(r *request) (any, error) {
	text, err := r.objectBody()
	if err != nil {
		return nil, err
	}
	params := make(map[string]json.RawMessage)
	if len(text) > 0 {
		if err := json.Unmarshal(text, &params); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the request's JSON: %w", err)
		}
	}
	patch := false
	if said, ok := params["patch"]; ok {
		if err := json.Unmarshal(said, &patch); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"patch\" must be true or false")
		}
		delete(params, "patch")
	}
	if text, err = json.Marshal(params); err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write parameters: %w", err)
	}
	p, err := r.server.Flow.SetParams(r.Context(), r.caller, r.PathValue("project"), text, patch)
	return projectJSON(p), err
}
