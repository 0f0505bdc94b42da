package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"remuda"
	"remuda/internal/postgrestest"
	"remuda/label"
)

// BenchmarkTaskLists measures a page of 100 with its exact total, of a million
// tasks (REMUDA_BENCH_TASKS for another number) in 20 projects and 200 batches.
func BenchmarkTaskLists(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchTaskLists(b, filepath.Join(b.TempDir(), "remuda.db")) })
	b.Run("postgres", func(b *testing.B) { benchTaskLists(b, postgrestest.New(b)) })
}

func benchTaskLists(b *testing.B, location string) {
	count := 1_000_000
	if text := os.Getenv("REMUDA_BENCH_TASKS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		count = n
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	db, err := Open(b.Context(), location, Options{Now: func() time.Time { now = now.Add(time.Millisecond); return now }})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetJobs(&fakeQueue{})
	begun := now
	batches := fillTasks(b, db, count)
	tidy := "ANALYZE"
	if db.dialect == Postgres {
		tidy = "VACUUM ANALYZE" // as its daemon does
	}
	if _, err := db.write.ExecContext(b.Context(), tidy); err != nil {
		b.Fatal(err)
	}
	middle := begun.Add(now.Sub(begun) / 2)
	for _, c := range []struct {
		name   string
		filter TaskFilter
	}{
		{"all", TaskFilter{}},
		{"status", TaskFilter{Status: label.Pending}},
		{"rare status", TaskFilter{Status: label.Failed}},
		{"type", TaskFilter{Type: ImageAnnotation}},
		{"project", TaskFilter{ProjectID: batches[0].ProjectID}},
		{"batch", TaskFilter{BatchID: batches[0].ID}},
		{"project and status", TaskFilter{ProjectID: batches[0].ProjectID, Status: label.Completed}},
		{"batch and rare status", TaskFilter{BatchID: batches[7].ID, Status: label.Failed}},
		{"review", TaskFilter{Reviews: []TaskReview{ReviewPending}}},
		{"two reviews", TaskFilter{Reviews: []TaskReview{ReviewAccepted, ReviewFixed}}},
		{"created after", TaskFilter{From: middle}},
		{"created before", TaskFilter{To: middle}},
		{"updated after", TaskFilter{UpdatedFrom: middle}},
		{"updated before", TaskFilter{UpdatedTo: middle}},
		{"completed after", TaskFilter{CompletedFrom: middle}},
		{"unique ids", TaskFilter{UniqueIDs: []string{"u5", "u6", "none"}}},
		{"tag", TaskFilter{Tags: []string{"tenth"}}},
		{"rare tag", TaskFilter{Tags: []string{"rare"}}},
		{"status and created", TaskFilter{Status: label.Pending, From: middle}},
		{"status, review and updated", TaskFilter{Status: label.Completed, Reviews: []TaskReview{ReviewPending}, UpdatedFrom: begun, UpdatedTo: middle}},
		{"project, tag and completed", TaskFilter{ProjectID: batches[0].ProjectID, Tags: []string{"tenth"}, CompletedTo: middle}},
		{"type, status, three times", TaskFilter{Type: ImageAnnotation, Status: label.Completed, From: begun, UpdatedFrom: middle, CompletedTo: now}},
		{"rare status and updated", TaskFilter{Status: label.Failed, UpdatedTo: middle}},
		{"two tags and status", TaskFilter{Tags: []string{"tenth", "rare"}, Status: label.Pending}},
		{"later page", TaskFilter{Status: label.Pending, Before: "task_zzzz"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.filter.Limit = 101
			for b.Loop() {
				err := db.Read(b.Context(), manager, func(tx *Tx) error {
					total, err := tx.CountTasks(c.filter)
					if err != nil {
						return err
					}
					page, err := tx.TaskPage(c.filter, total)
					b.ReportMetric(float64(total), "tasks")
					b.ReportMetric(float64(len(page)), "rows")
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fillTasks makes tasks: of ten, six are pending, three completed, one canceled;
// of a thousand, one has failed.
func fillTasks(b *testing.B, db *DB, count int) (batches []Batch) {
	b.Helper()
	err := db.Write(b.Context(), manager, func(tx *Tx) error {
		for p := range 20 {
			project, err := tx.CreateProject(Project{Name: fmt.Sprintf("project %d", p)})
			if err != nil {
				return err
			}
			for n := range 10 {
				made, err := tx.CreateBatch(Batch{ProjectID: project.ID, Batch: label.Batch{Name: fmt.Sprintf("batch %d %d", p, n), Project: project.Name, Kind: label.Production, Status: label.InProgress}})
				if err != nil {
					return err
				}
				made.Project = project.Name
				batches = append(batches, made)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	const chunk = 2000
	for at := 0; at < count; at += chunk {
		err := db.Write(b.Context(), manager, func(tx *Tx) error {
			tasks := make([]Task, min(chunk, count-at))
			for i := range tasks {
				tasks[i] = benchTask(tx, batches[(at+i)/50%len(batches)], at+i)
			}
			return tx.AddTasks(tasks)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return batches
}

func benchTask(tx *Tx, batch Batch, n int) Task {
	state, _ := label.NewTask(tx.NewTaskID(), batch.Batch, manager.User, tx.Now)
	switch {
	case n%1000 == 7:
		state.Status, state.Failure = label.Failed, "gone"
	case n%10 < 3:
		state.Status, state.Completed, state.Result = label.Completed, tx.Now, &label.Answer{}
		if n%100 == 1 {
			state.Work = []label.Work{{Stage: label.Auditing, By: "usr_x", Round: 1, Submission: label.Submission{Lease: 1, Verdict: label.Accepted}}}
		}
	case n%10 == 3:
		state.Status = label.Canceled
	}
	t := Task{
		Task: state, World: remuda.Live, ProjectID: batch.ProjectID, BatchID: batch.ID, Type: ImageAnnotation, UniqueID: fmt.Sprintf("u%d", n),
		Image: TaskImage{Attachment: "http://images.test/a.jpg", Blob: "ab", Format: "jpeg", Width: 640, Height: 480},
	}
	if n%10 == 4 {
		t.Tags = []string{"tenth"}
	}
	if n%10_000 == 4 {
		t.Tags = append(t.Tags, "rare")
	}
	return t
}
