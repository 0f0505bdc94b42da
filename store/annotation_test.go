package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"remuda"
	"remuda/geom"
)

// annotated makes a dataset with n items and returns its id and theirs.
func annotated(t testing.TB, db *DB, n int) (dataset string, items []string) {
	t.Helper()
	err := db.Write(t.Context(), manager, func(tx *Tx) error {
		d, err := tx.CreateDataset(Dataset{Name: "horses"})
		if err != nil {
			return err
		}
		list := make([]Item, n)
		for i := range list {
			list[i] = Item{ReferenceID: fmt.Sprintf("h%d.jpg", i)}
		}
		added, err := tx.AddItems(d.ID, list, false)
		dataset, items = d.ID, nil
		for _, a := range added {
			items = append(items, a.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dataset, items
}

func drawn(key, category string, x float64) Annotation {
	return Annotation{Type: TypeBox, Key: key, Category: category, Box: &geom.Box{X0: x, Y0: 1, X1: x + 10, Y1: 20}, Source: SourceAPI}
}

func TestPuttingCountsWhatItDid(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 1)
		put := func(want [2]int, update bool, list ...Annotation) {
			t.Helper()
			write(t, db, func(tx *Tx) error {
				processed, ignored, err := tx.PutAnnotations(items[0], "", list, update)
				if got := [2]int{processed, ignored}; got != want {
					t.Errorf("processed and ignored are %v, want %v", got, want)
				}
				return err
			})
		}
		current := func() (list []Annotation) {
			t.Helper()
			write(t, db, func(tx *Tx) error {
				found, err := tx.AnnotationsOf(items, "")
				list = found[items[0]]
				return err
			})
			return list
		}
		put([2]int{2, 0}, false, drawn("a", "horse", 1), drawn("b", "horse", 2))
		put([2]int{1, 1}, false, drawn("a", "cow", 1), drawn("c", "cow", 3))
		if got := current(); len(got) != 3 || got[0].Category != "horse" || got[0].Revision != 1 || got[2].Key != "c" {
			t.Errorf("without update: %+v", got)
		}
		put([2]int{2, 0}, true, drawn("a", "cow", 1), drawn("b", "horse", 2))
		got := current()
		if got[0].Category != "cow" || got[0].Revision != 2 || got[1].Revision != 1 {
			t.Errorf("with update, what says the same must not be revised: %+v", got)
		}
		put([2]int{2, 0}, true, drawn("d", "cow", 1), drawn("d", "pig", 1)) // twice in one call
		if got := current(); len(got) != 4 || got[3].Category != "pig" || got[3].Revision != 2 {
			t.Errorf("the later of two in one call must stand: %+v", got)
		}
		put([2]int{2, 0}, false, Annotation{Type: TypePolygon, Category: "horse"}, Annotation{Type: TypePolygon, Category: "horse"})
		category := Annotation{Type: TypeCategory, Category: "day"}
		put([2]int{1, 1}, false, category, category)
		other := category
		other.Taxonomy = "weather"
		put([2]int{1, 0}, false, other)
		task := drawn("a", "horse", 1)
		task.Task = "t2"
		put([2]int{1, 0}, false, task)
		if got := current(); got[4].Key != got[4].ID || got[6].Key != "" {
			t.Errorf("an annotation without a key is called by its id: %+v", got)
		}
	})
}

func TestAnnotationsKeepEveryBit(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 1)
		confidence := 0.1 + 0.2
		sent := Annotation{
			Type: TypeBox, Key: "schlüssel/1", Category: "häst", Task: "t", Crowd: true, Confidence: &confidence,
			Box:      &geom.Box{X0: math.Nextafter(1, 2), Y0: math.Pi, X1: 1e6 / 3, Y1: math.MaxFloat32},
			Metadata: json.RawMessage(`{"z":1.0,"a":[null,true,1e-7]}`), Body: json.RawMessage(`{"geometry":{"x":1.50}}`), Source: SourceModel,
		}
		write(t, db, func(tx *Tx) error {
			_, _, err := tx.PutAnnotations(items[0], "run_1", []Annotation{sent}, false)
			return err
		})
		write(t, db, func(tx *Tx) error {
			found, err := tx.AnnotationsOf(items, "run_1")
			if err != nil {
				return err
			}
			got := found[items[0]][0]
			if !got.Same(&sent) || got.CreatedBy != manager.User || got.Run != "run_1" || got.ID[:5] != "pred_" || got.Source != SourceModel {
				t.Errorf("sent %+v, got %+v", sent, got)
			}
			item, err := tx.Item(items[0])
			if item.Revision != 0 {
				t.Errorf("a prediction has changed the revision of the item's ground truth to %d", item.Revision)
			}
			return err
		})
	})
}

