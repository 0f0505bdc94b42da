package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"remuda"
	"remuda/format"
	"remuda/lint"
	"remuda/train"
	"remuda/weights"
)

// trainCmd trains a detector from label files and a folder of images.
type trainCmd struct {
	Out    string `required:"" help:"Folder of the run: model, card, events, checkpoints, report." placeholder:"RUN"`
	Images string `help:"Folder of images that the label file's names are relative to." placeholder:"DIR"`
	Train  string `help:"Labels to learn from: COCO json, Pascal VOC folder, YOLO folder or data.yaml." placeholder:"FILE"`
	Val    string `help:"Labels that choose the best epoch and the threshold; never learned from." placeholder:"FILE"`
	Format string `help:"Format of the labels: auto, coco, voc or yolo (default auto)." enum:"auto,coco,voc,yolo" default:"auto"`
	Resume bool   `help:"Go on with the run in --out; everything else is remembered."`
	JSON   bool   `name:"json" help:"Print events as JSON lines."`
	recipeFlags
	engineFlags

	part  int  // train on so many of the images; 0 is all
	quiet bool // don't list what is wrong with the data
}

// Run starts a run or goes on with one.
func (c *trainCmd) Run(m *Main) error {
	spec, err := c.spec(m)
	if err != nil {
		return err
	}
	if spec == nil {
		return nil // finished already
	}
	return m.train(*spec, c.JSON)
}

