package scale

import (
	"encoding/json"
	"slices"

	"remuda"
	"remuda/flow"
	"remuda/label"
	"remuda/store"
)

func taskRoutes() map[string]handler {
	return map[string]handler{
		"POST task/{type}":               createTask,
		"GET task/{task}":                getTask,
		"GET tasks":                      listTasks,
		"POST task/{task}/cancel":        cancelTask,
		"POST task/{task}/audit":         auditTask,
		"POST task/{task}/unique_id":     setUniqueID,
		"DELETE task/{task}/unique_id":   clearUniqueID,
		"POST task/{task}/setMetadata":   setTaskMetadata,
		"POST task/{task}/tags":          setTags,
		"PUT task/{task}/tags":           addTags,
		"DELETE task/{task}/tags":        removeTags,
		"POST task/{task}/send-callback": sendCallback,
	}
}

// taskFields is what of a task's body means something beside what is asked; the
// rest, with the fields that belong to both, becomes the params.
type taskFields struct {
	Project    string          `json:"project"`
	Batch      string          `json:"batch"`
	Callback   *string         `json:"callback_url"`
	Metadata   json.RawMessage `json:"metadata"`
	Priority   *float64        `json:"priority"`
	UniqueID   *string         `json:"unique_id"`
	Tags       []string        `json:"tags"`
	Version    *int            `json:"project_version"`
	Hypothesis json.RawMessage `json:"hypothesis"`
}

// readTask reads the body of a task that is to be made.
func readTask(typ string, text json.RawMessage) (place flow.Place, n flow.NewTask, err error) {
	params := make(map[string]json.RawMessage)
	var fields taskFields
	for _, into := range []any{&params, &fields} {
		if len(text) == 0 {
			break
		}
		if err := json.Unmarshal(text, into); err != nil {
			return place, n, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: %w", err)
		}
	}
	for _, own := range []string{"project", "batch", "callback_url", "metadata", "unique_id", "tags", "expected_response", "initial_response"} {
		delete(params, own)
	}
	for key, value := range params {
		if string(value) == "null" {
			delete(params, key)
		}
	}
	n = flow.NewTask{Type: typ, Metadata: fields.Metadata, Tags: fields.Tags, ProjectVersion: fields.Version}
	if fields.Callback != nil {
		n.Callback = *fields.Callback
	}
	if fields.UniqueID != nil {
		n.UniqueID = *fields.UniqueID
	}
	if fields.Priority != nil {
		n.Priority = *fields.Priority
	}
	if len(fields.Hypothesis) > 0 && string(fields.Hypothesis) != "null" && typ == store.ImageAnnotation {
		if n.Start, err = readAnswer("hypothesis", fields.Hypothesis); err != nil {
			return place, n, err
		}
	}
	if n.Params, err = json.Marshal(params); err != nil {
		return place, n, remuda.Errorf(remuda.Internal, "write parameters: %w", err)
	}
	return flow.Place{Project: fields.Project, Batch: fields.Batch}, n, nil
}

func createTask(r *request) (any, error) {
	text, err := r.objectBody()
	if err != nil {
		return nil, err
	}
	place, n, err := readTask(r.PathValue("type"), text)
	if err != nil {
		return nil, err
	}
	made, err := r.server.Flow.CreateTask(r.Context(), r.caller, place, n)
	if err != nil {
		return nil, err
	}
	return taskJSON(made), nil
}

// taskJSON is a task as the API has it. tags and unique_id are absent where there
// are none, metadata never is.
func taskJSON(t store.Task) map[string]any {
	params := make(map[string]json.RawMessage)
	_ = json.Unmarshal(t.Params, &params) // it was read when it was stored
	made := map[string]any{
		"task_id": t.ID, "created_at": remuda.FormatTime(t.Created), "updated_at": remuda.FormatTime(t.UpdatedAt),
		"type": t.Type, "status": t.Status, "params": params, "metadata": t.Metadata, "project": t.Project,
		"is_test": t.World == remuda.Test, "work_started": len(t.Holders) > 0, "processed_attachments": []any{},
	}
	if text, ok := params["instruction"]; ok {
		made["instruction"] = text
	}
	if t.Batch != "" {
		made["batch"] = t.Batch
	}
	if t.Callback != "" {
		made["callback_url"] = t.Callback
	}
	if t.ProjectVersion >= 0 {
		made["project_param_version"] = t.ProjectVersion
	}
	if t.UniqueID != "" {
		made["unique_id"] = t.UniqueID
	}
	if len(t.Tags) > 0 {
		made["tags"] = t.Tags
	}
	if t.CallbackOK != nil {
		made["callback_succeeded"] = *t.CallbackOK
	}
	addResponse(made, t, params)
	return made
}

