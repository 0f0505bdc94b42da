package flow_test

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"
	"time"

	"remuda"
	"remuda/flow"
	"remuda/format"
	"remuda/geom"
	"remuda/internal/flowtest"
	"remuda/internal/postgrestest"
	"remuda/store"
)

// many fills a dataset with items and their boxes.
func many(b *testing.B, f *flow.Flow, caller remuda.Caller, items, boxes int) (dataset string, ids []string) {
	b.Helper()
	d, err := f.CreateDataset(b.Context(), caller, flow.NewDataset{Name: "many"})
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	for at := 0; at < items; at += batch {
		err := f.DB.Write(b.Context(), caller, func(tx *store.Tx) error {
			var list []store.Item
			for i := range min(batch, items-at) {
				list = append(list, sized(fmt.Sprintf("%07d.jpg", at+i), 640, 480, 1))
			}
			added, err := tx.AddItems(d.ID, list, false)
			if err != nil {
				return err
			}
			for _, item := range added {
				ids = append(ids, item.ID)
				if _, _, err := tx.PutAnnotations(item.ID, "", several(boxes), false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return d.ID, ids
}

func several(n int) []store.Annotation {
	list := make([]store.Annotation, n)
	for i := range list {
		x := float64(i) * 10.3
		list[i] = store.Annotation{
			Type: store.TypeBox, Key: "k" + strconv.Itoa(i), Category: []string{"horse", "cow", "pig"}[i%3],
			Box: &geom.Box{X0: x, Y0: x / 3, X1: x + 17.25, Y1: x + 99.1}, Source: store.SourceImport,
		}
	}
	return list
}

// BenchmarkExportCOCO exports 100,000 items with 1,000,000 boxes; with -short a tenth of it.
func BenchmarkExportCOCO(b *testing.B) {
	items := 100_000
	if testing.Short() {
		items = 10_000
	}
	f, caller := flowtest.New(b)
	begun := time.Now()
	dataset, _ := many(b, f, caller, items, 10)
	b.Logf("%d items and their boxes written in %.1f s", items, time.Since(begun).Seconds())
	for b.Loop() {
		before, stop := heap(), make(chan uint64)
		done := make(chan struct{})
		go func() {
			var most uint64
			for {
				select {
				case <-done:
					stop <- most
					return
				case <-time.After(20 * time.Millisecond):
					most = max(most, heap())
				}
			}
		}()
		proof, err := f.ExportLabels(b.Context(), caller, flow.Source{Dataset: dataset}, format.COCO, io.Discard)
		close(done)
		if err != nil || proof.Boxes != items*10 {
			b.Fatal(proof, err)
		}
		b.ReportMetric(float64(<-stop-min(before, 1<<62))/(1<<20), "MiB-more")
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// BenchmarkSave is a durable save of the ten boxes of an item, on a dataset of many.
func BenchmarkSave(b *testing.B) {
	for name, location := range map[string]func() (*flow.Flow, remuda.Caller){
		"sqlite":   func() (*flow.Flow, remuda.Caller) { return flowtest.New(b) },
		"postgres": func() (*flow.Flow, remuda.Caller) { return flowtest.Open(b, postgrestest.New(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			f, caller := location()
			_, ids := many(b, f, caller, 2000, 10)
			n := 0
			for b.Loop() {
				id := ids[n%len(ids)]
				list := several(10)
				for i := range list {
					list[i].Box.X1 += float64(n + 1)
				}
				item, err := f.Annotations(b.Context(), caller, []string{id})
				if err != nil {
					b.Fatal(err)
				}
				for i := range list {
					list[i].ID = item[id][i].ID
				}
				if _, err := f.SaveAnnotations(b.Context(), caller, id, int64(1+n/len(ids)), list); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}