func TestStaleSaveIsAConflict(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 1)
		save := func(base int64, want ...Annotation) (revision int64, err error) {
			err = db.Write(t.Context(), manager, func(tx *Tx) (err error) {
				revision, err = tx.ReplaceAnnotations(items[0], base, want)
				return err
			})
			return revision, err
		}
		revision, err := save(0, drawn("a", "horse", 1), drawn("b", "horse", 2))
		if err != nil || revision != 1 {
			t.Fatal(revision, err)
		}
		if _, err := save(0, drawn("c", "horse", 3)); remuda.CodeOf(err) != remuda.Conflict || remuda.HintOf(err) == "" {
			t.Fatalf("a save on revision 0 of revision 1: %v", err)
		}
		var have []Annotation
		write(t, db, func(tx *Tx) error {
			found, err := tx.AnnotationsOf(items, "")
			have = found[items[0]]
			return err
		})
		if len(have) != 2 {
			t.Fatalf("the stale save changed something: %+v", have)
		}
		if revision, err = save(1, have...); err != nil || revision != 1 {
			t.Errorf("saving what stands must change nothing: revision %d, %v", revision, err)
		}
		moved := have[0]
		moved.Box = &geom.Box{X0: 5, Y0: 5, X1: 6, Y1: 6}
		if revision, err = save(1, moved, drawn("n", "cow", 7)); err != nil || revision != 2 {
			t.Fatal(revision, err)
		}
		write(t, db, func(tx *Tx) error {
			history, err := tx.History(items[0])
			if len(history) != 4 {
				t.Errorf("%d revisions, want the two boxes, one moved, one new: %+v", len(history), history)
			}
			for _, a := range history {
				if ended := a.EndedAt != nil; ended != (a.ID == have[1].ID || a.ID == moved.ID && a.Revision == 1) || ended && a.EndedBy != manager.User {
					t.Errorf("revision %d of %s ended: %v by %q", a.Revision, a.Key, ended, a.EndedBy)
				}
			}
			return err
		})
		if _, err := save(2, Annotation{ID: "ann_of_another", Type: TypeBox}); remuda.CodeOf(err) != remuda.Invalid {
			t.Errorf("an annotation of elsewhere is saved: %v", err)
		}
	})
}

func TestOtherWorldsItemsAreNotAnnotated(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 1)
		other := manager
		other.World = remuda.Test
		err := db.Write(t.Context(), other, func(tx *Tx) error {
			_, _, err := tx.PutAnnotations(items[0], "", []Annotation{drawn("a", "horse", 1)}, false)
			return err
		})
		if remuda.CodeOf(err) != remuda.NotFound {
			t.Errorf("the test world annotates a live item: %v", err)
		}
	})
}

// moment is what an item's annotations said at a time, by their keys.
type moment struct {
	at    time.Time
	state map[annotationKey]string
}

func says(a Annotation) string { return a.Category + strconv.FormatFloat(a.Box.X0, 'g', -1, 64) }

