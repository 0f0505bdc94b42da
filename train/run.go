package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"remuda"
	"remuda/detect"
	"remuda/tensor"
)

// checkpointEvery bounds the work that a kill can cost.
const checkpointEvery = 2 * time.Minute

// ErrInterrupted is returned by a run that was asked to stop and has saved its
// state.
var ErrInterrupted = errors.New("the run was interrupted")

// run is one training under way.
type run struct {
	spec   remuda.TrainSpec
	folder *folder
	engine *tensor.Engine
	model  *detect.Model
	params []detect.Param
	moment []*tensor.Tensor // SGD's momentum buffers, one a trainable tensor
	ema    []*tensor.Tensor // moving averages, one a trainable tensor; nil when off
	state  state
}

// state is what a checkpoint holds beside tensors.
type state struct {
	Step      int            `json:"step"`       // steps done
	Sum       remuda.Losses  `json:"sum"`        // of the epoch under way
	Seconds   float64        `json:"seconds"`    // spent on the epoch under way
	Best      *remuda.Scores `json:"best"`       // the best validation so far
	BestEpoch int            `json:"best_epoch"` //
}

// due says whether an epoch's steps are all taken while it is not yet closed.
func (s state) due(stepsPerEpoch int) bool {
	return s.Step%stepsPerEpoch == 0 && s.Seconds > 0
}

// Run trains as the spec says, in the folder that Create made, and reports to
// emit. With Resume it goes on from the last checkpoint. It returns
// ErrInterrupted once ctx is done and the state is on disk.
func Run(ctx context.Context, engine *tensor.Engine, spec remuda.TrainSpec, emit func(remuda.Event) error) (err error) {
	begin := time.Now()
	folder, err := openFolder(spec.Out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.close()) }()
	r := &run{spec: spec, folder: folder, engine: engine}
	if err := r.prepare(emit); err != nil {
		return err
	}
	if err := r.loop(ctx); err != nil {
		return err
	}
	card, err := r.finish(ctx)
	if stopped(ctx, err) {
		return ErrInterrupted // the last checkpoint has everything
	}
	if err != nil {
		return err
	}
	return folder.events.write(remuda.Event{Done: &remuda.DoneEvent{
		Seconds: time.Since(begin).Seconds(), PeakRSS: peakRSS(), Card: card,
	}})
}

// prepare builds the model and brings it to where the run stands.
func (r *run) prepare(emit func(remuda.Event) error) error {
	err := r.engine.Do(func() error {
		if err := r.build(); err != nil {
			return err
		}
		if r.spec.Resume {
			return r.restore()
		}
		return nil
	})
	if err != nil {
		return err
	}
	debug.FreeOSMemory() // what reading the weights took
	r.folder.events, err = openEvents(r.folder.file(remuda.EventsFile), r.state, emit)
	return err
}

// build makes the model with its initial weights and the optimizer's buffers.
func (r *run) build() error {
	recipe := r.spec.Recipe
	model, err := detect.New(r.engine, r.config(), recipe.Seed)
	if err != nil {
		return fmt.Errorf("build the model: %w", err)
	}
	r.model = model
	if err := loadInitial(model, r.spec); err != nil {
		return err
	}
	r.params = model.Trainable()
	for _, p := range r.params {
		r.moment = append(r.moment, r.engine.Zeros(tensor.Float32, p.Value.Shape()...).Keep())
		if recipe.EMA > 0 {
			average := r.engine.Zeros(tensor.Float32, p.Value.Shape()...).Keep()
			average.SetFloat32s(p.Value.Float32s())
			r.ema = append(r.ema, average)
		}
	}
	return nil
}

func (r *run) config() detect.Config {
	recipe := r.spec.Recipe
	return detect.Config{
		Arch: recipe.Arch, Categories: len(r.spec.Train.Categories), TrainableLayers: recipe.TrainableLayers,
		Precision: detect.PrecisionOf(recipe.Precision),
	}
}

// loop takes all remaining steps.
func (r *run) loop(ctx context.Context) error {
	recipe := r.spec.Recipe
	feed := &feed{folder: r.spec.Images, examples: examplesOf(r.spec.Train), recipe: recipe, config: r.config()}
	steps, total := feed.steps(), feed.steps()*recipe.Epochs
	err := r.folder.events.write(remuda.Event{Start: &remuda.StartEvent{
		Engine: r.engine.Version(), Precision: recipe.Precision, Items: len(feed.examples), Epochs: recipe.Epochs, StepsPerEpoch: steps, Step: r.state.Step,
	}})
	if err != nil {
		return err
	}
	feedCtx, stop := context.WithCancel(ctx)
	defer stop()
	batches, saved := feed.run(feedCtx, r.state.Step, total, recipe.Threads), time.Now()
	for {
		if r.state.due(steps) {
			if err := r.closeEpoch(ctx, steps); err != nil {
				return err
			}
			saved = time.Now()
		}
		if r.state.Step == total {
			return nil
		}
		begin := time.Now()
		b, ok := <-batches
		if !ok || ctx.Err() != nil {
			return r.interrupted()
		}
		if b.err != nil {
			return b.err
		}
		if err := r.step(b, steps, begin, time.Since(begin)); err != nil {
			return err
		}
		if time.Since(saved) > checkpointEvery {
			if err := r.save(); err != nil {
				return err
			}
			saved = time.Now()
		}
	}
}

