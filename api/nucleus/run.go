package nucleus

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/store"
)

func runRoutes() map[string]handler {
	return map[string]handler{
		"POST dataset/{ds}/modelRun/create":        createDatasetRun,
		"POST model/{prj}/modelRun/create":         createModelRun,
		"GET model/{prj}/modelRun":                 listRuns,
		"POST modelRun/merge":                      mergeRuns,
		"GET modelRun/{run}/info":                  runInfo,
		"POST modelRun/{run}/commit":               commitRun,
		"DELETE modelRun/{run}":                    deleteRun,
		"POST model/{prj}/predictions/copyFromRun": copyFromRun,
	}
}

type sentRun struct {
	Name        string          `json:"name"`
	ReferenceID string          `json:"reference_id"` // of the model in a dataset's route, else of the run
	Metadata    json.RawMessage `json:"metadata"`
	Runs        []string        `json:"model_run_ids"`
}

func createDatasetRun(s *Server, r *request) (any, error) {
	var body sentRun
	if err := r.json(&body); err != nil {
		return nil, err
	}
	made, err := s.Flow.CreateRunOfReference(r.Context(), r.caller, r.param("ds"), body.ReferenceID, flow.NewRun{Name: body.Name, Metadata: body.Metadata})
	return map[string]any{"model_run_id": made.ID, "model_id": made.Model, "dataset_id": r.param("ds")}, err
}

func createModelRun(s *Server, r *request) (any, error) {
	var body sentRun
	if err := r.json(&body); err != nil {
		return nil, err
	}
	made, err := s.Flow.CreateRun(r.Context(), r.caller, "", r.param("prj"), flow.NewRun{Name: body.Name, ReferenceID: body.ReferenceID, Metadata: body.Metadata})
	return map[string]any{"model_run_id": made.ID, "model_id": made.Model}, err
}

func listRuns(s *Server, r *request) (any, error) {
	runs, err := s.Flow.Runs(r.Context(), r.caller, r.param("prj"))
	ids := make([]string, len(runs))
	for i, run := range runs {
		ids[i] = run.ID
	}
	return ids, err
}

func mergeRuns(s *Server, r *request) (any, error) {
	var body sentRun
	if err := r.json(&body); err != nil {
		return nil, err
	}
	made, err := s.Flow.MergeRuns(r.Context(), r.caller, body.Runs, flow.NewRun{Name: body.Name, Metadata: body.Metadata})
	return map[string]any{"model_run_id": made.ID, "dataset_ids": orNone(made.Datasets), "job_id": made.Job.ID}, err
}

func runInfo(s *Server, r *request) (any, error) {
	run, err := s.Flow.Run(r.Context(), r.caller, r.param("run"))
	return map[string]any{
		"model_run_id": run.ID, "model_id": run.Model, "name": run.Name, "ref_id": run.ReferenceID, "status": wireRunStatus(run.Status),
		"metadata": run.Metadata, "dataset_ids": orNone(run.Datasets), "created_at": remuda.FormatTime(run.CreatedAt),
	}, err
}

func wireRunStatus(status string) string {
	if status == store.RunCommitted {
		return "completed"
	}
	return "started"
}

func commitRun(s *Server, r *request) (any, error) {
	var sent sentEvaluation
	if err := r.json(&sent); err != nil {
		return nil, err
	}
	run, evaluation, err := s.Flow.CommitRun(r.Context(), r.caller, r.param("run"), sent.metricsRule())
	answer := map[string]any{"model_run_id": run.ID, "status": wireRunStatus(run.Status)}
	if evaluation != nil {
		answer["evaluation_id"], answer["job_id"] = evaluation.ID, evaluation.Job
	}
	return answer, err
}

func deleteRun(s *Server, r *request) (any, error) {
	job, err := s.Flow.DeleteRun(r.Context(), r.caller, r.param("run"))
	answer := jobJSON(job)
	answer["model_run_id"] = r.param("run")
	return answer, err
}

func copyFromRun(s *Server, r *request) (any, error) {
	var body struct {
		Run string `json:"model_run_id"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	done, err := s.Flow.CopyFromRun(r.Context(), r.caller, r.param("prj"), body.Run)
	return map[string]any{
		"model_id": r.param("prj"), "model_run_ids": orNone(done.Runs), "predictions_copied": done.Copied, "predictions_skipped_unsupported": 0,
	}, err
}
