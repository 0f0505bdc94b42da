package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"remuda"
	"remuda/geom"
	"remuda/internal/postgrestest"
)

// newDataset makes a dataset and returns its id.
func newDataset(t *testing.T, db *DB) string {
	t.Helper()
	var id string
	write(t, db, func(tx *Tx) error {
		made, err := tx.CreateDataset(Dataset{Name: "horses"})
		id = made.ID
		return err
	})
	return id
}

func newItems(refs ...string) []Item {
	items := make([]Item, len(refs))
	for i, ref := range refs {
		items[i] = Item{ReferenceID: ref, ImageURL: "http://example.org/" + ref}
	}
	return items
}

func outcomes(added []AddedItem) []ItemOutcome {
	found := make([]ItemOutcome, len(added))
	for i := range added {
		found[i] = added[i].Outcome
	}
	return found
}

func references(items []Item) []string {
	found := make([]string, len(items))
	for i := range items {
		found[i] = items[i].ReferenceID
	}
	return found
}

func TestItemsKeepTheirOrderThroughReuploads(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		for _, step := range []struct {
			refs   []string
			update bool
			want   []ItemOutcome
		}{
			{[]string{"c", "a", "c"}, false, []ItemOutcome{ItemNew, ItemNew, ItemIgnored}},
			{[]string{"a", "b"}, false, []ItemOutcome{ItemIgnored, ItemNew}},
			{[]string{"b", "c", "d", "d"}, true, []ItemOutcome{ItemUpdated, ItemUpdated, ItemNew, ItemUpdated}},
			{nil, false, []ItemOutcome{}},
		} {
			write(t, db, func(tx *Tx) error {
				added, err := tx.AddItems(dataset, newItems(step.refs...), step.update)
				if got := outcomes(added); !slices.Equal(got, step.want) {
					t.Errorf("adding %q (update %v): %v, want %v", step.refs, step.update, got, step.want)
				}
				return err
			})
		}
		write(t, db, func(tx *Tx) error {
			items, err := tx.ItemsAfter(dataset, -1, 0)
			if got := references(items); !slices.Equal(got, []string{"c", "a", "b", "d"}) {
				t.Errorf("order %q", got)
			}
			if err != nil {
				return err
			}
			for n, item := range items {
				at, err := tx.ItemAt(dataset, int64(n))
				if err != nil || at.ID != item.ID {
					t.Errorf("item %d is %s (%v), want %s", n, at.ReferenceID, err, item.ReferenceID)
				}
			}
			after, err := tx.ItemsAfter(dataset, items[1].Position, 1)
			if len(after) != 1 || after[0].ReferenceID != "b" {
				t.Errorf("after the second comes %q", references(after))
			}
			return err
		})
	})
}

func TestAnUpdateReplacesMetadataAndLeavesTheImage(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		hash := uint64(1)<<63 | 5
		first := Item{ReferenceID: "a", ImageURL: "a.jpg", Blob: "b1", Format: "jpeg", Bytes: 9, Width: 3, Height: 4, Orientation: 6, PHash: &hash, Metadata: json.RawMessage(`{"x":1}`)}
		write(t, db, func(tx *Tx) error {
			_, err := tx.AddItems(dataset, []Item{first, {ReferenceID: "late", ImageURL: "http://old"}}, false)
			return err
		})
		write(t, db, func(tx *Tx) error {
			_, err := tx.AddItems(dataset, []Item{
				{ReferenceID: "a", ImageURL: "other.jpg", Blob: "b2", Metadata: json.RawMessage(`{"y":[2,{"z":null}]}`)},
				{ReferenceID: "late", ImageURL: "http://new"},
			}, true)
			return err
		})
		write(t, db, func(tx *Tx) error {
			got, err := tx.ItemByReference(dataset, "a")
			if err != nil {
				return err
			}
			if string(got.Metadata) != `{"y":[2,{"z":null}]}` || got.Blob != "b1" || got.ImageURL != "a.jpg" || got.Orientation != 6 || got.PHash == nil || *got.PHash != hash {
				t.Errorf("after the update: %+v", got)
			}
			late, err := tx.ItemByReference(dataset, "late")
			if late.ImageURL != "http://new" || string(late.Metadata) != "{}" {
				t.Errorf("an item without an image: %+v", late)
			}
			return err
		})
	})
}

