package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"remuda"
	"remuda/geom"
	"remuda/slice"
)

// sliced is a dataset of items with images and a box each, and a slice of all of them.
type sliced struct {
	dataset string
	items   []string
	boxes   []string // their annotations
	slice   Slice
}

func newSliced(t *testing.T, db *DB, n int) *sliced {
	t.Helper()
	s := &sliced{}
	write(t, db, func(tx *Tx) error {
		*s = sliced{}
		d, err := tx.CreateDataset(Dataset{Name: "horses"})
		if err != nil {
			return err
		}
		s.dataset = d.ID
		items := make([]Item, n)
		for i := range items {
			hash := uint64(i)
			items[i] = Item{ReferenceID: fmt.Sprint("r", i), Blob: fmt.Sprintf("%064x", i), PHash: &hash}
		}
		added, err := tx.AddItems(d.ID, items, false)
		if err != nil {
			return err
		}
		for i, a := range added {
			s.items = append(s.items, a.ID)
			if err := s.put(tx, i, 10); err != nil {
				return err
			}
		}
		found, err := tx.AnnotationsOf(s.items, "")
		if err != nil {
			return err
		}
		for _, id := range s.items {
			s.boxes = append(s.boxes, found[id][0].ID)
		}
		if s.slice, err = tx.CreateSlice(Slice{Dataset: d.ID, Name: "all", Type: SliceOfItems}); err != nil {
			return err
		}
		_, err = tx.AddMembers(s.slice.ID, members(s.items))
		return err
	})
	return s
}

func (s *sliced) put(tx *Tx, i int, width float64) error {
	box := Annotation{Type: TypeBox, Category: "horse", Key: "k", Box: &geom.Box{X1: width, Y1: 10}, Source: SourceAPI}
	_, _, err := tx.PutAnnotations(s.items[i], "", []Annotation{box}, true)
	return err
}

func members(items []string) []SliceMember {
	found := make([]SliceMember, len(items))
	for i, id := range items {
		found[i].Item = id
	}
	return found
}

// freeze pins and freezes a slice.
func freeze(tx *Tx, s Slice) (hash string, err error) {
	if err := tx.PinSlice(s); err != nil {
		return "", err
	}
	pins, err := tx.Pins(s)
	if err != nil {
		return "", err
	}
	if hash, err = slice.ContentHash(pins); err != nil {
		return "", err
	}
	return hash, tx.FreezeSlice(s.ID, hash)
}

func TestMembersKeepTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 5)
		write(t, db, func(tx *Tx) error {
			made, err := tx.CreateSlice(Slice{Dataset: s.dataset, Name: "some", Type: SliceOfItems})
			if err != nil {
				return err
			}
			for _, batch := range [][]int{{3, 1, 3}, {1, 0}} {
				var add []SliceMember
				for _, i := range batch {
					add = append(add, SliceMember{Item: s.items[i]})
				}
				if _, err := tx.AddMembers(made.ID, add); err != nil {
					return err
				}
			}
			if n, err := tx.RemoveMembers(made.ID, members(s.items[1:2])); n != 1 || err != nil {
				t.Errorf("removed %d, %v", n, err)
			}
			var got []string
			for after := int64(-1); ; {
				page, err := tx.SliceItemsAfter(made.ID, after, 1)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				got, after = append(got, page[0].ReferenceID), page[0].Position
			}
			if strings.Join(got, " ") != "r3 r0" {
				t.Errorf("items %v", got)
			}
			return tx.DeleteSlice(made.ID)
		})
	})
}

