package flow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/label"
	"remuda/store"
)

// inOffices runs a test on SQLite and on PostgreSQL, each time on an empty database.
func inOffices(t *testing.T, test func(t *testing.T, w *office)) {
	t.Run("sqlite", func(t *testing.T) { test(t, newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, newOffice(t, postgrestest.New(t))) })
}

// office is a flow with people, an image server and an address for callbacks.
type office struct {
	*flow.Flow
	manager remuda.Caller
	people  map[string]remuda.Caller

	mu     sync.Mutex
	images map[string][]byte // by URL
	told   []string          // what callbacks told, in order
	answer int               // the status that callbacks are answered with
}

// Fetch gets one of the images.
func (o *office) Fetch(_ context.Context, url string, w io.Writer, _ int64) (flow.Fetched, error) {
	o.mu.Lock()
	data, ok := o.images[url]
	o.mu.Unlock()
	if !ok {
		return flow.Fetched{}, remuda.Errorf(remuda.NotFound, "fetch %s: the server answered 404 Not Found", url)
	}
	_, err := w.Write(data)
	return flow.Fetched{Bytes: int64(len(data))}, err
}

// Post takes a callback.
func (o *office) Post(_ context.Context, url string, header map[string]string, body []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told = append(o.told, url+" "+string(body))
	if header["scale-callback-auth"] == "" {
		return 0, errors.New("a callback without its key")
	}
	return o.answer, nil
}

const boxParams = `{"attachment":"http://images.test/a.jpg","instruction":"Draw.","geometries":{"box":{"objects_to_annotate":["cow","horse"],"min_width":5,"min_height":5}}}`

// newOffice has the labelers ada, bob and cy and the reviewer rev in the
// project "cows".
func newOffice(t *testing.T, location string) *office {
	t.Helper()
	f, manager := flowtest.Open(t, location)
	o := &office{Flow: f, manager: manager, people: make(map[string]remuda.Caller), images: map[string][]byte{"http://images.test/a.jpg": photo(t, 1, 200, 150)}, answer: 200}
	f.Fetcher, f.Poster = o, o
	f.CallbackBody = func(v flow.CallbackView) ([]byte, error) {
		if v.Task != nil {
			return []byte(fmt.Sprintf("task %s %s", v.Event, v.Task.Status)), nil
		}
		return []byte(fmt.Sprintf("batch %s %d", v.Batch.Name, v.Batch.Counts.Completed)), nil
	}
	if _, err := f.CreateProject(t.Context(), manager, flow.NewProject{Name: "cows"}); err != nil {
		t.Fatal(err)
	}
	for name, role := range map[string]remuda.Role{"ada": remuda.Labeler, "bob": remuda.Labeler, "cy": remuda.Labeler, "rev": remuda.Reviewer} {
		u, _, err := f.CreateUser(t.Context(), flow.Local(remuda.Live), flow.NewUser{Login: name, Role: role, Password: "correct horse battery"})
		if err != nil {
			t.Fatal(err)
		}
		o.people[name] = remuda.Caller{User: u.ID, Name: name, Role: role, World: remuda.Live}
	}
	if err := f.Assign(t.Context(), manager, []string{"ada", "bob", "cy", "rev"}, []string{"cows"}, false); err != nil {
		t.Fatal(err)
	}
	return o
}

// batch makes a finalized batch with n tasks whose images are here.
func (o *office) batch(t *testing.T, name string, plan label.Plan, n int) []store.Task {
	t.Helper()
	b := flow.NewBatch{Project: "cows", Name: name, Callback: "http://calls.test/batch", Plan: &plan}
	if _, err := o.CreateBatch(t.Context(), o.manager, b); err != nil {
		t.Fatal(err)
	}
	tasks := make([]flow.NewTask, n)
	for i := range tasks {
		tasks[i] = flow.NewTask{Params: json.RawMessage(boxParams), Callback: "http://calls.test/task"}
	}
	made, err := o.CreateTasks(t.Context(), o.manager, flow.Place{Batch: name}, tasks)
	if err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, o.Flow)
	if _, err := o.FinalizeBatch(t.Context(), o.manager, name); err != nil {
		t.Fatal(err)
	}
	return made
}

