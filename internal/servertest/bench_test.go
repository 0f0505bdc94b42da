package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"remuda"
	"remuda/geom"
	"remuda/internal/postgrestest"
	"remuda/store"
)

const (
	benchItems  = 100_000
	benchBoxes  = 10 // of an item, on average; 3 in 10 are predictions
	benchBatch  = 500
	benchScored = 2000 // items of the evaluation "night"
)

// kinds are filters of items: one of each kind that the language has.
func kinds() [][2]string {
	return [][2]string{
		{"none", ""}, {"category", "any annotation (category = zebra)"}, {"count", "count(horse) > 8"}, {"box size", "any box (area < 60)"}, {"box shape", "any box (aspect > 1.45)"},
		{"metadata", "metadata.weather = hail"}, {"author", "author = nobody"}, {"source", `any prediction (source = "horses")`}, {"confidence", "any prediction (confidence < 0.001)"},
		{"evaluation match", "any box (match(night) = fp)"}, {"tag", "tag = rare"}, {"date", "created > 2026-01-01"}, {"text", `text contains "77777"`},
	}
}

// BenchmarkServer measures the whole server from outside, on a data set of
// 100,000 items with a million boxes, on both databases, and prints a table.
// REMUDA_BENCH_DATABASE=sqlite or postgres measures one; the SQLite file is
// kept in REMUDA_BENCH_KEEP.
func BenchmarkServer(b *testing.B) {
	p := Build(b)
	only := os.Getenv("REMUDA_BENCH_DATABASE")
	for b.Loop() {
		if only != "postgres" {
			dir := os.Getenv("REMUDA_BENCH_KEEP")
			if dir == "" {
				dir = b.TempDir()
			}
			measure(b, p, "SQLite", filepath.Join(dir, "remuda.db"), []string{"--data", dir})
		}
		if only != "sqlite" {
			location := postgrestest.New(b)
			measure(b, p, "PostgreSQL", location, []string{"--data", b.TempDir(), "--database", location})
		}
	}
}

// bench is a server with its data set.
type bench struct {
	*testing.B
	name    string
	server  *Server
	api     string // of our own API
	old     caller // of the dataset API
	dataset string
	ids     []string // of items
}

func measure(b *testing.B, p Program, name, location string, place []string) {
	key := p.Key(b, place, "bench", "--role", "admin")
	dataset, ids := fill(b, name, location)
	s := p.Serve(b, place...)
	m := &bench{B: b, name: name, server: s, api: s.URL + "/api/v1", old: newCaller(s.URL, key), dataset: dataset, ids: ids}
	m.old.http.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	fmt.Printf("\n%s: %d items\n| what | n | p50 | p95 | p99 | must |\n|---|---|---|---|---|---|\n", name, len(ids))
	m.row("memory after start", fmt.Sprintf("%d MiB", m.resident("VmRSS")>>20), "< 60 MiB")
	m.evaluated()
	m.pages()
	m.counts()
	m.syncs()
	m.saves()
	m.uploads(p, key)
	m.pulls()
	m.export()
	m.browsing()
	s.Kill()
}

func (m *bench) row(what, got, must string) { fmt.Printf("| %s | | %s | | | %s |\n", what, got, must) }

// times prints a row of quantiles in milliseconds.
func (m *bench) times(what string, took []time.Duration, must string) {
	slices.Sort(took)
	at := func(q float64) string {
		return strconv.FormatFloat(float64(took[min(len(took)-1, int(q*float64(len(took))))].Microseconds())/1000, 'f', 1, 64)
	}
	fmt.Printf("| %s | %d | %s ms | %s ms | %s ms | %s |\n", what, len(took), at(0.5), at(0.95), at(0.99), must)
}

// resident is how much memory the server's process has, in bytes; of its own,
// without the pages of files that are mapped into it, as RssAnon.
func (m *bench) resident(field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.server.PID()))
	if err != nil {
		m.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), field+":")
	kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		m.Fatal(err)
	}
	return kilobytes << 10
}

// peak is the most memory that the server had while do ran.
func (m *bench) peak(field string, do func()) int64 {
	done, highest := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			most = max(most, m.resident(field))
			select {
			case <-done:
				highest <- most
				return
			case <-tick.C:
			}
		}
	}()
	do()
	close(done)
	return <-highest
}

// get reads a whole answer and returns how long that took.
func (m *bench) get(method, address string, body any, into any) time.Duration {
	m.Helper()
	took, err := m.try(method, address, body, into)
	if err != nil {
		m.Fatal(err)
	}
	return took
}

