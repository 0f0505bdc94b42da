package nucleus

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"remuda"
	"remuda/internal/flowtest"
	"remuda/store"
)

// BenchmarkTraining annotates items in batches as the client sends them, then
// reads 10,000 items with 100,000 boxes as items_and_annotations does; with -short a tenth of it.
func BenchmarkTraining(b *testing.B) {
	items := 10_000
	if testing.Short() {
		items = 1000
	}
	f, caller := flowtest.New(b)
	api := New(Server{Flow: f, Authenticate: func(*http.Request) (remuda.Caller, error) { return caller, nil }, PublicURL: func(*http.Request) string { return "" }})
	call := func(b *testing.B, method, path, body string) {
		b.Helper()
		answer := httptest.NewRecorder()
		answer.Body = nil
		api.ServeHTTP(answer, httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body)))
		if answer.Code != http.StatusOK {
			b.Fatal(answer.Code)
		}
	}
	var dataset string
	err := f.DB.Write(b.Context(), caller, func(tx *store.Tx) error {
		d, err := tx.CreateDataset(store.Dataset{Name: "many"})
		list := make([]store.Item, items)
		for i := range list {
			list[i] = store.Item{ReferenceID: fmt.Sprintf("%06d.jpg", i), ImageURL: fmt.Sprintf("http://images.test/%d", i)}
		}
		if err == nil {
			_, err = tx.AddItems(d.ID, list, false)
		}
		dataset = d.ID
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	var batches []string
	for at := 0; at < items; at += 500 { // 5,000 boxes
		var list []string
		for n := range 5000 {
			list = append(list, fmt.Sprintf(`{"label":"horse","type":"box","geometry":{"x":%d.5,"y":2,"width":30.1,"height":40},"reference_id":"%06d.jpg","annotation_id":"horse-%d","metadata":{},"embedding_vector":null,"track_reference_id":null,"task_id":null}`, n%10, at+n/10, n))
		}
		batches = append(batches, `{"update":false,"annotations":[`+strings.Join(list, ",")+`]}`)
	}
	b.Run("annotate 5,000 boxes", func(b *testing.B) {
		n := 0
		for b.Loop() {
			call(b, "POST", "/dataset/"+dataset+"/annotate", batches[n%len(batches)])
			n++
		}
		for ; n < len(batches); n++ {
			call(b, "POST", "/dataset/"+dataset+"/annotate", batches[n])
		}
	})
	b.Run("items and annotations", func(b *testing.B) {
		server := httptest.NewServer(api)
		defer server.Close()
		for b.Loop() {
			answer, err := http.Get(server.URL + "/dataset/" + dataset + "/exportForTraining")
			if err != nil {
				b.Fatal(err)
			}
			n, err := io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
			if err != nil || n < int64(items)*1000 {
				b.Fatal(n, err)
			}
			b.ReportMetric(float64(n)/(1<<20), "MiB")
		}
	})
}
