package flow_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"remuda"
	"remuda/blob"
	"remuda/flow"
	"remuda/imageio"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/store"
)

// photo returns a small JPEG file that no other seed gives.
func photo(t testing.TB, seed, width, height int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.Set(x, y, color.RGBA{uint8(x*3 + seed), uint8(y*5 + seed/256), uint8(x*y + seed*7), 255})
		}
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, m, &jpeg.Options{Quality: 80}); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// pillow returns one of imageio's test files.
func pillow(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "imageio", "testdata", "pillow", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// bomb is a small PNG file whose header promises more pixels than are decoded.
func bomb() []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), 20_000)
	header = binary.BigEndian.AppendUint32(header, 20_000)
	header = append(header, 8, 2, 0, 0, 0)
	file := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	file = append(file, header...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(header))
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, f *flow.Flow, caller remuda.Caller)) {
	t.Run("sqlite", func(t *testing.T) {
		f, caller := flowtest.New(t)
		test(t, f, caller)
	})
	t.Run("postgres", func(t *testing.T) {
		f, caller := flowtest.Open(t, postgrestest.New(t))
		test(t, f, caller)
	})
}

func newDataset(t testing.TB, f *flow.Flow, caller remuda.Caller) string {
	t.Helper()
	d, err := f.CreateDataset(t.Context(), caller, flow.NewDataset{Name: "horses"})
	if err != nil {
		t.Fatal(err)
	}
	return d.ID
}