// closeEpoch validates and saves. Asked to stop in between, it saves the
// epoch as it is, so that the resumed run closes it.
func (r *run) closeEpoch(ctx context.Context, steps int) error {
	err := r.epoch(ctx, r.state.Step/steps, steps)
	if stopped(ctx, err) {
		return r.interrupted()
	}
	if err != nil {
		return err
	}
	return r.save()
}

// stopped tells an error that comes of ctx's end.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

func (r *run) interrupted() error {
	return errors.Join(r.save(), ErrInterrupted)
}

// step learns from one batch.
func (r *run) step(b batch, stepsPerEpoch int, begin time.Time, wait time.Duration) error {
	recipe, step := r.spec.Recipe, r.state.Step
	lr := recipe.LRAt(step, stepsPerEpoch)
	var losses remuda.Losses
	err := r.engine.Do(func() error {
		out := r.model.Losses(b.input, b.targets, detect.RandomSampler(random(recipe.Seed, sampleStream, step)))
		losses = values(out)
		if bad := nonFinite(losses); bad != "" {
			return remuda.Errorf(remuda.Invalid, "the loss became %s at step %d, on %s", bad, step+1, strings.Join(b.files, ", ")).
				WithHint("look at the boxes of these images, or train with a lower --lr than %g", recipe.LR)
		}
		out.Total.Backward()
		r.update(lr, step)
		return nil
	})
	if err != nil {
		return err
	}
	r.state.Step++
	seconds := time.Since(begin).Seconds()
	r.state.Sum = plus(r.state.Sum, losses, 1)
	r.state.Seconds += seconds
	return r.folder.events.write(remuda.Event{Step: &remuda.StepEvent{
		Step: r.state.Step, Epoch: step/stepsPerEpoch + 1, LR: lr, Losses: losses,
		Images: len(b.files), Seconds: seconds, Wait: wait.Seconds(),
	}})
}

// update takes one step of SGD and moves the averages.
func (r *run) update(lr float64, step int) {
	values := make([]*tensor.Tensor, len(r.params))
	for i, p := range r.params {
		values[i] = p.Value
	}
	if limit := r.spec.Recipe.ClipNorm; limit > 0 {
		r.engine.ClipGradients(values, limit)
	}
	r.engine.SGD(values, r.moment, lr, r.spec.Recipe.Momentum, r.spec.Recipe.WeightDecay)
	for _, v := range values {
		v.ZeroGrad()
	}
	if r.ema != nil {
		// The average of few steps would remember the untrained head: it starts short and lengthens,
		// as TensorFlow's ExponentialMovingAverage does with num_updates.
		decay := min(r.spec.Recipe.EMA, float64(1+step)/float64(10+step))
		r.engine.Lerp(r.ema, values, 1-decay)
	}
}

// values copies a step's losses out of the engine.
func values(l detect.Losses) remuda.Losses {
	return remuda.Losses{
		Total: l.Total.Item(), Classifier: l.Classifier.Item(), BoxReg: l.BoxReg.Item(),
		Objectness: l.Objectness.Item(), RPNBoxReg: l.RPNBoxReg.Item(),
	}
}

// nonFinite names the first loss that is not a finite number, with its value.
func nonFinite(l remuda.Losses) string {
	for _, part := range []struct {
		name  string
		value float64
	}{{"classifier", l.Classifier}, {"box", l.BoxReg}, {"objectness", l.Objectness}, {"proposal box", l.RPNBoxReg}} {
		if math.IsNaN(part.value) || math.IsInf(part.value, 0) {
			return fmt.Sprintf("%v (%s)", part.value, part.name)
		}
	}
	return ""
}

// plus returns a + b·f, loss by loss.
func plus(a, b remuda.Losses, f float64) remuda.Losses {
	return remuda.Losses{
		Total: a.Total + f*b.Total, Classifier: a.Classifier + f*b.Classifier, BoxReg: a.BoxReg + f*b.BoxReg,
		Objectness: a.Objectness + f*b.Objectness, RPNBoxReg: a.RPNBoxReg + f*b.RPNBoxReg,
	}
}
