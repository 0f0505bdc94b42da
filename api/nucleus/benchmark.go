package nucleus

import (
	"encoding/json"
	"strconv"

	"remuda"
	"remuda/eval"
	"remuda/flow"
	"remuda/store"
)

func benchmarkRoutes() map[string]handler {
	return map[string]handler{
		"POST benchmarks":           createBenchmark,
		"GET benchmarks":            listBenchmarks,
		"GET benchmarks/{bm}":       getBenchmark,
		"PATCH benchmarks/{bm}":     changeBenchmark,
		"DELETE benchmarks/{bm}":    deleteBenchmark,
		"GET benchmarks/{bm}/items": benchmarkItems,
		"POST leaderboard/ranking":  ranking,
	}
}

// sentGroup gathers labels under the name of a class.
type sentGroup struct {
	Name   string   `json:"class_name"`
	Labels []string `json:"labels"`
}

func labelGroups(sent []sentGroup) []eval.LabelGroup {
	var groups []eval.LabelGroup
	for _, g := range sent {
		groups = append(groups, eval.LabelGroup{Category: g.Name, Labels: g.Labels})
	}
	return groups
}

func groupsJSON(groups []eval.LabelGroup) []sentGroup {
	sent := make([]sentGroup, len(groups))
	for i, g := range groups {
		sent[i] = sentGroup{g.Category, orNone(g.Labels)}
	}
	return sent
}

// noLabelMatches refuses a stored list of label matches: there is no call that makes one.
func noLabelMatches(id string) error {
	if id == "" {
		return nil
	}
	return remuda.Errorf(remuda.NotFound, "there are no allowed label matches %s", id).WithHint("send rollupGroups or class_agnostic instead")
}

