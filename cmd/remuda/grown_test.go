package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"remuda/blob"
	"remuda/client"
	"remuda/wire"
)

// upload sends the images of a folder and waits until they have been looked at.
func (s *site) upload(dataset, folder string) {
	s.t.Helper()
	added, err := s.client().UploadImages(s.t.Context(), dataset, uploads(s.t, folder))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, image := range added.Images {
		if image.Status != wire.ImageNew {
			s.t.Errorf("%s: %s %s", image.ReferenceID, image.Status, image.Problem)
		}
	}
	if added.Job != "" {
		s.wait(added.Job)
	}
}

// uploads are the files of a folder, each to be sent under its name.
func uploads(t *testing.T, folder string) (found []client.Upload) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, client.Upload{
			UploadPart: wire.UploadPart{ReferenceID: file.Name(), SHA256: blob.RefOf(text).String(), Metadata: []byte(`{"size":` + fmt.Sprint(len(text)) + `}`)},
			Open:       func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		})
	}
	return found
}

// boxes are annotations, or predictions, on so many images of writeJPEGs.
func boxes(n int, confidence string) string {
	var list []string
	for i := range n {
		for k := range 1 + i%3 {
			list = append(list, fmt.Sprintf(`{"type":"box","label":%q,"geometry":{"x":%g,"y":%d,"width":%g,"height":%d},"reference_id":"%04d.jpg","annotation_id":"b%d","metadata":{"n":%d}%s}`,
				[]string{"horse", "pony"}[k%2], float64(i)/3, k*5, 10.1+float64(k), 8+k, i, k, i, confidence))
		}
	}
	return strings.Join(list, ",")
}

// story does what a user does with a server, from the first dataset to an
// evaluation, and returns the dataset that is left.
func (s *site) story(folder string, images int) (dataset string) {
	s.t.Helper()
	const dir = "/v1/nucleus/"
	dataset = s.id("POST", "/api/v1/datasets", `{"name":"horses"}`, "id")
	s.upload(dataset, folder)
	s.json("POST", dir+"dataset/"+dataset+"/annotate", `{"update":false,"annotations":[`+boxes(images, "")+`]}`)
	s.act("PUT", "/api/v1/datasets/"+dataset+"/taxonomies/coat", `{"labels":["bay","roan"]}`)
	s.json("PATCH", "/api/v1/datasets/"+dataset+"/tags", `{"add":["field","farm"]}`)
	s.redraw(dataset)
	s.stage(dataset)

	chosen := s.id("POST", "/api/v1/datasets/"+dataset+"/slices", `{"name":"ponies","choice":{"filter":"any box (category = \"pony\")"}}`, "id")
	if hash := s.id("POST", "/api/v1/slices/"+chosen+"/freeze", "", "hash"); len(hash) != 64 {
		s.t.Errorf("frozen as %s", hash)
	}
	s.export(dataset, chosen)

	model := s.id("POST", dir+"models/add", `{"name":"first","reference_id":"m1`+s.again+`","metadata":{"lr":0.01},"tags":["good"],"trained_slice_ids":["`+chosen+`"]}`, "model_id")
	run := s.id("POST", dir+"dataset/"+dataset+"/model/"+model+"/uploadPredictions", `{"update":false,"annotations":[`+boxes(images, `,"confidence":0.625`)+`]}`, "model_run_id")
	bench := s.json("POST", dir+"benchmarks", `{"name":"all","dataset_id":"`+dataset+`"}`)
	s.wait(bench["job_id"].(string))
	s.json("POST", dir+"benchmarks/"+bench["benchmark_id"].(string)+"/evaluationsV2", `{"model_run_id":"`+run+`","name":"e"}`)
	s.quiet()

	gone := s.id("POST", "/api/v1/datasets", `{"name":"mules"}`, "id")
	s.upload(gone, folder)
	s.wait(s.id("DELETE", "/api/v1/datasets/"+gone, "", "id"))
	s.label(dataset, chosen)
	return dataset
}

