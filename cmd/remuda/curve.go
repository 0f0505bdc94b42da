package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"remuda"
	"remuda/eval"
	"remuda/lint"
)

// Names in a learning curve's folder: of the curve, and of each size's run and evaluation.
const (
	curveFile  = "curve.json"
	runPrefix  = "train-"
	evalPrefix = "eval-"
)

// curveCmd trains on growing parts of the data: a learning curve.
type curveCmd struct {
	trainCmd
	Test  string `required:"" help:"Labels that every run is scored by." placeholder:"FILE"`
	Sizes []int  `required:"" help:"Numbers of training images, each part of the next." placeholder:"97,147,…"`
}

// Run trains and evaluates once for each size.
func (c *curveCmd) Run(m *Main) error {
	if err := c.complete(); err != nil {
		return err
	}
	test, err := c.prepare(m)
	if err != nil {
		return err
	}
	runs := *m
	if c.JSON { // what is printed is one object
		runs.Stdout = m.Stderr
	}
	var points []eval.Size
	for _, size := range c.Sizes {
		fmt.Fprintf(runs.Stdout, "\n%s\n", count(size, "image"))
		e, err := c.point(&runs, size, test)
		if err != nil {
			return err
		}
		points = append(points, eval.Size{Images: size, F1: e.F1, Interval: e.Intervals.F1, Optimistic: e.Optimistic})
	}
	curve, err := eval.Learn(points)
	if err != nil {
		return err
	}
	if err := c.save(curve); err != nil {
		return err
	}
	if c.JSON {
		return m.printJSON(curve)
	}
	return m.printCurve(curve, filepath.Join(c.Out, reportFile))
}

// prepare checks everything that can be checked before the first run.
func (c *curveCmd) prepare(m *Main) (question, error) {
	asked, err := c.engineFlags.asked()
	if err != nil {
		return question{}, err
	}
	recipe, err := c.recipe(asked)
	if err != nil {
		return question{}, err
	}
	if err := c.checkOut(); err != nil {
		return question{}, err
	}
	q, err := m.ask(labels{c.Test, c.Format, "test"}, c.Images)
	if err != nil {
		return q, err
	}
	learn, err := labels{c.Train, c.Format, "train"}.read(q.images)
	if err != nil {
		return q, err
	}
	if q.truth, err = align(q.truth, c.Test, learn.Categories, c.Train); err != nil {
		return q, err
	}
	if err := c.checkSizes(len(learn.Items)); err != nil {
		return q, err
	}
	if _, err := c.engineFlags.spec(m); err != nil { // before the images, which take their time
		return q, err
	}
	if _, err := m.initialWeights(recipe.Weights, recipe.Arch); err != nil {
		return q, err
	}
	facts, err := m.inspect(q.images, filesOf(learn, q.truth))
	if err != nil {
		return q, err
	}
	m.list(lint.Check(lint.Input{Train: &learn, Test: &q.truth, Images: factsOfAll(facts)}))
	q.truth = upright(q.truth, factsOfAll(facts))
	return q, nil
}

// checkOut refuses a folder that holds something else than a curve, or a curve
// that nobody asked to go on with.
func (c *curveCmd) checkOut() error {
	entries, err := os.ReadDir(c.Out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return remuda.Errorf(remuda.Conflict, "%s is no folder", c.Out).WithHint("give --out a new folder")
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, runPrefix) && !strings.HasPrefix(name, evalPrefix) && name != curveFile && name != reportFile &&
			!strings.HasPrefix(name, ".") { // what a kill left of a file that was being written
			return remuda.Errorf(remuda.Conflict, "%s exists and holds something else than a curve", c.Out).WithHint("give --out a new folder")
		}
	}
	if len(entries) > 0 && !c.Resume {
		return remuda.Errorf(remuda.Conflict, "%s exists already", c.Out).WithHint("add --resume to go on with it, or give --out a new folder")
	}
	return nil
}

