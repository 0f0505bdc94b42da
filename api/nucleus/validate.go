package nucleus

import (
	"encoding/json"
	"strings"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func validateRoutes() map[string]handler {
	return map[string]handler{
		"GET validate/eval_fn":                                 evalFunctions,
		"POST validate/scenario_test":                          createScenario,
		"GET validate/scenario_test/{id}/info":                 scenarioInfo,
		"GET validate/scenario_test/details":                   listScenarios,
		"DELETE validate/scenario_test/{id}":                   deleteScenario,
		"POST validate/scenario_test_eval_function":            addScenarioMetric,
		"GET validate/scenario_test/{id}/metrics":              scenarioMetrics,
		"POST validate/metric/set_threshold/{id}/{ef}":         setThreshold,
		"GET validate/scenario_test/{id}/items":                scenarioItems,
		"POST validate/{prj}/evaluate":                         evaluateScenarios,
		"GET validate/scenario_test/{id}/eval_history/details": scenarioHistory,
		"GET validate/eval/{id}/info":                          scenarioResults,
	}
}

// functionPrefix begins the ids of evaluation functions: the client looks for it.
const functionPrefix = "ef_"

// functionNamed returns the function of an id.
func functionNamed(id string) string { return strings.TrimPrefix(id, functionPrefix) }

func evalFunctions(_ *Server, r *request) (any, error) {
	if err := r.caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	var list []map[string]any
	for _, f := range flow.BoxFunctions() {
		list = append(list, map[string]any{
			"id": functionPrefix + string(f), "name": f, "is_public": true, "user_id": "", "is_external_function": false, "serialized_fn": nil, "raw_source": nil,
		})
	}
	return map[string]any{"eval_functions": list}, nil
}

func createScenario(s *Server, r *request) (any, error) {
	var body struct {
		Name      string `json:"name"`
		Slice     string `json:"slice_id"`
		Functions []struct {
			ID        string          `json:"id"`
			Arguments json.RawMessage `json:"eval_func_arguments"`
		} `json:"evaluation_functions"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	metrics := make([]flow.NewMetric, len(body.Functions))
	for i, f := range body.Functions {
		metrics[i] = flow.NewMetric{Function: functionNamed(f.ID), Arguments: f.Arguments}
	}
	made, err := s.Flow.CreateScenario(r.Context(), r.caller, body.Name, body.Slice, metrics)
	return map[string]any{"scenario_test_id": made.ID}, err
}

func scenarioJSON(t store.Scenario) map[string]any {
	return map[string]any{"id": t.ID, "name": t.Name, "slice_id": t.Slice, "baseline_model_id": nil}
}

func scenarioInfo(s *Server, r *request) (any, error) {
	test, err := s.Flow.Scenario(r.Context(), r.caller, r.param("id"))
	return scenarioJSON(test), err
}

func listScenarios(s *Server, r *request) (any, error) {
	tests, err := s.Flow.Scenarios(r.Context(), r.caller)
	return list(tests, scenarioJSON), err
}

func deleteScenario(s *Server, r *request) (any, error) {
	return map[string]any{"success": true}, s.Flow.DeleteScenario(r.Context(), r.caller, r.param("id"))
}

// greaterEqual is the only comparison: a value passes that reaches the threshold.
const greaterEqual = "greater_than_equal_to"

func addScenarioMetric(s *Server, r *request) (any, error) {
	var body struct {
		Name      string          `json:"scenario_test_name"`
		Function  string          `json:"eval_function_id"`
		Arguments json.RawMessage `json:"eval_func_arguments"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	m, err := s.Flow.AddScenarioMetric(r.Context(), r.caller, body.Name, flow.NewMetric{Function: functionNamed(body.Function), Arguments: body.Arguments})
	return map[string]any{
		"scenario_test_id": m.Test, "eval_function_id": functionPrefix + m.Function, "threshold": m.Threshold, "threshold_comparison": greaterEqual,
	}, err
}

// scenarioMetrics answers with objects that the client expands into arguments:
// they must have no other keys.
func scenarioMetrics(s *Server, r *request) (any, error) {
	metrics, err := s.Flow.ScenarioMetrics(r.Context(), r.caller, r.param("id"))
	return map[string]any{"scenario_test_metrics": list(metrics, func(m store.ScenarioMetric) map[string]any {
		return map[string]any{
			"scenario_test_id": m.Test, "eval_function_id": functionPrefix + m.Function, "threshold": m.Threshold,
			"threshold_comparison": greaterEqual, "eval_func_arguments": orEmpty(m.Arguments),
		}
	})}, err
}

func setThreshold(s *Server, r *request) (any, error) {
	var body struct {
		Threshold *float64 `json:"threshold"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	err := s.Flow.SetScenarioThreshold(r.Context(), r.caller, r.param("id"), functionNamed(r.param("ef")), body.Threshold)
	return map[string]any{"threshold": body.Threshold}, err
}

func scenarioItems(s *Server, r *request) (any, error) {
	items, err := s.Flow.ScenarioItems(r.Context(), r.caller, r.param("id"))
	if err != nil {
		return nil, err
	}
	wire, err := s.itemsJSON(r, items)
	return map[string]any{"dataset_items": wire, "scenes": []any{}, "tracks": []any{}}, err
}

func evaluateScenarios(s *Server, r *request) (any, error) {
	var body struct {
		Names []string `json:"test_names"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	job, err := s.Flow.EvaluateScenarios(r.Context(), r.caller, r.param("prj"), body.Names)
	return jobJSON(job), err
}

func scenarioHistory(s *Server, r *request) (any, error) {
	runs, err := s.Flow.ScenarioHistory(r.Context(), r.caller, r.param("id"))
	return list(runs, func(run store.ScenarioRun) map[string]any {
		return map[string]any{
			"id": run.ID, "scenario_test_id": run.Test, "eval_function_id": functionPrefix + run.Function, "model_id": run.Model,
			"status": run.Status, "result": run.Result, "pass": run.Passed,
		}
	}), err
}

func scenarioResults(s *Server, r *request) (any, error) {
	run, results, err := s.Flow.ScenarioResults(r.Context(), r.caller, r.param("id"))
	return map[string]any{"scenario_test_item_evaluations": list(results, func(result store.ScenarioResult) map[string]any {
		return map[string]any{
			"evaluation_id": run.ID, "scenario_test_id": run.Test, "eval_function_id": functionPrefix + run.Function, "dataset_item_id": result.Item,
			"result": result.Result, "pass": result.Passed,
		}
	})}, err
}
