package flow

import (
	"cmp"
	"context"
	"slices"

	"remuda"
	"remuda/label"
	"remuda/store"
)

// giveQuality makes a person's instance of a quality task in the batch where
// they work, in place of a real task whose age its id seems to have, and notes
// the turn. The caller leases it to them.
func giveQuality(tx *store.Tx, quality, person, instead string, b store.Batch) (store.Task, error) {
	q, err := tx.QualityTask(quality)
	if err != nil {
		return store.Task{}, err
	}
	instance, events := q.Instance(tx.NewTaskIDLike(instead), b.Batch, person, tx.Now)
	t := store.Task{
		Task: instance, World: tx.Caller.World, ProjectID: b.ProjectID, BatchID: b.ID, Project: b.Project, Type: q.Type,
		Image: q.Image, Params: q.Params, ProjectVersion: q.ProjectVersion, Instruction: q.Instruction, Taxonomy: q.Taxonomy,
	}
	t.Image.Item = "" // its answer is no label of the item
	if err := tx.AddTasks([]store.Task{t}); err != nil {
		return t, err
	}
	if err := tx.AddQualityTurn(t.ID, person, q); err != nil {
		return t, err
	}
	return t, tx.AddEvents(b.ProjectID, b.ID, events)
}

// gradeQuality grades an instance of a quality task that was just completed, and
// pauses its person or lets them go on, as the project's bar has it.
func gradeQuality(tx *store.Tx, t store.Task) error {
	q, err := tx.QualityTask(t.Quality)
	if err != nil {
		return err
	}
	project, err := tx.Project(q.ProjectID)
	if err != nil {
		return err
	}
	graded, err := q.Grade(t.Task, optionsOf(project))
	if err != nil {
		return err
	}
	e, err := tx.LockEnrollment(project, t.Only)
	if err != nil {
		return err
	}
	if err := tx.Grade(t.ID, graded); err != nil {
		return err
	}
	turns, err := tx.QualityTurns(project.ID, t.Only)
	if err != nil {
		return err
	}
	next, events := e.Judge(gradedOf(turns), project.Settings.Bar, tx.Now)
	if len(events) == 0 {
		return nil
	}
	if err := tx.SetEnrollment(project, next); err != nil {
		return err
	}
	return tx.AddEvents(project.ID, "", events)
}

func gradedOf(turns []store.QualityTurn) (graded []label.Graded) {
	for _, t := range turns {
		if t.Done {
			graded = append(graded, t.Graded)
		}
	}
	slices.SortStableFunc(graded, func(a, b label.Graded) int { return a.At.Compare(b.At) })
	return graded
}

// scoredOf returns how someone did on the tasks of a kind, oldest first.
func scoredOf(graded []label.Graded, kind label.Kind) (scored []label.Scored) {
	for _, g := range graded {
		if g.Kind == kind {
			scored = append(scored, g.Scored)
		}
	}
	return scored
}

// optionsOf are the thresholds by which a project's people are measured.
func optionsOf(p store.Project) label.Options {
	return label.Options{Bar: p.Settings.Score}.WithDefaults()
}

// QualityPurpose is what a quality task is made for.
type QualityPurpose struct {
	Kind       label.Kind // Training or Evaluation
	Review     bool       // for reviewers: they judge the attempt that the task's result was made from
	Concepts   []string   // what it tests, in a manager's words
	Difficulty string
}

// QualityFromTask makes a quality task of an audited task; managers only.
func (f *Flow) QualityFromTask(ctx context.Context, caller remuda.Caller, task string, p QualityPurpose) (made store.QualityTask, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return made, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		t, err := tx.Task(task)
		if err != nil {
			return err
		}
		b, err := tx.Batch(t.BatchID)
		if err != nil {
			return err
		}
		var initial *label.Answer
		if attempts := t.Attempts(); p.Review && len(attempts) > 0 {
			initial = attempts[0].Answer
		}
		q, err := label.QualityFrom(t.Task, b.Batch, "", p.Kind, initial)
		if err != nil {
			return err
		}
		q.Concepts, q.Difficulty, q.Taxonomy = p.Concepts, p.Difficulty, cmp.Or(q.Taxonomy, t.Taxonomy)
		made, err = tx.AddQualityTask(store.QualityTask{
			QualityTask: q, ProjectID: t.ProjectID, Type: t.Type, Image: t.Image, Params: t.Params, ProjectVersion: t.ProjectVersion, Instruction: t.Instruction,
		})
		return err
	})
	return made, err
}

