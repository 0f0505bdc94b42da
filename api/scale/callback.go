package scale

import (
	"encoding/json"

	"remuda"
	"remuda/flow"
)

// CallbackBody writes what a callback tells.
func CallbackBody(v flow.CallbackView) ([]byte, error) {
	var body map[string]any
	if v.Task != nil {
		task := taskJSON(*v.Task)
		body = map[string]any{"task": task, "task_id": v.Task.ID, "status": v.Task.Status, "response": task["response"]}
	} else {
		c := v.Batch.Counts
		body = map[string]any{"batch": batchJSON(*v.Batch), "status": v.Batch.Status, "pending": c.Pending, "completed": c.Completed, "error": c.Error, "canceled": c.Canceled}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, remuda.Errorf(remuda.Internal, "write a callback: %w", err)
	}
	return text, nil
}
