package store

import (
	"strings"

	"remuda"
	"remuda/slice"
)

// Filters run in two ways. What is common is found by looking at items in
// their order, in windows that grow, until a page is full. What is rare is
// found through a driver: rows of an index that hold every item chosen, and
// some more. A bounded count says which way is the shorter.
const (
	firstWindow  = 1_000 // positions
	windowGrowth = 4
	fewItems     = 20_000 // a driver with more rows is not worth following for a page
)

// FilterItems returns at most limit items (0 never cuts) that a filter chooses:
// of a dataset of the caller's world or, if a slice is named, of its members.
// They lie behind a position (-1 for all) in the dataset's order. A filter of
// boxes chooses the items that have such a box.
func (tx *Tx) FilterItems(dataset, sliceID string, f slice.Filter, after int64, n int) ([]Item, error) {
	if f.Level == slice.Boxes {
		f = slice.Filter{Level: slice.Items, Where: slice.Quantified{Quantifier: slice.Any, Of: slice.AllBoxes, Where: f.Where}}
	}
	run, err := tx.newFilterRun(dataset, sliceID, f)
	if err != nil {
		return nil, err
	}
	found := []Item{}
	err = run.inWindows(after, n, func(q *filterSQL, from, window string) (int, error) {
		rest := 0
		if n > 0 {
			rest = n - len(found)
		}
		items, err := all(tx, scanItem, "SELECT "+itemColumns+" FROM "+from+" WHERE "+run.where(q)+window+
			" ORDER BY item.position LIMIT "+q.arg(limit(rest)), q.args...)
		found = append(found, items...)
		return len(found), err
	})
	return found, err
}

// BoxCursor is a place in the order of a dataset's boxes: that of their items, then of their ids.
type BoxCursor struct {
	Position int64 // of the item; -1 before the first
	ID       string
}

// FoundBox is a box that a filter chose.
type FoundBox struct {
	Position   int64 // of its item
	Annotation Annotation
}

// FilterBoxes is FilterItems for current annotations and predictions of type
// box. A filter of items chooses all boxes of its items. In a slice of objects
// only its members are looked at.
func (tx *Tx) FilterBoxes(dataset, sliceID string, f slice.Filter, after BoxCursor, n int) ([]FoundBox, error) {
	run, err := tx.newFilterRun(dataset, sliceID, f)
	if err != nil {
		return nil, err
	}
	return run.findBoxes(after, n)
}

// FilterBoxesOf is FilterBoxes for the ground truth of a dataset (a run of "")
// or the predictions of a run.
func (tx *Tx) FilterBoxesOf(dataset, modelRun string, f slice.Filter, after BoxCursor, n int) ([]FoundBox, error) {
	run, err := tx.newFilterRun(dataset, "", f)
	if err != nil {
		return nil, err
	}
	run.run = &modelRun
	return run.findBoxes(after, n)
}

func (r *filterRun) findBoxes(after BoxCursor, n int) ([]FoundBox, error) {
	r.boxes = true
	found := []FoundBox{}
	err := r.inWindows(after.Position-1, n, func(q *filterSQL, from, window string) (int, error) {
		rest := 0
		if n > 0 {
			rest = n - len(found)
		}
		where := r.where(q) + window
		position := q.arg(after.Position)
		where += " AND (item.position > " + position + " OR a.id > " + q.arg(after.ID) + ")"
		boxes, err := all(r.tx, scanFoundBox, "SELECT item.position, "+qualified("a", annotationColumns)+" FROM "+from+r.joinBoxes(q)+" WHERE "+where+" ORDER BY item.position, a.id LIMIT "+q.arg(limit(rest)), q.args...)
		found = append(found, boxes...)
		return len(found), err
	})
	return found, err
}

func scanFoundBox(row rowScanner) (b FoundBox, err error) {
	b.Annotation, err = scanAnnotation(prefixed{row, []any{&b.Position}})
	return b, err
}