// QualityChange changes a quality task; nil fields stay.
type QualityChange struct {
	Retired    *bool // no longer given to anyone
	Concepts   *[]string
	Difficulty *string
}

// ChangeQuality changes what is said of a quality task, retires it or brings it
// back; managers only.
func (f *Flow) ChangeQuality(ctx context.Context, caller remuda.Caller, id string, c QualityChange) (q store.QualityTask, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return q, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) (err error) {
		if q, err = tx.QualityTask(id); err != nil {
			return err
		}
		if c.Retired != nil {
			q.Retired = *c.Retired
		}
		if c.Concepts != nil {
			q.Concepts = *c.Concepts
		}
		if c.Difficulty != nil {
			q.Difficulty = *c.Difficulty
		}
		return tx.UpdateQualityTask(q)
	})
	return q, err
}

// QualityUse is a quality task and how people did on it.
type QualityUse struct {
	store.QualityTask
	Given    int
	Done     int
	Accuracy label.Rate // of its boxes, over all who did it
	Outdated []string   // why its answer no longer does under the project's taxonomy
}

// QualityTasks returns a project's quality tasks, retired ones too, and how
// people did on them; managers only.
func (f *Flow) QualityTasks(ctx context.Context, caller remuda.Caller, ref string) (found []QualityUse, err error) {
	err = f.readProject(ctx, caller, remuda.Manager, ref, func(tx *store.Tx, p store.Project) error {
		found = nil
		versions, newest, err := taxonomies(tx, p.ID)
		if err != nil {
			return err
		}
		tasks, err := tx.QualityTasks(p.ID)
		if err != nil {
			return err
		}
		turns, err := tx.QualityTurns(p.ID, "")
		if err != nil {
			return err
		}
		for _, q := range tasks {
			use := QualityUse{QualityTask: q}
			var scored []label.Scored
			for _, t := range turns {
				if t.Quality == q.ID {
					use.Given++
				}
				if t.Quality == q.ID && t.Done {
					scored = append(scored, t.Scored)
				}
			}
			use.Done, use.Accuracy = len(scored), accuracyOf(scored)
			if old, known := versions[q.Taxonomy]; known && old.Version < newest.Version {
				use.Outdated = label.Outdated(q.Expected, old, newest)
			}
			found = append(found, use)
		}
		return nil
	})
	return found, err
}

// accuracyOf is the accuracy over all that was scored.
func accuracyOf(scored []label.Scored) label.Rate {
	track := label.Accuracy(scored, 0)
	if len(track) == 0 {
		return label.NewRate(nil)
	}
	return track[len(track)-1].Accuracy
}

// Standing is how a person does in a project.
type Standing struct {
	label.Enrollment
	Login       string
	Evaluations []label.Standing // accuracy after every evaluation task, oldest first
	Accuracy    label.Rate       // on all evaluation tasks
	Trained     int              // training tasks done
	Training    label.Rate       // accuracy on them
}

// Standings returns how a project's people do, by login; managers only.
func (f *Flow) Standings(ctx context.Context, caller remuda.Caller, ref string) (found []Standing, err error) {
	err = f.readProject(ctx, caller, remuda.Manager, ref, func(tx *store.Tx, p store.Project) error {
		found, err = standings(tx, p, "")
		return err
	})
	return found, err
}

