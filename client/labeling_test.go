package client_test

import (
	"bytes"
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"remuda"
	"remuda/client"
	"remuda/internal/flowtest"
	"remuda/wire"
)

// person adds a user and returns a client in their name.
func (s *site) person(login, role string) (user string, c *client.Client) {
	s.t.Helper()
	made := must[wire.MadeUser](s.t)(s.CreateUser(s.t.Context(), wire.NewUser{Login: login, Role: role}))
	cookie := must[*http.Cookie](s.t)(s.Login(s.t.Context(), login, made.Password))
	return made.User.ID, s.client(client.Options{Session: cookie})
}

// answer is one of boxes, each with an id of its own.
func answer(boxes ...wire.AnswerBox) *wire.Answer {
	if boxes == nil {
		boxes = []wire.AnswerBox{}
	}
	return &wire.Answer{Boxes: boxes}
}

func answerBox(id, category string, x0, y0, x1, y1 float64) wire.AnswerBox {
	return wire.AnswerBox{ID: id, Category: category, Box: wire.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
}

func taxonomy(names ...string) wire.DrawTaxonomy {
	x := wire.DrawTaxonomy{Attributes: []wire.Attribute{{ID: "truncated", Type: "category", Choices: []string{"yes", "no"}}}}
	for _, name := range names {
		x.Categories = append(x.Categories, wire.Category{Name: name})
	}
	return x
}

// labeled are the parts of a test of labeling.
type labeled struct {
	*site
	dataset, project string
	ada, bo, rex     *client.Client // two labelers and a reviewer
	adaID            string
}

func callLabeling(s *site) {
	l := &labeled{site: s, dataset: s.dataset("a.jpg", "b.jpg", "c.jpg")}
	l.callProject()
	l.callBatch()
	l.callWork()
	l.callAudits()
	l.callReports()
	l.callManaged()
}

func (l *labeled) callProject() {
	t, ctx := l.t, l.t.Context()
	x := taxonomy("horse", "cow")
	made := must[wire.Project](t)(l.CreateProject(ctx, wire.NewProject{
		Name: "horses/2", Dataset: l.dataset, Instruction: "tight boxes", Taxonomy: &x,
		Settings: &wire.ProjectSettings{Plan: wire.Plan{Attempts: 1, Reviews: 1}, Prices: wire.Prices{Currency: "EUR", Attempt: wire.Price{PerBox: 0.1}}},
	}))
	l.project = made.ID
	if made.Guide == nil || made.Guide.Taxonomy.Version != 1 || made.Settings.Plan.Reviews != 1 {
		t.Errorf("the project: %+v", made)
	}
	if got := must[wire.Project](t)(l.Project(ctx, "horses/2")); got.ID != made.ID {
		t.Errorf("by name: %+v", got)
	}
	settings := made.Settings
	settings.Bar.Accuracy = 0.5
	settings.QualityRate = 1
	if got := must[wire.Project](t)(l.ChangeProject(ctx, l.project, wire.ProjectChange{Settings: &settings})); got.Settings.Bar.Accuracy != 0.5 || got.Settings.Plan != made.Settings.Plan {
		t.Errorf("changed: %+v", got.Settings)
	}
	item := l.items(l.dataset)[0]
	examples := []wire.Example{{Image: item.ID, Boxes: []wire.AnswerBox{answerBox("e", "horse", 1, 1, 20, 20)}, Good: true, Why: "it touches the hooves"}}
	guide := must[wire.Guide](t)(l.ReviseInstruction(ctx, l.project, wire.ReviseInstruction{Base: 1, Text: "very tight boxes", Examples: examples}))
	if guide.Instruction.Version != 2 || len(guide.Instruction.Examples) != 1 || guide.Taxonomy.Version != 1 {
		t.Errorf("revised: %+v", guide)
	}
	if _, err := l.ReviseInstruction(ctx, l.project, wire.ReviseInstruction{Base: 1, Text: "loose boxes"}); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a stale instruction: %v", err)
	}
	if all := must[wire.Projects](t)(l.Projects(ctx)); len(all.Projects) != 1 {
		t.Errorf("projects: %+v", all)
	}
	var bo string
	l.adaID, l.ada = l.person("ada@example.org", "labeler")
	bo, l.bo = l.person("bo@example.org", "labeler")
	_, l.rex = l.person("rex@example.org", "reviewer")
	people := must[wire.Standings](t)(l.AssignPeople(ctx, l.project, wire.PeopleChange{Add: []string{"ada@example.org", "bo@example.org", "rex@example.org"}}))
	if len(people.People) != 3 || people.People[1].User != bo {
		t.Errorf("people: %+v", people)
	}
	must[wire.Group](t)(l.CreateGroup(ctx, l.project, wire.NewGroup{Name: "early", Members: []string{"ada@example.org"}}))
	group := must[wire.Group](t)(l.ChangeGroup(ctx, l.project, "early", wire.PeopleChange{Add: []string{"bo@example.org", "rex@example.org"}}))
	if all := must[wire.Groups](t)(l.Groups(ctx, l.project)); len(all.Groups) != 1 || len(group.Members) != 3 {
		t.Errorf("groups: %+v", all)
	}
}