// label makes a project of a slice, and a labeler draws on the first images.
func (s *site) label(dataset, chosen string) {
	s.t.Helper()
	ada := s.json("POST", "/api/v1/users", `{"login":"ada`+s.again+`","name":"Ada","role":"labeler","password":"quite a good one"}`)["user"].(map[string]any)["id"].(string)
	key := s.id("POST", "/api/v1/keys", `{"name":"hers","role":"labeler","user":"`+ada+`"}`, "secret")
	project := s.id("POST", "/api/v1/projects", `{"name":"tight`+s.again+`","dataset":"`+dataset+`","instruction":"tight boxes","taxonomy":{"categories":[{"name":"horse"},{"name":"pony"}]},"settings":{"plan":{"attempts":1,"reviews":0},"quality_rate":0,"bar":{"accuracy":0},"prices":{"currency":"EUR"}}}`, "id")
	s.json("PATCH", "/api/v1/projects/"+project+"/people", `{"add":["ada`+s.again+`"]}`)
	made := s.json("POST", "/api/v1/batches", `{"name":"one`+s.again+`","project":"tight`+s.again+`","slice":"`+chosen+`","ground_truth":true,"finalize":true}`)
	if made["added"].(float64) < 3 {
		s.t.Fatalf("the batch: %v", made)
	}
	her, err := client.New(s.server.url, client.Options{Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	for range 3 {
		next, err := her.NextTask(s.t.Context(), "")
		if err != nil || next.Task == nil {
			s.t.Fatalf("nothing to do: %v", err)
		}
		drawn := wire.Submission{Lease: next.Task.Lease, Answer: &wire.Answer{Boxes: []wire.AnswerBox{{ID: "a", Category: "pony", Box: wire.Box{X0: 3, Y0: 4, X1: 20, Y1: 24.5}}}}}
		if got, err := her.SubmitTask(s.t.Context(), next.Task.Task, drawn); err != nil || !got.Accepted {
			s.t.Fatalf("handed in: %+v, %v", got, err)
		}
	}
}

// redraw changes an image's boxes, deletes another's, and takes the first back.
func (s *site) redraw(dataset string) {
	s.t.Helper()
	items, err := s.client().Items(s.t.Context(), dataset, client.Search{}, client.Page{Limit: 3}, true)
	if err != nil || len(items.Items) != 3 {
		s.t.Fatalf("%d items, %v", len(items.Items), err)
	}
	before := items.Items[1]
	at := "/api/v1/items/" + before.ID
	s.json("PUT", at+"/annotations", fmt.Sprintf(`{"base":%d,"annotations":[{"category":"foal","box":{"x0":1.5,"y0":2,"x1":9,"y1":11.25}}]}`, before.Revision))
	if status, _, text := s.ask("PUT", at+"/annotations", fmt.Sprintf(`{"base":%d,"annotations":[]}`, before.Revision)); status != http.StatusConflict {
		s.t.Errorf("a stale write: %d %s", status, text)
	}
	s.json("POST", at+"/restore", `{"at":"`+string(before.Annotations[0].CreatedAt)+`"}`)
	s.act("DELETE", "/api/v1/items/"+items.Items[2].ID, "")
}

// stage sends items and their boxes as the asynchronous uploads of the dataset API do.
func (s *site) stage(dataset string) {
	s.t.Helper()
	var rows strings.Builder
	for i := range 30 {
		fmt.Fprintf(&rows, `{"reference_id":"far/%d","image_url":"http://127.0.0.1:1/%d.jpg","metadata":{"far":true}}`+"\n", i, i)
	}
	const at = "/v1/nucleus/dataset/"
	signed := strings.TrimPrefix(s.id("GET", at+dataset+"/signedUrl/rows-1", "", "signed_url"), s.server.url)
	if status, _, text := s.ask("PUT", signed, rows.String()); status != http.StatusOK {
		s.t.Fatalf("stage: %d %s", status, text)
	}
	s.wait(s.id("POST", at+dataset+"/append?async=1", `{"requestId":"rows-1","update":false}`, "job_id"))
}

// export reads labels in every format.
func (s *site) export(dataset, chosen string) {
	s.t.Helper()
	for _, kind := range []string{"coco", "voc", "yolo"} {
		if _, err := s.client().ExportDataset(s.t.Context(), dataset, kind, io.Discard); (err != nil) != (kind == "yolo") { // some sizes are unknown
			s.t.Errorf("export as %s: %v", kind, err)
		}
		if _, err := s.client().ExportSlice(s.t.Context(), chosen, kind, io.Discard); err != nil {
			s.t.Errorf("export the slice as %s: %v", kind, err)
		}
	}
}

// quiet waits until no job is left.
func (s *site) quiet() {
	s.t.Helper()
	jobs, err := s.client().Jobs(s.t.Context(), "", true)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, job := range jobs.Jobs {
		s.wait(job.ID)
	}
}

// images reads the image and the thumbnail of each item and returns their hashes.
func (s *site) images(dataset string) map[string]string {
	s.t.Helper()
	found := make(map[string]string)
	next := func(ctx context.Context, page client.Page) (wire.Items, error) {
		return s.client().Items(ctx, dataset, client.Search{}, page, false)
	}
	err := client.EachItem(s.t.Context(), next, func(item wire.Item) error {
		for what, url := range map[string]string{"image": item.ImageURL, "thumbnail": item.Thumbnail} {
			if url == "" {
				continue
			}
			status, _, text := s.ask("GET", url, "")
			sum := sha256.Sum256(text)
			found[what+" of "+item.ReferenceID] = fmt.Sprint(status, hex.EncodeToString(sum[:]))
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// alike takes from answers what two servers that were told the same may differ
// in: ids, which become numbers in the order of their making, times and hashes over ids.
func alike(answers map[string]string) map[string]string {
	var all []string
	for _, text := range answers {
		all = append(all, idPattern.FindAllString(text, -1)...)
	}
	slices.SortFunc(all, func(a, b string) int {
		_, x, _ := strings.Cut(a, "_")
		_, y, _ := strings.Cut(b, "_")
		return strings.Compare(x, y)
	})
	numbers, perKind := make(map[string]string), make(map[string]int)
	for _, id := range slices.Compact(all) {
		kind, _, _ := strings.Cut(id, "_")
		perKind[kind]++
		numbers[id] = fmt.Sprint(kind, "_", perKind[kind])
	}
	name := func(id string) string { return numbers[id] }
	keys := regexp.MustCompile(`\blive_[0-9a-z]{6}\b|"frozen":"[0-9a-f]{64}"|"key":"live_[0-9a-f]{64}"`) // the last is what callbacks are signed with
	times := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(Z|[+-]\d\d:\d\d)`)
	out := make(map[string]string)
	for path, text := range answers {
		text = keys.ReplaceAllString(text, "RANDOM")
		text = times.ReplaceAllString(idPattern.ReplaceAllStringFunc(text, name), "TIME")
		out[idPattern.ReplaceAllStringFunc(path, name)] = text
	}
	return out
}

// compare reports where two servers differ.
func compare(t *testing.T, a, b map[string]string) {
	t.Helper()
	wrong := 0
	for _, path := range slices.Sorted(maps.Keys(a)) {
		if a[path] != b[path] {
			if wrong++; wrong < 6 {
				x, y := apart(a[path], b[path])
				t.Errorf("%s differs:\n%s\n%s", path, x, y)
			}
		}
	}
	if len(a) != len(b) || wrong > 0 {
		t.Errorf("%d of %d answers differ; the other has %d", wrong, len(a), len(b))
	}
}

// apart returns where two texts part.
func apart(a, b string) (string, string) {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	from := max(0, n-200)
	return a[min(from, len(a)):min(n+200, len(a))], b[min(from, len(b)):min(n+200, len(b))]
}

// answers are all that a server shows.
func (s *site) answers(dataset string) map[string]string {
	s.t.Helper()
	found := s.everything()
	maps.Copy(found, s.images(dataset))
	return found
}

func TestAnOutgrownServerAnswersAsTheEmbeddedOne(t *testing.T) {
	t.Parallel()
	folder := writeJPEGs(t, 25)
	embedded := small(t).serve()
	one := embedded.answers(embedded.story(folder, 25))
	other := grown(t).serve("--workers", "0")
	worker, _ := other.worker()
	two := other.answers(other.story(folder, 25))
	compare(t, alike(one), alike(two))
	if all := strings.Join(slices.Collect(maps.Values(one)), "\n"); len(one) < 400 || !strings.Contains(all, `"status":"succeeded"`) {
		t.Errorf("only %d answers were compared, or no evaluation", len(one))
	}
	worker.end()
	other.server.end()
	embedded.server.end()
}

// pile gives a server jobs of several kinds, waits for none, and returns the dataset that is left.
func (s *site) pile(folder string) (dataset string) {
	s.t.Helper()
	const dir = "/v1/nucleus/"
	dataset = s.id("POST", "/api/v1/datasets", `{"name":"horses"}`, "id")
	if _, err := s.client().UploadImages(s.t.Context(), dataset, uploads(s.t, folder)); err != nil {
		s.t.Fatal(err)
	}
	s.json("POST", dir+"dataset/"+dataset+"/annotate", `{"update":false,"annotations":[`+boxes(25, "")+`]}`)
	model := s.id("POST", dir+"models/add", `{"name":"first","reference_id":"m1","metadata":{}}`, "model_id")
	s.json("POST", dir+"dataset/"+dataset+"/model/"+model+"/uploadPredictions", `{"update":false,"annotations":[`+boxes(25, `,"confidence":0.625`)+`]}`)
	s.json("DELETE", dir+"model/"+model, "")
	s.json("POST", dir+"benchmarks", `{"name":"all","dataset_id":"`+dataset+`"}`)
	return dataset
}

func TestAnotherWorkerFinishesTheJobsOfOneThatWasKilled(t *testing.T) {
	t.Parallel() // a worker is given up after a minute
	folder := writeJPEGs(t, 25)
	embedded := small(t).serve()
	dataset := embedded.pile(folder)
	embedded.quiet()
	want := embedded.answers(dataset)

	s := grown(t).serve("--workers", "0")
	worker, bucket := s.worker()
	bucket.Silence() // a job that looks at images does not get on
	dataset = s.pile(folder)
	for {
		_, _, text := s.ask("GET", "/api/v1/jobs", "")
		if strings.Contains(string(text), `"status":"running"`) {
			break
		}
	}
	if err := worker.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-worker.done
	s.worker()
	s.quiet()
	compare(t, alike(want), alike(s.answers(dataset)))
}

// restored is another site, filled from a backup.
func (s *site) restored(backup string, from *site) *site {
	s.t.Helper()
	must(s.t, append([]string{"restore", backup}, s.place()...)...)
	s.key = from.key
	return s.serve()
}

func TestABackupMovesAServerThereAndBack(t *testing.T) {
	t.Parallel()
	first := small(t).serve()
	dataset := first.story(writeJPEGs(t, 25), 25)
	want := first.answers(dataset)
	there, back := filepath.Join(t.TempDir(), "there.tar"), filepath.Join(t.TempDir(), "back.tar")
	must(t, append([]string{"backup", there}, first.place()...)...) // beside the running server
	second := grown(t).restored(there, first)
	compare(t, want, second.answers(dataset))
	must(t, append([]string{"backup", back}, second.place()...)...)
	third := small(t).restored(back, first)
	compare(t, want, third.answers(dataset))
	for _, s := range []*site{first, second, third} {
		s.server.end()
	}
}

func TestTwoServersShareADatabase(t *testing.T) {
	t.Parallel()
	a := grown(t)
	b := &site{t: t, data: t.TempDir(), shared: a.shared}
	var both sync.WaitGroup
	for _, s := range []*site{a, b} { // on an empty database, at once
		both.Go(func() { s.server = begin(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, s.place()...)...) })
	}
	both.Wait()
	var logins []string
	for _, s := range []*site{a, b} {
		if text, err := os.ReadFile(filepath.Join(s.data, loginFile)); err == nil {
			logins = append(logins, string(text))
		}
	}
	if len(logins) != 1 {
		t.Fatalf("%d servers tell the first login", len(logins))
	}
	a.key = regexp.MustCompile(`live_\w+`).FindString(logins[0])
	b.key = a.key
	dataset := a.id("POST", "/api/v1/datasets", `{"name":"horses"}`, "id")
	b.upload(dataset, writeJPEGs(t, 10)) // and jobs of one may run at the other
	for of, at := range map[*site]*site{a: b, b: a} {
		items, err := of.client().Items(t.Context(), dataset, client.Search{}, client.Page{}, false)
		if err != nil || len(items.Items) != 10 {
			t.Fatalf("%d items, %v", len(items.Items), err)
		}
		if status, _, text := at.ask("GET", items.Items[0].ImageURL, ""); status != http.StatusOK {
			t.Errorf("a URL of the other server: %d %s", status, text)
		}
	}
	testSessionAtBoth(t, a, b)
	made := a.json("POST", "/api/v1/keys", `{"name":"short","role":"admin"}`)
	c := &site{t: t, server: b.server, key: made["secret"].(string)}
	c.json("GET", "/api/v1/datasets", "")
	a.act("DELETE", "/api/v1/keys/"+made["key"].(map[string]any)["id"].(string), "")
	if status, _, text := c.ask("GET", "/api/v1/datasets", ""); status != http.StatusUnauthorized {
		t.Errorf("a key that was revoked at the other server: %d %s", status, text)
	}
	a.server.end()
	b.server.end()
}

// testSessionAtBoth logs in at one server and is known at the other.
func testSessionAtBoth(t *testing.T, a, b *site) {
	t.Helper()
	a.json("POST", "/api/v1/users", `{"login":"ada","role":"reviewer","password":"quite a good one"}`)
	cookie, err := a.client().Login(t.Context(), "ada", "quite a good one")
	if err != nil {
		t.Fatal(err)
	}
	ada, err := client.New(b.server.url, client.Options{Session: cookie})
	if err != nil {
		t.Fatal(err)
	}
	if me, err := ada.Me(t.Context()); err != nil || me.Role != "reviewer" {
		t.Errorf("at the other server she is %+v, %v", me, err)
	}
	if err := ada.Logout(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Me(t.Context()); err == nil {
		t.Error("she is known after the logout")
	}
}
