package store

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"remuda/geom"
	"remuda/internal/postgrestest"
	"remuda/slice"
)

const (
	benchItems = 100_000
	benchBoxes = 10 // of an item, on average
)

// benchFilters are filters of each kind, each once for a common match and once for a rare one.
func benchFilters() [][2]string {
	return [][2]string{
		{"nothing", ""},
		{"category", "any annotation (category = horse)"},
		{"category rare", "any annotation (category = zebra)"},
		{"count", "count(horse) > 3"},
		{"count rare", "count(horse) > 14"},
		{"no boxes", "no annotation"},
		{"size", "any box (area < 32 * 32)"},
		{"size rare", "any box (area < 5)"},
		{"size of category", "any annotation (category = dog and area > 200000)"},
		{"shape", "any box (aspect > 1.3)"},
		{"shape range", "any annotation (category = horse and aspect in 2..2.001)"},
		{"metadata", "metadata.weather = rain"},
		{"metadata rare", "metadata.weather = hail"},
		{"metadata number", "metadata.frame_number % 5 = 0"},
		{"metadata number rare", "metadata.frame_number in 77000..77010"},
		{"author", "author = ann"},
		{"author rare", "author = zoe"},
		{"author of boxes rare", "any annotation (author = zoe)"},
		{"source", "any prediction (source = \"horses 1\")"},
		{"source rare", "any prediction (source = \"horses 2\")"},
		{"confidence", "any prediction (confidence < 0.3)"},
		{"confidence rare", "any prediction (confidence < 0.00002)"},
		{"match", "any box (match(night) = fp)"},
		{"match rare", "any box (match(night) = ignored)"},
		{"iou", "any box (match(night) = tp and iou(night) < 0.6)"},
		{"tag", "tag = night"},
		{"tag rare", "tag = rare"},
		{"date", "created in 2026-01-10..2026-03-10"},
		{"date rare", "created in 2026-02-02T00:00:00Z..2026-02-02T00:20:00Z"},
		{"text", "text contains barn"},
		{"text rare", "text contains \"77777\""},
		{"both", "metadata.weather = fog and count(dog) > 1 and not tag = night"},
		{"late", "created > 2026-03-05"},
	}
}

func benchBoxFilters() [][2]string {
	return [][2]string{
		{"all boxes", ""},
		{"boxes of category", "category = horse"},
		{"boxes of category rare", "category = zebra"},
		{"small boxes", "category = horse and area < 32 * 32"},
		{"tiny boxes", "area < 5"},
		{"errors", "source = \"horses 1\" and confidence > 0.5 and match(night) = fp"},
		{"wide boxes", "width > 0.5 * item.width"},
		{"boxes in fog", "item.metadata.weather = fog and category = dog"},
	}
}