func (l *labeled) callBatch() {
	t, ctx := l.t, l.t.Context()
	item := l.items(l.dataset)[0]
	must[wire.Annotations](t)(l.SaveAnnotations(ctx, item.ID, wire.SaveAnnotations{Base: item.Revision, Annotations: []wire.Drawn{
		box("horse", 2, 3, 40, 44), box("fence", 0, 0, 10, 10),
	}}))
	slice := must[wire.Slice](t)(l.CreateSlice(ctx, l.dataset, wire.NewSlice{Name: "all", Choice: wire.Choice{All: true}}))
	sliced := wire.SliceBatch{NewBatch: wire.NewBatch{Name: "first", Kind: "calibration"}, Project: "horses/2", Slice: slice.ID, GroundTruth: true}
	made := must[wire.SlicedBatch](t)(l.BatchFromSlice(ctx, sliced))
	if made.Added != 3 || made.There != 0 || made.Batch.Counts.Pending != 3 || made.Batch.Status != "staging" {
		t.Errorf("the batch: %+v", made)
	}
	if again := must[wire.SlicedBatch](t)(l.BatchFromSlice(ctx, sliced)); again.Added != 0 || again.There != 3 {
		t.Errorf("once more: %+v", again)
	}
	if next := must[wire.Next](t)(l.ada.NextTask(ctx, "")); next.Task != nil {
		t.Errorf("a task of a batch that is being put together: %+v", next.Task)
	}
	groups := []string{"early"}
	if got := must[wire.Batch](t)(l.ChangeBatch(ctx, "first", wire.BatchChange{Groups: &groups})); len(got.Groups) != 1 {
		t.Errorf("for a group: %+v", got)
	}
	must[wire.Advice](t)(l.BatchAdvice(ctx, "first"))
	must[wire.Batch](t)(l.CreateBatch(ctx, l.project, wire.NewBatch{Name: "second"}))
	if order := must[wire.Batches](t)(l.OrderBatches(ctx, []string{"second", "first"})); order.Batches[0].Name != "second" {
		t.Errorf("the order: %+v", order)
	}
	must[wire.Batches](t)(l.OrderBatches(ctx, nil))
	if order := must[wire.Batches](t)(l.BatchOrder(ctx)); order.Batches[0].Name != "first" {
		t.Errorf("the default order: %+v", order)
	}
	must[wire.Batch](t)(l.FinalizeBatch(ctx, "first"))
	must[wire.Batch](t)(l.ReopenBatch(ctx, "first", "one more"))
	if got := must[wire.Batch](t)(l.FinalizeBatch(ctx, made.Batch.ID)); got.Status != "in_progress" {
		t.Errorf("finalized: %+v", got)
	}
	if all := must[wire.Batches](t)(l.Batches(ctx, l.project, "in_progress", false)); len(all.Batches) != 1 || all.Batches[0].Name != "first" {
		t.Errorf("batches: %+v", all)
	}
	must[wire.Batch](t)(l.Batch(ctx, "first"))
}

