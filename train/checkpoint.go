package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"remuda"
	"remuda/detect"
	"remuda/tensor"
	"remuda/weights"
)

// Names in a checkpoint: the model's own, and those of the optimizer's buffers behind these prefixes.
const (
	momentPrefix  = "momentum."
	averagePrefix = "average."
	stateKey      = "remuda.state" // in the file's metadata
)

// save replaces the checkpoint. A failure leaves the last one as it was.
func (r *run) save() error {
	arrays, err := r.arrays()
	if err != nil {
		return err
	}
	for i, p := range r.params {
		arrays = append(arrays, r.array(momentPrefix+p.Name, r.moment[i]))
		if r.ema != nil {
			arrays = append(arrays, r.array(averagePrefix+p.Name, r.ema[i]))
		}
	}
	encoded, err := json.Marshal(r.state)
	if err != nil {
		return err
	}
	path := r.folder.file(remuda.CheckpointFile)
	if _, err := weights.WriteSafetensors(path, arrays, map[string]string{stateKey: string(encoded)}); err != nil {
		return diskError("save a checkpoint", err)
	}
	return r.folder.events.write(remuda.Event{Save: &remuda.SaveEvent{Step: r.state.Step, File: path}})
}

// arrays are the model's tensors, to be written.
func (r *run) arrays() ([]weights.Array, error) {
	var arrays []weights.Array
	err := r.engine.Do(func() error {
		for _, p := range r.model.Weights() {
			arrays = append(arrays, r.array(p.Name, p.Value))
		}
		return nil
	})
	return arrays, err
}

// array is a tensor that is copied out of the engine when its turn to be
// written comes: all at once would be the run's peak of memory.
func (r *run) array(name string, t *tensor.Tensor) weights.Array {
	return weights.Array{Name: name, Shape: t.Shape(), Read: func() (values []float32, err error) {
		err = r.engine.Do(func() error {
			values = t.Float32s()
			return nil
		})
		return values, err
	}}
}

// restore brings model, optimizer and state to the last checkpoint. Without
// one the run begins again, to the same end.
func (r *run) restore() error {
	path := r.folder.file(remuda.CheckpointFile)
	file, err := weights.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return damaged(path, err)
	}
	defer file.Close()
	if err := json.Unmarshal([]byte(file.Metadata()[stateKey]), &r.state); err != nil {
		return damaged(path, err)
	}
	if _, err := r.model.Load(source(file), detect.LoadOptions{}); err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	for i, p := range r.params {
		if err := fill(r.moment[i], file, momentPrefix+p.Name); err != nil {
			return err
		}
		if r.ema != nil {
			if err := fill(r.ema[i], file, averagePrefix+p.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

func damaged(path string, err error) error {
	return remuda.Errorf(remuda.Invalid, "open the checkpoint: %w", err).
		WithHint("remove %s to take the run from its beginning, which ends with the same weights", path)
}

// fill sets a tensor to an array of a checkpoint.
func fill(t *tensor.Tensor, file *weights.File, name string) error {
	data, err := file.Read(name)
	if err != nil {
		return fmt.Errorf("load the checkpoint: %w", err)
	}
	t.SetFloat32s(data)
	return nil
}

// source hands a file's arrays to a model by name. One that can't be read is
// missing, which the model reports.
func source(file *weights.File) func(name string) (detect.Array, bool) {
	return func(name string) (detect.Array, bool) {
		if !file.Has(name) {
			return detect.Array{}, false
		}
		data, err := file.Read(name)
		return detect.Array{Shape: file.Shape(name), Data: data}, err == nil
	}
}
