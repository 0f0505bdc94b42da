package deploy

import (
	"context"
	"fmt"

	"remuda"
	"remuda/detect"
	"remuda/imageio"
	"remuda/tensor"
	"remuda/weights"
)

// The sides of the squares that images are squeezed to, in pixels.
const (
	minSide = 32
	maxSide = 1024
)

// Embedder is a backbone that makes vectors of images.
type Embedder struct {
	backbone *detect.Backbone
	side     int // of the squares that images are squeezed to
}

// OpenEmbedder loads the backbone of a spec. Other weights than the spec's are
// a conflict.
func OpenEmbedder(engine *tensor.Engine, spec remuda.EmbedSpec) (*Embedder, error) {
	if spec.Side < minSide || spec.Side > maxSide {
		return nil, remuda.Errorf(remuda.Invalid, "side is %d", spec.Side).WithHint("give %d to %d", minSide, maxSide)
	}
	sum, err := weights.SHA256(spec.Weights)
	if err != nil {
		return nil, fmt.Errorf("open the backbone: %w", err)
	}
	if sum != spec.SHA256 {
		return nil, remuda.Errorf(remuda.Conflict, "the weights in %s have the SHA-256 %.16s…, not %.16s…", spec.Weights, sum, spec.SHA256)
	}
	file, err := weights.Open(spec.Weights)
	if err != nil {
		return nil, fmt.Errorf("open the backbone: %w", err)
	}
	defer file.Close()
	_, _, detector := detect.ArchOf(file.Shapes())
	source, _ := weights.Known(sum, spec.Arch)
	e := &Embedder{side: spec.Side}
	err = engine.Do(func() error {
		if e.backbone, err = detect.NewBackbone(engine, spec.Arch); err != nil {
			return err
		}
		return e.backbone.Load(func(name string) (detect.Array, bool) {
			data, err := file.Read(name)
			return detect.Array{Shape: file.Shape(name), Data: data}, err == nil
		}, !detector, detect.LoadOptions{EpsZero: detect.HasEpsZero(spec.Arch, source.Name)})
	})
	if err != nil {
		return nil, fmt.Errorf("load the backbone from %s: %w", spec.Weights, err)
	}
	return e, nil
}

// Run makes the vectors of files in order, one event each. A file that can't be
// read gets an event with its error, and the rest go on. Files are decoded
// while the engine works.
func (e *Embedder) Run(ctx context.Context, files []string, emit func(remuda.Event) error) error {
	for i, result := range imageio.Stream(ctx, files, 2, 4) {
		if ctx.Err() != nil { // which Stream reports as the next file's error
			return ctx.Err()
		}
		event := &remuda.EmbeddingEvent{Index: i}
		if result.Err != nil {
			event.Error = result.Err.Error()
		} else {
			var err error
			if event.Vector, err = e.backbone.Embed(result.Image, e.side); err != nil {
				return fmt.Errorf("look at %s: %w", files[i], err)
			}
		}
		if err := emit(remuda.Event{Embedding: event}); err != nil {
			return err
		}
	}
	return nil
}