// addResponse adds what came of a task, and what its audits found.
func addResponse(made map[string]any, t store.Task, params map[string]json.RawMessage) {
	whole := wholePixels(params)
	switch {
	case t.Status == label.Failed:
		made["response"] = map[string]any{
			"error":       "One or more attachments could not be downloaded.",
			"attachments": []map[string]any{{"statusCode": nil, "url": t.Image.Attachment, "reason": t.Failure}},
		}
	case t.Status == label.Completed && t.Type != store.ImageAnnotation:
		made["response"] = map[string]any{}
	case t.Status == label.Completed && t.Result != nil:
		made["response"] = answerJSON(*t.Result, whole)
	}
	if t.Status == label.Completed {
		made["completed_at"] = remuda.FormatTime(t.Completed)
	}
	audits, comments := []map[string]any{}, []string{}
	for _, w := range t.Work {
		if w.Stage != label.Auditing {
			continue
		}
		audits = append(audits, map[string]any{
			"audited_by": w.By, "audited_at": remuda.FormatTime(w.At), "audit_time_secs": w.Active.Seconds(), "audit_result": w.Verdict, "comments": w.Reason,
		})
		if w.Reason != "" {
			comments = append(comments, w.Reason)
		}
	}
	if len(audits) == 0 {
		return
	}
	made["audits"], made["customer_review_comments"] = audits, comments
	if review := t.Review(); review != "" {
		made["customer_review_status"] = review
	}
	prior := []wireAnswer{}
	for _, p := range t.Prior {
		prior = append(prior, answerJSON(p, whole))
	}
	made["prior_responses"] = prior
}

// wholePixels says whether a task asks for whole pixels.
func wholePixels(params map[string]json.RawMessage) bool {
	var geometries struct {
		Box struct {
			Whole bool `json:"integer_pixels"`
		} `json:"box"`
	}
	return json.Unmarshal(params["geometries"], &geometries) == nil && geometries.Box.Whole
}

// withImage adds where the task's image can be read without a key.
func (r *request) withImage(made map[string]any, t store.Task) error {
	url := t.Image.Attachment
	converted := false
	if t.Image.Blob != "" {
		path, err := r.server.Flow.ImageURL(r.Context(), store.Item{Blob: t.Image.Blob})
		if err != nil {
			return err
		}
		url = r.server.PublicURL(r.Request) + path
	}
	if url == "" {
		return nil
	}
	download := map[string]any{"attachmentURL": t.Image.Attachment, "s3URL": url, "isConvertedImage": converted}
	if t.Image.Format != "" {
		download["metadata"] = map[string]any{"mimeType": "image/" + t.Image.Format}
	}
	made["attachmentS3Downloads"] = []map[string]any{download}
	return nil
}

func getTask(r *request) (any, error) {
	t, err := r.server.Flow.Task(r.Context(), r.caller, r.PathValue("task"))
	if err != nil {
		return nil, unknownTask(err)
	}
	made := taskJSON(t)
	return made, r.withImage(made, t)
}

// unknownTask says of a task that there is none in the words that programs look for.
func unknownTask(err error) error {
	if remuda.CodeOf(err) == remuda.NotFound {
		return remuda.Errorf(remuda.NotFound, "Task with that ID not found.")
	}
	return err
}

