package flow_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"remuda/flow"
	"remuda/internal/flowtest"
)

// BenchmarkAppend stores small JPEG files, durable, ten a call and ten calls at
// a time, as the Python client sends them; the figure is images a second.
func BenchmarkAppend(b *testing.B) {
	f, caller := flowtest.New(b)
	dataset := newDataset(b, f, caller)
	const perCall, calls = 10, 10
	var seed int
	for b.Loop() {
		b.StopTimer()
		files := make([][]byte, perCall*calls)
		for i := range files {
			files[i] = photo(b, seed+i, 160, 120)
		}
		b.StartTimer()
		var wait sync.WaitGroup
		for call := range calls {
			wait.Go(func() {
				batch := f.ReceiveImages(b.Context())
				items := make([]flow.NewItem, perCall)
				for i := range items {
					if err := batch.Add(bytes.NewReader(files[call*perCall+i])); err != nil {
						b.Error(err)
					}
				}
				images, err := batch.Wait()
				if err != nil {
					b.Error(err)
					return
				}
				for i := range items {
					items[i] = flow.NewItem{ReferenceID: fmt.Sprint(seed + call*perCall + i), ImageURL: "x", Image: &images[i]}
				}
				if _, err := f.AppendItems(b.Context(), caller, dataset, items); err != nil {
					b.Error(err)
				}
			})
		}
		wait.Wait()
		seed += perCall * calls
	}
	b.ReportMetric(float64(seed)/b.Elapsed().Seconds(), "images/s")
}
