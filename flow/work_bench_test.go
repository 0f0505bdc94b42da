package flow_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/label"
)

// BenchmarkWork measures what 50 people wait for who work on 100,000 open tasks
// of ten batches: the next task and handing it in, each person after a pause.
func BenchmarkWork(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchWork(b, filepath.Join(b.TempDir(), "remuda.db")) })
	b.Run("postgres", func(b *testing.B) { benchWork(b, postgrestest.New(b)) })
}

const (
	benchOpen   = 100_000
	benchPeople = 50
	benchPause  = 2 * time.Second // faster than anybody draws
)

func benchWork(b *testing.B, location string) {
	f, manager := flowtest.Open(b, location)
	people := benchSite(b, f, manager)
	var mu sync.Mutex
	var next, submit []time.Duration
	b.ResetTimer()
	var wait sync.WaitGroup
	turns := make(chan int)
	for p, who := range people {
		wait.Go(func() {
			pause := time.NewTicker(benchPause * time.Duration(p+1) / benchPeople) // people don't begin together
			defer pause.Stop()
			for range turns {
				<-pause.C
				pause.Reset(benchPause)
				begun := time.Now()
				w, found, err := f.NextTask(b.Context(), who, "")
				took := time.Since(begun)
				if err != nil || !found {
					b.Errorf("nothing next: %v", err)
					return
				}
				begun = time.Now()
				_, err = f.SubmitTask(b.Context(), who, w.Task.ID, label.Submission{Lease: w.Task.Lease.Number, Answer: drawn()}, nil)
				mu.Lock()
				next, submit = append(next, took), append(submit, time.Since(begun))
				mu.Unlock()
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for b.Loop() {
		turns <- 1
	}
	close(turns)
	wait.Wait()
	report(b, "next", next)
	report(b, "submit", submit)
}

// report reports percentiles of times.
func report(b *testing.B, name string, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []int{50, 95, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100].Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", name, p))
	}
}

func benchSite(b *testing.B, f *flow.Flow, manager remuda.Caller) (people []remuda.Caller) {
	b.Helper()
	if _, err := f.CreateProject(b.Context(), manager, flow.NewProject{Name: "cows"}); err != nil {
		b.Fatal(err)
	}
	var logins []string
	for n := range benchPeople {
		logins = append(logins, fmt.Sprintf("person%d", n))
	}
	if err := f.InviteTeam(b.Context(), manager, logins, remuda.Labeler); err != nil {
		b.Fatal(err)
	}
	if err := f.Assign(b.Context(), manager, logins, []string{"cows"}, false); err != nil {
		b.Fatal(err)
	}
	users, err := f.Team(b.Context(), manager)
	if err != nil {
		b.Fatal(err)
	}
	for _, u := range users {
		people = append(people, remuda.Caller{User: u.ID, Name: u.Name, Role: u.Role, World: remuda.Live})
	}
	o := &office{images: map[string][]byte{"http://images.test/a.jpg": photo(b, 1, 200, 150)}}
	f.Fetcher = o
	file, err := f.ImportFile(b.Context(), manager, flow.NewFile{}, "http://images.test/a.jpg")
	if err != nil {
		b.Fatal(err)
	}
	params := json.RawMessage(`{"attachment":"` + flow.FileURL(file) + `","geometries":{"box":{"objects_to_annotate":["cow"]}}}`)
	for n := range 10 {
		name := fmt.Sprintf("batch %d", n)
		if _, err := f.CreateBatch(b.Context(), manager, flow.NewBatch{Project: "cows", Name: name, Plan: &label.Plan{Attempts: 3}}); err != nil {
			b.Fatal(err)
		}
		for range benchOpen / 10 / 1000 {
			if _, err := f.CreateTasks(b.Context(), manager, flow.Place{Batch: name}, slices.Repeat([]flow.NewTask{{Params: params}}, 1000)); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := f.FinalizeBatch(b.Context(), manager, name); err != nil {
			b.Fatal(err)
		}
	}
	return people
}