func (m *bench) try(method, address string, body any, into any) (time.Duration, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(context.Background(), method, address, bytes.NewReader(sent))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+m.old.key)
	begin := time.Now()
	answer, err := m.old.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if into == nil && answer.StatusCode < 300 {
		_, err = io.Copy(io.Discard, answer.Body)
		return time.Since(begin), err
	}
	text, err := io.ReadAll(answer.Body)
	took := time.Since(begin)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %.300s", method, address, answer.Status, text)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	return took, err
}

func (m *bench) items(filter string) string {
	return m.api + "/datasets/" + m.dataset + "/items?limit=100&filter=" + url.QueryEscape(filter)
}

func (m *bench) pages() {
	for _, kind := range kinds() {
		var took []time.Duration
		var page struct{ Items []json.RawMessage }
		for range 60 {
			took = append(took, m.get("GET", m.items(kind[1]), nil, &page))
		}
		must := "p95 < 200 ms"
		if kind[1] == "" {
			must = "p95 < 100 ms"
		}
		m.times(fmt.Sprintf("first page of 100 (%d there), filter: %s", len(page.Items), kind[0]), took, must)
	}
	var took []time.Duration
	next := ""
	for range 60 {
		var page struct{ Next string }
		took = append(took, m.get("GET", m.items("")+"&cursor="+url.QueryEscape(next), nil, &page))
		next = page.Next
	}
	m.times("later pages of 100", took, "")
}

func (m *bench) counts() {
	for _, kind := range kinds() {
		var took []time.Duration
		for range 5 {
			took = append(took, m.get("GET", m.api+"/datasets/"+m.dataset+"/items/count?filter="+url.QueryEscape(kind[1]), nil, nil))
		}
		m.times("count, filter: "+kind[0], took, "< 1 s")
	}
}

// syncs measures what the disk itself takes to keep 4 kB.
func (m *bench) syncs() {
	f, err := os.Create(filepath.Join(m.TempDir(), "sync"))
	if err != nil {
		m.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	for range 300 {
		begin := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			m.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			m.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	m.times("4 kB to this disk, with fsync, for comparison", took, "")
}

// saves writes images' boxes at 50 a second while four people browse.
func (m *bench) saves() {
	ctx, stop := context.WithCancel(context.Background())
	var readers, writers sync.WaitGroup
	for n := range 4 {
		readers.Go(func() { m.browse(ctx, uint64(n)) })
	}
	var mu sync.Mutex
	var took []time.Duration
	random := rand.New(rand.NewPCG(3, 4))
	tick := time.NewTicker(20 * time.Millisecond)
	for range 1000 {
		<-tick.C
		id := m.ids[random.IntN(len(m.ids))]
		writers.Go(func() {
			d, err := m.save(id)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				m.Error(err)
				return
			}
			took = append(took, d)
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
	m.times("save of an image's boxes, 50 a second, 4 readers", took, "p99 < 50 ms")
}

// save moves the first box of an item by a pixel and sends them all.
func (m *bench) save(id string) (time.Duration, error) {
	var item struct {
		Revision    int64
		Annotations []struct {
			ID       string             `json:"id"`
			Category string             `json:"category"`
			Box      map[string]float64 `json:"box"`
		}
	}
	if _, err := m.try("GET", m.api+"/items/"+id, nil, &item); err != nil {
		return 0, err
	}
	if len(item.Annotations) > 0 {
		item.Annotations[0].Box["x1"]++
	}
	return m.try("PUT", m.api+"/items/"+id+"/annotations", map[string]any{"base": item.Revision, "annotations": item.Annotations}, nil)
}

// browse reads pages as someone does who looks at the grid.
func (m *bench) browse(ctx context.Context, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 5))
	for ctx.Err() == nil {
		address := m.items(kinds()[random.IntN(len(kinds()))][1])
		if random.IntN(2) == 0 {
			address = m.api + "/items/" + m.ids[random.IntN(len(m.ids))]
		}
		if _, err := m.try("GET", address, nil, nil); err != nil {
			m.Error(err)
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(100+random.IntN(400)) * time.Millisecond): // what a person takes to look
		}
	}
}

// uploads sends a folder of small images with the program's own command.
func (m *bench) uploads(p Program, key string) {
	const images = 2000
	folder, first := m.TempDir(), uint64(time.Now().UnixNano()) // images that no server has seen
	for n := range uint64(images) {
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%04d.jpg", n)), picture(m, first+n, 10_000), 0o600); err != nil {
			m.Fatal(err)
		}
	}
	dataset := m.old.dataset(m)
	cmd := p.Command(m, "dataset", "upload", dataset, folder)
	cmd.Env = append(cmd.Env, "REMUDA_SERVER="+m.server.URL, "REMUDA_API_KEY="+key)
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		m.Fatalf("remuda dataset upload: %v: %s", err, out)
	}
	m.row(fmt.Sprintf("upload of %d JPEGs of 11 kB", images), fmt.Sprintf("%.0f a second", images/time.Since(begin).Seconds()), ">= 200 a second")
}