func (c *trainCmd) spec(m *Main) (*remuda.Spec, error) {
	if c.Resume {
		return c.resumed(m)
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	spec, err := c.fresh(m)
	if err != nil {
		return nil, err
	}
	if err := train.Create(*spec.Train); err != nil {
		return nil, err
	}
	return &spec, nil
}

// complete says which flags a new run lacks.
func (c *trainCmd) complete() error {
	for _, f := range []struct{ name, value string }{{"--images", c.Images}, {"--train", c.Train}} {
		if f.value == "" {
			return remuda.Errorf(remuda.Invalid, "%s is missing", f.name).
				WithHint("remuda train --images DIR --train FILE --out RUN, or --out RUN --resume")
		}
	}
	return nil
}

// fresh reads and checks everything that a new run needs, and writes nothing
// but the cache.
func (c *trainCmd) fresh(m *Main) (remuda.Spec, error) {
	spec := remuda.Spec{Train: &remuda.TrainSpec{Out: c.Out}}
	asked, err := c.engineFlags.asked()
	if err != nil {
		return spec, err
	}
	recipe, err := c.recipe(asked)
	if err != nil {
		return spec, err
	}
	if err := train.CheckOut(c.Out); err != nil {
		return spec, err
	}
	if err := requireFolder(c.Images); err != nil {
		return spec, err
	}
	if err := c.readLabels(spec.Train); err != nil {
		return spec, err
	}
	if spec.Engine, err = c.engineFlags.spec(m); err != nil { // before the images, which take their time
		return spec, err
	}
	recipe.Device, recipe.Precision = spec.Engine.Device, spec.Engine.Precision
	initial, err := m.initialWeights(recipe.Weights, recipe.Arch)
	if err != nil {
		return spec, err
	}
	recipe.Weights, spec.Train.Weights = initial.name, initial.path
	spec.Train.Recipe = recipe
	return spec, c.pin(m, spec.Train)
}

// readLabels reads the label files.
func (c *trainCmd) readLabels(spec *remuda.TrainSpec) error {
	var err error
	if spec.Images, err = filepath.Abs(c.Images); err != nil {
		return fmt.Errorf("find the folder of images: %w", err)
	}
	if spec.Train, err = (labels{c.Train, c.Format, "train"}).read(spec.Images); err != nil {
		return err
	}
	if c.part > 0 {
		var seed uint64
		set(&seed, c.Seed)
		spec.Train = part(spec.Train, c.part, seed)
	}
	if c.Val == "" {
		return nil
	}
	val, err := labels{c.Val, c.Format, "val"}.read(spec.Images)
	if err != nil {
		return err
	}
	val, err = align(val, c.Val, spec.Train.Categories, c.Train)
	spec.Val = &val
	return err
}

// pin looks at every image, lists what is wrong with the data, cleans them and
// fixes their content by hash.
func (c *trainCmd) pin(m *Main, spec *remuda.TrainSpec) error {
	all := []remuda.Dataset{spec.Train}
	if spec.Val != nil {
		all = append(all, *spec.Val)
	}
	facts, err := m.inspect(spec.Images, filesOf(all...))
	if err != nil {
		return err
	}
	if !c.quiet {
		m.list(lint.Check(lint.Input{Train: &spec.Train, Val: spec.Val, Images: factsOfAll(facts)}))
	}
	spec.Train, spec.Val = clean(spec.Train, spec.Val, factsOfAll(facts))
	if err := format.RequireBoxes(c.Train, spec.Train); err != nil {
		return err
	}
	sums := make(map[string]string, len(facts))
	for file, f := range facts {
		sums[file] = f.SHA256
	}
	if spec.Data.Train, err = dataHash(c.Train, spec.Train, sums); err != nil || spec.Val == nil {
		return err
	}
	hash, err := dataHash(c.Val, *spec.Val, sums)
	spec.Data.Val = &hash
	return err
}

// resumed returns the spec of the run in --out after checking that the flags
// agree with it and that its data are still the same; nil when it has finished.
func (c *trainCmd) resumed(m *Main) (*remuda.Spec, error) {
	was, err := train.ReadSpec(c.Out)
	if err != nil {
		return nil, err
	}
	if err := c.agree(was); err != nil {
		return nil, err
	}
	if finished(c.Out) {
		fmt.Fprintf(m.Stderr, "remuda: the run in %s has finished already\n", c.Out)
		return nil, nil
	}
	if err := m.sameData(was); err != nil {
		return nil, err
	}
	r := was.Recipe
	engine, err := engineFlags{Precision: r.Precision, Device: r.Device, Threads: &r.Threads}.spec(m)
	if err != nil {
		return nil, err
	}
	was.Resume = true
	return &remuda.Spec{Engine: engine, Train: &was}, nil
}

// finished says whether a run has left all that it should: its report, its
// card, and the very model of the card.
func finished(out string) bool {
	if _, err := os.Stat(filepath.Join(out, remuda.ReportFile)); err != nil {
		return false
	}
	card, err := remuda.ReadCard(out)
	if err != nil {
		return false
	}
	sum, err := weights.SHA256(filepath.Join(out, remuda.ModelFile))
	return err == nil && sum == card.Weights
}

// agree compares every flag that was given with the run's own settings.
func (c *trainCmd) agree(was remuda.TrainSpec) error {
	var a agreement
	r := was.Recipe
	if c.Images != "" {
		dir, err := filepath.Abs(c.Images)
		if err != nil {
			return fmt.Errorf("find the folder of images: %w", err)
		}
		agreeText(&a, "--images", dir, was.Images)
	}
	agreeText(&a, "--train", c.Train, was.Data.Train.File)
	if c.Val != "" && was.Data.Val == nil {
		return remuda.Errorf(remuda.Conflict, "the run was started without --val").WithHint("leave --val out, or start another run with another --out")
	} else if c.Val != "" {
		agreeText(&a, "--val", c.Val, was.Data.Val.File)
	}
	agreeText(&a, "--arch", c.Arch, r.Arch)
	if c.Weights != "" && c.Weights != r.Weights {
		name := c.Weights
		if sum, err := weights.SHA256(c.Weights); err == nil {
			name = nameOfFile(sum, r.Arch)
		}
		agreeText(&a, "--weights", name, r.Weights)
	}
	agreeText(&a, "--recipe", c.Recipe, r.Name)
	agree(&a, "--trainable-layers", c.TrainableLayers, r.TrainableLayers)
	agree(&a, "--epochs", c.Epochs, r.Epochs)
	agree(&a, "--lr", c.LR, r.LR)
	agree(&a, "--batch", c.Batch, r.Batch)
	agree(&a, "--seed", c.Seed, r.Seed)
	agree(&a, "--threads", c.Threads, r.Threads)
	if c.Precision != "auto" {
		agreeText(&a, "--precision", c.Precision, r.Precision)
	}
	if c.Device != "auto" {
		agreeText(&a, "--device", c.Device, r.Device)
	}
	return a.err
}

// sameData fails when an image has changed since the run was started, because
// the run could not end with the weights that it promised.
func (m *Main) sameData(was remuda.TrainSpec) error {
	sets := []remuda.Dataset{was.Train}
	hashes := []remuda.DataHash{was.Data.Train}
	if was.Val != nil && was.Data.Val != nil {
		sets, hashes = append(sets, *was.Val), append(hashes, *was.Data.Val)
	}
	sums, err := m.imageSums(was.Images, filesOf(sets...))
	if err != nil {
		return err
	}
	for i, d := range sets {
		now, err := dataHash(hashes[i].File, d, sums)
		if err != nil {
			return err
		}
		if now.SHA256 != hashes[i].SHA256 {
			return remuda.Errorf(remuda.Conflict, "images of %s in %s have changed since the run was started", hashes[i].File, was.Images).
				WithHint("put the old images back, or start another run with another --out")
		}
	}
	return nil
}

// train carries out a run that has its folder, showing how it goes.
func (m *Main) train(spec remuda.Spec, asJSON bool) error {
	out := spec.Train.Out
	view := newTrainView(m, asJSON, out)
	err := m.launch(spec, view.show)
	view.bar.clear()
	if err == nil {
		return nil
	}
	goOn := fmt.Sprintf("`remuda train --out %s --resume`", out)
	_, started := errors.AsType[startedError](err)
	switch {
	case errors.Is(err, errInterrupted):
		return remuda.Errorf(remuda.Unavailable, "%w", errInterrupted).WithHint("go on with %s", goOn)
	case !started && !spec.Train.Resume && remuda.CodeOf(err) != remuda.Conflict: // which is another process in it
		removeUnstarted(out)
	case started && remuda.CodeOf(err) != remuda.Invalid:
		hint := "the run goes on from its last checkpoint, with the same settings, by " + goOn
		if first := remuda.HintOf(err); first != "" {
			hint = first + "; " + hint
		}
		return remuda.Errorf(remuda.CodeOf(err), "%w", err).WithHint("%s", hint)
	}
	return err
}

// removeUnstarted takes away the folder of a run that never began, unless
// somebody has put something in it.
func removeUnstarted(out string) {
	if _, err := os.Stat(filepath.Join(out, remuda.CheckpointFile)); err == nil {
		return
	}
	for _, name := range []string{remuda.SpecFile, remuda.EventsFile, "lock"} {
		os.Remove(filepath.Join(out, name))
	}
	os.Remove(out)
}