// next is the next task of a person, which must be there.
func (o *office) next(t *testing.T, who string) flow.Work {
	t.Helper()
	w, found, err := o.NextTask(t.Context(), o.people[who], "")
	if err != nil || !found {
		t.Fatalf("nothing for %s: %v", who, err)
	}
	return w
}

func drawn() *label.Answer {
	return &label.Answer{Boxes: []label.Box{{Category: "cow", Box: geom.Box{X0: 20, Y0: 20, X1: 120, Y1: 90}}}}
}

// do has a person take their next task and hand in an answer.
func (o *office) do(t *testing.T, who string) store.Task {
	t.Helper()
	w := o.next(t, who)
	s := label.Submission{Lease: w.Task.Lease.Number, Answer: drawn()}
	if w.Task.Lease.Stage == label.Reviewing {
		s = label.Submission{Lease: w.Task.Lease.Number, Verdict: label.Accepted}
	}
	done, err := o.SubmitTask(t.Context(), o.people[who], w.Task.ID, s, nil)
	if err != nil {
		t.Fatalf("%s: %v", who, err)
	}
	return done
}

func TestBatchGoesFromStagingToItsCallback(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		plan := label.Plan{Attempts: 2, Reviews: 1}
		if _, err := o.CreateBatch(t.Context(), o.manager, flow.NewBatch{Project: "cows", Name: "early", Plan: &plan}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.CreateTask(t.Context(), o.manager, flow.Place{Batch: "early"}, flow.NewTask{Params: json.RawMessage(boxParams)}); err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		if _, found, err := o.NextTask(t.Context(), o.people["ada"], ""); found || err != nil {
			t.Errorf("a batch in staging is worked on (%v)", err)
		}
		made := o.batch(t, "first", plan, 1)
		if _, err := o.CreateTask(t.Context(), o.manager, flow.Place{Batch: "first"}, flow.NewTask{Params: json.RawMessage(boxParams)}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("a finalized batch takes a task: %v", err)
		}
		o.do(t, "ada")
		if _, found, err := o.NextTask(t.Context(), o.people["ada"], ""); found || err != nil {
			t.Errorf("ada gets the same task twice (%v)", err)
		}
		o.do(t, "bob")
		if done := o.do(t, "rev"); done.ID != made[0].ID || done.Status != label.Completed || done.Result == nil || len(done.Result.Boxes) != 1 {
			t.Fatalf("%+v", done.Task)
		}
		b, err := o.Batch(t.Context(), o.manager, "first")
		if err != nil || b.Status != label.BatchCompleted || b.Counts.Completed != 1 || b.CompletedAt == nil {
			t.Errorf("the batch is %s, %+v: %v", b.Status, b.Counts, err)
		}
		flowtest.Drain(t, o.Flow)
		want := []string{"http://calls.test/task task completed completed", "http://calls.test/batch batch first 1"}
		if !slices.Equal(o.told, want) {
			t.Errorf("told %q", o.told)
		}
		got, err := o.Task(t.Context(), o.manager, made[0].ID)
		if err != nil || got.CallbackOK == nil || !*got.CallbackOK {
			t.Errorf("the task doesn't know that its callback arrived (%v)", err)
		}
		events, err := o.TaskEvents(t.Context(), o.manager, made[0].ID)
		if err != nil || len(events) < 8 || events[0].Kind != label.EventCreated {
			t.Errorf("%d events: %v", len(events), err)
		}
	})
}

func TestRejectedAuditSendsATaskBackAndABatchWithIt(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		made := o.batch(t, "first", label.Plan{Redo: true}, 1)
		o.do(t, "ada")
		got, err := o.AuditTask(t.Context(), o.manager, made[0].ID, label.Submission{Verdict: label.Rejected, Reason: "too loose"})
		if err != nil || got.Status != label.Pending || len(got.Prior) != 1 {
			t.Fatalf("%+v %v", got.Task, err)
		}
		if b, err := o.Batch(t.Context(), o.manager, "first"); err != nil || b.Status != label.InProgress || b.CompletedAt != nil {
			t.Errorf("the batch is %s: %v", b.Status, err)
		}
		o.do(t, "ada")
		got, err = o.AuditTask(t.Context(), o.manager, made[0].ID, label.Submission{Verdict: label.Accepted})
		if err != nil || got.Review() != store.ReviewAccepted {
			t.Errorf("%s %v", got.Review(), err)
		}
		page, err := o.Tasks(t.Context(), o.manager, flow.Place{}, store.TaskFilter{Reviews: []store.TaskReview{store.ReviewAccepted}, Limit: 10})
		if err != nil || page.Total != 1 || len(page.Tasks) != 1 {
			t.Errorf("%d accepted: %v", page.Total, err)
		}
	})
}