// Ensure any sequence of changes leaves the right present, the right past at
// every moment, and every row that was ever written as it was.
func TestAnyChangesLeaveThePastAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		rapid.Check(t, func(r *rapid.T) {
			clock := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			db.now = func() time.Time { return clock }
			_, items := annotated(t, db, 1)
			m := &modelled{t: r, db: db, item: items[0], clock: &clock, state: map[annotationKey]string{}, seen: map[string]Annotation{}}
			m.remember()
			for range rapid.IntRange(1, 12).Draw(r, "changes") {
				clock = clock.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 7, -3}).Draw(r, "milliseconds")) * time.Millisecond)
				m.change()
				m.check()
			}
		})
	})
}

// modelled is an item and what its annotations must be.
type modelled struct {
	t     *rapid.T
	db    *DB
	item  string
	clock *time.Time
	last  time.Time // of the last change that the table knows
	state map[annotationKey]string
	past  []moment
	seen  map[string]Annotation // every row, by id and revision
}

// remember notes the state as that of the last change's time: several changes
// within a millisecond leave the last.
func (m *modelled) remember() {
	if m.clock.After(m.last) {
		m.last = *m.clock
	}
	state := make(map[annotationKey]string)
	for key, what := range m.state {
		state[key] = what
	}
	if n := len(m.past); n > 0 && m.past[n-1].at.Equal(m.last) {
		m.past[n-1].state = state
		return
	}
	m.past = append(m.past, moment{m.last, state})
}

func (m *modelled) some(label string) []Annotation {
	list := make([]Annotation, rapid.IntRange(0, 4).Draw(m.t, label))
	for i := range list {
		list[i] = drawn(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(m.t, "key"), rapid.SampledFrom([]string{"horse", "cow"}).Draw(m.t, "category"), float64(rapid.IntRange(0, 2).Draw(m.t, "x")))
	}
	return list
}