func createBenchmark(s *Server, r *request) (any, error) {
	var body struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Metadata    json.RawMessage `json:"metadata"`
		ItemIDs     []string        `json:"item_ids"`
		Items       []struct {
			Dataset   string `json:"dataset_id"`
			Reference string `json:"ref_id"`
		} `json:"items"`
		Slice         string      `json:"slice_id"`
		Slices        []string    `json:"slice_ids"`
		Dataset       string      `json:"dataset_id"`
		Datasets      []string    `json:"dataset_ids"`
		Groups        []sentGroup `json:"rollupGroups"`
		LabelMatches  string      `json:"allowed_label_matches_id"`
		ClassAgnostic bool        `json:"class_agnostic"`
		Parent        string      `json:"parent_benchmark_id"`
		Bump          string      `json:"bump_type"`
		Major         *int64      `json:"version_major"`
		Minor         *int64      `json:"version_minor"`
		Label         string      `json:"version_label"`
		Removed       []string    `json:"removed_item_ids"`
		Draft         bool        `json:"draft"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Draft {
		return nil, remuda.Errorf(remuda.Invalid, "this server does not have drafts of benchmarks").WithHint("make the benchmark with all its items at once")
	}
	if err := noLabelMatches(body.LabelMatches); err != nil {
		return nil, err
	}
	from := flow.BenchmarkSource{Items: body.ItemIDs, Slices: body.Slices, Datasets: body.Datasets, Parent: body.Parent, Removed: body.Removed}
	for _, item := range body.Items {
		from.Refs = append(from.Refs, flow.BenchmarkItemRef{Dataset: item.Dataset, Reference: item.Reference})
	}
	if body.Slice != "" {
		from.Slices = append(from.Slices, body.Slice)
	}
	if body.Dataset != "" {
		from.Datasets = append(from.Datasets, body.Dataset)
	}
	made, err := s.Flow.CreateBenchmark(r.Context(), r.caller, flow.NewBenchmark{
		Name: body.Name, Description: body.Description, Metadata: body.Metadata, Source: from,
		Rule: eval.LabelRule{Agnostic: body.ClassAgnostic, Groups: labelGroups(body.Groups)},
		Bump: body.Bump, VersionMajor: body.Major, VersionMinor: body.Minor, VersionLabel: body.Label,
	})
	return map[string]any{"benchmark_id": made.ID, "job_id": made.Job}, err
}

func benchmarkJSON(b store.Benchmark) map[string]any {
	var rule eval.LabelRule
	_ = json.Unmarshal(b.Rule, &rule) // the server wrote it
	wire := map[string]any{
		"benchmark_id": b.ID, "name": b.Name, "description": orNull(b.Description), "metadata": b.Metadata, "created_by_user_id": b.CreatedBy,
		"created_at": remuda.FormatTime(b.CreatedAt), "item_count": b.Items, "dataset_count": b.Datasets, "skipped_items_without_ground_truth": b.Skipped,
		"status": b.Status, "parent_benchmark_id": orNull(b.Parent), "version_major": b.VersionMajor, "version_minor": b.VersionMinor,
		"version_label": orNull(b.VersionLabel), "allowed_label_matches_id": nil, "class_agnostic": rule.Agnostic, "rollup_groups": groupsJSON(rule.Groups),
	}
	if b.Problem != "" {
		wire["error_message"] = b.Problem
	}
	return wire
}

// orNull is a text, or null for none.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func listBenchmarks(s *Server, r *request) (any, error) {
	found, err := s.Flow.Benchmarks(r.Context(), r.caller)
	return list(found, benchmarkJSON), err
}

func getBenchmark(s *Server, r *request) (any, error) {
	b, err := s.Flow.Benchmark(r.Context(), r.caller, r.param("bm"))
	return benchmarkJSON(b), err
}

func changeBenchmark(s *Server, r *request) (any, error) {
	var body map[string]json.RawMessage
	if err := r.json(&body); err != nil {
		return nil, err
	}
	var change flow.BenchmarkChange
	for name, value := range body {
		switch name {
		case "name", "description":
			var text string // null clears
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, remuda.Errorf(remuda.Invalid, "change a benchmark: its %s must be a string", name)
			}
			if name == "name" {
				change.Name = &text
			} else {
				change.Description = &text
			}
		case "metadata":
			change.Metadata = value
		case "allowed_label_matches_id", "class_agnostic", "rollupGroups":
			return nil, remuda.Errorf(remuda.Conflict, "change which labels match in benchmark %s: it is no draft", r.param("bm")).WithHint("make a version of it with parent_benchmark_id")
		}
	}
	b, err := s.Flow.ChangeBenchmark(r.Context(), r.caller, r.param("bm"), change)
	return benchmarkJSON(b), err
}

func deleteBenchmark(s *Server, r *request) (any, error) {
	return map[string]any{"benchmark_id": r.param("bm"), "deleted": true}, s.Flow.DeleteBenchmark(r.Context(), r.caller, r.param("bm"))
}

func benchmarkItems(s *Server, r *request) (any, error) {
	limit, err := r.number("limit", 0)
	if err != nil {
		return nil, err
	}
	skip, err := r.number("offset", 0)
	if err != nil {
		return nil, err
	}
	items, total, err := s.Flow.BenchmarkItems(r.Context(), r.caller, r.param("bm"), skip, limit)
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.Item
	}
	return map[string]any{"item_ids": ids, "total": total}, err
}

// number reads a whole number of the query.
func (r *request) number(name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, remuda.Errorf(remuda.Invalid, "%s is %.80q, not a whole number", name, text)
	}
	return n, nil
}

func ranking(s *Server, r *request) (any, error) {
	var body struct {
		Metric     eval.RankingMetric `json:"metric_type"`
		Benchmarks []string           `json:"benchmark_ids"`
		Confidence float64            `json:"confidence_threshold"`
		Models     []string           `json:"model_ids"`
		Scope      string             `json:"scope"`
		Collapse   string             `json:"collapse"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Scope != "" && body.Scope != "mine" && body.Scope != "all" {
		return nil, remuda.Errorf(remuda.Invalid, "rank evaluations of %.80q", body.Scope).WithHint("the scope is mine or all")
	}
	if body.Collapse != "" && body.Collapse != "bestPerModel" && body.Collapse != "allEvaluations" {
		return nil, remuda.Errorf(remuda.Invalid, "collapse evaluations as %.80q", body.Collapse).WithHint("use bestPerModel or allEvaluations")
	}
	ranked, err := s.Flow.Ranking(r.Context(), r.caller, flow.RankingQuery{
		Metric: body.Metric, Benchmarks: body.Benchmarks, Models: body.Models, Confidence: body.Confidence,
		Mine: body.Scope == "mine", BestPerModel: body.Collapse != "allEvaluations",
	})
	rows := make([]map[string]any, len(ranked))
	for i, place := range ranked {
		e := place.Evaluation
		rows[i] = map[string]any{
			"evaluation_id": e.ID, "score": place.Score, "rank": i + 1, "evaluation_name": e.Name, "model_id": e.Model, "model_name": e.ModelName,
			"model_run_id": runOf(e), "model_run_name": orNull(e.RunName), "benchmark_id": e.Benchmark,
			"model_version_major": nil, "model_version_minor": nil, "model_version_label": nil, "parent_model_project_id": nil,
		}
	}
	return rows, err
}