// CountFiltered returns how many items, or boxes if it is a filter of those,
// FilterItems or FilterBoxes would find.
func (tx *Tx) CountFiltered(dataset, sliceID string, f slice.Filter) (int64, error) {
	run, err := tx.newFilterRun(dataset, sliceID, f)
	if err != nil {
		return 0, err
	}
	run.boxes = f.Level == slice.Boxes
	q := run.query()
	if query, ok := run.countGroups(q); ok {
		return one(tx, "count", scalar[int64], query, q.args...)
	}
	driver, err := run.bestDriver(noLimit)
	if err != nil {
		return 0, err
	}
	q = run.query()
	from := run.from(q, driver)
	if run.boxes {
		from += run.joinBoxes(q)
	}
	return one(tx, "count", scalar[int64], "SELECT COUNT(*) FROM "+from+" WHERE "+run.where(q), q.args...)
}

// joinBoxes joins the boxes of items to them.
func (r *filterRun) joinBoxes(q *filterSQL) string {
	if q.dialect == Postgres && q.byItem {
		return " CROSS JOIN LATERAL (SELECT * FROM " + q.boxes() + ") a"
	}
	return r.tx.inOrder() + "annotation a ON a.item = item.id AND " + currentBox
}

// inOrder joins a table that SQLite must read after the one before; PostgreSQL knows what it does.
func (tx *Tx) inOrder() string {
	if tx.dialect == SQLite {
		return " CROSS JOIN "
	}
	return " JOIN "
}

// filterRun is a filter under way.
type filterRun struct {
	tx          *Tx
	dataset     string
	slice       Slice // ID is "" for the whole dataset
	filter      slice.Filter
	evaluations map[string]string
	runs        map[string][]string
	boxes       bool    // rows are boxes
	run         *string // of which boxes are looked at, "" for ground truth; nil for all
}

func (tx *Tx) newFilterRun(dataset, sliceID string, f slice.Filter) (run *filterRun, err error) {
	if _, err := tx.Dataset(dataset); err != nil {
		return nil, err
	}
	run = &filterRun{tx: tx, dataset: dataset, filter: f, evaluations: make(map[string]string)}
	if sliceID != "" {
		s, err := tx.Slice(sliceID)
		if err != nil {
			return nil, err
		}
		if s.Dataset != dataset {
			return nil, remuda.Errorf(remuda.NotFound, "there is no slice %s in dataset %s", sliceID, dataset)
		}
		run.slice = s
	}
	for _, name := range f.Evaluations() {
		id, err := tx.evaluationNamed(name)
		if err != nil {
			return nil, err
		}
		run.evaluations[name] = id
	}
	if run.runs, err = tx.runsNamed(f); err != nil {
		return nil, err
	}
	return run, tx.tunePlanner()
}

// runsNamed returns the runs of the models of the caller's world that a filter names as a source.
func (tx *Tx) runsNamed(f slice.Filter) (map[string][]string, error) {
	var names []string
	f.Inspect(func(node any) bool {
		switch n := node.(type) {
		case slice.Compare:
			if v, ok := n.Right.(slice.Value); ok && n.Type == slice.Set {
				names = append(names, v.Text)
			}
		case slice.In:
			if n.Type == slice.Set {
				names = append(names, texts(n.Values)...)
			}
		}
		return true
	})
	type named struct{ run, id, name string }
	runs := make(map[string][]string)
	err := inLists(unique(names), 2, func(marks string, args []any) error {
		return each(tx, func(row rowScanner) (n named, err error) {
			err = row.Scan(&n.run, &n.id, &n.name)
			return n, err
		}, func(n named) error {
			runs[n.id] = append(runs[n.id], n.run)
			if n.name != n.id {
				runs[n.name] = append(runs[n.name], n.run)
			}
			return nil
		}, "SELECT r.id, m.id, m.name FROM model m JOIN model_run r ON r.model = m.id WHERE m.world = $1 AND (m.id IN ("+marks+") OR m.name IN ("+marks+"))",
			append([]any{tx.Caller.World}, args...)...)
	})
	return runs, err
}

