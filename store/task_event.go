package store

import (
	"encoding/json"
	"strings"

	"remuda/label"
)

// AddEvents adds what happened to the history, in order. Events of tasks and
// batches are of the batch with an id, those of a person in a project have "".
func (tx *Tx) AddEvents(project, batch string, events []label.Event) error {
	rows := make([][]any, len(events))
	for i, e := range events {
		text, err := jsonText(e)
		if err != nil {
			return err
		}
		person := e.Person
		if person == "" {
			person = e.By
		}
		rows[i] = []any{tx.NewID("evt"), tx.Caller.World, project, batch, e.Task, person, e.Kind, millis(e.At), text}
	}
	return tx.insert("task_event", "id, world, project, batch, task, person, kind, at, event", "", rows)
}

// EventFilter chooses events; zero fields choose all.
type EventFilter struct {
	Task, BatchID, Person string
	Kinds                 []label.EventKind
	After                 string // id of the event before the first one
	Limit                 int
}

// Event is an event of the history with its id.
type Event struct {
	ID string
	label.Event
}

func scanEvent(row rowScanner) (e Event, err error) {
	var text string
	if err = row.Scan(&e.ID, &text); err != nil {
		return e, err
	}
	return e, json.Unmarshal([]byte(text), &e.Event)
}

// Events returns those of the caller's world that the filter chooses, oldest first.
func (tx *Tx) Events(f EventFilter) ([]Event, error) {
	where := conditions{args: []any{tx.Caller.World}}
	if f.Task != "" {
		where.add("task = ? AND task <> ''", f.Task)
	}
	if f.BatchID != "" {
		where.add("batch = ?", f.BatchID)
	}
	if f.Person != "" {
		where.add("person = ?", f.Person)
	}
	if f.After != "" {
		where.add("id > ?", f.After)
	}
	kinds := make([]string, len(f.Kinds))
	for i, k := range f.Kinds {
		kinds[i] = string(k)
	}
	where.in("kind", kinds)
	where.args = append(where.args, limit(f.Limit))
	return all(tx, scanEvent, "SELECT id, event FROM task_event WHERE world = $1"+where.text()+" ORDER BY id LIMIT "+placeholder(len(where.args)), where.args...)
}

// likeMark escapes what LIKE takes for a pattern.
func likeMark(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