// checkSizes sorts the sizes and refuses those that can't be had from so many images.
func (c *curveCmd) checkSizes(images int) error {
	slices.Sort(c.Sizes)
	hint := fmt.Sprintf("give --sizes different numbers from 1 to %d", images)
	for i, size := range c.Sizes {
		if size < 1 || size > images {
			return remuda.Errorf(remuda.Invalid, "size %d is not possible: %s has %s", size, c.Train, count(images, "image")).WithHint("%s", hint)
		}
		if i > 0 && size == c.Sizes[i-1] {
			return remuda.Errorf(remuda.Invalid, "size %d is given twice", size).WithHint("%s", hint)
		}
	}
	return nil
}

// point trains on so many images, unless that is done already, and scores.
func (c *curveCmd) point(m *Main, size int, test question) (*eval.Evaluation, error) {
	one := c.trainCmd
	one.Out = filepath.Join(c.Out, fmt.Sprint(runPrefix, size))
	one.part, one.quiet, one.JSON = size, true, false
	if _, err := os.Stat(filepath.Join(one.Out, remuda.SpecFile)); err != nil {
		one.Resume = false
	}
	if err := one.Run(m); err != nil {
		return nil, err
	}
	flags := modelFlags{Model: one.Out}
	known, err := flags.look(m, nil)
	if err != nil {
		return nil, err
	}
	engine, err := c.engineFlags.forModel(known).spec(m)
	if err != nil {
		return nil, err
	}
	ids, err := m.translate(known.categories, test)
	if err != nil {
		return nil, err
	}
	e, err := m.evaluate(flags, known, engine, test, ids)
	if err != nil {
		return nil, err
	}
	out, err := newOutFolder(filepath.Join(c.Out, fmt.Sprint(evalPrefix, size)), eval.EvaluationFile)
	if err != nil {
		return nil, err
	}
	defer out.discard()
	return e, saveEvaluation(out, e, source{Images: test.images, Data: c.Test, Model: one.Out})
}

// part returns a subset of so many items, chosen by the seed: a larger one
// holds every smaller one.
func part(d remuda.Dataset, size int, seed uint64) remuda.Dataset {
	const stream = 0x6375727665 // apart from the training's own random numbers
	order := rand.New(rand.NewPCG(seed, stream)).Perm(len(d.Items))[:size]
	slices.Sort(order)
	subset := remuda.Dataset{Categories: d.Categories}
	byItem := remuda.ByItem(d.Annotations)
	for _, i := range order {
		subset.Items = append(subset.Items, d.Items[i])
		subset.Annotations = append(subset.Annotations, byItem[d.Items[i].ID]...)
	}
	return subset
}

func (c *curveCmd) save(curve *eval.LearningCurve) error {
	encoded, err := json.MarshalIndent(curve, "", "  ")
	if err != nil {
		return fmt.Errorf("save the learning curve: %w", err)
	}
	page, err := rendered(func(w io.Writer) error { return c.report(w, curve) })
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(c.Out, reportFile), page); err != nil {
		return err
	}
	return writeFile(filepath.Join(c.Out, curveFile), append(encoded, '\n'))
}

func (m *Main) printCurve(curve *eval.LearningCurve, report string) error {
	fmt.Fprintln(m.Stdout)
	for _, s := range curve.Sizes {
		fmt.Fprintf(m.Stdout, "%6d images  F1 %.3f  %s\n", s.Images, s.F1, span(s.Interval))
	}
	if curve.Fit == nil {
		fmt.Fprintf(m.Stdout, "no fit: %s\n", curve.Refused)
	} else {
		for _, s := range curve.Fit.Ahead {
			fmt.Fprintf(m.Stdout, "%6d images  F1 %.3f  %s  expected (%s)\n", s.Images, s.F1, span(s.Interval), curve.Fit.Kind)
		}
	}
	if slices.ContainsFunc(curve.Sizes, func(s eval.Size) bool { return s.Optimistic }) {
		fmt.Fprintln(m.Stdout, "each threshold was chosen on the test images themselves, so F1 is optimistic: train with --val to fix it beforehand")
	}
	_, err := fmt.Fprintf(m.Stdout, "report: %s\n", report)
	return err
}