func (m *modelled) change() {
	err := m.db.Write(m.t.Context(), manager, func(tx *Tx) error {
		switch rapid.IntRange(0, 3).Draw(m.t, "kind of change") {
		case 0:
			return m.put(tx)
		case 1:
			return m.end(tx)
		case 2:
			return m.replace(tx)
		}
		return m.restore(tx)
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.remember()
}

func (m *modelled) put(tx *Tx) error {
	list, update := m.some("put"), rapid.Bool().Draw(m.t, "update")
	_, _, err := tx.PutAnnotations(m.item, "", list, update)
	for _, a := range list {
		if _, exists := m.state[a.conflictKey()]; update || !exists {
			m.state[a.conflictKey()] = says(a)
		}
	}
	return err
}

func (m *modelled) current(tx *Tx) []Annotation {
	list, err := tx.currentAnnotations(m.item, "")
	if err != nil {
		m.t.Fatal(err)
	}
	return list
}

func (m *modelled) end(tx *Tx) error {
	list := m.current(tx)
	if len(list) == 0 || rapid.Bool().Draw(m.t, "all") {
		clear(m.state)
		_, err := tx.EndAnnotations(m.item)
		return err
	}
	one := rapid.SampledFrom(list).Draw(m.t, "deleted")
	delete(m.state, one.conflictKey())
	_, err := tx.EndAnnotations(m.item, one.ID)
	return err
}

func (m *modelled) replace(tx *Tx) error {
	list := m.current(tx)
	item, err := tx.Item(m.item)
	if err != nil {
		return err
	}
	clear(m.state)
	var want []Annotation
	for _, a := range append(list, m.some("new")...) {
		if _, exists := m.state[a.conflictKey()]; exists || rapid.Bool().Draw(m.t, "left out") {
			continue
		}
		if rapid.Bool().Draw(m.t, "moved") {
			a.Box = &geom.Box{X0: 9, Y0: 1, X1: 19, Y1: 20}
		}
		m.state[a.conflictKey()] = says(a)
		want = append(want, a)
	}
	_, err = tx.ReplaceAnnotations(m.item, item.Revision, want)
	return err
}

func (m *modelled) restore(tx *Tx) error {
	then := rapid.SampledFrom(m.past).Draw(m.t, "restored moment")
	clear(m.state)
	for key, what := range then.state {
		m.state[key] = what
	}
	_, err := tx.RestoreItem(m.item, then.at)
	return err
}

func (m *modelled) check() {
	err := m.db.Read(m.t.Context(), manager, func(tx *Tx) error {
		m.compare("now", m.current(tx), m.state)
		for _, then := range m.past {
			list, err := tx.AnnotationsAt(m.item, then.at)
			if err != nil {
				return err
			}
			m.compare(then.at.Format(time.StampMilli), list, then.state)
		}
		rows, err := tx.History(m.item)
		m.keepRows(rows)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *modelled) compare(when string, list []Annotation, want map[annotationKey]string) {
	if len(list) != len(want) {
		m.t.Fatalf("%s: %d annotations, want %v", when, len(list), want)
	}
	for _, a := range list {
		if want[a.conflictKey()] != says(a) {
			m.t.Fatalf("%s: %s says %s, want %s", when, a.Key, says(a), want[a.conflictKey()])
		}
	}
}

// keepRows compares every row with what it was when it was first seen: nothing but its end may have come.
func (m *modelled) keepRows(rows []Annotation) {
	name := func(a Annotation) string { return fmt.Sprintf("%s.%d", a.ID, a.Revision) }
	for _, a := range rows {
		before, known := m.seen[name(a)]
		if known && (!before.Same(&a) || !before.CreatedAt.Equal(a.CreatedAt) || before.Source != a.Source || before.EndedAt != nil && (a.EndedAt == nil || !before.EndedAt.Equal(*a.EndedAt))) {
			m.t.Fatalf("a row changed from %+v to %+v", before, a)
		}
		m.seen[name(a)] = a
	}
	for lost := range m.seen {
		if !slices.ContainsFunc(rows, func(a Annotation) bool { return name(a) == lost }) {
			m.t.Fatalf("the row %s is gone", lost)
		}
	}
}

func TestOfManySavesOnOneRevisionOneWins(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 1)
		const writers = 8
		results := make(chan error)
		for i := range writers {
			go func() {
				results <- db.Write(t.Context(), manager, func(tx *Tx) error {
					_, err := tx.ReplaceAnnotations(items[0], 0, []Annotation{drawn("a", "horse", float64(i))})
					return err
				})
			}()
		}
		won := 0
		for range writers {
			switch err := <-results; {
			case err == nil:
				won++
			case remuda.CodeOf(err) != remuda.Conflict:
				t.Errorf("a save that lost: %v", err)
			}
		}
		write(t, db, func(tx *Tx) error {
			history, err := tx.History(items[0])
			if won != 1 || len(history) != 1 {
				t.Errorf("%d saves won and left %d revisions", won, len(history))
			}
			return err
		})
	})
}

func TestWritersOnTheSameItemsAllComeThrough(t *testing.T) {
	onBoth(t, func(t *testing.T, db *DB) {
		_, items := annotated(t, db, 4)
		const writers, rounds = 4, 5
		results := make(chan error)
		for i := range writers {
			go func() {
				var failed error
				for round := range rounds {
					failed = errors.Join(failed, db.Write(t.Context(), manager, func(tx *Tx) error {
						for _, item := range items { // all in one order: see package flow's putChunk
							if _, _, err := tx.PutAnnotations(item, "", []Annotation{drawn(fmt.Sprint(i, round), "horse", 1)}, false); err != nil {
								return err
							}
						}
						return nil
					}))
				}
				results <- failed
			}()
		}
		for range writers {
			if err := <-results; err != nil {
				t.Error(err)
			}
		}
		write(t, db, func(tx *Tx) error {
			found, err := tx.AnnotationsOf(items, "")
			for _, id := range items {
				item, err := tx.Item(id)
				if len(found[id]) != writers*rounds || item.Revision != writers*rounds || err != nil {
					t.Errorf("%d annotations at revision %d, %v", len(found[id]), item.Revision, err)
				}
			}
			return err
		})
	})
}