// callWork has Ada draw on all images and Rex review them.
func (l *labeled) callWork() {
	t, ctx := l.t, l.t.Context()
	item := l.items(l.dataset)[0]
	newer := wire.ReviseInstruction{Base: 2, Text: "the tightest boxes", Examples: []wire.Example{{Image: item.ID, Boxes: []wire.AnswerBox{}, Why: "the tail is left out"}}}
	must[wire.Guide](t)(l.ReviseInstruction(ctx, l.project, newer)) // while the tasks wait
	next := must[wire.Next](t)(l.ada.NextTask(ctx, "horses/2"))
	if next.Task == nil {
		t.Fatal("no task")
	}
	held := *next.Task
	if held.Instruction.Text != "the tightest boxes" || held.Instruction.Version != 3 || len(held.Instruction.Examples) != 1 || held.Instruction.Examples[0].ImageURL == "" || held.ImageURL == "" || held.Width != 64 {
		t.Errorf("what Ada is told: %+v", held)
	}
	if held.Answer == nil || len(held.Answer.Boxes) != 1 || held.Answer.Boxes[0].Box.X1 != 40 {
		t.Errorf("what Ada begins from: %+v", held.Answer) // the horse alone: nobody asked for the fence
	}
	if _, err := l.bo.Held(ctx, held.Task); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("Bo sees Ada's task: %v", err)
	}
	if _, err := l.ada.Task(ctx, held.Task); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("Ada sees a task beyond what she needs: %v", err)
	}
	draft := &wire.Submission{Answer: answer(answerBox(held.Answer.Boxes[0].ID, "horse", 2, 3, 41, 44))}
	must[wire.Renewed](t)(l.ada.RenewLease(ctx, held.Task, wire.Renewal{Lease: held.Lease, Draft: draft}))
	if got := must[wire.Held](t)(l.ada.Held(ctx, held.Task)); !got.Draft || got.Answer.Boxes[0].Box.X1 != 41 {
		t.Errorf("with the draft: %+v", got)
	}
	l.submitAll(held)
	for range 3 {
		next := must[wire.Next](t)(l.rex.NextTask(ctx, ""))
		if next.Task == nil || next.Task.Stage != "review" {
			t.Fatalf("nothing to review: %+v", next)
		}
		must[wire.Submitted](t)(l.rex.SubmitTask(ctx, next.Task.Task, wire.Submission{Lease: next.Task.Lease, Verdict: "accepted"}))
	}
	item = l.items(l.dataset)[0]
	got := make(map[string]wire.Annotation)
	for _, a := range item.Annotations {
		got[a.Category] = a
	}
	if len(item.Annotations) != 2 || got["horse"].CreatedBy != l.adaID || got["horse"].Box.X1 != 41 || got["horse"].Revision != 2 || got["fence"].Revision != 1 {
		t.Errorf("the dataset: %+v", item.Annotations)
	}
	if changes := must[wire.StartChanges](t)(l.StartChanges(ctx, "first")); len(changes.Changes) != 2 {
		t.Errorf("changes: %+v", changes)
	}
}

// submitAll hands in Ada's first task, after the checks have had their say, and
// then all others.
func (l *labeled) submitAll(held wire.Held) {
	t, ctx := l.t, l.t.Context()
	first := wire.Submission{Lease: held.Lease, Answer: answer(answerBox(held.Answer.Boxes[0].ID, "zebra", 2, 3, 41, 44))}
	if got := must[wire.Submitted](t)(l.ada.SubmitTask(ctx, held.Task, first)); got.Accepted || len(got.Findings) != 1 || got.Findings[0].Code != "unknown_category" {
		t.Errorf("a zebra: %+v", got)
	}
	first.Answer = answer()
	if got := must[wire.Submitted](t)(l.ada.SubmitTask(ctx, held.Task, first)); got.Accepted || got.Findings[0].Level != "warning" {
		t.Errorf("an empty answer: %+v", got)
	}
	sure := 0.9
	first.Answer, first.Confidence, first.Feedback = answer(answerBox(held.Answer.Boxes[0].ID, "horse", 2, 3, 41, 44)), &sure, "what about foals?"
	for range 2 {
		if got := must[wire.Submitted](t)(l.ada.SubmitTask(ctx, held.Task, first)); !got.Accepted {
			t.Errorf("handed in: %+v", got)
		}
	}
	skipped := must[wire.Next](t)(l.bo.NextTask(ctx, "")).Task
	if err := l.bo.SkipTask(ctx, skipped.Task, wire.GiveBack{Lease: skipped.Lease, Reason: "too dark"}); err != nil {
		t.Fatal(err)
	}
	returned := must[wire.Next](t)(l.bo.NextTask(ctx, "")).Task
	if err := l.bo.ReturnTask(ctx, returned.Task, wire.GiveBack{Lease: returned.Lease}); err != nil {
		t.Fatal(err)
	}
	flagged := must[wire.Next](t)(l.bo.NextTask(ctx, "")).Task
	if err := l.bo.FlagTask(ctx, flagged.Task, wire.GiveBack{Lease: flagged.Lease, Reason: "is a foal a horse?"}); err != nil {
		t.Fatal(err)
	}
	if stuck := must[wire.StuckTasks](t)(l.StuckTasks(ctx, "first")); len(stuck.Tasks) != 1 || stuck.Tasks[0].Task != flagged.Task || !strings.Contains(stuck.Tasks[0].Why, "is a foal a horse?") {
		t.Errorf("stuck: %+v", stuck)
	}
	if got := must[wire.Task](t)(l.ResolveTask(ctx, flagged.Task, "yes")); got.Note != "yes" || got.Flag != "" {
		t.Errorf("resolved: %+v", got)
	}
	for range 2 {
		next := must[wire.Next](t)(l.ada.NextTask(ctx, "")).Task
		must[wire.Submitted](t)(l.ada.SubmitTask(ctx, next.Task, wire.Submission{Lease: next.Lease, Answer: answer(answerBox("b", "cow", 10, 10, 30, 30))}))
	}
}

