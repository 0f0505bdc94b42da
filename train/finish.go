package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"remuda"
	"remuda/detect"
	"remuda/eval"
	"remuda/imageio"
	"remuda/report"
	"remuda/weights"
)

// epoch closes one pass: it validates and reports.
func (r *run) epoch(ctx context.Context, epoch, steps int) error {
	event := remuda.EpochEvent{
		Epoch: epoch, Step: r.state.Step, Losses: plus(remuda.Losses{}, r.state.Sum, 1/float64(steps)), Seconds: r.state.Seconds,
	}
	if r.spec.Val != nil {
		result, err := r.validate(ctx)
		if err != nil {
			return err
		}
		scores := eval.Scores(result)
		event.Val = &scores
		if r.state.Best == nil || scores.F1 > r.state.Best.F1 {
			event.Best = true
			r.state.Best, r.state.BestEpoch = &scores, epoch
			if _, err := r.writeModel(remuda.BestFile); err != nil {
				return err
			}
		}
	}
	r.state.Sum, r.state.Seconds = remuda.Losses{}, 0
	return r.folder.events.write(remuda.Event{Epoch: &event})
}

// validate scores the model as it is on the validation data.
func (r *run) validate(ctx context.Context) (*eval.Evaluation, error) {
	var result *eval.Evaluation
	err := r.averaged(func() error {
		predictions, err := predict(ctx, r.model, r.spec.Images, *r.spec.Val)
		if err != nil {
			return err
		}
		result, err = eval.Evaluate(*r.spec.Val, predictions, eval.Options{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("validate: %w", err)
	}
	return result, nil
}

// averaged runs fn with the moving averages in place of the weights, where the
// recipe has them.
func (r *run) averaged(fn func() error) error {
	if r.ema == nil {
		return fn()
	}
	exchange := func() error {
		for i, p := range r.params {
			own := p.Value.Float32s()
			p.Value.SetFloat32s(r.ema[i].Float32s())
			r.ema[i].SetFloat32s(own)
		}
		r.model.Changed()
		return nil
	}
	if err := r.engine.Do(exchange); err != nil {
		return err
	}
	return errors.Join(fn(), r.engine.Do(exchange))
}

// predict runs the model over a dataset's images, which are decoded ahead on
// other goroutines.
func predict(ctx context.Context, model *detect.Model, folder string, d remuda.Dataset) ([]remuda.Annotation, error) {
	paths := make([]string, len(d.Items))
	for i, item := range d.Items {
		paths[i] = filepath.Join(folder, filepath.FromSlash(item.File))
	}
	var predictions []remuda.Annotation
	for i, result := range imageio.Stream(ctx, paths, 2, 4) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if result.Err != nil {
			return nil, result.Err
		}
		found, err := model.DetectImage(result.Image)
		if err != nil {
			return nil, fmt.Errorf("detect on %s: %w", paths[i], err)
		}
		for _, f := range found {
			predictions = append(predictions, remuda.Annotation{
				ID: int64(len(predictions) + 1), ItemID: d.Items[i].ID, CategoryID: d.Categories[f.Label-1].ID,
				Box: f.Box, Confidence: f.Score,
			})
		}
	}
	return predictions, nil
}

// writeModel writes the weights that would be the model now and returns their SHA-256.
func (r *run) writeModel(name string) (sum string, err error) {
	err = r.averaged(func() error {
		arrays, err := r.arrays()
		if err != nil {
			return err
		}
		sum, err = weights.WriteSafetensors(r.folder.file(name), arrays, map[string]string{"format": "pt", weights.ArchEntry: r.spec.Recipe.Arch})
		if err != nil {
			return diskError("write the model", err)
		}
		return nil
	})
	return sum, err
}

// finish writes the model, its card and the report.
func (r *run) finish(ctx context.Context) (*remuda.Card, error) {
	card := &remuda.Card{
		Format: 1, Arch: r.spec.Recipe.Arch, Categories: r.spec.Train.Categories, Recipe: r.spec.Recipe,
		Data: r.spec.Data, Engine: r.engine.Version(), Created: time.Now().UTC(), Epoch: r.spec.Recipe.Epochs,
	}
	var validation *eval.Evaluation
	if best := r.state.Best; best != nil {
		card.Scores, card.Threshold, card.Epoch = best, &best.Threshold, r.state.BestEpoch
		if err := r.reload(r.folder.file(remuda.BestFile)); err != nil {
			return nil, err
		}
		var err error
		if validation, err = r.validate(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if card.Weights, err = r.writeModel(remuda.ModelFile); err != nil {
		return nil, err
	}
	if err := writeJSON(r.folder.file(remuda.CardFile), card); err != nil {
		return nil, err
	}
	return card, r.writeReport(card, validation)
}

// reload puts a file's weights into the model, for good: the averages, which
// have become those weights already, are dropped.
func (r *run) reload(path string) error {
	file, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("open the best weights: %w", err)
	}
	defer file.Close()
	r.ema = nil
	return r.engine.Do(func() error {
		_, err := r.model.Load(source(file), detect.LoadOptions{})
		return err
	})
}

// writeReport writes what a person looks at.
func (r *run) writeReport(card *remuda.Card, validation *eval.Evaluation) error {
	events, err := ReadEvents(r.folder.file(remuda.EventsFile))
	if err != nil {
		return err
	}
	run := report.RunReport{Card: *card, Evaluation: validation, Images: func(item remuda.Item) (*imageio.RGB, error) {
		return imageio.Open(filepath.Join(r.spec.Images, filepath.FromSlash(item.File)))
	}}
	for _, e := range events {
		switch {
		case e.Step != nil:
			run.Steps = append(run.Steps, *e.Step)
		case e.Epoch != nil:
			run.Epochs = append(run.Epochs, *e.Epoch)
		}
	}
	var page bytes.Buffer
	if err := report.Run(&page, run); err != nil {
		return fmt.Errorf("make the report: %w", err)
	}
	return writeFile(r.folder.file(remuda.ReportFile), page.Bytes())
}

// peakRSS returns the most memory that this process has held, in bytes.
func peakRSS() int64 {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Maxrss << 10 // Linux counts in KiB
}
