package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"

	"remuda"
	"remuda/eval"
	"remuda/format"
	"remuda/imageio"
)

// evalCmd scores a model, or predictions that somebody else made.
type evalCmd struct {
	modelFlags
	Images      string `help:"Folder of images that the label file's names are relative to." placeholder:"DIR"`
	Predictions string `help:"A COCO results file to score instead of a model." placeholder:"FILE"`
	Data        string `required:"" help:"Labels to score by." placeholder:"FILE"`
	Format      string `help:"Format of the labels: auto, coco, voc or yolo (default auto)." enum:"auto,coco,voc,yolo" default:"auto"`
	Split       string `help:"Part of a YOLO data.yaml to score by: train, val or test (default test)." enum:"train,val,test" default:"test"`
	Out         string `help:"Folder for the numbers, every box's match and a report." placeholder:"DIR"`
	JSON        bool   `name:"json" help:"Print one JSON object."`
	engineFlags
}

// question is labeled data that a model is asked about.
type question struct {
	file   string // of the labels
	images string // absolute; "" where there are none
	truth  remuda.Dataset
}

// source is source.json in an evaluation's folder: where its images lie, so
// that a comparison can draw them.
type source struct {
	Images      string `json:"images,omitempty"`
	Data        string `json:"data"`
	Model       string `json:"model,omitempty"`
	Predictions string `json:"predictions,omitempty"`
}

const (
	sourceFile = "source.json"
	reportFile = "report.html"
)

// Run evaluates. The ground truth is taken as it is: nothing is clipped or
// dropped, so that the numbers are those of pycocotools.
func (c *evalCmd) Run(m *Main) error {
	if err := c.check(); err != nil {
		return err
	}
	q, err := m.ask(labels{c.Data, c.Format, c.Split}, c.Images)
	if err != nil {
		return err
	}
	var out *outFolder
	if c.Out != "" {
		if out, err = newOutFolder(c.Out, eval.EvaluationFile); err != nil {
			return err
		}
		defer out.discard()
	}
	e, err := c.evaluate(m, q)
	if err != nil {
		return err
	}
	if out != nil {
		from := source{Images: q.images, Data: c.Data, Model: c.Model, Predictions: c.Predictions}
		if err := saveEvaluation(out, e, from); err != nil {
			return err
		}
	}
	if c.JSON {
		return m.printJSON(e)
	}
	if err := m.printEvaluation(e); err != nil {
		return fmt.Errorf("print the evaluation: %w", err)
	}
	if out != nil {
		fmt.Fprintf(m.Stdout, "report: %s\n", filepath.Join(c.Out, reportFile))
	}
	return nil
}

func (c *evalCmd) check() error {
	switch {
	case (c.Model == "") == (c.Predictions == ""):
		return remuda.Errorf(remuda.Invalid, "one of --model and --predictions is needed").WithHint("give the one that is to be scored")
	case c.Model != "" && c.Images == "":
		return remuda.Errorf(remuda.Invalid, "--images is missing").WithHint("give the folder of images that the model is to look at")
	case c.Predictions != "" && c.Arch != "":
		return remuda.Errorf(remuda.Invalid, "--arch is for a model").WithHint("leave it out")
	}
	return nil
}

// ask reads the data that a model is asked about.
func (m *Main) ask(from labels, images string) (question, error) {
	q := question{file: from.path}
	if images != "" {
		if err := requireFolder(images); err != nil {
			return q, err
		}
		dir, err := filepath.Abs(images)
		if err != nil {
			return q, fmt.Errorf("find the folder of images: %w", err)
		}
		q.images = dir
	}
	var err error
	q.truth, err = from.read(q.images)
	return q, err
}

func (c *evalCmd) evaluate(m *Main, q question) (*eval.Evaluation, error) {
	if c.Predictions != "" {
		predictions, err := format.ReadPredictions(c.Predictions, q.truth)
		if err != nil {
			return nil, invalid(err)
		}
		e, err := eval.Evaluate(q.truth, predictions, eval.Options{})
		return e, err
	}
	known, err := c.look(m, q.truth.Categories)
	if err != nil {
		return nil, err
	}
	ids, err := m.translate(known.categories, q)
	if err != nil {
		return nil, err
	}
	facts, err := m.probe(q.images, filesOf(q.truth))
	if err != nil {
		return nil, err
	}
	m.listMismatches(q.truth, facts)
	q.truth = upright(q.truth, facts)
	engine, err := c.engineFlags.forModel(known).spec(m)
	if err != nil {
		return nil, err
	}
	return m.evaluate(c.modelFlags, known, engine, q, ids)
}