func (l *labeled) callAudits() {
	t, ctx := l.t, l.t.Context()
	chosen := must[wire.SampledAudits](t)(l.SampleAudits(ctx, "first", wire.SampleAudits{Size: 2, Seed: 1}))
	if len(chosen.Tasks) != 2 {
		t.Fatalf("sampled: %+v", chosen)
	}
	next := must[wire.Next](t)(l.NextAudit(ctx, "first"))
	if next.Task == nil || next.Task.Stage != "audit" || next.Task.Answer == nil {
		t.Fatalf("nothing to audit: %+v", next)
	}
	_, mo := l.person("mo", "manager")
	other := must[wire.Next](t)(mo.NextAudit(ctx, "")).Task
	if other == nil || other.Task == next.Task.Task {
		t.Fatalf("another auditor gets %+v", other)
	}
	if err := mo.ReturnTask(ctx, other.Task, wire.GiveBack{Lease: other.Lease}); err != nil {
		t.Fatal(err)
	}
	must[wire.Submitted](t)(l.SubmitTask(ctx, next.Task.Task, wire.Submission{Lease: next.Task.Lease, Verdict: "fixed", Answer: answer(answerBox("f", "cow", 10, 10, 34, 30))}))
	if got := must[wire.Task](t)(l.Task(ctx, next.Task.Task)); got.Review != "fixed" || len(got.Work) != 3 || got.Result.Boxes[0].ID != "f" {
		t.Errorf("fixed: %+v", got)
	}
	if e := must[wire.AuditEstimate](t)(l.AuditEstimate(ctx, "first")); e.Sampled != 2 || e.Audited != 1 || e.Fixed != 1 || e.Unseen == nil || e.Unseen.Tasks != 2 {
		t.Errorf("the estimate: %+v", e)
	}
	q := must[wire.QualityTask](t)(l.MakeQuality(ctx, next.Task.Task, wire.MakeQuality{Kind: "evaluation", Concepts: []string{"tails"}}))
	if q.Expected.Boxes[0].Category != "cow" || q.ImageURL == "" {
		t.Errorf("the quality task: %+v", q)
	}
	retired := true
	must[wire.QualityTask](t)(l.ChangeQuality(ctx, q.ID, wire.QualityChange{Retired: &retired}))
	if all := must[wire.QualityTasks](t)(l.QualityTasks(ctx, l.project)); len(all.Quality) != 1 || !all.Quality[0].Retired || all.Quality[0].Concepts[0] != "tails" {
		t.Errorf("quality tasks: %+v", all)
	}
}

func (l *labeled) callReports() {
	t, ctx := l.t, l.t.Context()
	c := must[wire.Calibration](t)(l.Calibration(ctx, "first"))
	if c.All.Images != 1 || len(c.People) != 1 || c.People[0].Person != "ada@example.org" {
		t.Errorf("calibration: %+v", c)
	}
	must[wire.Ceiling](t)(l.Agreement(ctx, "first"))
	costs := must[wire.Costs](t)(l.BatchCosts(ctx, "first"))
	if costs.Currency != "EUR" || costs.Total.Images != 3 || costs.Total.Drawn != 4 || costs.Total.Cost < 0.299 {
		t.Errorf("costs: %+v", costs.Total)
	}
	if all := must[wire.Costs](t)(l.ProjectCosts(ctx, l.project)); all.Total != costs.Total {
		t.Errorf("costs of the project: %+v", all.Total)
	}
	for _, table := range []func(*bytes.Buffer) error{
		func(w *bytes.Buffer) error { return l.BatchCostsCSV(ctx, "first", w) },
		func(w *bytes.Buffer) error { return l.ProjectCostsCSV(ctx, l.project, w) },
	} {
		var file bytes.Buffer
		if err := table(&file); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&file).ReadAll()
		if err != nil || len(rows) < 6 || rows[0][0] != "scope" {
			t.Errorf("the table has %d rows: %v", len(rows), err)
		}
	}
	must[wire.Standing](t)(l.PausePerson(ctx, l.project, l.adaID, "look at the examples again"))
	if next := must[wire.Next](t)(l.ada.NextTask(ctx, "")); len(next.Notices) != 1 || next.Notices[0].Why != "look at the examples again" {
		t.Errorf("Ada's notices: %+v", next)
	}
	if people := must[wire.Standings](t)(l.People(ctx, l.project)); !people.People[0].Paused {
		t.Errorf("people: %+v", people)
	}
	if s := must[wire.Standing](t)(l.ResumePerson(ctx, l.project, l.adaID, "welcome back")); s.Paused {
		t.Errorf("resumed: %+v", s)
	}
}