func TestParallelCreatesWithOneUniqueIDMakeOneTask(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		var wait sync.WaitGroup
		results := make([]error, 50)
		for i := range results {
			wait.Go(func() {
				_, results[i] = o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: json.RawMessage(boxParams), UniqueID: "same"})
			})
		}
		wait.Wait()
		made := 0
		for _, err := range results {
			if err == nil {
				made++
			} else if remuda.CodeOf(err) != remuda.Conflict {
				t.Error(err)
			}
		}
		page, err := o.Tasks(t.Context(), o.manager, flow.Place{}, store.TaskFilter{UniqueIDs: []string{"same"}, Limit: 10})
		if err != nil || made != 1 || page.Total != 1 {
			t.Errorf("%d made, %d there: %v", made, page.Total, err)
		}
	})
}

func TestNobodyGetsATaskThatSomebodyHolds(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		o.batch(t, "first", label.Plan{}, 3)
		var wait sync.WaitGroup
		var mu sync.Mutex
		got := make(map[string]string)
		for _, who := range []string{"ada", "bob", "cy"} {
			wait.Go(func() {
				w, found, err := o.NextTask(t.Context(), o.people[who], "cows")
				mu.Lock()
				defer mu.Unlock()
				if err != nil || !found {
					t.Errorf("%s: %v", who, err)
				}
				if other, held := got[w.Task.ID]; held {
					t.Errorf("%s and %s hold the same", who, other)
				}
				got[w.Task.ID] = who
			})
		}
		wait.Wait()
		again := o.next(t, "ada")
		if got[again.Task.ID] != "ada" || again.Task.Lease.Number != 1 {
			t.Errorf("ada goes on with another task")
		}
	})
}

func TestLateAnswerIsKeptAsADraft(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		made := o.batch(t, "first", label.Plan{}, 1)
		w := o.next(t, "ada")
		if _, err := o.ReturnTask(t.Context(), o.people["ada"], w.Task.ID, 1, ""); err != nil {
			t.Fatal(err)
		}
		_, err := o.SubmitTask(t.Context(), o.people["ada"], w.Task.ID, label.Submission{Lease: 1, Answer: drawn()}, nil)
		if !errors.Is(err, label.ErrKept) || remuda.CodeOf(err) != remuda.Conflict {
			t.Fatalf("%v", err)
		}
		again := o.next(t, "ada")
		if again.Task.ID != made[0].ID || again.Draft == nil || len(again.Draft.Answer.Boxes) != 1 {
			t.Errorf("the draft is gone: %+v", again.Draft)
		}
		s := label.Submission{Lease: again.Task.Lease.Number, Answer: drawn()}
		for range 2 { // the second is a twin
			if _, err := o.SubmitTask(t.Context(), o.people["ada"], again.Task.ID, s, nil); err != nil {
				t.Fatal(err)
			}
		}
		attempts := 0
		err = o.DB.Read(t.Context(), o.manager, func(tx *store.Tx) error {
			return tx.Attempts(store.AttemptFilter{Person: o.people["ada"].User}, func(store.Attempt) error { attempts++; return nil })
		})
		if attempts != 1 || err != nil {
			t.Errorf("%d attempts: %v", attempts, err)
		}
	})
}