// pulls reads a slice of 10,000 items as the Python client does.
func (m *bench) pulls() {
	var made struct {
		ID string `json:"slice_id"`
	}
	m.old.json(m, "POST", "dataset/"+m.dataset+"/create_slice", map[string]any{"name": "pull " + strconv.FormatInt(time.Now().UnixNano(), 36), "dataset_item_ids": m.ids[:10_000]}, &made)
	var took []time.Duration
	for range 5 {
		took = append(took, m.get("GET", m.old.base+"slice/"+made.ID+"/exportForTraining", nil, nil))
	}
	m.times("items_and_annotations() of 10,000 items, the server's share", took, "< 2 s")
}

func (m *bench) export() {
	before := m.resident("RssAnon")
	var took time.Duration
	most := m.peak("RssAnon", func() { took = m.get("GET", m.api+"/datasets/"+m.dataset+"/labels?format=coco", nil, nil) })
	m.row(fmt.Sprintf("export of %d items as COCO", len(m.ids)), fmt.Sprintf("%.1f s", took.Seconds()), "< 15 s")
	m.row("memory that the export adds, without pages of the mapped database", fmt.Sprintf("%d MiB", (most-before)>>20), "< 64 MiB")
}

func (m *bench) browsing() {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	var own int64
	most := m.peak("VmRSS", func() {
		own = m.peak("RssAnon", func() {
			var people sync.WaitGroup
			for n := range 20 {
				people.Go(func() { m.browse(ctx, uint64(100+n)) })
			}
			people.Wait()
		})
	})
	m.row("memory with 20 people browsing (without mapped pages)", fmt.Sprintf("%d MiB (%d MiB)", most>>20, own>>20), "< 400 MiB")
}

// evaluated scores the predictions of the first items as the evaluation "night".
func (m *bench) evaluated() {
	var rows []map[string]any
	m.get("GET", m.old.base+"models/", nil, &map[string]any{})
	var models struct {
		Models []struct{ ID string } `json:"models"`
	}
	m.get("GET", m.old.base+"models/", nil, &models)
	m.get("GET", m.old.base+"model/"+models.Models[0].ID+"/evaluationsV2", nil, &rows)
	if len(rows) > 0 {
		return
	}
	var runs []string
	m.get("GET", m.old.base+"model/"+models.Models[0].ID+"/modelRun", nil, &runs)
	var mark struct {
		ID  string `json:"benchmark_id"`
		Job string `json:"job_id"`
	}
	m.get("POST", m.old.base+"benchmarks", map[string]any{"name": "night", "item_ids": m.ids[:benchScored]}, &mark)
	m.wait(m.old.base+"job/"+mark.Job, "Completed")
	var made struct {
		ID string `json:"evaluation_id"`
	}
	m.get("POST", m.old.base+"benchmarks/"+mark.ID+"/evaluationsV2", map[string]any{"model_run_id": runs[0], "name": "night"}, &made)
	m.wait(m.old.base+"evaluationsV2/"+made.ID, "succeeded")
}

func (m *bench) wait(address, status string) {
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		var got struct{ Status string }
		m.get("GET", address, nil, &got)
		if got.Status == status {
			return
		}
		if got.Status != "Running" && got.Status != "pending" && got.Status != "computing" {
			m.Fatalf("%s: %s", address, got.Status)
		}
	}
}

