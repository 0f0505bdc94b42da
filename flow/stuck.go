package flow

import (
	"context"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// Stuck is a pending task that waits for a manager, and why.
type Stuck struct {
	Task string
	Why  string
}

// StuckTasks returns a batch's tasks that would wait for ever: set aside with a
// question, or such that nobody is left who may do them; managers only.
func (f *Flow) StuckTasks(ctx context.Context, caller remuda.Caller, ref string) (found []Stuck, err error) {
	err = f.readBatch(ctx, caller, ref, func(tx *store.Tx, b store.Batch, p store.Project) error {
		if found = nil; b.Status == label.Staging {
			return nil
		}
		people, err := peopleOf(tx, b, p)
		if err != nil {
			return err
		}
		return eachTaskThatIs(tx, b.ID, label.Pending, func(t store.Task) error {
			if why := (label.Candidate{Task: t.Task, Batch: b.Batch}).Stuck(people); why != "" {
				found = append(found, Stuck{t.ID, why})
			}
			return nil
		})
	})
	return found, err
}

// peopleOf returns who is expected to work on a batch: those assigned to its
// project, or the managers if it is theirs.
func peopleOf(tx *store.Tx, b store.Batch, p store.Project) ([]label.Person, error) {
	users, err := tx.Users()
	if err != nil {
		return nil, err
	}
	assigned, err := tx.Assignments(p.ID, "")
	if err != nil {
		return nil, err
	}
	var people []label.Person
	for _, u := range users {
		works := slices.ContainsFunc(assigned, func(a store.Assignment) bool { return a.User == u.ID })
		if b.Kind == label.SelfLabel {
			works = u.Role.AtLeast(remuda.Manager)
		}
		if !works || u.DisabledAt != nil {
			continue
		}
		person := label.Person{ID: u.ID, Role: u.Role, Projects: []string{p.Name}}
		if person.Groups, err = tx.GroupsOf(u.ID); err != nil {
			return nil, err
		}
		if person.Paused, err = tx.PausedIn(u.ID); err != nil {
			return nil, err
		}
		people = append(people, person)
	}
	return people, nil
}
