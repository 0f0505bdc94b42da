package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"

	"remuda"
	"remuda/detect"
	"remuda/geom"
	"remuda/imageio"
)

// Streams of randomness; each use of the seed has its own.
const (
	orderStream uint64 = iota + 1
	augmentStream
	sampleStream
)

// random returns the generator for one use and one number (a step or an epoch),
// the same whenever it is asked for.
func random(seed, stream uint64, n int) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream<<48|uint64(n)))
}

// example is one item to learn from. Crowds are left out: they are no object.
type example struct {
	file   string // path relative to the folder of images
	boxes  []geom.Box
	labels []int // outputs of the model, from 1
}

// examplesOf lists a dataset's items with their boxes. An item without boxes
// is background.
func examplesOf(d remuda.Dataset) []example {
	label := make(map[int64]int, len(d.Categories))
	for i, c := range d.Categories {
		label[c.ID] = i + 1
	}
	byItem := remuda.ByItem(d.Annotations)
	examples := make([]example, len(d.Items))
	for i, item := range d.Items {
		e := example{file: item.File}
		for _, a := range byItem[item.ID] {
			if !a.Crowd {
				e.boxes = append(e.boxes, a.Box)
				e.labels = append(e.labels, label[a.CategoryID])
			}
		}
		examples[i] = e
	}
	return examples
}

// feed makes batches on other goroutines while the engine works.
type feed struct {
	folder   string // of images
	examples []example
	recipe   remuda.Recipe
	config   detect.Config
}

// batch is what one step learns from.
type batch struct {
	input   detect.Batch
	targets []detect.Target
	files   []string
	err     error
}

// steps returns the number of steps of one pass; the last may be smaller than a batch.
func (f *feed) steps() int { return (len(f.examples) + f.recipe.Batch - 1) / f.recipe.Batch }

// run sends the batches of steps from ≤ step < to, in order, each made by one
// of the workers. The channel is closed after the last one or when ctx is done.
func (f *feed) run(ctx context.Context, from, to, workers int) <-chan batch {
	// A queue of places keeps the order; its length bounds what is made ahead.
	places := make(chan chan batch, workers)
	out := make(chan batch)
	go func() {
		defer close(places)
		for step := from; step < to; step++ {
			place := make(chan batch, 1)
			select {
			case places <- place:
			case <-ctx.Done():
				return
			}
			go func() { place <- f.make(step) }()
		}
	}()
	go func() {
		defer close(out)
		for place := range places {
			select {
			case out <- <-place:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// items returns the examples of a step, by the order of its epoch.
func (f *feed) items(step int) []example {
	epoch, k := step/f.steps(), step%f.steps()
	order := random(f.recipe.Seed, orderStream, epoch).Perm(len(f.examples))
	order = order[k*f.recipe.Batch : min((k+1)*f.recipe.Batch, len(order))]
	items := make([]example, len(order))
	for i, at := range order {
		items[i] = f.examples[at]
	}
	return items
}

// make reads and augments the images of a step.
func (f *feed) make(step int) batch {
	rng := random(f.recipe.Seed, augmentStream, step)
	var b batch
	var images []*imageio.RGB
	var scales []float64
	for _, item := range f.items(step) {
		image, err := imageio.Open(filepath.Join(f.folder, filepath.FromSlash(item.file)))
		if err != nil {
			return batch{err: fmt.Errorf("read a training image: %w", err)}
		}
		boxes := fit(item.boxes, image)
		if rng.Float64() < f.recipe.Flip {
			imageio.Flip(image)
			for i, box := range boxes {
				boxes[i] = box.FlipX(float64(image.Width))
			}
		}
		if f.recipe.ColorJitter > 0 {
			jitterColor(image, f.recipe.ColorJitter, rng)
		}
		scale := 1.0
		if f.recipe.ScaleJitter > 0 {
			scale = math.Exp((2*rng.Float64() - 1) * math.Log1p(f.recipe.ScaleJitter))
		}
		images, scales = append(images, image), append(scales, scale)
		b.targets = append(b.targets, detect.Target{Boxes: boxes, Labels: item.labels})
		b.files = append(b.files, item.file)
	}
	b.input = detect.Transform(f.config, images, scales...)
	return b
}

// fit returns a copy of boxes clipped to the image they are on.
func fit(boxes []geom.Box, image *imageio.RGB) []geom.Box {
	fitted := make([]geom.Box, len(boxes))
	for i, box := range boxes {
		fitted[i] = box.Clip(float64(image.Width), float64(image.Height))
	}
	return fitted
}

// jitterColor changes brightness, contrast and saturation, in this order, each
// by a factor in [1−c, 1+c], as torchvision's ColorJitter does for floats.
func jitterColor(image *imageio.RGB, c float64, rng *rand.Rand) {
	factor := func() float32 { return float32(1 + (2*rng.Float64()-1)*c) }
	bright, contrast, saturation := factor(), factor(), factor()
	var mean float32
	for i := 0; i+2 < len(image.Pix); i += 3 {
		mean += grey(image.Pix[i:])
	}
	mean = mean * bright / float32(max(1, len(image.Pix)/3))
	for i := 0; i+2 < len(image.Pix); i += 3 {
		p := image.Pix[i : i+3]
		level := grey(p)*bright*contrast + mean*(1-contrast)
		for k, v := range p {
			x := float32(v)*bright*contrast + mean*(1-contrast)
			x = x*saturation + level*(1-saturation)
			p[k] = byte(min(max(x+0.5, 0), 255))
		}
	}
}

// grey returns the luma of a pixel by ITU-R BT.601.
func grey(p []byte) float32 {
	return 0.299*float32(p[0]) + 0.587*float32(p[1]) + 0.114*float32(p[2])
}
