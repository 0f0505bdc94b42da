package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"remuda"
	"remuda/child"
	"remuda/deploy"
	"remuda/tensor"
	"remuda/train"
)

// workCmd is the child's side of launch. It can also be run by hand:
// remuda work < spec.json
type workCmd struct {
	Attached bool `help:"End when standard input closes." hidden:""`
}

// Run carries out the spec on standard input. Its failure is an event; the
// exit status only repeats it.
func (c *workCmd) Run(*Main) error {
	var failed error
	err := child.Serve(c.Attached, func(ctx context.Context, text []byte, emit func(any) error) error {
		failed = work(ctx, text, func(e remuda.Event) error { return emit(e) })
		if failed == nil || interrupted(failed) {
			return nil
		}
		failed = outOfMemory(failed)
		return emit(remuda.Event{Fail: &remuda.FailEvent{
			Code: remuda.CodeOf(failed), Message: failed.Error(), Hint: remuda.HintOf(failed),
		}})
	})
	if interrupted(failed) {
		os.Exit(exitInterrupted)
	}
	return errors.Join(failed, err)
}

// interrupted tells an end that was asked for from one that failed on the way,
// such as a checkpoint for which there was no space.
func interrupted(err error) bool {
	asked := errors.Is(err, train.ErrInterrupted) || errors.Is(err, context.Canceled)
	return asked && remuda.CodeOf(err) == remuda.Internal
}

// outOfMemory gives libtorch's failed allocations their code and a way out.
func outOfMemory(err error) error {
	text := strings.ToLower(err.Error())
	if remuda.CodeOf(err) != remuda.Internal || !strings.Contains(text, "allocate memory") && !strings.Contains(text, "out of memory") {
		return err
	}
	return remuda.Errorf(remuda.Unavailable, "memory ran out: %w", err).
		WithHint("use a smaller --batch, or --arch %s, or a machine with more memory", remuda.MobileNetV3Large320)
}

func work(ctx context.Context, text []byte, emit func(remuda.Event) error) error {
	var spec remuda.Spec
	if err := json.Unmarshal(text, &spec); err != nil {
		return remuda.Errorf(remuda.Invalid, "decode the spec: %w", err)
	}
	asked := 0
	for _, wanted := range []bool{spec.Train != nil, spec.Predict != nil, spec.Embed != nil} {
		if wanted {
			asked++
		}
	}
	if asked != 1 {
		return remuda.Errorf(remuda.Invalid, "the spec asks for nothing, or for two things")
	}
	engine, err := tensor.Open(spec.Engine.Shim, tensor.Options{Threads: spec.Engine.Threads, Device: spec.Engine.Device})
	if err != nil {
		return coded(err)
	}
	defer engine.Close()
	switch {
	case spec.Train != nil:
		return train.Run(ctx, engine, *spec.Train, emit)
	case spec.Embed != nil:
		return embed(ctx, engine, *spec.Embed, emit)
	}
	return predict(ctx, engine, spec, emit)
}

func embed(ctx context.Context, engine *tensor.Engine, spec remuda.EmbedSpec, emit func(remuda.Event) error) error {
	begin := time.Now()
	embedder, err := deploy.OpenEmbedder(engine, spec)
	if err != nil {
		return err
	}
	err = emit(remuda.Event{Start: &remuda.StartEvent{Engine: engine.Version(), Items: len(spec.Files)}})
	if err != nil {
		return err
	}
	if err := embedder.Run(ctx, spec.Files, emit); err != nil {
		return fmt.Errorf("make vectors of images: %w", err)
	}
	return emit(remuda.Event{Done: &remuda.DoneEvent{Seconds: time.Since(begin).Seconds()}})
}

func predict(ctx context.Context, engine *tensor.Engine, spec remuda.Spec, emit func(remuda.Event) error) error {
	begin := time.Now()
	predictor, err := deploy.Open(engine, *spec.Predict, spec.Engine.Precision)
	if err != nil {
		return err
	}
	err = emit(remuda.Event{Start: &remuda.StartEvent{Engine: engine.Version(), Precision: spec.Engine.Precision, Items: len(spec.Predict.Files)}})
	if err != nil {
		return err
	}
	if err := predictor.Run(ctx, spec.Predict.Files, spec.Predict.MinScore, emit); err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	return emit(remuda.Event{Done: &remuda.DoneEvent{Seconds: time.Since(begin).Seconds()}})
}