// BenchmarkFilters reads first pages and counts; with REMUDA_BENCH_DB the SQLite file is kept there.
func BenchmarkFilters(b *testing.B) {
	path := os.Getenv("REMUDA_BENCH_DB")
	if path == "" {
		path = filepath.Join(b.TempDir(), "remuda.db")
	}
	for _, location := range []string{path, postgrestest.New(b)} {
		db, err := Open(b.Context(), location, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(db.Dialect()), func(b *testing.B) {
			dataset := benchDataset(b, db)
			for _, c := range benchFilters() {
				benchFilter(b, db, dataset, slice.Items, c[0], c[1])
			}
			for _, c := range benchBoxFilters() {
				benchFilter(b, db, dataset, slice.Boxes, c[0], c[1])
			}
		})
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchFilter(b *testing.B, db *DB, dataset string, level slice.Level, name, text string) {
	f, err := slice.Parse(text, level)
	if err != nil {
		b.Fatal(err)
	}
	rows := 0
	b.Run(name+"/page", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			begin := time.Now()
			err := db.Read(b.Context(), manager, func(tx *Tx) (err error) {
				if level == slice.Boxes {
					found, err := tx.FilterBoxes(dataset, "", f, BoxCursor{Position: -1}, 100)
					rows = len(found)
					return err
				}
				found, err := tx.FilterItems(dataset, "", f, -1, 100)
				rows = len(found)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms-p95")
		b.ReportMetric(float64(rows), "rows")
	})
	b.Run(name+"/count", func(b *testing.B) {
		for b.Loop() {
			var n int64
			err := db.Read(b.Context(), manager, func(tx *Tx) (err error) {
				n, err = tx.CountFiltered(dataset, "", f)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(n), "rows")
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms")
	})
}

// benchDataset returns the dataset of the benchmark, which it makes if the database is empty.
func benchDataset(b *testing.B, db *DB) (dataset string) {
	b.Helper()
	err := db.Write(b.Context(), manager, func(tx *Tx) error {
		there, err := tx.Datasets()
		if err != nil {
			return err
		}
		if len(there) > 0 {
			dataset = there[0].ID
			return nil
		}
		d, err := tx.CreateDataset(Dataset{Name: "bench"})
		dataset = d.ID
		if err != nil {
			return err
		}
		_, err = tx.exec("INSERT INTO evaluation (id, world, name) VALUES ('night', 'live', 'night')")
		for _, model := range []string{"1", "2"} {
			if err == nil {
				_, err = tx.exec("INSERT INTO model (id, world, name) VALUES ($1, 'live', $2)", "mdl_"+model, "horses "+model)
			}
			if err == nil {
				_, err = tx.exec("INSERT INTO model_run (id, model) VALUES ($1, $2)", "run_"+model, "mdl_"+model)
			}
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	var items int64
	err = db.Read(b.Context(), manager, func(tx *Tx) (err error) {
		items, err = tx.CountItems(dataset)
		return err
	})
	g := &generator{random: rand.New(rand.NewPCG(1, 2)), dataset: dataset}
	begin := time.Now()
	for from := int(items); from < benchItems && err == nil; from += 1000 {
		err = db.Write(b.Context(), manager, func(tx *Tx) error { return g.write(tx, from, from+1000) })
	}
	if err != nil {
		b.Fatal(err)
	}
	if items == 0 {
		analyze(b, db)
		b.Logf("%s: %d items with %d boxes written in %v", db.Dialect(), benchItems, g.boxes, time.Since(begin).Round(time.Second))
	}
	return dataset
}

// generator makes up items with boxes.
type generator struct {
	random  *rand.Rand
	dataset string
	boxes   int
	number  int // of matches
}

func (g *generator) write(tx *Tx, from, to int) error {
	var items []Item
	var rows, tags, annotations, groups, matches [][]any
	for i := from; i < to; i++ {
		item := g.item(tx, i)
		items, rows = append(items, item), append(rows, item.row())
		if g.random.IntN(5) == 0 {
			tags = append(tags, []any{item.ID, "night"})
		}
		if i%10_000 == 9_999 {
			tags = append(tags, []any{item.ID, "rare"})
		}
		var summed []grouped
		for range g.random.IntN(2*benchBoxes + 1) {
			a := g.box(tx, &item, i)
			annotations = append(annotations, a.values())
			summed = append(summed, grouped{a.Run, a.Category, a.CreatedBy, *a.Box, a.Confidence, millis(a.CreatedAt), millis(a.CreatedAt)})
			if i%5 == 0 {
				matches = append(matches, g.match(&a))
			}
			g.boxes++
		}
		for _, group := range sumUp(summed) {
			groups = append(groups, group.row(g.dataset, item.ID))
		}
	}
	if err := tx.insert("item", itemInsert, "", rows); err != nil {
		return err
	}
	if err := tx.indexItems(items, false); err != nil {
		return err
	}
	for _, t := range []struct {
		table, columns string
		rows           [][]any
	}{
		{"tag", "subject, name", tags},
		{"annotation", annotationColumns, annotations},
		{"box_group", groupColumns, groups},
		{"evaluation_match", "evaluation, number, item, kind, annotation, annotation_revision, other, other_revision, iou, confidence", matches},
	} {
		if err := tx.insert(t.table, t.columns, "", t.rows); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) item(tx *Tx, i int) Item {
	weather := []string{"sun", "sun", "sun", "sun", "cloud", "cloud", "rain", "rain", "snow", "fog"}[g.random.IntN(10)]
	author := []string{"ann", "bob"}[g.random.IntN(2)]
	if i%10_000 == 5_555 {
		weather, author = "hail", "zoe"
	}
	metadata, _ := json.Marshal(map[string]any{ // maps of texts and numbers can always be written
		"weather": weather, "frame_number": i, "night": g.random.IntN(4) == 0, "place": map[string]any{"city": "Oslo"}, "note": fmt.Sprintf("camera %d near the %s", i%7, []string{"gate", "barn", "field"}[i%3]),
	})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute)
	return Item{
		ID: tx.NewID("di"), Dataset: g.dataset, Position: int64(i), ReferenceID: fmt.Sprintf("cam%d/frame_%06d.jpg", i%7, i), ImageURL: "https://example.org/images/frame.jpg",
		Width: 640 + 10*g.random.IntN(100), Height: 480, Metadata: metadata, CreatedAt: at, CreatedBy: author, UpdatedAt: at,
	}
}

func (g *generator) box(tx *Tx, item *Item, i int) Annotation {
	category := []string{"horse", "horse", "horse", "horse", "horse", "horse", "dog", "dog", "dog", "cat"}[g.random.IntN(10)]
	if g.random.IntN(20_000) == 0 {
		category = "zebra"
	}
	side := math.Exp(g.random.Float64()*6.2 + 0.3)
	x, y := g.random.Float64()*400, g.random.Float64()*300
	a := Annotation{
		ID: tx.NewID("ann"), Revision: 1, Dataset: g.dataset, Item: item.ID, Type: TypeBox, Category: category, Box: &geom.Box{X0: x, Y0: y, X1: x + side*(0.5+g.random.Float64()), Y1: y + side},
		Metadata: json.RawMessage("{}"), Body: json.RawMessage(`{"geometry":{"x":100.25,"y":200.5,"width":30.125,"height":40.75}}`), Source: SourceHuman, CreatedAt: item.CreatedAt, CreatedBy: item.CreatedBy,
	}
	a.Key = a.ID
	if g.random.IntN(10) < 3 {
		confidence := g.random.Float64()
		a.Run, a.Confidence, a.Source = "run_1", &confidence, SourceModel
		if i%10_000 == 7_777 {
			a.Run = "run_2"
		}
	}
	return a
}

func (g *generator) match(a *Annotation) []any {
	kind := []string{"tp", "tp", "tp", "missed"}[g.random.IntN(4)]
	if a.Run != "" {
		kind = []string{"tp", "tp", "tp", "fp"}[g.random.IntN(4)]
	}
	if g.random.IntN(10_000) == 0 {
		kind = "ignored"
	}
	var confidence any
	if a.Confidence != nil {
		confidence = *a.Confidence
	}
	g.number++
	return []any{"night", int64(g.number), a.Item, kind, a.ID, int64(1), "", int64(0), 0.5 + g.random.Float64()/2, confidence}
}
