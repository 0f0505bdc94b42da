package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"remuda/client"
)

// health is what /healthz says.
func (s *site) health() string {
	s.t.Helper()
	status, _, text := s.ask("GET", "/healthz", "")
	return fmt.Sprint(status, " ", string(text))
}

// until waits for what /healthz says, which it remembers for a moment.
func (s *site) until(want string) {
	s.t.Helper()
	for tick := time.NewTicker(50 * time.Millisecond); s.health() != want; <-tick.C {
	}
}

const well = `200 {"database":"ok","files":"ok"}`

// refused fails the test unless a request is answered as one that cannot be
// carried out now, in the shape of its API.
func (s *site) refused(method, path, body string) {
	s.t.Helper()
	status, header, text := s.ask(method, path, body)
	var said struct{ Error, Detail, Code, Hint string }
	err := json.Unmarshal(text, &said)
	kind := header.Get("Content-Type")
	ours := kind == "application/problem+json" && said.Code == "unavailable" && said.Detail != "" && said.Hint != ""
	theirs := kind == "application/json" && strings.Contains(said.Error, " ")
	if status != http.StatusServiceUnavailable || err != nil || ours != strings.HasPrefix(path, "/api/v1/") || theirs == ours {
		s.t.Errorf("%s %s: %d %s %s", method, path, status, kind, text)
	}
}

func TestAServerOutlivesAnOutageOfItsBucket(t *testing.T) {
	t.Parallel()
	s := grown(t).serve()
	dataset := s.id("POST", "/api/v1/datasets", `{"name":"horses"}`, "id")
	s.upload(dataset, writeJPEGs(t, 5))
	want := s.images(dataset)
	items, err := s.client().Items(t.Context(), dataset, client.Search{}, client.Page{}, false)
	if err != nil {
		t.Fatal(err)
	}
	another, err := os.ReadFile(filepath.Join(writeJPEGs(t, 6), "0005.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	s.bucket.Cut()
	s.until(`503 {"database":"ok","files":"does not answer"}`)
	s.refused("GET", items.Items[0].ImageURL, "")
	s.refused("POST", "/api/v1/datasets/"+dataset+"/items", form("lost.jpg", another))
	if found := s.json("GET", "/api/v1/datasets/"+dataset, ""); found["items"] != 5.0 {
		t.Errorf("without its images the dataset is %v", found)
	}
	s.bucket.Mend()
	s.until(well)
	compare(t, want, s.images(dataset))
	s.upload(s.id("POST", "/api/v1/datasets", `{"name":"more"}`, "id"), writeJPEGs(t, 30))
	s.server.end()
}

func TestAServerOutlivesOutagesOfItsDatabase(t *testing.T) {
	t.Parallel() // a job that got lost is missed after a while
	s := grown(t).serve()
	dataset := s.id("POST", "/api/v1/datasets", `{"name":"horses"}`, "id")
	s.database.Cut()
	s.until(`503 {"database":"does not answer","files":"ok"}`)
	for _, path := range []string{"/api/v1/datasets", "/v1/nucleus/dataset/details", "/v1/nucleus/dataset/" + dataset + "/exportForTraining", "/v1/tasks"} {
		s.refused("GET", path, "")
	}
	s.refused("POST", "/api/v1/datasets", `{"name":"ponies"}`)
	s.refused("POST", "/v1/nucleus/dataset/create", `{"name":"ponies"}`)
	s.database.Mend()
	s.until(well)
	acknowledged := s.outages(dataset)
	s.until(well)
	s.quiet()
	found := make(map[string]bool)
	items, err := s.client().Items(t.Context(), dataset, client.Search{}, client.Page{Limit: 1000}, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range items.Items {
		found[item.ReferenceID] = true
	}
	for _, ref := range acknowledged {
		if !found[ref] {
			t.Errorf("%s was acknowledged and is not there", ref)
		}
	}
	s.server.end()
}

// outages adds items while the line to the database is cut again and again,
// and returns those that the server has acknowledged.
func (s *site) outages(dataset string) (acknowledged []string) {
	const writers, rounds = 4, 6
	results := make(chan string) // a name, or "" for a failure
	stop := make(chan struct{})
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for n := 0; ; n++ {
				ref := fmt.Sprintf("%d-%d", w, n)
				status, _, text, err := s.try("POST", "/v1/nucleus/dataset/"+dataset+"/append", `{"items":[{"reference_id":"`+ref+`","image_url":"http://127.0.0.1:1/a.jpg","metadata":{}}],"update":false}`)
				if err != nil || status != http.StatusOK {
					if status != http.StatusServiceUnavailable || !strings.HasPrefix(string(text), `{"error":"`) {
						s.t.Errorf("append: %d %s %v", status, text, err)
					}
					ref = ""
				}
				select {
				case results <- ref:
				case <-stop:
					return
				}
			}
		})
	}
	for range rounds {
		for good := 0; good < 10; { // until it works again
			if ref := <-results; ref != "" {
				acknowledged = append(acknowledged, ref)
				good++
			}
		}
		s.database.Cut()
		for bad := 0; bad < 2*writers; {
			if ref := <-results; ref != "" {
				acknowledged = append(acknowledged, ref)
			} else {
				bad++
			}
		}
		s.database.Mend()
	}
	close(stop)
	all.Wait()
	return acknowledged
}
