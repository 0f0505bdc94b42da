package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"
	"time"
)

// BenchmarkLatency measures from the commit to the handler.
func BenchmarkLatency(b *testing.B) {
	for _, dialect := range []string{SQLite, Postgres} {
		b.Run(dialect, func(b *testing.B) {
			w, got := newWorld(b, dialect), make(chan string)
			q := w.started(b, Options{Handlers: map[string]Handler{"note": noting(got)}})
			for b.Loop() {
				w.enqueue(b, q, "note", "x")
				<-got
			}
		})
	}
}

// BenchmarkThroughput runs 2,000 jobs that do nothing, enqueued in one
// transaction.
func BenchmarkThroughput(b *testing.B) {
	for _, dialect := range []string{SQLite, Postgres} {
		b.Run(dialect, func(b *testing.B) {
			w := newWorld(b, dialect)
			q := w.started(b, Options{Workers: 8, Handlers: map[string]Handler{"noop": func(context.Context, json.RawMessage) error { return nil }}})
			for b.Loop() {
				err := w.tx(b.Context(), func(tx *sql.Tx) error {
					for range 2000 {
						if _, err := q.Enqueue(b.Context(), tx, "noop", nil, time.Time{}); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				quiet(b, q)
			}
		})
	}
}