// appendFiles adds files under their names and returns what became of them.
func appendFiles(t testing.TB, f *flow.Flow, caller remuda.Caller, dataset string, names []string, files [][]byte) flow.Appended {
	t.Helper()
	batch := f.ReceiveImages(t.Context())
	for _, file := range files {
		if err := batch.Add(bytes.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	images, err := batch.Wait()
	if err != nil {
		t.Fatal(err)
	}
	items := make([]flow.NewItem, len(names))
	for i, name := range names {
		items[i] = flow.NewItem{ReferenceID: name, ImageURL: "images/" + name, Image: &images[i]}
	}
	done, err := f.AppendItems(t.Context(), caller, dataset, items)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func itemOf(t testing.TB, f *flow.Flow, caller remuda.Caller, dataset, ref string) store.Item {
	t.Helper()
	found, err := f.Item(t.Context(), caller, dataset, flow.ItemChoice{Reference: ref})
	if err != nil {
		t.Fatal(err)
	}
	return found.Item
}

// jobOf returns a job and its errors.
func jobOf(t testing.TB, f *flow.Flow, caller remuda.Caller, id string) (store.Job, []string) {
	t.Helper()
	job, err := f.Job(t.Context(), caller, id)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := f.JobErrors(t.Context(), caller, id)
	if err != nil {
		t.Fatal(err)
	}
	return job, messages
}

func TestAppendedFilesAreKnownAtOnceAndBadOnesLeftOut(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset := newDataset(t, f, caller)
	large := append(photo(t, 1, 40, 30), make([]byte, 3<<20)...) // more than is held in memory
	names := []string{"good.jpg", "turned.jpg", "bomb.png", "text.jpg", "cut.jpg", "empty.jpg", "large.jpg", "wrong-name.png"}
	files := [][]byte{photo(t, 0, 40, 30), pillow(t, "turned-6.jpg"), bomb(), pillow(t, "text.bad.jpg"), pillow(t, "cut.bad.jpg"), nil, large, pillow(t, "lossless.webp")}
	done := appendFiles(t, f, caller, dataset, names, files)
	if got, want := done.Counts(), (flow.AppendCounts{New: 5, Errors: 3}); got != want {
		t.Fatalf("counts %+v, want %+v", got, want)
	}
	turned := itemOf(t, f, caller, dataset, "turned.jpg")
	upright, err := imageio.Decode(files[1])
	if err != nil {
		t.Fatal(err)
	}
	if turned.Orientation != 6 || turned.Width != upright.Width || turned.Height != upright.Height || turned.Format != "jpeg" || turned.Bytes != int64(len(files[1])) {
		t.Errorf("before its job, the turned image is %+v", turned)
	}
	if webp := itemOf(t, f, caller, dataset, "wrong-name.png"); webp.Format != "webp" {
		t.Errorf("a WebP file called .png is said to be %s", webp.Format)
	}
	if item := itemOf(t, f, caller, dataset, "large.jpg"); item.Width != 40 || item.Bytes != int64(len(large)) {
		t.Errorf("the large file is %+v", item)
	}
	flowtest.Drain(t, f)
	job, messages := jobOf(t, f, caller, done.Job.ID)
	if job.Status != store.JobCompleted || job.Done != job.Total {
		t.Errorf("the job is %s, %d of %d", job.Status, job.Done, job.Total)
	}
	for _, name := range []string{"bomb.png", "text.jpg", "empty.jpg", "cut.jpg"} {
		if !slices.ContainsFunc(messages, func(m string) bool { return strings.Contains(m, name) }) {
			t.Errorf("the job's errors don't name %s: %q", name, messages)
		}
	}
	if len(messages) != 4 {
		t.Errorf("%d errors: %q", len(messages), messages)
	}
	if item := itemOf(t, f, caller, dataset, "turned.jpg"); item.PHash == nil || *item.PHash != imageio.PerceptualHash(upright) || item.Problem != "" {
		t.Errorf("after its job, the turned image is %+v", item)
	}
	if cut := itemOf(t, f, caller, dataset, "cut.jpg"); cut.Problem == "" || cut.Blob == "" {
		t.Errorf("the cut image, whose header is good, is %+v", cut)
	}
}

func TestOneFileUnderTenNamesIsStoredOnce(t *testing.T) {
	f, caller := flowtest.New(t)
	dataset := newDataset(t, f, caller)
	file := photo(t, 3, 64, 48)
	var names []string
	var files [][]byte
	for i := range 10 {
		names, files = append(names, fmt.Sprintf("copy %d", i)), append(files, file)
	}
	appendFiles(t, f, caller, dataset, names, files)
	done := appendFiles(t, f, caller, dataset, append(names, "eleventh"), append(files, file))
	if got, want := done.Counts(), (flow.AppendCounts{New: 1, Ignored: 10}); got != want {
		t.Errorf("sent again: %+v, want %+v", got, want)
	}
	flowtest.Drain(t, f)
	blobs := 0
	for info, err := range f.Blobs.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if info.Ref != blob.RefOf(file) {
			t.Errorf("a blob of other bytes: %s", info.Ref)
		}
		blobs++
	}
	if blobs != 1 {
		t.Errorf("%d blobs", blobs)
	}
	for _, name := range append(names, "eleventh") {
		if item := itemOf(t, f, caller, dataset, name); item.PHash == nil || item.Blob != blob.RefOf(file).String() {
			t.Errorf("%s: %+v", name, item)
		}
	}
}

// web serves files by URL; others fail.
type web struct {
	files map[string][]byte
	calls atomic.Int64
}

func (w *web) Fetch(_ context.Context, url string, to io.Writer, maxBytes int64) (flow.Fetched, error) {
	w.calls.Add(1)
	file, ok := w.files[url]
	if !ok {
		return flow.Fetched{}, remuda.Errorf(remuda.Unavailable, "fetch %s: it answers 404 Not Found", url)
	}
	if int64(len(file)) > maxBytes {
		return flow.Fetched{}, remuda.Errorf(remuda.Invalid, "fetch %s: it is too large", url)
	}
	n, err := to.Write(file)
	return flow.Fetched{Bytes: int64(n)}, err
}

// stage puts lines under a request id.
func stage(t testing.TB, f *flow.Flow, dataset, request, lines string) {
	t.Helper()
	if err := f.StageUpload(t.Context(), remuda.Live, dataset, request, strings.NewReader(lines)); err != nil {
		t.Fatal(err)
	}
}

func TestStagedItemsAreThereAtOnceAndFetchedByTheirJob(t *testing.T) {
	onBoth(t, stagedItemsAreThereAtOnceAndFetchedByTheirJob)
}

func stagedItemsAreThereAtOnceAndFetchedByTheirJob(t *testing.T, f *flow.Flow, caller remuda.Caller) {
	dataset := newDataset(t, f, caller)
	there := &web{files: map[string][]byte{"http://images.test/a.jpg": photo(t, 1, 40, 30), "http://images.test/page": []byte("<html>hello</html>")}}
	f.Fetcher = there
	stage(t, f, dataset, "r1", `{"reference_id":"a","image_url":"http://images.test/a.jpg","metadata":{"n":1}}
{"reference_id":"b","image_url":"http://images.test/missing.jpg","metadata":{}}

not JSON
{"reference_id":"c","image_url":"http://images.test/page"}
{"reference_id":"d","image_url":"d.jpg"}
`)
	job, err := f.AppendUpload(t.Context(), caller, dataset, "r1", false)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.CountItems(t.Context(), caller, dataset); n != 3 || err != nil {
		t.Errorf("%d items before the job (%v), want 3", n, err)
	}
	again, err := f.AppendUpload(t.Context(), caller, dataset, "r1", false)
	if err != nil || again.ID != job.ID {
		t.Errorf("asked again: job %s (%v), want %s", again.ID, err, job.ID)
	}
	flowtest.Drain(t, f)
	again, err = f.AppendUpload(t.Context(), caller, dataset, "r1", false)
	if err != nil || again.ID != job.ID {
		t.Errorf("asked again after its end: job %s (%v), want %s", again.ID, err, job.ID)
	}
	if n := there.calls.Load(); n != 3 {
		t.Errorf("%d fetches, want 3", n)
	}
	job, messages := jobOf(t, f, caller, job.ID)
	if job.Status != store.JobCompleted || len(messages) != 4 {
		t.Errorf("job %s with errors %q, want completed with 4", job.Status, messages)
	}
	if a := itemOf(t, f, caller, dataset, "a"); a.Width != 40 || a.PHash == nil || a.ImageURL != "http://images.test/a.jpg" || string(a.Metadata) != `{"n":1}` {
		t.Errorf("a is %+v", a)
	}
	for ref, want := range map[string]string{"b": "404", "c": "no image"} {
		if item := itemOf(t, f, caller, dataset, ref); !strings.Contains(item.Problem, want) || item.Blob != "" {
			t.Errorf("%s is %+v, want a problem with %q", ref, item, want)
		}
	}
	// What was out of reach is fetched when it is sent again.
	there.files["http://images.test/missing.jpg"] = photo(t, 2, 20, 10)
	stage(t, f, dataset, "r2", `{"reference_id":"b","image_url":"http://images.test/missing.jpg"}`)
	if _, err := f.AppendUpload(t.Context(), caller, dataset, "r2", false); err != nil {
		t.Fatal(err)
	}
	flowtest.Drain(t, f)
	if b := itemOf(t, f, caller, dataset, "b"); b.Problem != "" || b.Width != 20 {
		t.Errorf("b is %+v", b)
	}
}

func TestALargeUploadIsAddedByItsJobAndGoesOnAfterAStop(t *testing.T) {
	onBoth(t, aLargeUploadIsAddedByItsJobAndGoesOnAfterAStop)
}

func aLargeUploadIsAddedByItsJobAndGoesOnAfterAStop(t *testing.T, f *flow.Flow, caller remuda.Caller) {
	dataset := newDataset(t, f, caller)
	const n = 1200
	files := make(map[string][]byte)
	var lines strings.Builder
	pad := strings.Repeat("x", 4000)
	for i := range n {
		url := fmt.Sprintf("http://images.test/%d.jpg", i)
		files[url] = photo(t, i, 8, 8)
		fmt.Fprintf(&lines, `{"reference_id":"%d","image_url":%q,"metadata":{"pad":%q}}`+"\n", i, url, pad)
	}
	there := &stopping{web: web{files: files}, at: 100}
	f.Fetcher = there
	stage(t, f, dataset, "big", lines.String())
	job, err := f.AppendUpload(t.Context(), caller, dataset, "big", false)
	if err != nil {
		t.Fatal(err)
	}
	if count, _ := f.CountItems(t.Context(), caller, dataset); count != 0 {
		t.Errorf("%d items before the job: the upload is not large", count)
	}
	// The first attempt is stopped amid the fetching, as the server's end stops it.
	ctx, stop := context.WithCancelCause(t.Context())
	there.stop = func() { stop(errors.New("the server stops")) }
	ref := []byte(fmt.Sprintf(`{"job":%q}`, job.ID))
	if err := f.JobHandlers()["uploadDatasetItems"](ctx, ref); err == nil {
		t.Fatal("a stopped job has no error")
	}
	there.stop = func() {}
	flowtest.Drain(t, f)
	job, messages := jobOf(t, f, caller, job.ID)
	if job.Status != store.JobCompleted || len(messages) != 0 || !strings.Contains(string(job.Result), `"new_items":1200`) || job.Done != job.Total {
		t.Errorf("job %s (%s), %d of %d, result %s, errors %q", job.Status, job.Problem, job.Done, job.Total, job.Result, messages)
	}
	items, err := f.Items(t.Context(), caller, dataset, -1, 0)
	if err != nil || len(items) != n {
		t.Fatalf("%d items (%v)", len(items), err)
	}
	for i, item := range items {
		if item.ReferenceID != fmt.Sprint(i) || item.PHash == nil {
			t.Fatalf("item %d is %+v", i, item)
		}
	}
	if calls := there.calls.Load(); calls < n || calls > n+100 {
		t.Errorf("%d fetches for %d images", calls, n)
	}
}

// stopping calls stop at a fetch.
type stopping struct {
	web
	at   int64
	stop func()
}

func (s *stopping) Fetch(ctx context.Context, url string, to io.Writer, maxBytes int64) (flow.Fetched, error) {
	if s.calls.Load() == s.at {
		s.stop()
	}
	if ctx.Err() != nil {
		return flow.Fetched{}, ctx.Err()
	}
	return s.web.Fetch(ctx, url, to, maxBytes)
}

func TestItemsThatCannotBeTakenSayWhy(t *testing.T) {
	f, caller := flowtest.New(t)
	plain := newDataset(t, f, caller)
	private, err := f.CreateDataset(t.Context(), caller, flow.NewDataset{Name: "private", PrivacyMode: true})
	if err != nil {
		t.Fatal(err)
	}
	const url = "http://images.test/a.jpg"
	for _, c := range []struct {
		name    string
		dataset string
		item    flow.NewItem
		want    string // "" if it is taken
	}{
		{"a URL", plain, flow.NewItem{ReferenceID: "a", ImageURL: url}, ""},
		{"s3", plain, flow.NewItem{ReferenceID: "b", ImageURL: "s3://bucket/a.jpg"}, ""},
		{"no reference id", plain, flow.NewItem{ImageURL: url}, "reference_id"},
		{"a long reference id", plain, flow.NewItem{ReferenceID: strings.Repeat("x", 1001), ImageURL: url}, "reference_id"},
		{"a zero byte", plain, flow.NewItem{ReferenceID: "a\x00", ImageURL: url}, "reference_id"},
		{"no URL", plain, flow.NewItem{ReferenceID: "c"}, "image_url"},
		{"a path without its file", plain, flow.NewItem{ReferenceID: "c", ImageURL: "c.jpg"}, "http"},
		{"a script", plain, flow.NewItem{ReferenceID: "c", ImageURL: "javascript:alert(1)"}, "http"},
		{"metadata that is a list", plain, flow.NewItem{ReferenceID: "c", ImageURL: url, Metadata: []byte(`[1]`)}, "object"},
		{"null metadata", plain, flow.NewItem{ReferenceID: "n", ImageURL: url, Metadata: []byte(`null`)}, ""},
		{"private without a size", private.ID, flow.NewItem{ReferenceID: "a", ImageURL: url}, "width"},
		{"private with a size", private.ID, flow.NewItem{ReferenceID: "a", ImageURL: url, Width: 4, Height: 3}, ""},
	} {
		done, err := f.AppendItems(t.Context(), caller, c.dataset, []flow.NewItem{c.item})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := done.Items[0].Err
		if (c.want == "") != (got == nil) || got != nil && !strings.Contains(got.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, got, c.want)
		}
	}
	there := &web{}
	f.Fetcher = there
	flowtest.Drain(t, f)
	if n := there.calls.Load(); n != 3 {
		t.Errorf("%d fetches: those of the private dataset must not be fetched, each other one once", n)
	}
	if item := itemOf(t, f, caller, private.ID, "a"); item.Width != 4 || item.Problem != "" {
		t.Errorf("the private item is %+v", item)
	}
}

func TestVectorsThatComeWithItemsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, f *flow.Flow, caller remuda.Caller) {
		dataset := newDataset(t, f, caller)
		var index store.EmbeddingIndex
		err := f.DB.Write(t.Context(), caller, func(tx *store.Tx) (err error) {
			index, err = tx.CreateEmbeddingIndex(store.EmbeddingIndex{Dataset: dataset, Type: store.EmbeddingsCustom, Dimension: 2})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		item := func(ref, index string, vector ...float64) flow.NewItem {
			return flow.NewItem{ReferenceID: ref, ImageURL: "http://images.test/" + ref, Update: true, Embedding: &flow.ItemEmbedding{Index: index, Vector: vector}}
		}
		done, err := f.AppendItems(t.Context(), caller, dataset, []flow.NewItem{
			item("a", index.ID, 1, 2), item("a", index.ID, 0.5, -3e-9), item("short", index.ID, 1), item("none", "emb_none", 1, 2), {ReferenceID: "plain", ImageURL: "http://images.test/p"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := done.Counts(), (flow.AppendCounts{New: 2, Updated: 1, Errors: 2}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		var found []store.Embedding
		err = f.Embeddings(t.Context(), caller, dataset, func(e store.Embedding) error { found = append(found, e); return nil })
		if err != nil || len(found) != 1 || found[0].Reference != "a" || string(found[0].Vector) != "[0.5,-3e-9]" {
			t.Errorf("vectors %+v (%v)", found, err)
		}
	})
}

func TestAppendingNeedsTheRightDatasetAndRole(t *testing.T) {
	f, caller := flowtest.New(t)
	scenes, err := f.CreateDataset(t.Context(), caller, flow.NewDataset{Name: "scenes", IsScene: true})
	if err != nil {
		t.Fatal(err)
	}
	dataset := newDataset(t, f, caller)
	reviewer, other := caller, caller
	reviewer.Role, other.World = remuda.Reviewer, remuda.Test
	for _, c := range []struct {
		name    string
		caller  remuda.Caller
		dataset string
		want    remuda.Code
	}{
		{"a dataset of scenes", caller, scenes.ID, remuda.Invalid},
		{"a reviewer", reviewer, dataset, remuda.Unauthorized},
		{"the other world", other, dataset, remuda.NotFound},
		{"no dataset", caller, "ds_none", remuda.NotFound},
	} {
		if _, err := f.AppendItems(t.Context(), c.caller, c.dataset, []flow.NewItem{{ReferenceID: "a", ImageURL: "http://a"}}); remuda.CodeOf(err) != c.want {
			t.Errorf("%s: AppendItems returns %v, want %s", c.name, err, c.want)
		}
		if _, err := f.UploadURL(t.Context(), c.caller, c.dataset, "r"); c.want != remuda.Invalid && remuda.CodeOf(err) != c.want {
			t.Errorf("%s: UploadURL returns %v, want %s", c.name, err, c.want)
		}
	}
}

func TestADeletedDatasetIsGoneAtOnceAndItsBytesLater(t *testing.T) {
	onBoth(t, aDeletedDatasetIsGoneAtOnceAndItsBytesLater)
}

func aDeletedDatasetIsGoneAtOnceAndItsBytesLater(t *testing.T, f *flow.Flow, caller remuda.Caller) {
	dataset, kept := newDataset(t, f, caller), newDataset(t, f, caller)
	alone, shared := photo(t, 1, 40, 30), photo(t, 2, 40, 30)
	appendFiles(t, f, caller, dataset, []string{"a", "b"}, [][]byte{alone, shared})
	appendFiles(t, f, caller, kept, []string{"b"}, [][]byte{shared})
	flowtest.Drain(t, f)
	if _, err := f.DeleteDataset(t.Context(), caller, dataset); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Items(t.Context(), caller, dataset, -1, 0); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("items of a deleted dataset: %v", err)
	}
	if _, _, err := f.OpenImage(t.Context(), blob.RefOf(alone).String()); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("an image of a deleted dataset: %v", err)
	}
	file, _, err := f.OpenImage(t.Context(), blob.RefOf(shared).String())
	if err != nil {
		t.Fatalf("an image that another dataset has too: %v", err)
	}
	file.Close()
	if _, err := f.DeleteDataset(t.Context(), caller, dataset); remuda.CodeOf(err) != remuda.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	flowtest.Drain(t, f)
	swept, err := f.Tidy(t.Context())
	if err != nil || swept.Removed != 0 || swept.Kept != 2 {
		t.Errorf("young blobs are swept: %+v (%v)", swept, err)
	}
	f.Now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	swept, err = f.Tidy(t.Context())
	if err != nil || swept.Removed != 1 || swept.Kept != 1 {
		t.Errorf("two days later: %+v (%v)", swept, err)
	}
}
