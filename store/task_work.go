package store

import (
	"time"

	"remuda"
)

// The kinds of work in the queue whose progress stands in the row they serve.
const (
	WorkCallback     = "callback"     // to send one
	WorkTaskImage    = "taskImage"    // to get the image of a task
	WorkQualityImage = "qualityImage" // and of a quality task
)

// TaskRef is what the queue carries of a task.
type TaskRef struct {
	Task string `json:"task"`
}

// QualityRef is what the queue carries of a quality task.
type QualityRef struct {
	World   remuda.World `json:"world"`
	Quality string       `json:"quality"`
}

// requeueWork puts the work of restored rows into the queue: callbacks that
// wait, and images that are not here.
func (tx *Tx) requeueWork() error {
	waiting, err := all(tx, scanCallback, "SELECT "+callbackColumns+" FROM callback WHERE status = 'waiting' ORDER BY id")
	if err != nil {
		return err
	}
	for _, c := range waiting {
		if err := tx.Enqueue(WorkCallback, CallbackRef{c.ID, c.Attempts + 1}, c.NextAt); err != nil {
			return err
		}
	}
	tasks, err := all(tx, scalar[string], "SELECT id FROM task WHERE status = 'pending' AND blob = '' ORDER BY id")
	if err != nil {
		return err
	}
	for _, id := range tasks {
		if err := tx.Enqueue(WorkTaskImage, TaskRef{id}, time.Time{}); err != nil {
			return err
		}
	}
	scan := func(row rowScanner) (r QualityRef, err error) { return r, row.Scan(&r.World, &r.Quality) }
	quality, err := all(tx, scan, "SELECT world, id FROM quality_task WHERE blob = '' AND NOT retired AND world = 'live' ORDER BY id")
	if err != nil {
		return err
	}
	for _, ref := range quality {
		if err := tx.Enqueue(WorkQualityImage, ref, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}
