package scale

import (
	"context"

	"remuda"
	"remuda/flow"
	"remuda/label"
)

// teamVerb gives people a role.
type teamVerb func(f *flow.Flow, ctx context.Context, caller remuda.Caller, logins []string, role remuda.Role) error

func studioBatchJSON(b flow.BatchView) map[string]any {
	kind := "Production"
	if b.Kind == label.Calibration {
		kind = "Calibration"
	}
	c := b.Counts
	groups := b.Groups
	if groups == nil {
		groups = []string{}
	}
	made := map[string]any{
		"id": b.ID, "name": b.Name, "projectId": b.ProjectID, "projectName": b.Project, "batchType": kind,
		"total": c.Pending + c.Completed + c.Canceled + c.Error, "completed": c.Completed, "groups": groups,
	}
	if b.Rank > 0 {
		made["studioPriority"] = b.Rank
	}
	return made
}

func studioBatches(found []flow.BatchView, err error) (any, error) {
	rows := []map[string]any{}
	for _, b := range found {
		rows = append(rows, studioBatchJSON(b))
	}
	return rows, err
}

func listStudioBatches(r *request) (any, error) {
	return studioBatches(r.server.Flow.RankedBatches(r.Context(), r.caller))
}

func assignBatch(r *request) (any, error) {
	var body struct {
		Groups []string `json:"groups"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	b, err := r.server.Flow.ChangeBatch(r.Context(), r.caller, r.PathValue("batch"), flow.BatchChange{Groups: &body.Groups})
	return studioBatchJSON(b), err
}

func setPriorities(r *request) (any, error) {
	var body struct {
		Batches []struct {
			Name string `json:"name"`
		} `json:"batches"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if err := r.caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	names := make([]string, len(body.Batches))
	for i, b := range body.Batches {
		names[i] = b.Name
	}
	if len(names) == 0 {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"batches\" is required").WithHint("list every batch that isn't completed")
	}
	return studioBatches(r.server.Flow.RankBatches(r.Context(), r.caller, names))
}

func resetPriorities(r *request) (any, error) {
	if _, err := r.body(); err != nil {
		return nil, err
	}
	return studioBatches(r.server.Flow.RankBatches(r.Context(), r.caller, nil))
}
