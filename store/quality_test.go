package store

import (
	"testing"
	"time"

	"remuda/geom"
	"remuda/label"
)

// labelProject makes a project with a batch.
func labelProject(t *testing.T, db *DB, s ProjectSettings) (p Project, b Batch) {
	t.Helper()
	write(t, db, func(tx *Tx) (err error) {
		if p, err = tx.CreateProject(Project{Name: "horses", Type: ImageAnnotation, Settings: s}); err != nil {
			return err
		}
		b, err = tx.CreateBatch(Batch{ProjectID: p.ID, Batch: label.Batch{Name: "first", Project: p.Name, Kind: label.Production, Status: label.InProgress}})
		return err
	})
	return p, b
}

func answerOf(category string) label.Answer {
	return label.Answer{Boxes: []label.Box{{ID: "b1", Category: category, Box: geom.Box{X0: 1, Y0: 2, X1: 30, Y1: 40}}}}
}

func TestACourseKnowsWhatAPersonHasHad(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p, _ := labelProject(t, db, ProjectSettings{Rate: 0.25, Seed: 7})
		initial := answerOf("cow")
		var ids []string
		write(t, db, func(tx *Tx) error {
			for _, q := range []label.QualityTask{
				{Kind: label.Training, Expected: answerOf("horse")},
				{Kind: label.Evaluation, Expected: answerOf("horse"), Initial: &initial},
				{Kind: label.Evaluation, Expected: answerOf("horse"), Retired: true},
			} {
				made, err := tx.AddQualityTask(QualityTask{QualityTask: q, ProjectID: p.ID, Type: ImageAnnotation, Image: TaskImage{Blob: "abc", Width: 64, Height: 48}})
				if err != nil {
					return err
				}
				ids = append(ids, made.ID)
			}
			q, err := tx.QualityTask(ids[0])
			if err != nil {
				return err
			}
			if q.Project != "horses" || q.Image.Width != 64 || len(q.Expected.Boxes) != 1 || q.Expected.Boxes[0].Category != "horse" {
				t.Errorf("read back: %+v", q)
			}
			for _, task := range []string{"task_1", "task_2"} {
				if err := tx.AddQualityTurn(task, "usr_a", q); err != nil {
					return err
				}
				if err := tx.CountTurn(p.ID, "usr_a"); err != nil {
					return err
				}
			}
			if err := tx.CountTurn(p.ID, "usr_b"); err != nil {
				return err
			}
			return tx.Grade("task_1", label.Graded{Scored: label.Scored{At: tx.Now, Correct: 2, Of: 3}})
		})
		write(t, db, func(tx *Tx) error {
			c, err := tx.Course(p, "usr_a")
			if err != nil {
				return err
			}
			if len(c.Quality) != 2 || c.Quality[0].Stage() != label.Attempting || c.Quality[1].Stage() != label.Reviewing {
				t.Errorf("quality tasks in use: %+v", c.Quality)
			}
			if c.Turns != 2 || c.Given[ids[0]] != 2 || c.Given[ids[1]] != 0 || c.Rate != 0.25 || c.Seed != 7 {
				t.Errorf("the course: %+v", c)
			}
			turns, err := tx.QualityTurns(p.ID, "")
			if err != nil {
				return err
			}
			if len(turns) != 2 || !turns[0].Done || turns[0].Correct != 2 || turns[0].Of != 3 || turns[1].Done {
				t.Errorf("turns: %+v", turns)
			}
			n, err := tx.QualityInUse(p.ID)
			if n != 2 {
				t.Errorf("%d in use", n)
			}
			return err
		})
	})
}

func TestAQualityTaskIsRetired(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p, _ := labelProject(t, db, ProjectSettings{})
		write(t, db, func(tx *Tx) error {
			q, err := tx.AddQualityTask(QualityTask{QualityTask: label.QualityTask{Kind: label.Training, Expected: answerOf("horse")}, ProjectID: p.ID, Image: TaskImage{Blob: "abc"}})
			if err != nil {
				return err
			}
			q.Retired, q.Concepts = true, []string{"tails"}
			if err := tx.UpdateQualityTask(q); err != nil {
				return err
			}
			found, err := tx.QualityTasks(p.ID)
			if len(found) != 1 || !found[0].Retired || len(found[0].Concepts) != 1 {
				t.Errorf("found %+v", found)
			}
			return err
		})
	})
}

func TestAPauseIsOfOneProject(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p, _ := labelProject(t, db, ProjectSettings{})
		write(t, db, func(tx *Tx) error {
			other, err := tx.CreateProject(Project{Name: "cows"})
			if err != nil {
				return err
			}
			e, err := tx.LockEnrollment(p, "usr_a")
			if err != nil {
				return err
			}
			if e != (label.Enrollment{Person: "usr_a", Project: "horses"}) {
				t.Errorf("a new enrollment: %+v", e)
			}
			if err := tx.CountTurn(other.ID, "usr_a"); err != nil {
				return err
			}
			e, _ = e.Pause("usr_boss", "look again", tx.Now)
			return tx.SetEnrollment(p, e)
		})
		write(t, db, func(tx *Tx) error {
			paused, err := tx.PausedIn("usr_a")
			if err != nil {
				return err
			}
			if len(paused) != 1 || paused[0] != "horses" {
				t.Errorf("paused in %v", paused)
			}
			all, err := tx.Enrollments("", "usr_a")
			if err != nil {
				return err
			}
			if len(all) != 2 {
				t.Fatalf("enrollments: %+v", all)
			}
			e, err := tx.LockEnrollment(p, "usr_a")
			if err != nil {
				return err
			}
			if !e.Paused || e.By != "usr_boss" || e.Why != "look again" || time.Since(e.Since).Abs() > time.Hour {
				t.Errorf("read back: %+v", e)
			}
			return nil
		})
	})
}

func TestWhatBecameOfStartingBoxesIsCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		p, b := labelProject(t, db, ProjectSettings{})
		start := answerOf("horse")
		write(t, db, func(tx *Tx) error {
			state, _ := label.NewTask(tx.NewTaskID(), b.Batch, "", tx.Now)
			result := answerOf("cow")
			state.Status, state.Result, state.Completed, state.Round = label.Completed, &result, tx.Now, 2
			task := Task{Task: state, World: manager.World, ProjectID: p.ID, BatchID: b.ID, Type: ImageAnnotation, Start: &start, Image: TaskImage{Item: "di_1"}}
			if err := tx.AddTasks([]Task{task}); err != nil {
				return err
			}
			if err := tx.SetChanges(task.ID, 1, []label.Change{{Box: "b1", Kind: label.Removed}}); err != nil {
				return err
			}
			for range 2 { // the second takes the place of the first
				if err := tx.SetChanges(task.ID, 2, label.Changes(start, result)); err != nil {
					return err
				}
			}
			items, err := tx.BatchItems(b.ID)
			if !items["di_1"] || len(items) != 1 {
				t.Errorf("items: %v", items)
			}
			return err
		})
		write(t, db, func(tx *Tx) error {
			counts, err := tx.ChangeCounts(b.ID)
			if len(counts) != 1 || counts[0] != (ChangeCount{Change: label.Changed, Category: true, Boxes: 1, IoU: 1}) {
				t.Errorf("counts: %+v", counts)
			}
			return err
		})
	})
}
