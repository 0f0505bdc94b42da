package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/api"
	"remuda/blob"
	"remuda/client"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/store"
	"remuda/wire"
)

// site is a server and a client of it.
type site struct {
	*client.Client
	t    *testing.T
	flow *flow.Flow
	url  string
	key  string
	all  []string // routes that are served

	mu     sync.Mutex
	called map[string]bool
	before func(w http.ResponseWriter, r *http.Request) (done bool) // sees requests first
}

func newSite(t *testing.T) *site {
	t.Helper()
	f, _ := flowtest.New(t)
	handler, err := api.New(api.Options{Flow: f, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, flow: f, all: handler.Routes(), called: make(map[string]bool)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.called[s.route(r)] = true
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	if s.key, _, err = f.CreateKey(t.Context(), flow.Local(remuda.Live), flow.NewKey{Name: "test", Role: remuda.Admin, World: remuda.Live}); err != nil {
		t.Fatal(err)
	}
	s.Client = s.client(client.Options{Key: s.key})
	return s
}

// route returns which of the routes a request was for: the one that says most.
func (s *site) route(r *http.Request) (best string) {
	path := strings.Split(r.Method+" "+r.URL.EscapedPath(), "/")
	for _, route := range s.all {
		pattern := strings.Split(route, "/")
		fits := len(pattern) == len(path)
		for i := 0; fits && i < len(path); i++ {
			fits = pattern[i] == path[i] || strings.HasPrefix(pattern[i], "{")
		}
		if fits && (best == "" || strings.Count(route, "{") < strings.Count(best, "{")) {
			best = route
		}
	}
	return best
}

// client returns another client, which never waits.
func (s *site) client(o client.Options) *client.Client {
	s.t.Helper()
	o.Pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	c, err := client.New(s.url, o)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// must fails the test if a call did.
func must[T any](t *testing.T) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// picture returns a JPEG file that differs for each n.
func picture(t *testing.T, n int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for y := range 48 {
		for x := range 64 {
			m.Set(x, y, color.RGBA{uint8(x * (n + 1)), uint8(y*5 + n*37), uint8(x * y), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// upload is an image to send.
func upload(name string, file []byte) client.Upload {
	return client.Upload{
		UploadPart: wire.UploadPart{ReferenceID: name, SHA256: blob.RefOf(file).String()},
		Open:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil },
	}
}

// dataset makes one with images, which are looked at.
func (s *site) dataset(names ...string) string {
	s.t.Helper()
	d := must[wire.Dataset](s.t)(s.CreateDataset(s.t.Context(), wire.NewDataset{Name: "horses"}))
	var uploads []client.Upload
	for i, name := range names {
		uploads = append(uploads, upload(name, picture(s.t, i)))
	}
	must[wire.AddedImages](s.t)(s.UploadImages(s.t.Context(), d.ID, uploads))
	flowtest.Drain(s.t, s.flow)
	return d.ID
}

func (s *site) items(dataset string) []wire.Item {
	s.t.Helper()
	return must[wire.Items](s.t)(s.Items(s.t.Context(), dataset, client.Search{}, client.Page{}, true)).Items
}

// box draws one.
func box(category string, x0, y0, x1, y1 float64) wire.Drawn {
	return wire.Drawn{Type: "box", Category: category, Box: &wire.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}}
}

// notCalled are routes that no method of the client calls.
var notCalled = []string{"GET /api/v1/docs", "GET /api/v1/openapi.json"}

func TestTheClientCallsEveryRoute(t *testing.T) {
	s := newSite(t)
	for _, part := range []func(*site){callSessions, callDatasets, callItems, callSlices, callLabels, callModels, callLabeling, callPeople} {
		part(s)
	}
	for _, route := range s.all {
		if !strings.Contains(route, " /api/v1/") {
			continue
		}
		if s.called[route] == slices.Contains(notCalled, route) {
			t.Errorf("%s: called %v, listed as not called %v", route, s.called[route], slices.Contains(notCalled, route))
		}
	}
}

func callSessions(s *site) {
	t, ctx := s.t, s.t.Context()
	made := must[wire.MadeUser](t)(s.CreateUser(ctx, wire.NewUser{Login: "ada", Role: "manager"}))
	cookie := must[*http.Cookie](t)(s.Login(ctx, "ada", made.Password))
	ada := s.client(client.Options{Session: cookie, World: "test"})
	if me := must[wire.Me](t)(ada.Me(ctx)); me.User != made.User.ID || me.World != "test" || me.Role != "manager" {
		t.Errorf("the session is of %+v", me)
	}
	if err := ada.ChangePassword(ctx, wire.NewPassword{Old: made.Password, New: "another good password"}); err != nil {
		t.Fatal(err)
	}
	if err := ada.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Me(ctx); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("after the logout: %v", err)
	}
}

func callDatasets(s *site) {
	t, ctx := s.t, s.t.Context()
	d := s.dataset("a.jpg", "b.jpg")
	if all := must[wire.Datasets](t)(s.Datasets(ctx)); len(all.Datasets) != 1 || all.Datasets[0].ID != d {
		t.Errorf("datasets: %+v", all)
	}
	if o := must[wire.DatasetOverview](t)(s.Dataset(ctx, d)); o.Items != 2 || o.Name != "horses" || o.Categories == nil {
		t.Errorf("overview: %+v", o)
	}
	if renamed := must[wire.Dataset](t)(s.RenameDataset(ctx, d, wire.NewDataset{Name: "ponies"})); renamed.Name != "ponies" {
		t.Errorf("renamed: %+v", renamed)
	}
	must[wire.Tags](t)(s.TagDataset(ctx, d, wire.TagChange{Add: []string{"old", "good"}}))
	if tags := must[wire.Tags](t)(s.TagDataset(ctx, d, wire.TagChange{Remove: []string{"old"}})); !slices.Equal(tags.Tags, []string{"good"}) {
		t.Errorf("tags: %v", tags)
	}
	if err := s.PutTaxonomy(ctx, d, "coat colors", wire.PutTaxonomy{Labels: []string{"bay", "roan"}}); err != nil {
		t.Fatal(err)
	}
	if found := must[wire.Taxonomies](t)(s.Taxonomies(ctx, d)); len(found.Taxonomies) != 1 || len(found.Taxonomies[0].Labels) != 2 {
		t.Errorf("taxonomies: %+v", found)
	}
	if err := s.DeleteTaxonomy(ctx, d, "coat colors"); err != nil {
		t.Fatal(err)
	}
	must[wire.Duplicates](t)(s.Duplicates(ctx, d, 64))
	job := must[wire.Job](t)(s.RestoreDataset(ctx, d, wire.Restore{At: wire.NewTime(time.Now().Add(-time.Hour))}))
	must[wire.Job](t)(s.CancelJob(ctx, job.ID))
	if jobs := must[wire.Jobs](t)(s.Jobs(ctx, d, false)); jobs.Jobs[0].Status != "cancelled" {
		t.Errorf("jobs: %+v", jobs)
	}
	job = must[wire.Job](t)(s.DeleteDataset(ctx, d))
	flowtest.Drain(t, s.flow)
	must[wire.Job](t)(s.WaitJob(ctx, job.ID, nil))
	must[wire.JobErrors](t)(s.JobErrors(ctx, job.ID))
	if _, err := s.Dataset(ctx, d); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("a deleted dataset: %v", err)
	}
}

func callItems(s *site) {
	t, ctx := s.t, s.t.Context()
	d := s.dataset("a.jpg", "b.jpg", "c.jpg")
	known := must[wire.AddedImages](t)(s.AddKnownImages(ctx, d, wire.KnownImages{Images: []wire.KnownImage{
		{ReferenceID: "a.jpg", SHA256: blob.RefOf(picture(t, 0)).String()},
		{ReferenceID: "again.jpg", SHA256: blob.RefOf(picture(t, 0)).String()},
		{ReferenceID: "b.jpg", SHA256: blob.RefOf(picture(t, 0)).String()},
		{ReferenceID: "new.jpg", SHA256: blob.RefOf(picture(t, 9)).String()},
	}}))
	var got []string
	for _, image := range known.Images {
		got = append(got, image.Status)
	}
	if !slices.Equal(got, []string{"there", "new", "conflict", "send"}) {
		t.Errorf("known images: %v", got)
	}
	item := s.items(d)[0]
	saved := must[wire.Annotations](t)(s.SaveAnnotations(ctx, item.ID, wire.SaveAnnotations{Base: item.Revision, Annotations: []wire.Drawn{box("horse", 1, 2, 30.5, 40)}}))
	if len(saved.Annotations) != 1 || saved.Revision != item.Revision+1 {
		t.Errorf("saved: %+v", saved)
	}
	if _, err := s.SaveAnnotations(ctx, item.ID, wire.SaveAnnotations{Base: item.Revision}); remuda.CodeOf(err) != remuda.Conflict || remuda.HintOf(err) == "" {
		t.Errorf("a stale save: %v", err)
	}
	if n := must[int64](t)(s.CountItems(ctx, d, client.Search{Filter: `count(horse) = 1`})); n != 1 {
		t.Errorf("%d items with one horse", n)
	}
	if got := must[wire.Item](t)(s.SetMetadata(ctx, item.ID, wire.Metadata{Metadata: []byte(`{"farm": 3}`)})); string(got.Metadata) != `{"farm":3}` {
		t.Errorf("metadata: %s", got.Metadata)
	}
	must[wire.Item](t)(s.Item(ctx, item.ID))
	if now := must[wire.Annotations](t)(s.Annotations(ctx, item.ID, "")); len(now.Annotations) != 1 {
		t.Errorf("annotations: %+v", now)
	}
	if restored := must[wire.Restored](t)(s.RestoreItem(ctx, item.ID, wire.Restore{At: wire.NewTime(time.Now().Add(-time.Hour))})); restored.Changed != 1 {
		t.Errorf("restored: %+v", restored)
	}
	if h := must[wire.Annotations](t)(s.History(ctx, item.ID)); len(h.Annotations) != 1 || h.Annotations[0].EndedAt == "" {
		t.Errorf("history: %+v", h)
	}
	var file bytes.Buffer
	err := s.Image(ctx, item.ImageURL, func() (io.WriteCloser, error) { file.Reset(); return nopCloser{&file}, nil })
	if err != nil || !bytes.Equal(file.Bytes(), picture(t, 0)) {
		t.Errorf("the image has %d bytes: %v", file.Len(), err)
	}
	if err := s.DeleteItem(ctx, item.ID); err != nil {
		t.Fatal(err)
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func callSlices(s *site) {
	t, ctx := s.t, s.t.Context()
	d := s.dataset("a.jpg", "b.jpg", "c.jpg")
	slice := must[wire.Slice](t)(s.CreateSlice(ctx, d, wire.NewSlice{Name: "some", Choice: wire.Choice{Sample: &wire.Sample{Size: 2, Seed: 7}}}))
	if slice.Members != 2 {
		t.Errorf("sampled: %+v", slice)
	}
	if change := must[wire.MemberChange](t)(s.AddToSlice(ctx, slice.ID, wire.Choice{All: true})); change.Added != 1 {
		t.Errorf("added: %+v", change)
	}
	if change := must[wire.MemberChange](t)(s.RemoveFromSlice(ctx, slice.ID, wire.Choice{References: []string{"b.jpg"}})); change.Removed != 1 {
		t.Errorf("removed: %+v", change)
	}
	must[wire.Slice](t)(s.RenameSlice(ctx, slice.ID, wire.SliceChange{Name: "others"}))
	must[wire.Tags](t)(s.TagSlice(ctx, slice.ID, wire.TagChange{Add: []string{"good"}}))
	frozen := must[wire.Frozen](t)(s.FreezeSlice(ctx, slice.ID))
	if got := must[wire.Slice](t)(s.Slice(ctx, slice.ID)); got.Frozen != frozen.Hash || got.Name != "others" || got.Members != 2 || len(got.Tags) != 1 {
		t.Errorf("the slice: %+v", got)
	}
	if _, err := s.AddToSlice(ctx, slice.ID, wire.Choice{All: true}); remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("a change of a frozen slice: %v", err)
	}
	if page := must[wire.Items](t)(s.SliceItems(ctx, slice.ID, client.Page{Limit: 1}, true)); len(page.Items) != 1 || page.Next == "" {
		t.Errorf("a page: %+v", page)
	}
	must[wire.Findings](t)(s.LintSlice(ctx, slice.ID, ""))
	if leaks := must[wire.Findings](t)(s.LintSlice(ctx, slice.ID, slice.ID)); leaks.Counts["leak"] != 2 {
		t.Errorf("leaks: %+v", leaks)
	}
	must[wire.Proof](t)(s.ExportSlice(ctx, slice.ID, "coco", io.Discard))
	if all := must[wire.Slices](t)(s.Slices(ctx, d, "others")); len(all.Slices) != 1 {
		t.Errorf("slices: %+v", all)
	}
	if err := s.DeleteSlice(ctx, slice.ID); err != nil {
		t.Fatal(err)
	}
}

func callLabels(s *site) {
	t, ctx := s.t, s.t.Context()
	d := s.dataset("horses/a.jpg", "b.jpg")
	for _, item := range s.items(d) {
		must[wire.Annotations](t)(s.SaveAnnotations(ctx, item.ID, wire.SaveAnnotations{Annotations: []wire.Drawn{box("horse", 1.25, 2, 30.5, 40), box("cow", -3, 0, 10, 10)}}))
	}
	var boxes []string
	for page := (client.Page{Limit: 1}); ; {
		found := must[wire.Boxes](t)(s.Boxes(ctx, d, client.Search{Filter: "category = horse or width > 12"}, page))
		for _, b := range found.Boxes {
			boxes = append(boxes, found.Items[b.Item].ReferenceID+" "+b.Category)
		}
		if page.Cursor = found.Next; page.Cursor == "" {
			break
		}
	}
	if want := []string{"horses/a.jpg horse", "horses/a.jpg cow", "b.jpg horse", "b.jpg cow"}; !slices.Equal(boxes, want) {
		t.Errorf("boxes: %v, want %v", boxes, want)
	}
	if n := must[int64](t)(s.CountBoxes(ctx, d, client.Search{Filter: "category = cow"})); n != 2 {
		t.Errorf("%d cows", n)
	}
	findings := must[wire.Findings](t)(s.LintDataset(ctx, d))
	var ids []string
	for _, f := range findings.Findings {
		if f.ID != "" {
			ids = append(ids, f.ID)
		}
	}
	if fixed := must[wire.Fixed](t)(s.FixFindings(ctx, d, wire.FixFindings{Findings: ids})); fixed.Fixed != 2 {
		t.Errorf("fixed: %+v of %+v", fixed, findings)
	}
	for _, kind := range []string{"coco", "voc", "yolo"} {
		var file bytes.Buffer
		if proof := must[wire.Proof](t)(s.ExportDataset(ctx, d, kind, &file)); proof.Boxes != 4 || proof.Items != 2 || proof.LargestDifference > 1e-6 {
			t.Errorf("%s: %+v", kind, proof)
		}
		other := s.dataset("horses/a.jpg", "b.jpg")
		in := must[wire.Imported](t)(s.ImportLabels(ctx, other, kind, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file.Bytes())), nil }))
		if in.Added != 4 || in.Items != 2 || len(in.Unknown) > 0 {
			t.Errorf("%s: imported %+v", kind, in)
		}
		for i, item := range s.items(other) {
			if got, want := item.Annotations[0].Box.X0, s.items(d)[i].Annotations[0].Box.X0; got-want > 1e-6 || want-got > 1e-6 {
				t.Errorf("%s: x0 is %g, was %g", kind, got, want)
			}
		}
	}
}

func callModels(s *site) {
	t, ctx := s.t, s.t.Context()
	d := s.dataset("a.jpg", "b.jpg")
	items := s.items(d)
	for _, item := range items {
		must[wire.Annotations](t)(s.SaveAnnotations(ctx, item.ID, wire.SaveAnnotations{Annotations: []wire.Drawn{box("horse", 1, 2, 30, 40)}}))
	}
	caller := remuda.Caller{User: "usr_test", Role: remuda.Manager, World: remuda.Live}
	model := must[store.Model](t)(s.flow.CreateModel(ctx, caller, flow.NewModel{Name: "net", ReferenceID: "net"}))
	run := must[store.Run](t)(s.flow.CreateRun(ctx, caller, d, model.ID, flow.NewRun{}))
	must[flow.Predicted](t)(s.flow.Predict(ctx, caller, flow.PredictionPlace{Dataset: d, Run: run.ID}, flow.Sent{Texts: []json.RawMessage{
		json.RawMessage(`{"type":"box","reference_id":"a.jpg","label":"horse","confidence":0.9,"geometry":{"x":1,"y":2,"width":29,"height":38}}`),
	}}, false, ""))
	if all := must[wire.Models](t)(s.Models(ctx)); len(all.Models) != 1 || all.Models[0].Name != "net" {
		t.Errorf("models: %+v", all)
	}
	must[wire.Model](t)(s.Model(ctx, model.ID))
	must[wire.Tags](t)(s.TagModel(ctx, model.ID, wire.TagChange{Add: []string{"good"}}))
	if runs := must[wire.ModelRuns](t)(s.ModelRuns(ctx, model.ID)); len(runs.Runs) != 1 {
		t.Errorf("runs: %+v", runs)
	}
	if got := must[wire.ModelRun](t)(s.ModelRun(ctx, run.ID)); !slices.Equal(got.Datasets, []string{d}) {
		t.Errorf("the run: %+v", got)
	}
	if got := must[wire.Annotations](t)(s.Predictions(ctx, run.ID, items[0].ID)); len(got.Annotations) != 1 || *got.Annotations[0].Confidence != 0.9 {
		t.Errorf("predictions: %+v", got)
	}
	made := must[wire.Evaluation](t)(s.CreateEvaluation(ctx, wire.NewEvaluation{Run: run.ID}))
	cancelled := must[wire.Evaluation](t)(s.CreateEvaluation(ctx, wire.NewEvaluation{Run: run.ID}))
	if err := s.CancelEvaluation(ctx, cancelled.ID); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, s.flow)
	if got := must[wire.Evaluation](t)(s.Evaluation(ctx, made.ID)); got.Status != "succeeded" || len(got.Summary) == 0 {
		t.Errorf("the evaluation: %+v", got)
	}
	if charts := must[wire.Charts](t)(s.Charts(ctx, made.ID, client.Looked{}, 0.5)); charts.MAP50 == nil || charts.Errors.TruePositive != 1 || charts.Errors.Missed != 1 {
		t.Errorf("charts: %+v", charts)
	}
	page := must[wire.MatchExamples](t)(s.Examples(ctx, made.ID, client.ExampleQuery{}, client.Page{Limit: 1}))
	next := must[wire.MatchExamples](t)(s.Examples(ctx, made.ID, client.ExampleQuery{}, client.Page{Limit: 1, Cursor: page.Next}))
	if page.Total != 2 || page.Examples[0].Match != "TP" || next.Examples[0].Match != "FN" || next.Next != "" {
		t.Errorf("examples: %+v, %+v", page, next)
	}
	if err := s.DeleteEvaluation(ctx, made.ID); err != nil {
		t.Fatal(err)
	}
	if all := must[wire.Evaluations](t)(s.Evaluations(ctx, model.ID, "")); len(all.Evaluations) != 1 || all.Evaluations[0].ID != cancelled.ID {
		t.Errorf("evaluations: %+v", all)
	}
	must[wire.Job](t)(s.DeleteModelRun(ctx, run.ID))
	must[wire.Job](t)(s.DeleteModel(ctx, model.ID))
	flowtest.Drain(t, s.flow)
}

func callPeople(s *site) {
	t, ctx := s.t, s.t.Context()
	must[wire.MadeUser](t)(s.CreateUser(ctx, wire.NewUser{Login: "chief", Role: "admin"}))
	made := must[wire.MadeUser](t)(s.CreateUser(ctx, wire.NewUser{Login: "bo", Role: "labeler"}))
	disabled := true
	if u := must[wire.User](t)(s.ChangeUser(ctx, made.User.ID, wire.UserChange{Role: "reviewer", Disabled: &disabled})); u.Role != "reviewer" || u.DisabledAt == "" {
		t.Errorf("changed: %+v", u)
	}
	must[wire.Password](t)(s.SetPassword(ctx, made.User.ID, wire.SetPassword{}))
	if all := must[wire.Users](t)(s.Users(ctx)); len(all.Users) < 1 {
		t.Errorf("users: %+v", all)
	}
	key := must[wire.MadeKey](t)(s.CreateKey(ctx, wire.NewKey{Name: "robot", Role: "manager", World: "test"}))
	robot := s.client(client.Options{Key: key.Secret})
	if me := must[wire.Me](t)(robot.Me(ctx)); me.World != "test" || me.Key != key.Key.ID {
		t.Errorf("the key is of %+v", me)
	}
	if err := s.RevokeKey(ctx, key.Key.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := robot.Me(ctx); remuda.CodeOf(err) != remuda.Unauthorized {
		t.Errorf("a revoked key: %v", err)
	}
	must[wire.Keys](t)(s.Keys(ctx))
	// The log is newest first.
	first := must[wire.AuditLog](t)(s.Audit(ctx, "", client.Page{Limit: 1}))
	second := must[wire.AuditLog](t)(s.Audit(ctx, "", client.Page{Limit: 1, Cursor: first.Next}))
	if first.Entries[0].Action != "key.revoke" || second.Entries[0].Action != "key.create" {
		t.Errorf("audit: %+v, %+v", first, second)
	}
}