func TestImageThatCannotBeHadFailsItsTask(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		params := json.RawMessage(`{"attachment":"http://images.test/gone.jpg","clear_unique_id_on_error":true,"geometries":{"box":{"objects_to_annotate":["cow"]}}}`)
		n := flow.NewTask{Params: params, UniqueID: "a", Callback: "https://calls.test/"}
		made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, n)
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		got, err := o.Task(t.Context(), o.manager, made.ID)
		if err != nil || got.Status != label.Failed || got.UniqueID != "" || len(o.told) != 1 {
			t.Fatalf("%s, unique id %q, told %q: %v", got.Status, got.UniqueID, o.told, err)
		}
		o.images["http://images.test/gone.jpg"] = photo(t, 2, 64, 64)
		if _, err := o.RetryTask(t.Context(), o.manager, made.ID); err != nil {
			t.Fatal(err)
		}
		flowtest.Drain(t, o.Flow)
		if w := o.next(t, "ada"); w.Task.ID != made.ID || w.Question.Width != 64 {
			t.Errorf("%s of width %v", w.Task.ID, w.Question.Width)
		}
	})
}

func TestCallbacksAreTriedForADayAndCanBeSentAgain(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	o.answer = 500
	made := o.batch(t, "first", label.Plan{}, 1)
	o.do(t, "ada")
	flowtest.Drain(t, o.Flow)
	list, err := o.Callbacks(t.Context(), o.manager, store.CallbackFilter{Task: made[0].ID})
	if err != nil || len(list) != 1 || list[0].Status != store.CallbackFailed || list[0].Attempts != 20 || list[0].Answer != "500" {
		t.Fatalf("%+v %v", list, err)
	}
	o.answer = 204
	if _, err := o.ResendCallback(t.Context(), o.manager, made[0].ID); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, o.Flow)
	got, err := o.Task(t.Context(), o.manager, made[0].ID)
	if err != nil || got.CallbackOK == nil || !*got.CallbackOK {
		t.Errorf("sent again, and not noted: %v", err)
	}
}

func TestTestWorldCompletesTasksAtOnce(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		test := o.manager
		test.World = remuda.Test
		if _, err := o.CreateProject(t.Context(), test, flow.NewProject{Name: "cows"}); err != nil {
			t.Fatal(err)
		}
		b, err := o.CreateBatch(t.Context(), test, flow.NewBatch{Project: "cows", Name: "first", Callback: "http://calls.test/batch"})
		if err != nil || b.Status != label.InProgress {
			t.Fatalf("%s %v", b.Status, err)
		}
		made, err := o.CreateTask(t.Context(), test, flow.Place{Batch: "first"}, flow.NewTask{Params: json.RawMessage(boxParams), Callback: "http://calls.test/"})
		if err != nil || made.Status != label.Completed || len(made.Result.Boxes) != 1 || made.Result.Boxes[0].Category != "cow" {
			t.Fatalf("%+v %v", made.Task, err)
		}
		if _, err := o.CreateTask(t.Context(), test, flow.Place{}, flow.NewTask{Type: "categorization", Params: json.RawMessage(`{"attachment":"x","categories":["a"]}`)}); err != nil {
			t.Errorf("another type in the test world: %v", err)
		}
		if _, err := o.CreateTask(t.Context(), o.manager, flow.Place{}, flow.NewTask{Type: "categorization", Params: json.RawMessage(`{"attachment":"x","categories":["a"]}`)}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("another type in the live world: %v", err)
		}
		if _, err := o.Task(t.Context(), o.manager, made.ID); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("the live world sees it: %v", err)
		}
		if b, err = o.Batch(t.Context(), test, "first"); err != nil || b.Status != label.BatchCompleted {
			t.Errorf("the batch is %s: %v", b.Status, err)
		}
		if _, err := o.CreateTask(t.Context(), test, flow.Place{Batch: "first"}, flow.NewTask{Params: json.RawMessage(boxParams)}); err != nil {
			t.Errorf("a second task: %v", err)
		}
		flowtest.Drain(t, o.Flow)
		if want := []string{"http://calls.test/ task completed completed", "http://calls.test/batch batch first 2"}; !slices.Equal(o.told, want) {
			t.Errorf("told %q", o.told)
		}
	})
}

