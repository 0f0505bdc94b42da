package flow_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/label"
	"remuda/store"
)

// worker is a person of a simulation.
type worker struct {
	remuda.Caller
	miss  float64 // share of boxes that they overlook
	bias  float64 // pixels by which their left edges lie too far out
	pace  time.Duration
	gone  bool       // takes a task and is never seen again
	held  *flow.Work // what they are busy with
	until time.Time
	did   int
}

// stable is a project with people who draw on images whose boxes are known.
type stable struct {
	*flow.Flow
	t       *testing.T
	clock   time.Time
	rand    *rand.Rand
	manager remuda.Caller
	people  []*worker
	project string
	truth   map[string][]label.Box // by item
	byBlob  map[string]string      // items

	attempts map[string][]label.Answer // that were handed in, by task
	seconds  float64                   // that the page saw
	audits   map[string]label.Answer   // what a manager found right, by task
}

// newStable has so many people, of whom the last two review.
func newStable(t *testing.T, seed uint64, people int, s store.ProjectSettings) *stable {
	t.Helper()
	w := &stable{
		t: t, clock: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), rand: rand.New(rand.NewPCG(seed, 1)),
		truth: make(map[string][]label.Box), byBlob: make(map[string]string), attempts: make(map[string][]label.Answer), audits: make(map[string]label.Answer),
	}
	w.Flow, w.manager = flowtest.OpenAt(t, filepath.Join(t.TempDir(), "remuda.db"), func() time.Time { return w.clock })
	x := label.Taxonomy{Categories: []label.Category{{Name: "cow"}, {Name: "horse"}}}
	params, err := flow.GuideParams("tight boxes", &x)
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.CreateProject(t.Context(), w.manager, flow.NewProject{Name: "animals", Params: params, Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	w.project = made.ID
	var logins []string
	err = w.DB.Write(t.Context(), w.manager, func(tx *store.Tx) error {
		for i := range people {
			role := remuda.Labeler
			if i >= people-2 {
				role = remuda.Reviewer
			}
			u, err := tx.CreateUser(store.User{Login: fmt.Sprintf("person%02d", i), Role: role})
			if err != nil {
				return err
			}
			logins = append(logins, u.Login)
			w.people = append(w.people, &worker{
				Caller: remuda.Caller{User: u.ID, Name: u.Login, Role: role, World: remuda.Live},
				miss:   0.05 * float64(i%4), bias: float64(i % 3), pace: time.Duration(40+10*i) * time.Second,
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Assign(t.Context(), w.manager, logins, []string{"animals"}, false); err != nil {
		t.Fatal(err)
	}
	return w
}

// images makes a dataset with a slice of n images, and returns the slice.
func (w *stable) images(n int) (slice string) {
	w.t.Helper()
	items := make([]store.Item, n)
	for i := range items {
		items[i] = store.Item{ReferenceID: fmt.Sprintf("%03d.jpg", i), Blob: fmt.Sprintf("%064x", len(w.byBlob)+i+1), Format: "jpeg", Width: 640, Height: 480}
	}
	dataset, ids := labeled(w.t, w.Flow, w.manager, items...)
	for i, id := range ids {
		w.byBlob[items[i].Blob] = id
		for range 1 + w.rand.IntN(3) {
			x, y := 20+w.rand.Float64()*400, 20+w.rand.Float64()*300
			category := []string{"cow", "horse"}[w.rand.IntN(2)]
			w.truth[id] = append(w.truth[id], label.Box{ID: fmt.Sprint("t", len(w.truth[id])), Category: category, Box: geom.Box{X0: x, Y0: y, X1: x + 60 + w.rand.Float64()*120, Y1: y + 60 + w.rand.Float64()*90}})
		}
	}
	s, err := w.CreateSlice(w.t.Context(), w.manager, dataset, flow.NewSlice{Name: "all", Choice: flow.SliceChoice{All: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

// batch makes a batch of a slice, which people may begin at once.
func (w *stable) batch(n flow.SliceBatch) flow.SlicedBatch {
	w.t.Helper()
	n.Project, n.Finalize = "animals", true
	made, err := w.BatchFromSlice(w.t.Context(), w.manager, n)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// sees is what a person draws on an item.
func (w *stable) sees(p *worker, item string) label.Answer {
	answer := label.Answer{Boxes: []label.Box{}}
	for i, b := range w.truth[item] {
		if w.rand.Float64() < p.miss {
			continue
		}
		b.ID = fmt.Sprintf("%s-%d", p.Name, i)
		b.Box.X0 -= p.bias + w.rand.NormFloat64()
		b.Box.X1 += w.rand.NormFloat64()
		answer.Boxes = append(answer.Boxes, b)
	}
	return answer
}

// step has a person go on with what they do; false if there is nothing for them.
func (w *stable) step(p *worker) bool {
	w.t.Helper()
	if p.held == nil {
		next, found, err := w.NextTask(w.t.Context(), p.Caller, "")
		if err != nil {
			w.t.Fatal(err)
		}
		if !found {
			return false
		}
		p.held, p.until = &next, w.clock.Add(p.pace)
		return true
	}
	if p.gone || w.clock.Before(p.until) {
		return true
	}
	w.handIn(p)
	p.held = nil
	p.did++
	return true
}

func (w *stable) handIn(p *worker) {
	w.t.Helper()
	t := p.held.Task
	s := label.Submission{Lease: t.Lease.Number, Verdict: label.Accepted}
	seen := w.sees(p, w.item(t))
	if t.Lease.Stage == label.Attempting {
		s.Verdict, s.Answer = "", &seen
	} else if len(p.held.Begin.Boxes) < len(seen.Boxes) { // somebody overlooked what this reviewer sees
		s.Verdict, s.Answer = label.Fixed, &seen
	}
	if s.Answer != nil && len(s.Answer.Boxes) == 0 {
		s.Overrides = []label.Override{{Code: label.EmptyAnswer, Reason: "I see none"}}
	}
	active := p.pace.Seconds() - 7
	_, err := w.SubmitTask(w.t.Context(), p.Caller, t.ID, s, []label.Span{{Page: "p", From: 0, To: active}})
	if refusal, ok := errors.AsType[*label.Refusal](err); ok {
		for _, f := range refusal.Findings {
			s.Overrides = append(s.Overrides, label.Override{Code: f.Code, Box: f.Box, Reason: "it is so"})
		}
		_, err = w.SubmitTask(w.t.Context(), p.Caller, t.ID, s, []label.Span{{Page: "p", From: 0, To: active}})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.seconds += active
	if t.Lease.Stage == label.Attempting && t.Kind == label.Real {
		w.attempts[t.ID] = append(w.attempts[t.ID], seen)
	}
}

// item is whose boxes a task asks for: quality tasks are told by their image.
func (w *stable) item(t store.Task) string { return w.byBlob[t.Image.Blob] }

// work lets people work until a batch is completed.
func (w *stable) work(batch string) {
	w.t.Helper()
	for range 20_000 {
		b, err := w.Batch(w.t.Context(), w.manager, batch)
		if err != nil {
			w.t.Fatal(err)
		}
		if b.Status == label.BatchCompleted {
			return
		}
		w.clock = w.clock.Add(10 * time.Second)
		for _, i := range w.rand.Perm(len(w.people)) {
			w.step(w.people[i])
		}
	}
	w.t.Fatalf("batch %s is not completed after two days", batch)
}

// audit has the manager audit all that was sampled: what is wrong is fixed, and
// the first one is rejected instead.
func (w *stable) audit(reject bool) {
	w.t.Helper()
	for {
		next, found, err := w.NextAudit(w.t.Context(), w.manager, "")
		if err != nil {
			w.t.Fatal(err)
		}
		if !found {
			return
		}
		w.clock = w.clock.Add(time.Minute)
		right := label.Answer{Boxes: w.truth[next.Task.Image.Item]}
		s := label.Submission{Lease: next.Task.Lease.Number, Verdict: label.Accepted}
		switch c := label.Compare(*next.Begin, right, 0.97); {
		case reject:
			s.Verdict, s.Reason, reject = label.Rejected, "draw it anew", false
		case len(c.Found) < len(right.Boxes) || len(next.Begin.Boxes) > len(right.Boxes):
			s.Verdict, s.Answer = label.Fixed, &right
		default:
			right = *next.Begin
		}
		if s.Verdict != label.Rejected {
			w.audits[next.Task.ID] = right
		}
		if _, err := w.SubmitTask(w.t.Context(), w.manager, next.Task.ID, s, nil); err != nil {
			w.t.Fatal(err)
		}
	}
}

// tasks returns all real tasks of a batch.
func (w *stable) tasks(batch string) []store.Task {
	w.t.Helper()
	page, err := w.Tasks(w.t.Context(), w.manager, flow.Place{Batch: batch}, store.TaskFilter{Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Tasks
}

func TestTheDatasetHasWhatPeopleAgreedOnAndAuditorsFixed(t *testing.T) {
	const images = 60
	w := newStable(t, 1, 10, store.ProjectSettings{
		Plan:   label.Plan{Attempts: 2, Reviews: 1, Redo: true},
		Prices: label.Prices{Currency: "EUR", Attempt: label.Price{PerHour: 12}, Review: label.Price{PerHour: 12}},
	})
	w.people[3].gone = true
	w.batch(flow.SliceBatch{NewBatch: flow.NewBatch{Name: "first"}, Slice: w.images(images)})
	w.work("first")
	first := w.attempts
	w.attempts = make(map[string][]label.Answer)
	if _, err := w.SampleBatch(t.Context(), w.manager, "first", 40, 7); err != nil {
		t.Fatal(err)
	}
	w.audit(true)
	w.work("first") // what was rejected is drawn anew
	for task, again := range w.attempts {
		first[task] = again
	}
	w.attempts = first
	w.audit(false)
	tasks := w.tasks("first")
	w.checkTasks(tasks, images)
	w.checkDataset(tasks)
	w.checkReports(tasks)
}

// checkTasks says that every task is done, once, by people who may.
func (w *stable) checkTasks(tasks []store.Task, images int) {
	w.t.Helper()
	if len(tasks) != images {
		w.t.Errorf("%d tasks", len(tasks))
	}
	for _, t := range tasks {
		var attempted []string
		reviews := 0
		for _, work := range t.Work {
			if work.Round != t.Round {
				continue
			}
			switch {
			case work.Stage == label.Attempting && slices.Contains(attempted, work.By):
				w.t.Errorf("%s attempted task %s twice", work.By, t.ID)
			case work.Stage == label.Attempting:
				attempted = append(attempted, work.By)
			case slices.Contains(attempted, work.By):
				w.t.Errorf("%s reviewed their own work on task %s", work.By, t.ID)
			case work.Stage == label.Reviewing:
				reviews++
			}
			if work.By == w.people[3].User {
				w.t.Error("somebody who is gone handed in")
			}
		}
		if t.Status != label.Completed || len(attempted) != 2 || reviews != 1 || len(w.attempts[t.ID]) != 2 {
			w.t.Errorf("task %s is %s with %d attempts and %d reviews", t.ID, t.Status, len(attempted), reviews)
		}
	}
}

// checkDataset says that the items have the results' boxes and no others.
func (w *stable) checkDataset(tasks []store.Task) {
	w.t.Helper()
	corners := func(b label.Box) string { return fmt.Sprint(b.Category, b.Box) }
	for _, t := range tasks {
		found, err := w.Annotations(w.t.Context(), w.manager, []string{t.Image.Item})
		if err != nil {
			w.t.Fatal(err)
		}
		var got, want []string
		for _, a := range found[t.Image.Item] {
			got = append(got, fmt.Sprint(a.Category, *a.Box))
			if a.Source != store.SourceHuman || a.CreatedBy == "" {
				w.t.Errorf("annotation of task %s is by %q from %q", t.ID, a.CreatedBy, a.Source)
			}
		}
		right, audited := w.audits[t.ID]
		if !audited {
			right = *t.Result
		}
		for _, b := range right.Boxes {
			want = append(want, corners(b))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			w.t.Errorf("the item of task %s has %v, not %v", t.ID, got, want)
		}
	}
}

// checkReports holds what the server tells against what happened.
func (w *stable) checkReports(tasks []store.Task) {
	w.t.Helper()
	ctx := w.t.Context()
	var doubled []label.Doubled
	var checked []label.Checked
	fixed := 0
	for _, t := range tasks {
		doubled = append(doubled, label.Doubled{Task: t.ID, Answers: w.attempts[t.ID]})
		if truth, ok := w.audits[t.ID]; ok {
			for i, a := range t.Attempts() {
				checked = append(checked, label.Checked{Task: t.ID, Person: w.name(a.By), Answer: w.attempts[t.ID][i], Truth: truth})
			}
		}
		if audit, ok := t.Audit(); ok && audit.Verdict == label.Fixed {
			fixed++
		}
	}
	slices.SortFunc(doubled, func(a, b label.Doubled) int { return cmp.Compare(a.Task, b.Task) })
	slices.SortStableFunc(checked, func(a, b label.Checked) int { return cmp.Compare(a.Task, b.Task) })
	agreement, err := w.Agreement(ctx, w.manager, "first")
	if want := label.NoiseCeiling(doubled, label.Options{}); err != nil || fmt.Sprint(agreement.F1.Value, agreement.Images, *agreement.F1.Interval) != fmt.Sprint(want.F1.Value, want.Images, *want.F1.Interval) {
		w.t.Errorf("agreement %+v, want %+v: %v", agreement.F1, want.F1, err)
	}
	report, err := w.Calibration(ctx, w.manager, "first")
	want := label.Calibrate(checked, label.Options{})
	if err != nil || len(report.People) != len(want.People) || report.All.Missed != want.All.Missed || report.All.Score.Value != want.All.Score.Value || report.All.Bias.Left.Value != want.All.Bias.Left.Value {
		w.t.Errorf("calibration of %d people: missed %+v, want %+v: %v", len(report.People), report.All.Missed, want.All.Missed, err)
	}
	costs, err := w.BatchCosts(ctx, w.manager, "first")
	if paid := w.seconds * 12 / 3600; err != nil || costs.Total.Images != len(tasks) || !near(costs.Total.Seconds, w.seconds) || !near(costs.Total.Cost, paid) {
		w.t.Errorf("costs %+v, want %g s and %g EUR: %v", costs.Total, w.seconds, paid, err)
	}
	doubt, err := w.AuditEstimate(ctx, w.manager, "first")
	if err != nil || doubt.Sampled != 40 || doubt.Audited != 40 || doubt.Rejected != 1 || doubt.Unseen.Tasks != 20 || fixed == 0 || fixed == 39 {
		w.t.Errorf("the estimate %+v with %d fixed: %v", doubt, fixed, err)
	}
}

func near(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 }

func (w *stable) name(id string) string {
	for _, p := range w.people {
		if p.User == id {
			return p.Name
		}
	}
	return id
}