func TestItemsOfOtherWorldsAndDeletedDatasetsAreNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		var id string
		write(t, db, func(tx *Tx) error {
			added, err := tx.AddItems(dataset, newItems("a"), false)
			id = added[0].ID
			return err
		})
		lost := func(who string, caller remuda.Caller) {
			t.Helper()
			for what, look := range map[string]func(tx *Tx) error{
				"Item":            func(tx *Tx) error { _, err := tx.Item(id); return err },
				"ItemByReference": func(tx *Tx) error { _, err := tx.ItemByReference(dataset, "a"); return err },
				"ItemAt":          func(tx *Tx) error { _, err := tx.ItemAt(dataset, 0); return err },
				"ItemsAfter":      func(tx *Tx) error { _, err := tx.ItemsAfter(dataset, -1, 0); return err },
				"CountItems":      func(tx *Tx) error { _, err := tx.CountItems(dataset); return err },
				"AddItems":        func(tx *Tx) error { _, err := tx.AddItems(dataset, newItems("b"), false); return err },
				"DeleteItem":      func(tx *Tx) error { return tx.DeleteItem(id) },
				"PutUpload":       func(tx *Tx) error { return tx.PutUpload(dataset, "r", "b", 1) },
				"ItemsByID": func(tx *Tx) error {
					found, err := tx.ItemsByID([]string{id})
					if len(found) == 0 && err == nil {
						return remuda.Errorf(remuda.NotFound, "none")
					}
					return err
				},
			} {
				if err := db.Write(t.Context(), caller, look); remuda.CodeOf(err) != remuda.NotFound {
					t.Errorf("%s: %s returns %v", who, what, err)
				}
			}
		}
		other := manager
		other.World = remuda.Test
		lost("the test world", other)
		write(t, db, func(tx *Tx) error { return tx.HideDataset(dataset) })
		lost("after the deletion", manager)
	})
}

func TestRemovingADatasetLeavesNothingOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		gone, kept := newDataset(t, db), newDataset(t, db)
		for _, dataset := range []string{gone, kept} {
			write(t, db, func(tx *Tx) error {
				var refs []string
				for i := range 7 {
					refs = append(refs, fmt.Sprint(i))
				}
				added, err := tx.AddItems(dataset, newItems(refs...), false)
				if err != nil {
					return err
				}
				if _, _, err := tx.PutAnnotations(added[0].ID, "", []Annotation{{Dataset: dataset, Type: "box", Category: "horse", Key: "k", Source: "human", Box: &geom.Box{X1: 2, Y1: 3}}}, false); err != nil {
					return err
				}
				slice, err := tx.CreateSlice(Slice{Dataset: dataset, Name: "s", Type: "dataset_item"})
				if err != nil {
					return err
				}
				if _, err := tx.AddMembers(slice.ID, []SliceMember{{Item: added[0].ID}}); err != nil {
					return err
				}
				if err := tx.AddTags(dataset, []string{"t"}); err != nil {
					return err
				}
				return tx.PutUpload(dataset, "r", "b-"+dataset, 1)
			})
		}
		write(t, db, func(tx *Tx) error { // as a job may that still runs, of an item that is gone already
			index, err := tx.CreateEmbeddingIndex(EmbeddingIndex{Dataset: gone, Type: EmbeddingsCustom, Dimension: 1})
			if err != nil {
				return err
			}
			return tx.PutEmbeddings(index.ID, []Embedding{{Item: "di_gone", Vector: json.RawMessage("[1]")}})
		})
		write(t, db, func(tx *Tx) error { return tx.HideDataset(gone) })
		calls := 0
		for done := false; !done; calls++ {
			write(t, db, func(tx *Tx) (err error) { done, err = tx.RemoveDataset(gone, 3); return err })
		}
		if calls != 4 {
			t.Errorf("removed in %d steps, want 4", calls)
		}
		write(t, db, func(tx *Tx) error {
			for _, table := range []string{"item", "annotation", "upload"} {
				n, err := one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM "+table+" WHERE dataset = $1", gone)
				if err != nil || n != 0 {
					t.Errorf("%d rows are left in %s (%v)", n, table, err)
				}
			}
			if n, err := tx.CountItems(kept); n != 7 || err != nil {
				t.Errorf("the other dataset has %d items (%v)", n, err)
			}
			done, err := tx.RemoveDataset(gone, 3)
			if !done {
				t.Error("removing again is not done at once")
			}
			if _, live := tx.RemoveDataset(kept, 3); live != nil {
				t.Errorf("removing a dataset that was not deleted: %v", live)
			}
			if n, err := tx.CountItems(kept); n != 7 || err != nil {
				t.Errorf("a dataset that was not deleted has %d items then (%v)", n, err)
			}
			return err
		})
	})
}

