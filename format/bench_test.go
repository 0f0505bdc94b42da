package format

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"remuda"
	"remuda/geom"
)

// A COCO file of 5,000 images with 36,000 boxes, and 250,000 predictions.
func BenchmarkRead(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	box := func() geom.Box {
		return geom.FromXYWH(500*random.Float64(), 400*random.Float64(), 100*random.Float64(), 100*random.Float64())
	}
	var d remuda.Dataset
	for i := range int64(80) {
		d.Categories = append(d.Categories, remuda.Category{ID: i + 1, Name: fmt.Sprint("category ", i)})
	}
	for i := range int64(5000) {
		d.Items = append(d.Items, remuda.Item{ID: i + 1, File: fmt.Sprintf("%012d.jpg", i), Width: 640, Height: 480})
	}
	annotations := func(n int) (list []remuda.Annotation) {
		for i := range n {
			list = append(list, remuda.Annotation{ID: int64(i + 1), ItemID: 1 + random.Int64N(5000), CategoryID: 1 + random.Int64N(80), Box: box(), Confidence: random.Float64()})
		}
		return list
	}
	d.Annotations = annotations(36_000)
	labels, predictions := filepath.Join(b.TempDir(), "labels.json"), filepath.Join(b.TempDir(), "predictions.json")
	if err := Write(labels, COCO, d); err != nil {
		b.Fatal(err)
	}
	if err := WritePredictions(predictions, annotations(250_000)); err != nil {
		b.Fatal(err)
	}
	run := func(name, file string, read func() error) {
		b.Run(name, func(b *testing.B) {
			st, err := os.Stat(file)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(st.Size())
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("labels", labels, func() error { _, err := Read(labels, Options{}); return err })
	run("predictions", predictions, func() error { _, err := ReadPredictions(predictions, d); return err })
}
