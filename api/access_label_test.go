package api

import (
	"encoding/json"

	"remuda"
	"remuda/geom"
	"remuda/label"
	"remuda/store"
)

// labelThings makes one of everything that routes about labeling name.
func labelThings(tx *store.Tx, ids map[string]string) error {
	p, err := tx.CreateProject(store.Project{Name: ids["dataset"], Type: store.ImageAnnotation})
	if err != nil {
		return err
	}
	b, err := tx.CreateBatch(store.Batch{ProjectID: p.ID, Batch: label.Batch{Name: ids["dataset"], Project: p.Name, Kind: label.Production, Status: label.InProgress}})
	if err != nil {
		return err
	}
	g, err := tx.CreateGroup(store.Group{Project: p.ID, Name: "some"})
	if err != nil {
		return err
	}
	answer := label.Answer{Boxes: []label.Box{{ID: "a", Category: "horse", Box: geom.Box{X1: 9, Y1: 9}}}}
	q, err := tx.AddQualityTask(store.QualityTask{QualityTask: label.QualityTask{Kind: label.Training, Expected: answer}, ProjectID: p.ID})
	if err != nil {
		return err
	}
	state, _ := label.NewTask(tx.NewTaskID(), b.Batch, "", tx.Now)
	t := store.Task{Task: state, World: remuda.Live, ProjectID: p.ID, BatchID: b.ID, Type: store.ImageAnnotation}
	t.Params = json.RawMessage(`{"geometries":{"box":{"objects_to_annotate":["horse"]}}}`)
	ids["type"] = store.ImageAnnotation
	ids["project"], ids["batch"], ids["group"], ids["quality"], ids["task"] = p.ID, b.ID, g.ID, q.ID, t.ID
	return tx.AddTasks([]store.Task{t})
}