func TestAnItemOfAFrozenSliceStays(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		var item, slice string
		write(t, db, func(tx *Tx) error {
			added, err := tx.AddItems(dataset, newItems("a"), false)
			if err != nil {
				return err
			}
			made, err := tx.CreateSlice(Slice{Dataset: dataset, Name: "s", Type: "dataset_item"})
			if err != nil {
				return err
			}
			item, slice = added[0].ID, made.ID
			if _, err := tx.AddMembers(slice, []SliceMember{{Item: item}}); err != nil {
				return err
			}
			return tx.FreezeSlice(slice, "hash")
		})
		if err := db.Write(t.Context(), manager, func(tx *Tx) error { return tx.DeleteItem(item) }); remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("deleted from a frozen slice: %v", err)
		}
		write(t, db, func(tx *Tx) error { return tx.DeleteSlice(slice) })
		write(t, db, func(tx *Tx) error { return tx.DeleteItem(item) })
	})
}

// A deletion that finds its item's slice not frozen yet must not end after the freezing has.
func TestAnItemIsNotDeletedWhileItsSliceIsFrozen(t *testing.T) {
	db := open(t, postgrestest.New(t)) // SQLite has one writer at a time
	s := newSliced(t, db, 2)
	deleted := make(chan error, 1)
	write(t, db, func(tx *Tx) error {
		if _, err := freeze(tx, s.slice); err != nil {
			return err
		}
		go func() {
			deleted <- db.Write(context.WithoutCancel(t.Context()), manager, func(tx *Tx) error { return tx.DeleteItem(s.items[0]) })
		}()
		for waits := false; !waits; {
			select {
			case err := <-deleted:
				deleted <- err
				return nil
			default:
			}
			var err error
			if waits, err = one(tx, "lock", scalar[bool], "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"); err != nil {
				return err
			}
		}
		return nil
	})
	if err := <-deleted; remuda.CodeOf(err) != remuda.Conflict {
		t.Errorf("deleted from a slice that was being frozen: %v", err)
	}
}

// An image that is sent while a job still tries to fetch it stays.
func TestAFetchThatComesTooLateTakesNoImageAway(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		var late Item
		write(t, db, func(tx *Tx) error {
			if _, err := tx.AddItems(dataset, newItems("a"), false); err != nil {
				return err
			}
			found, err := tx.ItemByReference(dataset, "a")
			late = found
			return err
		})
		sent := newItems("a")
		sent[0].Blob, sent[0].Width, sent[0].Height = strings.Repeat("b", 64), 30, 20
		write(t, db, func(tx *Tx) error { _, err := tx.AddItems(dataset, sent, true); return err })
		for _, blob := range []string{"", strings.Repeat("c", 64)} {
			late.Blob, late.Problem = blob, "nothing came"
			write(t, db, func(tx *Tx) error { return tx.SetImage(late) })
			write(t, db, func(tx *Tx) error {
				found, err := tx.Item(late.ID)
				if found.Blob != sent[0].Blob || found.Width != 30 || found.Problem != "" {
					t.Errorf("it has the image %q, %d wide, problem %q", found.Blob, found.Width, found.Problem)
				}
				return err
			})
		}
	})
}