func TestAFrozenSliceKeepsRevisionsAndImages(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 3)
		var hash string
		write(t, db, func(tx *Tx) (err error) { hash, err = freeze(tx, s.slice); return err })
		write(t, db, func(tx *Tx) error { return s.put(tx, 0, 99) })
		write(t, db, func(tx *Tx) error { _, err := tx.EndAnnotations(s.items[1]); return err })
		write(t, db, func(tx *Tx) error {
			_, err := tx.exec("UPDATE item SET blob = $2 WHERE id = $1", s.items[2], strings.Repeat("f", 64))
			return err
		})
		write(t, db, func(tx *Tx) error {
			found, err := tx.Slice(s.slice.ID)
			if err != nil || found.Frozen != hash {
				t.Errorf("frozen as %q, %v; want %s", found.Frozen, err, hash)
			}
			frozen, err := tx.FrozenAnnotations(s.slice.ID, s.items)
			if err != nil {
				return err
			}
			for i, id := range s.items {
				if a := frozen[id]; len(a) != 1 || a[0].Revision != 1 || a[0].Box.X1 != 10 || a[0].ID != s.boxes[i] {
					t.Errorf("item %d has %+v", i, a)
				}
			}
			items, err := tx.SliceItemsAfter(s.slice.ID, -1, 0)
			if err != nil || items[2].Blob != fmt.Sprintf("%064x", 2) {
				t.Errorf("the image of the last is %s, %v", items[2].Blob, err)
			}
			if used, err := tx.BlobUsed(items[2].Blob); !used || err != nil {
				t.Errorf("nobody uses an image of a frozen slice: %v", err)
			}
			return nil
		})
		for name, change := range map[string]func(tx *Tx) error{
			"append":      func(tx *Tx) error { _, err := tx.AddMembers(s.slice.ID, members(s.items[:1])); return err },
			"remove":      func(tx *Tx) error { _, err := tx.RemoveMembers(s.slice.ID, members(s.items[:1])); return err },
			"freeze":      func(tx *Tx) error { return tx.PinSlice(s.slice) },
			"delete item": func(tx *Tx) error { return tx.DeleteItem(s.items[0]) },
		} {
			if err := db.Write(t.Context(), manager, change); remuda.CodeOf(err) != remuda.Conflict || remuda.HintOf(err) == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		write(t, db, func(tx *Tx) error {
			if err := tx.DeleteSlice(s.slice.ID); err != nil {
				return err
			}
			return tx.DeleteItem(s.items[0])
		})
		write(t, db, func(tx *Tx) error { return tx.HideDataset(s.dataset) })
		write(t, db, func(tx *Tx) error {
			for done := false; !done; {
				var err error
				if done, err = tx.RemoveDataset(s.dataset, 2); err != nil {
					return err
				}
			}
			for _, table := range []string{"slice", "slice_member", "slice_pin", "metadata_value", "item_text", "box_group"} {
				if n, err := one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM "+table); n != 0 || err != nil {
					t.Errorf("%d rows are left in %s, %v", n, table, err)
				}
			}
			return nil
		})
	})
}

func TestASliceOfObjectsPinsThem(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 3)
		var objects Slice
		write(t, db, func(tx *Tx) (err error) {
			if objects, err = tx.CreateSlice(Slice{Dataset: s.dataset, Name: "boxes", Type: SliceOfObjects}); err != nil {
				return err
			}
			items, err := tx.AnnotationItems(s.dataset, []string{s.boxes[2], s.boxes[0], "ann_nothing"})
			if err != nil || len(items) != 2 || items[s.boxes[2]] != s.items[2] {
				t.Errorf("items %v, %v", items, err)
			}
			_, err = tx.AddMembers(objects.ID, []SliceMember{{s.items[2], s.boxes[2]}, {s.items[0], s.boxes[0]}})
			return err
		})
		write(t, db, func(tx *Tx) error { _, err := freeze(tx, objects); return err })
		write(t, db, func(tx *Tx) error { return s.put(tx, 2, 77) })
		write(t, db, func(tx *Tx) error {
			found, err := tx.SliceObjectsAfter(objects.ID, -1, 0)
			if err != nil || len(found) != 2 || found[0].Annotation.ID != s.boxes[2] || found[0].Annotation.Box.X1 != 10 {
				t.Errorf("objects %+v, %v", found, err)
			}
			items, err := tx.SliceItemsAfter(objects.ID, -1, 0)
			if err != nil || len(items) != 2 || items[0].ID != s.items[2] {
				t.Errorf("items %v, %v", items, err)
			}
			f, err := slice.Parse("category = horse", slice.Boxes)
			if err != nil {
				return err
			}
			boxes, err := tx.FilterBoxes(s.dataset, objects.ID, f, BoxCursor{Position: -1}, 10)
			if err != nil || len(boxes) != 2 {
				t.Errorf("boxes %v, %v", boxes, err)
			}
			return nil
		})
	})
}

func TestFiltersStayInTheirSliceAndWorld(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 6)
		write(t, db, func(tx *Tx) error {
			part, err := tx.CreateSlice(Slice{Dataset: s.dataset, Name: "part", Type: SliceOfItems})
			if err != nil {
				return err
			}
			if _, err := tx.AddMembers(part.ID, members([]string{s.items[4], s.items[1]})); err != nil {
				return err
			}
			all := slice.Filter{Where: slice.And{}}
			items, err := tx.FilterItems(s.dataset, part.ID, all, -1, 10)
			if err != nil || len(items) != 2 || items[0].ID != s.items[1] {
				t.Errorf("in the slice are %v, %v", items, err)
			}
			if n, err := tx.CountFiltered(s.dataset, part.ID, slice.Filter{Level: slice.Boxes, Where: slice.And{}}); n != 2 || err != nil {
				t.Errorf("%d boxes, %v", n, err)
			}
			other := newSlicedIn(tx)
			if _, err := tx.FilterItems(other, part.ID, all, -1, 10); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a slice of another dataset: %v", err)
			}
			categories, err := tx.CategoriesOf(s.dataset, s.items)
			if err != nil || !slices.Equal(categories[s.items[0]], []string{"horse"}) {
				t.Errorf("categories %v, %v", categories, err)
			}
			return nil
		})
		elsewhere := manager
		elsewhere.World = remuda.Test
		err := db.Read(t.Context(), elsewhere, func(tx *Tx) error {
			_, err := tx.FilterItems(s.dataset, "", slice.Filter{Where: slice.And{}}, -1, 10)
			return err
		})
		if remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("the test world filters a live dataset: %v", err)
		}
		if err := db.Read(t.Context(), elsewhere, func(tx *Tx) error { _, err := tx.Slice(s.slice.ID); return err }); remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("the test world reads a live slice: %v", err)
		}
	})
}

