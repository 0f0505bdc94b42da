package scale

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
)

func qualityRoutes() map[string]handler {
	return map[string]handler{
		"POST evaluation_tasks/{type}": func(r *request) (any, error) { return createQuality(r, label.Evaluation) },
		"POST training_tasks/{type}":   func(r *request) (any, error) { return createQuality(r, label.Training) },
	}
}

// createQuality makes a quality task of a task's body with the right answer in it.
func createQuality(r *request, kind label.Kind) (any, error) {
	text, err := r.objectBody()
	if err != nil {
		return nil, err
	}
	typ := r.PathValue("type")
	place, n, err := readTask(typ, text)
	if err != nil {
		return nil, err
	}
	if err := r.caller.Need(remuda.Manager); err != nil {
		return nil, err
	}
	var sent struct {
		Expected json.RawMessage `json:"expected_response"`
		Initial  json.RawMessage `json:"initial_response"`
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &sent); err != nil {
			return nil, remuda.Errorf(remuda.Invalid, "read the request's JSON: %w", err)
		}
	}
	q := flow.NewQuality{NewTask: n, Kind: kind}
	if q.Expected, err = answerOf("expected_response", typ, sent.Expected); err != nil {
		return nil, err
	}
	if q.Initial, err = answerOf("initial_response", typ, sent.Initial); err != nil {
		return nil, err
	}
	made, err := r.server.Flow.CreateQualityTask(r.Context(), r.caller, place, q)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{
		"id": made.ID, "type": typ, "project": made.Project, "created_at": remuda.FormatTime(made.CreatedAt), "params": made.Params,
		"expected_response": sent.Expected, "is_test": made.World == remuda.Test,
	}
	if len(sent.Initial) > 0 {
		answer["initial_response"] = sent.Initial
	}
	return answer, nil
}

// answerOf reads an answer that may be absent. What people here don't draw is
// taken as it is, for the test world.
func answerOf(name, typ string, text json.RawMessage) (*label.Answer, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	if typ != store.ImageAnnotation {
		return &label.Answer{}, nil
	}
	return readAnswer(name, text)
}