func TestParamsAreInheritedAndVersioned(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	set := func(text string, patch bool) flow.ProjectView {
		t.Helper()
		p, err := o.SetParams(t.Context(), o.manager, "cows", json.RawMessage(text), patch)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	set(`{"instruction":"one","geometries":{"box":{"objects_to_annotate":["cow"]}}}`, false)
	set(`{"instruction":"two"}`, true)
	p := set(`{"geometries":{"box":{"objects_to_annotate":["cow","calf"]}}}`, true)
	last := p.Versions[2]
	if len(p.Versions) != 3 || last.Version != 2 || last.Instruction != 2 || last.Taxonomy != 2 {
		t.Fatalf("%+v", last)
	}
	create := func(params string, version *int) store.Task {
		t.Helper()
		made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: json.RawMessage(params), ProjectVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	instruction := func(made store.Task) string {
		var params struct{ Instruction string }
		if err := json.Unmarshal(made.Params, &params); err != nil {
			t.Fatal(err)
		}
		return params.Instruction
	}
	first := 0
	attachment := `{"attachment":"http://images.test/a.jpg"}`
	if made := create(attachment, nil); instruction(made) != "two" || made.Taxonomy != 2 || made.ProjectVersion != 2 {
		t.Errorf("inherits %s, taxonomy %d", made.Params, made.Taxonomy)
	}
	if made := create(attachment, &first); instruction(made) != "one" || made.Instruction != 1 {
		t.Errorf("of the first version: %s", made.Params)
	}
	if made := create(boxParams, nil); instruction(made) != "Draw." || made.Instruction != 0 || made.Taxonomy != 0 {
		t.Errorf("its own: %s", made.Params)
	}
	none := -1
	_, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: json.RawMessage(attachment), ProjectVersion: &none})
	if remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("without inheritance: %v", err)
	}
}

func TestPagesNeitherRepeatNorSkipWhileTasksArrive(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		there := make(map[string]bool)
		add := func() {
			made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: json.RawMessage(boxParams)})
			if err != nil {
				t.Fatal(err)
			}
			there[made.ID] = true
		}
		for range 25 {
			add()
		}
		before := len(there)
		seen := make(map[string]bool)
		for token := ""; ; {
			page, err := o.Tasks(t.Context(), o.manager, flow.Place{Project: "cows"}, store.TaskFilter{Limit: 10, Before: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, task := range page.Tasks {
				if seen[task.ID] {
					t.Errorf("%s came twice", task.ID)
				}
				seen[task.ID] = true
			}
			if !page.More {
				break
			}
			token = page.Tasks[len(page.Tasks)-1].ID
			add()
		}
		if len(seen) != before {
			t.Errorf("%d of %d seen", len(seen), before)
		}
	})
}

func TestManagersChangeWhatIsSaidOfTasks(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	made := o.batch(t, "first", label.Plan{}, 2)
	id := made[0].ID
	if _, err := o.ChangeTaskTags(t.Context(), o.manager, id, func([]string) []string { return []string{"b", "a", "b"} }); err != nil {
		t.Fatal(err)
	}
	if _, err := o.SetTaskUniqueID(t.Context(), o.manager, id, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.SetTaskUniqueID(t.Context(), o.manager, id, "a\x00b"); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a unique_id that no database keeps: %v", err)
	}
	if _, err := o.ChangeTaskTags(t.Context(), o.manager, id, func([]string) []string { return []string{"a\x00"} }); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("a tag that no database keeps: %v", err)
	}
	if _, err := o.SetTaskUniqueID(t.Context(), o.manager, made[1].ID, "x"); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a second x: %v", err)
	}
	if _, err := o.SetTaskUniqueID(t.Context(), o.manager, made[1].ID, id); err != nil {
		t.Fatal(err)
	}
	if got, err := o.Task(t.Context(), o.manager, id); err != nil || got.ID != id {
		t.Errorf("another task's unique_id stands before an id: %v", err)
	}
	got, err := o.SetTaskMetadata(t.Context(), o.manager, "x", json.RawMessage(`{"a":1}`))
	if err != nil || got.ID != id || string(got.Metadata) != `{"a":1}` || !slices.Equal(got.Tags, []string{"b", "a"}) {
		t.Errorf("%+v %v", got, err)
	}
	w := o.next(t, "ada")
	if _, err := o.CancelTask(t.Context(), o.manager, w.Task.ID, "", false); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a held task is canceled: %v", err)
	}
	if _, err := o.ReturnTask(t.Context(), o.people["ada"], w.Task.ID, 1, ""); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err = o.CancelTask(t.Context(), o.manager, id, "", true); err != nil || got.Status != label.Canceled || got.UniqueID != "" {
			t.Errorf("%s %q %v", got.Status, got.UniqueID, err)
		}
	}
}