// standings returns how people do in a project, or one of them unless person is "".
func standings(tx *store.Tx, p store.Project, person string) (found []Standing, err error) {
	name, err := names(tx)
	if err != nil {
		return nil, err
	}
	people := make(map[string]label.Enrollment)
	assigned, err := tx.Assignments(p.ID, person)
	if err != nil {
		return nil, err
	}
	for _, a := range assigned {
		people[a.User] = label.Enrollment{Person: a.User, Project: p.Name}
	}
	enrolled, err := tx.Enrollments(p.ID, person)
	if err != nil {
		return nil, err
	}
	for _, e := range enrolled {
		people[e.Person] = e
	}
	turns, err := tx.QualityTurns(p.ID, person)
	if err != nil {
		return nil, err
	}
	byPerson := make(map[string][]store.QualityTurn)
	for _, t := range turns {
		byPerson[t.Person] = append(byPerson[t.Person], t)
	}
	for id, e := range people {
		graded := gradedOf(byPerson[id])
		evaluations, training := scoredOf(graded, label.Evaluation), scoredOf(graded, label.Training)
		found = append(found, Standing{
			Enrollment: e, Login: name(id), Evaluations: label.Accuracy(evaluations, 0), Accuracy: accuracyOf(evaluations),
			Trained: len(training), Training: accuracyOf(training),
		})
	}
	slices.SortFunc(found, func(a, b Standing) int { return cmp.Compare(a.Login, b.Login) })
	return found, nil
}

// names returns what people are called in reports: by login, or by the name of
// the API key that they are.
func names(tx *store.Tx) (func(id string) string, error) {
	users, err := tx.Users()
	if err != nil {
		return nil, err
	}
	keys, err := tx.Keys("")
	if err != nil {
		return nil, err
	}
	known := make(map[string]string, len(users)+len(keys))
	for _, u := range users {
		known[u.ID] = u.Login
	}
	for _, k := range keys {
		known[k.ID] = "key " + k.Name
	}
	return func(id string) string { return cmp.Or(known[id], id) }, nil
}

// Names returns what people are called, by their ids or those of their API
// keys; reviewers.
func (f *Flow) Names(ctx context.Context, caller remuda.Caller) (name func(id string) string, err error) {
	if err := caller.Need(remuda.Reviewer); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		name, err = names(tx)
		return err
	})
	return name, err
}

// Notices returns where the caller is paused, and why, for them to read.
func (f *Flow) Notices(ctx context.Context, caller remuda.Caller) (paused []label.Enrollment, err error) {
	if err := caller.Need(remuda.Labeler); err != nil {
		return nil, err
	}
	err = f.DB.Read(ctx, caller, func(tx *store.Tx) error {
		all, err := tx.Enrollments("", caller.Author())
		paused = slices.DeleteFunc(all, func(e label.Enrollment) bool { return !e.Paused })
		return err
	})
	return paused, err
}

// PausePerson keeps a person from real tasks of a project, with a notice that
// they read; managers only. What they hold they may hand in.
func (f *Flow) PausePerson(ctx context.Context, caller remuda.Caller, ref, user, why string) (label.Enrollment, error) {
	return f.enroll(ctx, caller, ref, user, func(e label.Enrollment, tx *store.Tx) (label.Enrollment, []label.Event) {
		return e.Pause(caller.Author(), why, tx.Now)
	})
}

// ResumePerson lets a paused person go on; their accuracy is measured anew; managers only.
func (f *Flow) ResumePerson(ctx context.Context, caller remuda.Caller, ref, user, why string) (label.Enrollment, error) {
	return f.enroll(ctx, caller, ref, user, func(e label.Enrollment, tx *store.Tx) (label.Enrollment, []label.Event) {
		return e.Resume(caller.Author(), why, tx.Now)
	})
}

func (f *Flow) enroll(ctx context.Context, caller remuda.Caller, ref, user string, change func(label.Enrollment, *store.Tx) (label.Enrollment, []label.Event)) (e label.Enrollment, err error) {
	if err := caller.Need(remuda.Manager); err != nil {
		return e, err
	}
	err = f.DB.Write(ctx, caller, func(tx *store.Tx) error {
		p, err := findProject(tx, ref)
		if err != nil {
			return err
		}
		if _, err := tx.User(user); err != nil {
			return err
		}
		if e, err = tx.LockEnrollment(p, user); err != nil {
			return err
		}
		next, events := change(e, tx)
		if len(events) == 0 {
			return nil
		}
		e = next
		if err := tx.SetEnrollment(p, e); err != nil {
			return err
		}
		return tx.AddEvents(p.ID, "", events)
	})
	return e, err
}
