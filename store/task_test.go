package store

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"remuda"
	"remuda/label"
)

// workshop is a project with a batch in progress.
type workshop struct {
	project Project
	batch   Batch
}

func newWorkshop(t *testing.T, db *DB) (w workshop) {
	t.Helper()
	write(t, db, func(tx *Tx) (err error) {
		plan := label.Plan{Attempts: 2, Reviews: 1}.WithDefaults()
		if w.project, err = tx.CreateProject(Project{Name: "horses", Type: ImageAnnotation, Settings: ProjectSettings{Plan: plan}}); err != nil {
			return err
		}
		w.batch, err = tx.CreateBatch(Batch{ProjectID: w.project.ID, Batch: label.Batch{Name: "first", Kind: label.Production, Status: label.InProgress, Plan: plan}})
		w.batch.Project = w.project.Name
		return err
	})
	return w
}

// add makes a task with an image.
func (w workshop) add(tx *Tx, change func(*Task)) (Task, error) {
	state, _ := label.NewTask(tx.NewTaskID(), w.batch.Batch, manager.User, tx.Now)
	task := Task{
		Task: state, World: tx.Caller.World, ProjectID: w.project.ID, BatchID: w.batch.ID, Type: ImageAnnotation,
		Image: TaskImage{Attachment: "http://images.test/a.jpg", Blob: "ab", Format: "jpeg", Width: 640, Height: 480},
	}
	if change != nil {
		change(&task)
	}
	if err := tx.AddTasks([]Task{task}); err != nil {
		return task, err
	}
	return tx.Task(task.ID)
}

func TestTaskComesBackAsItWasWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		ada := label.Person{ID: "usr_ada", Role: remuda.Labeler, Projects: []string{"horses"}}
		write(t, db, func(tx *Tx) error {
			task, err := w.add(tx, func(n *Task) { n.UniqueID, n.Tags = "a/1", []string{"z", "a", "z"} })
			if err != nil {
				return err
			}
			held, _, err := task.Take(ada, w.batch.Batch, tx.Now)
			if err != nil {
				return err
			}
			next := task
			if next.Task, err = held.Renew(ada.ID, 1, &label.Submission{Active: time.Second}, tx.Now.Add(time.Minute)); err != nil {
				return err
			}
			if err := tx.PutTask(task, &next); err != nil {
				return err
			}
			if err := tx.PutTask(task, &next); remuda.CodeOf(err) != remuda.Conflict {
				t.Errorf("writing on a stale revision: %v", err)
			}
			got, err := tx.Task(task.ID)
			if err != nil {
				return err
			}
			if got.Batch != "first" || got.Project != "horses" || got.Lease.By != ada.ID || len(got.Drafts) != 1 || got.Image.Width != 640 || len(got.Tags) != 2 || got.Tags[0] != "z" {
				t.Errorf("read %+v", got)
			}
			own, err := tx.OwnTasks(ada.ID, 10)
			if len(own) != 1 || own[0].ID != task.ID {
				t.Errorf("own tasks: %d", len(own))
			}
			return err
		})
	})
}

func TestHeldTaskIsFoundAmongManyDrafts(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			for range 5 {
				task, err := w.add(tx, nil)
				if err != nil {
					return err
				}
				next := task
				next.Drafts = []label.Draft{{By: "usr_ada", Stage: label.Attempting, Late: true}}
				if err := tx.PutTask(task, &next); err != nil {
					return err
				}
			}
			held, err := w.add(tx, func(n *Task) {
				n.Lease = label.Lease{Number: 1, By: "usr_ada", Until: tx.Now.Add(time.Minute)}
			})
			if err != nil {
				return err
			}
			own, err := tx.OwnTasks("usr_ada", 1)
			if len(own) != 1 || own[0].ID != held.ID {
				t.Errorf("found %d", len(own))
			}
			return err
		})
	})
}

func TestNoTimeOfATaskIsBeforeItWasMade(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			task, err := w.add(tx, nil)
			if err != nil {
				return err
			}
			tx.Now = tx.Now.Add(-time.Hour) // as when another machine's clock is behind
			if err := tx.SetTaskMetadata(task.ID, nil); err != nil {
				return err
			}
			if task, err = tx.Task(task.ID); err != nil {
				return err
			}
			next := task
			next.Status, next.Completed = label.Completed, tx.Now
			if err := tx.PutTask(task, &next); err != nil {
				return err
			}
			if task.UpdatedAt.Before(task.Created) || next.UpdatedAt.Before(next.Created) || next.Completed.Before(next.Created) {
				t.Errorf("made %v, updated %v and %v, completed %v", task.Created, task.UpdatedAt, next.UpdatedAt, next.Completed)
			}
			return nil
		})
	})
}

func TestUniqueIDNamesOneTaskOfAWorld(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			first, err := w.add(tx, func(n *Task) { n.UniqueID = "one" })
			if err != nil {
				return err
			}
			if _, err := w.add(tx, func(n *Task) { n.UniqueID = "one" }); remuda.CodeOf(err) != remuda.Conflict {
				t.Errorf("a second one: %v", err)
			}
			if err := tx.SetTaskUniqueID(first.ID, ""); err != nil {
				return err
			}
			_, err = w.add(tx, func(n *Task) { n.UniqueID = "one" })
			return err
		})
	})
}

func TestQueueHasWhatAPersonMayTakeInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		ada := label.Person{ID: "usr_ada", Role: remuda.Labeler, Projects: []string{"horses"}}
		write(t, db, func(tx *Tx) error {
			var ids []string
			for _, change := range []func(*Task){
				nil,
				func(n *Task) { n.Priority = 2 },
				func(n *Task) { n.Image.Blob = "" },      // its image isn't here
				func(n *Task) { n.Flag = &label.Flag{} }, // set aside
				func(n *Task) { n.Only = "usr_bob" },     // somebody else's
				func(n *Task) { n.Skips = []label.Skip{{By: ada.ID, Round: 1}} },
				func(n *Task) { n.Lease = label.Lease{Number: 1, By: "usr_bob", Until: tx.Now.Add(time.Minute)} },
				func(n *Task) { n.Lease = label.Lease{Number: 1, By: "usr_bob", Until: tx.Now} }, // has run out
			} {
				task, err := w.add(tx, change)
				if err != nil {
					return err
				}
				ids = append(ids, task.ID)
			}
			got, err := tx.QueuedTasks(w.batch.ID, label.Attempting, ada.ID, 10)
			if err != nil {
				return err
			}
			found := make(map[string]bool)
			for _, task := range got {
				found[task.ID] = true
			}
			if len(got) != 3 || !found[ids[0]] || !found[ids[1]] || !found[ids[7]] {
				t.Errorf("%d tasks, of %v: %v", len(got), ids, found)
			}
			got, err = tx.QueuedTasks(w.batch.ID, label.Attempting, ada.ID, 1)
			if len(got) != 1 || got[0].ID != ids[1] {
				t.Errorf("the first isn't the one of the highest priority")
			}
			return err
		})
	})
}

func TestCountsFollowTheTasks(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			task, err := w.add(tx, nil)
			if err != nil {
				return err
			}
			if _, err := w.add(tx, func(n *Task) { n.Kind, n.Only = label.Training, "usr_ada" }); err != nil {
				return err
			}
			next := task
			if next.Task, _, err = task.Cancel(manager.User, "", tx.Now); err != nil {
				return err
			}
			if err := tx.PutTask(task, &next); err != nil {
				return err
			}
			counts, err := tx.BatchCounts(w.batch.ID)
			if counts != (label.Counts{Canceled: 1}) {
				t.Errorf("%+v", counts)
			}
			return err
		})
	})
}

func TestTaskListsFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			for i, change := range []func(*Task){
				func(n *Task) { n.Tags = []string{"red", "new"} },
				func(n *Task) { n.Status, n.UniqueID = label.Canceled, "x" },
				func(n *Task) { n.Status, n.Completed, n.Result = label.Completed, tx.Now, &label.Answer{} },
				func(n *Task) { n.Kind = label.Evaluation },
			} {
				if _, err := w.add(tx, change); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
			for name, c := range map[string]struct {
				filter TaskFilter
				want   int
			}{
				"all":              {TaskFilter{}, 3},
				"batch and status": {TaskFilter{BatchID: w.batch.ID, Status: label.Canceled}, 1},
				"project":          {TaskFilter{ProjectID: w.project.ID, Type: ImageAnnotation}, 3},
				"other type":       {TaskFilter{Type: "categorization"}, 0},
				"reviews":          {TaskFilter{Reviews: []TaskReview{ReviewPending, ReviewFixed}}, 1},
				"unique ids":       {TaskFilter{UniqueIDs: []string{"x", "y", ""}}, 1},
				"any tag":          {TaskFilter{Tags: []string{"red", "new", "blue"}, Status: label.Pending}, 1},
				"completed":        {TaskFilter{CompletedFrom: tx.Now}, 1},
				"updated later":    {TaskFilter{UpdatedFrom: tx.Now.Add(time.Second)}, 0},
				"created now":      {TaskFilter{From: tx.Now, To: tx.Now.Add(time.Minute), UpdatedTo: tx.Now.Add(time.Minute)}, 3},
				"created before":   {TaskFilter{To: tx.Now.Add(-time.Second)}, 0},
				"a tag of a batch": {TaskFilter{Tags: []string{"red"}, BatchID: w.batch.ID}, 1},
				"only a tag":       {TaskFilter{Tags: []string{"red"}}, 1},
			} {
				total, err := tx.CountTasks(c.filter)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				page, err := tx.TaskPage(c.filter, max(total, 1))
				if len(page) != c.want || int(total) != c.want || err != nil {
					t.Errorf("%s: %d of %d, want %d (%v)", name, len(page), total, c.want, err)
				}
			}
			return nil
		})
	})
}

func TestRestoredWorkIsQueuedAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		w := newWorkshop(t, db)
		write(t, db, func(tx *Tx) error {
			if _, err := w.add(tx, func(n *Task) { n.Image.Blob = "" }); err != nil {
				return err
			}
			task, err := w.add(tx, nil)
			if err != nil {
				return err
			}
			_, err = tx.AddCallback(WorkCallback, Callback{BatchID: w.batch.ID, Task: task.ID, URL: "http://calls.test/"})
			return err
		})
		other := open(t, filepath.Join(t.TempDir(), "other.db"))
		queue := &fakeQueue{}
		other.SetJobs(queue)
		if err := load(t, other, dump(t, db)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(queue.kinds, []string{WorkCallback, WorkTaskImage}) {
			t.Errorf("queued %v", queue.kinds)
		}
	})
}