func newSlicedIn(tx *Tx) string {
	d, err := tx.CreateDataset(Dataset{Name: "other"})
	if err != nil {
		return ""
	}
	return d.ID
}

func TestEmbeddingsAreReplacedAndReadInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 3)
		write(t, db, func(tx *Tx) error {
			x, err := tx.CreateEmbeddingIndex(EmbeddingIndex{Dataset: s.dataset, Type: EmbeddingsCustom, Dimension: 2, Job: "job_none"})
			if err != nil {
				return err
			}
			for _, vector := range []string{"[0,0]", "[1,2.5]"} {
				if err := tx.PutEmbeddings(x.ID, []Embedding{{Item: s.items[2], Vector: json.RawMessage(vector)}, {Item: s.items[0], Vector: json.RawMessage("[3,4]")}}); err != nil {
					return err
				}
			}
			var got []string
			for position, more := int64(-1), true; more; { // one at a time
				var found []Embedding
				if found, err = tx.EmbeddingsAfter(x, "", position, 1); err != nil {
					return err
				}
				for _, e := range found {
					got, position = append(got, e.Reference+string(e.Vector)), e.Position
				}
				more = len(found) > 0
			}
			left, _ := tx.ItemsToEmbed(x.ID, s.dataset, -1, 10)
			if len(left) != 1 || left[0].ID != s.items[1] {
				t.Errorf("left to embed: %+v", left)
			}
			if n, _ := tx.CountEmbeddings(x.ID); n != 2 || strings.Join(got, " ") != "r0[3,4] r2[1,2.5]" || err != nil {
				t.Errorf("read %d: %v, %v", n, got, err)
			}
			found, err := tx.EmbeddingIndexes(s.dataset)
			if err != nil || len(found) != 1 || found[0].Status != JobCompleted || found[0].Dimension != 2 {
				t.Errorf("indexes %+v, %v", found, err)
			}
			return nil
		})
	})
}

// What filters look at follows each change of an item and its boxes.
func TestFiltersFollowChanges(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		s := newSliced(t, db, 2)
		count := func(text string) (n int64) {
			t.Helper()
			write(t, db, func(tx *Tx) error {
				f, err := slice.Parse(text, slice.Items)
				if err != nil {
					return err
				}
				n, err = tx.CountFiltered(s.dataset, "", f)
				return err
			})
			return n
		}
		expect := func(text string, want int64) {
			t.Helper()
			if n := count(text); n != want {
				t.Errorf("%s: %d, want %d", text, n, want)
			}
		}
		expect("any annotation (area > 500)", 0)
		write(t, db, func(tx *Tx) error { return s.put(tx, 0, 60) })
		expect("any annotation (area > 500)", 1)
		expect("count(horse) = 1", 2)
		write(t, db, func(tx *Tx) error { _, err := tx.EndAnnotations(s.items[0]); return err })
		expect("any annotation (area > 500)", 0)
		expect("no annotation", 1)
		confidence := 0.25
		write(t, db, func(tx *Tx) error {
			box := Annotation{Type: TypeBox, Category: "dog", Key: "p", Box: &geom.Box{X1: 5, Y1: 5}, Confidence: &confidence, Source: SourceModel, Metadata: json.RawMessage(`{"color":"red"}`)}
			_, _, err := tx.PutAnnotations(s.items[1], "run_x", []Annotation{box}, false)
			return err
		})
		expect("any prediction (confidence < 0.3)", 1)
		expect("any box (metadata.color = red)", 1)
		expect("count(dog) > 0", 0)
		for _, metadata := range []string{`{"weather":"rain","n":3}`, `{"weather":"fog"}`} {
			write(t, db, func(tx *Tx) error {
				_, err := tx.AddItems(s.dataset, []Item{{ReferenceID: "r0", Metadata: json.RawMessage(metadata)}}, true)
				return err
			})
		}
		expect("metadata.weather = fog", 1)
		expect("metadata.weather = rain or metadata.n exists", 0)
		expect("text contains FOG", 1)
		expect("text contains rain", 0)
		long := strings.Repeat("é", 5000)
		write(t, db, func(tx *Tx) error {
			text, err := json.Marshal(map[string]any{"long": long, "nul": "a\x00b", "list": []any{"deep", map[string]any{"x": "deeper"}}, "huge": json.Number("1e999"), "a\x01b": 1})
			if err != nil {
				return err
			}
			_, err = tx.AddItems(s.dataset, []Item{{ReferenceID: "r1", Metadata: text}}, true)
			return err
		})
		expect(`metadata.long = "`+long+`"`, 1)
		expect(`metadata.long = "`+long[:4000]+`"`, 0)
		expect(`text contains DEEPER and metadata.list exists and metadata.huge exists and not metadata.huge > 0 and metadata.nul starts with a`, 1)
	})
}