func listTasks(r *request) (any, error) {
	q := r.query()
	filter := store.TaskFilter{
		Type: q.Get("type"), Status: label.Status(q.Get("status")), UniqueIDs: q.list("unique_id"), Tags: q.list("tags"),
		From: q.time("start_time"), To: q.time("end_time"), UpdatedFrom: q.time("updated_after"), UpdatedTo: q.time("updated_before"),
		CompletedFrom: q.time("completed_after"), CompletedTo: q.time("completed_before"),
		Limit: q.number("limit", 100, 1, 100), Before: q.token("next_token"),
	}
	for _, word := range q.words("customer_review_status") {
		filter.Reviews = append(filter.Reviews, store.TaskReview(word))
	}
	if filter.Status != "" && !slices.Contains([]label.Status{label.Pending, label.Completed, label.Canceled, label.Failed}, filter.Status) {
		q.refuse("status", string(filter.Status), "the statuses are pending, completed, canceled and error")
	}
	images, limited := q.bool("include_attachment_url"), q.bool("limited_response")
	if q.err != nil {
		return nil, q.err
	}
	page, err := r.server.Flow.Tasks(r.Context(), r.caller, flow.Place{Project: q.Get("project"), Batch: q.Get("batch")}, filter)
	if err != nil {
		return nil, err
	}
	docs := []map[string]any{}
	for _, t := range page.Tasks {
		doc := taskJSON(t)
		if limited {
			doc = map[string]any{"task_id": t.ID, "status": t.Status, "metadata": t.Metadata, "project": t.Project, "otherVersion": nil}
		} else if images {
			if err := r.withImage(doc, t); err != nil {
				return nil, err
			}
		}
		docs = append(docs, doc)
	}
	answer := map[string]any{"docs": docs, "total": page.Total, "limit": filter.Limit, "offset": 0, "has_more": page.More}
	if page.More {
		answer["next_token"] = pageToken(page.Tasks[len(page.Tasks)-1].ID)
	}
	return answer, nil
}

func cancelTask(r *request) (any, error) {
	q := r.query()
	clear := q.bool("clear_unique_id")
	if q.err != nil {
		return nil, q.err
	}
	t, err := r.server.Flow.CancelTask(r.Context(), r.caller, r.PathValue("task"), "", clear)
	return r.changed(t, err)
}

// changed answers with a task that was changed.
func (r *request) changed(t store.Task, err error) (any, error) {
	if err != nil {
		return nil, unknownTask(err)
	}
	return taskJSON(t), nil
}

func auditTask(r *request) (any, error) {
	var body struct {
		Accepted *bool   `json:"accepted"`
		Comments *string `json:"comments"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.Accepted == nil {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"accepted\" is required")
	}
	s := label.Submission{Verdict: label.Accepted}
	if body.Comments != nil {
		s.Reason = *body.Comments
	}
	if !*body.Accepted {
		s.Verdict = label.Rejected
		if s.Reason == "" {
			s.Reason = "rejected without a comment"
		}
	}
	t, err := r.server.Flow.AuditTask(r.Context(), r.caller, r.PathValue("task"), s)
	return r.changed(t, err)
}

func setUniqueID(r *request) (any, error) {
	var body struct {
		UniqueID string `json:"unique_id"`
	}
	if err := r.json(&body); err != nil {
		return nil, err
	}
	if body.UniqueID == "" {
		return nil, remuda.Errorf(remuda.Invalid, "Parameter is invalid, reason: \"unique_id\" is required")
	}
	return r.changed(r.server.Flow.SetTaskUniqueID(r.Context(), r.caller, r.PathValue("task"), body.UniqueID))
}

func clearUniqueID(r *request) (any, error) {
	return r.changed(r.server.Flow.SetTaskUniqueID(r.Context(), r.caller, r.PathValue("task"), ""))
}

func setTaskMetadata(r *request) (any, error) {
	text, err := r.objectBody()
	if err != nil {
		return nil, err
	}
	return r.changed(r.server.Flow.SetTaskMetadata(r.Context(), r.caller, r.PathValue("task"), text))
}

func setTags(r *request) (any, error) {
	return r.changeTags(func(_, sent []string) []string { return sent })
}

func addTags(r *request) (any, error) {
	return r.changeTags(func(tags, sent []string) []string { return append(tags, sent...) })
}

func removeTags(r *request) (any, error) {
	return r.changeTags(func(tags, sent []string) []string {
		return slices.DeleteFunc(tags, func(t string) bool { return slices.Contains(sent, t) })
	})
}

// changeTags changes a task's tags by a list in the request's body.
func (r *request) changeTags(change func(tags, sent []string) []string) (any, error) {
	var sent []string
	if err := r.json(&sent); err != nil {
		return nil, err
	}
	return r.changed(r.server.Flow.ChangeTaskTags(r.Context(), r.caller, r.PathValue("task"), func(tags []string) []string { return change(tags, sent) }))
}

func sendCallback(r *request) (any, error) {
	if _, err := r.server.Flow.ResendCallback(r.Context(), r.caller, r.PathValue("task")); err != nil {
		return nil, unknownTask(err)
	}
	return r.changed(r.server.Flow.Task(r.Context(), r.caller, r.PathValue("task")))
}
