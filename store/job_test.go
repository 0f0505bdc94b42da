package store

import (
	"fmt"
	"slices"
	"testing"
)

func TestJobsKeepTheirFirstErrorsAndTheirEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var job Job
		write(t, db, func(tx *Tx) (err error) {
			job, err = tx.NewJob("kind", "", map[string]int{"n": 1}, 3)
			return err
		})
		many := make([]string, maxJobErrors)
		for i := range many {
			many[i] = fmt.Sprint("row ", i)
		}
		write(t, db, func(tx *Tx) error { return tx.AddJobErrors(job.ID, []string{"first", "bad \xff\x00byte"}) })
		write(t, db, func(tx *Tx) error { return tx.AddJobErrors(job.ID, many) })
		write(t, db, func(tx *Tx) error { return tx.AddJobErrors(job.ID, []string{"too many"}) })
		write(t, db, func(tx *Tx) error {
			messages, err := tx.JobErrors(job.ID)
			if len(messages) != maxJobErrors || !slices.Equal(messages[:3], []string{"first", "bad �byte", "row 0"}) {
				t.Errorf("%d errors, first %q", len(messages), messages[:3])
			}
			return err
		})
		for _, status := range []JobStatus{JobRunning, JobCancelled, JobRunning} {
			job.Status = status
			write(t, db, func(tx *Tx) error { return tx.UpdateJob(job) })
		}
		write(t, db, func(tx *Tx) error {
			got, err := tx.Job(job.ID)
			if got.Status != JobCancelled || string(got.Args) != `{"n":1}` {
				t.Errorf("the job is %+v", got)
			}
			listed, listErr := tx.Jobs(JobFilter{Types: []string{job.Type}, Limit: 5})
			if listErr != nil || len(listed) != 1 || listed[0].ID != job.ID || listed[0].Status != JobCancelled || string(listed[0].Args) != "null" {
				t.Errorf("listed as %+v, %v", listed, listErr)
			}
			return err
		})
	})
}