// evaluationNamed returns the id of an evaluation of the caller's world: by its id, else the newest of that name.
func (tx *Tx) evaluationNamed(name string) (string, error) {
	id, err := one(tx, "evaluation", scalar[string],
		"SELECT id FROM evaluation WHERE world = $1 AND (id = $2 OR name = $2) ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END, id DESC LIMIT 1", tx.Caller.World, name)
	if remuda.CodeOf(err) == remuda.NotFound {
		return "", remuda.Errorf(remuda.Invalid, "read filter: there is no evaluation %q", name).WithHint("name one that has been made, by its id or name")
	}
	return id, err
}

// tunePlanner tells PostgreSQL, for this transaction, that compiling a plan or
// keeping one for other values of its parameters costs more than it saves.
func (tx *Tx) tunePlanner() error {
	if tx.dialect != Postgres {
		return nil
	}
	_, err := tx.exec("SELECT set_config('jit', 'off', TRUE), set_config('plan_cache_mode', 'force_custom_plan', TRUE), set_config('work_mem', '32MB', TRUE)")
	return err
}

func (r *filterRun) query() *filterSQL {
	return &filterSQL{dialect: r.tx.dialect, dataset: r.dataset, evaluations: r.evaluations, runs: r.runs}
}

// where is the whole condition on the rows.
func (r *filterRun) where(q *filterSQL) string {
	parts := []string{"item.dataset = " + q.arg(r.dataset)}
	if r.run != nil {
		parts = append(parts, "a.run = "+q.arg(*r.run))
	}
	if r.slice.ID != "" {
		member := "EXISTS (SELECT 1 FROM slice_member m WHERE m.slice = " + q.arg(r.slice.ID) + " AND m.item = item.id"
		if r.boxes {
			member += " AND m.annotation IN ('', a.id)"
		}
		parts = append(parts, member+")")
	}
	return strings.Join(append(parts, q.cond(r.filter.Where, false)), " AND ")
}

// inWindows calls do with windows of positions behind one, until it has found n
// rows or the dataset has no more; if the first found few or all are wanted,
// once for all the rest where a driver has few rows. from is the table item,
// window the condition on it; do returns how many rows it has found in all.
func (r *filterRun) inWindows(after int64, n int, do func(q *filterSQL, from, window string) (found int, err error)) error {
	look := func(driver driver, last int64) (found int, err error) {
		q := r.query()
		q.byItem = n > 0
		return do(q, r.from(q, driver), " AND item.position > "+q.arg(after)+" AND item.position <= "+q.arg(last))
	}
	found := 0
	for size := int64(firstWindow); n > 0; size *= windowGrowth {
		last, more, err := r.windowEnd(after, size)
		if err != nil {
			return err
		}
		found, err = look(nil, last)
		if err != nil || found >= n || !more {
			return err
		}
		after = last
		if size > firstWindow || found > n/(2*windowGrowth) {
			continue // the next window may do
		}
		driver, err := r.bestDriver(fewItems)
		if err != nil {
			return err
		}
		if driver != nil {
			_, err = look(driver, noLimit)
			return err
		}
	}
	driver, err := r.bestDriver(fewItems)
	if err == nil {
		_, err = look(driver, noLimit)
	}
	return err
}

// windowEnd returns the position of the last of so many items behind one, and whether there may be more.
func (r *filterRun) windowEnd(after, size int64) (last int64, more bool, err error) {
	last, err = one(r.tx, "more", scalar[int64], "SELECT position FROM item WHERE dataset = $1 AND position > $2 ORDER BY position LIMIT 1 OFFSET $3", r.dataset, after, size-1)
	if remuda.CodeOf(err) == remuda.NotFound {
		return noLimit, false, nil
	}
	return last, true, err
}

// from is the table item, by way of a driver if there is one.
func (r *filterRun) from(q *filterSQL, driver driver) string {
	if driver == nil {
		return "item"
	}
	return "(" + distinct(driver(q)) + ") d" + r.tx.inOrder() + "item ON item.id = d.item"
}