func TestAnUploadIsTakenOnceAndBytesInUseAreKnown(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		dataset := newDataset(t, db)
		write(t, db, func(tx *Tx) error { return tx.PutUpload(dataset, "r", "first", 5) })
		write(t, db, func(tx *Tx) error { return tx.PutUpload(dataset, "r", "second", 6) }) // sent again
		write(t, db, func(tx *Tx) error {
			upload, err := tx.TakeUpload(dataset, "r")
			if upload.Blob != "second" || upload.Bytes != 6 || upload.Job != "" {
				t.Errorf("taken: %+v", upload)
			}
			if err != nil {
				return err
			}
			return tx.SetUploadJob(dataset, "r", "job_x")
		})
		err := db.Write(t.Context(), manager, func(tx *Tx) error { return tx.PutUpload(dataset, "r", "third", 7) })
		if remuda.CodeOf(err) != remuda.Conflict {
			t.Errorf("a file in use is replaced: %v", err)
		}
		used := func(blob string, want bool) {
			t.Helper()
			write(t, db, func(tx *Tx) error {
				got, err := tx.BlobUsed(blob)
				if got != want {
					t.Errorf("blob %s in use: %v", blob, got)
				}
				return err
			})
		}
		used("second", true)
		used("first", false)
		write(t, db, func(tx *Tx) error { return tx.EndUpload(dataset, "r") })
		used("second", false)
		write(t, db, func(tx *Tx) error {
			_, err := tx.AddItems(dataset, []Item{{ReferenceID: "a", ImageURL: "a", Blob: "image", Format: "png"}}, false)
			return err
		})
		used("image", true)
		write(t, db, func(tx *Tx) error {
			if format, err := tx.ImageFormat("image"); format != "png" || err != nil {
				t.Errorf("format %q (%v)", format, err)
			}
			if err := tx.ForgetUploads(tx.Now.Add(time.Hour)); err != nil {
				return err
			}
			if _, err := tx.Upload(dataset, "r"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("a forgotten upload: %v", err)
			}
			return tx.HideDataset(dataset)
		})
		write(t, db, func(tx *Tx) error {
			if _, err := tx.ImageFormat("image"); remuda.CodeOf(err) != remuda.NotFound {
				t.Errorf("an image of a deleted dataset: %v", err)
			}
			return nil
		})
	})
}

func TestTagsAreASet(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		write(t, db, func(tx *Tx) error {
			for range 2 {
				if err := tx.AddTags("ds_1", []string{"b", "a", "b"}); err != nil {
					return err
				}
			}
			if removed, err := tx.RemoveTags("ds_1", []string{"b", "none", "b"}); removed != 1 || err != nil {
				t.Errorf("removed %d (%v)", removed, err)
			}
			names, err := tx.Tags("ds_1")
			if !slices.Equal(names, []string{"a"}) {
				t.Errorf("tags %q", names)
			}
			return err
		})
	})
}

func TestAnItemsLastChangeIsNeverBeforeTheOneBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		var item Item
		noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		db.now = func() time.Time { return noon }
		write(t, db, func(tx *Tx) error {
			d, err := tx.CreateDataset(Dataset{Name: "horses"})
			if err != nil {
				return err
			}
			added, err := tx.AddItems(d.ID, []Item{{ReferenceID: "h", ImageURL: "h.jpg"}}, false)
			if err != nil {
				return err
			}
			item, err = tx.Item(added[0].ID)
			return err
		})
		for name, change := range map[string]func(tx *Tx) error{
			"metadata": func(tx *Tx) error { return tx.SetMetadata(item.ID, json.RawMessage(`{"a":1}`)) },
			"image":    func(tx *Tx) error { return tx.SetImage(item) },
		} {
			for _, c := range []struct{ clock, want time.Duration }{{-time.Hour, 0}, {time.Hour, time.Hour}, {0, time.Hour}} {
				db.now = func() time.Time { return noon.Add(c.clock) }
				write(t, db, change)
				write(t, db, func(tx *Tx) error {
					got, err := tx.Item(item.ID)
					if !got.UpdatedAt.Equal(noon.Add(c.want)) {
						t.Errorf("%s at %v: updated at %v, want %v", name, c.clock, got.UpdatedAt, noon.Add(c.want))
					}
					return err
				})
			}
			write(t, db, func(tx *Tx) error {
				_, err := tx.exec("UPDATE item SET updated_at = $1", millis(noon))
				return err
			})
		}
	})
}