func TestFilesBecomeTasksImages(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	file, err := o.ImportFile(t.Context(), o.manager, flow.NewFile{ReferenceID: "r"}, "http://images.test/a.jpg")
	if err != nil || file.Width != 200 {
		t.Fatalf("%+v %v", file, err)
	}
	if _, err := o.ImportFile(t.Context(), o.manager, flow.NewFile{ReferenceID: "r"}, "http://images.test/a.jpg"); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a second r: %v", err)
	}
	params := json.RawMessage(`{"attachment":"` + flow.FileURL(file) + `","geometries":{"box":{"objects_to_annotate":["cow"]}}}`)
	made, err := o.CreateTask(t.Context(), o.manager, flow.Place{Project: "cows"}, flow.NewTask{Params: params})
	if err != nil || made.Image.Blob != file.Blob {
		t.Fatalf("%+v %v", made.Image, err)
	}
	if w := o.next(t, "ada"); w.Task.ID != made.ID { // nothing had to be fetched
		t.Error("it isn't served")
	}
	other := o.manager
	other.World = remuda.Test
	if _, err := o.CreateTask(t.Context(), other, flow.Place{}, flow.NewTask{Params: params}); remuda.CodeOf(err) != remuda.Invalid {
		t.Errorf("the other world's file: %v", err)
	}
}

func TestStrangersFilesAndLeasesAreRefused(t *testing.T) {
	o := newOffice(t, filepath.Join(t.TempDir(), "remuda.db"))
	made := o.batch(t, "first", label.Plan{}, 1)
	w := o.next(t, "ada")
	if _, err := o.SubmitTask(t.Context(), o.people["bob"], w.Task.ID, label.Submission{Lease: 1, Answer: drawn()}, nil); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("bob hands in for ada: %v", err)
	}
	if _, err := o.HeldTask(t.Context(), o.people["bob"], made[0].ID); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("bob sees ada's task: %v", err)
	}
	if _, err := o.Task(t.Context(), o.people["ada"], made[0].ID); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a labeler reads tasks: %v", err)
	}
	wrong := drawn()
	wrong.Boxes[0].Category = "dragon"
	_, err := o.SubmitTask(t.Context(), o.people["ada"], w.Task.ID, label.Submission{Lease: 1, Answer: wrong}, nil)
	var refusal *label.Refusal
	if !errors.As(err, &refusal) || refusal.Findings[0].Code != label.UnknownCategory {
		t.Errorf("outside the taxonomy: %v", err)
	}
	spans := []label.Span{{Page: "a", From: 0, To: 5}}
	if _, err := o.SubmitTask(t.Context(), o.people["ada"], w.Task.ID, label.Submission{Lease: 1, Answer: drawn(), Active: time.Hour}, spans); err != nil {
		t.Fatal(err)
	}
	got, err := o.Task(t.Context(), o.manager, made[0].ID)
	if err != nil || got.Work[0].Active > 5*time.Second {
		t.Errorf("active %v: %v", got.Work[0].Active, err)
	}
}

func TestArchivedProjectIsNotWorkedOn(t *testing.T) {
	inOffices(t, func(t *testing.T, o *office) {
		o.batch(t, "first", label.Plan{}, 2)
		held := o.next(t, "ada")
		yes, no := true, false
		if _, err := o.ApplyToProject(t.Context(), o.manager, "cows", flow.ProjectChange{Archived: &yes}); err != nil {
			t.Fatal(err)
		}
		if _, found, err := o.NextTask(t.Context(), o.people["bob"], ""); found || err != nil {
			t.Errorf("work on an archived project: %v", err)
		}
		if done := o.do(t, "ada"); done.ID != held.Task.ID || done.Status != label.Completed {
			t.Errorf("what was held when it was archived is %s", done.Status)
		}
		if _, err := o.ApplyToProject(t.Context(), o.manager, "cows", flow.ProjectChange{Archived: &no}); err != nil {
			t.Fatal(err)
		}
		o.do(t, "bob")
	})
}