// evaluate lets a model predict on every item and scores it, at the threshold
// that was chosen on validation data where there was one. ids are the data's
// category ids by the model's.
func (m *Main) evaluate(flags modelFlags, known model, engine remuda.EngineSpec, q question, ids map[int64]int64) (*eval.Evaluation, error) {
	files := make([]string, len(q.truth.Items))
	for i, item := range q.truth.Items {
		files[i] = imagePath(q.images, item.File)
	}
	var predictions []remuda.Annotation
	var broken []error
	bar := m.newBar()
	defer bar.clear()
	err := m.launch(remuda.Spec{Engine: engine, Predict: flags.spec(known, files, 0)}, func(event remuda.Event, _ []byte) error {
		d := event.Detection
		if d == nil {
			return nil
		}
		bar.update(float64(d.Index+1)/float64(len(files)), "evaluating", fmt.Sprintf("%d of %d images", d.Index+1, len(files)))
		if d.Error != "" {
			broken = append(broken, remuda.Errorf(remuda.Invalid, "%s", d.Error))
		}
		for _, a := range d.Annotations {
			if id, ok := ids[a.CategoryID]; ok {
				a.ItemID, a.CategoryID, a.ID = q.truth.Items[d.Index].ID, id, int64(len(predictions)+1)
				predictions = append(predictions, a)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := several("images can't be used", broken); err != nil {
		return nil, err
	}
	options := eval.Options{}
	if known.threshold != nil {
		options.Threshold, options.ThresholdFrom = known.threshold, "validation"
	}
	return eval.Evaluate(q.truth, predictions, options)
}

// translate maps the model's category ids to those of the data by name. What
// the model cannot know is said, and that nothing fits is an error.
func (m *Main) translate(categories []remuda.Category, q question) (map[int64]int64, error) {
	byName := make(map[string]int64)
	for _, c := range q.truth.Categories {
		byName[c.Name] = c.ID
	}
	ids := make(map[int64]int64)
	for _, c := range categories {
		if id, ok := byName[c.Name]; ok {
			ids[c.ID] = id
			delete(byName, c.Name)
		}
	}
	if len(ids) == 0 {
		return nil, remuda.Errorf(remuda.Invalid, "the model knows none of the categories in %s", q.file).WithHint("give labels with the names that the model was trained with")
	}
	for _, c := range q.truth.Categories {
		if _, unknown := byName[c.Name]; unknown {
			fmt.Fprintf(m.Stderr, "remuda: the model does not know the category %q, so all its boxes count as missed\n", c.Name)
		}
	}
	return ids, nil
}

// saveEvaluation fills an evaluation's folder.
func saveEvaluation(out *outFolder, e *eval.Evaluation, from source) error {
	if err := e.Save(out.create); err != nil {
		return writeError(out.path, err)
	}
	err := out.fill(sourceFile, func(w io.Writer) error { return json.NewEncoder(w).Encode(from) })
	if err != nil {
		return err
	}
	if err := out.fill(reportFile, func(w io.Writer) error { return reportEvaluation(w, e, from) }); err != nil {
		return err
	}
	return out.keep(eval.EvaluationFile)
}

// imagesOf opens a dataset's images by item, for a report.
func imagesOf(dir string) func(remuda.Item) (*imageio.RGB, error) {
	if dir == "" {
		return nil
	}
	return func(item remuda.Item) (*imageio.RGB, error) { return imageio.Open(imagePath(dir, item.File)) }
}

// printEvaluation prints the numbers with their passport.
func (m *Main) printEvaluation(e *eval.Evaluation) error {
	table := tabwriter.NewWriter(m.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "F1\t%s\t%s\n", number(e.F1), span(e.Intervals.F1))
	fmt.Fprintf(table, "precision\t%s\t%d right, %d wrong\n", number(e.Precision), e.TP, e.FP)
	fmt.Fprintf(table, "recall\t%s\t%d found, %d missed\n", number(e.Recall), e.TP, e.FN)
	fmt.Fprintf(table, "AP\t%s\t%s\n", number(e.AP), span(e.Intervals.AP))
	fmt.Fprintf(table, "AP50, AP75\t%s\t%s\n", number(e.AP50), number(e.AP75))
	fmt.Fprintf(table, "AP small, medium, large\t%s\t%s\t%s\n", number(e.APSmall), number(e.APMedium), number(e.APLarge))
	fmt.Fprintf(table, "AR1, AR10, AR100\t%s\t%s\t%s\n", number(e.AR1), number(e.AR10), number(e.AR100))
	fmt.Fprintf(table, "AR small, medium, large\t%s\t%s\t%s\n", number(e.ARSmall), number(e.ARMedium), number(e.ARLarge))
	fmt.Fprintf(table, "F1 of AP and AR100\t%s\n", number(e.APARF1))
	if len(e.Categories) > 1 {
		fmt.Fprintf(table, "\nCATEGORY\tF1\tPRECISION\tRECALL\tAP\tBOXES\n")
		for _, c := range e.Categories {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\n", c.Name, number(c.F1), number(c.Precision), number(c.Recall), number(c.AP), c.GroundTruths)
		}
	}
	err := table.Flush()
	_, printed := fmt.Fprintf(m.Stdout, "\nF1 counts boxes that overlap by an IoU of at least 0.5, at threshold %.3f (%s);\n%d images, %d boxes, %d predictions; intervals are 95 %%, over images\n",
		e.Threshold, e.ThresholdFrom, e.Images, e.GroundTruths, e.Predictions)
	if e.Optimistic {
		fmt.Fprintln(m.Stdout, "the threshold was chosen on these very images, so F1 is optimistic: train with --val to fix it beforehand")
	}
	return errors.Join(err, printed)
}

// number writes a score; COCO's −1 means that there was nothing to measure.
func number(v float64) string {
	if v < 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}

func span(i eval.Interval) string {
	if i[0] < 0 {
		return ""
	}
	return fmt.Sprintf("%.3f to %.3f", i[0], i[1])
}
