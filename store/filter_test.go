package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"remuda"
	"remuda/internal/slicetest"
	"remuda/slice"
)

// herd is a dataset with rows of package slice's tests.
type herd struct {
	dataset     string
	rows        []slice.Item
	evaluations map[string]bool
}

// newHerd writes rows. Tables have no missing times: rows without one get one.
func newHerd(t testing.TB, db *DB, rows []slice.Item) *herd {
	t.Helper()
	h := &herd{rows: slices.Clone(rows), evaluations: make(map[string]bool)}
	for i := range h.rows {
		fillTimes(&h.rows[i])
	}
	err := db.Write(t.Context(), manager, func(tx *Tx) error {
		d, err := tx.CreateDataset(Dataset{Name: "herd"})
		if err != nil {
			return err
		}
		h.dataset = d.ID
		for i := range h.rows {
			if err := h.write(tx, int64(i), &h.rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	analyze(t, db)
	return h
}

// analyze does what PostgreSQL's autovacuum does within a minute.
func analyze(t testing.TB, db *DB) {
	t.Helper()
	if db.Dialect() != Postgres {
		return
	}
	if _, err := db.Writer().ExecContext(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
}

func fillTimes(item *slice.Item) {
	fill := func(created, updated *time.Time) {
		if created.IsZero() {
			*created = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		}
		if updated.IsZero() {
			*updated = *created
		}
	}
	fill(&item.Created, &item.Updated)
	item.Boxes = slices.Clone(item.Boxes)
	for i := range item.Boxes {
		fill(&item.Boxes[i].Created, &item.Boxes[i].Updated)
	}
}

func (h *herd) write(tx *Tx, position int64, row *slice.Item) error {
	metadata, err := json.Marshal(row.Metadata)
	if err != nil {
		return err
	}
	item := Item{
		ID: row.ID, Dataset: h.dataset, Position: position, ReferenceID: row.ReferenceID, Width: row.Width, Height: row.Height, Metadata: metadata,
		CreatedAt: row.Created, CreatedBy: row.Author, UpdatedAt: row.Updated,
	}
	if err := tx.insert("item", itemInsert, "", [][]any{item.row()}); err != nil {
		return err
	}
	if err := tx.indexItems([]Item{item}, true); err != nil {
		return err
	}
	if err := tx.AddTags(row.ID, row.Tags); err != nil {
		return err
	}
	for _, name := range row.Slices {
		if _, err := tx.exec(`INSERT INTO slice (id, world, dataset, name, type, description, frozen, next_position, created_at, created_by)
			VALUES ($1, 'live', $2, $1, 'dataset_item', '', '', 0, 0, '') ON CONFLICT (id) DO NOTHING`, name, h.dataset); err != nil {
			return err
		}
		if _, err := tx.exec("INSERT INTO slice_member (slice, position, item, annotation) VALUES ($1, $2, $3, '')", name, position, row.ID); err != nil {
			return err
		}
	}
	var annotations []Annotation
	for i := range row.Boxes {
		written, err := h.writeBox(tx, row, &row.Boxes[i])
		if err != nil {
			return err
		}
		annotations = append(annotations, written...)
	}
	return tx.indexAnnotations(h.dataset, row.ID, annotations)
}

// writeBox writes a box's revisions: two if it was changed after it was made.
func (h *herd) writeBox(tx *Tx, item *slice.Item, b *slice.Box) ([]Annotation, error) {
	metadata, err := json.Marshal(b.Metadata)
	if err != nil {
		return nil, err
	}
	a := Annotation{
		ID: b.ID, Revision: 1, Dataset: h.dataset, Item: item.ID, Type: TypeBox, Category: b.Category, Key: b.ID, Box: &b.Box, Crowd: b.Crowd,
		Metadata: metadata, Body: json.RawMessage("{}"), Source: SourceHuman, CreatedAt: b.Created, CreatedBy: b.Author,
	}
	if b.Prediction {
		if a.Run, err = h.run(tx, b.Models); err != nil {
			return nil, err
		}
		a.Confidence = &b.Confidence
	}
	revisions := []Annotation{a}
	if !b.Updated.Equal(b.Created) {
		revisions[0].Category, revisions[0].CreatedBy, revisions[0].EndedAt = "something else", "zoe", &b.Updated
		a.Revision, a.CreatedAt = 2, b.Updated
		revisions = append(revisions, a)
	}
	var rows [][]any
	for i := range revisions {
		rows = append(rows, revisions[i].values())
	}
	if err := tx.insert("annotation", annotationColumns, "", rows); err != nil {
		return nil, err
	}
	for name, m := range b.Matches {
		if err := h.evaluation(tx, name); err != nil {
			return nil, err
		}
		number, err := one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM evaluation_match WHERE evaluation = $1", name)
		if err != nil {
			return nil, err
		}
		if _, err := tx.exec(`INSERT INTO evaluation_match (evaluation, number, item, kind, annotation, annotation_revision, other, other_revision, iou)
			VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7)`, name, number, item.ID, m.Outcome, a.ID, a.Revision, m.IoU); err != nil {
			return nil, err
		}
	}
	return revisions, nil
}

// run writes a model by its id and name, with one run.
func (h *herd) run(tx *Tx, models []string) (string, error) {
	id, name := "", ""
	if len(models) > 0 {
		id, name = models[0], models[len(models)-1]
	}
	if _, err := tx.exec("INSERT INTO model (id, world, name) VALUES ($1, 'live', $2) ON CONFLICT (id) DO NOTHING", id, name); err != nil {
		return "", err
	}
	_, err := tx.exec("INSERT INTO model_run (id, model) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", "run_"+id, id)
	return "run_" + id, err
}

func (h *herd) evaluation(tx *Tx, name string) error {
	_, err := tx.exec("INSERT INTO evaluation (id, world, name) VALUES ($1, 'live', $1) ON CONFLICT (id) DO NOTHING", name)
	h.evaluations[name] = true
	return err
}

// chosen returns the ids of what a filter chooses, read in pages of a size.
func (h *herd) chosen(t interface{ Fatalf(string, ...any) }, db *DB, f slice.Filter, page int) []string {
	var ids []string
	var count int64
	err := db.Read(context.Background(), manager, func(tx *Tx) (err error) {
		ids = nil
		after := BoxCursor{Position: -1}
		for {
			n := len(ids)
			if f.Level == slice.Boxes {
				found, err := tx.FilterBoxes(h.dataset, "", f, after, page)
				if err != nil {
					return err
				}
				for _, b := range found {
					ids, after = append(ids, b.Annotation.ID), BoxCursor{b.Position, b.Annotation.ID}
				}
			} else {
				found, err := tx.FilterItems(h.dataset, "", f, after.Position, page)
				if err != nil {
					return err
				}
				for _, item := range found {
					ids, after.Position = append(ids, item.ID), item.Position
				}
			}
			if len(ids) == n || page == 0 {
				break
			}
		}
		count, err = tx.CountFiltered(h.dataset, "", f)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v (%s)", f, err, remuda.HintOf(err))
	}
	if int(count) != len(ids) {
		t.Fatalf("%s: counts %d, finds %d", f, count, len(ids))
	}
	return ids
}

// check compares a filter's choice with the reference's.
func (h *herd) check(t interface{ Fatalf(string, ...any) }, db *DB, f slice.Filter, page int) {
	for _, name := range f.Evaluations() {
		if h.evaluations[name] {
			continue
		}
		if err := db.Write(context.Background(), manager, func(tx *Tx) error { return h.evaluation(tx, name) }); err != nil {
			t.Fatalf("%v", err)
		}
	}
	got, want := h.chosen(t, db, f, page), slicetest.Chosen(f, h.rows)
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("%s\nchooses %s\nwant    %s", f, got, want)
	}
}

func TestFiltersChooseWhatTheReferenceChooses(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var h *herd
		slicetest.Cases(t, "../slice/testdata", func(c slicetest.Case, rows []slice.Item) {
			f, err := c.Parse()
			if err != nil {
				return
			}
			if h == nil {
				h = newHerd(t, db, rows)
			}
			if len(h.rows) != len(rows) || h.rows[0].ID != rows[0].ID {
				t.Fatalf("%s has other rows", c.At)
			}
			t.Run(c.At, func(t *testing.T) { h.check(t, db, f, 0) })
		})
		rapid.Check(t, func(r *rapid.T) { h.check(r, db, slicetest.Filter(r), rapid.IntRange(0, 3).Draw(r, "page")) })
	})
}

// bigHerd repeats the rows of package slice's tests until there are n.
func bigHerd(rows []slice.Item, n int) []slice.Item {
	big := make([]slice.Item, n)
	for i := range big {
		big[i] = rows[i%len(rows)]
		big[i].ID = fmt.Sprintf("di_%05d", i)
		big[i].ReferenceID = fmt.Sprintf("%d/%s", i, big[i].ReferenceID)
		big[i].Boxes = slices.Clone(big[i].Boxes)
		for j := range big[i].Boxes {
			big[i].Boxes[j].ID = fmt.Sprintf("%s_%05d", big[i].Boxes[j].ID, i)
			if i%1000 != 3 {
				big[i].Boxes[j].Matches = nil
			}
		}
		if i == n-7 {
			big[i].Metadata = map[string]any{"animal": "unicorn", "speed": -1.5}
			big[i].Tags = []string{"rare"}
		}
	}
	return big
}

// However many items a filter chooses, and wherever they lie, pages have them all in order.
func TestRareAndCommonItemsAreFoundAlike(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		h := newHerd(t, db, bigHerd(slicetest.Rows(t, "../slice/testdata/herd.rows"), 2*firstWindow+300))
		for _, text := range []string{
			"", "metadata.animal = unicorn", "metadata.speed < 0", "tag = rare", "text contains UNICORN", "any box (match(e1) = tp)", "width > 2000",
			"no box", "count(horse) = 2", "any annotation (category = horse and area < 50)", "tag = night and not tag = rare",
			`reference_id in ("2290/cam1/barn.jpg", "5/cam1/barn.jpg")`, "count(boxes) >= 4", "author = bob", "slice = train and metadata.animal = dog",
		} {
			f, err := slice.Parse(text, slice.Items)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, db, f, 250)
		}
		for _, text := range []string{"", "category = horse", "match(e1) = tp", "confidence < 0.4", "area > 300000 and source = cars", "metadata.color = black", "item.metadata.animal = unicorn", "author = zoe", "width < 0.5 and crowd"} {
			f, err := slice.Parse(text, slice.Boxes)
			if err != nil {
				t.Fatal(err)
			}
			h.check(t, db, f, 700)
		}
	})
}

func TestUnknownEvaluationIsNamed(t *testing.T) {
	db := open(t, t.TempDir()+"/remuda.db")
	h := newHerd(t, db, slicetest.Rows(t, "../slice/testdata/herd.rows"))
	f, err := slice.Parse(`any box (match("yesterday's") = fp)`, slice.Items)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Read(t.Context(), manager, func(tx *Tx) error {
		_, err := tx.FilterItems(h.dataset, "", f, -1, 10)
		return err
	})
	if remuda.CodeOf(err) != remuda.Invalid || !strings.Contains(err.Error(), "yesterday's") {
		t.Errorf("got %v", err)
	}
}
