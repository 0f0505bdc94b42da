package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"remuda"
	"remuda/detect"
	"remuda/imageio"
	"remuda/tensor"
	"remuda/weights"
)

// Predictor is a model ready to answer.
type Predictor struct {
	model      *detect.Model
	categories []remuda.Category
}

// Open loads the model of a spec: a run's folder, or a file of weights that
// the spec names the architecture and the categories of.
func Open(engine *tensor.Engine, spec remuda.PredictSpec, precision string) (*Predictor, error) {
	path, card, err := find(spec)
	if err != nil {
		return nil, err
	}
	file, err := weights.Open(path)
	if err != nil && path != spec.Model {
		return nil, remuda.Errorf(remuda.CodeOf(err), "open the model: %w", err).WithHint("make it again: remuda train --out %s --resume", spec.Model)
	} else if err != nil {
		return nil, fmt.Errorf("open the model: %w", err)
	}
	defer file.Close()
	sum, err := weights.SHA256(path)
	if err != nil {
		return nil, fmt.Errorf("open the model: %w", err)
	}
	source, _ := weights.Known(sum, card.Arch)
	p := &Predictor{categories: card.Categories}
	config := detect.Config{Arch: card.Arch, Categories: len(card.Categories), Precision: detect.PrecisionOf(precision)}
	err = engine.Do(func() error {
		if p.model, err = detect.New(engine, config, 0); err != nil {
			return err
		}
		return p.load(file, path, detect.LoadOptions{EpsZero: detect.HasEpsZero(card.Arch, source.Name)})
	})
	if err != nil {
		return nil, fmt.Errorf("load the model %s: %w", path, err)
	}
	return p, nil
}

// find returns the file of weights and what the spec or the run's card says of it.
func find(spec remuda.PredictSpec) (path string, card remuda.Card, err error) {
	info, err := os.Stat(spec.Model)
	switch {
	case err != nil:
		return "", card, remuda.Errorf(remuda.NotFound, "open the model: %w", err).WithHint("name a run's folder or a file of weights")
	case info.IsDir():
		card, err = remuda.ReadCard(spec.Model)
		return filepath.Join(spec.Model, remuda.ModelFile), card, err
	case spec.Arch == "" || len(spec.Categories) == 0:
		return "", card, remuda.Errorf(remuda.Invalid, "the spec does not say what %s is", spec.Model).WithHint("give its arch and its categories")
	}
	return spec.Model, remuda.Card{Arch: spec.Arch, Categories: spec.Categories}, nil
}

func (p *Predictor) load(file *weights.File, path string, o detect.LoadOptions) error {
	report, err := p.model.Load(func(name string) (detect.Array, bool) {
		data, err := file.Read(name)
		return detect.Array{Shape: file.Shape(name), Data: data}, err == nil
	}, o)
	if err != nil {
		return err
	}
	if len(report.Fresh) > 0 {
		return remuda.Errorf(remuda.Invalid, "%s does not fit: %v differ in shape", path, report.Fresh).
			WithHint("give the --arch and the --categories it was trained with")
	}
	return nil
}

// Run answers for the files in order, one event each. A file that can't be
// read gets an event with its error, and the rest go on.
func (p *Predictor) Run(ctx context.Context, files []string, minScore float64, emit func(remuda.Event) error) error {
	for i, result := range imageio.Stream(ctx, files, 2, 4) {
		if ctx.Err() != nil { // which Stream reports as the next file's error
			return ctx.Err()
		}
		event := &remuda.DetectionEvent{Index: i, File: files[i]}
		if result.Err != nil {
			event.Error = result.Err.Error()
		} else {
			event.Width, event.Height = result.Image.Width, result.Image.Height
			annotations, err := p.Detect(result.Image, minScore)
			if err != nil {
				return fmt.Errorf("detect on %s: %w", files[i], err)
			}
			event.Annotations = annotations
		}
		if err := emit(remuda.Event{Detection: event}); err != nil {
			return err
		}
	}
	return nil
}

// Detect returns what the model sees on an image, best first, down to a confidence.
func (p *Predictor) Detect(image *imageio.RGB, minScore float64) ([]remuda.Annotation, error) {
	found, err := p.model.DetectImage(image)
	annotations := []remuda.Annotation{}
	for _, d := range found {
		if d.Score >= minScore {
			annotations = append(annotations, remuda.Annotation{CategoryID: p.categories[d.Label-1].ID, Box: d.Box, Confidence: d.Score})
		}
	}
	return annotations, err
}