func (l *labeled) callManaged() {
	t, ctx := l.t, l.t.Context()
	revised := must[wire.RevisedTaxonomy](t)(l.ReviseTaxonomy(ctx, l.project, wire.ReviseTaxonomy{Base: 1, Taxonomy: taxonomy("horse", "cow", "goat")}))
	if len(revised.Outdated) != 3 || !strings.Contains(revised.Outdated[0].Why[0], "goat") || revised.Guide.Taxonomy.Version != 2 {
		t.Errorf("a goat: %+v", revised)
	}
	if again := must[wire.OutdatedTasks](t)(l.Outdated(ctx, l.project)); len(again.Tasks) != 3 {
		t.Errorf("outdated: %+v", again)
	}
	if all := must[wire.Guides](t)(l.Guides(ctx, l.project)); len(all.Guides) != 4 {
		t.Errorf("guides: %+v", all)
	}
	page := must[wire.Tasks](t)(l.Tasks(ctx, client.TaskFilter{Batch: "first", Status: "completed"}, client.Page{Limit: 2}))
	if page.Total != 3 || len(page.Tasks) != 2 || page.Next == "" {
		t.Fatalf("a page: %+v", page)
	}
	rest := must[wire.Tasks](t)(l.Tasks(ctx, client.TaskFilter{Batch: "first"}, client.Page{Limit: 2, Cursor: page.Next}))
	if len(rest.Tasks) != 1 || rest.Next != "" {
		t.Errorf("the rest: %+v", rest)
	}
	task := rest.Tasks[0].ID
	must[wire.Merged](t)(l.Merge(ctx, task))
	must[wire.Task](t)(l.AuditTask(ctx, page.Tasks[0].ID, wire.Audit{Verdict: "rejected", Reason: "loose"}))
	if got := must[wire.Task](t)(l.RelabelTask(ctx, task, "there are goats")); got.Status != "pending" || got.Round != 2 || got.Note != "there are goats" {
		t.Errorf("again: %+v", got)
	}
	must[wire.Held](t)(l.TakeTask(ctx, page.Tasks[1].ID))
	if got := must[wire.Task](t)(l.CancelTask(ctx, task, "enough")); got.Status != "canceled" {
		t.Errorf("canceled: %+v", got)
	}
	if h := must[wire.TaskHistory](t)(l.TaskHistory(ctx, task)); h.Events[len(h.Events)-1].Kind != "canceled" || h.Events[0].Kind != "created" {
		t.Errorf("history: %+v", h)
	}
	if _, err := l.RetryTask(ctx, task); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a retry of what has not failed: %v", err)
	}
	if err := l.ResendCallback(ctx, task); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a callback without an address: %v", err)
	}
	if s := must[wire.CallbackSettings](t)(l.SetCallbackURL(ctx, "http://calls.test/")); s.URL != "http://calls.test/" || s.Key == "" {
		t.Errorf("settings: %+v", s)
	}
	if err := l.ResendCallback(ctx, task); err != nil {
		t.Error(err)
	}
	if got := must[wire.Callbacks](t)(l.Callbacks(ctx, client.CallbackFilter{Task: task}, client.Page{})); len(got.Callbacks) == 0 || got.Callbacks[0].URL != "http://calls.test/" {
		t.Errorf("callbacks: %+v", got)
	}
	must[wire.CallbackSettings](t)(l.CallbackSettings(ctx))
	flowtest.Drain(t, l.flow)
}

func TestWhatPeopleDrawLandsInTheDataset(t *testing.T) { callLabeling(newSite(t)) }
