package scale

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
)

func batchRoutes() map[string]handler {
	return map[string]handler{
		"POST batches":                     createBatch,
		"GET batches":                      listBatches,
		"GET batches/{batch}":              getBatch,
		"POST batches/{batch}/finalize":    finalizeBatch,
		"GET batches/{batch}/status":       batchStatus,
		"POST batches/{batch}/setMetadata": setBatchMetadata,
	}
}

func batchJSON(b flow.BatchView) map[string]any {
	made := map[string]any{
		"id": b.ID, "name": b.Name, "project": b.Project, "status": b.Status, "created_at": remuda.FormatTime(b.Created), "metadata": b.Metadata,
		"calibration_batch": b.Kind == label.Calibration, "self_label_batch": b.Kind == label.SelfLabel, "callback": b.Callback,
		"tasks_pending": b.Counts.Pending, "tasks_completed": b.Counts.Completed, "tasks_error": b.Counts.Error, "tasks_canceled": b.Counts.Canceled,
	}
	if b.CompletedAt != nil {
		made["completed_at"] = remuda.FormatTime(*b.CompletedAt)
	}
	if b.CallbackOK != nil {
		made["callback_succeeded"] = *b.CallbackOK
	}
	return made
}

func createBatch(r *request) (any, error) {
	var body struct {
		Project     string          `json:"project"`
		Name        string          `json:"name"`
		Calibration bool            `json:"calibration_batch"`
		SelfLabel   bool            `json:"self_label_batch"`
		Callback    string          `json:"callback"`
		Metadata    json.RawMessage `json:"metadata"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	n := flow.NewBatch{Project: body.Project, Name: body.Name, Callback: body.Callback, Metadata: body.Metadata}
	switch {
	case body.Calibration && body.SelfLabel:
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: a batch cannot be both a calibration and a self-label batch")
	case body.Calibration:
		n.Kind = label.Calibration
	case body.SelfLabel:
		n.Kind = label.SelfLabel
	}
	made, err := r.server.Flow.CreateBatch(r.Context(), r.caller, n)
	return batchJSON(made), err
}

func listBatches(r *request) (any, error) {
	q := r.query()
	filter := store.BatchFilter{
		Status: label.BatchStatus(q.Get("status")), From: q.time("start_time"), To: q.time("end_time"),
		CompletedFrom: q.time("completed_after"), CompletedTo: q.time("completed_before"), ExcludeArchived: q.bool("exclude_archived"),
		Limit: q.number("limit", 100, 1, 100), Offset: q.number("offset", 0, 0, 1<<31-1),
	}
	if q.err != nil {
		return nil, q.err
	}
	page, err := r.server.Flow.Batches(r.Context(), r.caller, q.Get("project"), filter)
	docs := []map[string]any{}
	for _, b := range page.Batches {
		docs = append(docs, batchJSON(b))
	}
	total := int(page.Total)
	pages, more := (total+filter.Limit-1)/filter.Limit, filter.Offset+len(docs) < total && len(docs) > 0
	answer := map[string]any{
		"docs": docs, "totalDocs": total, "total": total, "limit": filter.Limit, "offset": filter.Offset, "has_more": more,
		"totalPages": pages, "hasNextPage": more, "page": filter.Offset/filter.Limit + 1, "nextPage": nil,
	}
	if more {
		answer["nextPage"] = filter.Offset/filter.Limit + 2
	}
	return answer, err
}

func getBatch(r *request) (any, error) {
	b, err := r.server.Flow.Batch(r.Context(), r.caller, r.PathValue("batch"))
	return batchJSON(b), err
}

func finalizeBatch(r *request) (any, error) {
	if _, err := r.body(); err != nil {
		return nil, err
	}
	b, err := r.server.Flow.FinalizeBatch(r.Context(), r.caller, r.PathValue("batch"))
	return batchJSON(b), err
}

func batchStatus(r *request) (any, error) {
	b, err := r.server.Flow.Batch(r.Context(), r.caller, r.PathValue("batch"))
	c := b.Counts
	return map[string]any{"status": b.Status, "pending": c.Pending, "completed": c.Completed, "error": c.Error, "canceled": c.Canceled}, err
}

func setBatchMetadata(r *request) (any, error) {
	text, err := r.objectBody()
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		text = json.RawMessage("{}")
	}
	b, err := r.server.Flow.ChangeBatch(r.Context(), r.caller, r.PathValue("batch"), flow.BatchChange{Metadata: text})
	return batchJSON(b), err
}