// fill returns the data set of a database, which it makes if there is none.
func fill(b *testing.B, name, location string) (dataset string, ids []string) {
	db, err := store.Open(b.Context(), location, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	who := remuda.Caller{User: "usr_bench", Role: remuda.Admin, World: remuda.Live}
	g := &generator{random: rand.New(rand.NewPCG(1, 2))}
	err = db.Write(b.Context(), who, func(tx *store.Tx) error { return g.start(tx) })
	begin := time.Now()
	for from := int(g.there); from < benchItems && err == nil; from += benchBatch {
		err = db.Write(b.Context(), who, func(tx *store.Tx) error { return g.write(tx, from) })
	}
	if err != nil {
		b.Fatal(err)
	}
	if g.there < benchItems {
		if strings.HasPrefix(location, "postgres") {
			analyze(b, location) // as the server does by itself within a minute
		}
		fmt.Printf("%s: made in %v\n", name, time.Since(begin).Round(time.Second))
	}
	for after := int64(-1); ; {
		var page []store.Item
		err := db.Read(b.Context(), who, func(tx *store.Tx) (err error) {
			page, err = tx.ItemsAfter(g.dataset, after, 10_000)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if len(page) == 0 {
			return g.dataset, ids
		}
		for _, item := range page {
			ids, after = append(ids, item.ID), item.Position
		}
	}
}

// analyze counts what there is, for PostgreSQL's plans.
func analyze(b *testing.B, location string) {
	conn, err := pgx.Connect(b.Context(), location)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(b.Context())
	if _, err := conn.Exec(b.Context(), "VACUUM ANALYZE"); err != nil {
		b.Fatal(err)
	}
}

// generator makes up items with boxes.
type generator struct {
	random       *rand.Rand
	dataset, run string
	there        int64
}

func (g *generator) start(tx *store.Tx) error {
	all, err := tx.Datasets()
	for _, d := range all {
		if err == nil && d.Name == "bench" {
			g.dataset = d.ID
			g.there, err = tx.CountItems(d.ID)
			return err
		}
	}
	if err != nil {
		return err
	}
	d, err := tx.CreateDataset(store.Dataset{Name: "bench"})
	if err != nil {
		return err
	}
	model, err := tx.CreateModel(store.Model{Name: "horses", ReferenceID: "horses"})
	if err != nil {
		return err
	}
	run, err := tx.CreateRun(store.Run{Model: model.ID, Name: "horses", ReferenceID: "horses"})
	g.dataset, g.run = d.ID, run.ID
	return err
}

func (g *generator) write(tx *store.Tx, from int) error {
	items := make([]store.Item, benchBatch)
	for i := range items {
		items[i] = g.item(from + i)
	}
	added, err := tx.AddItems(g.dataset, items, false)
	if err != nil {
		return err
	}
	for i, a := range added {
		if (from+i)%10_000 == 9_999 {
			if err := tx.AddTags(a.ID, []string{"rare"}); err != nil {
				return err
			}
		}
		var truth, guesses []store.Annotation
		for range g.random.IntN(2*benchBoxes + 1) {
			if g.random.IntN(10) < 3 {
				guesses = append(guesses, g.box(true))
			} else {
				truth = append(truth, g.box(false))
			}
		}
		if _, _, err := tx.PutAnnotations(a.ID, "", truth, false); err != nil {
			return err
		}
		if g.run != "" && len(guesses) > 0 {
			if _, _, err := tx.PutAnnotations(a.ID, g.run, guesses, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *generator) item(i int) store.Item {
	weather := []string{"sun", "sun", "sun", "cloud", "rain", "snow", "fog"}[g.random.IntN(7)]
	if i%10_000 == 5_555 {
		weather = "hail"
	}
	metadata, _ := json.Marshal(map[string]any{"weather": weather, "frame": i, "night": i%4 == 0, "place": map[string]any{"city": "Oslo"}}) // texts and numbers can always be written
	return store.Item{ReferenceID: fmt.Sprintf("cam%d/frame_%06d.jpg", i%7, i), ImageURL: "https://images.example/frame.jpg", Width: 640, Height: 480, Metadata: metadata}
}

func (g *generator) box(guess bool) store.Annotation {
	category := []string{"horse", "horse", "horse", "dog", "cat"}[g.random.IntN(5)]
	if g.random.IntN(20_000) == 0 {
		category = "zebra"
	}
	side := math.Exp(g.random.Float64()*4 + 1.5)
	x, y, width := math.Round(g.random.Float64()*400), math.Round(g.random.Float64()*300), side*(0.5+g.random.Float64())
	body, _ := json.Marshal(map[string]any{"geometry": map[string]float64{"x": x, "y": y, "width": width, "height": side}}) // numbers can always be written
	a := store.Annotation{Type: store.TypeBox, Category: category, Key: strconv.FormatUint(g.random.Uint64(), 36), Box: &geom.Box{X0: x, Y0: y, X1: x + width, Y1: y + side}, Metadata: json.RawMessage("{}"), Body: body, Source: store.SourceHuman}
	if guess {
		confidence := g.random.Float64()
		a.Confidence, a.Source = &confidence, store.SourceModel
	}
	return a
}
